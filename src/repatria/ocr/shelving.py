"""Putting documents into volumes: whole documents, the original last, so that what is known of it is known of all."""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from types import TracebackType
from typing import Self

from repatria.bundle.rows import SALT_LENGTH, DescriptionRow, DocumentRow, MemberRow, ObjectRow, PageRow
from repatria.bundle.volume import CUT_ABOVE, VolumeBuilder, largest_part, member_overhead, member_span
from repatria.model import Object
from repatria.ocr.description import Description
from repatria.ocr.document_rows import document_row, page_row, withdrawn_row
from repatria.ocr.intake import Shelf
from repatria.ocr.reading import ReadDocument
from repatria.work.bundling import BundleRun
from repatria.work.sealed_rows import VolumeContent

SAVE_AFTER = 20.0
"""Seconds after which finished documents go to the target though their volume has room: a power cut loses no more."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A digitised scan, ready to be stored."""

    shelf: Shelf
    source: str
    original: Object
    """As its source told of it."""
    data: bytes = field(repr=False)
    sha256: bytes
    documents: tuple[tuple[ReadDocument, Description | None], ...]
    """Each with what the archivist says of it."""
    languages: tuple[str, ...]
    fonds: str = ""
    """Title of the fonds."""


def version_of(sha256: bytes) -> str:
    """Return the version under which an original stands in the catalogue: its digest, wherever it lies."""
    return f"sha256:{sha256.hex()}"


@dataclass(slots=True)
class _Waiting:
    """What goes with the volume that is being filled."""

    objects: list[ObjectRow] = field(default_factory=list)
    members: list[MemberRow] = field(default_factory=list)
    documents: list[DocumentRow] = field(default_factory=list)
    pages: list[PageRow] = field(default_factory=list)
    descriptions: list[DescriptionRow] = field(default_factory=list)
    burials: list[str] = field(default_factory=list)
    """Paths of what was made of earlier scans."""
    finished: list[Finished] = field(default_factory=list)


