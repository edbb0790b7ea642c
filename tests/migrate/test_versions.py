"""Replies of one object are of one version, also where the listing tells none to pin them to."""

from dataclasses import replace

import pytest

from repatria.errors import ChangedError
from repatria.migrate.fetching import Digest
from repatria.model import Object

SECOND = 1_000_000_000
LISTED = Object("a", 9, mtime_ns=5 * SECOND + 123)
REPLY = replace(LISTED, mtime_ns=5 * SECOND, version="one")


def take_in(*replies: Object, listed: Object = LISTED) -> None:
    digest = Digest(listed)
    for reply in replies:
        digest.require_one_version(reply)


def test_the_first_one_may_tell_what_the_listing_did_not() -> None:
    take_in(REPLY, REPLY)
    take_in(REPLY, REPLY, listed=replace(LISTED, mtime_ns=None))
    take_in(replace(REPLY, mtime_ns=None))


@pytest.mark.parametrize("other", [replace(REPLY, size=10), replace(REPLY, mtime_ns=6 * SECOND)], ids=["size", "time"])
def test_the_first_one_is_of_what_was_listed(other: Object) -> None:
    with pytest.raises(ChangedError):
        take_in(other)


@pytest.mark.parametrize(
    "other",
    [replace(REPLY, version="two"), replace(REPLY, version=""), replace(REPLY, size=10), replace(REPLY, mtime_ns=None)],
    ids=["version", "no version", "size", "time"],
)
def test_those_after_it_are_as_it_was(other: Object) -> None:
    with pytest.raises(ChangedError):
        take_in(REPLY, other)


def test_reads_that_are_pinned_need_no_comparing() -> None:
    take_in(REPLY, replace(REPLY, mtime_ns=None), listed=replace(LISTED, version="one"))
