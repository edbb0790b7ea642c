"""Progress: bars on a terminal, a line now and then without one, nothing where it was not wanted."""

import io
import re

import pytest

from repatria.cli.output import Output
from repatria.cli.progress import Lines, OnTerminal, shown_progress
from repatria.cli.quantity import duration_text, number_text, quantity_text, rate_text, size_text
from repatria.i18n import use
from repatria.progress import SILENT, Unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("json", "quiet"), [(True, False), (False, True)])
def test_nothing_is_shown_in_json_or_quiet(json: bool, quiet: bool) -> None:
    with shown_progress(Output(json=json, quiet=quiet, stderr=Terminal())) as progress:
        assert progress is SILENT


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_a_terminal_shows_a_bar_and_sentences_above_it(screen: Terminal) -> None:
    output = Output(stdout=screen, stderr=screen)
    with shown_progress(output) as progress:
        assert isinstance(progress, OnTerminal)
        progress.start("Copying", 100, Unit.BYTES)
        progress.advance(50)
        output.say("Half [of] it.")
        output.text("file:///result")
        progress.total(200)
        progress.finish()
    written = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "Copying" in written
    for line in ("Half [of] it.", "file:///result"):
        before, _line, after = written.partition(line)
        assert before.endswith("\r") or before.endswith("\n")
        assert after.startswith("\n")


def test_a_terminal_that_cannot_draw_gets_lines(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with shown_progress(Output(stderr=screen)) as progress:
        assert isinstance(progress, Lines)


def test_without_a_terminal_a_line_comes_every_half_minute() -> None:
    said, now = io.StringIO(), [0.0]
    lines = Lines(Output(stderr=said), clock=lambda: now[0])
    lines.start("Copying", 300 * 1024 * 1024, Unit.BYTES)
    for _second in range(65):
        now[0] += 1
        lines.advance(1024 * 1024)
    assert said.getvalue().splitlines() == [
        "Copying: 30.0 MiB of 300.0 MiB, 8.4 Mbit/s, about 4 min left",
        "Copying: 60.0 MiB of 300.0 MiB, 8.4 Mbit/s, about 4 min left",
    ]


def test_time_without_anything_to_do_does_not_count() -> None:
    said, now = io.StringIO(), [0.0]
    lines = Lines(Output(stderr=said), clock=lambda: now[0])
    lines.start("Reading pages", 0, Unit.PAGES)
    for total in (40, 80):
        now[0] += 3600
        lines.total(total)
        for _page in range(40):
            now[0] += 1
            lines.advance(1)
    assert said.getvalue().splitlines() == [
        "Reading pages: 1 page of 40 pages, 60.0 pages/min, about 39 s left",
        "Reading pages: 31 pages of 40 pages, 60.0 pages/min, about 9 s left",
        "Reading pages: 41 pages of 80 pages, 60.0 pages/min, about 39 s left",
        "Reading pages: 71 pages of 80 pages, 60.0 pages/min, about 9 s left",
    ]


def test_a_stage_without_a_known_total() -> None:
    said, now = io.StringIO(), [0.0]
    lines = Lines(Output(stderr=said), clock=lambda: now[0])
    lines.start("Listing", None, Unit.OBJECTS)
    now[0] = 40
    lines.advance(2000)
    lines.finish()
    now[0] = 80
    lines.advance(1)
    assert said.getvalue() == "Listing: 2,000 objects, 50.0 objects/s\n"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (64 << 20, "64.0 MiB"), (5 << 50, "5.0 PiB")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (11100, "3 h 05 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_numbers_are_written_in_the_language_spoken() -> None:
    use("fr")
    try:
        assert number_text(1204567) == "1\u202f204\u202f567"
        assert size_text(1536) == "1,5 Kio"
        assert quantity_text(0, Unit.PAGES).startswith("0 page")
    finally:
        use("en")
    assert quantity_text(1204, Unit.OBJECTS) == "1,204 objects"
    assert rate_text(0.2, Unit.PAGES) == "12.0 pages/min"
