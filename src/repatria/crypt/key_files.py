"""Key files on disk: identities and signers 0600, never over another file; recipients and public keys beside them."""

import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from repatria.crypt.errors import KeyFileError, KeyInTheWayError
from repatria.crypt.recipient import PassphraseRecipient
from repatria.crypt.seal import encrypt_stream
from repatria.crypt.unwrap import Identity
from repatria.i18n import _
from repatria.nameless import give_name, open_nameless
from repatria.reasons import reason_of

MAX_FILE_SIZE = 16 * 1024 * 1024
_PUBLIC_BEGINNINGS = (b"age1", b"ssh-ed25519 ", b"ssh-rsa ", b"ecdsa-sha2-")
_ENOUGH_TO_TELL = 16 * 1024


def identity_text(identities: Iterable[Identity], created: datetime | None = None) -> str:
    """Return an identity file as `age-keygen` writes it; secret."""
    moment = (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"# created: {moment}"]
    for identity in identities:
        lines += [f"# public key: {identity.recipient}", identity.secret_text()]
    return "\n".join(lines) + "\n"


def locked_with(passphrase: str, text: str) -> str:
    """Return an identity file encrypted with a passphrase, armored, as age reads it too."""
    locked = BytesIO()
    encrypt_stream(BytesIO(text.encode()), locked, [PassphraseRecipient(passphrase)], armor=True)
    return locked.getvalue().decode("ascii")


def public_path(path: Path) -> Path:
    """Return where the public half of a key file stands: FILE.pub."""
    return path.with_name(path.name + ".pub")


def write_key_pair(path: Path, private: str, public: str) -> None:
    """Write FILE (0600) and FILE.pub; KeyFileError if either is there already, and then neither is touched."""
    refuse_taken([path, public_path(path)])
    _write_new(path, private.encode(), 0o600)
    try:
        _write_new(public_path(path), public.encode(), 0o644)
    except KeyFileError:
        path.unlink()
        raise


def write_private_files(files: Mapping[Path, bytes]) -> None:
    """Write files that only their owner may read, all of them or none; KeyFileError if one is there already."""
    refuse_taken(files)
    written: list[Path] = []
    try:
        for path, data in files.items():
            _write_new(path, data, 0o600)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def refuse_taken(paths: Iterable[Path]) -> None:
    """Raise KeyFileError if one of the paths is there already, even as a dangling link."""
    for path in paths:
        if path.exists() or path.is_symlink():
            raise _in_the_way(path)


def _in_the_way(path: Path) -> KeyInTheWayError:
    return KeyInTheWayError(
        _("{file} is there already; nothing was written over it.").format(file=path),
        advice=_("Choose another name with -o: a key that is overwritten is lost for ever."),
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that appears whole, and only if nothing has its name; its folder is made if it is not there."""
    try:
        _make_folder(path.parent)
        nameless = open_nameless(path.parent, mode)
        if nameless is None:
            _write_by_way_of(path.with_name(f".{path.name}.{secrets.token_hex(4)}.part"), path, data, mode)
        else:
            with os.fdopen(nameless, "wb") as file:
                _write_through(file, data)
                give_name(nameless, path)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise _in_the_way(path) from error
    except OSError as error:
        raise KeyFileError(
            _("The key file {file} cannot be written: {reason}.").format(file=path, reason=reason_of(error)),
            advice=_("Choose a folder with room that you may write to, on a file system with Unix permissions."),
        ) from error


def _write_by_way_of(aside: Path, path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write_through(file, data)
        os.link(aside, path)
    finally:
        aside.unlink()


def _write_through(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make a folder for keys, and those above it, for their owner alone."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes:
    """Return the bytes of a private key file; KeyFileError if it cannot be read, or others may."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
            _refuse_public_half(path, data)
            _refuse_readable(path, os.fstat(file.fileno()))
    except OSError as error:
        raise KeyFileError(
            _("The key file {file} cannot be read: {reason}.").format(file=path, reason=reason_of(error)),
            advice=_("Check the path given with -i or --signer, in REPATRIA_IDENTITY, or in repatria.toml."),
        ) from error
    if len(data) > MAX_FILE_SIZE:
        raise KeyFileError(
            _("{file} is far too large for a key file.").format(file=path),
            advice=_("Check the path given with -i or --signer."),
        )
    return data


def _refuse_public_half(path: Path, data: bytes) -> None:
    """Refuse a file of recipients or a signer's public key: others may well read it, but it opens nothing."""
    lines = [line.strip() for line in data[:_ENOUGH_TO_TELL].splitlines()]
    told = [line for line in lines if line and not line.startswith(b"#")]
    if told and told[0].startswith(_PUBLIC_BEGINNINGS):
        private = path.with_suffix("")
        raise KeyFileError(
            _("{file} is a public key, which opens and signs nothing.").format(file=path),
            advice=_("Give the private key that belongs to it: {file}.").format(file=private)
            if path.suffix == ".pub" and private.exists()
            else _("Give the private key that belongs to it: the file of the same name without .pub."),
        )


def _refuse_readable(path: Path, status: os.stat_result) -> None:
    """Refuse a key that others may read or change; a pipe is nobody else's."""
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o007:
        raise KeyFileError(
            _("Others may read the private key {file} (mode {mode:04o}); it was not used.").format(
                file=path, mode=stat.S_IMODE(status.st_mode)
            ),
            advice=_("Run `chmod 600 {file}`, and think about who may have read it.").format(file=path),
        )
