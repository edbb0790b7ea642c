"""Sessions at the command line print what `tests/transcripts/` says; its README tells how to add one."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "transcripts"

CHANGING = (
    (re.compile(r"age1(?:pq)?1?[02-9ac-hj-np-z]{50,}"), "[AGE]"),
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "[KEY]"),
    (re.compile(r"\b[0-9a-f]{4}(?:[ -][0-9a-f]{4}){7}\b"), "[KEY]"),
    (re.compile(r"ssh-ed25519 AAAA[A-Za-z0-9+/=]+"), "ssh-ed25519 [KEY]"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "[SHA256]"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z| UTC|[+-]\d\d:\d\d)?"), "[TIME]"),
    (re.compile(r"\b\d+[.,]\d (?:Mbit/s|pages/min|objects/s|objets/s)"), "[RATE]"),
    (re.compile(r"\b\d+(?:[.,]\d+)? (?:s|min)\b"), "[DURATION]"),
    (re.compile(r"((?:confidence|confiance) )\d+(?= %)"), r"\1[NUMBER]"),
    (re.compile(r'("(?:confidence|score)": )\d+\.\d+'), r"\1[NUMBER]"),
    (re.compile(r'("words": )[1-9]\d*'), r"\1[NUMBER]"),  # as the engine parts them; a blank page has 0
)
BUNDLE_ID = re.compile(r"\b\d{8}T\d{6}Z-[a-z2-7]{6}\b")


@dataclass
class Step:
    """One command of a session, and the lines above it that explain it."""

    remarks: list[str]
    command: str
    expected: list[str] = field(default_factory=list)


def read_session(text: str) -> list[Step]:
    """Return the steps of a transcript."""
    steps: list[Step] = []
    remarks: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            remarks.append(line)
        elif line.startswith("$ "):
            steps.append(Step(remarks, line.removeprefix("$ ")))
            remarks = []
        elif line.startswith("> ") and not steps[-1].expected:
            steps[-1].command += "\n" + line.removeprefix("> ")
        elif steps and not remarks:
            steps[-1].expected.append(line)
    for step in steps:
        while step.expected and not step.expected[-1]:
            step.expected.pop()
    return steps


def written(steps: list[Step]) -> str:
    """Return a transcript's text."""
    lines: list[str] = []
    for step in steps:
        if step.remarks:
            lines += ["", *step.remarks] if lines else step.remarks
        first, *more = step.command.split("\n")
        lines += [f"$ {first}", *(f"> {line}" for line in more), *step.expected]
    return "\n".join(lines) + "\n"


@dataclass
class Session:
    """A folder in which commands are run, and names for what changes from run to run."""

    here: Path
    environment: Mapping[str, str]
    bundles: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> list[str]:
        """Run one command and return what it printed, as a transcript has it."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.here,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=240,
            check=False,
        )
        output = self._named(done.stdout.decode()).splitlines()
        errors = [f"! {line}".rstrip() for line in self._named(done.stderr.decode()).splitlines()]
        return [line.rstrip() for line in output] + errors + ([f"? {done.returncode}"] if done.returncode else [])

    def _named(self, text: str) -> str:
        text = text.replace(str(self.here), "[HERE]")
        text = BUNDLE_ID.sub(self._bundle_name, text)
        for pattern, name in CHANGING:
            text = pattern.sub(name, text)
        return text

    def _bundle_name(self, match: re.Match[str]) -> str:
        number = len(self.bundles) + 1
        return self.bundles.setdefault(match[0], "[BUNDLE]" if number == 1 else f"[BUNDLE-{number}]")


def agree(expected: list[str], printed: list[str]) -> bool:
    """Tell whether what was printed is what was expected; `...` stands for the rest of a line, or for any lines."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(agree(expected[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and _same_line(expected[0], printed[0]) and agree(expected[1:], printed[1:])


def _same_line(expected: str, printed: str) -> bool:
    if expected.endswith("..."):
        return printed.startswith(expected.removesuffix("...")) or printed == expected
    return expected == printed


def kept_ellipsis(printed: str, expected: list[str]) -> str:
    """Return the expected line that ends in `...` and stands for what was printed, else what was printed."""
    return next((line for line in expected if line.endswith("...") and _same_line(line, printed)), printed)


def environment(here: Path, language: str) -> dict[str, str]:
    """Return what a session's commands see: nothing of the tester's own settings and keys."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(here),
        "LANG": {"en": "C.UTF-8", "fr": "fr_SN.UTF-8"}[language],
        "PYTHONUTF8": "1",
        "TZ": "UTC",
        "REPATRIA_STATE": str(here / "state"),
        "TRANSCRIPTS": str(FOLDER),
    }


def transcripts() -> Iterator[Path]:
    yield from sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("file", [*transcripts()], ids=lambda file: file.stem)
def test_session(file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    steps = read_session(file.read_text(encoding="utf-8"))
    language = "fr" if file.stem.endswith(".fr") else "en"
    session = Session(tmp_path.resolve(), environment(tmp_path.resolve(), language))
    accept = bool(request.config.getoption("--accept"))
    for step in steps:
        printed = session.run(step.command)
        if not agree(step.expected, printed):
            assert accept, difference(step, printed)
            step.expected = [kept_ellipsis(line, step.expected) for line in printed]
    if accept:
        file.write_text(written(steps), encoding="utf-8")


def difference(step: Step, printed: list[str]) -> str:
    expected = "\n".join(step.expected)
    return f"$ {step.command}\n--- expected\n{expected}\n--- printed\n" + "\n".join(printed)


def test_a_transcript_is_written_as_it_was_read() -> None:
    text = "## Why\n$ cat <<END\n> a\n> END\na\n! b\n? 1\n\n## Then\n$ true\n"
    assert written(read_session(text)) == text


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["took ..."], ["took 3 turns"], True),
        (["took ..."], ["gave"], False),
        (["..."], [], True),
    ],
)
def test_an_ellipsis_stands_for_what_follows(expected: list[str], printed: list[str], same: bool) -> None:
    assert agree(expected, printed) is same
