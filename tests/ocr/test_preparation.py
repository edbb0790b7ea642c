"""Preparations are pure: grey in, grey of the same size out; each does what its name says."""

import numpy as np
import pytest
from PIL import Image

from repatria.ocr.preparation import PREPARATIONS, despeckled, flattened, ink_share, resized, skew_of, turned
from tests.ocr.making import grey, page

LINES = [f"Ligne numéro {number} d'une page tapée à la machine" for number in range(12)]
SHEET = grey(page(LINES, height=1500, size=40))


@pytest.mark.parametrize("name", PREPARATIONS)
def test_every_preparation_keeps_size_and_type_and_its_input(name: str) -> None:
    before = SHEET.copy()
    made = PREPARATIONS[name](SHEET)
    assert made.shape == SHEET.shape
    assert made.dtype == np.uint8
    assert np.array_equal(SHEET, before)


def test_flattening_makes_uneven_paper_white_and_keeps_ink_dark() -> None:
    shade = np.linspace(0.3, 0.9, SHEET.shape[1])[np.newaxis, :]
    dark = (SHEET * shade).astype(np.uint8)
    flat = flattened(dark)
    assert np.median(flat) > 245
    assert np.percentile(flat[:, :600], 0.5) < 100
    assert np.percentile(flat[:, -600:], 0.5) < 100


def test_specks_go_and_letters_stay() -> None:
    dust = np.random.default_rng(1).random(SHEET.shape)
    dusty = np.where(dust < 0.02, 0, np.where(dust > 0.98, 255, SHEET)).astype(np.uint8)
    assert ink_share(flattened(dusty)) > 1.2 * ink_share(SHEET)
    assert ink_share(despeckled(dusty)) == pytest.approx(ink_share(SHEET), rel=0.1)


@pytest.mark.parametrize("degrees", [-4.0, -1.3, 0.0, 0.7, 3.2])
def test_skew_is_found_to_a_tenth_or_two_of_a_degree(degrees: float) -> None:
    skewed = np.asarray(Image.fromarray(SHEET).rotate(-degrees, resample=Image.Resampling.BICUBIC, fillcolor=255))
    assert skew_of(skewed) == pytest.approx(degrees, abs=0.2)


def test_turning_back_by_the_skew_straightens() -> None:
    skewed = turned(SHEET, -2.5)
    assert skew_of(turned(skewed, skew_of(skewed))) == pytest.approx(0.0, abs=0.2)


def test_nothing_can_be_told_of_a_blank_page() -> None:
    blank = np.full((1500, 1000), 240, dtype=np.uint8)
    assert skew_of(blank) == 0.0
    assert ink_share(flattened(blank)) == 0.0


def test_ink_is_counted_without_the_black_edges_of_scanners() -> None:
    edged = np.full((1000, 1000), 255, dtype=np.uint8)
    edged[:, :30] = 0
    assert ink_share(edged) == 0.0
    assert ink_share(SHEET) > 0.005


def test_resizing_by_one_is_the_page_itself() -> None:
    assert resized(SHEET, 1.0) is SHEET
    assert resized(SHEET, 0.5).shape == (750, 620)
