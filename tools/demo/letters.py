"""A stack of French letters of the years 1949 to 1971: typed, then degraded as an old sheet on a scanner is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from repatria.errors import UsageError
from repatria.i18n import _

DPI = 200
A4 = (1654, 2339)
"""Pixels of an A4 page at this resolution."""

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts")
TYPEWRITER = ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "FreeMono.ttf")
PRINTED = ("DejaVuSerif.ttf", "LiberationSerif-Regular.ttf", "FreeSerif.ttf")
FILM_LINES = 44
"""Characters in a typed line."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: where the scanner put it, what it says, how badly it fared."""

    file: str
    place_and_date: str
    subject: str
    paragraphs: tuple[str, ...]
    tilt: float = 0.0
    """Degrees."""
    quarter_turns: int = 0
    stain: float = 0.15
    """How dark the sheet's edges are, 0 to 1."""
    noise: float = 10.0
    """Standard deviation, in grey levels."""


LETTERS = (
    Letter(
        "1949-vaccination/lettre-001.tif",
        "Saint-Louis, le 12 mars 1949",
        "Campagne de vaccination antivariolique",
        (
            "J'ai l'honneur de vous rendre compte que l'équipe mobile d'hygiène a vacciné, du 1er au 10 mars 1949, "
            "deux mille trois cent quatorze personnes dans les cantons de la rive gauche du fleuve.",
            "Les réactions observées ont été normales. Trois enfants ont été conduits au dispensaire de Podor, où "
            "ils se sont rétablis en quelques jours.",
            "Il reste en magasin huit cents doses. Je vous serais obligé de bien vouloir faire parvenir un "
            "complément de mille cinq cents doses avant la saison des pluies.",
        ),
        tilt=0.8,
    ),
    Letter(
        "1949-vaccination/lettre-002.jpg",
        "Dakar, le 28 mars 1949",
        "Réponse à votre lettre du 12 mars",
        (
            "En réponse à votre lettre citée en référence, je vous fais connaître que mille cinq cents doses de "
            "vaccin sec seront expédiées par le prochain courrier ferroviaire.",
            "Vous voudrez bien veiller à ce que les caisses soient conservées à l'abri de la chaleur, et m'en "
            "accuser réception par télégramme.",
        ),
        tilt=-1.3,
        stain=0.3,
        noise=14.0,
    ),
    Letter(
        "1963-maternite/lettre-001.tif",
        "Thiès, le 5 février 1963",
        "Construction d'une maternité à Khombole",
        (
            "Le comité de santé du cercle, réuni le 2 février 1963, a examiné le projet de construction d'une "
            "maternité de seize lits à Khombole.",
            "Le terrain a été offert par la collectivité. Le devis de l'entreprise s'élève à quatre millions deux "
            "cent mille francs, clôture et citerne comprises.",
            "Le comité émet un avis favorable et sollicite l'inscription de cette dépense au budget régional.",
        ),
        tilt=0.4,
    ),
    Letter(
        "1963-maternite/lettre-002.tif",
        "Khombole, le 19 novembre 1963",
        "Ouverture de la maternité",
        (
            "La maternité a ouvert ses portes le 4 novembre 1963. Deux sages-femmes et une aide-soignante y sont "
            "affectées ; quarante-sept accouchements ont eu lieu en quinze jours.",
            "L'approvisionnement en eau demeure insuffisant. La citerne n'est toujours pas raccordée, et le "
            "camion-citerne ne passe qu'une fois par semaine.",
        ),
        tilt=-0.6,
        quarter_turns=1,
    ),
    Letter(
        "1971-paludisme/note-de-service.png",
        "Kaolack, le 30 août 1971",
        "Note de service : lutte contre le paludisme",
        (
            "À compter du 6 septembre 1971, la chimioprophylaxie à la chloroquine sera distribuée chaque lundi dans "
            "toutes les écoles primaires de la région.",
            "Les infirmiers chefs de poste tiendront un registre nominatif. Les comprimés non distribués seront "
            "retournés à la pharmacie d'approvisionnement avec un bordereau en double exemplaire.",
            "Toute rupture de stock sera signalée sans délai au médecin-chef.",
        ),
        stain=0.2,
        noise=12.0,
    ),
)


def draw_letters(folder: Path) -> None:
    """Write the scans; UsageError if no font has the accents of French."""
    typewriter, printed = _font(TYPEWRITER, 34), _font(PRINTED, 40)
    for number, letter in enumerate(LETTERS):
        file = folder / letter.file
        file.parent.mkdir(parents=True, exist_ok=True)
        page = _degraded(_typed(letter, typewriter, printed), letter, np.random.default_rng(number))
        if file.suffix == ".tif":
            page.save(file, dpi=(DPI, DPI), compression="tiff_lzw")
        else:
            page.save(file, dpi=(DPI, DPI))


def _font(names: Sequence[str], size: int) -> ImageFont.FreeTypeFont:
    for folder in map(Path, FONT_FOLDERS):
        for name in names:
            found = next(folder.rglob(name), None) if folder.is_dir() else None
            if found:
                return ImageFont.truetype(found, size)
    raise UsageError(
        _("No font was found with which letters can be drawn."),
        advice=_("Install one: apt-get install fonts-dejavu-core"),
    )


def _typed(letter: Letter, typewriter: ImageFont.FreeTypeFont, printed: ImageFont.FreeTypeFont) -> Image.Image:
    page = Image.new("L", A4, 255)
    pen = ImageDraw.Draw(page)
    pen.text((160, 150), "DIRECTION RÉGIONALE DE LA SANTÉ", font=printed, fill=20)
    pen.line((160, 215, 1000, 215), fill=60, width=3)
    pen.text((860, 330), letter.place_and_date, font=typewriter, fill=35)
    pen.text((160, 470), f"Objet : {letter.subject}", font=typewriter, fill=35)
    pen.text((160, 590), "Monsieur le Directeur,", font=typewriter, fill=35)
    height = 690
    for line in _lines(letter.paragraphs):
        pen.text((160, height), line, font=typewriter, fill=35)
        height += 62
    pen.text((900, height + 80), "Le Médecin-Chef,", font=typewriter, fill=35)
    return page


def _lines(paragraphs: Sequence[str]) -> Iterator[str]:
    """Break paragraphs as a typist does, an empty line after each."""
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split():
            if len(line) + len(word) > FILM_LINES + 18:
                yield line
                line = ""
            line = f"{line} {word}".strip()
        yield line
        yield ""


def _degraded(page: Image.Image, letter: Letter, chance: np.random.Generator) -> Image.Image:
    """Return the sheet as a scanner sees it: uneven paper, worn ink, dust, askew, perhaps on its side."""
    tilted = page.rotate(letter.tilt, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.8))
    paper = ImageChops.multiply(tilted, _paper(letter.stain))
    grey = np.asarray(paper, dtype=np.float64)
    grey = grey + chance.normal(0.0, letter.noise, grey.shape)
    for _speck in range(250):
        row, column = int(chance.integers(A4[1] - 4)), int(chance.integers(A4[0] - 4))
        grey[row : row + int(chance.integers(1, 4)), column : column + int(chance.integers(1, 4))] = 70
    scan = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    return scan.rotate(90 * letter.quarter_turns, expand=True)


def _paper(stain: float) -> Image.Image:
    """Return aged paper: lightest in the middle, darker towards the edges."""
    edges = Image.radial_gradient("L").resize(A4)
    return edges.point(lambda level: round(235 - level * stain))
