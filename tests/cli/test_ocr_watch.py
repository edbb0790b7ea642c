"""Options of `ocr --watch`, and the bordereau that changes while it runs."""

import os
from pathlib import Path

import pytest

from repatria.cli.ocr_watch import _Current, rhythm_of
from repatria.cli.output import Output
from repatria.errors import UsageError
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import load_bordereau
from repatria.ocr.watch import DEFAULT_IDLE, DEFAULT_PAGES
from tests.ocr.making import FAKE


@pytest.mark.parametrize(("text", "seconds"), [("15m", 900.0), ("15min", 900.0), ("90s", 90.0), ("1.5h", 5400.0)])
def test_times_have_units(text: str, seconds: float) -> None:
    assert rhythm_of(watched=True, pages=None, idle=text, settle=None).idle == seconds


@pytest.mark.parametrize("text", ["15", "m", "-5m", "15 days", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        rhythm_of(watched=True, pages=None, idle=None, settle=text)


def test_a_watch_closes_bundles_by_pages_and_idleness() -> None:
    rhythm = rhythm_of(watched=True, pages=None, idle=None, settle=None)
    assert (rhythm.pages, rhythm.idle) == (DEFAULT_PAGES, DEFAULT_IDLE)
    assert rhythm_of(watched=True, pages=7, idle=None, settle=None).pages == 7


def test_its_options_mean_nothing_without_it() -> None:
    with pytest.raises(UsageError, match="--watch"):
        rhythm_of(watched=False, pages=7, idle=None, settle=None)


def test_a_bordereau_is_read_again_when_it_changed_and_stays_when_it_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bordereau.csv"

    def write(text: str, moment: int) -> None:
        file.write_text(text, encoding="utf-8")
        os.utime(file, (moment, moment))

    write("Cote;Titre\n1;Eau\n", 1)
    current = _Current(Output(), file, Wishes(FAKE, bordereau=load_bordereau(file)))

    def titles() -> list[str]:
        bordereau = current().bordereau
        assert bordereau is not None
        return [entry.description.title for entry in bordereau.entries]

    assert titles() == ["Eau"]
    write("Cote;Titre\n1;Air\n", 2)
    assert titles() == ["Air"]
    write("rien\n", 3)
    assert titles() == titles() == ["Air"]
    assert capsys.readouterr().err.count("stays as it was read before") == 1
    file.unlink()
    assert titles() == ["Air"]
