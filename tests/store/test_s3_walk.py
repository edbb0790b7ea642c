"""Listing a bucket by its folders: every key once and in order, whatever the keys, the pages and the service's mood."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.model import Object
from repatria.store import s3_listing, s3_walk
from repatria.store.registry import open_store
from repatria.store.s3_link import BrokenError
from repatria.store.s3_listing import Page
from repatria.store.s3_refusals import RefusalError
from repatria.store.s3_walk import MOST_FOLDERS, SIDE_BY_SIDE, walk_keys
from tests.faults.making import client_of
from tests.servers import BUCKET, Server

NAMES = st.text(st.sampled_from(["a", "b", "/", "é", "\U0001f30d", "\uffff", " "]), min_size=1, max_size=6)


class Listing:
    """ListObjectsV2 over keys in memory, a few a page (Amazon S3 API reference, ListObjectsV2)."""

    def __init__(self, keys: Iterator[str] | set[str], page: int = 3) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.page = page
        self.asked = 0
        self.most = 0
        self._now = 0
        self._counting = threading.Lock()
        self.before: Callable[[int], None] = lambda at_once: None

    def ask(self, prefix: str, token: str | None, delimiter: str) -> Page:
        with self._counting:
            self._now, self.asked = self._now + 1, self.asked + 1
            self.most = max(self.most, self._now)
            now = self._now
        try:
            self.before(now)
            return self._page(prefix, token, delimiter)
        finally:
            with self._counting:
                self._now -= 1

    def _page(self, prefix: str, token: str | None, delimiter: str) -> Page:
        entries: dict[str, bool] = {}
        for key in self.keys:
            if key.startswith(prefix):
                name, slash, _rest = key[len(prefix) :].partition(delimiter or "\0")
                entries[prefix + name + slash] = bool(slash)
        after = [name for name in entries if token is None or name.encode() > token.encode()]
        shown = after[: self.page]
        objects = [Object(name, 1) for name in shown if not entries[name]]
        folders = [name for name in shown if entries[name]]
        return Page(objects, shown[-1] if len(after) > self.page else None, folders)


@given(st.sets(NAMES, max_size=60), st.integers(1, 7), st.sampled_from(["", "a", "a/", "/"]))
def test_every_key_comes_once_and_in_order(keys: set[str], page: int, prefix: str) -> None:
    found = [each.path for each in walk_keys(Listing(keys, page).ask, prefix)]
    assert found == sorted((key for key in keys if key.startswith(prefix)), key=str.encode)


def years() -> set[str]:
    return {
        f"{year}/{month:02}/{number:03}" for year in range(2019, 2026) for month in range(1, 13) for number in range(40)
    }


def test_large_folders_are_listed_side_by_side() -> None:
    listing = Listing(years(), page=20)
    listing.before = lambda at_once: time.sleep(0.002)
    assert len(list(walk_keys(listing.ask, ""))) == len(years())
    assert 4 <= listing.most <= SIDE_BY_SIDE
    assert listing.asked <= 2 * len(years()) / 20 + 20


def test_what_fits_a_page_is_asked_for_once() -> None:
    listing = Listing({"a/b", "c/d"})
    assert len(list(walk_keys(listing.ask, ""))) == 2
    assert listing.asked == 1


def test_many_small_folders_are_listed_a_page_after_the_other() -> None:
    keys = {f"{patient:04}/{number}" for patient in range(100) for number in range(2)}
    listing = Listing(keys, page=4 * MOST_FOLDERS)
    assert [each.path for each in walk_keys(listing.ask, "")] == sorted(keys)
    assert (listing.most, listing.asked) == (1, 7)


FOLDERS = st.dictionaries(st.sampled_from([f"{number:02}" for number in range(30)]), st.integers(1, 40), min_size=1)


@given(FOLDERS, st.sets(NAMES, max_size=5), st.integers(9, 25), st.sampled_from([1, 8]))
def test_levels_of_many_folders_come_once_and_in_order_however_large_these_are(
    folders: dict[str, int], others: set[str], page: int, ahead: int
) -> None:
    small = {f"a/{folder}/{number:02}" for folder, count in folders.items() for number in range(count)}
    keys = small | {f"a/00/{number:03}" for number in range(30)} | {f"a/{name}" for name in others}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_walk, "SIDE_BY_SIDE", ahead)
        patch.setattr(s3_walk, "LARGE", page // 2)
        for gateway in (Listing(keys, page), Repeating(keys, page)):
            assert [each.path for each in walk_keys(gateway.ask, "")] == sorted(keys, key=str.encode)


def test_one_large_folder_before_many_small_ones_does_not_make_a_request_of_each() -> None:
    """As an imaging archive: a study of many images, then thousands of a few."""
    keys = {f"dicom/000000/{number:05}" for number in range(120)}
    keys |= {f"dicom/{study:06}/{number}" for study in range(1, 1000) for number in range(5)}
    listing = Listing(keys, page=100)
    assert [each.path for each in walk_keys(listing.ask, "")] == sorted(keys)
    assert listing.asked <= len(keys) / 100 + 20


class Repeating(Listing):
    """A gateway that tells of a page's last folder on the next page again."""

    def _page(self, prefix: str, token: str | None, delimiter: str) -> Page:
        page = super()._page(prefix, token, delimiter)
        last = [token] if token is not None and delimiter and token.endswith(delimiter) and token > prefix else []
        return Page(page.objects, page.next, last + page.folders)


