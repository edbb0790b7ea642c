"""A letter typed on paper, and what time and the scanner did to it."""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from demo.letters import Letter, Wear

DPI = 200
A4 = (1654, 2339)
"""Pixels of an A4 page at this resolution."""

_LEFT, _TOP = 190, 150
_PITCH, _LINE = 19, 46
"""Pixels from one typed character, and from one typed line, to the next."""

_LINE_LENGTH = 66
_LINES_OF_FIRST_PAGE, _LINES_OF_OTHERS = 31, 38
_INDENT = " " * 5

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
TYPEWRITERS = ("Courier Prime.ttf", "LiberationMono-Regular.ttf", "DejaVuSansMono.ttf", "FreeMono.ttf")
PRINTED = ("LiberationSerif-Bold.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSans-Bold.ttf", "FreeSerifBold.ttf")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Face:
    """A font, and whether it has the letters of French."""

    font: Font
    accents: bool

    def spelt(self, text: str) -> str:
        """Return the text as it can be drawn; without accents it reads as telegrams did."""
        if self.accents:
            return text
        plain = text.replace("œ", "oe").replace("Œ", "OE").replace("–", "-").replace("°", "o")
        return unicodedata.normalize("NFD", plain).encode("ascii", "ignore").decode()


def face(names: tuple[str, ...], size: int) -> Face:
    """Return the first of these fonts that this machine has, else Pillow's own, which knows no accents."""
    for name in names:
        for folder in map(Path, FONT_FOLDERS):
            if found := next(iter(sorted(folder.rglob(name))), None):
                return Face(ImageFont.truetype(found, size), accents=True)
    return Face(ImageFont.load_default(size), accents=False)


def pages_of(letter: Letter) -> Iterator[Image.Image]:
    """Yield the letter's sheets as the scanner gives them, grey, at `DPI`."""
    typewriter, printed = face(TYPEWRITERS, 31), face(PRINTED, 30)
    pages = list(_pages_of_lines(letter))
    for number, lines in enumerate(pages, start=1):
        chance = random.Random(f"{letter.file} {number}")  # noqa: S311 -- the same scratches in every run
        page = Image.new("L", A4, 255)
        top = (
            _type_head(page, letter, typewriter, printed, chance)
            if number == 1
            else _type_number(page, number, typewriter, chance)
        )
        for line in lines:
            _type(page, (_LEFT, top), line, typewriter, chance)
            top += _LINE
        if number == len(pages):
            _sign(page, letter, (_LEFT, top + _LINE), typewriter, chance)
        yield worn(page, letter.wear, chance)


def _pages_of_lines(letter: Letter) -> Iterator[list[str]]:
    lines = list(typed_lines(letter.body))
    yield lines[:_LINES_OF_FIRST_PAGE]
    for start in range(_LINES_OF_FIRST_PAGE, len(lines), _LINES_OF_OTHERS):
        yield lines[start : start + _LINES_OF_OTHERS]


def typed_lines(body: str) -> Iterator[str]:
    """Break paragraphs as a typist does, the first line indented; lines behind a bar stay as they are."""
    for paragraph in body.strip().split("\n\n"):
        if paragraph.startswith("|"):
            yield from (line.removeprefix("|").removeprefix(" ") for line in paragraph.split("\n"))
        else:
            yield from _broken(paragraph)
        yield ""


def _broken(paragraph: str) -> Iterator[str]:
    line = _INDENT
    for word in paragraph.split(" "):
        if len(line) + len(word) > _LINE_LENGTH and line.strip():
            yield line.rstrip()
            line = ""
        line += f"{word} "
    yield line.rstrip()


def _type_head(page: Image.Image, letter: Letter, typewriter: Face, printed: Face, chance: random.Random) -> int:
    """Draw everything above the body; return where that begins."""
    pen = ImageDraw.Draw(page)
    top = _TOP
    for line in letter.office:
        pen.text((_LEFT, top), printed.spelt(line), font=printed.font, fill=40)
        top += 44
    pen.line((_LEFT, top + 8, _LEFT + 420, top + 8), fill=70, width=3)
    _type(page, (_LEFT, top + 40), letter.reference, typewriter, chance)
    _type(page, (_LEFT + 31 * _PITCH, top + 40), letter.place_and_date, typewriter, chance)
    top += 40 + 2 * _LINE
    _type(page, (_LEFT, top), f"Objet : {letter.subject}", typewriter, chance)
    pen.line((_LEFT, top + 38, _LEFT + 5 * _PITCH, top + 38), fill=70, width=2)
    top += 2 * _LINE
    _type(page, (_LEFT + 5 * _PITCH, top), letter.greeting, typewriter, chance)
    if letter.stamp:
        _stamp(page, letter.stamp, printed, chance)
    return top + 2 * _LINE


