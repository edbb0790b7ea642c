"""Files that must reach the target with exactly these bytes, whatever interrupts: indexes, checkpoints, the end."""

from collections.abc import Mapping
from dataclasses import dataclass

from repatria.crypt.payload import Buffer
from repatria.work.journal import Journal


@dataclass(frozen=True, slots=True)
class Outbox:
    """The journal's files on their way, by path within the unfinished bundle. All of them are ciphertext or public."""

    journal: Journal

    def post(self, files: Mapping[str, Buffer]) -> None:
        """Add files, in the order in which they are to be put."""
        self.journal.change_many("INSERT INTO outbox(path, data) VALUES (?, ?)", files.items())

    def first(self) -> tuple[str, bytes] | None:
        """Return the path and bytes of the file that is to be put next."""
        found = self.journal.row("SELECT path, data FROM outbox ORDER BY position")
        return (found[0], found[1]) if found else None

    def waiting(self) -> set[str]:
        """Return the paths of all files that are to be put."""
        return {row[0] for row in self.journal.rows("SELECT path FROM outbox")}

    def delivered(self, path: str, tag_sha256: bytes | None) -> None:
        """Take a file out: the target has it. `tag_sha256` is kept for the tag manifest."""
        with self.journal.transaction():
            self.journal.change("DELETE FROM outbox WHERE path=?", path)
            if tag_sha256 is not None:
                self.journal.change("INSERT OR REPLACE INTO tag_files VALUES (?, ?)", path, tag_sha256)

    def clear(self) -> None:
        """Forget the files that wait."""
        self.journal.change("DELETE FROM outbox")

    def tag_files(self) -> dict[str, bytes]:
        """Return the SHA-256 of every checkpoint, and signature of one, that the target has."""
        return dict(self.journal.rows("SELECT path, sha256 FROM tag_files"))
