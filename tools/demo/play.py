"""The program's commands, run one after the other as a person would run them, each shown with what it says."""

import subprocess
import sys
import time
from collections.abc import Sequence

from demo.scene import Scene
from repatria.errors import RepatriaError
from repatria.i18n import _


class StepFailedError(RepatriaError):
    """A command of the demo did not end as it must."""

    exit_code = 1


def tell(text: str = "") -> None:
    """Write one line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def heading(text: str) -> None:
    """Begin a part of the demo."""
    tell(f"\n{text}")


def run(scene: Scene, *arguments: str, shown: int = 40) -> list[str]:
    """Run one command of the program in the demo's folder and return the lines of its stdout.

    At most `shown` of what it printed is repeated on the screen. StepFailedError if it fails.
    """
    return run_program(scene, ["repatria", *arguments], shown=shown)


def run_program(scene: Scene, command: Sequence[str], shown: int = 40) -> list[str]:
    """Run any command in the demo's folder."""
    tell(f"  $ {_as_typed(command)}")
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=scene.folder, env=scene.environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    printed = done.stdout.decode(errors="replace").splitlines()
    said = done.stderr.decode(errors="replace").splitlines()
    lines = printed + said
    for line in lines[:shown]:
        tell(f"    {line}")
    if len(lines) > shown:
        tell(f"    ... ({len(lines)})")
    tell(_("    [{seconds:.1f} s]").format(seconds=time.monotonic() - begun))
    if done.returncode:
        raise StepFailedError(
            _("This command ended with code {code}; the demo stops here.").format(code=done.returncode),
            advice=_("What was made so far is in {folder}.").format(folder=scene.folder),
        )
    return printed


def _as_typed(command: Sequence[str]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in command)
