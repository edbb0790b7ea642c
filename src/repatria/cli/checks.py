"""What `doctor` looks at: each check is a sentence on what was seen, how it is judged, and what to do about it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from repatria import __version__
from repatria.cli.quantity import size_text
from repatria.errors import RepatriaError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.settings import Settings

LITTLE_SPACE = 1 << 30
NO_SPACE = 100 << 20
"""Bytes free in the state folder below which a journal may not end its run."""

HYBRID_AGE = (1, 3)
"""The first version of age that opens files for post-quantum hybrid keys."""


class State(StrEnum):
    """How something was found."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    """What, in one word that never changes: for JSON."""
    state: State
    seen: str
    """Translated."""
    advice: str = ""
    """Translated; what to do, empty if nothing."""
    code: int = 2
    """The exit code that a problem asks for."""


def failed(name: str, error: RepatriaError) -> Check:
    """Return the problem that an error tells of."""
    return Check(name, State.PROBLEM, error.message, error.advice, error.code)


def machine_checks(settings: "Settings") -> Iterator[Check]:
    """Look at this machine: programs, clock, state folder."""
    seen = _("Repatria {version}, Python {python}").format(version=__version__, python=dotted(sys.version_info[:3]))
    yield Check("repatria", State.OK, seen)
    yield _clock(time.time())
    if settings.file:
        yield Check("settings", State.OK, _("Settings from {file}").format(file=settings.file))
    yield _state_folder(settings.state)
    yield _age()
    yield _ssh_keygen()


def _clock(now: float) -> Check:
    """Judge the clock by the program's own files: nothing was installed in the future."""
    shown = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    newest = max(file.stat().st_mtime for file in Path(__file__).parent.glob("*.py"))
    if now < newest - 86400:
        return Check(
            "clock",
            State.PROBLEM,
            _("The clock says {time}, which is before this program was installed.").format(time=shown),
            _("Set it (timedatectl set-ntp true): bundles are dated by it, and S3 refuses requests from another time."),
        )
    return Check("clock", State.OK, _("Clock: {time}").format(time=shown))


def _state_folder(folder: Path) -> Check:
    existing = nearest_existing(folder)
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check(
            "state",
            State.PROBLEM,
            _("The state folder {folder} cannot be written to.").format(folder=folder),
            _("Give this user rights to it, or name another with REPATRIA_STATE or [defaults] state."),
        )
    free = shutil.disk_usage(existing).free
    seen = _("State folder {folder}, {free} free").format(folder=folder, free=size_text(free))
    if free >= LITTLE_SPACE:
        return Check("state", State.OK, seen)
    advice = _("Make room: journals are kept there, and a run stops when the disk is full.")
    return Check("state", State.WARNING if free >= NO_SPACE else State.PROBLEM, seen, advice)


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _age() -> Check:
    advice = _("Only needed to open bundles without Repatria: there, install age 1.3 or later.")
    version = _version_of("age", "--version")
    if version is None:
        return Check("age", State.WARNING, _("age is not installed."), advice)
    if version < HYBRID_AGE:
        seen = _("age {version} opens files for classical keys only.").format(version=dotted(version))
        return Check("age", State.WARNING, seen, advice)
    return Check("age", State.OK, _("age {version}").format(version=dotted(version)))


def dotted(version: Iterable[int]) -> str:
    """Return a version as it is written."""
    return ".".join(str(part) for part in version)


def _version_of(*command: str) -> tuple[int, ...] | None:
    """Return the version that a program tells, None if it is not there or does not answer."""
    try:
        told = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+(?:\.\d+)+)", told.stdout + told.stderr)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def _ssh_keygen() -> Check:
    if shutil.which("ssh-keygen"):
        return Check("ssh-keygen", State.OK, _("ssh-keygen is installed"))
    return Check(
        "ssh-keygen",
        State.WARNING,
        _("ssh-keygen is not installed."),
        _("Only needed to verify signatures without Repatria: there, install openssh-client."),
    )


def recognition_check(languages: str, *, needed: bool) -> Check:
    """Look for the engine and the data for `fra+ara`; without them it is a problem only where they are needed."""
    from repatria.cli.ocr_part import refuse_without_ocr
    from repatria.ocr.engine import choose_engine, installed_languages, languages_of

    try:
        refuse_without_ocr()
        choice = choose_engine(languages_of(languages))
    except RepatriaError as error:
        state = State.PROBLEM if needed else State.WARNING
        return Check("ocr", state, error.message, error.advice, error.code)
    seen = _("Text recognition with {engine}, languages: {languages}").format(
        engine=choice.kind, languages=installed_languages()
    )
    if not choice.can_orient:
        advice = _("Pages that lie on their side are not turned: install tesseract-ocr-osd.")
        return Check("ocr", State.WARNING, seen, advice)
    return Check("ocr", State.OK, seen)
