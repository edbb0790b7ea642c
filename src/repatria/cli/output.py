"""What is printed where.

1. Results go to stdout: a table for people, JSON Lines with `--json`. Nothing else goes there.
2. Progress, messages, warnings and errors go to stderr. `--quiet` silences stderr for exit codes 0 and 8.
3. Every JSON line has `type` and `v`; the last one has type `summary` with code, bundle and next step. Errors are JSON
   lines on stderr. Fields are added, never renamed.
4. Object names may be patients' names. Results that a person asked for by name (`ls`, `search`) carry them; messages
   carry them only on a terminal (`Output.names`), log files never: they say `object 42`.
5. Nothing asks a question without a terminal.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, TextIO

from repatria.cli.terminal import fitted
from repatria.errors import FullError, RepatriaError, UsageError
from repatria.i18n import _
from repatria.model import Finding
from repatria.reasons import reason_of

JSON_VERSION = 1
LOG = logging.getLogger("repatria")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table for people."""

    key: str
    title: str
    """Translated."""
    justify: Literal["left", "right"] = "left"
    wraps: bool = False
    """Whether its cells may be broken between words: sentences may, ids, dates and paths may not."""


@dataclass(slots=True)
class Table:
    """Rows on their way to stdout: kept for a table, or written at once as JSON Lines."""

    output: "Output"
    record: str
    columns: Sequence[Column]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, shown: Sequence[object], **fields: Any) -> None:
        """Add a row: `shown` are the cells for people, `fields` the JSON line."""
        if self.output.json:
            self.output.record(self.record, **fields)
        else:
            self.rows.append([str(cell) for cell in shown])


@dataclass(slots=True)
class Output:
    """Where a command's results and messages go."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    summary_fields: dict[str, Any] = field(default_factory=dict)
    held_back: list[str] = field(default_factory=list)
    beside_progress: Callable[[], AbstractContextManager[object]] = nullcontext
    """What makes room for a line while bars are on the same terminal."""
    outlives_reader: bool = False
    """Whether the command goes on to its end, and to its own code, when nobody reads its stdout any more."""

    @property
    def names(self) -> bool:
        """Whether messages may carry object names: on a terminal or in JSON."""
        return self.json or self.stderr.isatty()

    @property
    def interactive(self) -> bool:
        """Whether someone can be asked."""
        return sys.stdin.isatty() and self.stderr.isatty()

    def record(self, record_type: str, **fields: Any) -> None:
        """Write one JSON line of a result; nothing for people."""
        if self.json:
            with self._written():
                print(json_line(record_type, fields), file=self.stdout, flush=True)

    def text(self, line: str, *, whole: bool = False) -> None:
        """Write one line of a result for people; nothing with `--json`. One to be copied is `whole`: never broken."""
        if not self.json:
            with self._written():
                shown = printable(line)
                print(shown if whole else fitted(shown, self.stdout), file=self.stdout, flush=True)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            with self.beside_progress(), results_written():
                yield
        except BrokenPipeError:
            if not self.outlives_reader:
                raise
            let_stdout_go()

    @contextmanager
    def table(self, record: str, columns: Sequence[Column]) -> Iterator[Table]:
        """Collect rows, then show them: aligned for people, one JSON line each (at once) with `--json`."""
        table = Table(self, record, columns)
        yield table
        if not self.json and table.rows:
            self._show(table)

    def _show(self, table: Table) -> None:
        from repatria.cli.table import print_table

        with self._written():
            print_table(self.stdout, table.columns, [[printable(cell) for cell in row] for row in table.rows])
            self.stdout.flush()

    def say(self, message: str, *, whole: bool = False) -> None:
        """Write one message to stderr; held back with `--quiet`, shown if the command ends badly."""
        LOG.info("%s", message)
        self._say(message, whole=whole)

    def _say(self, message: str, *, whole: bool = False) -> None:
        if self.json:
            return
        if self.quiet:
            self.held_back.append(message)
        else:
            self._tell(message, whole=whole)

    def warn(self, message: str) -> None:
        """Write a warning to stderr."""
        if self.json:
            self._stderr_record("warning", message=message)
        else:
            self.say(_("Warning: {message}").format(message=message))

    def finding(self, finding: Finding, *, stored: bool = True) -> None:
        """Show one finding that is not `intact`: a JSON line on stdout, a message for people.

        An object that is not `stored` in a bundle has a number that nothing resolves: people do not see it.
        """
        self.record("finding", kind=finding.kind, subject=finding.subject, detail=finding.detail, path=finding.path)
        if not self.json:
            subject = _subject(finding.subject, stored=stored)
            LOG.info("%s", _sentence(finding, subject))
            named = f"{subject} ({finding.path})" if finding.path and self.names else subject
            self._say(_sentence(finding, named))

    def error(self, error: RepatriaError) -> None:
        """Write one error and its advice to stderr."""
        if self.json:
            details = {"details": list(error.details)} if error.details else {}
            self._stderr_record("error", code=error.code, message=error.message, advice=error.advice, **details)
            return
        if self.quiet and error.code == 8:
            return
        self.release()
        message = error.message if error.public or self.names else _("An object could not be handled.")
        self._tell(f"repatria: {message}")
        for detail in error.details:
            self._tell(f"  {detail}")
        if error.advice:
            self._tell(error.advice)

    def release(self) -> None:
        """Show what `--quiet` held back, because the command does not end well."""
        for message in self.held_back:
            self._tell(message)
        self.held_back.clear()

    def _tell(self, line: str, *, whole: bool = False) -> None:
        shown = printable(line)
        with _unheard(), self.beside_progress():
            print(shown if whole else fitted(shown, self.stderr), file=self.stderr, flush=True)

    def summary(self, **fields: Any) -> None:
        """Set fields of the last JSON line (`bundle`, `next`, counts); `finish` writes it."""
        self.summary_fields.update(fields)

    def finish(self, code: int) -> None:
        """Write the summary line that ends JSON output."""
        fields = {"bundle": None, "next": None, **self.summary_fields}
        self.record("summary", code=code, **fields)

    def _stderr_record(self, record_type: str, **fields: Any) -> None:
        with _unheard():
            print(json_line(record_type, fields), file=self.stderr, flush=True)


def _unheard() -> AbstractContextManager[None]:
    """Let a message fall that nobody can hear any more, as on a terminal that was closed: the exit code tells."""
    return suppress(OSError)


@contextmanager
def results_written() -> Iterator[None]:
    """Turn what the disk says while results are written to stdout into the error of a target that is full."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        let_stdout_go()
        raise FullError(
            _("What this command prints could not be written: {reason}.").format(reason=reason_of(error)),
            advice=_("Make room where its output goes, then run the same command again."),
        ) from error


