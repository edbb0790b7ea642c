"""The state folder: what one machine remembers between runs.

```
<state>/
  key                      32 random bytes: hashes paths and seals rows in journals
  signer  signer.pub       the signing key made here, if no other was given
  log.jsonl                the audit log
  datasets/<dataset id>/
    lock                   held by the run under way
    journal.db             see `repatria.work.journal`
    scans.seen  pages.db   of an archive: see `repatria.ocr.seen`, `repatria.ocr.page_journal`
    repair.read            what a search for damage has read: see `repatria.work.searched`
    rows.seen  rows.given  of its bordereaux: see `repatria.ocr.keeping`
    trust.json             the signer and head last seen of the dataset's chain
    signers                who may sign it, as `--signers` said last: see `repatria.work.named_signers`
```

The folder may be shared by a group: files are readable, and writable, by the group exactly as far as the folder is.
"""

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.reasons import reason_of

KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was last seen of a dataset's chain; an older head, or another signer, is a finding."""

    signer: str
    """Fingerprint of the signing key, `SHA256:...`."""
    bundle: str
    """Bundle id of the head."""
    statement_sha256: str
    """Of the head's statement.json, lower-case hex."""

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Return what was kept as JSON; ValueError if it is anything else, in whole or in part."""
        kept = json.loads(text)
        names = {field.name for field in fields(cls)}
        whole = isinstance(kept, dict) and kept.keys() == names
        if not whole or not all(isinstance(each, str) for each in kept.values()):
            raise ValueError("not what is remembered of a chain")
        return cls(**kept)


class StateFolder:
    """The state folder at `path`; it is made when something is first kept in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key(self) -> bytes:
        """Return the folder's own key, made once; raise UsageError if it is damaged."""
        file = self.path / "key"
        try:
            key = file.read_bytes()
        except FileNotFoundError:
            self._create_once(file, secrets.token_bytes(KEY_LENGTH))
            key = file.read_bytes()
        except OSError as error:
            raise unusable(file, error) from error
        if len(key) != KEY_LENGTH:
            raise UsageError(
                _("The key of the state folder, {file}, is damaged.").format(file=file),
                advice=_("Restore it from a backup; without it the journals in this folder cannot be read."),
            )
        return key

    def signer_path(self) -> Path:
        """Return where the signing key made on this machine lies, whether it is there or not."""
        return self.path / "signer"

    def log_path(self) -> Path:
        """Return where the audit log lies."""
        return self.path / "log.jsonl"

    def dataset(self, dataset_id: str) -> Path:
        """Return the folder of one dataset, made if it is not there."""
        return self.folder("datasets", dataset_id)

    def datasets(self) -> Iterator[str]:
        """Yield the id of every dataset that this machine has worked on, sorted."""
        folder = self.path / "datasets"
        if folder.is_dir():
            yield from sorted(entry.name for entry in folder.iterdir() if entry.is_dir())

    def folder(self, *names: str) -> Path:
        """Return a folder under the state folder, made if it is not there."""
        folder = self.path
        try:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            for name in names:
                parent, folder = folder, folder / name
                with suppress(FileExistsError):
                    folder.mkdir()
                    folder.chmod(0o700 | group_rights(parent, 0o2070))
        except OSError as error:
            raise unusable(folder, error) from error
        return folder

    def remembered(self, dataset_id: str) -> Remembered | None:
        """Return what was last seen of a dataset's chain; None if it was never seen from here."""
        file = self.path / "datasets" / dataset_id / "trust.json"
        try:
            return Remembered.parse(file.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(file, error) from error
        except ValueError as error:
            raise UsageError(
                _("{file} in the state folder is damaged.").format(file=file),
                advice=_("Restore it from a backup, or move it away: it is then made again from what is seen next."),
            ) from error

    def remember(self, dataset_id: str, remembered: Remembered) -> None:
        """Keep what was seen of a dataset's chain, whole or not at all."""
        write_whole(self.dataset(dataset_id) / "trust.json", _json_line(asdict(remembered)))

    def _create_once(self, file: Path, data: bytes) -> None:
        """Write a file that must never change: of two runs that try at once, one wins and both read the same."""
        folder = self.folder()
        aside = folder / f".{file.name}-{secrets.token_hex(6)}"
        try:
            _write_synced(aside, data, 0o600 | group_rights(folder, 0o040))
            try:
                os.link(aside, file)
            except FileExistsError:
                pass  # the other run was first; its file counts
            finally:
                aside.unlink()
            _sync_folder(folder)
        except OSError as error:
            raise unusable(file, error) from error


def group_rights(folder: Path, mask: int) -> int:
    """Return which of the rights in `mask` a folder gives to its group."""
    return stat.S_IMODE(folder.stat().st_mode) & mask


def write_whole(file: Path, data: bytes) -> None:
    """Put a small file in place of an earlier one: durable when this returns, whole or not at all."""
    aside = file.with_name(f".{file.name}-{secrets.token_hex(6)}")
    try:
        _write_synced(aside, data, 0o600 | group_rights(file.parent, 0o060))
        aside.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        with suppress(OSError):  # a folder that is read-only refuses that too, though nothing is there
            aside.unlink()
        raise unusable(file, error) from error


def _write_synced(file: Path, data: bytes, mode: int) -> None:
    with file.open("xb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json_line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode() + b"\n"


def unusable(file: Path, error: OSError) -> UsageError:
    """Return the error for a state folder that this user cannot read or write, or whose disk is full."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return UsageError(
        _("The state folder cannot be used: {file}: {reason}.").format(file=file, reason=reason_of(error)),
        advice=_("Make room there, then run the same command again.")
        if full
        else _("Give this user rights to it, or name another with REPATRIA_STATE or [defaults] state."),
    )
