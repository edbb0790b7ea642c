"""How work tells that it advances; silent unless someone listens."""

from enum import StrEnum
from typing import Protocol


class Unit(StrEnum):
    """What is counted."""

    BYTES = "bytes"
    OBJECTS = "objects"
    PAGES = "pages"


class Progress(Protocol):
    """Told by core code, shown by the CLI. Calls come from any thread; none may block or raise."""

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        """Begin a stage, ending the one before; `label` is translated, `total` None if not known yet."""

    def advance(self, amount: int) -> None:
        """Count `amount` more units of the current stage."""

    def total(self, total: int) -> None:
        """Correct the current stage's total."""

    def finish(self) -> None:
        """End the current stage."""

    def say(self, message: str) -> None:
        """Show one translated sentence, free of object names."""


class Silent:
    """Progress that nobody watches."""

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""

    def total(self, total: int) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""


SILENT: Progress = Silent()
