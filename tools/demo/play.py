"""Commands, run one after the other as a person would type them: each is shown, then what it says, then checked."""

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from demo.scene import Scene
from repatria.cli.output import printable
from repatria.errors import RepatriaError
from repatria.i18n import _

SECONDS_TO_WAIT = 60.0
"""How long a command that is to be killed may take to get to that point."""


class StepFailedError(RepatriaError):
    """A step of the demo did not do what it must; the demo stops there."""

    exit_code = 1

    def __init__(self, scene: Scene, message: str, code: int = 1) -> None:
        advice = _("The demo stops here; what was made so far is in {folder}.").format(folder=scene.folder)
        super().__init__(message, advice=advice)
        self._code = code

    @property
    def code(self) -> int:
        """The code of the command that failed, 1 if a check did."""
        return self._code


def tell(text: str = "") -> None:
    """Write one line."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def heading(text: str) -> None:
    """Begin a part of the demo."""
    tell()
    tell(f"=== {text}")


def check(scene: Scene, holds: bool, claim: str) -> None:
    """Tell what was checked; StepFailedError if it does not hold."""
    if not holds:
        raise StepFailedError(scene, _("This should hold, and does not: {claim}").format(claim=claim))
    tell(f"--> {claim}")


def run(scene: Scene, *arguments: str, expected: int = 0, shown: int = 25) -> list[str]:
    """Run one command of the program in the demo's folder and return the lines of its stdout.

    Of those, at most `shown` are repeated on the screen. StepFailedError unless its exit code is the expected one.
    """
    return run_program(scene, ["repatria", *arguments], expected=expected, shown=shown)


def run_program(scene: Scene, command: Sequence[str], *, expected: int = 0, shown: int = 25) -> list[str]:
    """Run any command in the demo's folder, in the same way."""
    begun = time.monotonic()
    with _started(scene, command) as process:
        printed = _repeated(process, shown)
    if process.returncode != expected:
        raise StepFailedError(
            scene,
            _("{command} ended with code {code}; {expected} was expected.").format(
                command=command[0], code=process.returncode, expected=expected
            ),
            process.returncode if process.returncode > 0 else 1,
        )
    seconds = time.monotonic() - begun
    tell(_("    [code {code}, {seconds:.1f} s]").format(code=process.returncode, seconds=seconds))
    return printed


def run_and_kill(scene: Scene, *arguments: str, when: Callable[[], bool]) -> None:
    """Run one command of the program and kill it, as a power cut would, as soon as `when` holds."""
    give_up = time.monotonic() + SECONDS_TO_WAIT
    with _started(scene, ["repatria", *arguments]) as process:
        while process.poll() is None and not when() and time.monotonic() < give_up:
            time.sleep(0.02)
        process.kill()
    check(scene, process.returncode < 0 and when(), _("The copy was killed in the middle (kill -9)."))


def _started(scene: Scene, command: Sequence[str]) -> "subprocess.Popen[str]":
    """Show a command and start it; what it says on stderr goes to the screen by itself."""
    tell(f"$ {shlex.join(command)}")
    program = [sys.executable, "-m", "repatria"] if command[0] == "repatria" else [command[0]]
    return subprocess.Popen(
        [*program, *command[1:]],
        cwd=scene.folder,
        env=scene.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def _repeated(process: "subprocess.Popen[str]", shown: int) -> list[str]:
    """Repeat what a command prints once it has ended, below its messages, and return all of it."""
    printed = process.communicate()[0].splitlines()
    for line in printed[:shown]:
        tell(f"    {line.rstrip()}")
    if len(printed) > shown:
        tell(_("    ... {count} more lines").format(count=len(printed) - shown))
    return printed
