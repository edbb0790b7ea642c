"""Listing a tree of folders over SFTP: many folders in one round trip, many names in each reply."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from itertools import islice
from operator import itemgetter

from repatria.errors import NotFoundError, Role, UnreachableError
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.paths import ASIDE, UnholdableNameError, components, folder_of
from repatria.store.sftp_files import Tree
from repatria.store.sftp_objects import is_folder, kind_of, object_of
from repatria.store.sftp_packet import Attributes
from repatria.store.sftp_pool import FULL, Pool
from repatria.store.sftp_session import Listing, Session

BATCH = 10_000
"""Names of a folder that are held, and sorted, at a time."""
AT_ONCE = 32
"""Folders opened in one round trip: one by one over a long way, many small ones take longer than their files."""
TRIES = 5
"""How often in a row a connection may break before a folder is listed."""


class Walk:
    """One listing under way: the objects whose paths begin with a prefix."""

    def __init__(self, tree: Tree, pool: Pool, prefix: str) -> None:
        self._tree = tree
        self._pool = pool
        self._prefix = prefix
        self._begun = False
        """Whether some of a folder's names were yielded, and more may follow: it cannot be listed again then."""

    def objects(self, enter: Callable[[str], bool] | None) -> Iterator[Object]:
        """Yield a folder's objects in order of their names (in batches), then those of the folders in it."""
        start = folder_of(self._prefix)
        try:
            waiting = [start] if not start or components(start) else []
        except UnholdableNameError:
            return
        loan = self._pool.borrow(FULL, listing=True)
        try:
            while waiting:
                folders = deque(waiting.pop() for _each in range(min(AT_ONCE, len(waiting))))
                below: list[str] = []
                tries = 0
                while folders:
                    left = len(folders)
                    try:
                        yield from self._scan(loan.session, folders, below)
                    except UnreachableError:
                        tries = tries + 1 if len(folders) == left else 1
                        if self._begun or tries > TRIES:
                            raise
                        self._pool.give_back(loan)
                        loan = self._pool.borrow(FULL, listing=True)
                entered = below if enter is None else [path for path in below if enter(path)]
                waiting.extend(sorted(entered, reverse=True))
        finally:
            self._pool.give_back(loan)

    def _scan(self, session: Session, folders: deque[str], below: MutableSequence[str]) -> Iterator[Object]:
        """Yield the objects of folders, and take each away once it is done; put the folders in them into `below`."""
        listings: list[Listing] = []
        try:
            with self._tree.told(""):
                listings.extend(session.list(self._tree.full(folder)) for folder in folders)
            opened = [self._open(*each) for each in zip(folders, listings, strict=True)]
            for listing, itself in zip(listings, opened, strict=True):
                if itself is not None:
                    with self._tree.told(folders[0]):
                        yield from self._names(session, listing, folders[0], itself, below)
                folders.popleft()
                self._begun = False
        finally:
            for listing in listings:
                listing.close()

    def _open(self, folder: str, listing: Listing) -> Attributes | None:
        """Return a folder's attributes; None if it went away meanwhile, or was replaced: then nothing lies in it."""
        try:
            with self._tree.told(folder):
                itself = listing.open()
        except NotFoundError as error:
            # A source that is not there at all must not pass for an empty one.
            if self._tree.role is Role.SOURCE and not folder:
                raise failures.no_root(self._tree.uri, self._tree.role) from error
            return None
        return itself if not folder or is_folder(itself) else None

    def _names(
        self, session: Session, listing: Listing, folder: str, itself: Attributes, below: MutableSequence[str]
    ) -> Iterator[Object]:
        """Yield the objects of one folder, itself if it is empty."""
        empty = True
        names = iter(listing)
        while batch := sorted(islice(names, BATCH), key=itemgetter(0)):
            empty = False
            found = list(self._sift(session, batch, folder, below))
            self._begun = len(batch) == BATCH
            yield from found
        if empty and folder and folder.startswith(self._prefix):
            yield object_of(folder, itself)

    def _sift(
        self,
        session: Session,
        batch: Iterable[tuple[bytes, Attributes]],
        folder: str,
        below: MutableSequence[str],
    ) -> Iterator[Object]:
        """Yield what of a folder's entries are objects under the prefix; put the folders among them into `below`."""
        found: list[tuple[str, Attributes]] = []
        folders: list[str] = []
        for name, attributes in batch:
            path = f"{folder}/" * bool(folder) + name.decode("utf-8", "surrogateescape")
            if not path.startswith(self._prefix) or path == ASIDE:
                continue
            if is_folder(attributes):
                folders.append(path)
            else:
                found.append((path, attributes))
        links = [self._tree.full(path) for path, attributes in found if kind_of(attributes) is ObjectKind.SYMLINK]
        targets = session.read_links(links)
        for path, attributes in found:
            if kind_of(attributes) is not ObjectKind.SYMLINK:
                yield object_of(path, attributes)
            elif (target := next(targets)) is not None:  # else removed since the folder was read
                yield object_of(path, attributes, target)
        below.extend(folders)
