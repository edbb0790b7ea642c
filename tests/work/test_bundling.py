"""A bundle in the making: whatever interrupts it, the next run makes it whole."""

import hashlib
import itertools
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.rows import DocumentRow, ObjectRow, PageRow
from repatria.crypt.identity import generate
from repatria.errors import FullError, NotFoundError, RefusedError, RepatriaError, UnverifiableError, UsageError
from repatria.model import Finding, FindingKind, Object
from repatria.store.memory import MemoryStore
from repatria.work import publishing
from repatria.work.bundling import BundleRun
from repatria.work.journal import Journal
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from tests.work.making import IDENTITY, PowerCutError, Site, read_chain, store_all, told, verify

NOISE = random.Random(20260105)  # noqa: S311 -- the same bytes every time, not a secret
FILES = {f"dossier/{number}": NOISE.randbytes(60_000 + number) for number in range(6)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "state")


def store_parts(run: BundleRun, whole: Object, data: bytes, *, parts: int, stop_after: int | None = None) -> None:
    """Store an object in parts of equal length, one in each volume."""
    number = run.next_object_number()
    name = run.volumes.member_name(whole.path, number)
    length = len(data) // parts
    for part in range(1, (stop_after or parts) + 1):
        start, end = (part - 1) * length, part * length
        volume = run.volumes.volume()
        volume.begin(whole, name, number=number, length=length, part=part, start=start)
        volume.write(data[start:end])
        kept = ObjectPart(number, whole.path, run.catalogue.fingerprint(whole), name, part, end, None)
        rows = [object_row(whole, data, number)] if part == parts else []
        run.volumes.store(volume, VolumeContent(rows, [volume.end()]), part=None if rows else kept)


def store_numbered(run: BundleRun, each: Object, data: bytes, number: int, **documents: Any) -> None:
    """Store one whole object, with documents."""
    volume = run.volumes.volume()
    volume.begin(each, run.volumes.member_name(each.path, number), number=number)
    volume.write(data)
    run.volumes.store(volume, VolumeContent([object_row(each, data, number)], [volume.end()], **documents))


def store_together(run: BundleRun, objects: list[tuple[Object, bytes, int]]) -> None:
    """Store whole objects in one volume."""
    volume = run.volumes.volume()
    members = []
    for each, data, number in objects:
        volume.begin(each, run.volumes.member_name(each.path, number), number=number)
        volume.write(data)
        members.append(volume.end())
    rows = [object_row(each, data, number) for each, data, number in objects]
    run.volumes.store(volume, VolumeContent(rows, members))


def object_row(each: Object, data: bytes, number: int) -> ObjectRow:
    return ObjectRow.of(each, number=number, source="", sha256=hashlib.sha256(data).digest(), salt=bytes(16))


@pytest.fixture(autouse=True)
def small_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "LIMITS", replace(publishing.LIMITS, volumes=2))


def test_a_bundle_is_made_read_and_verified(site: Site) -> None:
    uri = site.make(FILES)
    assert uri is not None
    assert site.read() == FILES
    assert verify(site.target, site.folder) == []
    statement = Chain.load(site.target, "d").head.statement
    assert (statement.kind, statement.objects.count, len(statement.indexes)) == ("full", 6, 2)


def test_nothing_changed_makes_no_bundle_and_writes_nothing(site: Site) -> None:
    site.make(FILES)
    puts = site.target.faults.puts
    assert site.make(FILES) is None
    assert site.target.faults.puts == puts
    with site.open() as run:
        assert run.latest_uri is not None


def test_later_bundles_hold_what_is_new_changed_or_gone(site: Site) -> None:
    site.make(FILES)
    changed = {**FILES, "dossier/1": b"corrected", "new": b"n"}
    del changed["dossier/2"]
    site.make(changed)
    assert site.read() == changed
    head = Chain.load(site.target, "d").head.statement
    assert (head.kind, head.objects.count, head.tombstones, head.totals.objects) == ("delta", 2, 1, 6)
    assert verify(site.target, site.folder) == []


def test_a_bundle_of_tombstones_alone_has_no_volumes(site: Site) -> None:
    site.make(FILES)
    rest = {path: FILES[path] for path in list(FILES)[:1]}
    site.make(rest)
    head = Chain.load(site.target, "d").head.statement
    assert (head.volumes.count, head.tombstones, head.indexes[0].first_volume) == (0, 5, 0)
    assert site.read() == rest
    assert verify(site.target, site.folder) == []


