"""Indexes: what goes in comes out, nothing else gets in, and nothing but the one file is ever opened."""

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle import schema
from repatria.bundle.ahead import InMemory
from repatria.bundle.errors import MalformedError
from repatria.bundle.index import Index
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.rows import DocumentRow, MemberRow, ObjectRow, PageRow, Tombstone, VolumeRow
from repatria.crypt.errors import PayloadError

META = IndexMeta("archives", "20240130T200000Z-abcdef", 3, 5, 9)
OBJECTS = [
    ObjectRow(1, "exports", "a/é", "file", 5, b"d" * 32, b"s" * 16, 123_456_789, 0o640, "awa", "sante"),
    ObjectRow(2, "", "latin1-\udce9", "symlink", 4, b"e" * 32, b"t" * 16, link_target="\udcff/x", metadata='{"a":"b"}'),
    ObjectRow(7, "", "nul\x00", "file", 2**40, b"f" * 32, b"u" * 16, -1, checksum="md5:00", recognised="dicom"),
]
VOLUMES = [VolumeRow(5, 10, b"1" * 32, b"2" * 32, 9, b"3" * 32), VolumeRow(9, 11, b"4" * 32, b"5" * 32, 10, b"6" * 32)]
MEMBERS = [MemberRow(5, 512, 100, 1, 1, 0), MemberRow(9, 512, 50, 1, 2, 100), MemberRow(9, 1536, 0, 2, 0, 0)]
DOCUMENT = DocumentRow(4, "1949/a", "1949", "Lettres", None, None, 1, 2, None, 7, 2, "fra", 91.5, "3 F 12")
PAGES = [
    PageRow(
        4, 1, 2480, 3508, 300.0, 0, 3, 91.5, "[]", "Épidémie à Saint-Louis", "epidem saint loui", "epidemie a saint"
    ),
    PageRow(4, 2, 2480, 3508, 300.0, 90, 0, None, '["blank"]', ""),
]
ROWS = IndexRows(OBJECTS, VOLUMES, MEMBERS, [Tombstone(3, "2024-01-30T20:00:00Z")], [DOCUMENT], PAGES)


def built(rows: IndexRows = ROWS) -> bytes:
    return build_index(META, rows)


def opened(payload: bytes) -> Index:
    return Index(InMemory(payload))


def test_every_row_comes_back_as_it_went_in() -> None:
    index = opened(built())
    assert index.meta == META
    assert list(index.objects()) == OBJECTS
    assert list(index.volumes()) == VOLUMES
    assert list(index.members(9)) == MEMBERS[1:]
    assert list(index.tombstones()) == [Tombstone(3, "2024-01-30T20:00:00Z")]
    assert list(index.documents()) == [DOCUMENT]
    pages = list(index.pages(4))
    assert [(page.text, page.flags, page.confidence) for page in pages] == [
        ("Épidémie à Saint-Louis", "[]", 91.5),
        ("", '["blank"]', None),
    ]
    index.check()
    index.close()


def test_objects_are_found_by_number_and_path() -> None:
    index = opened(built())
    assert index.object(7) == OBJECTS[2]
    assert index.object(8) is None
    for row in OBJECTS:
        assert index.find(row.path) == [row]
    assert index.find("a") == []
    assert index.members_of(1) == [(MEMBERS[0], VOLUMES[0]), (MEMBERS[1], VOLUMES[1])]
    assert index.members_of(7) == []


def test_documents_are_found_by_their_name_and_by_the_archivists_reference() -> None:
    index = opened(built())
    assert index.documents_called("1949/a") == list(index.documents_referred("3 F 12")) == [DOCUMENT]
    assert index.documents_called("3 F 12") == list(index.documents_referred("1949/a")) == []


def test_an_index_from_before_a_column_was_added_is_read_without_it() -> None:
    index = opened(
        altered(
            "DROP INDEX documents_reference",
            "ALTER TABLE documents DROP COLUMN reference",
            "INSERT INTO documents VALUES(4, '1949/a', '1949', NULL, NULL, NULL, 1, 2, NULL, 7, 2, 'fra', 91.5)",
        )
    )
    (document,) = index.documents()
    assert (document.cote, document.confidence, document.reference) == ("1949/a", 91.5, None)
    assert index.documents_called("1949/a") == [document]
    assert list(index.documents_referred("3 F 12")) == []


