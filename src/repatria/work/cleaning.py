"""What lies at a target and is of no use to anyone: found, judged, removed. No key is needed.

Nothing is taken for abandoned because it looks so: whatever is signed, named by a chain, held by a run, known to this
machine's journal or young enough to be gone on with by another machine stays.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from repatria.bundle import layout
from repatria.bundle.errors import BundleError
from repatria.bundle.files import BundleFolder
from repatria.bundle.reader import Bundle
from repatria.bundle.statement import MAX_DOCUMENT, Statement
from repatria.crypt.sshsig import SigningKey
from repatria.errors import CryptError, RepatriaError, StoreError
from repatria.store.base import Store
from repatria.store.folders import remove_empty
from repatria.store.leftovers import Leftover, leftovers_at, remove_leftover
from repatria.work.lease_files import SeenLease, Terms, is_dead, leases_at
from repatria.work.lying import LyingBundle, latest_checkpoint, lying_bundles
from repatria.work.overview import standing_of
from repatria.work.state import StateFolder

DAY_NS = 86_400 * 1_000_000_000
PATIENT = Terms(lifetime=Terms().lifetime + 86_400)
"""Nothing is written here to tell the store's time, so a day is allowed for clocks that differ."""
Vouch = Callable[[SigningKey, Statement], bool]


class Kind(StrEnum):
    """What something that lies there is."""

    BUNDLE = "unfinished bundle"
    STRAY = "stray volume"
    ASIDE = "file aside"
    UPLOAD = "upload"
    LEASE = "lease"


class Keep(StrEnum):
    """Why something stays."""

    SIGNED = "signed"
    """It has files that are written only once all of a bundle is there."""
    NAMED = "named"
    """A finished bundle builds on it, or may: its statement cannot be read."""
    HELD = "held"
    """A run works on the dataset; or one of another machine ended without ending its lease less than a day ago."""
    OURS = "ours"
    """This machine goes on with it."""
    YOUNG = "young"
    """Another machine may go on with it; or its age is not told."""


@dataclass(frozen=True, slots=True)
class Litter:
    """One thing that may be of no use."""

    kind: Kind
    dataset: str
    """Empty for what belongs to no dataset."""
    name: str
    """A bundle's id, or a path at the target."""
    paths: tuple[str, ...]
    """Of its files at the target."""
    bytes: int
    latest_ns: int | None
    signer: str = ""
    """Fingerprint of the key that signed its checkpoints."""
    keep: Keep | None = None
    leftover: Leftover | None = None


def litter_at(
    store: Store, dataset_id: str | None, state: StateFolder, vouch: Vouch, idle_days: float, own_lease: str = ""
) -> Iterator[Litter]:
    """Yield what lies at a target, of one dataset or of all; `vouch` tells whose statements are believed."""
    now = time.time_ns()
    by_dataset: dict[str, list[LyingBundle]] = {}
    for bundle in lying_bundles(store, dataset_id):
        by_dataset.setdefault(bundle.dataset_id, []).append(bundle)
    for name, bundles in by_dataset.items():
        leases = [lease for token, lease in leases_at(store, name).items() if token != own_lease]
        looked = _Looked.at(store, name, bundles, state, leases)
        yield from _of_dataset(store, looked, vouch, now - int(idle_days * DAY_NS))
    if dataset_id is None:
        for left in leftovers_at(store):
            young = left.begun_ns is None or left.begun_ns > now - int(idle_days * DAY_NS)
            kind = Kind.UPLOAD if left.upload else Kind.ASIDE
            keep = Keep.YOUNG if young and left.upload else None
            yield Litter(kind, "", left.path, (), left.size or 0, left.begun_ns, keep=keep, leftover=left)


def remove(store: Store, litter: Litter) -> None:
    """Remove one thing, its volumes first, so that what is left of it after an interruption is found again."""
    if litter.keep is not None:
        raise ValueError(f"{litter.name} is to be kept")
    if litter.leftover is not None:
        remove_leftover(store, litter.leftover)
    for path in sorted(litter.paths, key=lambda path: f"/{layout.CHECKPOINT_FOLDER}" in path):
        store.delete(path)
    if litter.kind is Kind.BUNDLE:
        remove_empty(store, f"{litter.dataset}/{litter.name}")