@pytest.mark.parametrize("volumes", [[0, 1, 2], [2, 1, 0], [1, 0]], ids=str)
@pytest.mark.parametrize("together", [True, False], ids=["in one volume", "each in its own"])
def test_of_a_path_that_one_listing_told_of_twice_the_latest_row_stands(
    site: Site, volumes: list[int], *, together: bool
) -> None:
    """Volumes of several workers come in any order."""
    texts = [b"first", b"second", b"third"]
    with site.open() as run:
        run.catalogue.begin_listing()
        numbers = [run.next_object_number() for _text in texts]
        if together:
            store_together(run, [(told("k", texts[at]), texts[at], numbers[at]) for at in volumes])
        else:
            for at in volumes:
                store_numbered(run, told("k", texts[at]), texts[at], numbers[at])
        run.bury_all(run.catalogue.unseen())
        run.finish()
    chain = Chain.load(site.target, "d", identities=[IDENTITY])
    assert [row.number for _owner, row in chain.objects()] == [numbers[max(volumes)]]
    assert chain.head.statement.totals.objects == 1
    chain.close()
    assert site.read() == {"k": texts[max(volumes)]}
    assert verify(site.target, site.folder) == []


def test_an_object_that_comes_back_is_new(site: Site) -> None:
    site.make({"a": b"1", "b": b"2"})
    site.make({"a": b"1"})
    site.make({"a": b"1", "b": b"2"})
    assert site.read() == {"a": b"1", "b": b"2"}
    assert verify(site.target, site.folder) == []


def test_object_numbers_are_never_used_twice(site: Site) -> None:
    for number in range(3):
        site.make({"a": b"%d" % number, f"b{number}": b""})
    chain = Chain.load(site.target, "d", identities=[IDENTITY])
    numbers = [row.number for bundle in chain.bundles for row in bundle.objects()]
    assert len(numbers) == len(set(numbers)) == 6


def interrupted(site: Site, files: dict[str, bytes]) -> bool:
    try:
        site.make(files)
    except PowerCutError:
        return True
    return False


def cut_before(number: int) -> Callable[[str], None]:
    puts = itertools.count(1)

    def before_put(_path: str) -> None:
        if next(puts) == number:
            raise PowerCutError

    return before_put


def test_a_power_cut_before_any_put_is_mended_by_the_next_run(tmp_path: Path) -> None:
    """Every instant at which the target is one file behind the journal, in a first bundle and in a second."""
    later = {**FILES, "dossier/3": b"changed", "dossier/9": b"new"}
    del later["dossier/0"]
    for number in itertools.count(1):
        site = Site(tmp_path / str(number))
        site.target.faults.before_put = cut_before(number)
        cuts = [interrupted(site, FILES), interrupted(site, later)]
        site.target.faults.before_put = lambda _path: None
        site.make(later)
        assert site.read() == later
        assert verify(site.target, site.folder) == []
        if not any(cuts):
            break
    assert number > 20


def test_a_power_cut_after_any_put_is_mended_by_the_next_run(tmp_path: Path) -> None:
    """Every instant at which the target has a file that the journal does not know to be there."""
    for number in itertools.count(1):
        site = Site(tmp_path / str(number))
        puts, put = itertools.count(1), site.target.put

        def put_and_die(*arguments: Any, **options: Any) -> None:
            put(*arguments, **options)  # noqa: B023 -- used within this turn of the loop
            if next(puts) == number:  # noqa: B023 -- used within this turn of the loop
                raise PowerCutError

        site.target.put = put_and_die  # type: ignore[method-assign]  # a fault that MemoryStore does not offer
        cut = interrupted(site, FILES)
        del site.target.put
        site.make(FILES)
        assert site.read() == FILES
        assert verify(site.target, site.folder) == []
        volumes = [each for each in site.target.list() if "/data/vol-" in each.path]
        assert len(volumes) == 3, "no volume was sent twice"
        if not cut:
            break
    assert number > 12


