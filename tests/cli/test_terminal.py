"""What a terminal of 80 columns gets: whole words, whole ids, and a line for progress that leaves no trace."""

import io
import re

import pytest

from repatria.cli.output import Column, Output
from repatria.cli.progress import OnTerminal, RecentRate
from repatria.cli.terminal import BottomLine, fitted
from repatria.progress import Unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


BUNDLE = "20261122T060359Z-ptct33"


def test_sentences_are_broken_between_words() -> None:
    sentence = "  " + " ".join(["bordereau"] * 20)
    lines = fitted(sentence, Terminal()).splitlines()
    assert all(len(line) <= 80 and line.startswith("  bordereau") for line in lines)
    assert " ".join(line.strip() for line in lines) == sentence.strip()
    assert fitted(sentence, io.StringIO()) == sentence


def test_a_line_to_be_copied_stays_whole() -> None:
    results, messages = Terminal(), Terminal()
    said = Output(stdout=results, stderr=messages)
    line = "one " * 40
    said.text(line, whole=True)
    said.say(line, whole=True)
    assert results.getvalue() == messages.getvalue() == line + "\n"


def shown(columns: list[Column], *rows: tuple[str, ...]) -> str:
    screen = Terminal()
    with Output(stdout=screen).table("t", columns) as table:
        for row in rows:
            table.add(row)
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())


def piped(columns: list[Column], *rows: tuple[str, ...]) -> list[str]:
    pipe = io.StringIO()
    with Output(stdout=pipe).table("t", columns) as table:
        for row in rows:
            table.add(row)
    return pipe.getvalue().splitlines()


def test_a_piped_table_has_a_line_for_each_row_as_long_as_it_is_not_too_wide() -> None:
    columns = [Column("a", "Bundle"), Column("b", "Work", wraps=True), Column("c", "Next")]
    assert piped(columns, (BUNDLE, "interrupted, 12 volumes safe at the target (768.0 MiB)", "repatria copy d")) == [
        "Bundle                   Work                                                    Next",
        f"{BUNDLE}  interrupted, 12 volumes safe at the target (768.0 MiB)  repatria copy d",
    ]


@pytest.mark.parametrize(
    ("told", "widest"),
    [("72", 72), ("200", 200), ("", 120), ("0", 120), ("7", 120), ("wide", 120)],
)
def test_a_piped_table_is_as_wide_as_columns_says_if_it_says_something(
    monkeypatch: pytest.MonkeyPatch, told: str, widest: int
) -> None:
    monkeypatch.setenv("COLUMNS", told)
    columns = [Column("a", "Bundle"), Column("b", "Work", wraps=True)]
    lines = piped(columns, (BUNDLE, "one word after the other " * 20))
    assert widest - len("other ") <= max(map(len, lines)) <= widest


def test_sentences_alone_are_broken_in_a_piped_table() -> None:
    columns = [Column("a", "Bundle"), Column("b", "Work", wraps=True), Column("c", "Path")]
    path = "dossier/" * 12
    lines = piped(columns, (BUNDLE, "one word after the other " * 10, path))
    assert max(map(len, lines)) <= len(BUNDLE) + 2 + 32 + 2 + len(path)
    assert lines[1].startswith(f"{BUNDLE}  one word after the other one")
    assert lines[1].endswith(path)
    assert all(line.startswith(" " * len(BUNDLE)) for line in lines[2:])


def test_ids_and_dates_of_a_table_stand_in_one_piece() -> None:
    columns = [Column("a", "Bundle"), Column("b", "Finished"), Column("c", "Work", wraps=True)]
    table = shown(columns, (BUNDLE, "2026-11-22 06:03:59", "interrupted, 12 volumes safe at the target"))
    assert BUNDLE in table
    assert "2026-11-22 06:03:59" in table
    assert "interrupted" in table
    assert all(len(line) <= 80 for line in table.splitlines())


def test_rows_that_do_not_fit_stand_one_below_the_other() -> None:
    columns = [Column(name, name) for name in ("Dataset", "Bundle", "Finished", "Signed by")]
    table = shown(columns, ("maternite-2019", BUNDLE, "2026-11-22T06:03:59Z", "SHA256:" + "x" * 43))
    assert table.splitlines()[:2] == ["Dataset    maternite-2019", f"Bundle     {BUNDLE}"]


def test_a_long_path_in_the_last_column_is_left_to_the_terminal() -> None:
    path = "maternite/" * 12
    table = shown([Column("n", "Number"), Column("path", "Path")], ("1", path))
    assert path in table


@pytest.mark.parametrize("width", [30, 60, 79, 120])
def test_progress_is_one_line(width: int) -> None:
    now = [0.0]
    bar = OnTerminal(Output(stderr=Terminal()), clock=lambda: now[0])
    bar.start("Reading the scans of the maternity ward, second floor, of 2019", 300 << 20, Unit.BYTES)
    now[0] = 10.0
    bar.advance(100 << 20)
    line = bar.line(width)
    assert len(line) <= width
    assert "100.0 MiB of 300.0 MiB" in line
    bar.finish()
    assert bar.line(width) == ""


def test_the_rate_falls_to_nothing_when_nothing_arrives() -> None:
    rate = RecentRate(0.0)
    assert [rate.at(second, 10 * second) for second in range(1, 4)] == [10.0, 10.0, 10.0]
    later = [rate.at(float(second), 30) for second in range(4, 30)]
    assert later == sorted(later, reverse=True)
    assert later[-1] == 0.0


def test_what_is_written_aside_finds_an_empty_line() -> None:
    screen = Terminal()
    with BottomLine(screen, lambda width: "x" * width) as bottom:
        bottom.draw()
        with bottom.aside():
            assert screen.getvalue().endswith("\r\x1b[K")
            screen.write("result\n")
        bottom.draw()
    assert screen.getvalue().endswith("\r\x1b[K")
    assert max(map(len, screen.getvalue().replace("\x1b[K", "").split("\r"))) == 79
