"""A bucket's keys in their order, several pages at a time where folders allow it.

A page of a listing tells how the next one is asked for, so a million keys are a thousand round trips, one after the
other. Folders lie side by side: once a page shows that they are large, they are listed at the same time, and come out
in their order. What stands between is never guessed, so nothing rests on how a service orders keys.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from heapq import merge

from repatria.model import Object
from repatria.store.s3_exchange import Exchange
from repatria.store.s3_listing import Page, page_after
from repatria.store.s3_refusals import RefusalError, is_throttling

SIDE_BY_SIDE = 16
"""Pages that are asked for at once."""
MOST_FOLDERS = 8
"""How many folders one page may tell of if these are to be listed each for itself: with more, they are too small for
that to pay; one request would bring some dozens of keys in place of a thousand."""
_DELIMITER = "/"

AskPage = Callable[[str, str | None, str], Page]
"""Returns the page of a prefix that a token asks for (None: its first), with a delimiter or without (empty)."""


@dataclass(slots=True, eq=False)
class _Stretch:
    """Neighbours in the order of keys: objects that are known, or what a page is to tell."""

    prefix: str
    token: str | None = None
    delimiter: str = ""
    seen: frozenset[str] = frozenset()
    """What a listing by folders must tell of, for a listing without them has."""
    splits: bool = True
    """Whether it may be listed by folders."""
    coming: Future[Page] | None = None
    alone: bool = False
    """Whether it was asked for when nothing else was."""
    objects: list[Object] | None = None


def list_keys(exchange: Exchange, prefix: str) -> Iterator[Object]:
    """Yield the objects of a bucket whose keys begin with `prefix`, in their order; their paths are whole keys."""
    return walk_keys(partial(page_after, exchange), prefix)


def walk_keys(ask: AskPage, prefix: str) -> Iterator[Object]:
    """Yield the objects whose keys begin with `prefix`, in their order; memory holds some pages of them."""
    first = ask(prefix, None, "")
    seen = _folders_worth(first, prefix)
    if seen:
        yield from _SideBySide(ask, _Stretch(prefix, delimiter=_DELIMITER, seen=seen)).walk()
    else:
        yield from _one_by_one(ask, prefix, first)


def _one_by_one(ask: AskPage, prefix: str, page: Page) -> Iterator[Object]:
    while True:
        yield from page.objects
        if page.next is None:
            return
        page = ask(prefix, page.next, "")


class _SideBySide:
    """The stretches of one listing, those in front being asked for by several threads."""

    def __init__(self, ask: AskPage, all_of_it: _Stretch) -> None:
        self._ask = ask
        self._stretches = [all_of_it]
        self._most = SIDE_BY_SIDE
        self._hands = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="list")

    def walk(self) -> Iterator[Object]:
        """Yield everything in its order."""
        try:
            while self._stretches:
                self._look_ahead()
                front = self._stretches[0]
                if front.objects is not None:
                    del self._stretches[0]
                    yield from front.objects
                elif front.coming is not None:
                    self._unfold(0, front, front.coming)
        finally:
            self._hands.shutdown(wait=False, cancel_futures=True)

    def _look_ahead(self) -> None:
        """Unfold what has come among the first stretches, and ask for those of them that were not asked for."""
        at = 0
        while at < min(self._most, len(self._stretches)):
            stretch = self._stretches[at]
            if stretch.coming is not None and stretch.coming.done() and stretch.coming.exception() is None:
                self._unfold(at, stretch, stretch.coming)
            elif stretch.coming is None and stretch.objects is None:
                stretch.alone = self._most == 1
                stretch.coming = self._hands.submit(self._ask, stretch.prefix, stretch.token, stretch.delimiter)
            else:
                at += 1

    def _unfold(self, at: int, stretch: _Stretch, coming: Future[Page]) -> None:
        """Put what a page tells in the place of the stretch; asked for less, go on with one page at a time."""
        try:
            page = coming.result()
        except RefusalError as error:
            if stretch.alone or not is_throttling(error.code, error.status):
                raise
            self._ask_less()
            return
        self._stretches[at : at + 1] = _unfolded(stretch, page)

    def _ask_less(self) -> None:
        """Ask for one page at a time from now on, once nothing is under way; what was refused is asked for again."""
        self._most = 1
        under_way = [each for each in self._stretches if each.coming is not None]
        wait([each.coming for each in under_way if each.coming is not None])
        for each in under_way:
            if each.coming is not None and each.coming.exception() is not None:
                each.coming = None


def _unfolded(stretch: _Stretch, page: Page) -> list[_Stretch]:
    """Return what a page tells of a stretch: objects, folders, and what comes after the page."""
    if not stretch.seen <= {*page.folders, *(each.path for each in page.objects)}:
        return [_Stretch(stretch.prefix, splits=False)]  # this service does not know folders well
    if stretch.splits and stretch.token is None and not stretch.delimiter:
        seen = _folders_worth(page, stretch.prefix)
        if seen:
            return [_Stretch(stretch.prefix, delimiter=_DELIMITER, seen=seen)]
    rest = [_Stretch(stretch.prefix, page.next, stretch.delimiter)] if page.next is not None else []
    return [*_in_order(page), *rest]


def _in_order(page: Page) -> Iterator[_Stretch]:
    """Yield the objects and folders of a page as they follow each other."""
    objects = ((each.path.encode(errors="surrogateescape"), each, "") for each in page.objects)
    folders = ((each.encode(errors="surrogateescape"), None, each) for each in page.folders)
    run: list[Object] = []
    for _key, found, folder in merge(objects, folders, key=lambda each: each[0]):
        if found is not None:
            run.append(found)
            continue
        if run:
            yield _Stretch("", objects=run)
            run = []
        yield _Stretch(folder)
    if run:
        yield _Stretch("", objects=run)


def _folders_worth(page: Page, prefix: str) -> frozenset[str]:
    """Return what lies in a prefix as far as a full page of keys tells, if folders there are worth their own requests.

    Empty if they are not.
    """
    beyond = [(each.path[len(prefix) :].partition(_DELIMITER)) for each in page.objects]
    names = frozenset(f"{prefix}{name}{slash}" for name, slash, _rest in beyond)
    pays = page.next is not None and len(names) <= MOST_FOLDERS and any(slash for _name, slash, _rest in beyond)
    return names if pays else frozenset()
