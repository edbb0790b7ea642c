"""A bucket's keys in their order, several pages at a time where folders allow it.

A page of a listing tells how the next one is asked for, so a million keys are a thousand round trips, one after the
other. Folders lie side by side: once some of them have shown to be large, they are listed at the same time, and come
out in their order. What stands between is never guessed, so nothing rests on how a service orders keys. A service may
be broken or hostile: whatever it tells, memory holds some pages, and a listing that does not go on ends.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from heapq import merge

from repatria.model import Object
from repatria.store.s3_exchange import Exchange
from repatria.store.s3_link import BrokenError
from repatria.store.s3_listing import PAGE, Page, page_after
from repatria.store.s3_refusals import RefusalError, is_throttling

SIDE_BY_SIDE = 16
"""Pages that are asked for at once."""
MOST_FOLDERS = 8
"""How many folders one page may tell of if these are to be listed each for itself: with more, they are too small for
that to pay; one request would bring some dozens of keys in place of a thousand."""
SAMPLE = 8
"""Of how many folders the first page is looked at, where a level has more of them than MOST_FOLDERS."""
LARGE = PAGE // 2
"""Keys in a folder for which a request of its own pays."""
LONGEST_PREFIX = 1024
"""Bytes beyond which no folder is listed by its folders: as many as a key of S3 has, so that depth has an end."""
MOST_WAITING = 20_000
"""Stretches beyond which no further folder is listed by its folders."""
MOST_EMPTY = 10_000
"""Pages without an object that may follow each other: a service that hides what was deleted gives some."""
_DELIMITER = "/"

AskPage = Callable[[str, str | None, str], Page]
"""Returns the page of a prefix that a token asks for (None: its first), with a delimiter or without (empty)."""


@dataclass(slots=True)
class _Course:
    """What a listing must not do: go in circles."""

    kept: str | None = None
    pages: int = 0
    folder: str = ""
    """The last that it told of: some services tell of one again on the next page."""

    def follow(self, token: str | None) -> None:
        """Note what asks for the next page; BrokenError if it did before.

        One token is kept, that of the last page whose number is a power of two: a circle of any length comes back to
        it (R. P. Brent, An improved Monte Carlo factorization algorithm, 1980).
        """
        if token is not None and token == self.kept:
            raise BrokenError("the listing goes in circles")
        self.pages += 1
        if not self.pages & (self.pages - 1):
            self.kept = token


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
    course: _Course = field(default_factory=_Course)
    parts: "list[_Stretch] | None" = None
    """What a listing by folders told of, while a sample of them is awaited."""
    sample: "list[_Stretch]" = field(default_factory=list)


def list_keys(exchange: Exchange, prefix: str) -> Iterator[Object]:
    """Yield the objects of a bucket whose keys begin with `prefix`, in their order; their paths are whole keys."""
    return walk_keys(partial(page_after, exchange), prefix)


def walk_keys(ask: AskPage, prefix: str) -> Iterator[Object]:
    """Yield the objects whose keys begin with `prefix`, in their order; memory holds some pages of them.

    An object that is told twice in a row comes once. BrokenError if the listing does not go on.
    """
    before: str | None = None
    for found in _walked(ask, prefix):
        if found.path != before:
            yield found
        before = found.path


def _walked(ask: AskPage, prefix: str) -> Iterator[Object]:
    first = ask(prefix, None, "")
    seen = _folders_worth(first, prefix)
    if seen:
        yield from _SideBySide(ask, _Stretch(prefix, delimiter=_DELIMITER, seen=seen)).walk()
    else:
        yield from _one_by_one(ask, prefix, first)


def _one_by_one(ask: AskPage, prefix: str, page: Page) -> Iterator[Object]:
    course, empty = _Course(), 0
    while True:
        empty = _still_going(page, empty)
        course.follow(page.next)
        yield from page.objects
        if page.next is None:
            return
        page = ask(prefix, page.next, "")


def _still_going(page: Page, empty: int) -> int:
    """Return how many pages without an object this page makes; BrokenError if they are too many."""
    if page.objects:
        return 0
    if empty == MOST_EMPTY:
        raise BrokenError("the listing has no end and no objects")
    return empty + 1


class _SideBySide:
    """The stretches of one listing, those in front being asked for by several threads."""

    def __init__(self, ask: AskPage, all_of_it: _Stretch) -> None:
        self._ask = ask
        self._stretches = [all_of_it]
        self._most = SIDE_BY_SIDE
        self._empty = 0
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
                elif front.parts is not None:
                    wait([each.coming for each in front.sample if each.coming is not None])
                elif front.coming is not None:
                    self._unfold(0, front, front.coming)
        finally:
            self._hands.shutdown(wait=False, cancel_futures=True)

    def _look_ahead(self) -> None:
        """Unfold what has come among the first stretches, and ask for those of them that were not asked for."""
        at = 0
        while at < min(self._most, len(self._stretches)):
            stretch = self._stretches[at]
            if stretch.parts is not None and all(each.coming and each.coming.done() for each in stretch.sample):
                self._stretches[at : at + 1] = _judged(stretch, stretch.parts)
            elif stretch.coming is not None and stretch.coming.done() and stretch.coming.exception() is None:
                self._unfold(at, stretch, stretch.coming)
            elif stretch.coming is None and stretch.objects is None and stretch.parts is None:
                self._ask_for(stretch)
            else:
                at += 1

    def _ask_for(self, stretch: _Stretch) -> None:
        stretch.alone = self._most == 1
        stretch.coming = self._hands.submit(self._ask, stretch.prefix, stretch.token, stretch.delimiter)

    def _unfold(self, at: int, stretch: _Stretch, coming: Future[Page]) -> None:
        """Put what a page tells in the place of the stretch; asked for less, go on with one page at a time."""
        try:
            page = coming.result()
        except RefusalError as error:
            if stretch.alone or not is_throttling(error.code, error.status):
                raise
            self._ask_less()
            return
        self._empty = _still_going(page, self._empty)
        stretch.course.follow(page.next)
        stretch.splits = stretch.splits and len(self._stretches) <= MOST_WAITING
        parts = _unfolded(stretch, page)
        folders = [each for each in parts if each.objects is None and each.prefix != stretch.prefix]
        if stretch.token is None and len(folders) > MOST_FOLDERS:
            parts = [self._on_trial(stretch.prefix, parts, folders)]
        self._stretches[at : at + 1] = parts

    def _on_trial(self, prefix: str, parts: list[_Stretch], folders: list[_Stretch]) -> _Stretch:
        """Return a level of many folders, some of which, spread over it, are asked for to see whether they are large.

        Nothing of the level was given out, so that it can still be listed from its beginning without folders. That is
        done at once where one page is asked for at a time: folders are no gain then.
        """
        if self._most == 1:
            return _Stretch(prefix, splits=False)
        sample = [folders[number * (len(folders) - 1) // (SAMPLE - 1)] for number in range(SAMPLE)]
        for each in sample:
            self._ask_for(each)
        return _Stretch(prefix, parts=parts, sample=sample)

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
    parts = list(_in_order(page, stretch.course.folder))
    if page.folders:
        stretch.course.folder = page.folders[-1]
    rest = [_Stretch(stretch.prefix, page.next, stretch.delimiter, course=stretch.course)]
    return [*parts, *rest] if page.next is not None else parts


def _judged(level: _Stretch, parts: list[_Stretch]) -> list[_Stretch]:
    """Return the folders of a level if most of the sample are large, else the level without folders."""
    pages = [each.coming.result() for each in level.sample if each.coming and each.coming.exception() is None]
    large = sum(page.next is not None or len(page.objects) >= LARGE for page in pages)
    return parts if 2 * large >= len(pages) else [_Stretch(level.prefix, splits=False)]


def _in_order(page: Page, told: str) -> Iterator[_Stretch]:
    """Yield the objects and folders of a page as they follow each other, each folder once, and not the one `told`."""
    objects = ((each.path.encode(errors="surrogateescape"), each, "") for each in page.objects)
    folders = (
        (each.encode(errors="surrogateescape"), None, each) for each in dict.fromkeys(page.folders) if each != told
    )
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
    if page.next is None or len(names) > MOST_FOLDERS or len(prefix.encode(errors="surrogateescape")) > LONGEST_PREFIX:
        return frozenset()
    return names if any(slash for _name, slash, _rest in beyond) else frozenset()
