"""The index of a bundle, opened: SQLite, read through the decryptor (docs/formats/index.md)."""

import threading
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import islice
from typing import TypeVar

import apsw

from repatria.bundle import schema, vfs
from repatria.bundle.ahead import ReadAhead
from repatria.bundle.errors import MalformedError
from repatria.bundle.index_building import PATHS, IndexMeta, Value, path_value, roots_size
from repatria.bundle.rows import (
    SALT_LENGTH,
    DescriptionRow,
    DocumentRow,
    MemberRow,
    ObjectRow,
    PageRow,
    Tombstone,
    VolumeRow,
    path_text,
)
from repatria.crypt.seek import ByteRanges
from repatria.i18n import _
from repatria.model import ObjectKind

_Row = TypeVar("_Row", VolumeRow, MemberRow, Tombstone, DocumentRow, PageRow, DescriptionRow)
_BATCH = 256
_LONGEST_VALUE = 64 << 20
_KINDS = frozenset({str(ObjectKind.FILE), str(ObjectKind.SYMLINK), str(ObjectKind.DIRECTORY)})


class Index:
    """An open index; read lazily, safe from several threads."""

    def __init__(self, payload: ByteRanges) -> None:
        """Open the database in `payload`, a `DecryptingReader` or `InMemory`.

        MalformedError if it is no index that this version understands, or holds what an index never holds.
        """
        self._lock = threading.RLock()
        self._lacking: set[str] = set()
        self.names_documents = False
        """Whether documents and descriptions are found by their words too, in the place of a page 0."""
        try:
            payload.read_at(0, roots_size(payload.size))  # in one request; `payload` keeps it
            self._database = vfs.connect(ReadAhead(payload))
            _restrict(self._database)
        except apsw.Error as error:
            raise _malformed(error) from error
        self._check_schema()
        self.meta = self._read_meta()

    def query(self, sql: str, bindings: Sequence[Value] = ()) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of one SELECT, fetched in batches; nothing that writes is possible."""
        try:
            with self._lock:
                cursor = self._database.cursor()
                cursor.execute(sql, tuple(bindings))
            while True:
                with self._lock:
                    batch = list(islice(cursor, _BATCH))
                yield from batch
                if len(batch) < _BATCH:
                    return
        except (apsw.Error, UnicodeDecodeError, EOFError) as error:
            raise _malformed(error) from error

    def objects(self) -> Iterator[ObjectRow]:
        """Yield every object row, by number."""
        return map(_object_row, self.query(_select("objects") + " ORDER BY number"))

    def object(self, number: int) -> ObjectRow | None:
        """Return one object's row."""
        return next(map(_object_row, self.query(_select("objects") + " WHERE number = ?", (number,))), None)

    def find(self, path: str) -> list[ObjectRow]:
        """Return the rows of a path, the highest number first."""
        sql = _select("objects") + " WHERE path = ? ORDER BY number DESC"
        return list(map(_object_row, self.query(sql, (path_value(path),))))

    def volumes(self) -> Iterator[VolumeRow]:
        """Yield the volumes by number."""
        return self._rows(VolumeRow, schema.VOLUME, _select("volumes") + " ORDER BY number")

    def members(self, volume: int) -> Iterator[MemberRow]:
        """Yield the members of a volume in the order in which they lie there."""
        sql = _select("members") + " WHERE volume = ? ORDER BY offset, object"
        return self._rows(MemberRow, schema.MEMBER, sql, (volume,))

    def members_of(self, number: int) -> list[tuple[MemberRow, VolumeRow]]:
        """Return the members of an object that lie in this index's volumes, in order."""
        sql = _select("members") + " WHERE object = ? ORDER BY part"
        members = list(self._rows(MemberRow, schema.MEMBER, sql, (number,)))
        return [(member, self._volume(member.volume)) for member in members]

    def tombstones(self) -> Iterator[Tombstone]:
        """Yield the tombstones."""
        return self._rows(Tombstone, schema.TOMBSTONE, _select("tombstones") + " ORDER BY object")

    def documents(self) -> Iterator[DocumentRow]:
        """Yield the documents by number."""
        return self._documents(" ORDER BY number")

    def document(self, number: int) -> DocumentRow | None:
        """Return one document."""
        return next(self._documents(" WHERE number = ?", (number,)), None)

    def documents_called(self, cote: str) -> list[DocumentRow]:
        """Return the documents of a cote, the newest first."""
        return list(self._documents(" WHERE cote = ? ORDER BY number DESC", (cote,)))

    def documents_referred(self, reference: str) -> Iterator[DocumentRow]:
        """Yield the documents that an archivist's reference means, by number."""
        if "reference" in self._lacking:
            return iter(())
        return self._documents(" WHERE reference = ? ORDER BY number", (reference,))

    def description(self, number: int) -> DescriptionRow | None:
        """Return one row of a bordereau."""
        return next(self._descriptions(" WHERE number = ?", (number,)), None)

    def described_folders(self) -> Iterator[tuple[str, int]]:
        """Yield which folders rows of bordereaux mean, with the rows' numbers, in their order; two may mean one."""
        return self._described("folder")

    def described_cotes(self) -> Iterator[tuple[str, int]]:
        """Yield the cotes that rows of bordereaux describe, likewise."""
        return self._described("cote")

    def cotes(self) -> Iterator[tuple[str, int]]:
        """Yield the cote and number of every document; of the index, only what is needed for that is read."""
        for cote, number in self.query("SELECT cote, number FROM documents INDEXED BY documents_cote"):
            if isinstance(cote, str) and isinstance(number, int):
                yield cote, number

    def pages(self, document: int) -> Iterator[PageRow]:
        """Yield the pages of a document in order; `stems` and `grams` are not kept and come back empty."""
        sql = _select("pages") + " WHERE document = ? ORDER BY page"
        return self._rows(PageRow, schema.PAGE, sql, (document,))

    def check(self) -> None:
        """Read the whole database and raise MalformedError unless SQLite finds it sound."""
        if list(self.query("PRAGMA quick_check(1)")) != [("ok",)]:
            raise MalformedError(_("SQLite finds the database of the index damaged."))

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._database.close(True)

    def _rows(
        self, form: Callable[..., _Row], shape: schema.Shape, sql: str, bindings: Sequence[Value] = ()
    ) -> Iterator[_Row]:
        for values in self.query(sql, bindings):
            _check_shape(values, shape)
            yield form(*values)

    def _documents(self, condition: str, bindings: Sequence[Value] = ()) -> Iterator[DocumentRow]:
        sql = _select("documents", self._lacking) + condition
        return self._rows(DocumentRow, schema.DOCUMENT, sql, bindings)

    def _descriptions(self, condition: str, bindings: Sequence[Value] = ()) -> Iterator[DescriptionRow]:
        if not self.names_documents:
            return iter(())
        return self._rows(DescriptionRow, schema.DESCRIPTION, _select("descriptions") + condition, bindings)

    def _described(self, by: str) -> Iterator[tuple[str, int]]:
        if not self.names_documents:
            return
        sql = f"SELECT {by}, number FROM descriptions INDEXED BY descriptions_{by} ORDER BY {by}, number"  # noqa: S608 -- a column
        for key, number in self.query(sql):
            if isinstance(key, str) and isinstance(number, int):
                yield key, number

    def _volume(self, number: int) -> VolumeRow:
        for row in self._rows(VolumeRow, schema.VOLUME, _select("volumes") + " WHERE number = ?", (number,)):
            return row
        raise MalformedError(_("The index names a volume that it does not describe."))

    def _check_schema(self) -> None:
        """Refuse what an index never holds: another program's database, views, triggers, computed columns."""
        identity = [*self.query("PRAGMA application_id"), *self.query("PRAGMA user_version")]
        if identity != [(schema.APPLICATION_ID,), (schema.USER_VERSION,)]:
            raise MalformedError(_("This is no index that this version of Repatria understands."))
        for kind, name, sql in self.query("SELECT type, name, sql FROM sqlite_schema"):
            virtual = isinstance(sql, str) and sql.lstrip().upper().startswith("CREATE VIRTUAL")
            if kind not in {"table", "index"} or (virtual and name not in schema.FULL_TEXT):
                raise MalformedError(_("The index holds something that an index never holds (views, triggers)."))
        for table, columns in schema.COLUMNS.items():
            found = {
                name: hidden for name, hidden in self.query("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,))
            }
            if table in schema.ADDED_TABLES:
                self.names_documents = bool(found)
                if not found:
                    continue
            added = schema.ADDED.get(table, frozenset())
            if any(found.get(column, 0 if column in added else None) != 0 for column in columns):
                raise MalformedError(_("A table of the index is not as it must be."))
            self._lacking |= {column for column in added if column not in found}

    def _read_meta(self) -> IndexMeta:
        values = {str(key): str(value) for key, value in self.query("SELECT key, value FROM meta")}
        try:
            if values["format"] != schema.FORMAT:
                raise MalformedError(_("This is no index that this version of Repatria understands."))
            return IndexMeta(
                dataset=values["dataset"],
                bundle=values["bundle"],
                index=int(values["index"]),
                first_volume=int(values["first_volume"]),
                last_volume=int(values["last_volume"]),
            )
        except (KeyError, ValueError) as error:
            raise MalformedError(_("The index does not say what it belongs to.")) from error


def _restrict(database: apsw.Connection) -> None:
    """Let a hostile database do nothing but be read (https://sqlite.org/security.html)."""
    for setting, value in (
        (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
        (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
    ):
        database.config(setting, value)
    for limit, most in (
        (apsw.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE),
        (apsw.SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (apsw.SQLITE_LIMIT_COLUMN, 100),
        (apsw.SQLITE_LIMIT_EXPR_DEPTH, 100),
        (apsw.SQLITE_LIMIT_COMPOUND_SELECT, 10),
        (apsw.SQLITE_LIMIT_ATTACHED, 0),
        (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
    ):
        database.limit(limit, most)
    database.execute(
        "PRAGMA temp_store=MEMORY; PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
        "PRAGMA cache_size=-2000"
    ).fetchall()  # apsw stops at the first row until it is fetched


def _malformed(error: Exception) -> MalformedError:
    return MalformedError(_("The index cannot be read as a database ({reason}).").format(reason=type(error).__name__))


def _select(table: str, lacking: Set[str] = frozenset()) -> str:
    named = (f'NULL AS "{column}"' if column in lacking else f'"{column}"' for column in schema.COLUMNS[table])
    columns = ", ".join(named)
    return f"SELECT {columns} FROM {table}"  # noqa: S608 -- a table and columns of schema.COLUMNS, no outside text


def _object_row(values: tuple[Value, ...]) -> ObjectRow:
    _check_shape(values, schema.OBJECT)
    if any(isinstance(values[place], bytes) for place in PATHS):
        values = tuple(
            path_text(value) if isinstance(value, bytes) and place in PATHS else value
            for place, value in enumerate(values)
        )
    row = ObjectRow(*values)  # type: ignore[arg-type]  # the shape was checked
    lengths = (len(row.sha256), len(row.salt))
    if row.kind not in _KINDS or lengths != (32, SALT_LENGTH) or row.size < 0 or row.number < 1:
        raise MalformedError(_("A row of the index is not as it must be."))
    return row


def _check_shape(values: Sequence[Value], shape: schema.Shape) -> None:
    if len(values) != len(shape) or not all(map(isinstance, values, shape)):
        raise MalformedError(_("A row of the index is not as it must be."))


__all__ = ["Index", "IndexMeta"]
