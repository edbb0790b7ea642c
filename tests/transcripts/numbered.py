"""Draw the scans of one dossier: numbered pages of which one is missing, and a blank sheet."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = next(Path("/usr/share/fonts").rglob("DejaVuSerif.ttf"))
TEXT = "La maternité de Khombole a ouvert ses portes\nle 4 novembre. Deux sages-femmes y sont affectées."


def page(number: int, text: str) -> Image.Image:
    sheet = Image.new("L", (1240, 800), 255)
    draw = ImageDraw.Draw(sheet)
    draw.text((560, 60), f"- {number} -" if text else "", font=ImageFont.truetype(FONT, 36), fill=20)
    draw.text((100, 250), text, font=ImageFont.truetype(FONT, 36), fill=20, spacing=24)
    return sheet


folder = Path("scans/registre")
folder.mkdir(parents=True)
for place, number in enumerate((11, 12, 14, 15), 1):
    page(number, TEXT).save(folder / f"vue-{place}.png", dpi=(150, 150))
page(0, "").save(folder / "vue-5.png", dpi=(150, 150))
