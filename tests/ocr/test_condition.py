"""Faint ink, letters that hang together, a page laid askew: what is suspected, and what is not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from repatria.ocr.condition import condition_flags, ink_brightness, joined_share
from repatria.ocr.preparation import Grey
from repatria.ocr.words import Word
from tests.ocr.making import word

TEXTS = ("campagne", "vaccination", "rougeole", "commence", "janvier", "hopital")


def typed(fill: int) -> tuple[Grey, list[Word]]:
    """Return words set in type."""
    image = Image.new("L", (900, 700), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(48)
    words = []
    for number, text in enumerate(TEXTS):
        draw.text((50, 50 + 100 * number), text, fill=fill, font=font)
        words.append(word(text, draw.textbbox((50, 50 + 100 * number), text, font=font), line=number))
    return np.asarray(image), words


def cursive(fill: int) -> tuple[Grey, list[Word]]:
    """Return words drawn in one stroke each, as a pen does that is not lifted."""
    image = Image.new("L", (900, 700), 255)
    draw = ImageDraw.Draw(image)
    words = []
    for number, text in enumerate(TEXTS):
        top = 50 + 100 * number
        stroke = [(50 + 3 * step, top + 24 + 20 * np.sin(step / 3.0)) for step in range(9 * len(text))]
        draw.line(stroke, fill=fill, width=4, joint="curve")
        words.append(word(text, (48, top, 52 + 27 * len(text), top + 50), line=number))
    return np.asarray(image), words


def test_ink_is_as_dark_as_it_is() -> None:
    dark, faint = ink_brightness(*typed(20)), ink_brightness(*typed(190))
    assert dark is not None
    assert faint is not None
    assert dark < 60
    assert faint > 170


def test_a_word_seen_on_bare_paper_tells_nothing() -> None:
    assert ink_brightness(np.full((100, 400), 250, dtype=np.uint8), [word("fantôme", (0, 0, 300, 60))]) is None


def test_type_stands_apart_and_a_pen_joins() -> None:
    assert joined_share(*typed(20)) == 0.0
    assert joined_share(*cursive(20)) == 1.0
    flat, words = cursive(20)
    assert joined_share(flat, words[:2]) is None


@pytest.mark.parametrize(
    ("page", "confidence", "skew", "flags"),
    [
        (typed(20), 95.0, 0.4, []),
        (typed(190), 95.0, 0.0, ["faint"]),
        (typed(20), 30.0, 0.0, []),
        (cursive(20), 30.0, 0.0, ["handwriting"]),
        (cursive(20), 90.0, 0.0, []),
        (typed(20), 90.0, -3.1, ["askew"]),
    ],
)
def test_flags(page: tuple[Grey, list[Word]], confidence: float, skew: float, flags: list[str]) -> None:
    assert list(condition_flags(*page, confidence, skew)) == flags
