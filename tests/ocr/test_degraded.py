"""Pages as archives have them, drawn and spoiled here: the engine itself reads them at least so well.

Texts and type are others than those that looks were chosen by (docs/adr/reading-pages.md).
"""

import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from repatria.errors import UsageError
from repatria.ocr.engine import Engine, choose_engine
from repatria.ocr.looks import Sheet, read_sheet
from repatria.ocr.preparation import Grey

TEXT = """\
Le comité de coordination des secours
s'est réuni mardi dans les bureaux de
la résidence pour examiner les besoins
des villages inondés. Trois pirogues
chargées de farine et de couvertures
sont parties vers les îles du fleuve.
Le docteur Sarr demande des vaccins
contre le choléra avant la fin du mois
et deux infirmiers pour le dispensaire."""
WORDS = re.findall(r"\w{3,}", TEXT)
WIDTH, HEIGHT, DPI = 1000, 800, 150.0


def drawn(ink: int = 30, paper: int = 245) -> Image.Image:
    image = Image.new("L", (WIDTH, HEIGHT), paper)
    ImageDraw.Draw(image).text((90, 80), TEXT, fill=ink, font=ImageFont.truetype("DejaVuSerif.ttf", 34), spacing=28)
    return image


def noisy(image: Image.Image, deviation: float = 5.0) -> Grey:
    noise = np.random.default_rng(7).normal(0, deviation, (image.height, image.width))
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)


def with_salt_and_pepper(image: Image.Image) -> Grey:
    dust = np.random.default_rng(3).random((image.height, image.width))
    return np.where(dust < 0.015, 0, np.where(dust > 0.985, 255, np.asarray(image))).astype(np.uint8)


def with_shadow(image: Image.Image) -> Grey:
    return noisy(Image.fromarray((np.asarray(image) * np.linspace(0.3, 1.0, image.width)).astype(np.uint8)))


def with_bleeding(image: Image.Image) -> Grey:
    behind = drawn(ink=190).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return noisy(Image.fromarray(np.minimum(np.asarray(image), np.asarray(behind))))


SPOILED: dict[str, Callable[[], Grey]] = {
    "clean": lambda: noisy(drawn()),
    "faint": lambda: noisy(drawn(ink=175, paper=225)),
    "askew": lambda: noisy(drawn().rotate(2.6, fillcolor=245, resample=Image.Resampling.BICUBIC)),
    "negative": lambda: 255 - noisy(drawn()),
    "dark": lambda: (40 + noisy(drawn()) * 0.25).astype(np.uint8),
    "shadow": lambda: with_shadow(drawn()),
    "bleeding through": lambda: with_bleeding(drawn()),
    "dust": lambda: with_salt_and_pepper(drawn()),
    "dithered": lambda: np.asarray(Image.fromarray(noisy(drawn(), 10)).convert("1").convert("L")),
    "soft": lambda: noisy(drawn().filter(ImageFilter.GaussianBlur(1.5))),
    "on its side": lambda: np.ascontiguousarray(np.rot90(noisy(drawn()))),
    "on its head": lambda: np.ascontiguousarray(np.rot90(noisy(drawn()), 2)),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    try:
        return choose_engine(["fra"]).open()
    except UsageError as error:
        pytest.skip(error.message)


@pytest.fixture(autouse=True)
def _type() -> None:
    try:
        ImageFont.truetype("DejaVuSerif.ttf", 34)
    except OSError:
        pytest.skip("DejaVu Serif (fonts-dejavu-core) is not installed")


@pytest.mark.parametrize("kind", SPOILED)
def test_nearly_every_word_is_read(kind: str, engine: Engine) -> None:
    read = re.findall(r"\w{3,}", read_sheet(Sheet(SPOILED[kind](), DPI, dpi_known=True), 1, engine).text)
    missed = [word for word in WORDS if word not in read]
    assert len(missed) <= 0.05 * len(WORDS), missed
    assert len(read) <= 1.1 * len(WORDS)
