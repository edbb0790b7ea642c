"""Which member names a bundle has taken: quick to ask, never wrong."""

import hashlib
from pathlib import Path

from repatria.bundle.names import MemberNames
from repatria.work.journal import Journal
from repatria.work.name_marks import MarkFilter, NameMarks


def mark(number: int) -> bytes:
    return hashlib.blake2b(b"%d" % number, digest_size=16).digest()


def test_the_filter_tells_everything_that_was_added_and_hardly_anything_else() -> None:
    marks = MarkFilter()
    for number in range(20_000):
        marks.add(mark(number))
    assert all(marks.may_hold(mark(number)) for number in range(20_000))
    assert sum(marks.may_hold(mark(number)) for number in range(20_000, 40_000)) < 20


def test_marks_of_sent_volumes_are_known_to_the_next_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path, bytes(32))
    marks = NameMarks(journal)
    marks.claim_for(7)
    marks.add(mark(1))
    assert mark(1) in marks
    assert mark(2) not in marks
    journal.change_many("INSERT INTO names VALUES (?, 1)", [(each,) for each in marks.of([7])])
    marks.let_go([7])
    assert mark(1) in marks
    assert mark(1) in NameMarks(journal)
    journal.change("DELETE FROM names")
    assert mark(1) not in marks  # the volume was given up
    journal.close()


def test_a_name_is_free_again_once_its_object_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path, bytes(32))
    marks = NameMarks(journal)
    names = MemberNames(marks)
    marks.claim_for(1)
    assert names.claim("a/b", 1) == "a/b"
    marks.claim_for(2)
    assert names.claim("a/b", 2) != "a/b"
    marks.let_go([1, 2])
    marks.claim_for(3)
    assert names.claim("a", 3) == "a"
    assert names.claim("a/b", 4) != "a/b"
    journal.close()