def test_an_object_that_is_told_twice_in_a_row_comes_once() -> None:
    pages = {None: Page([Object("k", 5), Object("k", 5)], "2"), "2": Page([Object("k", 5), Object("z", 5)], None)}
    assert [each.path for each in walk_keys(lambda _prefix, token, _delimiter: pages[token], "")] == ["k", "z"]


# Services that are broken, or mean no good


def without_folders(prefix: str, token: str | None) -> Page:
    return Page([Object(f"{prefix}a/x", 1), Object(f"{prefix}b/x", 1)], "again" if token is None else token)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 100])
def test_a_listing_that_goes_in_circles_is_an_error(length: int) -> None:
    numbers = iter(range(10**6))

    def ask(_prefix: str, _token: str | None, _delimiter: str) -> Page:
        number = next(numbers)
        return Page([Object(f"{number}", 1)], f"{number % length}" if number > 5 else f"begin {number}")

    with pytest.raises(BrokenError):
        list(walk_keys(ask, ""))


def test_a_listing_without_objects_and_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_walk, "MOST_EMPTY", 20)
    numbers = iter(range(10**6))
    with pytest.raises(BrokenError):
        list(walk_keys(lambda _prefix, _token, _delimiter: Page([], f"{next(numbers)}"), ""))


@pytest.mark.parametrize("count", [2, 900])
def test_folders_in_folders_without_an_end_are_an_error_and_take_no_memory(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_walk, "LONGEST_PREFIX", 100)
    monkeypatch.setattr(s3_walk, "MOST_WAITING", 3000)
    longest, numbers = 0, iter(range(10**6))

    def ask(prefix: str, token: str | None, delimiter: str) -> Page:
        nonlocal longest
        longest = max(longest, len(prefix))
        if not delimiter:
            return without_folders(prefix, token)
        folders = [f"{prefix}a/", f"{prefix}b/", *(f"{prefix}c{number:03}/" for number in range(count - 2))]
        return Page([], f"{next(numbers)}", folders)

    with pytest.raises(BrokenError):
        list(walk_keys(ask, ""))
    assert longest <= 110


def test_a_service_that_does_not_tell_all_folders_is_asked_without() -> None:
    listing = Listing(years(), page=20)
    told = listing.ask

    def without_the_first(prefix: str, token: str | None, delimiter: str) -> Page:
        page = told(prefix, token, delimiter)
        return Page(page.objects, page.next, page.folders[1:])

    assert [each.path for each in walk_keys(without_the_first, "")] == sorted(years())


def test_a_service_that_takes_no_notice_of_folders_is_listed_all_the_same() -> None:
    listing = Listing(years(), page=20)
    found = walk_keys(lambda prefix, token, _delimiter: listing.ask(prefix, token, ""), "")
    assert [each.path for each in found] == sorted(years())


def test_who_wants_little_lets_little_be_asked_for() -> None:
    listing = Listing(years(), page=20)
    found = walk_keys(listing.ask, "")
    assert len(list(islice(found, 25))) == 25
    time.sleep(0.05)
    assert listing.asked <= 5 * SIDE_BY_SIDE, "some pages and folders ahead, never all of them"
    found.close()  # type: ignore[attr-defined]  # a generator


def test_a_service_that_asks_for_less_is_asked_one_page_at_a_time() -> None:
    listing = Listing(years(), page=20)

    def refuse_more_than_two(at_once: int) -> None:
        time.sleep(0.002)
        if at_once > 2:
            raise RefusalError(503, "SlowDown")

    listing.before = refuse_more_than_two
    assert [each.path for each in walk_keys(listing.ask, "")] == sorted(years())


def test_one_that_refuses_altogether_is_heard() -> None:
    listing = Listing(years(), page=20)

    def refuse(_at_once: int) -> None:
        if listing.asked > 30:
            raise RefusalError(503, "SlowDown")

    listing.before = refuse
    with pytest.raises(RefusalError):
        list(walk_keys(listing.ask, ""))


@pytest.mark.parametrize("service", ["moto_s3", "rclone_s3", pytest.param("ceph_s3", marks=pytest.mark.soak)])
def test_real_services_list_the_same_by_folders(
    service: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Server = request.getfixturevalue(service).use(monkeypatch)
    monkeypatch.setattr(s3_listing, "PAGE", 10)
    place, client = server.new_place(), client_of(server)
    keys = {f"{folder}/{number:02}" for folder in ("a b", "é", "z+%") for number in range(25)} | {"a b.txt", "ü"}
    if service != "rclone_s3":  # it serves files, which cannot have such names
        keys |= {"double//slash", "/first", "a b//", "é/", *(f"//{number}" for number in range(12))}
    for key in keys:
        client.put_object(Bucket=BUCKET, Key=f"{place.rpartition('/')[2]}/{key}", Body=b"x")
    client.close()
    store = open_store(place, endpoint=server.endpoint, profile=server.profile)
    found = [each.path for each in store.list()]
    store.close()
    assert sorted(found) == sorted(keys)
    if service != "rclone_s3":  # nor has it an order across folders and files
        assert found == sorted(keys, key=str.encode)
