"""What `test_spill` runs in a process of its own: work that makes SQLite want to spill, with hardly any cache.

`python -m tests.bundle.spilling WISH WORK FOLDER`: WISH is `careful` or `spill` (SQLite is told that it may use files),
WORK `build` or `read` (with no right to write to any file from then on) or `run`.
"""

import itertools
import os
import resource
import sqlite3
import sys
from pathlib import Path
from typing import Any

import apsw

from repatria.bundle.ahead import InMemory
from repatria.bundle.index import Index
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.rows import MemberRow, ObjectRow, PageRow
from repatria.store.local import LocalStore
from tests.work.making import Site, read_chain

MARKER = "patient-DIOP-Awa-1949"
OBJECTS = 20_000
IN_A_RUN = 1_500


class LittleCache(apsw.Connection):
    """A connection with room for a page or two; its temporary files are files if `may_spill`."""

    may_spill = False

    def execute(self, sql: str, *more: Any, **options: Any) -> apsw.Cursor:  # type: ignore[override]  # as it is called
        if "temp_store=MEMORY" not in sql:
            return super().execute(sql, *more, **options)
        wished = sql.replace("temp_store=MEMORY", "temp_store=FILE") if self.may_spill else sql
        super().execute(wished).fetchall()
        return super().execute("PRAGMA cache_size=1")


def path(number: int) -> str:
    """Return a path with the marker, in no order of numbers."""
    return f"dossiers/{number * 7919 % OBJECTS:05d}/{MARKER}/{'x' * 100}.pdf"


def build() -> bytes:
    """Build an index that is sorted in pieces."""
    numbers = range(1, OBJECTS + 1)
    return build_index(
        IndexMeta("d", "b", 1, 1, 1),
        IndexRows(
            objects=(ObjectRow(number, "", path(number), "file", 1, bytes(32), bytes(16)) for number in numbers),
            members=(MemberRow(1, 512 * number, 1, number, 0, 0) for number in numbers),
            pages=(
                PageRow(1, page, 1, 1, 300.0, 0, 1, 90.0, "[]", f"{MARKER} " * 50, MARKER, MARKER)
                for page in range(1, 101)
            ),
        ),
    )


def read(payload: bytes) -> None:
    """Sort all objects of an index by what no index of SQLite has in order."""
    index = Index(InMemory(payload))
    found = [row[0] for row in index.query("SELECT path FROM objects ORDER BY substr(path, 12), path DESC")]
    index.check()
    assert len(found) == OBJECTS


def run(folder: Path) -> None:
    """Make a bundle and read it, with a journal that has hardly any cache either."""
    connect = sqlite3.connect

    def with_little_cache(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.execute("PRAGMA cache_size=1")
        return connection

    sqlite3.connect = with_little_cache  # type: ignore[assignment]  # this process does nothing else
    site = Site(folder / "state", LocalStore(folder / "target"), per_volume=500)  # type: ignore[arg-type]  # any store
    site.make({path(number): f"{number} {MARKER}".encode() for number in range(IN_A_RUN)})
    assert len(read_chain(site.target)) == IN_A_RUN
    build()


def write_nothing_from_now_on(folder: Path) -> None:
    """Have the system refuse every byte that this process would write to a file, of whatever kind."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for number in itertools.count():
        file = os.open(folder / f"probe-{number}", os.O_CREAT | os.O_WRONLY)
        try:
            os.write(file, b"x")
        except OSError:
            return
        finally:
            os.close(file)
        sys.exit("the limit does not hold")


def main(wish: str, work: str, folder: Path) -> None:
    """Do one work."""
    LittleCache.may_spill = wish == "spill"
    if work == "run":
        apsw.Connection = LittleCache  # type: ignore[misc]  # for all who open one in this process
        run(folder)
        return
    payload = build() if work == "read" else b""
    apsw.Connection = LittleCache  # type: ignore[misc]  # as above
    write_nothing_from_now_on(folder)
    if work == "read":
        read(payload)
    else:
        build()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