def test_pages_are_found_without_accents_by_stem_and_by_any_three_letters() -> None:
    index = opened(built())

    def found(table: str, words: str) -> list[object]:
        sql = f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY rank"  # noqa: S608 -- the test's own words
        return [rowid for (rowid,) in index.query(sql, (words,))]

    assert found("pages_text", "epidemie") == [400_001]
    assert found("pages_text", "stems : loui") == [400_001]
    assert found("pages_grams", '"demi"') == [400_001]
    assert found("pages_text", "dakar") == []


@given(
    st.lists(
        st.tuples(st.binary(max_size=80), st.integers(0, 2**62), st.none() | st.text(max_size=20)),
        max_size=20,
    )
)
def test_any_path_is_kept(objects: list[tuple[bytes, int, str | None]]) -> None:
    rows = [
        ObjectRow(number, "", path.decode("utf-8", "surrogateescape"), "file", size, bytes(32), bytes(16), owner=owner)
        for number, (path, size, owner) in enumerate(objects, 1)
        if owner is None or "\x00" not in owner
    ]
    index = opened(built(IndexRows(rows)))
    assert list(index.objects()) == rows
    for row in rows:
        assert row in index.find(row.path)
    index.close()


def test_stock_sqlite_opens_an_index(tmp_path: Path) -> None:
    file = tmp_path / "index.db"
    file.write_bytes(built())
    sql = "SELECT number, hex(sha256) FROM objects WHERE path='a/é'; SELECT rowid FROM pages_grams('\"demi\"');"
    listed = subprocess.run(["sqlite3", "-readonly", file, sql], capture_output=True, check=True, text=True)
    assert listed.stdout == f"1|{'64' * 32}\n400001\n"
    checked = subprocess.run(["sqlite3", file, "PRAGMA integrity_check"], capture_output=True, check=True, text=True)
    assert checked.stdout == "ok\n"


def test_the_header_tells_what_the_file_is() -> None:
    payload = built()
    assert payload[68:72] == b"RPRT"
    assert payload[60:64] == b"\x00\x00\x00\x01"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO meta VALUES('a', 'b')",
        "CREATE TABLE x(a)",
        "CREATE TEMP TABLE x(a)",
        "ATTACH ':memory:' AS other",
        "SELECT * FROM nothing",
        "VACUUM INTO '/tmp/never'",
    ],
)
def test_nothing_but_reading_is_possible(sql: str) -> None:
    with pytest.raises(MalformedError):
        list(opened(built()).query(sql))


def test_no_other_file_is_opened_even_for_a_sort_that_does_not_fit_in_memory() -> None:
    rows = [
        ObjectRow(n, "", f"{n * 7919 % 30_011}" + "x" * 300, "file", 0, bytes(32), bytes(16)) for n in range(1, 20_000)
    ]
    index = opened(built(IndexRows(rows)))
    before = set(Path("/proc/self/fd").iterdir())
    ordered = index.query("SELECT path || 'y' AS name FROM objects ORDER BY name DESC")
    next(ordered)
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert sum(1 for _row in ordered) == len(rows) - 1


def altered(*statements: str, identity: bool = True) -> bytes:
    """Return an index changed by SQL, as whoever holds the signing key could publish it."""
    database = sqlite3.connect(":memory:")
    database.deserialize(built(IndexRows(OBJECTS, VOLUMES, MEMBERS)))
    for statement in statements:
        database.execute(statement)
    if not identity:
        database.execute("PRAGMA application_id = 1")
    database.commit()
    return database.serialize()


