"""PDF as input, through PDFium: how many pages, what text they already have, and their pictures.

Runs in a child process (`isolation`), like every decoder. PDFium is not for several threads at once.
"""

import ctypes
import math
import mmap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image
from pypdfium2 import raw

from repatria.i18n import _
from repatria.ocr.foreign import LockedFileError
from repatria.ocr.memory import Source
from repatria.ocr.picture import UnreadablePageError
from repatria.ocr.preparation import Grey
from repatria.ocr.words import Box, Word, hull

TEXT_LAYER_DPI = 200.0
"""Resolution of the boxes on a page whose own text is kept."""
LEAST_DPI, MOST_DPI = 150.0, 600.0
DRAWN_DPI = 300.0
"""Of a page that is drawn, not scanned, yet has no text that can be used."""
MAX_RENDERED_PIXELS = 50_000_000
"""Of a page that is drawn: as many as are read (`looks`); A2 at 300 dpi has 35 million."""
MAX_PAGES = 20_000
_FEW_WORDS = 25
_BACKGROUND_PIXELS = 64  # images of so few pixels are colours stretched over a page
_POINTS_PER_INCH = 72.0


@dataclass(frozen=True, slots=True)
class PageFacts:
    """A page of a PDF as PDFium shows it: cropped and turned by its /Rotate."""

    width: float
    height: float
    """Points."""
    image_dpi: float | None
    """Of its largest image; None without one."""
    image_share: float
    """Share of the page that images cover, 0..1."""

    @property
    def rendering_dpi(self) -> float:
        """The resolution at which the page is drawn: that of its largest image, within reason and memory."""
        wanted = min(max(self.image_dpi or DRAWN_DPI, LEAST_DPI), MOST_DPI)
        square_inches = self.width * self.height / _POINTS_PER_INCH**2
        return min(wanted, math.sqrt(MAX_RENDERED_PIXELS / square_inches))


@contextmanager
def opened_pdf(source: Source) -> Iterator[pypdfium2.PdfDocument]:
    """Open a PDF in memory; one that asks for a password or is no PDF is UnreadablePageError."""
    try:
        document = pypdfium2.PdfDocument(source if isinstance(source, bytes) else _mapped(source))
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            raise LockedFileError(
                _("The PDF asks for a password."),
                advice=_("Save a copy without a password, and digitise that one."),
            ) from error
        raise UnreadablePageError(_("The PDF is damaged or is no PDF.")) from error
    try:
        yield document
    finally:
        document.close()


def _mapped(source: Path) -> ctypes.Array[ctypes.c_char]:
    """Return bytes of which only those that PDFium reads come into this process."""
    with source.open("rb") as held:
        mapped = mmap.mmap(held.fileno(), 0, access=mmap.ACCESS_COPY)  # ctypes takes nothing that is read-only
    return (ctypes.c_char * len(mapped)).from_buffer(mapped)


def count_pages(source: Source) -> int:
    """Return how many pages a PDF has."""
    with opened_pdf(source) as document:
        count = len(document)
    if count > MAX_PAGES:
        raise UnreadablePageError(
            _("The PDF claims {count} pages; at most {limit} are read.").format(count=count, limit=MAX_PAGES)
        )
    return count


@dataclass(frozen=True, slots=True)
class PdfPage:
    """One open page."""

    page: pypdfium2.PdfPage
    facts: PageFacts

    def rendered(self, dpi: float) -> Grey:
        """Draw the page in grey."""
        bitmap = self.page.render(scale=dpi / _POINTS_PER_INCH, grayscale=True)
        try:
            pixels: Grey = np.array(bitmap.to_numpy(), dtype=np.uint8)
        finally:
            bitmap.close()
        return pixels.reshape(pixels.shape[:2])

    def picture(self, dpi: float) -> Image.Image:
        """Draw the page in colour."""
        bitmap = self.page.render(scale=dpi / _POINTS_PER_INCH)
        try:
            drawn: Image.Image = bitmap.to_pil().convert("RGB")
        finally:
            bitmap.close()
        return drawn

    def words(self) -> tuple[Word, ...]:
        """Return the words of the page's own text, boxes at TEXT_LAYER_DPI, in the order the file has them."""
        layer = self.page.get_textpage()
        try:
            characters = list(_characters(layer))
        finally:
            layer.close()
        shown = _shown(self.page)
        words: list[Word] = []
        line = 0
        for run, ends_line in _runs(characters):
            if run:
                text = unicodedata.normalize("NFC", "".join(character for character, _box in _logical(run)))
                words.append(Word(text, hull(shown(box) for _character, box in run), None, line, 0))
            line += ends_line
        return tuple(words)


