"""Objects that the chain holds, and that are to be taken again because what holds them is damaged."""

from collections.abc import Container

from repatria.work.catalogue import Standing
from repatria.work.journal import Journal


def take_again(journal: Journal, numbers: Container[int]) -> Standing:
    """Have the next copy take these objects again, as far as they still stand; return how many those are.

    They stay known, so that one that is gone from the source is buried like any other; but no version of them equals
    the one that is known.
    """
    rows = journal.each("SELECT path, number, size FROM catalogue")
    found = [(path, size) for path, number, size in rows if number in numbers]
    journal.change_many("UPDATE catalogue SET fingerprint=x'' WHERE path=?", ((path,) for path, _size in found))
    return Standing(len(found), sum(size for _path, size in found))