def _type_number(page: Image.Image, number: int, typewriter: Face, chance: random.Random) -> int:
    _type(page, (A4[0] // 2 - 3 * _PITCH, _TOP), f"- {number} -", typewriter, chance)
    return _TOP + 2 * _LINE


def _type(page: Image.Image, place: tuple[int, int], text: str, typewriter: Face, chance: random.Random) -> None:
    """Type a line: each letter struck a little high or low, a little light or dark."""
    pen = ImageDraw.Draw(page)
    for column, letter in enumerate(typewriter.spelt(text)):
        height = place[1] + chance.choice((0, 0, 0, 1, -1))
        pen.text((place[0] + column * _PITCH, height), letter, font=typewriter.font, fill=chance.randrange(20, 85))


def _sign(page: Image.Image, letter: Letter, place: tuple[int, int], typewriter: Face, chance: random.Random) -> None:
    """Type the signatory's capacity and name at the right, and scrawl between them."""
    left, top = place[0] + 26 * _PITCH, place[1]
    capacity, _comma, name = letter.signatory.partition(", ")
    _type(page, (left, top), capacity[:44], typewriter, chance)
    if name:
        _scrawl(page, (left + 60, top + 60), chance)
        _type(page, (left, top + 4 * _LINE), name, typewriter, chance)


def _scrawl(page: Image.Image, place: tuple[int, int], chance: random.Random) -> None:
    points = [(place[0] + 22 * step, place[1] + chance.randrange(90)) for step in range(14)]
    ImageDraw.Draw(page).line(points, fill=90, width=4, joint="curve")


def _stamp(page: Image.Image, text: str, printed: Face, chance: random.Random) -> None:
    """Press a framed stamp on the upper right corner, askew and short of ink."""
    size = (620, 110)
    stamp = Image.new("L", size, 255)
    pen = ImageDraw.Draw(stamp)
    pen.rectangle((6, 6, size[0] - 7, size[1] - 7), outline=105, width=5)
    pen.text((size[0] // 2, size[1] // 2), printed.spelt(text), font=printed.font, fill=105, anchor="mm")
    turned = stamp.rotate(chance.uniform(3, 8), Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    corner = (A4[0] - turned.width - 60, 90)
    box = (*corner, corner[0] + turned.width, corner[1] + turned.height)
    page.paste(ImageChops.multiply(page.crop(box), turned), corner)


def worn(page: Image.Image, wear: Wear, chance: random.Random) -> Image.Image:
    """Return the sheet as a scanner sees it: faded ink, grey paper, stains, dust, askew."""
    ink = page.point(lambda level: min(255, level + wear.faded) if level < 255 else 255)
    askew = ink.rotate(wear.tilt, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(wear.blur))
    sheet = ImageChops.multiply(askew, _paper(wear, chance))
    _punch(sheet)
    grain = np.random.default_rng(chance.randrange(1 << 32)).normal(0.0, wear.noise, sheet.size[::-1])
    grey = np.clip(np.asarray(sheet, dtype=np.float64) + grain, 0, 255)
    return Image.fromarray(grey.astype(np.uint8)).rotate(90 * wear.quarter_turns, expand=True)


def _paper(wear: Wear, chance: random.Random) -> Image.Image:
    """Return an old empty sheet: lightest in the middle, mottled, folded once, stained."""
    edges = (
        Image.radial_gradient("L").resize(A4).point(lambda level: round(wear.paper * (1 - wear.shade * level / 255)))
    )
    mottle = Image.frombytes("L", (12, 17), bytes(chance.randrange(238, 256) for _each in range(12 * 17)))
    paper = ImageChops.multiply(edges, mottle.resize(A4, Image.Resampling.BICUBIC))
    pen = ImageDraw.Draw(paper)
    fold = A4[1] // 2 + chance.randrange(-40, 40)
    pen.line((0, fold, A4[0], fold + chance.randrange(-6, 6)), fill=wear.paper - 45, width=2)
    for _stain in range(wear.stains):
        paper = ImageChops.multiply(paper, _stain_of_a_glass(chance))
    return paper


def _stain_of_a_glass(chance: random.Random) -> Image.Image:
    stain = Image.new("L", A4, 255)
    radius = chance.randrange(90, 170)
    left, top = chance.randrange(A4[0] - 2 * radius), chance.randrange(A4[1] - 2 * radius)
    box = (left, top, left + 2 * radius, top + 2 * radius)
    ImageDraw.Draw(stain).ellipse(box, fill=238, outline=205, width=chance.randrange(6, 14))
    return stain.filter(ImageFilter.GaussianBlur(4))


def _punch(sheet: Image.Image) -> None:
    """Punch the two holes of a binder; the scanner's lid is dark behind them."""
    pen = ImageDraw.Draw(sheet)
    for middle in (A4[1] // 2 - 315, A4[1] // 2 + 315):
        pen.ellipse((70, middle - 22, 114, middle + 22), fill=60)
