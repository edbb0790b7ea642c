"""Make one stack as a scanner gives it: pages with a separator sheet, from `sheets.pdf`, before each document."""

from pathlib import Path

import pypdfium2
from PIL import Image, ImageDraw, ImageFont

FONT = next(Path("/usr/share/fonts").rglob("DejaVuSerif.ttf"))
PAGES = ("Rapport de la maternité\nde Khombole, 1963", "La citerne est raccordée.", "Campagne contre la rougeole\n1949")


def page(text: str) -> Image.Image:
    sheet = Image.new("L", (1000, 700), 255)
    ImageDraw.Draw(sheet).text((80, 80), text, font=ImageFont.truetype(FONT, 40), fill=20, spacing=24)
    return sheet


def separator(number: int) -> Image.Image:
    drawn = pypdfium2.PdfDocument("sheets.pdf")[number].render(scale=120 / 72, grayscale=True)
    return Image.frombytes("L", (drawn.width, drawn.height), drawn.to_pil().convert("L").tobytes())


first, second, third = map(page, PAGES)
folder = Path("pile")
folder.mkdir()
stack = [separator(0), first, second, separator(1), third]
stack[0].save(folder / "pile-1.tif", save_all=True, append_images=stack[1:], dpi=(120, 120), compression="tiff_lzw")
page("Une page seule").save(folder / "seule.png", dpi=(120, 120))
