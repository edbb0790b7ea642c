"""Recipients: who can open a file. Text forms, files of them, and wrapping."""

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from repatria.crypt import bech32, stanzas
from repatria.crypt.errors import KeyFileError, KeyTextError, MixedRecipientsError, UnsupportedKeyError
from repatria.crypt.header import Stanza
from repatria.i18n import _
from repatria.reasons import reason_of

_LITERAL = re.compile("age1[a-z0-9]*", re.IGNORECASE)
"""Whatever looks like this is a recipient; a file of such a name is given as `./age1...`."""

CLASSIC_PREFIX = "age"
HYBRID_PREFIX = "age1pq"
_MAX_FILE_SIZE = 16 * 1024 * 1024


class Kind(StrEnum):
    """What protects the file key; kinds are never mixed in one file."""

    HYBRID = "hybrid"
    """ML-KEM-768 and X25519 together: holds as long as either does."""
    CLASSIC = "classic"
    """X25519: any version of age opens it."""
    PASSPHRASE = "passphrase"  # noqa: S105 -- the name of a kind, not a secret


class Recipient(Protocol):
    """Wraps a file key so that one identity can unwrap it; safe to use from several threads."""

    @property
    def kind(self) -> Kind:
        """What protects the file key."""

    def wrap(self, file_key: bytes) -> list[Stanza]:
        """Return the stanzas for one 16-byte file key; fresh randomness every time."""

    def __str__(self) -> str: ...


class HybridRecipient:
    """An `age1pq1...` recipient: MLKEM768-X25519."""

    kind = Kind.HYBRID

    def __init__(self, public: bytes) -> None:
        self._public = public
        self._key = stanzas.hybrid_public_key(public)

    def wrap(self, file_key: bytes) -> list[Stanza]:
        """Return one `mlkem768x25519` stanza."""
        return [stanzas.wrap_hybrid(file_key, self._key)]

    def __str__(self) -> str:
        return bech32.encode(HYBRID_PREFIX, self._public)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HybridRecipient) and other._public == self._public

    def __hash__(self) -> int:
        return hash(self._public)


class ClassicRecipient:
    """An `age1...` recipient: X25519."""

    kind = Kind.CLASSIC

    def __init__(self, public: bytes) -> None:
        self._public = public
        stanzas.wrap_x25519(bytes(16), public)  # ValueError for a point of low order, now rather than at the first file

    def wrap(self, file_key: bytes) -> list[Stanza]:
        """Return one `X25519` stanza."""
        return [stanzas.wrap_x25519(file_key, self._public)]

    def __str__(self) -> str:
        return bech32.encode(CLASSIC_PREFIX, self._public)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassicRecipient) and other._public == self._public

    def __hash__(self) -> int:
        return hash(self._public)


class PassphraseRecipient:
    """Whoever knows a passphrase; must be the only recipient of its file."""

    kind = Kind.PASSPHRASE

    def __init__(self, passphrase: str, work_factor: int = stanzas.WORK_FACTOR) -> None:
        self._passphrase = passphrase
        self._work_factor = work_factor

    def wrap(self, file_key: bytes) -> list[Stanza]:
        """Return one `scrypt` stanza."""
        return [stanzas.wrap_scrypt(file_key, self._passphrase, self._work_factor)]

    def __str__(self) -> str:
        return _("a passphrase")


def parse_recipient(text: str) -> Recipient:
    """Return the recipient that `age1...` or `age1pq1...` names; KeyTextError says what is wrong with it."""
    text = text.strip()
    _refuse_other_keys(text)
    try:
        prefix, public = bech32.decode(text)
        if text != text.lower():
            raise ValueError("upper case")
        if prefix == HYBRID_PREFIX and len(public) == stanzas.HYBRID_PUBLIC_SIZE:
            return HybridRecipient(public)
        if prefix == CLASSIC_PREFIX and len(public) == 32:
            return ClassicRecipient(public)
    except ValueError as error:
        raise _malformed(text) from error
    if prefix.startswith("age1"):
        raise UnsupportedKeyError(
            _("{recipient} is a recipient of a hardware key or plugin, which Repatria does not write to.").format(
                recipient=shortened(text)
            ),
            advice=_("Use an age1pq1... or age1... recipient, as `repatria keys new` makes them."),
        )
    raise _malformed(text)


