"""What was read, page by page, until its document is safe: a run that is killed does not read a finished page again.

One SQLite file in the dataset's state folder. Pages are named by keyed hashes and sealed under the state folder's key,
like everything that waits there; they are forgotten once their document is at the target. It also keeps which cote a
separator sheet told for the scans that follow it in a folder, and what is wrong with pages of archived scans.
"""

import hashlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from repatria import __version__
from repatria.bundle.rows import path_bytes
from repatria.crypt.keyed import KeyedHash, open_local, seal_local
from repatria.errors import CryptError
from repatria.ocr.page import PageTask, Side
from repatria.ocr.words import Box, PageText, Word
from repatria.paper.separator_code import SeparatorCode
from repatria.work.state import group_rights

FILE_NAME = "pages.db"
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PURPOSE = b"page"
_SEPARATOR = b"separator"
_TROUBLES = b"troubles"
_TABLES = """
CREATE TABLE IF NOT EXISTS pages(scan BLOB, page BLOB, sealed BLOB NOT NULL, PRIMARY KEY(scan, page)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS separators(folder BLOB, name BLOB, sealed BLOB NOT NULL, PRIMARY KEY(folder, name))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS troubles(scan BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
"""


class PageJournal:
    """The memory of pages; its methods may be called from several threads. One process at a time (the dataset's lock).

    It saves time and never stands in the way: where the file cannot be read or written, pages are read again.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._key = key
        self._mark = KeyedHash(key, b"pages")
        self._lock = threading.Lock()
        self._file = folder / FILE_NAME
        self._connection = self._opened_somehow()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def known(self, scan: bytes, task: PageTask) -> tuple[Side, ...]:
        """Return what was read on a page of the scan with this SHA-256, by the same engine and wishes; else nothing."""
        sealed = self._value("SELECT sealed FROM pages WHERE scan=? AND page=?", self._mark(scan), self._page(task))
        if sealed is not None:
            with suppress(CryptError, ValueError, KeyError, TypeError, zlib.error):
                return _unpacked(open_local(self._key, sealed, _PURPOSE))
        return ()

    def keep(self, scan: bytes, task: PageTask, sides: tuple[Side, ...]) -> None:
        """Remember what was read on a page; durable when this returns."""
        sealed = seal_local(self._key, _packed(sides), _PURPOSE)
        self._change("INSERT OR REPLACE INTO pages VALUES(?, ?, ?)", self._mark(scan), self._page(task), sealed)

    def forget(self, scan: bytes) -> None:
        """Forget the pages of a scan that is safe at the target."""
        self._change("DELETE FROM pages WHERE scan=?", self._mark(scan))

    def forget_all(self) -> None:
        """Forget the pages of every scan: a run came to its end, and nothing waits."""
        self._change("DELETE FROM pages")

    def separators(self, folder: str) -> dict[str, str]:
        """Return the cotes that separator sheets told, scanned as files of their own in a folder, by their names."""
        with self._lock:
            try:
                rows = self._connection.execute(
                    "SELECT sealed FROM separators WHERE folder=?", (self._mark(path_bytes(folder)),)
                ).fetchall()
            except sqlite3.Error:
                return {}
        found: dict[str, str] = {}
        for (sealed,) in rows:
            with suppress(CryptError, ValueError):
                name, cote = json.loads(open_local(self._key, sealed, _SEPARATOR))
                found[name] = cote
        return found

    def set_separator(self, folder: str, name: str, cote: str | None) -> None:
        """Remember the cote that a separator sheet tells; None: the file is none, or none any more."""
        marks = self._mark(path_bytes(folder)), self._mark(path_bytes(name))
        if cote is None:
            self._change("DELETE FROM separators WHERE folder=? AND name=?", *marks)
            return
        sealed = seal_local(self._key, json.dumps([name, cote]).encode(), _SEPARATOR)
        self._change("INSERT OR REPLACE INTO separators VALUES(?, ?, ?)", *marks, sealed)

    def troubles(self, scan: bytes) -> tuple[tuple[str, int | None], ...]:
        """Return what was wrong with pages of an archived scan: (detail, page)."""
        sealed = self._value("SELECT sealed FROM troubles WHERE scan=?", self._mark(scan))
        if sealed is not None:
            with suppress(CryptError, ValueError):
                return tuple((detail, page) for detail, page in json.loads(open_local(self._key, sealed, _TROUBLES)))
        return ()

    def set_troubles(self, scan: bytes, troubles: Sequence[tuple[str, int | None]]) -> None:
        """Remember what is wrong with pages of a scan: it may be dropped again as it is."""
        sealed = seal_local(self._key, json.dumps(troubles).encode(), _TROUBLES)
        self._change("INSERT OR REPLACE INTO troubles VALUES(?, ?)", self._mark(scan), sealed)

    def _opened_somehow(self) -> sqlite3.Connection:
        """Open the file; a damaged one is made anew, and one that cannot be used is done without."""
        with suppress(sqlite3.DatabaseError, OSError):
            try:
                return self._opened(str(self._file))
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode in _DAMAGED:
                    self._file.unlink()
                    return self._opened(str(self._file))
        return self._opened(":memory:")

    def _opened(self, file: str) -> sqlite3.Connection:
        connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        with suppress(OSError):
            self._file.chmod(0o600 | group_rights(self._file.parent, 0o060))
        connection.executescript(f"PRAGMA journal_mode=TRUNCATE; PRAGMA secure_delete=ON; {_TABLES}")
        return connection

    def _change(self, sql: str, *bindings: bytes) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute(sql, bindings)

    def _value(self, sql: str, *bindings: bytes) -> bytes | None:
        with self._lock, suppress(sqlite3.Error):
            found = self._connection.execute(sql, bindings).fetchone()
            return bytes(found[0]) if found else None
        return None

    def _page(self, task: PageTask) -> bytes:
        wishes = (__version__, asdict(task.engine), task.again, task.split, task.frame)
        return self._mark(hashlib.sha256(repr(wishes).encode()).digest())


def _packed(sides: tuple[Side, ...]) -> bytes:
    return zlib.compress(json.dumps([asdict(side) for side in sides]).encode(), 1)


def _unpacked(packed: bytes) -> tuple[Side, ...]:
    return tuple(map(_side, json.loads(zlib.decompress(packed))))


def _side(facts: dict[str, Any]) -> Side:
    text = facts["text"]
    words = tuple(Word(**{**word, "box": Box(**word["box"])}) for word in text["words"])
    page = PageText(**{**text, "words": words, "flags": tuple(text["flags"])})
    begin, end = facts["part"]
    told = facts["separator"]
    return Side(page, (begin, end), SeparatorCode(**told) if told is not None else None)
