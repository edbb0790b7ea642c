"""Bundles as they lie at a target, finished or not, and what signed checkpoints say of those that are not."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from repatria.bundle import layout
from repatria.bundle.closing import CLOSING_ORDER
from repatria.bundle.errors import BundleError
from repatria.bundle.files import BundleFolder
from repatria.bundle.statement import (
    BOUND_FILES,
    MAX_DOCUMENT,
    NAMESPACE,
    Checkpoint,
    parse_checkpoint,
    parse_statement,
)
from repatria.bundle.succession import SIGNATURE_LIMIT
from repatria.bundle.writer import BundleWriter
from repatria.crypt import sshsig
from repatria.crypt.sshsig import SigningKey
from repatria.errors import CryptError, NotFoundError
from repatria.model import Object, ObjectKind
from repatria.store.base import Store


@dataclass(slots=True)
class LyingBundle:
    """The files in one bundle's folder."""

    dataset_id: str
    bundle_id: str
    files: dict[str, Object] = field(default_factory=dict)
    """By path within the bundle."""

    @property
    def is_finished(self) -> bool:
        """Whether its last file is there."""
        return layout.TAGMANIFEST in self.files

    @property
    def is_closed(self) -> bool:
        """Whether any file is there that is written only once everything in it has arrived."""
        return not self.files.keys().isdisjoint(CLOSING_ORDER)

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(told.size for told in self.files.values())

    @property
    def volumes(self) -> int:
        """How many volumes lie there."""
        return sum(layout.VOLUME.match(path) is not None for path in self.files)

    @property
    def latest_ns(self) -> int | None:
        """When its latest file was written, in nanoseconds since the epoch; None if the store tells no times."""
        return max((told.mtime_ns for told in self.files.values() if told.mtime_ns is not None), default=None)


def lying_bundles(store: Store, dataset_id: str | None = None) -> list[LyingBundle]:
    """Return the bundles of a dataset, or of all at a target, by dataset and time."""
    found: dict[tuple[str, str], LyingBundle] = {}
    for told in store.list(f"{dataset_id}/" if dataset_id else ""):
        dataset, _slash, rest = told.path.partition("/")
        bundle_id, slash, path = rest.partition("/")
        if slash and layout.DATASET_ID.match(dataset) and layout.BUNDLE_ID.match(bundle_id):
            bundle = found.setdefault((dataset, bundle_id), LyingBundle(dataset, bundle_id))
            if told.kind is not ObjectKind.DIRECTORY:  # an empty one
                bundle.files[path] = told
    return [found[name] for name in sorted(found) if found[name].files]


def finish_signed(
    folder: BundleFolder, files: Mapping[str, Object], previous: str | None, is_known: Callable[[SigningKey], bool]
) -> bool:
    """Write the last file of a bundle that is signed and lacks only that; return whether the bundle was such a one.

    `previous` is the SHA-256 of the statement that it must follow, None if it must be the first of its chain.

    The tag manifest is made of what lies there, the very bytes that the run would have written that was cut off.
    """
    needed = (*BOUND_FILES, layout.STATEMENT, layout.STATEMENT_SIGNATURE)
    checkpoints = [path for path in files if layout.CHECKPOINT.match(path)]
    if not set(needed) <= files.keys():
        return False
    tag_files = {path: folder.fetch(path, MAX_DOCUMENT) for path in (*needed, *checkpoints)}
    signature = tag_files[layout.STATEMENT_SIGNATURE].decode("ascii", "replace")
    try:
        key = sshsig.verify(signature, tag_files[layout.STATEMENT], NAMESPACE)
        statement = parse_statement(tag_files[layout.STATEMENT])
    except CryptError:
        return False
    digests = {path: hashlib.sha256(data).digest() for path, data in tag_files.items()}
    own = (statement.dataset.id, statement.bundle) == (folder.dataset_id, folder.bundle_id)
    follows = (statement.previous.sha256 if statement.previous else None) == previous
    if not (own and follows and is_known(key)) or any(
        digests[path].hex() != statement.files[path] for path in BOUND_FILES
    ):
        return False
    BundleWriter(folder.store, folder.dataset_id, folder.bundle_id).put(
        layout.TAGMANIFEST, layout.render_manifest(digests)
    )
    return True


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """The latest checkpoint of an unfinished bundle, authentic like all before it."""

    checkpoint: Checkpoint
    key: SigningKey
    tag_files: Mapping[str, bytes]
    """The SHA-256 of every checkpoint up to it, and of their signatures, by path within the bundle."""


def latest_checkpoint(folder: BundleFolder, is_known: Callable[[SigningKey], bool]) -> SignedCheckpoint | None:
    """Return how far signatures of known keys reach, from the first checkpoint on; None if not even to that one."""
    latest: SignedCheckpoint | None = None
    number = 1
    with suppress(NotFoundError, CryptError, BundleError):
        while True:
            latest = _after(latest, folder, number, is_known)
            number += 1
    return latest


def _after(
    before: SignedCheckpoint | None,
    folder: BundleFolder,
    number: int,
    is_known: Callable[[SigningKey], bool],
) -> SignedCheckpoint:
    path = layout.checkpoint_path(number)
    data, signature = folder.fetch(path, MAX_DOCUMENT), folder.fetch(layout.signature_path(path), SIGNATURE_LIMIT)
    key = sshsig.verify(signature.decode("ascii", "replace"), data, NAMESPACE)
    checkpoint = parse_checkpoint(data)
    if not (_follows(before, checkpoint, folder, number) and is_known(key)):
        raise CryptError("")
    digests = {
        path: hashlib.sha256(data).digest(),
        layout.signature_path(path): hashlib.sha256(signature).digest(),
    }
    return SignedCheckpoint(checkpoint, key, {**(before.tag_files if before else {}), **digests})


def _follows(before: SignedCheckpoint | None, checkpoint: Checkpoint, folder: BundleFolder, number: int) -> bool:
    """Return whether a checkpoint is that of this bundle and number, and takes nothing back."""
    if (checkpoint.dataset, checkpoint.bundle) != (folder.dataset_id, folder.bundle_id):
        return False
    names = [layout.index_path(at) for at in range(1, number + 1)]
    if [entry.name for entry in checkpoint.indexes] != names:
        return False
    if before is None:
        return True
    same = ("previous", "recipients", "started")
    earlier = before.checkpoint
    return checkpoint.indexes[:-1] == earlier.indexes and all(
        getattr(checkpoint, name) == getattr(earlier, name) for name in same
    )
