"""Member names that objects of a bundle in the making have taken, each until its volume is noted or it is given up."""

import threading
from collections.abc import Iterable

from repatria.bundle.names import MemberNames
from repatria.work.journal import Journal
from repatria.work.name_marks import NameMarks


class ClaimedNames:
    """Gives the objects of one bundle their member names; safe from several threads."""

    def __init__(self, journal: Journal, bundle_id: str) -> None:
        self._marks = NameMarks(journal)
        self._names = MemberNames(self._marks, journal.marks(b"names")(bundle_id.encode()))
        self._lock = threading.Lock()

    def claim(self, path: str, number: int, *, directory: bool = False) -> str:
        """Return, and take, the member name of the object `number` at a path."""
        with self._lock:
            self._marks.claim_for(number)
            return self._names.claim(path, number, directory=directory)

    def marks_of(self, numbers: Iterable[int]) -> list[bytes]:
        """Return what the journal is to keep of the names that were claimed for objects."""
        return self._marks.of(numbers)

    def let_go(self, numbers: Iterable[int]) -> None:
        """Forget what was claimed for objects: they were given up, or the journal holds their names."""
        self._marks.let_go(numbers)

    def let_go_all(self) -> None:
        """Forget everything that was claimed and is not in the journal."""
        self._marks.let_go_all()
