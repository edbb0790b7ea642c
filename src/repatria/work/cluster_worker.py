"""What runs on a worker of a Dask cluster: a look at whether it may, and one unit."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from repatria import __version__, i18n
from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from distributed import Worker


@dataclass(frozen=True, slots=True)
class Veiled:
    """A value that no log and no dashboard of Dask's shows: both print what functions are given."""

    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker says of itself."""

    address: str
    version: str
    """Of Repatria."""
    spills: bool
    """Whether Dask would write what the worker holds to a disk when memory runs short."""
    has_nanny: bool
    """Whether it runs under Dask's nanny, as a daemon that may have no children."""
    equipment: str
    """What its units need beside Repatria, with its version."""
    lack: str = ""
    """In one sentence, what of that is missing; empty if nothing is."""
    advice: str = ""
    """What is to be installed there, then."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """What each worker of a run must have; travels with every unit."""

    equipment: str
    """As `WorkerFacts` tells of it."""
    look: Callable[[], str]
    """Returns the equipment of the machine where it is called, UsageError if it is missing there; an importable
    function, or a `partial` of one."""
    version: str = __version__
    language: str = field(default_factory=i18n.language)
    """In which a worker says what it lacks."""

    def fits(self, facts: WorkerFacts) -> bool:
        """Tell whether a worker can take part."""
        return not self.fault_of(facts)

    def fault_of(self, facts: WorkerFacts) -> str:
        """Return in one sentence why a worker cannot take part; empty if it can."""
        if facts.version != self.version:
            fault = _("The Dask worker {worker} runs Repatria {theirs}, this machine {ours}.")
        elif facts.has_nanny:
            fault = _("The Dask worker {worker} runs under a nanny: it can have no child processes.")
        elif facts.spills:
            fault = _(
                "The Dask worker {worker} may write what it holds to its disk, in the clear, if memory runs short."
            )
        elif facts.lack:
            fault = _("At the Dask worker {worker}: {message}")
        elif facts.equipment != self.equipment:
            fault = _("The Dask worker {worker} has {found}, this machine {needed}: they would not work alike.")
        else:
            return ""
        return fault.format(
            worker=facts.address,
            message=facts.lack,
            theirs=facts.version,
            ours=self.version,
            found=facts.equipment,
            needed=self.equipment,
        )


@dataclass(frozen=True, slots=True)
class Returned:
    """What a unit's function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """What it raised."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Unfit:
    """The worker did not begin."""

    facts: WorkerFacts


def facts_of(outfit: Outfit, dask_worker: "Worker") -> WorkerFacts:
    """Tell what this worker is; Dask fills in `dask_worker`."""
    facts = WorkerFacts(
        address=dask_worker.address,
        version=__version__,
        spills=not isinstance(dask_worker.data, dict),
        has_nanny=multiprocessing.current_process().daemon,
        equipment="",
    )
    i18n.use(outfit.language)
    try:
        return replace(facts, equipment=outfit.look())
    except UsageError as error:
        return replace(facts, lack=error.message, advice=error.advice)


def as_given(value: Veiled) -> Veiled:
    """Return what is to be held on the cluster."""
    return value


def worked(unit: Veiled, *held: Veiled) -> Veiled:
    """Work one unit. Never raises: Dask would log it, with the beginning of what the function was given."""
    from distributed import get_worker

    outfit, function, value = unit.value
    try:
        facts = facts_of(outfit, get_worker())
        if not outfit.fits(facts):
            return Veiled(Unfit(facts))
        return Veiled(Returned(function(value, *(each.value for each in held))))
    except Exception as error:
        return Veiled(Refused(error))
