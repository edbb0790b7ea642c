"""A machine whose clock went back: what it makes still follows what it made, and verifies."""

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest

from repatria.work import chain_memory, publishing
from tests.work.making import Site, verify


class Earlier(datetime):
    """A clock that lost its battery."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2001, 1, 1, tzinfo=tz)


def test_a_clock_that_went_back_breaks_no_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    first = site.make({"a": b"1"})
    for module in (chain_memory, publishing):
        monkeypatch.setattr(module, "datetime", Earlier)
    second = site.make({"a": b"1", "b": b"2"})
    assert first is not None
    assert second is not None
    assert second > first
    assert verify(site.target, site.folder) == []
    assert site.read() == {"a": b"1", "b": b"2"}
