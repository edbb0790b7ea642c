"""The files that finish a bundle, made in memory from what its volumes and indexes are: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from repatria.bundle.statement import Statement
from repatria.crypt.sshsig import Signer


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """One file under `data/`: a volume or an index as it lies at the target."""

    path: str
    size: int
    sha256: bytes


def closing_files(
    draft: Statement, payload: Iterable[PayloadFile], tag_files: Mapping[str, bytes], signer: Signer
) -> dict[str, bytes]:
    """Return the files that `BundleWriter.finish` puts, in their order.

    `draft` is the statement with `files` empty; `tag_files` gives the checkpoints and their signatures with their
    SHA-256, by path within the bundle.
    """
    raise NotImplementedError