def test_a_bundle_that_was_finished_stays_the_head_though_a_volume_vanished_before_the_journal_knew(site: Site) -> None:
    put = site.target.put

    def put_and_die_at_the_last(path: str, *arguments: Any, **options: Any) -> None:
        put(path, *arguments, **options)
        if path.endswith(layout.TAGMANIFEST):
            raise PowerCutError

    site.target.put = put_and_die_at_the_last  # type: ignore[method-assign]  # a fault that MemoryStore does not offer
    assert interrupted(site, FILES)
    del site.target.put
    lost = next(each.path for each in site.target.list() if "/data/vol-" in each.path)
    site.target.delete(lost)
    assert site.make(FILES) is None
    assert [bundle.statement.kind for bundle in Chain.load(site.target, "d").bundles] == ["full"]
    assert any(lost.rpartition("/")[2] in each for each in verify(site.target, site.folder))


def test_a_power_cut_at_any_change_of_the_journal_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = Journal.change
    for number in itertools.count(1):
        site = Site(tmp_path / str(number))
        changes = itertools.count(1)

        def change_or_die(journal: Journal, sql: str, *bindings: object) -> int:
            if next(changes) == number:  # noqa: B023 -- used within this turn of the loop
                raise PowerCutError
            return change(journal, sql, *bindings)

        monkeypatch.setattr(Journal, "change", change_or_die)
        cut = interrupted(site, FILES)
        monkeypatch.setattr(Journal, "change", change)
        site.make(FILES)
        assert site.read() == FILES
        assert verify(site.target, site.folder) == []
        if not cut:
            break
    assert number > 30


def test_a_lost_reply_is_found_out_by_reading_back(site: Site) -> None:
    site.target.faults.lose_replies = {1, 4, 9}
    site.target.faults.fail_puts = {2, 6}
    site.target.faults.fail_reads = {3}
    site.make(FILES)
    assert site.read() == FILES
    assert verify(site.target, site.folder) == []


def test_a_volume_that_was_altered_after_it_was_accepted_is_sent_under_another_number(site: Site) -> None:
    site.target.faults.corrupt = lambda path: path.endswith("vol-000002.tar.age")
    with site.open() as run:
        for path, data in FILES.items():
            store_all(run, [(told(path, data), data)])
        assert run.finish() is not None
        assert [(each.kind, each.subject) for each in run.findings] == [
            (FindingKind.UNEXPECTED, "data/vol-000002.tar.age")
        ]
    assert site.read() == FILES


def test_a_target_that_keeps_nothing_right_is_refused_in_the_end(site: Site) -> None:
    site.target.faults.corrupt = lambda path: "/vol-" in path
    with pytest.raises(RefusedError) as caught:
        site.make(FILES)
    assert caught.value.code == 5
    site.target.faults.corrupt = lambda _path: False
    site.make(FILES)
    assert site.read() == FILES


def test_an_index_altered_at_the_target_is_named_and_can_be_put_again(site: Site) -> None:
    site.target.faults.corrupt = lambda path: "/index-0001" in path
    with pytest.raises(RefusedError, match=r"index-0001\.db\.age") as caught:
        site.make(FILES)
    assert caught.value.advice
    site.target.faults.corrupt = lambda _path: False
    [spoilt] = [each.path for each in site.target.list() if "/index-" in each.path]
    site.target.delete(spoilt)
    site.make(FILES)
    assert site.read() == FILES
    assert verify(site.target, site.folder) == []


def test_a_full_target_keeps_what_it_has(site: Site) -> None:
    site.target.faults.capacity = 200_000
    with pytest.raises(FullError):
        site.make(FILES)
    site.target.faults.capacity = None
    site.make(FILES)
    assert site.read() == FILES
    assert verify(site.target, site.folder) == []
    assert sum("/data/vol-" in each.path for each in site.target.list()) == 3, "what was there is not sent again"


def first_volume_sent(site: Site) -> str:
    """Die after the first volume was put and before it was read back; return its path."""
    site.target.faults.fail_reads = set(range(1, 10**6))
    with site.open() as run:
        site.target.read = dying  # type: ignore[assignment, method-assign]  # a fault that MemoryStore does not offer
        with pytest.raises(PowerCutError):
            store_all(run, [(told("a", b"1"), b"1")])
        del site.target.read
    site.target.faults.fail_reads = set()
    [path] = [each.path for each in site.target.list()]
    return path


def dying(*_arguments: object, **_options: object) -> None:
    raise PowerCutError


