"""Pages as an office scanner gives them, made here: French administrative prose, typed or printed, A4 at 300 dpi.

The same pages every time: words, type, paper and grain come from one seed. Truth is kept beside them.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DPI = 300
SIZE = (2480, 3508)
FONT_FOLDERS = (Path("/usr/share/fonts/truetype/dejavu"), Path("/usr/share/fonts"))
TYPES = ("DejaVuSerif.ttf", "DejaVuSansMono.ttf", "DejaVuSans.ttf")
"""Of Debian's fonts-dejavu-core: print, typewriter, office printer."""
_MARGIN = 260
_GRAIN = 3.0
"""Standard deviation of a scanner's noise, in grey levels."""
_SUBJECTS = (
    "le médecin-chef de la circonscription", "la direction régionale de la santé", "le préfet du département",
    "l'infirmier major du dispensaire", "le comité de gestion de l'hôpital", "la sage-femme du district",
    "le trésorier de la commune", "l'inspecteur des pharmacies", "le service des archives", "la mission itinérante",
)  # fmt: skip
_VERBS = (
    "signale par la présente", "a l'honneur de transmettre", "rappelle avec insistance", "constate depuis janvier",
    "demande instamment", "vient d'approuver", "n'a pas encore reçu", "propose de différer", "déclare avoir vérifié",
)  # fmt: skip
_OBJECTS = (
    "le relevé trimestriel des vaccinations", "les registres de consultation", "trois caisses de quinine",
    "la liste nominative des malades hospitalisés", "le rapport annuel sur l'état sanitaire",
    "un crédit de 2 450 francs",
    "les fiches de dépistage de la trypanosomiase", "la réfection du bâtiment des contagieux", "deux réfrigérateurs",
    "le dossier de l'agent Diallo, matricule 1837",
)  # fmt: skip
_ENDS = (
    "avant la fin du mois de septembre", "conformément à la circulaire du 12 mars 1957", "malgré la saison des pluies",
    "à l'attention du chef de subdivision", "sous réserve de l'accord du ministère", "dans les meilleurs délais",
    "pour les villages situés au-delà du fleuve", "en raison d'une épidémie de rougeole", "à titre exceptionnel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TypedPage:
    """One page and what stands on it."""

    image: Image.Image
    """Grey, with grain."""
    truth: str


def typed_pages(count: int, seed: int = 1957) -> Iterator[TypedPage]:
    """Yield pages one after the other, their type in turn."""
    for number in range(count):
        yield _page(TYPES[number % len(TYPES)], seed + number)


def write_pdf(pages: Sequence[TypedPage], file: Path) -> None:
    """Write a PDF as scanners do: a grey JPEG a page, no text."""
    first, *rest = _copies(pages)
    first.save(file, "PDF", resolution=DPI, save_all=True, append_images=rest, quality=85)


def write_tiff(pages: Sequence[TypedPage], file: Path) -> None:
    """Write a grey TIFF of several pages, compressed without loss (LZW)."""
    first, *rest = _copies(pages)
    first.save(file, "TIFF", compression="tiff_lzw", dpi=(DPI, DPI), save_all=True, append_images=rest)


def _copies(pages: Sequence[TypedPage]) -> list[Image.Image]:
    """Return the images anew: Pillow leaves one format's options on those that it saved."""
    return [page.image.copy() for page in pages]


def _page(type_name: str, seed: int) -> TypedPage:
    chosen = random.Random(seed)
    font = ImageFont.truetype(_font_file(type_name), chosen.choice((42, 44, 46)))
    image = Image.new("L", SIZE, 246)
    draw = ImageDraw.Draw(image)
    lines, top = [], _MARGIN
    step = round(font.size * 1.45)
    while top + step < SIZE[1] - _MARGIN:
        for line in _wrapped(_paragraph(chosen), font, SIZE[0] - 2 * _MARGIN):
            if top + step < SIZE[1] - _MARGIN:
                draw.text((_MARGIN, top), line, fill=28, font=font)
                lines.append(line)
            top += step
        top += step // 2
    return TypedPage(_grained(image, seed), "\n".join(lines) + "\n")


def _paragraph(chosen: random.Random) -> str:
    sentences = (
        f"{chosen.choice(_SUBJECTS)} {chosen.choice(_VERBS)} {chosen.choice(_OBJECTS)} {chosen.choice(_ENDS)}."
        for _sentence in range(chosen.randint(2, 5))
    )
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            yield line
            longer = word
        line = longer
    yield line


def _grained(image: Image.Image, seed: int) -> Image.Image:
    grain = np.random.default_rng(seed).normal(0.0, _GRAIN, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _font_file(name: str) -> str:
    for folder in FONT_FOLDERS:
        for file in sorted(folder.rglob(name)):
            return str(file)
    raise FileNotFoundError(f"{name}: install fonts-dejavu-core")
