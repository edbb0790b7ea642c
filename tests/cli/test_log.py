"""`log`: runs that ended with a code, that go on, and that were cut off."""

import json
import signal
from pathlib import Path

import pytest

from tests.cli.test_two_hosts import run, site, start, wait_for_volume

__all__ = ["site"]


@pytest.fixture
def killed(site: Path) -> Path:
    with start(site, "state", "copy", "d.toml", "--bandwidth", "4mbit", "-q") as copying:
        wait_for_volume(site, copying)
        with start(site, "state", "log") as process:
            out, said = process.communicate(timeout=60)
        assert out.splitlines()[-1].split()[-2:] == ["began", "intact"]
        assert said == ""
        copying.send_signal(signal.SIGKILL)
    return site


def test_a_killed_run_is_shown_as_cut_off(killed: Path) -> None:
    with start(killed, "state", "log") as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, "it is no fault of the log"
    assert out.splitlines()[-1].split()[-3:] == ["cut", "off", "intact"]
    assert said == (
        "1 run was cut off without a word (a power cut, kill -9, memory used up). What it had proven is kept.\n"
    )


def test_it_stays_so_once_the_copy_is_finished(killed: Path) -> None:
    assert run(killed, "state", "copy", "d.toml", "-q")[0] == 0
    with start(killed, "state", "log", "--json") as process:
        out, _said = process.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()[:-1]]
    assert [(line["entry"].get("code"), line["cut_off"]) for line in lines] == [(None, True), (None, False), (0, False)]


def test_in_french(killed: Path) -> None:
    with start(killed, "state", "log", "--lang", "fr") as process:
        out, said = process.communicate(timeout=60)
    assert out.splitlines()[-1].split()[-2:] == ["interrompu", "intact"]
    assert "1 exécution a été interrompue sans un mot (coupure de courant, kill -9, mémoire épuisée)." in said
