"""Putting documents into volumes: whole documents, the original last, so that what is known of it is known of all."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from types import TracebackType
from typing import Self

from repatria.bundle.rows import DocumentRow, MemberRow, ObjectRow, PageRow
from repatria.bundle.volume import CUT_ABOVE, VolumeBuilder, largest_part, member_overhead, member_span
from repatria.model import Object
from repatria.ocr.description import Description, described
from repatria.ocr.folding import indexed_grams, indexed_stems
from repatria.ocr.intake import Shelf
from repatria.ocr.reading import ReadDocument
from repatria.ocr.words import PageText
from repatria.work.bundling import BundleRun

SAVE_AFTER = 20.0
"""Seconds after which finished documents go to the target though their volume has room: a power cut loses no more."""
_SALT_LENGTH = 16


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
        self._objects: list[ObjectRow] = []
        self._members: list[MemberRow] = []
        self._documents: list[DocumentRow] = []
        self._pages: list[PageRow] = []
        self._burials: list[str] = []
        self._finished: list[Finished] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.shutdown(wait=True)
        if self._volume is not None:
            self._run.drop(self._volume)
            self._volume = None

    def add(self, finished: Finished) -> int:
        """Put a scan's documents into the volumes and return its original's object number.

        What goes wrong with the target is raised by a later call.
        """
        told = finished.original
        derived = [self._place_derived(finished, document) for document, _description in finished.documents]
        kept = replace(told, path=finished.shelf.original, version=version_of(finished.sha256), size=len(finished.data))
        original = self._place(finished, (kept, finished.data))
        for (document, description), numbers in zip(finished.documents, derived, strict=True):
            row = self._row(finished, document, description, original, numbers)
            self._documents.append(row)
            self._pages += [page_row(row.number, page, finished.languages) for page in document.pages]
        for shelf in self._withdrawn(finished):
            self._documents.append(withdrawn_row(self._run.next_document_number(), shelf))
            self._burials += shelf.derived
        self._finished.append(finished)
        if self.is_due:
            self.save()
        return original

    @property
    def is_due(self) -> bool:
        """Whether what waits has waited long enough."""
        return self._clock() - self._begun >= SAVE_AFTER

    def _place_derived(self, finished: Finished, document: ReadDocument) -> tuple[int, int, int | None]:
        """Put what was made of one document; return the object numbers of ALTO, text and PDF."""
        told, shelf, made = finished.original, document.shelf, document.derived
        alto = self._place(finished, _derived(told, shelf.alto, made.alto, "application/xml"))
        text = self._place(finished, _derived(told, shelf.text, made.text, "text/plain; charset=utf-8"))
        if made.pdf is None:
            return alto, text, None
        return alto, text, self._place(finished, _derived(told, shelf.pdf, made.pdf, "application/pdf"))

    def _row(
        self,
        finished: Finished,
        document: ReadDocument,
        description: Description | None,
        original: int,
        numbers: tuple[int, int, int | None],
    ) -> DocumentRow:
        shelf = document.shelf
        alto, text, pdf = numbers
        confidences = [page.confidence for page in document.pages if page.confidence is not None]
        return DocumentRow(
            number=self._run.next_document_number(),
            cote=shelf.cote,
            dossier=shelf.dossier,
            title=(description.title if description else "") or shelf.title,
            dates=(description.dates if description else "") or None,
            description=described(description, finished.fonds),
            original=original,
            pdf=pdf,
            text=text,
            alto=alto,
            pages=len(document.pages),
            languages="+".join(finished.languages),
            confidence=sum(confidences) / len(confidences) if confidences else None,
            reference=description.reference if description else None,
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
        if self._volume is not None and self._members:
            self._send(full=False)

    def settle(self) -> None:
        """Wait until everything is stored; raises what went wrong."""
        self.save()
        self._await_sent()

    def _place(self, finished: Finished, item: tuple[Object, bytes]) -> int:
        """Put one object into volumes, cut where they end if it is large; return its number."""
        told, data = item
        number = self._run.next_object_number()
        self._write(told, self._run.member_name(told.path, number), number, data)
        row = ObjectRow.of(
            told,
            number=number,
            source=finished.source,
            sha256=hashlib.sha256(data).digest(),
            salt=secrets.token_bytes(_SALT_LENGTH),
            recognised=told.content_type,
        )
        self._objects.append(row)
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
        self._members.append(volume.end())

    def _fits(self, told: Object, name: str, length: int) -> bool:
        return member_span(told, name, length) <= self._open_volume().room

    def _open_volume(self) -> VolumeBuilder:
        if self._volume is None:
            self._volume = self._run.volume()
            self._begun = self._clock()
        return self._volume

    def _send(self, *, full: bool) -> None:
        """Hand the volume to the thread that stores; one is on its way at a time, in order."""
        volume = self._volume
        if volume is None:
            return
        self._await_sent()
        content = (self._objects, self._members, self._documents, self._pages, self._burials, self._finished)
        self._volume = None
        self._objects, self._members, self._documents, self._pages = [], [], [], []
        self._burials, self._finished = [], []
        self._sending = self._sender.submit(self._store, volume, *content, last=not full)

    def _store(
        self,
        volume: VolumeBuilder,
        objects: Sequence[ObjectRow],
        members: Sequence[MemberRow],
        documents: Sequence[DocumentRow],
        pages: Sequence[PageRow],
        burials: Sequence[str],
        finished: Sequence[Finished],
        *,
        last: bool,
    ) -> None:
        # A scan that came again before its bundle was finished: a path has one row in a bundle.
        taken = [number for row in objects if (number := self._run.catalogue.taken(row.path)) is not None]
        self._run.store(volume, objects, members, documents=documents, pages=pages, last=last)
        buried = [known.number for path in burials if (known := self._run.known(path)) is not None]
        if taken or buried:
            self._run.bury_all([*taken, *buried])
        for each in finished:
            self._stored(each)
        self._run.publish_if_due()

    def _await_sent(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.result()


def withdrawn_row(number: int, shelf: Shelf) -> DocumentRow:
    """Return the row of a document without pages: it takes the place of an earlier one of its name."""
    nothing = None, None, None, None
    return DocumentRow(number, shelf.cote, shelf.dossier, None, None, None, *nothing, 0, "", None)


def page_row(document: int, page: PageText, languages: tuple[str, ...]) -> PageRow:
    """Return the index's row of a page."""
    text = page.text
    return PageRow(
        document=document,
        page=page.number,
        width=page.width,
        height=page.height,
        dpi=float(page.dpi),
        rotation=page.rotation,
        words=len(page.words),
        confidence=page.confidence,
        flags=json.dumps(list(page.flags)),
        text=text,
        stems=indexed_stems(text, languages),
        grams=indexed_grams(text),
    )


def _derived(original: Object, path: str, data: bytes, content_type: str) -> tuple[Object, bytes]:
    told = Object(path, len(data), mtime_ns=original.mtime_ns, mode=0o644, content_type=content_type)
    return told, data