@pytest.mark.parametrize(
    ("what", "payload"),
    [
        ("an empty file", lambda: b""),
        ("no database", lambda: b"x" * 8192),
        ("half a database", lambda: built()[:6000]),
        ("another program's database", lambda: altered(identity=False)),
        ("a later schema", lambda: altered("PRAGMA user_version = 2")),
        ("a view", lambda: altered("CREATE VIEW v AS SELECT * FROM objects")),
        (
            "a view in a table's place",
            lambda: altered("DROP TABLE tombstones", "CREATE VIEW tombstones AS SELECT 1, 2"),
        ),
        (
            "a trigger",
            lambda: altered("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM objects; END"),
        ),
        ("another virtual table", lambda: altered("CREATE VIRTUAL TABLE evil USING fts5(x)")),
        ("a table less", lambda: altered("DROP TABLE tombstones")),
        (
            "a computed column",
            lambda: altered(
                "DROP TABLE tombstones",
                "CREATE TABLE tombstones(object INTEGER PRIMARY KEY, seen_gone TEXT AS (hex(object)))",
            ),
        ),
        ("no word of what it belongs to", lambda: altered("DELETE FROM meta WHERE key='bundle'")),
        ("another format", lambda: altered("UPDATE meta SET value='2' WHERE key='format'")),
        ("a number that is none", lambda: altered("UPDATE meta SET value='one' WHERE key='index'")),
    ],
)
def test_a_database_that_is_no_index_is_refused(what: str, payload: Callable[[], bytes]) -> None:
    with pytest.raises(MalformedError):
        opened(payload())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE objects SET path = 5 WHERE number = 1",
        "UPDATE objects SET size = 'big' WHERE number = 1",
        "UPDATE objects SET size = -1 WHERE number = 1",
        "UPDATE objects SET sha256 = x'00' WHERE number = 1",
        "UPDATE objects SET salt = 'ssssssssssssssss' WHERE number = 1",
        "UPDATE objects SET kind = 'special' WHERE number = 1",
        "UPDATE objects SET owner = CAST(x'ff' AS TEXT) WHERE number = 1",
        "UPDATE objects SET number = 0 WHERE number = 1",
    ],
)
def test_a_row_of_another_shape_is_refused(statement: str) -> None:
    index = opened(altered(statement))
    with pytest.raises(MalformedError):
        list(index.objects())


def test_a_member_in_a_volume_that_is_not_described_is_refused() -> None:
    index = opened(altered("DELETE FROM volumes WHERE number = 9"))
    with pytest.raises(MalformedError):
        index.members_of(1)


@given(st.data())
def test_damaged_pages_are_an_error_and_never_a_crash(data: st.DataObject) -> None:
    payload = bytearray(built())
    for _change in range(data.draw(st.integers(1, 20))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        index = opened(bytes(payload))
        list(index.objects())
        list(index.pages(4))
        list(index.query("SELECT rowid FROM pages_text WHERE pages_text MATCH 'saint'"))
        index.check()
    except MalformedError:
        pass


def test_what_goes_wrong_below_comes_through_as_it_is() -> None:
    class Broken(InMemory):
        def read_at(self, offset: int, length: int) -> bytes:
            if offset >= 8192:
                raise PayloadError("a chunk is not authentic")
            return super().read_at(offset, length)

    with pytest.raises(PayloadError):
        list(Index(Broken(built())).objects())


def test_a_document_of_too_many_pages_is_refused() -> None:
    with pytest.raises(ValueError, match="99,999"):
        built(IndexRows(pages=[PageRow(1, 100_000, 1, 1, 1.0, 0, 0, None, "[]", "")]))


def test_the_tables_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs/formats/index.md").read_text("utf-8")
    documented = text.split("```sql")[1].split("```")[0]

    def columns(sql: str) -> dict[str, list[tuple[object, ...]]]:
        database = apsw.Connection(":memory:")
        list(database.execute(sql))
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY 1")]
        return {name: list(database.execute("SELECT * FROM pragma_table_xinfo(?)", (name,))) for name in names}

    assert columns(documented) == columns(schema.TABLES + schema.INDEXES)


def test_many_threads_may_ask_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    rows = [ObjectRow(n, "", str(n), "file", n, bytes(32), bytes(16)) for n in range(1, 3000)]
    index = opened(built(IndexRows(rows)))
    with ThreadPoolExecutor(4) as executor:
        sums = list(executor.map(lambda _n: sum(row.size for row in index.objects()), range(8)))
        found = list(executor.map(lambda n: index.find(str(n)), range(1, 3000)))
    assert len(set(sums)) == 1
    assert [rows_found[0].number for rows_found in found] == list(range(1, 3000))