class Shelving:
    """Fills volumes document by document and has them stored behind the reading; used by one thread.

    Used as a context: what is on its way when the block ends is waited for, whatever ended it.
    """

    def __init__(
        self, run: BundleRun, stored: Callable[[Finished], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._stored = stored
        self._clock = clock
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="volume")
        self._sending: Future[None] | None = None
        self._volume: VolumeBuilder | None = None
        self._begun = 0.0
        self._waiting = _Waiting()
        self._named: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.shutdown(wait=True)
        if self._volume is not None:
            self._run.volumes.drop(self._volume)
            self._volume = None

    def add(self, finished: Finished) -> int:
        """Put a scan's documents into the volumes and return its original's object number.

        What goes wrong with the target is raised by a later call.
        """
        told = finished.original
        derived = [self._place_derived(finished, document) for document, _description in finished.documents]
        kept = replace(told, path=finished.shelf.original, version=version_of(finished.sha256), size=len(finished.data))
        original = self._place(finished.source, kept, finished.data)
        for (document, description), numbers in zip(finished.documents, derived, strict=True):
            row = self._row(finished, document, description, original, numbers)
            self._waiting.documents.append(row)
            self._waiting.pages += [page_row(row.number, page, finished.languages) for page in document.pages]
        for shelf in self._withdrawn(finished):
            self._waiting.documents.append(withdrawn_row(self._run.next_document_number(), shelf))
            self._waiting.burials += shelf.derived
        self._waiting.finished.append(finished)
        if self.is_due:
            self.save()
        return original

    def describe(self, bordereau: Object, data: bytes, rows: Sequence[DescriptionRow]) -> None:
        """Put a bordereau into the volumes, and the rows of it that the archive does not hold."""
        self._place("", bordereau, data)
        self._waiting.descriptions += rows

    @property
    def is_due(self) -> bool:
        """Whether what waits has waited long enough."""
        return self._clock() - self._begun >= SAVE_AFTER

    def _place_derived(self, finished: Finished, document: ReadDocument) -> tuple[int, int, int | None]:
        """Put what was made of one document; return the object numbers of ALTO, text and PDF."""
        shelf, made = document.shelf, document.derived
        alto = self._place_made(finished, shelf.alto, made.alto, "application/xml")
        text = self._place_made(finished, shelf.text, made.text, "text/plain; charset=utf-8")
        if made.pdf is None:
            return alto, text, None
        return alto, text, self._place_made(finished, shelf.pdf, made.pdf.read(), "application/pdf")

    def _place_made(self, finished: Finished, path: str, data: bytes, content_type: str) -> int:
        told = Object(path, len(data), mtime_ns=finished.original.mtime_ns, mode=0o644, content_type=content_type)
        return self._place(finished.source, told, data)

    def _row(
        self,
        finished: Finished,
        document: ReadDocument,
        description: Description | None,
        original: int,
        numbers: tuple[int, int, int | None],
    ) -> DocumentRow:
        alto, text, pdf = numbers
        dossier = document.shelf.dossier, description.reference if description else ""
        is_first = dossier not in self._named
        self._named.add(dossier)
        return document_row(
            self._run.next_document_number(),
            document.shelf,
            document.pages,
            description,
            objects=(original, pdf, text, alto),
            languages=finished.languages,
            fonds=finished.fonds,
            names_dossier=is_first,
        )

    def _withdrawn(self, finished: Finished) -> Iterator[Shelf]:
        """Yield the documents that an earlier scan of this name held, and this one does not."""
        scan = finished.shelf
        if self._run.known(scan.original) is None:
            return
        here = {document.shelf.text for document, _description in finished.documents}
        if scan.text not in here and self._run.known(scan.text) is not None:
            yield scan
        for number in count(1):
            shelf = scan.document(number)
            if shelf.text in here:
                continue
            if self._run.known(shelf.text) is None:
                return
            yield shelf

    def save(self) -> None:
        """Send what waits to the target, and wait for what was sent before."""
        if self._volume is not None and self._waiting.members:
            self._send(full=False)

    def settle(self) -> None:
        """Wait until everything is stored; raises what went wrong."""
        self.save()
        self._await_sent()

    def _place(self, source: str, told: Object, data: bytes) -> int:
        """Put one object into volumes, cut where they end if it is large; return its number."""
        number = self._run.next_object_number()
        self._write(told, self._run.volumes.member_name(told.path, number), number, data)
        row = ObjectRow.of(
            told,
            number=number,
            source=source,
            sha256=hashlib.sha256(data).digest(),
            salt=secrets.token_bytes(SALT_LENGTH),
            recognised=told.content_type,
        )
        self._waiting.objects.append(row)
        return number

    def _write(self, told: Object, name: str, number: int, data: bytes) -> None:
        """Write one object: whole, in the next volume if need be, or cut where volumes end if it is large."""
        if len(data) <= CUT_ABOVE and not self._fits(told, name, len(data)):
            self._send(full=True)
        if self._fits(told, name, len(data)):
            self._write_member(told, name, number, data)
            return
        start, part = 0, 1
        while start < len(data):
            rest, room = len(data) - start, self._open_volume().room
            fits = member_span(told, name, rest, part) <= room
            length = rest if fits else largest_part(room, member_overhead(told, name, part, rest))
            if length:
                self._write_member(told, name, number, data[start : start + length], part=part, start=start)
                start, part = start + length, part + 1
            if start < len(data):
                self._send(full=True)

    def _write_member(
        self, told: Object, name: str, number: int, data: bytes, *, part: int = 0, start: int = 0
    ) -> None:
        volume = self._open_volume()
        volume.begin(told, name, number=number, length=len(data), part=part, start=start)
        volume.write(data)
        self._waiting.members.append(volume.end())

    def _fits(self, told: Object, name: str, length: int) -> bool:
        return member_span(told, name, length) <= self._open_volume().room

    def _open_volume(self) -> VolumeBuilder:
        if self._volume is None:
            self._volume = self._run.volumes.volume()
            self._begun = self._clock()
        return self._volume

    def _send(self, *, full: bool) -> None:
        """Hand the volume to the thread that stores; one is on its way at a time, in order."""
        volume = self._volume
        if volume is None:
            return
        self._await_sent()
        content, self._waiting, self._volume = self._waiting, _Waiting(), None
        self._sending = self._sender.submit(self._store, volume, content, last=not full)

    def _store(self, volume: VolumeBuilder, content: _Waiting, *, last: bool) -> None:
        # A scan that came again before its bundle was finished: a path has one row in a bundle.
        taken = [number for row in content.objects if (number := self._run.catalogue.taken(row.path)) is not None]
        held = VolumeContent(content.objects, content.members, content.documents, content.pages, content.descriptions)
        self._run.volumes.store(volume, held, last=last)
        buried = [known.number for path in content.burials if (known := self._run.known(path)) is not None]
        if taken or buried:
            self._run.bury_all([*taken, *buried])
        for each in content.finished:
            self._stored(each)
        self._run.publish_if_due()

    def _await_sent(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.result()
