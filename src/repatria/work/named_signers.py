"""Who was named with `--signers` for a dataset: kept in the state folder, so that naming them once is enough.

`datasets/<dataset id>/signers` is an allowed signers file. A key has the lines that it had in the file named last: so
one that was withdrawn there (`valid-before`) is withdrawn here. Keys that this file does not name stay as they were.
"""

from pathlib import Path

from repatria.crypt.allowed_signers import AllowedSigners
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.reasons import reason_of
from repatria.work.state import StateFolder, unusable, write_whole

_FILE = "signers"


def named_signers(state: StateFolder, dataset_id: str) -> AllowedSigners | None:
    """Return those who were named for a dataset, None if nobody was; CryptError or UsageError for a damaged file."""
    text = _kept(state, dataset_id)
    return AllowedSigners.parse(text) if text else None


def keep_named_signers(state: StateFolder, dataset_id: str, named: str) -> None:
    """Keep the lines of an allowed signers file, each key's in the place of those that it had."""
    lines = _lines(named)
    blobs = {blob for _line, blob in lines}
    kept = _kept(state, dataset_id)
    wanted = [line for line, blob in _lines(kept) if blob not in blobs] + [line for line, _blob in lines]
    text = "".join(f"{line}\n" for line in wanted)
    if text != kept:
        write_whole(state.dataset(dataset_id) / _FILE, text.encode())


def keep_signers_file(state: StateFolder, dataset_id: str, file: Path) -> None:
    """Keep the lines of the file of `--signers`; UsageError if it cannot be read."""
    try:
        keep_named_signers(state, dataset_id, file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else _("it is not text")
        raise UsageError(
            _("The signers' file {file} cannot be read: {reason}.").format(file=file, reason=reason)
        ) from error


def _kept(state: StateFolder, dataset_id: str) -> str:
    file = state.path / "datasets" / dataset_id / _FILE
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            raise unusable(file, error) from error
        raise UsageError(
            _("{file} in the state folder is damaged.").format(file=file),
            advice=_("Restore it from a backup, or move it away: it is then made again from what is seen next."),
        ) from error


def _lines(text: str) -> list[tuple[str, bytes]]:
    """Return each line that names a key, with that key."""
    lines = [line.strip() for line in text.splitlines()]
    named = [line for line in lines if line and not line.startswith("#")]
    return [(line, AllowedSigners.parse(line).signers[0].blob) for line in named]
