"""Draw the scans of one dossier: a letter in two pages, and a blank sheet."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = next(Path("/usr/share/fonts").rglob("DejaVuSerif.ttf"))
LETTER = (
    "Khombole, le 19 novembre 1963\n\nMonsieur le Ministre,\n\nLa maternité a ouvert ses portes le 4 novembre.\n"
    "Deux sages-femmes y sont affectées.",
    "L'approvisionnement en eau demeure insuffisant.\nLa citerne n'est toujours pas raccordée.\n\nLe médecin-chef",
)


def page(text: str) -> Image.Image:
    sheet = Image.new("L", (1240, 800), 255)
    ImageDraw.Draw(sheet).text((100, 100), text, font=ImageFont.truetype(FONT, 36), fill=20, spacing=24)
    return sheet


folder = Path("scans/1963-maternite")
folder.mkdir(parents=True)
first, second = map(page, LETTER)
first.save(folder / "lettre-1.tif", save_all=True, append_images=[second], dpi=(150, 150))
page("").save(folder / "page-blanche.png", dpi=(150, 150))
