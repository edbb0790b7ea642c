"""Listing a bucket by its folders: every key once and in order, whatever the keys, the pages and the service's mood."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.model import Object
from repatria.store import s3_listing
from repatria.store.registry import open_store
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
