"""Identities: the private keys that open files. Text forms, identity files, and unwrapping."""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from repatria.crypt import bech32, stanzas
from repatria.crypt.errors import KeyTextError, NoMatchError, PassphraseError, WrongPassphraseError
from repatria.crypt.header import Stanza
from repatria.crypt.key_files import read_private
from repatria.crypt.recipient import ClassicRecipient, HybridRecipient, PassphraseRecipient, Recipient
from repatria.crypt.seal import decrypt_stream, is_encrypted
from repatria.crypt.unwrap import Identity
from repatria.i18n import _

__all__ = [
    "Ask",
    "ClassicIdentity",
    "HybridIdentity",
    "Identity",
    "PassphraseIdentity",
    "generate",
    "load_identities",
    "parse_identity",
    "parse_identity_file",
]

_CLASSIC_PREFIX = "age-secret-key-"
_HYBRID_PREFIX = "age-secret-key-pq-"
_SECRET_SIZE = 32

Ask = Callable[[str], str]
"""Asks for a passphrase with a translated prompt."""


class HybridIdentity:
    """An `AGE-SECRET-KEY-PQ-1...` identity."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._key = stanzas.hybrid_private(seed)
        self.recipient = HybridRecipient(stanzas.hybrid_public(seed))

    def unwrap(self, offered: Sequence[Stanza]) -> bytes | None:
        """Try the `mlkem768x25519` stanzas."""
        keys = [stanzas.unwrap_hybrid(stanza, self._key) for stanza in offered if stanza.type == stanzas.HYBRID]
        return next((key for key in keys if key is not None), None)

    def secret_text(self) -> str:
        """Return the identity in Bech32; secret."""
        return bech32.encode(_HYBRID_PREFIX, self._seed).upper()


class ClassicIdentity:
    """An `AGE-SECRET-KEY-1...` identity."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._public = stanzas.x25519_public(secret)
        self.recipient = ClassicRecipient(self._public)

    def unwrap(self, offered: Sequence[Stanza]) -> bytes | None:
        """Try the `X25519` stanzas."""
        keys = [
            stanzas.unwrap_x25519(stanza, self._secret, self._public)
            for stanza in offered
            if stanza.type == stanzas.X25519
        ]
        return next((key for key in keys if key is not None), None)

    def secret_text(self) -> str:
        """Return the identity in Bech32; secret."""
        return bech32.encode(_CLASSIC_PREFIX, self._secret).upper()


class PassphraseIdentity:
    """A passphrase, asked for only when a file needs one."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask

    @property
    def recipient(self) -> Recipient:
        """The passphrase as a recipient."""
        return PassphraseRecipient(self._ask())

    def unwrap(self, offered: Sequence[Stanza]) -> bytes | None:
        """Try the `scrypt` stanza."""
        for stanza in offered:
            if stanza.type == stanzas.SCRYPT:
                stanzas.check_scrypt(stanza)
                return stanzas.unwrap_scrypt(stanza, self._ask())
        return None

    def secret_text(self) -> str:
        """Return the passphrase; secret."""
        return self._ask()


def generate(classic: bool = False) -> Identity:
    """Return a new identity: post-quantum hybrid, or classical X25519 for files that any age must open."""
    secret = os.urandom(_SECRET_SIZE)
    return ClassicIdentity(secret) if classic else HybridIdentity(secret)


def parse_identity(text: str) -> Identity:
    """Return the identity of an `AGE-SECRET-KEY-...` line; KeyTextError never repeats the line."""
    text = text.strip()
    try:
        prefix, secret = bech32.decode(text)
    except ValueError as error:
        raise _malformed() from error
    if text != text.upper() or len(secret) != _SECRET_SIZE:
        raise _malformed()
    if prefix == _HYBRID_PREFIX:
        return HybridIdentity(secret)
    if prefix == _CLASSIC_PREFIX:
        return ClassicIdentity(secret)
    raise _malformed()


def _malformed() -> KeyTextError:
    return KeyTextError(
        _("A line is not a valid identity (AGE-SECRET-KEY-...)."),
        advice=_("Restore the identity file from its safe copy; a single wrong character makes it useless."),
    )


def load_identities(path: Path, ask: Ask | None) -> tuple[Identity, ...]:
    """Return the identities of an age identity file, itself encrypted with a passphrase or not.

    `ask` is called for the passphrase of an encrypted file; without it such a file is a PassphraseError.
    KeyFileError if the file cannot be read, or others may read or change it.
    """
    return parse_identity_file(read_private(path), path, ask)


def parse_identity_file(data: bytes, path: Path, ask: Ask | None) -> tuple[Identity, ...]:
    """Return the identities in the bytes of an identity file; `path` is for messages."""
    return _parse_lines(_unlocked(data, path, ask) if is_encrypted(data) else data, path)


def _unlocked(data: bytes, path: Path, ask: Ask | None) -> bytes:
    def passphrase() -> str:
        if ask is None:
            raise PassphraseError(
                _("{file} is encrypted with a passphrase, and nobody can be asked for it.").format(file=path),
                advice=_("Run this at a terminal, or set REPATRIA_PASSPHRASE_COMMAND to a command that prints it."),
            )
        return ask(_("Passphrase of {file}:").format(file=path))

    opened = io.BytesIO()
    try:
        decrypt_stream(io.BytesIO(data), opened, [PassphraseIdentity(passphrase)])
    except WrongPassphraseError as error:
        raise PassphraseError(
            _("The passphrase does not open {file}.").format(file=path), advice=_("Try again; the file is unchanged.")
        ) from error
    except NoMatchError as error:
        raise KeyTextError(
            _("{file} is a file encrypted to a key, not an identity.").format(file=path),
            advice=_("Give the identity file itself with -i."),
        ) from error
    return opened.getvalue()


def _parse_lines(data: bytes, path: Path) -> tuple[Identity, ...]:
    identities = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            identities.append(parse_identity(text))
        except KeyTextError as error:
            raise KeyTextError(
                _("{file}, line {line}: {problem}").format(file=path, line=number, problem=error.message),
                advice=error.advice,
            ) from error
    if not identities:
        raise KeyTextError(
            _("{file} holds no identity.").format(file=path),
            advice=_("Give the file that `repatria keys new` wrote, not its .pub."),
        )
    return tuple(identities)
