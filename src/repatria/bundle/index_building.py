"""Building the index of a bundle: SQLite, in memory (docs/formats/index.md)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from typing import Final

import apsw

from repatria.bundle import schema
from repatria.bundle.rows import (
    PAGES_PER_DOCUMENT,
    DescriptionRow,
    DocumentRow,
    MemberRow,
    ObjectRow,
    PageRow,
    Tombstone,
    VolumeRow,
    path_bytes,
)

Value = str | bytes | int | float | None
PATHS: Final = tuple(schema.COLUMNS["objects"].index(column) for column in ("path", "link_target"))
"""Which columns of an object are TEXT or BLOB by what they hold."""
_SMALL_PAGE: Final = 4 << 10
_LARGE_PAGE: Final = 16 << 10
"""Bytes of a page: large ones make trees of many rows flat, but each of the twenty tables has one, however empty."""
_MANY: Final = 10_000
"""Objects from which pages are large."""
_ROOTS: Final = 24
"""Pages at the beginning that every lookup needs: the schema, and the roots of all tables and indexes."""
_VALUES: dict[str, Callable[[object], tuple[Value, ...]]] = {
    table: attrgetter(*columns) for table, columns in schema.COLUMNS.items()
}


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """What an index says of itself."""

    dataset: str
    bundle: str
    index: int
    first_volume: int
    """0, like `last_volume`, if the index has no volumes."""
    last_volume: int


@dataclass(frozen=True, slots=True)
class IndexRows:
    """Everything that goes into one index; any iterable, each is read once."""

    objects: Iterable[ObjectRow] = ()
    volumes: Iterable[VolumeRow] = ()
    members: Iterable[MemberRow] = ()
    tombstones: Iterable[Tombstone] = ()
    documents: Iterable[DocumentRow] = ()
    pages: Iterable[PageRow] = ()
    descriptions: Iterable[DescriptionRow] = ()


def build_index(meta: IndexMeta, rows: IndexRows) -> bytes:
    """Return the payload of an index: a SQLite database made in memory, nothing of which ever touches a disk.

    It takes about three times the index's size of memory.
    """
    objects = iter(rows.objects)
    first = list(islice(objects, _MANY))
    page_size = _LARGE_PAGE if len(first) == _MANY else _SMALL_PAGE
    database = apsw.Connection(":memory:")
    try:
        database.execute(
            f"PRAGMA page_size={page_size}; PRAGMA temp_store=MEMORY; PRAGMA journal_mode=OFF;"
            f"PRAGMA application_id={schema.APPLICATION_ID}; PRAGMA user_version={schema.USER_VERSION}"
        ).fetchall()  # apsw stops at the first row until it is fetched
        with database:
            database.execute(schema.TABLES)
            _insert(database, "meta", _meta_values(meta))
            _insert(database, "objects", map(_object_values, chain(first, objects)))
            _insert(database, "volumes", map(_VALUES["volumes"], rows.volumes))
            _insert(database, "members", map(_VALUES["members"], rows.members))
            _insert(database, "tombstones", map(_VALUES["tombstones"], rows.tombstones))
            _insert_described(database, "documents", rows.documents)
            _insert_pages(database, rows.pages)
            _insert_described(database, "descriptions", rows.descriptions)
            database.execute(schema.INDEXES)
        for table in schema.FULL_TEXT:
            database.execute(f"INSERT INTO {table}({table}) VALUES('optimize')")
        # The roots of all tables and indexes come to lie at the beginning, where opening fetches them at once; and what
        # the merging freed is neither kept nor sent.
        database.execute("VACUUM")
        return database.serialize("main")
    finally:
        database.close()


def roots_size(size: int) -> int:
    """Return how many bytes at the beginning of an index of `size` bytes every lookup asks for, at most."""
    page = _LARGE_PAGE if size > _ROOTS * _LARGE_PAGE else _SMALL_PAGE
    return min(size, _ROOTS * page)


def path_value(path: str) -> str | bytes:
    """Return a path as a TEXT or BLOB value: text only if the bytes are UTF-8 without NUL."""
    raw = path_bytes(path)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw
    return raw if "\x00" in text else text


def _insert(database: apsw.Connection, table: str, rows: Iterable[tuple[Value, ...]]) -> None:
    places = ", ".join("?" * len(schema.COLUMNS[table]))
    database.executemany(f"INSERT INTO {table} VALUES({places})", rows)


def _insert_pages(database: apsw.Connection, pages: Iterable[PageRow]) -> None:
    """Insert the pages and their words."""
    for row in pages:
        if not 1 <= row.page < PAGES_PER_DOCUMENT:
            raise ValueError("a document has at most 99,999 pages")
        _insert(database, "pages", [_VALUES["pages"](row)])
        _insert_words(database, row.document * PAGES_PER_DOCUMENT + row.page, row.text, row.stems, row.grams)


def _insert_described(
    database: apsw.Connection, table: str, rows: Iterable[DocumentRow] | Iterable[DescriptionRow]
) -> None:
    """Insert documents, or descriptions of them, and the words by which these are found."""
    for row in rows:
        _insert(database, table, [_VALUES[table](row)])
        if row.said:
            _insert_words(database, row.number * PAGES_PER_DOCUMENT, row.said, row.stems, row.grams)


def _insert_words(database: apsw.Connection, place: int, text: str, stems: str, grams: str) -> None:
    database.execute("INSERT INTO pages_text(rowid, text, stems) VALUES(?, ?, ?)", (place, text, stems))
    database.execute("INSERT INTO pages_grams(rowid, text) VALUES(?, ?)", (place, grams))


def _meta_values(meta: IndexMeta) -> list[tuple[str, str]]:
    return [
        ("format", schema.FORMAT),
        ("dataset", meta.dataset),
        ("bundle", meta.bundle),
        ("index", str(meta.index)),
        ("first_volume", str(meta.first_volume)),
        ("last_volume", str(meta.last_volume)),
    ]


def _object_values(row: ObjectRow) -> tuple[Value, ...]:
    values = list(_VALUES["objects"](row))
    for place in PATHS:
        text = values[place]
        values[place] = path_value(text) if isinstance(text, str) else text
    return tuple(values)
