"""A chain of three bundles, one of them an archive's, whose recipients tests change."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from repatria.bundle.chain import Chain
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import DocumentRow, PageRow
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.identity import generate
from repatria.crypt.sshsig import Signer
from repatria.crypt.unwrap import Identity
from repatria.errors import Role
from repatria.model import Object
from repatria.store.base import Buffer, Reading, Store
from repatria.store.memory import MemoryStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict, worst_code
from repatria.verify.trust import Trust
from repatria.work.patience import Patience
from repatria.work.rewrapping import Rewrap, RewrapResult
from tests.bundle.making import DatasetMaker, file
from tests.work.making import PowerCutError

OLD, NEW = generate(classic=True), generate(classic=True)
DATASET = "archives"
PAGES = (PageRow(1, 1, 1240, 620, 300.0, 0, 2, 91.0, "[]", "registre de 1949", "registr 1949", "registre de 1949"),)


def make_chain(store: Store) -> DatasetMaker:
    """Make three bundles: two volumes or more, a tombstone, and documents with pages."""
    maker = DatasetMaker(store, DATASET, identity=OLD)
    large = [file(name, name.encode() * 700_000) for name in "abc"]
    maker.bundle([*large, file("gone", b"")], volumes_per_index=2)
    maker.bundle([file("a", b"changed")], gone=["gone"])
    number = maker.next_number
    document = DocumentRow(1, "K-1", "registres", None, None, None, number, None, None, None, 1, "fra", 91.0)
    maker.bundle([file("originals/r.png", b"scan" * 400)], documents=[document], pages=PAGES)
    return maker


def contents(store: Store, identity: Identity) -> dict[str, bytes]:
    """Return every object of the chain as it stands."""
    chain = Chain.load(store, DATASET, identities=[identity])
    return {row.path: b"".join(bundle.read_object(row)) for bundle, row in chain.objects()}


def trust_in(*signers: Signer) -> Trust:
    return Trust(AllowedSigners.parse("\n".join(each.key.allowed_line("senum@dakar") for each in signers)))


def rewrap(
    store: Store,
    signer: Signer,
    *,
    identities: Iterable[Identity] = (OLD,),
    to: Iterable[Identity] = (NEW,),
    trust: Trust | None = None,
) -> RewrapResult:
    trust = trust or trust_in(signer)
    chain = Chain.load(store, DATASET, identities=tuple(identities))
    return Rewrap(
        store,
        chain,
        recipients=[each.recipient for each in to],
        signer=signer,
        trusts=lambda key, moment: trust.voucher_at(key, moment) is not None,
        patience=Patience(seconds=0),
    ).run()


@dataclass
class Told:
    """What a verification told."""

    verdicts: list[Verdict] = field(default_factory=list)
    results: list[BundleResult] = field(default_factory=list)

    @property
    def code(self) -> int:
        return worst_code(self.verdicts)


def verify(store: Store, trust: Trust, identity: Identity | None = None, **wishes: object) -> Told:
    wish = Wish(deep=identity is not None, identities=(identity,) if identity else (), **wishes)  # type: ignore[arg-type]  # fields of Wish
    told = Told()
    for each in DatasetCheck(store, DATASET, trust, wish).run():
        if isinstance(each, BundleResult):
            told.results.append(each)
        else:
            told.verdicts.append(each)
    return told


def copy_of(store: MemoryStore) -> MemoryStore:
    """Return another store that holds the same."""
    copied = MemoryStore()
    copied._kept = dict(store._kept)
    return copied


def payloads(store: Store, bundle: Bundle) -> dict[str, bytes]:
    """Return what follows the head of each volume of a bundle."""
    from repatria.crypt.seek import fetch_head
    from repatria.store.base import StoredFile

    found = {}
    for told in store.list(f"{bundle.folder.prefix}data/vol-"):
        stored = StoredFile(store, told.path, told.size)
        head = fetch_head(stored)
        found[told.path] = head.nonce + stored.read_at(len(head), told.size - len(head))
    return found


class CutOff:
    """A store behind which the power fails: before the change number `at`, or right after it."""

    reads_at_once = 1

    def __init__(self, store: Store, at: int | None = None, *, after: bool = False) -> None:
        self._store = store
        self._at = at
        self._after = after
        self.changes = 0
        self.uri = store.uri
        self.role = Role.TARGET

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        return self._store.list(prefix, enter=enter)

    def stat(self, path: str) -> Object:
        return self._store.stat(path)

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        return self._store.read(path, start, length, version=version)

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,
    ) -> None:
        self._change(lambda: self._store.put(path, data, size, like=like, sha256=sha256))

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        self._change(lambda: self._store.replace(path, data, size, sha256))

    def delete(self, path: str) -> None:
        self._change(lambda: self._store.delete(path))

    def close(self) -> None:
        self._store.close()

    def _change(self, change: Callable[[], None]) -> None:
        self.changes += 1
        if self._at is not None and self.changes >= self._at:
            if self._after and self.changes == self._at:
                change()
            raise PowerCutError
        change()