def test_a_volume_that_comes_late_is_taken_into_the_bag_without_members(site: Site) -> None:
    path = first_volume_sent(site)
    with site.target.read(path) as reading:
        late = b"".join(reading.chunks)
    site.target.delete(path)
    with site.open() as run:  # settles: the volume is absent, and given up
        store_all(run, [(told("a", b"1"), b"1")])
        site.target.put(path, [late], len(late))  # the dead machine's last request arrives
        assert run.finish() is not None
        assert run.findings == []
    assert site.read() == {"a": b"1"}
    assert verify(site.target, site.folder) == []
    assert Chain.load(site.target, "d").head.statement.volumes.count == 2


def test_a_volume_with_other_bytes_is_given_up_and_named(site: Site) -> None:
    path = first_volume_sent(site)
    site.target.delete(path)
    site.target.put(path, [b"other"], 5)
    with site.open() as run:
        store_all(run, [(told("a", b"1"), b"1")])
        assert run.finish() is not None
        assert [each.subject for each in run.findings] == ["data/vol-000001.tar.age"]
    assert site.read() == {"a": b"1"}


def test_a_proven_volume_that_vanishes_before_its_index_is_sent_again(site: Site) -> None:
    with site.open() as run:
        store_all(run, [(told("a", b"1"), b"1")])
    [path] = [each.path for each in site.target.list()]
    site.target.delete(path)
    assert site.make({"a": b"1"}) is not None
    assert site.read() == {"a": b"1"}
    assert verify(site.target, site.folder) == []


@pytest.mark.parametrize("vanished", [1, 2, 3])
def test_an_object_in_parts_is_sent_again_if_any_of_its_volumes_vanishes(site: Site, vanished: int) -> None:
    whole, data = told("big", b"abc" * 1024), b"abc" * 1024
    with site.open() as run:
        store_parts(run, whole, data, parts=3)
        store_all(run, [(told("a", b"1"), b"1")])
        lost = f"d/{run.bundle_id}/data/vol-{vanished:06}.tar.age"
    site.target.delete(lost)
    with site.open() as run:
        assert run.known("big") is None
        assert run.known("a") is not None
        again = run.next_object_number()
        assert run.volumes.member_name("big", again) != "big", "parts that stay keep their names"
        run.volumes.forget(again)
    files = {"big": data, "a": b"1"}
    assert site.make(files) is not None
    assert site.read() == files
    assert verify(site.target, site.folder) == []


def test_an_object_whose_earlier_part_vanishes_is_not_gone_on_with(site: Site) -> None:
    whole, data = told("big", b"abc" * 2048), b"abc" * 2048
    with site.open() as run:
        store_parts(run, whole, data, parts=4, stop_after=3)
        lost = f"d/{run.bundle_id}/data/vol-000001.tar.age"
    site.target.delete(lost)
    with site.open() as run:
        assert run.volumes.part_of("big", run.catalogue.fingerprint(whole)) is None


def test_a_document_is_made_again_if_an_earlier_volume_of_it_vanishes(site: Site) -> None:
    with site.open() as run:
        pdf, original = (run.next_object_number() for _each in range(2))
        store_numbered(run, told("pdf/a", b"pdf"), b"pdf", pdf)
        document = DocumentRow(
            run.next_document_number(), "A1", "", None, None, None, original, pdf, None, None, 1, "", 0
        )
        page = PageRow(document.number, 1, 10, 10, 300.0, 0, 0, None, "[]", "")
        store_numbered(run, told("originals/a", b"scan"), b"scan", original, documents=[document], pages=[page])
        lost = f"d/{run.bundle_id}/data/vol-000001.tar.age"
    site.target.delete(lost)
    with site.open() as run:
        assert run.known("pdf/a") is None
        assert run.known("originals/a") is None
        store_all(run, [(told("x", b"1"), b"1")])
        run.finish()
    head = Chain.load(site.target, "d").head.statement
    assert (head.objects.count, head.documents.count) == (1, 0)
    assert verify(site.target, site.folder) == []


def test_a_bundle_whose_published_files_vanish_is_left_and_another_begun(site: Site) -> None:
    with site.open() as run:
        for number in range(2):
            store_all(run, [(told(f"a{number}", b"1"), b"1")])
        run.publish_if_due()
        left = run.bundle_id
    for each in list(site.target.list()):
        if "/data/" in each.path:
            site.target.delete(each.path)
    files = {"a0": b"1", "a1": b"1"}
    assert left not in str(site.make(files))
    assert site.read() == files
    assert verify(site.target, site.folder) == []