def _refuse_other_keys(text: str) -> None:
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise KeyTextError(
            _("This is an identity, which is secret, where a recipient is expected."),
            advice=_("Give the recipient (age1...) or the .pub file; `repatria keys show FILE` prints it."),
        )
    if text.startswith(("ssh-", "ecdsa-", "sk-")):
        raise UnsupportedKeyError(
            _("SSH keys are not used as recipients here."),
            advice=_("Make an age key with `repatria keys new -o FILE` and give FILE.pub."),
        )


def _malformed(text: str) -> KeyTextError:
    return KeyTextError(
        _("{recipient} is not a valid recipient: a character is missing, added or wrong.").format(
            recipient=shortened(text)
        ),
        advice=_("Copy the recipient again, whole; or give the path of its .pub file."),
    )


def shortened(text: str) -> str:
    """Return a recipient as messages show it; a hybrid one fills a screen otherwise."""
    return text if len(text) <= 70 else f"{text[:20]}...{text[-8:]}"


def fingerprint(recipient: Recipient) -> str:
    """Return eight groups of four hexadecimal digits, to compare by telephone or on paper.

    The first 128 bits of the SHA-256 of the recipient's text: `printf %s age1... | sha256sum | cut -c1-32`.
    """
    return text_fingerprint(str(recipient))


def text_fingerprint(text: str) -> str:
    """Return the fingerprint of what a signed file names as a recipient; nothing of it need be right."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "-".join(digest[start : start + 4] for start in range(0, 32, 4))


def load_recipients(words: Iterable[str], relative_to: Path) -> tuple[Recipient, ...]:
    """Return the recipients that `words` name, each once, all of one kind.

    A word is a recipient or the path of a file of recipients (one a line, `#` comments), relative to `relative_to`.
    """
    found: dict[Recipient, None] = {}
    for word in words:
        if _LITERAL.fullmatch(word.strip()):
            found[parse_recipient(word)] = None
        else:
            found.update(dict.fromkeys(_of_file(relative_to / word)))
    recipients = tuple(found)
    check_recipients(recipients)
    return recipients


def check_recipients(recipients: Iterable[Recipient]) -> None:
    """Raise KeyTextError if there is none, MixedRecipientsError unless all are of one kind, a passphrase alone."""
    kinds = [recipient.kind for recipient in recipients]
    if not kinds:
        raise KeyTextError(
            _("There is no recipient: nobody could open what would be written."),
            advice=_("Name at least one recipient (age1pq1...) or .pub file."),
        )
    if len(set(kinds)) > 1:
        raise MixedRecipientsError(
            _("Recipients of different kinds cannot share a file: the weakest would decide."),
            advice=_("Use only age1pq1... recipients (post-quantum) or only age1... (classical)."),
        )
    if len(kinds) > 1 and kinds[0] is Kind.PASSPHRASE:
        raise MixedRecipientsError(
            _("A passphrase must be the only recipient of a file."),
            advice=_("Use one passphrase, or recipients only."),
        )


def _of_file(path: Path) -> list[Recipient]:
    try:
        with path.open("rb") as file:
            lines = file.read(_MAX_FILE_SIZE).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise KeyFileError(
            _("{word} is neither a recipient nor a file that can be read ({reason}).").format(
                word=path, reason=reason_of(error)
            ),
            advice=_("Give a recipient (age1pq1...) or the path of a .pub file."),
        ) from error
    recipients = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            recipients.append(parse_recipient(text))
        except KeyTextError as error:
            message = _("{file}, line {line}: {problem}").format(file=path, line=number, problem=error.message)
            raise type(error)(message, advice=error.advice) from error
    if not recipients:
        raise KeyTextError(
            _("{file} names no recipient.").format(file=path),
            advice=_("Give the .pub file that `repatria keys new` wrote beside the identity."),
        )
    return recipients
