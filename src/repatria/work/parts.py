"""How far objects in parts have come, as the journal of the unfinished bundle holds it."""

import json
from dataclasses import dataclass

from repatria.work.catalogue import Catalogue
from repatria.work.journal import Journal

_PART = b"object part"


@dataclass(frozen=True, slots=True)
class ObjectPart:
    """How far an object in parts has come: everything that a later run needs to go on after this part."""

    object: int
    path: str
    fingerprint: bytes
    name: str
    """The member name, without the suffix of a part."""
    part: int
    end: int
    """Where the part ends in the object."""
    hash_state: bytes | None
    """Of the object's SHA-256 up to there; None where this machine cannot keep one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of objects that end in no proven volume yet."""

    journal: Journal
    catalogue: Catalogue

    def keep(self, volume: int, part: ObjectPart) -> None:
        """Note a part, which a volume that is being sent ends with."""
        fields = {"name": part.name, "end": part.end, "hash": part.hash_state.hex() if part.hash_state else None}
        sealed = self.journal.seal(json.dumps(fields).encode(), _PART)
        path = self.catalogue.path_mark(part.path)
        self.journal.change(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)",
            part.object,
            part.part,
            path,
            part.fingerprint,
            volume,
            sealed,
        )
        # The one before stays until this one is proven: if this volume is given up, the object goes on from there.
        self.journal.change("DELETE FROM parts WHERE object=? AND part<?", part.object, part.part - 1)

    def of(self, path: str, fingerprint: bytes) -> ObjectPart | None:
        """Return how far the object at a path has come in parts, if it is still the same version."""
        found = self.journal.row(
            "SELECT object, part, sealed FROM parts WHERE path=? AND fingerprint=? ORDER BY object DESC, part DESC",
            self.catalogue.path_mark(path),
            fingerprint,
        )
        if found is None or not fingerprint:
            return None
        number, part, sealed = found
        fields = json.loads(self.journal.unseal(sealed, _PART))
        state = bytes.fromhex(fields["hash"]) if fields["hash"] else None
        return ObjectPart(number, path, fingerprint, fields["name"], part, fields["end"], state)

    def reached(self, proven: str) -> tuple[dict[int, int], dict[int, int]]:
        """Return how far each of these objects has come in volumes in the state `proven`, and in others; by number."""
        safe: dict[int, int] = {}
        sent: dict[int, int] = {}
        rows = self.journal.rows(
            "SELECT parts.object, parts.sealed, volumes.state FROM parts JOIN volumes ON parts.volume=volumes.number"
            " ORDER BY parts.object, parts.part"
        )
        for number, sealed, state in rows:
            (safe if state == proven else sent)[number] = json.loads(self.journal.unseal(sealed, _PART))["end"]
        return safe, sent

    def forget(self, number: int) -> None:
        """Give up an object in parts: what lies in proven volumes belongs to no object."""
        self.journal.change("DELETE FROM parts WHERE object=?", number)
