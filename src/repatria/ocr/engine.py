"""The seam to whatever reads letters: Tesseract in memory, or through its program where it cannot be had in memory.

`EngineChoice` is a plain value that travels to the process where pages are worked; `open()` loads the models there.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.ocr.languages import advice_for, shown
from repatria.ocr.lexicon import Lexicon, WordGraphs
from repatria.ocr.words import Box, Word

if TYPE_CHECKING:
    from PIL.Image import Image

TESSDATA_FOLDERS = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 -- memory-backed: where pytesseract's files never reach a disk


class Layout(IntEnum):
    """How an engine looks for text; the values are Tesseract's page segmentation modes."""

    AUTOMATIC = 3
    COLUMN = 4
    """One column of lines of various sizes: tables are read row by row."""
    BLOCK = 6
    SPARSE = 11


@dataclass(frozen=True, slots=True)
class Upright:
    """How a page stands."""

    rotation: int
    """Clockwise degrees to turn it upright: 0, 90, 180, 270."""
    confidence: float
    """Tesseract's: above about 2 means something, above 10 means surely."""


class Engine(Protocol):
    """Reads one prepared picture at a time; not for several threads at once."""

    @property
    def lexicon(self) -> Lexicon:
        """The words of the languages it reads."""

    def read(self, image: "Image", dpi: float, layout: Layout = Layout.AUTOMATIC) -> list[Word]:
        """Return the words of a grey picture in reading order, boxes in its pixels; empty if there are none."""

    def upright(self, image: "Image") -> Upright | None:
        """Return how the page stands; None if there is too little text to tell."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine to open where pages are worked."""

    kind: str
    """`tesserocr` or `pytesseract`."""
    languages: tuple[str, ...]
    tessdata: str
    """Folder of the trained data."""
    can_orient: bool = True
    """Whether the orientation data (`osd`) is installed."""
    version: str = "tesseract"
    """Name and version, for the record."""

    @property
    def in_memory(self) -> bool:
        """Whether pages reach the engine without any file."""
        return self.kind == "tesserocr"

    def here(self) -> "EngineChoice":
        """Return the choice for these languages on this machine, which may not be the one that chose; UsageError."""
        return choose_engine(self.languages)

    def open(self) -> Engine:
        """Load the models, in the process that calls."""
        os.environ["OMP_THREAD_LIMIT"] = "1"
        return _TesserocrEngine(self) if self.in_memory else _PytesseractEngine(self)


def choose_engine(languages: Sequence[str], environment: Mapping[str, str] = os.environ) -> EngineChoice:
    """Return the engine for `languages` (`fra`, or several), before any work.

    UsageError if no engine is installed or a language's data is missing; the advice names the Debian package, if any.
    """
    tessdata = find_tessdata(environment)
    installed = _data_in(tessdata)
    missing = [language for language in languages if language not in installed]
    if tessdata is None or missing:
        raise UsageError(
            _("Text recognition has no data for: {languages}. Nothing was done.").format(languages=", ".join(missing)),
            advice=advice_for(missing, installed),
        )
    kind, version = _installed_engine()
    return EngineChoice(kind, tuple(languages), str(tessdata), "osd" in installed, version)


def installed_languages(environment: Mapping[str, str] = os.environ) -> str:
    """Return the languages that pages can be read in here, for people."""
    return shown(_data_in(find_tessdata(environment)))


def _data_in(tessdata: Path | None) -> set[str]:
    return {file.stem for file in tessdata.glob("*.traineddata")} if tessdata else set()


def find_tessdata(environment: Mapping[str, str]) -> Path | None:
    """Return the folder of Tesseract's trained data: `$TESSDATA_PREFIX`, else where distributions put it."""
    prefix = environment.get("TESSDATA_PREFIX")
    if prefix:
        folders = [Path(prefix), Path(prefix, "tessdata")]
    else:
        folders = [
            folder
            for pattern in TESSDATA_FOLDERS
            for folder in sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
        ]
    return next((folder for folder in folders if any(folder.glob("*.traineddata"))), None)


def languages_of(text: str) -> tuple[str, ...]:
    """Return the languages named in `fra+ara` or `fra,ara`, each once, in order; UsageError if there is none."""
    names = tuple(dict.fromkeys(name.strip() for name in text.replace(",", "+").split("+") if name.strip()))
    if not names or not all(name.replace("_", "").isalnum() for name in names):
        raise UsageError(
            _("{text} does not name languages for text recognition.").format(text=repr(text)),
            advice=_("Give Tesseract's names, for example fra, or fra+ara for both."),
        )
    return names


def _installed_engine() -> tuple[str, str]:
    """Return which engine is there, the one that works in memory first, and its name and version."""
    with contextlib.suppress(ImportError):
        import tesserocr

        return "tesserocr", f"tesseract {tesserocr.PyTessBaseAPI.Version()}"
    if shutil.which("tesseract"):
        with contextlib.suppress(ImportError):
            import pytesseract

            return "pytesseract", f"tesseract {pytesseract.get_tesseract_version()}"
    raise UsageError(
        _("No engine for text recognition is installed. Nothing was done."),
        advice=_("Install it from Repatria's own folder: pip install '.[ocr]'"),
    )


