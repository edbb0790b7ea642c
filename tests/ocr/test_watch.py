"""A watched folder: what is taken when, where scans go, what an archivist is told, and what a kill costs."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from repatria.errors import (
    FindingsError,
    FullError,
    LockedError,
    RefusedError,
    StoppedError,
    UnreachableError,
    UsageError,
)
from repatria.model import Object
from repatria.ocr.arrivals import EMPTY_SETTLE, Arrivals
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.foreign import remedy_of
from repatria.ocr.intake import inspect
from repatria.ocr.memory import SharedBytes
from repatria.ocr.page import Form, PageTask, Side
from repatria.ocr.picture import UnreadablePageError
from repatria.ocr.problem_note import problem_note
from repatria.ocr.reading import Trouble, reason_of
from repatria.ocr.share import Share, note_of
from repatria.ocr.watch import Round, Watch
from repatria.ocr.words import PageText
from repatria.progress import Silent
from repatria.work.lease import Lease
from repatria.work.lease_files import Terms
from repatria.work.patience import Patience
from repatria.work.stop import Reason, StopSignal
from tests.ocr.archives import DATASET, Archive
from tests.ocr.making import CRASHES, FAKE, encoded, write_scans
from tests.ocr.watching import QUICK, watch_of


def scan(*widths: int) -> bytes:
    """Return a TIFF whose pages the fake engine tells by their widths."""
    first, *others = (Image.new("L", (width, 400), 200) for width in widths)
    return encoded(first, "TIFF", save_all=True, append_images=others, compression="tiff_lzw")


class Listening(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, message: str) -> None:
        self.sentences.append(message)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.at(tmp_path)


@pytest.fixture
def share(tmp_path: Path) -> Share:
    made = Share(tmp_path / "share")
    made.prepare()
    return made


def tree(share: Share) -> list[str]:
    found = [file.relative_to(share.root) for file in share.root.rglob("*") if file.is_file()]
    return sorted(str(file) for file in found if ".repatria" not in file.parts)


def rounds(watch: Watch) -> Iterator[Round]:
    return watch.run()


def drop(share: Share, **files: bytes) -> None:
    write_scans(share.root / "inbox", **files)


def test_scans_leave_the_inbox_once_their_bundle_is_verified(archive: Archive, share: Share) -> None:
    write_scans(share.root / "inbox" / "3F12", a__tif=scan(500), b__tif=scan(510, 520))
    told = next(rounds(watch_of(archive)))
    assert (told.result.documents, told.result.pages, told.done, told.problems) == (2, 3, 2, 0)
    assert tree(share) == ["done/3F12/a.tif", "done/3F12/b.tif"]
    assert archive.read("originals/3F12/a.tif") == scan(500)
    assert sorted(row.cote for row in archive.documents()) == ["3F12/a", "3F12/b"]


@pytest.mark.parametrize("waiting", [True, False])
def test_pages_read_before_are_kept_as_long_as_scans_wait(archive: Archive, share: Share, waiting: bool) -> None:
    """The first round after a kill ends before what lies in the inbox is known to be whole."""
    page = PageTask(SharedBytes.of(b""), Form.IMAGE, 1, 0, FAKE)
    side = Side(PageText(1, 10, 10, 72.0))
    with archive.desk.journal() as journal:
        journal.keep(b"scan", page, (side,))
    if waiting:
        drop(share, a__tif=scan(500))
    assert watch_of(archive, replace(QUICK, settle=60))._round() is None
    with archive.desk.journal() as journal:
        assert journal.known(b"scan", page) == ((side,) if waiting else ())


def test_a_bundle_closes_after_so_many_pages_and_another_begins(archive: Archive, share: Share) -> None:
    drop(share, **{f"p{number:02}__tif": scan(500 + number) for number in range(12)})
    watching = rounds(watch_of(archive, replace(QUICK, pages=4)))
    told: list[Round] = []
    while sum(each.result.pages for each in told) < 12:
        told.append(next(watching))
    assert [each.result.pages for each in told] == [4] * 3
    with archive.chain() as chain:
        assert len(chain.bundles) == len(told)


def test_what_is_dropped_while_a_bundle_is_open_goes_into_it(archive: Archive, share: Share) -> None:
    drop(share, a__tif=scan(500))
    watch = watch_of(archive)
    look = watch.wishes

    def wishes() -> Wishes:
        drop(share, b__tif=scan(510))
        return look()

    watch.wishes = wishes
    assert next(rounds(watch)).result.documents == 2


def test_what_windows_leaves_is_left_alone(archive: Archive, share: Share) -> None:
    names = ("Thumbs.db", "desktop.ini", "~$lettre.tif", "x.tif.part", "x.tif.filepart", ".~lock", "x.tmp", "x.TIF.txt")
    for name in names:
        (share.root / "inbox" / name).write_bytes(b"x")
    drop(share, a__tif=scan(500))
    assert next(rounds(watch_of(archive))).result.documents == 1
    assert tree(share) == ["done/a.tif", *sorted(f"inbox/{name}" for name in names)]


def test_a_bad_scan_goes_to_problems_with_a_text_in_french(archive: Archive, share: Share) -> None:
    drop(share, bad__tif=scan(500)[:60], good__tif=scan(510), half__tif=scan(520, CRASHES, 530))
    told = next(rounds(watch_of(archive)))
    assert (told.result.documents, told.done, told.problems) == (2, 1, 2)
    assert tree(share) == [
        *("done/good.tif", "problems/bad.tif", "problems/bad.tif.txt"),
        *("problems/half.tif", "problems/half.tif.txt"),
    ]
    note = (share.root / "problems" / "half.tif.txt").read_bytes()
    assert note.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in note.replace(b"\r\n", b"")
    text = note.decode("utf-8-sig")
    assert text.startswith("Page 2 illisible : rescanner, déposer sous le même nom")
    assert "half.tif" in text
    assert (share.root / "problems" / "bad.tif.txt").read_text("utf-8-sig").startswith("Numérisation illisible")
    assert "originals/half.tif" in archive.paths()
    assert "originals/bad.tif" not in archive.paths()


@pytest.mark.parametrize(
    ("name", "data", "first"),
    [
        ("lettre.docx", b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "N'est pas une numérisation : l'imprimer"),
        ("note.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "N'est pas une numérisation : l'imprimer"),
        ("lisez-moi.txt", b"Bonjour", "N'est pas une numérisation : l'imprimer"),
        ("photo.heic", b"\0\0\0\x18ftypheic" + bytes(40), "Image d'un format qui n'est pas lu"),
        ("photos.zip", b"PK\x03\x04" + bytes(26) + b"IMG_1.jpg", "N'est pas une numérisation : retirer"),
        ("base.mdb", b"\0\1\0\0Standard Jet DB", "N'est pas une numérisation : retirer"),
        ("page.tif", b"\0" * 40, "Numérisation illisible : rescanner"),
        ("vide.tif", b"", "Numérisation illisible : rescanner"),
    ],
)
def test_a_note_says_what_to_do_with_each_kind_of_file(name: str, data: bytes, first: str) -> None:
    with pytest.raises(UnreadablePageError) as told, closing(SharedBytes.of(data)) as shared:
        inspect(shared)
    trouble = Trouble(reason_of(told.value), remedy=remedy_of(told.value))
    text = problem_note(name, (trouble,)).decode("utf-8-sig")
    assert text.startswith(first)
    assert ("JPEG 2000" in text) == (name != "vide.tif")


@pytest.mark.parametrize("bad", [scan(500)[:60], scan(520, CRASHES)])
def test_a_rescan_under_the_same_name_takes_the_place_of_a_bad_one(archive: Archive, share: Share, bad: bytes) -> None:
    drop(share, page__tif=bad)
    watching = rounds(watch_of(archive))
    next(watching)
    drop(share, page__tif=scan(540, 550))
    told = next(watching)
    assert (told.result.documents, told.done, told.problems) == (1, 1, 0)
    done = sorted(file.name for file in (share.root / "done").iterdir())
    assert len(done) == 2
    assert done[1] == "page.tif"
    assert (share.root / "done" / done[0]).read_bytes() == bad
    assert not list((share.root / "problems").iterdir())
    assert archive.read("originals/page.tif") == scan(540, 550)


def test_a_bad_scan_that_is_dropped_again_as_it_is_comes_back_to_problems(archive: Archive, share: Share) -> None:
    drop(share, page__tif=scan(520, CRASHES))
    watching = rounds(watch_of(archive))
    next(watching)
    (share.root / "problems/page.tif").rename(share.root / "inbox/page.tif")
    told = next(watching)
    assert (told.result.already, told.problems) == (1, 1)
    assert tree(share) == ["problems/page.tif", "problems/page.tif.txt"]


def test_a_page_that_comes_again_replaces_the_one_in_the_archive_and_never_the_one_in_done(
    archive: Archive, share: Share
) -> None:
    watching = rounds(watch_of(archive))
    drop(share, page__tif=scan(500))
    next(watching)
    drop(share, page__tif=scan(510))
    next(watching)
    drop(share, copie__tif=scan(510))
    told = next(watching)
    assert (told.result.uri, told.result.copies, told.done) == (None, 1, 1)
    assert tree(share) == ["done/copie.tif", "done/copie.tif.txt", "done/page (2).tif", "done/page.tif"]
    note = (share.root / "done/copie.tif.txt").read_text("utf-8-sig")
    assert note.startswith("Déjà dans l'archive")
    assert r"done\page (2).tif" in note, "it is told which scan it is a copy of"
    assert (share.root / "done/page.tif").read_bytes() == scan(500)
    assert archive.read("originals/page.tif") == scan(510)


def test_what_is_dropped_again_before_its_bundle_closes_stays_for_the_next(archive: Archive, share: Share) -> None:
    drop(share, page__tif=scan(500), zz__tif=scan(505))
    watch = watch_of(archive)
    move = Share.finish

    def finish(self: Share, told: Object, note: bytes = b"") -> Path | None:
        """Drop a page anew while the bundle that holds its first scan is put away."""
        if told.path == "page.tif" and not (share.root / "done" / "zz.tif").exists():
            drop(share, page__tif=scan(510, 520))
        return move(self, told, note)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Share, "finish", finish)
        watching = rounds(watch)
        first = next(watching)
    second = next(watching)
    assert (first.result.pages, first.done, second.result.pages, second.done) == (2, 1, 2, 1)
    assert (share.root / "done/page.tif").read_bytes() == scan(510, 520)
    assert archive.read("originals/page.tif") == scan(510, 520)


def test_what_is_dropped_again_while_its_bundle_is_open_closes_it(archive: Archive, share: Share) -> None:
    drop(share, page__tif=scan(500))
    watch = watch_of(archive, replace(QUICK, idle=3600))
    watching = rounds(watch)
    threading.Timer(1.5, lambda: drop(share, page__tif=scan(510, 520))).start()
    first = next(watching)
    assert (first.result.pages, first.done) == (1, 0)
    watch.rhythm = QUICK
    assert next(watching).done == 1
    assert archive.read("originals/page.tif") == scan(510, 520)


def test_a_bundle_that_is_not_what_was_written_keeps_its_scans_in_the_inbox(archive: Archive, share: Share) -> None:
    drop(share, a__tif=scan(500))
    watch = watch_of(archive)
    watch.is_intact = lambda _uri: False
    with pytest.raises(FindingsError, match="not what was written"):
        next(rounds(watch))
    assert tree(share) == ["inbox/a.tif"]
    with pytest.raises(FindingsError):
        next(rounds(watch))
    watch.is_intact = lambda _uri: True
    assert next(rounds(watch)).done == 1


def test_what_was_wrong_with_a_page_is_told_though_the_run_ended_before_it_could(
    archive: Archive, share: Share
) -> None:
    drop(share, half__tif=scan(520, CRASHES))
    watch = watch_of(archive)
    watch.is_intact = lambda _uri: False
    with pytest.raises(FindingsError):
        next(rounds(watch))
    told = next(rounds(watch_of(archive)))
    assert (told.result.already, told.problems) == (1, 1)
    assert tree(share) == ["problems/half.tif", "problems/half.tif.txt"]


def test_a_stop_is_code_8_and_nothing_is_moved(archive: Archive, share: Share) -> None:
    stop = StopSignal()
    drop(share, a__tif=scan(500))
    watch = watch_of(archive, replace(QUICK, idle=3600), stop)
    look = watch.wishes

    def wishes() -> Wishes:
        stop.request(Reason.SIGNAL)
        return look()

    watch.wishes = wishes
    with pytest.raises(StoppedError, match="Nothing is lost"):
        next(rounds(watch))
    assert tree(share) == ["inbox/a.tif"]


def test_rows_of_the_bordereau_describe_what_is_dropped(archive: Archive, share: Share) -> None:
    wishes = Wishes(FAKE, bordereau=parse_bordereau(b"Cote;Titre\n3F12;Eau\n"), workers=1)
    write_scans(share.root / "inbox" / "3 F 12", a__tif=scan(500))
    next(rounds(watch_of(archive, wishes=wishes)))
    (document,) = archive.documents()
    assert (document.reference, document.title) == ("3F12", "Eau")


def test_a_copy_under_the_name_of_another_page_takes_nobodys_place(archive: Archive, share: Share) -> None:
    watching = rounds(watch_of(archive))
    drop(share, p3__tif=scan(500), p4__tif=scan(510))
    next(watching)
    drop(share, p3__tif=scan(510))
    told = next(watching)
    assert (told.result.uri, told.result.already, told.result.copies, told.done) == (None, 0, 1, 1)
    assert tree(share) == ["done/p3 (2).tif", "done/p3 (2).tif.txt", "done/p3.tif", "done/p4.tif"]
    assert archive.read("originals/p3.tif") == scan(500)


@pytest.mark.parametrize(
    "name",
    [
        "é" * 125 + ".tif",  # 254 bytes: no room for an ending
        "-rf \n;$(x).tif",
        "Boîte 7, n° 12 « bis ».TIF",
        "page\udcff.tif",
        "espace .tif",
    ],
)
def test_unusual_names_are_archived_and_moved_whatever_is_wrong_with_their_pages(
    archive: Archive, share: Share, name: str
) -> None:
    file = share.root / "inbox" / name
    watching = rounds(watch_of(archive))
    for place, data in (("problems", scan(500)[:60]), ("done", scan(520, 530)), ("done", scan(520, 530))):
        file.write_bytes(data)
        next(watching)
        moved = [each for each in (share.root / place).iterdir() if each.suffix != ".txt"]
        assert data in [each.read_bytes() for each in moved]
        assert not file.exists()
    assert len(archive.documents()) == 1
    assert not list((share.root / "problems").iterdir())


def test_a_share_that_is_gone_is_waited_for(archive: Archive, share: Share) -> None:
    drop(share, a__tif=scan(500))
    said = Listening()
    watch = watch_of(archive)
    watch.progress = said
    watching = rounds(watch)
    next(watching)
    away = share.root.rename(share.root.with_name("away"))

    def come_back() -> None:
        away.rename(share.root)
        drop(share, b__tif=scan(510))

    threading.Timer(1.0, come_back).start()
    assert next(watching).done == 1
    assert ["is gone" in sentence for sentence in said.sentences] == [True]


def test_a_place_where_the_share_is_not_mounted_is_not_taken_for_it(archive: Archive, share: Share) -> None:
    drop(share, a__tif=scan(500))
    next(rounds(watch_of(archive)))
    share.root.rename(share.root.with_name("away"))
    share.root.mkdir()
    watch = watch_of(archive)
    watch.patience = Patience(seconds=0.2)
    with pytest.raises(StoppedError, match="is gone"):
        next(rounds(watch))
    assert not list(share.root.iterdir())


def test_a_share_that_goes_before_its_scans_were_put_away_is_waited_for(archive: Archive, share: Share) -> None:
    drop(share, a__tif=scan(500))
    watch = watch_of(archive)
    away = share.root.with_name("away")

    def come_back() -> None:
        share.root.rmdir()  # which refuses if anything was written there
        away.rename(share.root)

    def go_away(_uri: str) -> bool:
        share.root.rename(away)
        share.root.mkdir()
        threading.Timer(0.5, come_back).start()
        return True

    watch.is_intact = go_away
    assert next(rounds(watch)).done == 1
    assert tree(share) == ["done/a.tif"]


MOVES: dict[str, Callable[[Share, Object], object]] = {
    "finish": lambda share, told: share.finish(told),
    "set aside": lambda share, told: share.set_aside(told, b"note"),
    "resolve": lambda share, told: share.resolve(told.path, " (replaced)"),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_nothing_is_written_below_the_mount_point_of_a_share_that_is_gone(
    share: Share, move: Callable[[Share, Object], object]
) -> None:
    write_scans(share.root / "inbox" / "Awa Diallo", a__tif=b"x")
    (told,) = share.source().list()
    with share.held():
        share.root.rename(share.root.with_name("away"))
        share.root.mkdir()
        with pytest.raises(UnreachableError, match="is gone"):
            move(share, told)
        assert not list(share.root.iterdir())
        Share(share.root).prepare()  # as a watch did that was started there once
        with pytest.raises(RefusedError, match="Another folder"):
            move(share, told)
    assert not tree(share)


def test_a_folder_that_somebody_removed_is_not_made_again_while_scans_move(share: Share) -> None:
    drop(share, a__tif=b"x")
    (told,) = share.source().list()
    (share.root / "problems").rmdir()
    with pytest.raises(UnreachableError, match="problems is not there"):
        share.set_aside(told, b"note")
    assert tree(share) == ["inbox/a.tif"]


def test_a_second_watch_of_a_folder_is_refused(archive: Archive, share: Share) -> None:
    drop(share, a__tif=scan(500))
    watching = rounds(watch_of(archive))
    next(watching)
    with pytest.raises(LockedError, match="watches"):
        next(rounds(watch_of(archive)))
    watching.close()  # type: ignore[attr-defined]  # a generator
    drop(share, b__tif=scan(510))
    assert next(rounds(watch_of(archive))).done == 1


def test_a_second_watch_on_another_machine_is_refused_and_told_who_watches(
    archive: Archive, share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(share, a__tif=scan(500))
    watching = rounds(watch_of(archive))
    next(watching)
    assert list((share.root / "inbox").glob(".repatria/watch/leases/*-0001.json"))
    (tmp_path / "other").mkdir()
    second = watch_of(Archive.at(tmp_path / "other"), share=share)
    monkeypatch.setattr(Share, "held", lambda _share: nullcontext())  # another machine's locks are not seen here
    with pytest.raises(LockedError, match=r"share is being worked on by .* on "):
        next(rounds(second))
    watching.close()  # type: ignore[attr-defined]  # a generator
    drop(share, b__tif=scan(510))
    assert next(rounds(second)).done == 1


def test_the_lease_of_a_share_is_not_renewed_below_its_mount_point(
    archive: Archive, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew, tried = Lease._renew, threading.Event()

    def renew_and_unmount(lease: Lease) -> None:
        try:
            renew(lease)
        finally:
            if share.root.with_name("gone").exists():
                tried.set()
            else:
                share.root.rename(share.root.with_name("gone"))
                share.root.mkdir()

    monkeypatch.setattr(Lease, "_renew", renew_and_unmount)
    with share.leased(DATASET, archive.state, StopSignal(), Terms(renewal=0.02, second_look=0.01)):
        assert tried.wait(30), "no renewal was tried"
    assert not list(share.root.iterdir())


def test_a_bordereau_that_changes_is_brought_into_the_archive_though_no_scan_comes(
    archive: Archive, share: Share
) -> None:
    told = [parse_bordereau(b"Cote;Titre\n3F12;Eau\n")]
    write_scans(share.root / "inbox" / "3F12", a__tif=scan(500))
    watch = watch_of(archive)
    watch.wishes = lambda: Wishes(FAKE, bordereau=told[-1], workers=1)
    watching = rounds(watch)
    next(watching)
    told.append(parse_bordereau(b"Cote;Titre\n3F12;Puits\n"))
    result = next(watching).result
    assert (result.described, result.pages, result.uri is not None) == (1, 0, True)


def test_a_share_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        Share(tmp_path / "file").prepare()


def test_a_file_is_whole_once_it_does_not_change_and_nobody_writes(share: Share) -> None:
    now = [0.0]
    arrivals = Arrivals(share.source(), 5.0, lambda: now[0])
    file = share.root / "inbox" / "a.tif"

    def names(at: float) -> list[str]:
        now[0] = at
        return [each.path for each in arrivals.whole()]

    with file.open("wb") as stream:
        stream.write(b"half")
        stream.flush()
        assert names(0) == names(6) == []  # open for writing
    assert names(7) == ["a.tif"]
    file.write_bytes(b"whole")
    assert names(8) == names(12) == []
    assert names(13) == ["a.tif"]
    empty = share.root / "inbox" / "b.tif"
    empty.touch()
    assert names(20) == names(30) == ["a.tif"]
    assert names(20 + EMPTY_SETTLE) == ["a.tif", "b.tif"]
    file.unlink()
    assert names(90) == ["b.tif"]


def test_a_scan_is_moved_as_it_was_read_or_not_at_all(share: Share) -> None:
    (share.root / "inbox" / "d").mkdir()
    file = share.root / "inbox" / "d" / "a.tif"
    file.write_bytes(b"read")
    (told,) = share.source().list()
    file.write_bytes(b"dropped anew")
    assert share.finish(told) is None
    assert share.set_aside(told, b"note") is None
    assert tree(share) == ["inbox/d/a.tif"]


def test_nothing_is_ever_put_over_another_file(share: Share) -> None:
    for text in ("one", "two", "three"):
        drop(share, a__tif=text.encode())
        (told,) = share.source().list()
        moved = share.finish(told)
        assert moved is not None
        assert moved.read_text() == text
    assert tree(share) == ["done/a (2).tif", "done/a (3).tif", "done/a.tif"]
    assert note_of(Path("p/a.tif")) == Path("p/a.tif.txt")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "vault"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_target_ends_the_watch_and_the_next_one_goes_on(
    archive: Archive, share: Share, small_disk: Path
) -> None:
    files = {f"f{number}.tif": os.urandom(700_000) for number in range(3)}
    for name, noise in files.items():
        image = Image.frombytes("L", (1000, 700), noise)
        (share.root / "inbox" / name).write_bytes(encoded(image))
    with pytest.raises(FullError) as caught:
        next(rounds(watch_of(archive)))
    assert caught.value.code == 5
    assert len(waiting(share)) == 3
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert next(rounds(watch_of(archive))).done == 3
    assert len(archive.documents()) == 3


FILES = {f"f{number}.tif": tuple(1000 + 10 * number + page for page in range(3)) for number in range(6)}
"""Scans of three pages, each page of a width of its own."""


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "FAKE_ENGINE_READS": str(folder / "reads")}
    command = [sys.executable, "-m", "tests.ocr.watching", str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def waiting(share: Share) -> list[Path]:
    return [file for file in (share.root / "inbox").iterdir() if file.name != ".repatria"]


def contents(share: Share) -> Counter[bytes]:
    files = [file for file in share.root.rglob("*.tif") if file.is_file()]
    return Counter(file.read_bytes() for file in files)


def test_a_watch_killed_at_random_instants_loses_nothing_and_reads_no_finished_page_again(
    archive: Archive, share: Share, tmp_path: Path
) -> None:
    chance = random.Random(5)  # noqa: S311 -- the same instants every time, not a secret
    scans = {name: scan(*widths) for name, widths in FILES.items()}
    for name, data in scans.items():
        (share.root / "inbox" / name).write_bytes(data)
    everything = Counter(scans.values())
    for _kill in range(4):
        with start(tmp_path) as process:
            time.sleep(chance.uniform(0.9, 2.4))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert contents(share) == everything, "every scan is in one place, once"
    if not waiting(share):
        (share.root / "done/f0.tif").rename(share.root / "inbox/f0.tif")  # so that the last run has begun when it ends
    with start(tmp_path) as process:
        while waiting(share) and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _printed, said = process.communicate(timeout=60)
    assert process.returncode == 8, said.decode()
    assert tree(share) == sorted(f"done/{name}" for name in FILES)
    assert contents(share) == everything
    reads = Counter((tmp_path / "reads").read_text().split())
    pages = sum(map(len, FILES.values()))
    assert len(reads) == pages
    assert sum(reads.values()) <= pages + 4 * 2, "a kill costs the pages that were being read"
    for name, data in scans.items():
        assert archive.read(f"originals/{name}") == data
    with archive.chain() as chain:
        paths = [row.path for bundle in chain.bundles for row in bundle.objects()]
    assert len(paths) == len(set(paths)) == 4 * len(FILES)
