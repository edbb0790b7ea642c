"""Who may sign for a dataset: those named to us, this machine itself, or the one whose chain was seen before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from repatria.bundle.statement import NAMESPACE, Statement
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.sshsig import SigningKey
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.reasons import reason_of
from repatria.work.named_signers import named_signers
from repatria.work.state import Remembered, StateFolder


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a dataset's signers before its bundles are looked at."""

    allowed: AllowedSigners | None = None
    """An allowed signers file. What it says of a key is final, also where the key is no longer valid."""
    own: AllowedSigners | None = None
    """The keys that this machine signs with."""
    remembered: Remembered | None = None
    is_first_sight: bool = False
    """Whether what is `remembered` was met just now: nothing was known before."""
    named: AllowedSigners | None = None
    """Those whom the user named with `--signers` when the dataset was found in order; final like `allowed`."""

    def voucher(self, key: SigningKey, statement: Statement, base_finished: str = "") -> str | None:
        """Return who the key is and by whose word, None if nobody vouches for it.

        A key must have been valid when the statement says it was signed: bundles outlive keys. No bundle was
        finished before the one that it builds on (`base_finished`, empty if there is none): whoever holds a key that
        was withdrawn since could else sign as of an earlier day.
        """
        return self.voucher_at(key, max(statement.signed_at, base_finished))  # RFC 3339 in UTC sorts by time

    def voucher_at(self, key: SigningKey, signed_at: str) -> str | None:
        """Return the same for anything that was signed at this time (RFC 3339, UTC, seconds)."""
        moment = datetime.strptime(signed_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if self.allowed is not None and any(signer.blob == key.blob for signer in self.allowed.signers):
            return self.allowed.principal_of(key, NAMESPACE, moment)
        named = self.named.principal_of(key, NAMESPACE, moment) if self.named else None
        if named is None and self.named is not None and any(signer.blob == key.blob for signer in self.named.signers):
            return None  # it was withdrawn, or may sign other things only
        if self.own is not None and self.own.principal_of(key, NAMESPACE, moment):
            return _("the key of this machine")
        if self.remembered is not None and self.remembered.signer == key.fingerprint:
            return _("the key remembered for this dataset")
        return named


def load_trust(
    state: StateFolder, dataset_id: str, *, signers: Path | None = None, own: Iterable[Path] = (), strict: bool = False
) -> Trust:
    """Return what is known of a dataset's signers.

    `signers` is an allowed signers file; `own` are signing keys of this machine, of which FILE.pub is read. With
    `strict` the file alone counts (`verify --signers`); the head remembered is kept all the same.
    """
    remembered = state.remembered(dataset_id)
    allowed = AllowedSigners.parse(_text(signers)) if signers else None
    if strict:
        forgotten = Remembered("", remembered.bundle, remembered.statement_sha256) if remembered else None
        return Trust(allowed, None, forgotten)
    public_files = [Path(f"{file}.pub") for file in (*own, state.signer_path())]
    lines = [f"own {_text(file)}" for file in public_files if file.is_file()]
    own_keys = AllowedSigners.parse("\n".join(lines))
    return Trust(allowed, own_keys, remembered, named=named_signers(state, dataset_id))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else _("it is not text")
        raise UsageError(
            _("The signers' file {file} cannot be read: {reason}.").format(file=file, reason=reason),
            advice=_('It has a line for each signer: PRINCIPAL namespaces="repatria" ssh-ed25519 AAAA...'),
        ) from error
