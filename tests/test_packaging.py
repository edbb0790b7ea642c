"""The ready timer, service and cron lines: systemd accepts them, and they say what the exit codes mean."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGING = ROOT / "packaging"
UNITS = ("repatria-copy@.service", "repatria-copy@.timer")


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case, as configparser documents
    parser.read(PACKAGING / name, encoding="utf-8")
    return parser


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_units(tmp_path: Path, name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: units are not checked by systemd itself")
    for each in UNITS:
        text = (PACKAGING / each).read_text("utf-8").replace("/opt/repatria/bin/repatria", shutil.which("true") or "")
        (tmp_path / each).write_text(text, "utf-8")
    instance = tmp_path / name.replace("@", "@fichiers-chu")
    checked = subprocess.run([analyze, "verify", instance], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_normal_night_is_a_success_and_findings_are_not_tried_again() -> None:
    service = unit("repatria-copy@.service")["Service"]
    assert service["SuccessExitStatus"] == "8"
    assert service["RestartPreventExitStatus"].split() == ["1", "2", "3", "6", "7", "70"]
    assert service["ExecStart"].endswith("repatria copy %i")
    assert int(service["TimeoutStopSec"]) > 10, "a stop takes ten seconds at most"


def test_the_timer_makes_up_for_a_power_cut() -> None:
    timer = unit("repatria-copy@.timer")["Timer"]
    assert timer["Persistent"] == "yes"


def test_cron_lines_have_their_fields() -> None:
    lines = [line for line in (PACKAGING / "repatria.cron").read_text("utf-8").splitlines() if "repatria " in line]
    jobs = [line for line in lines if not line.startswith("#")]
    assert jobs
    for line in jobs:
        assert re.fullmatch(r"(\S+\s+){5}repatria\s+cd /srv/repatria && /opt/repatria/bin/repatria \S+ .* -q .*", line)


@pytest.mark.parametrize("readme", ["README.md", "README.fr.md"])
def test_the_readme_names_them(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    assert all(f"packaging/{name}" in text for name in (*UNITS, "repatria.cron"))
