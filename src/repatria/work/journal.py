"""The journal of a dataset: one SQLite file that says what is sent, what is proven, and what is known.

It never holds the name of an object in clear. Rows with names are sealed under the state folder's key while they wait
for the index that will hold them; paths, fingerprints and member names are keyed hashes of 16 bytes. `catalogue` and
`unfinished` give its tables their meaning; `docs/adr` says why they are so.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from repatria.crypt.keyed import KeyedHash, open_local, seal_local
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.work.state import group_rights

FILE_NAME = "journal.db"
MARK_LENGTH = 16
"""Bytes of a keyed hash: by chance, two of 10^9 names share one with probability 10^-21."""
_VERSION = 2
_APPLICATION = 0x52505249
_ROWS_AT_ONCE = 5_000
_PATIENCE_SECONDS = 60.0
"""How long a write waits for a reader of the same file (`repatria status`)."""

_SCHEMA = """
CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE catalogue(                 -- the dataset as its last finished bundle left it
  path BLOB PRIMARY KEY, number INTEGER NOT NULL, fingerprint BLOB NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;

-- What follows belongs to the one unfinished bundle, and is empty without one.
CREATE TABLE volumes(
  number INTEGER PRIMARY KEY,
  state TEXT NOT NULL,                  -- sent, proven, given up
  size INTEGER NOT NULL, sha256 BLOB NOT NULL, head_sha256 BLOB NOT NULL,
  payload_size INTEGER NOT NULL, payload_sha256 BLOB NOT NULL,
  objects INTEGER NOT NULL, pages INTEGER NOT NULL,
  published INTEGER NOT NULL DEFAULT 0, -- the index that holds its rows, 0 before
  rows BLOB,                            -- sealed; NULL once they stand in an index
  row_bytes INTEGER NOT NULL DEFAULT 0  -- about what they take there
);
CREATE TABLE taken(                     -- the objects of this bundle
  number INTEGER PRIMARY KEY, path BLOB NOT NULL, fingerprint BLOB NOT NULL, size INTEGER NOT NULL,
  leaf BLOB NOT NULL, compared INTEGER NOT NULL, volume INTEGER NOT NULL
);
CREATE INDEX taken_path ON taken(path);
CREATE INDEX taken_volume ON taken(volume);
CREATE TABLE parts(                     -- how far an object in parts has come
  object INTEGER NOT NULL, part INTEGER NOT NULL, path BLOB NOT NULL, fingerprint BLOB NOT NULL,
  volume INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY(object, part)
) WITHOUT ROWID;
CREATE TABLE names(mark BLOB NOT NULL, volume INTEGER NOT NULL, PRIMARY KEY(mark, volume)) WITHOUT ROWID;
CREATE TABLE tombstones(object INTEGER PRIMARY KEY, seen_gone TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0);
CREATE TABLE indexes(number INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE documents(number INTEGER PRIMARY KEY, pages INTEGER NOT NULL, volume INTEGER NOT NULL);
CREATE TABLE outbox(position INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, data BLOB NOT NULL);
CREATE TABLE tag_files(path TEXT PRIMARY KEY, sha256 BLOB NOT NULL) WITHOUT ROWID;
"""


class Journal:
    """An open journal; its methods may be called from several threads. One process at a time writes (see `lock`)."""

    def __init__(self, folder: Path, key: bytes, *, read_only: bool = False) -> None:
        """Open the journal in a dataset's state folder, made if it is not there; UsageError if it cannot be used."""
        self.file = folder / FILE_NAME
        self._key = key
        self._lock = threading.RLock()
        try:
            _create_private(self.file)
            self._connection = sqlite3.connect(
                self.file,
                timeout=_PATIENCE_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._prepare(read_only)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(self.file, error) from error

    def _prepare(self, read_only: bool) -> None:
        # A rollback journal, because a write-ahead log does not work where state lies on a network file system.
        for pragma in ("journal_mode=TRUNCATE", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            self._connection.execute(f"PRAGMA {pragma}")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._connection.executescript(
                f"BEGIN;{_SCHEMA}PRAGMA application_id={_APPLICATION};PRAGMA user_version={_VERSION};COMMIT;"
            )
        elif version != _VERSION:
            raise UsageError(
                _("{file} was written by another version of Repatria.").format(file=self.file),
                advice=_("Use that version, or a newer one; nothing was changed."),
            )
        self._require_key()
        if read_only:  # not opened so: only who may write can undo what a power cut left half done
            self._connection.execute("PRAGMA query_only=ON")

    def _require_key(self) -> None:
        """Refuse a journal that was written under another key: all would look new, and be sent once more."""
        check, kept = self.marks(b"key")(b"").hex(), self.fact("key_check")
        if kept is None:
            self.set_facts(key_check=check)
        elif kept != check:
            raise UsageError(
                _("The journal {file} was written with another key than the state folder has now.").format(
                    file=self.file
                ),
                advice=_("Bring back the file `key` of the state folder from a backup. Nothing was done."),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside durable together, or none of them; may be nested."""
        with self._lock, self._told():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def change(self, sql: str, *bindings: object) -> int:
        """Run one changing statement, and return how many rows it changed."""
        with self.transaction():
            return self._connection.execute(sql, bindings).rowcount

    def change_many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run one changing statement for each of `rows`."""
        with self.transaction():
            self._connection.executemany(sql, rows)

    def rows(self, sql: str, *bindings: object) -> list[tuple[Any, ...]]:
        """Return all rows of one SELECT."""
        with self._lock, self._told():
            return self._connection.execute(sql, bindings).fetchall()

    def each(self, sql: str, *bindings: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one SELECT, some thousands in memory at a time."""
        with self._lock, self._told():
            cursor = self._connection.execute(sql, bindings)
        while True:
            with self._lock, self._told():
                batch = cursor.fetchmany(_ROWS_AT_ONCE)
            if not batch:
                return
            yield from batch

    def row(self, sql: str, *bindings: object) -> tuple[Any, ...] | None:
        """Return the first row of one SELECT."""
        with self._lock, self._told():
            found: tuple[Any, ...] | None = self._connection.execute(sql, bindings).fetchone()
            return found

    def number(self, sql: str, *bindings: object) -> int:
        """Return the one number that a SELECT finds, 0 for NULL or nothing."""
        found = self.row(sql, *bindings)
        return int(found[0] or 0) if found else 0

    def fact(self, key: str) -> str | None:
        """Return one remembered fact."""
        found = self.row("SELECT value FROM facts WHERE key=?", key)
        return found[0] if found else None

    def set_facts(self, **facts: object) -> None:
        """Remember facts; None forgets one."""
        with self.transaction():
            for key, value in facts.items():
                if value is None:
                    self.change("DELETE FROM facts WHERE key=?", key)
                else:
                    self.change("INSERT OR REPLACE INTO facts VALUES (?, ?)", key, str(value))

    def marks(self, purpose: bytes) -> KeyedHash:
        """Return what makes the keyed hashes that stand for data in the tables."""
        return KeyedHash(self._key, purpose, MARK_LENGTH)

    def seal(self, data: bytes, purpose: bytes) -> bytes:
        """Encrypt what only this state folder may read again."""
        return seal_local(self._key, data, purpose)

    def unseal(self, sealed: bytes, purpose: bytes) -> bytes:
        """Return what was sealed; CryptError if it was altered."""
        return open_local(self._key, sealed, purpose)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _unusable(self.file, error) from error


def _create_private(file: Path) -> None:
    """Make an empty file with the rights that state files have: SQLite gives its own files the same."""
    if not file.exists():
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        file.chmod(0o600 | group_rights(file.parent, 0o060))


def _unusable(file: Path, error: Exception) -> UsageError:
    if getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return UsageError(
            _("The journal {file} is damaged: {reason}.").format(file=file, reason=error),
            advice=_("Bring back the state folder from a backup; what is at the target is safe. Nothing was done."),
        )
    return UsageError(
        _("The journal {file} cannot be used: {reason}. What it says so far is safe.").format(file=file, reason=error),
        advice=_("Make room on that disk and check its rights, then run the same command again."),
    )
