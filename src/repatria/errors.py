"""One error tree: every class carries its exit code; `cli` alone turns errors into exits.

A message says what happened and what was kept safe; `advice` says what to do. Both are shown to a person, so both
are already translated where they are raised. Neither ever holds a secret, and `public` tells whether the message is
free of object names and may therefore go to log files.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import ClassVar

WORST_FIRST = (70, 130, 8, 6, 5, 4, 2, 1, 3, 7, 0)
"""Exit codes, the worst first; where several apply the worst is given."""


def worst(codes: Iterable[int]) -> int:
    """Return the worst of the exit codes, 0 if there are none."""
    return min(codes, key=WORST_FIRST.index, default=0)


class Role(StrEnum):
    """What a store is to the job at hand; decides whether its failure is code 4 or 5."""

    SOURCE = "source"
    TARGET = "target"


class RepatriaError(Exception):
    """Anything that ends a command with one sentence."""

    exit_code: ClassVar[int] = 70
    details: Sequence[str] = ()
    """Sentences that belong under the message, one line each."""

    def __init__(self, message: str, *, advice: str = "", public: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.public = public

    @property
    def code(self) -> int:
        """The exit code of this very error."""
        return self.exit_code


class UsageError(RepatriaError):
    """Usage, manifest or input is wrong; nothing was done."""

    exit_code = 2


class ManifestError(UsageError):
    """A manifest or repatria.toml is wrong; the message names the file and the line or key."""

    def __init__(self, message: str, *, advice: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message, advice=advice)
        self.details = details


class FindingsError(RepatriaError):
    """The work was done, but with findings."""

    exit_code = 1


class UnverifiableError(RepatriaError):
    """Something could not be verified; it never counts as intact."""

    exit_code = 3


class UnknownSignerError(UnverifiableError):
    """A statement is signed by a key that nobody vouched for."""


class StoreError(RepatriaError):
    """A store failed; what `role` it played gives the exit code."""

    def __init__(self, message: str, *, advice: str = "", public: bool = True, role: Role = Role.TARGET) -> None:
        super().__init__(message, advice=advice, public=public)
        self.role = role

    @property
    def code(self) -> int:
        """4 for a source, 5 for a target."""
        return 4 if self.role is Role.SOURCE else 5


class UnreachableError(StoreError):
    """No answer, or the connection broke; trying again later may help."""


class LateError(UnreachableError):
    """The store was asked and is there, and no answer came in time: it may have too much to do."""


class FailingError(UnreachableError):
    """The store answers that it failed, and does not say that it is for good."""


class RefusedError(StoreError):
    """The store answered that these credentials may not do this."""


class FullError(StoreError):
    """The store has no room left."""


class ThrottledError(StoreError):
    """The store asks for fewer requests (429, 503, SlowDown); trying again later helps."""

    pause = 0.0
    """Seconds after which it wants to be asked again, if it told."""


class NotFoundError(StoreError):
    """There is nothing under that path."""


class AlreadyExistsError(StoreError):
    """A file that is written once is already there."""


class ChangedError(StoreError):
    """The object is no longer the version that was asked for."""


class CryptError(RepatriaError):
    """Key, signature or decryption failure."""

    exit_code = 6


class LockedError(RepatriaError):
    """Another run holds this dataset's lock."""

    exit_code = 7


class StoppedError(RepatriaError):
    """Stopped resumably: the window closed, a signal came, or the link was lost beyond patience."""

    exit_code = 8


class InterruptedByUserError(StoppedError):
    """Interrupted from the keyboard; resumable as well."""

    exit_code = 130


class InternalError(RepatriaError):
    """A defect of Repatria itself; state is kept."""
