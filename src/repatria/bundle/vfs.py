"""The file system that SQLite sees: one read-only file, held by a `ReadAhead`; every other file is refused.

SQLite would otherwise be free to spill plaintext into temporary files, to look for journals, or to follow a hostile
database's wishes. Nothing here writes, and nothing here knows a path of the machine.
"""

import functools
import secrets

import apsw

from repatria.bundle.ahead import ReadAhead

NAME = "repatria-index"


class _ReadOnlyFile:
    """The one file of one connection, in the methods that SQLite calls (https://sqlite.org/c3ref/io_methods.html)."""

    def __init__(self, bytes_at: ReadAhead) -> None:
        self._bytes = bytes_at

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 -- SQLite's own name and signature
        return self._bytes.read_at(offset, amount)

    def xFileSize(self) -> int:  # noqa: N802 -- SQLite's own name
        return self._bytes.size

    def xClose(self) -> None:  # noqa: N802 -- SQLite's own name
        """Leave the bytes to the index."""

    def xLock(self, level: int) -> None:  # noqa: N802 -- SQLite's own name
        """Need no lock: nobody writes."""

    def xUnlock(self, level: int) -> None:  # noqa: N802 -- SQLite's own name
        """Need no lock: nobody writes."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802 -- SQLite's own name
        return False

    def xFileControl(self, operation: int, pointer: int) -> bool:  # noqa: N802, ARG002 -- SQLite's signature
        return False

    def xSectorSize(self) -> int:  # noqa: N802 -- SQLite's own name
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 -- SQLite's own name
        return int(apsw.SQLITE_IOCAP_IMMUTABLE)

    def xSync(self, flags: int) -> None:  # noqa: N802, ARG002
        raise apsw.ReadOnlyError("read-only")

    def xTruncate(self, size: int) -> None:  # noqa: N802, ARG002
        raise apsw.ReadOnlyError("read-only")

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802, ARG002
        raise apsw.ReadOnlyError("read-only")


class _IndexFiles(apsw.VFS):
    """Opens what was lent under a name, and nothing else."""

    def __init__(self) -> None:
        self.lent: dict[str, ReadAhead] = {}
        super().__init__(NAME, base="", maxpathname=256)

    def xOpen(self, name: object, flags: list[int]) -> _ReadOnlyFile:  # type: ignore[override]  # noqa: N802 -- any object with the file methods will do for apsw
        wanted = name.filename() if isinstance(name, apsw.URIFilename) else name
        found = self.lent.get(str(wanted))
        if found is None or not flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            raise apsw.CantOpenError("refused")
        flags[1] = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB
        return _ReadOnlyFile(found)

    def xFullPathname(self, name: str) -> str:  # noqa: N802 -- SQLite's own name
        return name

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802, ARG002 -- SQLite's signature
        return False

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, ARG002 -- SQLite's signature
        raise apsw.ReadOnlyError("read-only")

    def xDlOpen(self, filename: str) -> int:  # noqa: N802, ARG002
        raise apsw.CantOpenError("refused")


@functools.cache
def _index_files() -> _IndexFiles:
    return _IndexFiles()


def connect(bytes_at: ReadAhead) -> apsw.Connection:
    """Open the SQLite database in `bytes_at`, read-only and as something that never changes."""
    files = _index_files()
    name = f"/{secrets.token_hex(8)}"
    files.lent[name] = bytes_at
    try:
        return apsw.Connection(
            f"file:{name}?immutable=1&mode=ro",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs=NAME,
        )
    finally:
        del files.lent[name]