def test_files_of_a_stranger_in_the_bundle_are_findings(site: Site) -> None:
    with site.open() as run:
        store_all(run, [(told("a", b"1"), b"1")])
        site.target.put(f"d/{run.bundle_id}/data/stranger", [b"x"], 1)
        run.finish()
        assert [each.subject for each in run.findings] == ["data/stranger"]


def test_other_recipients_get_a_bundle_of_their_own(site: Site) -> None:
    with site.open() as run:
        store_all(run, [(told("a", b"1"), b"1")])
        first = run.bundle_id
    site.identities = (IDENTITY, generate(classic=True))
    with site.open() as run:
        assert run.bundle_id != first
        store_all(run, [(told("b", b"2"), b"2")])
        run.finish()
    chain = Chain.load(site.target, "d")
    assert [len(bundle.statement.recipients) for bundle in chain.bundles] == [1, 2]
    assert site.read() == {"a": b"1", "b": b"2"}
    assert verify(site.target, site.folder) == []


def test_a_target_that_another_machine_wrote_is_refused(site: Site, tmp_path: Path) -> None:
    site.make(FILES)
    other = Site(tmp_path / "other", site.target)
    with pytest.raises(UsageError, match="knows nothing of") as caught:
        other.open()
    assert caught.value.advice


def test_a_second_writer_is_found_out_before_and_at_the_end(site: Site, tmp_path: Path) -> None:
    site.make({"a": b"1"})
    twin = Site(tmp_path / "twin", site.target)
    twin.folder.mkdir()
    shutil.copytree(site.folder, twin.folder, dirs_exist_ok=True)
    with twin.open() as run:
        store_all(run, [(told("b", b"2"), b"2")])
        site.make({"a": b"1", "c": b"3"})
        with pytest.raises(UsageError, match="Another machine"):
            run.finish()
    with pytest.raises(UsageError, match="Another machine"):
        twin.open()
    assert verify(site.target, site.folder) == []


def test_a_dropped_head_is_told(site: Site) -> None:
    site.make({"a": b"1"})
    for each in list(site.target.list()):
        site.target.delete(each.path)
    with pytest.raises(UnverifiableError):
        site.open()


