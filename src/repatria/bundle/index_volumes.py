"""The index of a bundle whose volumes have new heads: the same database but for what it says of the volumes' files."""

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from repatria.bundle.errors import MalformedError
from repatria.i18n import _


@dataclass(frozen=True, slots=True)
class NewVolume:
    """What a volume's age file is, with another header before the same payload."""

    number: int
    size: int
    sha256: bytes
    head_sha256: bytes


def with_volumes(payload: bytes, volumes: Iterable[NewVolume]) -> bytes:
    """Return the payload of an index in which these volumes have their new files; in memory, like all of an index.

    The payload must be authentic. MalformedError unless each volume has its row.
    """
    database = apsw.Connection(":memory:")
    try:
        database.deserialize("main", payload)
        database.execute("PRAGMA temp_store=MEMORY; PRAGMA journal_mode=MEMORY; PRAGMA trusted_schema=OFF").fetchall()
        with database:
            for volume in volumes:
                database.execute(
                    "UPDATE volumes SET size=?, sha256=?, head_sha256=? WHERE number=?",
                    (volume.size, volume.sha256, volume.head_sha256, volume.number),
                )
                if database.changes() != 1:
                    raise MalformedError(_("The index names a volume that it does not describe."))
        return database.serialize("main")
    except apsw.Error as error:
        reason = type(error).__name__
        raise MalformedError(_("The index cannot be read as a database ({reason}).").format(reason=reason)) from error
    finally:
        database.close()
