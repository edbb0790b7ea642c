"""Restoring: what comes back is what was copied, nothing else is touched, and nothing lands outside."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repatria.bundle.chain import Chain
from repatria.errors import FullError, RefusedError, StoppedError, UnreachableError, UsageError
from repatria.migrate.names_table import TableRow
from repatria.migrate.restore import Fate, Restored, restore_objects
from repatria.model import FindingKind, Object, ObjectKind
from repatria.store.base import Buffer, Store
from repatria.store.local import LocalStore
from repatria.store.memory import Faults, MemoryStore
from repatria.store.registry import open_store
from repatria.work.stop import Reason, StopSignal
from tests.bundle.making import DatasetMaker, Source, directory, file, symlink
from tests.servers import Server

LARGE = os.urandom(3_000_000)
HOSPITAL: list[Source] = [
    file("base/dump.sql", LARGE),
    file("dossiers/2024/été.pdf", b"%PDF-1.7"),
    file("dossiers/2024/vide.txt", b""),
    file("lisez-moi.txt", b"bonjour"),
    directory("dossiers/2025"),
    symlink("dossiers/dernier", "2024/été.pdf"),
]

RAW_NAMES = st.binary(min_size=1, max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
NASTY_PARTS = ["..", ".", "", "a", "b", "A", "_names", ".repatria-tmp", "é", "e\u0301", "\udcff", "\n"]
HOSTILE_NAMES = st.one_of(
    RAW_NAMES,
    st.lists(st.sampled_from(NASTY_PARTS), min_size=1, max_size=5).map("/".join),
).filter(bool)


def chain_of(sources: Sequence[Source], store: Store | None = None) -> Chain:
    maker = DatasetMaker(store or MemoryStore())
    maker.bundle(sources)
    return Chain.load(maker.store, maker.dataset_id, identities=[maker.identity])


@pytest.fixture
def hospital() -> Iterator[Chain]:
    chain = chain_of(HOSPITAL)
    yield chain
    chain.close()


def restore(chain: Chain, destination: Store, *patterns: str) -> list[Restored]:
    outcomes = list(restore_objects(chain, destination, patterns))
    destination.close()
    return outcomes


def fates(outcomes: Sequence[Restored]) -> dict[str, Fate]:
    return {outcome.row.path: outcome.fate for outcome in outcomes}


def findings(outcomes: Sequence[Restored]) -> dict[str | None, FindingKind]:
    return {outcome.finding.path: outcome.finding.kind for outcome in outcomes if outcome.finding}


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Return every file's bytes, every link's target, None for an empty folder."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name] = None
    return found


def as_tree(sources: Sequence[Source]) -> dict[str, bytes | str | None]:
    kinds: dict[ObjectKind, Callable[[Object, bytes], bytes | str | None]] = {
        ObjectKind.FILE: lambda _told, data: data,
        ObjectKind.SYMLINK: lambda told, _data: told.link_target,
        ObjectKind.DIRECTORY: lambda _told, _data: None,
    }
    return {told.path: kinds[told.kind](told, data) for told, data in sources}


class TestIntoAFolder:
    def test_everything_comes_back_as_it_was(self, hospital: Chain, tmp_path: Path) -> None:
        outcomes = restore(hospital, LocalStore(tmp_path / "out"))
        assert set(fates(outcomes).values()) == {Fate.WRITTEN}
        assert not any(outcome.renamed for outcome in outcomes)
        assert tree(tmp_path / "out") == as_tree(HOSPITAL)

    def test_with_times_and_modes(self, hospital: Chain, tmp_path: Path) -> None:
        restore(hospital, LocalStore(tmp_path))
        status = (tmp_path / "lisez-moi.txt").stat()
        assert status.st_mtime_ns == 1_706_644_800_123_456_789
        assert status.st_mode & 0o7777 == 0o640
        assert (tmp_path / "dossiers/2025").stat().st_mode & 0o7777 == 0o750

    def test_only_what_the_patterns_mean(self, hospital: Chain, tmp_path: Path) -> None:
        outcomes = restore(hospital, LocalStore(tmp_path), "*.sql", "dossiers/2024/")
        assert sorted(fates(outcomes)) == ["base/dump.sql", "dossiers/2024/vide.txt", "dossiers/2024/été.pdf"]

    def test_a_pattern_that_means_nothing_is_wrong_usage(self, hospital: Chain, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing was restored") as caught:
            restore(hospital, LocalStore(tmp_path / "out"), "*.sql", "*.exe")
        assert caught.value.code == 2
        assert not (tmp_path / "out").exists()

    def test_the_dataset_as_it_stood_then(self, tmp_path: Path) -> None:
        maker = DatasetMaker(MemoryStore())
        first = maker.bundle([file("a", b"old"), file("b", b"gone later")])
        maker.bundle([file("a", b"new")], gone=["b"])
        for name, upto in (("then", first), ("now", None)):
            chain = Chain.load(maker.store, maker.dataset_id, upto, [maker.identity])
            restore(chain, LocalStore(tmp_path / name))
        assert tree(tmp_path / "then") == {"a": b"old", "b": b"gone later"}
        assert tree(tmp_path / "now") == {"a": b"new"}


class TestIntoOtherStores:
    def test_over_sftp(self, hospital: Chain, sshd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        uri = sshd.use(monkeypatch).new_place()
        restore(hospital, open_store(uri))
        assert sshd.folder
        assert tree(sshd.folder / uri.rpartition("/")[2]) == as_tree(HOSPITAL)

    def test_into_a_bucket(self, moto_s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        moto_s3.use(monkeypatch)
        hostile = file("a/../../b", b"1", content_type="application/dicom", metadata={"class": "A"})
        place = moto_s3.new_place()
        chain = chain_of([*HOSPITAL, hostile, file("x//y", b"2")])
        store = open_store(place, endpoint=moto_s3.endpoint, profile=moto_s3.profile)
        outcomes = restore(chain, store)
        assert findings(outcomes) == {"dossiers/dernier": FindingKind.FAILED}  # a bucket has no links
        again = restore(chain, store)
        assert set(fates(again).values()) == {Fate.KEPT, Fate.NOT_WRITTEN}
        stored = {found.path for found in store.list()}
        assert {"dossiers/2025/", "base/dump.sql", "x//y", "_names/table.tsv"} <= stored
        with store.read("a/../../b") as reading:
            assert reading.object.content_type == "application/dicom"
            assert dict(reading.object.metadata) == {"class": "A"}


class TestNothingIsTouched:
    def test_a_second_run_leaves_what_is_identical(self, hospital: Chain, tmp_path: Path) -> None:
        restore(hospital, LocalStore(tmp_path), "*.sql", "lisez-moi.txt")
        before = (tmp_path / "base/dump.sql").stat()
        outcomes = restore(hospital, LocalStore(tmp_path))
        kept = sorted(path for path, fate in fates(outcomes).items() if fate is Fate.KEPT)
        assert kept == ["base/dump.sql", "lisez-moi.txt"]
        assert (tmp_path / "base/dump.sql").stat().st_ino == before.st_ino
        assert tree(tmp_path) == as_tree(HOSPITAL)

    def test_what_is_different_stays_and_is_a_finding(self, hospital: Chain, tmp_path: Path) -> None:
        (tmp_path / "lisez-moi.txt").write_text("bonsoir")
        outcomes = restore(hospital, LocalStore(tmp_path))
        assert findings(outcomes) == {"lisez-moi.txt": FindingKind.UNEXPECTED}
        assert (tmp_path / "lisez-moi.txt").read_text() == "bonsoir"

    def test_a_link_in_the_destination_is_not_followed(self, hospital: Chain, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out/base").symlink_to(tmp_path / "elsewhere")
        outcomes = restore(hospital, LocalStore(tmp_path / "out"))
        assert list((tmp_path / "elsewhere").iterdir()) == []
        assert [outcome.row.path for outcome in outcomes if outcome.renamed] == ["base/dump.sql"]


class TestHostileNames:
    def test_none_lands_outside(self, tmp_path: Path) -> None:
        names = [
            "../outside",
            "/etc/outside",
            "a/../../outside",
            "a//b",
            "..",
            ".",
            "a/",
            "nul\0",
            "x" * 300,
            "_names/x",
        ]
        sources = [file(name, name.encode()) for name in names]
        outcomes = restore(chain_of(sources), LocalStore(tmp_path / "out"))
        assert {outcome.fate for outcome in outcomes} == {Fate.WRITTEN}
        assert all(outcome.stored.startswith("_names/") for outcome in outcomes)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        contents = [data for name, data in tree(tmp_path / "out").items() if name != "_names/table.tsv"]
        assert sorted(str(data) for data in contents) == sorted(str(name.encode()) for name in names)
        table = (tmp_path / "out/_names/table.tsv").read_text().splitlines()
        assert table[0] == "stored\tkind\tnumber\tpath\tlink target"
        assert [line.split("\t")[3] for line in table[1:]] == [name.replace("\0", "\\x00") for name in names]

    @given(st.lists(HOSTILE_NAMES, max_size=8, unique=True))
    @settings(max_examples=60, deadline=None)
    def test_any_bytes_come_back_under_their_name_or_by_the_table(self, names: list[str]) -> None:
        contents = {name: str(number).encode() for number, name in enumerate(names, 1)}
        with TemporaryDirectory() as folder:
            root = Path(folder, "a", "b", "c", "out")
            outcomes = restore(chain_of([file(name, data) for name, data in contents.items()]), LocalStore(root))
            assert {outcome.fate for outcome in outcomes} <= {Fate.WRITTEN}
            for outcome in outcomes:
                own = outcome.stored == outcome.row.path
                assert own or outcome.stored == f"_names/{sha256(os.fsencode(outcome.row.path)).hexdigest()}"
                assert own or TableRow(outcome.stored, outcome.row).line() in (root / "_names/table.tsv").read_text()
                assert (root / outcome.stored).read_bytes() == contents[outcome.row.path]
            assert {path.name for path in Path(folder).rglob("*") if root not in path.parents} <= {"a", "b", "c", "out"}

    def test_a_file_and_a_folder_of_the_same_name(self, tmp_path: Path) -> None:
        chain = chain_of([file("a", b"file"), file("a/b", b"below")])
        outcomes = restore(chain, LocalStore(tmp_path))
        assert sum(outcome.renamed for outcome in outcomes) == 1
        assert {b"file", b"below"} < set(tree(tmp_path).values())
        before = tree(tmp_path)
        assert set(fates(restore(chain, LocalStore(tmp_path))).values()) == {Fate.KEPT}
        assert tree(tmp_path) == before

    def test_empty_objects_that_stand_for_folders(self, tmp_path: Path) -> None:
        outcomes = restore(chain_of([file("a/", b""), file("b/", b""), file("b/c", b"1")]), LocalStore(tmp_path))
        assert not any(outcome.renamed for outcome in outcomes)
        assert tree(tmp_path) == {"a": None, "b/c": b"1"}

    def test_names_that_a_file_system_takes_for_the_same(self) -> None:
        class Folding(MemoryStore):
            """A store that holds one object of all whose names differ only in case, as on FAT or macOS."""

            def _folded(self, path: str) -> str:
                return next((found.path for found in self.list() if found.path.lower() == path.lower()), path)

            def stat(self, path: str) -> Object:
                return super().stat(self._folded(path))

            def put(
                self,
                path: str,
                data: Iterable[Buffer],
                size: int,
                *,
                like: Object | None = None,
                sha256: bytes | None = None,
            ) -> None:
                super().put(self._folded(path), data, size, like=like)

        destination = Folding()
        chain = chain_of([file("Nom", b"1"), file("nom", b"2")])
        outcomes = list(restore_objects(chain, destination, workers=1))
        assert [outcome.renamed for outcome in outcomes] == [False, True]
        assert sum(found.path.startswith("_names/") for found in destination.list()) == 2

    def test_the_table_grows_by_tables(self, tmp_path: Path) -> None:
        chain = chain_of([file("../a", b"1"), file("../b", b"2")])
        restore(chain, LocalStore(tmp_path), "../a")
        restore(chain, LocalStore(tmp_path))
        restore(chain, LocalStore(tmp_path))
        tables = sorted((tmp_path / "_names").glob("table*"))
        assert [table.name for table in tables] == ["table-2.tsv", "table.tsv"]
        assert all(len(table.read_text().splitlines()) == 2 for table in tables)


class TestHostileLinks:
    def test_links_that_lead_outside_are_not_made(self, tmp_path: Path) -> None:
        sources = [
            symlink("absolute", "/etc/passwd"),
            symlink("up", "../x"),
            symlink("d/here", ".."),
            symlink("twice", "d/here/.."),
        ]
        outcomes = restore(chain_of(sources), LocalStore(tmp_path))
        assert findings(outcomes) == dict.fromkeys(["absolute", "up", "twice"], FindingKind.FAILED)
        table = (tmp_path / "_names/table.tsv").read_text()
        assert "\tsymlink\t1\tabsolute\t/etc/passwd\n" in table
        assert sorted(name for name in tree(tmp_path) if not name.startswith("_names")) == ["d/here"]

    def test_no_later_object_goes_through_a_link(self, tmp_path: Path) -> None:
        chain = chain_of([symlink("d/link", ".."), file("d/link/escaped", b"1")])
        (tmp_path / "out").mkdir()
        outcomes = list(restore_objects(chain, LocalStore(tmp_path / "out"), workers=1))
        assert not (tmp_path / "out/escaped").exists()
        assert [outcome.stored[:7] for outcome in outcomes] == ["d/link", "_names/"]


class TestDamage:
    def test_a_wrong_object_is_never_visible_and_the_others_come(self, tmp_path: Path) -> None:
        vault = tmp_path / "vault"
        chain = chain_of(HOSPITAL, LocalStore(vault))
        volume = sorted(vault.rglob("vol-*"))[1]
        damaged = bytearray(volume.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        volume.write_bytes(damaged)
        outcomes = restore(chain, LocalStore(tmp_path / "out"))
        assert findings(outcomes) == {"base/dump.sql": FindingKind.ALTERED}
        expected = as_tree(HOSPITAL)
        del expected["base/dump.sql"]
        assert {name: data for name, data in tree(tmp_path / "out").items() if name != "base"} == expected

    def test_a_missing_volume_is_a_finding(self, tmp_path: Path) -> None:
        vault = tmp_path / "vault"
        chain = chain_of(HOSPITAL, LocalStore(vault))
        sorted(vault.rglob("vol-*"))[1].unlink()
        assert findings(restore(chain, LocalStore(tmp_path / "out"))) == {"base/dump.sql": FindingKind.MISSING}

    def test_a_full_destination_ends_the_run_and_the_next_goes_on(self) -> None:
        chain = chain_of(HOSPITAL)
        destination = MemoryStore(faults=Faults(capacity=1_000_000))
        with pytest.raises(FullError) as caught:
            restore(chain, destination)
        assert caught.value.code == 5
        destination.faults.capacity = None
        assert FindingKind.UNEXPECTED not in findings(restore(chain, destination)).values()
        assert {found.path for found in destination.list()} == {told.path for told, _data in HOSPITAL}

    def test_a_reply_lost_by_the_destination(self) -> None:
        chain = chain_of([file("a", b"1")])
        destination = MemoryStore(faults=Faults(lose_replies={1}))
        with pytest.raises(UnreachableError):
            restore(chain, destination)
        assert fates(restore(chain, destination)) == {"a": Fate.KEPT}

    def test_an_unreachable_vault_ends_the_run(self) -> None:
        vault = MemoryStore()
        chain = chain_of(HOSPITAL, vault)
        chain.head.indexes()
        vault.faults.fail_reads = set(range(vault.faults.reads + 1, vault.faults.reads + 100))
        with pytest.raises(UnreachableError):
            restore(chain, MemoryStore())

    def test_a_stop_ends_it_resumably(self, hospital: Chain) -> None:
        stop = StopSignal()
        stop.request(Reason.SIGNAL)
        with pytest.raises(StoppedError) as caught:
            list(restore_objects(hospital, MemoryStore(), stop=stop))
        assert caught.value.code == 8


def test_a_destination_that_may_not_be_written_to(hospital: Chain) -> None:
    class ReadOnly(MemoryStore):
        def put(
            self,
            path: str,
            data: Iterable[Buffer],
            size: int,
            *,
            like: Object | None = None,
            sha256: bytes | None = None,
        ) -> None:
            raise RefusedError("no", role=self.role)

    with pytest.raises(RefusedError):
        restore(hospital, ReadOnly())