def _lexicon_of(choice: EngineChoice) -> Lexicon:
    return WordGraphs.of(Path(choice.tessdata), choice.languages)


class _Lines:
    """Numbers words by the beginnings of lines and blocks that an engine tells."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self._line = self._block = -1

    def add(self, text: str, box: Box, confidence: float, *, new_line: bool, new_block: bool) -> None:
        self._block += new_block or self._block < 0
        self._line += new_line or new_block or self._line < 0
        if text.strip():
            self.words.append(Word(text.strip(), box, confidence, self._line, self._block))


class _TesserocrEngine:
    """Tesseract's library, pages handed over in memory."""

    def __init__(self, choice: EngineChoice) -> None:
        import tesserocr

        self._tesserocr = tesserocr
        self._choice = choice
        tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
        self._reader = tesserocr.PyTessBaseAPI(path=choice.tessdata, lang="+".join(choice.languages))
        self._orienter = (
            tesserocr.PyTessBaseAPI(path=choice.tessdata, lang="osd", psm=tesserocr.PSM.OSD_ONLY)
            if choice.can_orient
            else None
        )
        self.lexicon = _lexicon_of(choice)
        self._reader.SetVariable("debug_file", os.devnull)  # complaints about single pages; stderr has its own rules

    def read(self, image: "Image", dpi: float, layout: Layout = Layout.AUTOMATIC) -> list[Word]:
        """See Engine."""
        self._reader.SetPageSegMode(int(layout))
        self._reader.SetImage(image)
        self._reader.SetSourceResolution(round(min(max(dpi, 70.0), 2400.0)))
        try:
            self._reader.Recognize()
            return self._words()
        finally:
            # No page may colour the reading of the next: the same page gives the same words, whoever came before.
            self._reader.Clear()
            self._reader.ClearAdaptiveClassifier()

    def _words(self) -> list[Word]:
        level = self._tesserocr.RIL
        lines = _Lines()
        iterator = self._reader.GetIterator()
        if iterator is None:
            return []
        for item in self._tesserocr.iterate_level(iterator, level.WORD):
            box = item.BoundingBox(level.WORD)
            if item.Empty(level.WORD) or box is None:
                continue
            lines.add(
                item.GetUTF8Text(level.WORD),
                Box(*map(float, box)),
                float(item.Confidence(level.WORD)),
                new_line=item.IsAtBeginningOf(level.TEXTLINE),
                new_block=item.IsAtBeginningOf(level.BLOCK),
            )
        return lines.words

    def upright(self, image: "Image") -> Upright | None:
        """See Engine."""
        if self._orienter is None:
            return None
        self._orienter.SetImage(image)
        try:
            found = self._orienter.DetectOrientationScript()
        finally:
            self._orienter.Clear()
        if not found:
            return None
        return Upright(-int(found["orient_deg"]) % 360, float(found["orient_conf"]))


class _PytesseractEngine:
    """Tesseract's program. It exchanges files: they are kept in memory-backed /dev/shm."""

    def __init__(self, choice: EngineChoice) -> None:
        import pytesseract

        if not _MEMORY_FOLDER.is_dir():
            raise UsageError(
                _("The engine here exchanges pages in files, and this machine has no memory-backed folder for them."),
                advice=_("Install tesserocr, which reads pages in memory: pip install tesserocr."),
            )
        tempfile.tempdir = str(_MEMORY_FOLDER)
        os.environ["TESSDATA_PREFIX"] = choice.tessdata
        self.lexicon = _lexicon_of(choice)
        self._pytesseract = pytesseract
        self._choice = choice

    def read(self, image: "Image", dpi: float, layout: Layout = Layout.AUTOMATIC) -> list[Word]:
        """See Engine."""
        table = self._pytesseract.image_to_data(
            image,
            lang="+".join(self._choice.languages),
            config=f"--psm {int(layout)} --dpi {round(min(max(dpi, 70.0), 2400.0))}",
            output_type=self._pytesseract.Output.DICT,
        )
        lines = _Lines()
        before: tuple[int, int, int] | None = None
        for row in range(len(table["text"])):
            if int(table["level"][row]) != 5:
                continue
            place = (table["block_num"][row], table["par_num"][row], table["line_num"][row])
            left, top = float(table["left"][row]), float(table["top"][row])
            lines.add(
                table["text"][row],
                Box(left, top, left + table["width"][row], top + table["height"][row]),
                float(table["conf"][row]),
                new_line=place != before,
                new_block=before is None or place[0] != before[0],
            )
            before = place
        return lines.words

    def upright(self, image: "Image") -> Upright | None:
        """See Engine."""
        if not self._choice.can_orient:
            return None
        try:
            found = self._pytesseract.image_to_osd(image, output_type=self._pytesseract.Output.DICT)
        except self._pytesseract.TesseractError:
            return None  # it says "too few characters" by failing
        return Upright(int(found["rotate"]) % 360, float(found["orientation_conf"]))
