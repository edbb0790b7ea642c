"""From what a scanner left to scans: which files are scans, what each is, and where its documents go.

What is unreadable is told by name and costs itself only; what plainly is no scan (`Thumbs.db`, hidden files) is left
out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import basename, dirname, splitext

from repatria.errors import Role, UsageError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.ocr.foreign import ForeignFileError
from repatria.ocr.memory import SharedBytes, content_of
from repatria.ocr.page import Form
from repatria.ocr.picture import UnreadablePageError
from repatria.source.base import ObjectSource
from repatria.store.base import Reading, Store
from repatria.store.registry import open_store, public_uri

LARGEST_SCAN = 2 << 30
"""Bytes of one file: it is held in memory while its pages are read."""
ORIGINALS = "originals/"
LITTER = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "picasa.ini", "repatria.toml"})
LITTER_ENDINGS = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".lnk", ".bak")

_IMAGE_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    *(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    *(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
)
_PDF_SIGNATURE = b"%PDF-"
_PDF_SIGNATURE_WITHIN = 1024


@dataclass(frozen=True, slots=True)
class Scan:
    """One file that may be a scan."""

    source: ObjectSource
    object: Object

    @property
    def path(self) -> str:
        """As in the dataset."""
        return self.object.path


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a scan's documents lie in the archive, and how people call it."""

    original: str
    pdf: str
    text: str
    alto: str
    cote: str
    dossier: str
    title: str
    file_name: str

    def document(self, number: int) -> "Shelf":
        """Return where one of several documents of the scan goes: into a folder of the scan's own name."""
        path = self.original.removeprefix(ORIGINALS)
        place = f"{path}/document-{number:03}"
        return replace(
            self,
            pdf=f"pdf/{place}.pdf",
            text=f"text/{place}.txt",
            alto=f"alto/{place}.alto.xml",
            cote=_sayable(place),
        )

    @property
    def derived(self) -> tuple[str, str, str]:
        """The paths of what is made of the scan."""
        return self.pdf, self.text, self.alto


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a scan is."""

    form: Form
    frames: tuple[int, ...]
    """Where each of its pages lies in the file, in order."""


class ScanFolder:
    """A folder, or single files of one, given on the command line: an `ObjectSource` of this machine.

    The folder is a dossier, so its name is the first component of its scans' paths.
    """

    def __init__(self, folder: Path, only: frozenset[str] | None = None, *, prefix: str | None = None) -> None:
        """Name the folder, and `only` some of its files; `prefix` stands before paths instead of the folder's name."""
        self.folder = folder.resolve()
        self.name = ""
        name = f"{self.folder.name}/" if self.folder.name else ""
        self._prefix = name if prefix is None else prefix
        self._only = only
        self._store: Store = open_store(self.folder.as_uri(), role=Role.SOURCE)
        self.public_uri = public_uri(self._store.uri)
        self.reads_at_once = self._store.reads_at_once

    def list(self) -> Iterator[Object]:
        """Yield the files."""
        for found in self._store.list():
            if self._only is None or found.path in self._only:
                yield replace(found, path=f"{self._prefix}{found.path}")

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        """Read one of them, as it was listed."""
        path = object.path.removeprefix(self._prefix)
        reading = self._store.read(path, start, length, version=object.version or None)
        return replace(reading, object=replace(reading.object, path=object.path))

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()


def scan_folders(scans: Sequence[Path]) -> list[ScanFolder]:
    """Return the sources of folders and files named on the command line; UsageError if one is not there.

    Files of one folder are one source, as if the folder held nothing else.
    """
    folders: dict[Path, set[str] | None] = {}
    for scan in scans:
        if not scan.exists():
            raise UsageError(
                _("There is no folder or file {path}. Nothing was done.").format(path=scan),
                advice=_("Give the folders or files of scans; quote names with spaces."),
            )
        if scan.is_dir():
            folders[scan.resolve()] = None
            continue
        names = folders.setdefault(scan.parent.resolve(), set())
        if names is not None:
            names.add(scan.name)
    names_of_dossiers = Counter(folder.name for folder in folders)
    twice = [name for name, count in names_of_dossiers.items() if count > 1]
    if twice:
        raise UsageError(
            _("Two of these folders are called {name}: their dossiers would be one.").format(name=twice[0]),
            advice=_("Give the folder above them, or digitise one after the other into archives of their own."),
        )
    return [ScanFolder(folder, None if only is None else frozenset(only)) for folder, only in folders.items()]


def list_scans(sources: Iterable[ObjectSource]) -> list[Scan]:
    """Return what the sources hold, but litter and folders, dossier by dossier in the order of names."""
    found = [
        Scan(source, told)
        for source in sources
        for told in source.list()
        if told.kind is not ObjectKind.DIRECTORY and not is_litter(told.path)
    ]
    return sorted(found, key=lambda scan: (dirname(scan.path), scan.path))


def is_litter(path: str) -> bool:
    """Tell whether a name is one of the files that systems leave beside scans."""
    name = basename(path).lower()
    hidden = any(part.startswith(".") for part in path.split("/"))
    return hidden or name in LITTER or name.startswith("~$") or name.endswith(LITTER_ENDINGS)


def shelves(scans: Iterable[Scan], is_known: Callable[[str], bool]) -> dict[str, Shelf]:
    """Return where each scan's documents go, by its path.

    Scans of one folder whose names differ in the extension only keep it, also against those archived before; one that
    was archived before stays where it is.
    """
    paths = [scan.path for scan in scans]
    stems = Counter(splitext(path)[0] for path in paths)
    placed = {}
    for path in paths:
        short, long = _shelf(path, splitext(path)[0]), _shelf(path, path)
        if is_known(short.original):
            placed[path] = long if is_known(long.text) else short
        else:
            placed[path] = long if stems[splitext(path)[0]] > 1 or is_known(short.text) else short
    return placed


def form_of(data: bytes) -> Form | None:
    """Return how a file's pages are got at, judged by its first bytes; None if it is no kind of scan."""
    if data.startswith(_IMAGE_SIGNATURES):
        return Form.IMAGE
    return Form.PDF if _PDF_SIGNATURE in data[:_PDF_SIGNATURE_WITHIN] else None


def inspect(scan: SharedBytes) -> Inspection:
    """Return what a scan is and where its pages lie; runs in a child process. UnreadablePageError if it is none."""
    source = scan.source
    head = content_of(source, 0, _PDF_SIGNATURE_WITHIN)
    form = form_of(head)
    if form is None and not scan.size:
        raise UnreadablePageError(_("It is empty."), advice=_("Scan it again, or take it out of the folder."))
    if form is None:
        raise ForeignFileError.of(head)
    if form is Form.PDF:
        from repatria.ocr.pdf_input import count_pages

        return Inspection(form, tuple(range(count_pages(source))))
    from repatria.ocr.picture import frames_of

    return Inspection(form, tuple(frames_of(source)))


def _shelf(path: str, place: str) -> Shelf:
    dossier = dirname(path)
    return Shelf(
        original=f"{ORIGINALS}{path}",
        pdf=f"pdf/{place}.pdf",
        text=f"text/{place}.txt",
        alto=f"alto/{place}.alto.xml",
        cote=_sayable(place),
        dossier=_sayable(dossier),
        title=_sayable(basename(splitext(path)[0])),
        file_name=_sayable(basename(path)),
    )


def _sayable(text: str) -> str:
    """Return a name fit for the index and for XML: what is not UTF-8 as replacement characters."""
    with suppress(UnicodeEncodeError):
        text.encode("utf-8")
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