def stdout_for_bytes() -> BinaryIO:
    """Return stdout for what is no text; UsageError if it was closed (`>&-`), for then the bytes would be lost."""
    if sys.__stdout__ is None:
        raise UsageError(
            _("Standard output is closed: there is nowhere to write to. Nothing was done."),
            advice=_("Send it to a file or a pipe, or give a file with -o FILE where the command has that option."),
        )
    return sys.stdout.buffer


def let_stdout_go() -> None:
    """Send what is still printed nowhere: what waits in buffers must not fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _subject(subject: str, *, stored: bool) -> str:
    """Return what a finding is about, in the user's language."""
    number = subject.removeprefix("object ")
    if number == subject or not number.isdigit():
        return subject
    return _("object {number}").format(number=number) if stored else _("an object of the source")


def _sentence(finding: Finding, subject: str) -> str:
    told = _("{kind}: {subject}. {detail}")
    return told.format(kind=_(FINDING_WORDS[finding.kind]), subject=subject, detail=finding.detail).rstrip()


def _mark(message: str) -> str:
    """Mark a sentence for translation where it is shown, not here."""
    return message


FINDING_WORDS = {
    "intact": _mark("intact"),
    "altered": _mark("altered"),
    "missing": _mark("missing"),
    "unexpected": _mark("unexpected"),
    "unverifiable": _mark("unverifiable"),
    "failed": _mark("failed"),
    "changed": _mark("changed meanwhile"),
}


def json_line(record_type: str, fields: Mapping[str, Any]) -> str:
    """Return one JSON line, fit for any terminal: what is not printable is escaped as JSON does, names included.

    A byte of a name that is not UTF-8 is the lone surrogate that Python and the model have for it.
    """
    record = {"type": record_type, "v": JSON_VERSION, **fields}
    line = json.dumps(record, ensure_ascii=False, default=str)
    return line if line.isprintable() else json.dumps(record, default=str)


NO_BREAK_SPACES = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""Between the digits of a French number."""


def printable(text: str) -> str:
    """Make text safe for any terminal: no control characters, no lone surrogates, whatever an object's name holds."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or character in NO_BREAK_SPACES:
        return character
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