@contextmanager
def opened_page(source: Source, index: int) -> Iterator[PdfPage]:
    """Open one page, from 0."""
    with opened_pdf(source) as document:
        try:
            page = document[index]
        except (pypdfium2.PdfiumError, IndexError) as error:
            raise UnreadablePageError(_("The page is damaged.")) from error
        try:
            yield PdfPage(page, _facts_of(page))
        finally:
            page.close()


def _facts_of(page: pypdfium2.PdfPage) -> PageFacts:
    width, height = page.get_size()
    if width <= 0 or height <= 0:
        raise UnreadablePageError(_("The page has no size."))
    largest, covered, dpi = 0.0, 0.0, None
    for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4):
        left, bottom, right, top = image.get_bounds()
        area = max(0.0, right - left) * max(0.0, top - bottom)
        pixels = math.prod(image.get_px_size())
        if pixels <= _BACKGROUND_PIXELS:
            continue
        covered += area
        if area > largest:
            largest = area
            dpi = math.sqrt(pixels / area) * _POINTS_PER_INCH
    return PageFacts(width, height, dpi, min(1.0, covered / (width * height)))


def text_is_good(words: Sequence[Word], image_share: float) -> bool:
    """Tell whether a page's own text can stand for what is seen on it.

    Not if it has none; not if it is a stamp or a header of a few words over a scanned page; not if it is garbage: fonts
    without a right mapping give replacement and private-use characters, or letters of scripts that nobody here writes.
    """
    if not words or (image_share > 0.5 and len(words) < _FEW_WORDS):
        return False
    characters = [character for word in words for character in word.text]
    letters = [character for character in characters if character.isalpha()]
    garbage = sum(1 for character in characters if unicodedata.category(character) in ("Cc", "Co", "Cn", "Cs"))
    garbage += characters.count("\ufffd")
    expected = sum(1 for letter in letters if unicodedata.name(letter, "").startswith(("LATIN", "ARABIC")))
    return garbage <= 0.02 * len(characters) and expected >= 0.8 * len(letters)


_Character = tuple[str, Box]


def _characters(layer: pypdfium2.PdfTextPage) -> Iterator[tuple[str, Box | None]]:
    """Yield characters with boxes in page space (y upwards); white space has none."""
    for index in range(layer.count_chars()):
        code = raw.FPDFText_GetUnicode(layer, index)
        if not code or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            continue
        character = chr(code)
        yield character, None if character.isspace() else Box(*layer.get_charbox(index, loose=True))


def _runs(characters: Sequence[tuple[str, Box | None]]) -> Iterator[tuple[list[_Character], bool]]:
    """Yield the words, and whether a line ends after each."""
    run: list[_Character] = []
    for character, box in characters:
        if box is not None:
            run.append((character, box))
        elif run or character == "\n":
            yield run, character == "\n"
            run = []
    if run:
        yield run, False


def _logical(run: list[_Character]) -> list[_Character]:
    """Return a word's characters in logical order: files hold Arabic in visual order, too.

    Arabic is written from the right, so a word whose characters advance to the right is the wrong way round.
    """
    arabic = [box for character, box in run if unicodedata.name(character, "").startswith("ARABIC LETTER")]
    if len(arabic) < 2 or arabic[0].left >= arabic[-1].left:
        return run
    ordered: list[_Character] = []
    marks: list[_Character] = []
    for character, box in reversed(run):
        if unicodedata.combining(character):  # a mark comes before its letter now, and belongs behind it
            marks.append((character, box))
        else:
            ordered += [(character, box), *marks]
            marks = []
    return ordered + marks


def _shown(page: pypdfium2.PdfPage) -> "_PageToShown":
    left, bottom, right, top = page.get_bbox()
    return _PageToShown(Box(left, bottom, right, top), page.get_rotation() % 360, TEXT_LAYER_DPI / _POINTS_PER_INCH)


@dataclass(frozen=True, slots=True)
class _PageToShown:
    """From page space (points, y upwards, before /Rotate) to pixels as shown."""

    crop: Box
    """bottom and top stand in `top` and `bottom`: y is upwards."""
    rotation: int
    scale: float

    def __call__(self, box: Box) -> Box:
        ends = [self._point(box.left, box.top), self._point(box.right, box.bottom)]
        return Box(
            min(x for x, _y in ends),
            min(y for _x, y in ends),
            max(x for x, _y in ends),
            max(y for _x, y in ends),
        )

    def _point(self, x: float, y: float) -> tuple[float, float]:
        across, up = x - self.crop.left, y - self.crop.top
        width, height = self.crop.width, self.crop.height
        turned = {
            0: (across, height - up),
            90: (up, across),
            180: (width - across, up),
            270: (height - up, width - across),
        }[self.rotation]
        return turned[0] * self.scale, turned[1] * self.scale
