"""Whether other bytes of a source come while some do not."""

from pathlib import Path

import pytest

from repatria.errors import ChangedError, Role, UnreachableError
from repatria.migrate.witness import MOST_BLAMED, Witness
from repatria.model import Object
from tests.migrate.making import Watched, folder_source, noise, write

SMALL, LARGE, OTHER = 100, 5000, 7000


class Asked:
    """A source of three files, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        files = {"small": noise(SMALL), "large": noise(LARGE), "other": noise(OTHER)}
        self.source = Watched(folder_source(write(folder / "abroad", files)), before_request=self.note)
        self.objects = {told.path: told for told in self.source.list()}
        self.reads: list[tuple[str, int, int | None]] = []
        self.counted: list[int] = []
        self.fails: Exception | None = None
        self.witness = Witness(self.source, self.counted.append)

    def note(self, told: Object, start: int, length: int | None) -> None:
        self.reads.append((told.path, start, length))
        if self.fails is not None:
            raise self.fails

    def came(self, *paths: str) -> None:
        for path in paths:
            self.witness.came(self.objects[path], 0, self.objects[path].size)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_as_many_bytes_are_asked_for_as_do_not_come(asked: Asked) -> None:
    asked.came("large", "small")
    assert asked.witness.ask(4000, but="other") == 4000
    assert asked.reads == [("large", 0, 4000)]
    assert asked.counted == [4000]


def test_no_more_is_asked_for_than_is_known_to_come(asked: Asked) -> None:
    asked.came("small")
    assert asked.witness.ask(4000, but="other") == SMALL


def test_another_object_is_asked_for_if_another_came(asked: Asked) -> None:
    asked.came("other", "small")
    assert asked.witness.ask(4000, but="other") == SMALL
    asked.came("large")
    assert asked.witness.ask(4001, but="other") == 4001
    assert [path for path, _start, _length in asked.reads] == ["small", "large"]


def test_without_another_it_is_the_object_s_own_bytes_that_came(asked: Asked) -> None:
    asked.came("other")
    assert asked.witness.ask(4000, but="other") == 4000


def test_a_read_of_nothing_is_nothing_that_came(asked: Asked) -> None:
    asked.witness.came(asked.objects["small"], 0, 0)
    assert asked.witness.ask(4000, but="other") == 4000


def test_when_nothing_came_another_of_the_listing_is_asked_for_as_large_as_possible(asked: Asked) -> None:
    assert asked.witness.ask(4000, but="other") == 4000
    assert asked.reads == [("large", 0, 4000)]


def test_when_nothing_is_wanted_but_an_answer_one_byte_is_asked_for(asked: Asked) -> None:
    assert asked.witness.ask(0, but="other") == 1


def test_on_a_lost_link_nothing_comes(asked: Asked) -> None:
    asked.fails = UnreachableError("away", role=Role.SOURCE)
    asked.came("large")
    assert asked.witness.ask(4000, but="other") == 0
    asked.fails = None
    assert asked.witness.ask(4000, but="other") == 4000


def test_what_changed_meanwhile_is_not_asked_for_again(asked: Asked) -> None:
    asked.came("small", "large")
    asked.fails = ChangedError("changed", role=Role.SOURCE)
    assert asked.witness.ask(4000, but="other") == 0
    asked.fails = None
    assert asked.witness.ask(4000, but="other") == SMALL


def test_of_many_that_do_not_come_while_only_less_comes_a_few_are_blamed(asked: Asked) -> None:
    blamed = [asked.witness.blames(str(number), is_sure=False) for number in range(MOST_BLAMED + 2)]
    assert blamed == [True] * MOST_BLAMED + [False] * 2
    assert asked.witness.blames("0", is_sure=False)  # another read of the same
    assert asked.witness.blames("one more", is_sure=True)
    asked.came("small")
    assert asked.witness.blames("one more", is_sure=False)
