"""Which key signs: the one that was named, else one that is made once in the state folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repatria.crypt.key_files import write_key_pair
from repatria.crypt.sshsig import Signer
from repatria.work.lock import Holder
from repatria.work.state import StateFolder, group_rights


@dataclass(frozen=True, slots=True)
class ChosenSigner:
    """The signing key of a run."""

    signer: Signer
    file: Path
    made: bool
    """Whether it was made just now, and nobody can vouch for it yet."""

    @property
    def allowed_line(self) -> str:
        """The line that makes others accept its signatures."""
        here = Holder.here()
        return self.signer.key.allowed_line(f"{here.user}@{here.host}")


def choose_signer(named: Path | None, state: StateFolder, ask: Callable[[str], str] | None = None) -> ChosenSigner:
    """Return the signer in the file `named`, else the state folder's own, made if it is not there.

    `ask` gives the passphrase of an encrypted one. CryptError (6) if the file is missing, unsafe or stays locked.
    """
    return find_signer(named, state, ask) or make_signer(state)


def find_signer(named: Path | None, state: StateFolder, ask: Callable[[str], str] | None = None) -> ChosenSigner | None:
    """Return the same, None if it has yet to be made."""
    file = named or state.signer_path()
    if named is None and not file.exists():
        return None
    return ChosenSigner(Signer.load(file, ask), file, made=False)


def make_signer(state: StateFolder) -> ChosenSigner:
    """Make the state folder's own signer."""
    file, signer, here = state.signer_path(), Signer.generate(), Holder.here()
    folder = state.folder()
    write_key_pair(file, signer.private_text(), f"{signer.public_line(f'{here.user}@{here.host}')}\n")
    file.chmod(0o600 | group_rights(folder, 0o040))  # whoever shares the state goes on with its bundles
    return ChosenSigner(signer, file, made=True)