def test_a_machine_that_lost_its_own_commit_catches_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last file was put, and the power failed before the journal knew."""
    from repatria.work.chain_memory import ChainMemory

    def cut(*_arguments: object) -> None:
        raise PowerCutError

    commit = ChainMemory.commit
    monkeypatch.setattr(ChainMemory, "commit", cut)
    assert interrupted(site, FILES)
    monkeypatch.setattr(ChainMemory, "commit", commit)
    assert len(Chain.load(site.target, "d").bundles) == 1
    assert site.make(FILES) is None
    remembered = site.state.remembered("d")
    assert remembered is not None
    assert remembered.bundle == Chain.load(site.target, "d").head.bundle_id


def test_an_old_copy_of_the_state_folder_adds_nothing_to_a_finished_bundle(site: Site, tmp_path: Path) -> None:
    with site.open() as run:
        store_all(run, [(told("a", b"1"), b"1")])
    shutil.copytree(site.folder, tmp_path / "copy")
    site.make({"a": b"1", "b": b"2"})
    there = [each.path for each in site.target.list()]
    with pytest.raises(UsageError, match="only begun"):
        Site(tmp_path / "copy", site.target).make({"a": b"1", "c": b"3"})
    assert [each.path for each in site.target.list()] == there


def test_another_key_does_not_send_everything_again(site: Site) -> None:
    site.make(FILES)
    (site.folder / "key").write_bytes(bytes(32))
    with pytest.raises(UsageError, match="another key"):
        site.make(FILES)


def test_a_damaged_journal_is_told(site: Site) -> None:
    site.make(FILES)
    (site.state.dataset("d") / "journal.db").write_bytes(b"no database" * 1000)
    with pytest.raises(UsageError, match="is damaged"):
        site.make(FILES)


def test_bundle_ids_follow_each_other(site: Site) -> None:
    for number in range(3):
        site.make({"a": b"%d" % number})
    ids = [bundle.bundle_id for bundle in Chain.load(site.target, "d").bundles]
    assert ids == sorted(ids)
    assert all(layout.BUNDLE_ID.fullmatch(each) for each in ids)


def test_findings_stand_in_the_statement_without_names(site: Site) -> None:
    found = Finding(FindingKind.FAILED, "object 7", "refused", path="secret")
    site.make({"a": b"1"}, [found])
    statement = Chain.load(site.target, "d").head.statement
    assert [(each.kind, each.object) for each in statement.findings] == [("failed", 7)]
    assert b"secret" not in statement.encode()


def test_an_empty_listing_after_a_full_one_buries_nothing(site: Site) -> None:
    site.make(FILES)
    with site.open() as run:
        run.catalogue.require_listed("", 3)
        run.catalogue.begin_listing()
        with pytest.raises(NotFoundError) as caught:
            run.catalogue.require_listed("", 0)
        assert caught.value.code == 4


def test_parts_are_kept_and_gone_on_with(site: Site) -> None:
    whole = told("big", b"x" * 3000)
    with site.open() as run:
        number = run.next_object_number()
        name = run.volumes.member_name("big", number)
        volume = run.volumes.volume()
        volume.begin(whole, name, number=number, length=1024, part=1)
        volume.write(b"x" * 1024)
        part = ObjectPart(number, "big", run.catalogue.fingerprint(whole), name, 1, 1024, b"\x01" * 40)
        run.volumes.store(volume, VolumeContent((), [volume.end()]), part=part)
    with site.open() as run:
        assert run.volumes.part_of("big", run.catalogue.fingerprint(whole)) == part
        assert run.volumes.part_of("big", run.catalogue.fingerprint(told("big", b"y"))) is None
        run.volumes.forget(number)
        assert run.volumes.part_of("big", run.catalogue.fingerprint(whole)) is None


def test_no_name_and_no_content_is_ever_in_the_state_folder(site: Site) -> None:
    """Not while rows wait for their index, and not after."""
    marker, content = "MARQUEUR-diop-awa", b"CONTENU-tuberculose" * 50

    def leaks() -> list[str]:
        found = []
        for file in site.folder.rglob("*"):
            data = file.read_bytes() if file.is_file() else b""
            if marker.encode() in data or content[:19] in data or b"dossier-secret" in data:
                found.append(file.name)
        return found

    with site.open() as run:
        store_all(run, [(told(f"dossier-secret/{marker}", content), content)])
        assert leaks() == []
        run.finish()
    assert leaks() == []
    assert site.read() == {f"dossier-secret/{marker}": content}


def test_rows_are_forgotten_once_their_index_is_published(site: Site) -> None:
    with site.open() as run:
        for number in range(3):
            store_all(run, [(told(f"a{number}", b"1"), b"1")])
        run.publish_if_due()
        journal = Journal(site.state.dataset("d"), site.state.key(), read_only=True)
        assert journal.rows("SELECT number, rows IS NULL FROM volumes ORDER BY number") == [(1, 1), (2, 1), (3, 0)]
        journal.close()


def test_what_happens_before_the_first_volume_leaves_no_trace_at_the_target(site: Site) -> None:
    with site.open() as run:
        run.volumes.drop(run.volumes.volume())
        assert run.finish() is None
    assert list(site.target.list()) == []


def test_errors_of_the_state_folder_are_told(site: Site) -> None:
    site.make({"a": b"1"})
    (site.state.dataset("d") / "journal.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(RepatriaError) as caught:
        site.open()
    assert caught.value.code == 2


def test_another_store_is_another_chain(site: Site) -> None:
    site.make({"a": b"1"})
    site.target = MemoryStore()
    with pytest.raises(UnverifiableError):
        site.open()


def test_names_that_collide_are_all_kept(site: Site) -> None:
    files = {"a": b"file", "a/b": b"below", "../out": b"up", "/abs": b"abs", "x.part-000001": b"p"}
    site.make(files)
    assert read_chain(site.target) == files
    assert verify(site.target, site.folder) == []


@pytest.mark.parametrize("limit", [{"objects": 3}, {"row_bytes": 1}, {"pages": 0}])
def test_an_index_covers_no_more_than_it_may_hold_but_always_a_volume(
    site: Site, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int]
) -> None:
    monkeypatch.setattr(publishing, "LIMITS", replace(publishing.LIMITS, volumes=64, **limit))
    site.make(FILES)
    statement = Chain.load(site.target, "d").head.statement
    ranges = [(entry.first_volume, entry.last_volume) for entry in statement.indexes]
    assert ranges == [(1, 1), (2, 2), (3, 3)]
    assert site.read() == FILES
    assert verify(site.target, site.folder) == []