@dataclass(frozen=True, slots=True)
class _Looked:
    """A dataset's folder, and who may still need what is in it."""

    dataset_id: str
    bundles: Sequence[LyingBundle]
    named: frozenset[str]
    """Bundles that a statement names as its base."""
    unreadable: str
    """The latest bundle that was finished, by its files or as remembered, and whose statement cannot be believed.

    Any up to it may be part of its chain. Empty if there is none.
    """
    ours: str | None
    leases: Sequence[SeenLease]
    dead: frozenset[str]
    """Of the leases that nobody ended, those of runs that were killed on this machine."""

    @classmethod
    def at(
        cls,
        store: Store,
        dataset_id: str,
        bundles: Sequence[LyingBundle],
        state: StateFolder,
        leases: Sequence[SeenLease],
    ) -> "_Looked":
        named, readable, unreadable = set(), set(), ""
        for lying in bundles:
            if lying.is_closed:
                try:
                    previous = Bundle(store, dataset_id, lying.bundle_id).statement.previous
                    named |= {previous.bundle} if previous else set()
                    readable.add(lying.bundle_id)
                except RepatriaError:
                    unreadable = max(unreadable, lying.bundle_id)
        standing, remembered = standing_of(state, dataset_id), state.remembered(dataset_id)
        for known in (standing.bundle, remembered.bundle if remembered else None):
            if known and known not in readable:
                unreadable = max(unreadable, known)
        ours = standing.unfinished.bundle if standing.unfinished else None
        now = time.time()
        dead = frozenset(each.token for each in leases if each.is_live(now, PATIENT) and is_dead(store, each))
        return cls(dataset_id, bundles, frozenset(named), unreadable, ours, leases, dead)

    @property
    def is_held(self) -> bool:
        """Whether a run may be at work: a day is allowed for clocks that differ."""
        return any(self.may_live(lease) for lease in self.leases)

    def may_live(self, lease: SeenLease) -> bool:
        """Return whether the run that holds a lease may be at work."""
        return lease.token not in self.dead and lease.is_live(time.time(), PATIENT)

    def keep(self, bundle: LyingBundle, oldest_ns: int) -> Keep | None:
        """Return why an unfinished bundle stays, None if nobody can need it."""
        latest = bundle.latest_ns
        reasons = (
            (bundle.is_closed, Keep.SIGNED),
            (bundle.bundle_id in self.named or bundle.bundle_id <= self.unreadable, Keep.NAMED),
            (self.is_held, Keep.HELD),
            (bundle.bundle_id == self.ours, Keep.OURS),
            (latest is None or latest > oldest_ns, Keep.YOUNG),
        )
        return next((keep for holds, keep in reasons if holds), None)


def _of_dataset(store: Store, looked: _Looked, vouch: Vouch, oldest_ns: int) -> Iterator[Litter]:
    for bundle in looked.bundles:
        if not bundle.is_finished:
            yield _unfinished(store, looked, bundle, oldest_ns)
        elif not looked.is_held:
            yield from _strays(store, bundle, vouch)
    for lease in looked.leases:
        if not looked.may_live(lease):
            paths = tuple(mark.path for mark in lease.marks)
            yield Litter(Kind.LEASE, looked.dataset_id, lease.token, paths, 0, int(lease.last * 1e9))


def _unfinished(store: Store, looked: _Looked, bundle: LyingBundle, oldest_ns: int) -> Litter:
    folder = BundleFolder(store, bundle.dataset_id, bundle.bundle_id)
    signed = latest_checkpoint(folder, lambda _key: True)
    return Litter(
        Kind.BUNDLE,
        bundle.dataset_id,
        bundle.bundle_id,
        tuple(folder.prefix + path for path in sorted(bundle.files)),
        bundle.bytes,
        bundle.latest_ns,
        signed.key.fingerprint if signed else "",
        looked.keep(bundle, oldest_ns),
    )


def _strays(store: Store, lying: LyingBundle, vouch: Vouch) -> Iterator[Litter]:
    """Yield volumes in a finished bundle's folder that its manifest does not name.

    Only where that manifest is the one that was signed, by someone who is believed: else what looks like a stray may be
    a volume that somebody struck from the list.
    """
    folder = BundleFolder(store, lying.dataset_id, lying.bundle_id)
    named = _named_by(folder, vouch)
    if named is None:
        return
    for path, told in sorted(lying.files.items()):
        if layout.VOLUME.match(path) and path not in named:
            where = folder.prefix + path
            yield Litter(Kind.STRAY, lying.dataset_id, where, (where,), told.size, told.mtime_ns)


def _named_by(folder: BundleFolder, vouch: Vouch) -> Iterable[str] | None:
    try:
        bundle = Bundle(folder.store, folder.dataset_id, folder.bundle_id)
        statement, manifest = bundle.statement, folder.fetch(layout.MANIFEST, MAX_DOCUMENT)
        signed = hashlib.sha256(manifest).hexdigest() == statement.files[layout.MANIFEST]
        return layout.parse_manifest(manifest) if signed and vouch(bundle.signing_key, statement) else None
    except (CryptError, BundleError, StoreError):
        return None


def still(found: Litter, now: Iterable[Litter]) -> Litter | None:
    """Return what was found as it is at a second look, None if it is gone or is needed now."""
    same = (each for each in now if (each.kind, each.dataset, each.name) == (found.kind, found.dataset, found.name))
    return next((each for each in same if each.keep is None), None)
