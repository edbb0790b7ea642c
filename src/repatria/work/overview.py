"""How a dataset stands, as far as this machine's state folder knows: without any key, without asking the target."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from repatria.errors import FindingsError
from repatria.work.audit import LogLine, read_log
from repatria.work.catalogue import Catalogue
from repatria.work.journal import FILE_NAME, Journal
from repatria.work.lock import Holder, lock_holder
from repatria.work.repairing import Repaired, parse_volumes
from repatria.work.state import StateFolder
from repatria.work.unfinished import Unfinished


@dataclass(frozen=True, slots=True)
class UnfinishedWork:
    """A bundle that was begun and is not finished."""

    bundle: str
    started: str
    """RFC 3339."""
    proven: int
    """Volumes that are safe at the target."""
    bytes: int
    """Of objects, as at the source, that these hold whole or in part."""
    sent: int
    """Volumes that may be at the target; the next run finds out."""
    sent_bytes: int
    """Of objects that these hold: at most so many are sent once more."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last line of the audit log on a run that writes bundles."""

    time: str
    """RFC 3339, UTC: when it ended, or began if nothing tells of its end."""
    code: int | None
    """How it ended; None if it runs still, or was cut off."""
    findings: int = 0
    """What it did not bring, although it came to its end."""


@dataclass(frozen=True, slots=True)
class LastRuns:
    """What the audit log tells of a dataset."""

    made_by: str | None = None
    """The command that wrote to it last: `copy` or `ocr`."""
    last: LastRun | None = None
    """How that ended."""
    worked: bool = False
    """Whether such a command ever came as far as to have something that a journal tells of."""
    verified: str | None = None
    """When it was last verified and found intact: RFC 3339, UTC."""
    damaged: int = 0
    """Files that the last verification found altered or missing."""
    damaged_objects: int = 0
    """Objects that it found so, if it was deep."""
    damaged_bundle: str | None = None
    """The first bundle in which such files lie whose objects were not sent again."""
    damaged_index: bool = False
    """Whether one of them is an index without which what stands cannot be read: no repair makes that good."""
    not_copied: int = 0
    """Objects lacking in what was sent again whole in place of damaged bundles."""
    repaired: Mapping[str, Repaired] = field(default_factory=dict)
    """What was sent again, from here, of damaged bundles."""
    mended: frozenset[str] = frozenset()
    """Of these bundles, those of which something was sent again since the last verification."""

    @property
    def is_damaged(self) -> bool:
        """Whether the last verification found something altered or missing."""
        return bool(self.damaged or self.damaged_objects)


_LEAVE_A_JOURNAL = {0, 1}
"""Codes of runs that came to their end; one that was stopped may have been so before its first contact."""
_LEFT_NOTHING_OPEN = {0, 1, 7}
"""Codes of runs that came to their end, or had another one work for them."""
_STOPPED = {8, 130, None}
"""Codes of runs that the same command goes on with."""


def last_runs(state: StateFolder) -> dict[str, LastRuns]:
    """Return what the audit log tells of each dataset; a line that was altered tells nothing."""
    found: dict[str, LastRuns] = {}
    for line in read_log(state):
        fields = line.fields
        dataset = str(fields.get("dataset", ""))
        known = found.get(dataset, LastRuns())
        if fields.get("command") in {"copy", "ocr"}:
            found[dataset] = replace(
                known,
                made_by=str(fields["command"]),
                last=LastRun(str(fields.get("time", "")), fields.get("code"), int(fields.get("findings", 0))),
                worked=known.worked or fields.get("code") in _LEAVE_A_JOURNAL,
                **_repaired(known, line),
            )
        elif fields.get("command") == "verify" and line.intact and "code" in fields and not fields.get("elsewhere"):
            found[dataset] = _after_verification(known, fields)
    return found


def _repaired(known: LastRuns, line: LogLine) -> dict[str, Any]:
    """Return the facts on what was sent again that a line on a copy changes."""
    fields = line.fields
    if not line.intact or fields.get("code") != 0 or not fields.get("repaired"):
        return {}
    bundle, into = str(fields["repaired"]), str(fields.get("bundle", "")).rpartition("/")[2]
    now = Repaired(
        str(fields["time"]),
        frozenset(filter(None, (into,))),
        parse_volumes(str(fields.get("repaired_volumes", ""))),
    )
    repaired = {**known.repaired, bundle: now.after(known.repaired.get(bundle))}
    return {"repaired": repaired, "mended": known.mended | {bundle}}


def _after_verification(known: LastRuns, fields: Mapping[str, Any]) -> LastRuns:
    """Return what is known after a verification; one that could not be done at all leaves what an earlier one saw.

    So does one of a part, such as a sample: that it met no damage says nothing of what was met before.
    """
    if fields.get("part") and known.is_damaged:
        return known
    if fields["code"] == 0:
        return replace(
            known,
            verified=str(fields["time"]),
            damaged=0,
            damaged_objects=0,
            damaged_bundle=None,
            damaged_index=False,
            not_copied=0,
            mended=frozenset(),
        )
    if "damaged" not in fields:
        return replace(known, verified=None)
    bundle = fields.get("damaged_bundle")
    return replace(
        known,
        verified=None,
        damaged=int(fields["damaged"]),
        damaged_objects=int(fields.get("damaged_objects", 0)),
        damaged_bundle=str(bundle) if bundle else None,
        damaged_index=bool(fields.get("damaged_index")),
        not_copied=int(fields.get("not_copied", 0)),
        mended=frozenset(),
    )


@dataclass(frozen=True, slots=True)
class DatasetStanding:
    """What is known of a dataset here."""

    dataset: str
    bundle: str | None = None
    """The last finished bundle; None if there is none."""
    statement: str | None = None
    """The SHA-256 of its statement, as it is known here."""
    uri: str | None = None
    finished: str | None = None
    """When it was finished: RFC 3339, UTC."""
    objects: int = 0
    bytes: int = 0
    unfinished: UnfinishedWork | None = None
    holder: Holder | None = None
    """Who works on it at this moment."""
    runs: LastRuns = field(default_factory=LastRuns)
    has_journal: bool = True
    at_target: int | None = None
    """Bundles that lie at its target, finished or not; None if nobody looked."""

    @property
    def is_lost(self) -> bool:
        """Whether bundles were made of which nothing is known here any more: the state folder is gone, or another."""
        return not self.has_journal and self.holder is None and (self.runs.worked or bool(self.at_target))

    @property
    def failed(self) -> LastRun | None:
        """The last run, if it came neither to its end nor as far as to leave an unfinished bundle; else None."""
        last = self.runs.last
        came_to_something = self.unfinished is not None or self.holder is not None or self.is_lost
        return None if last is None or last.code in _LEFT_NOTHING_OPEN or came_to_something else last

    @property
    def left_out(self) -> int:
        """Objects that the last copy did not bring, although it came to its end."""
        last = self.runs.last
        if last is None or last.code != FindingsError.exit_code or self.runs.made_by != "copy" or self.holder:
            return 0
        return last.findings

    @property
    def is_stopped(self) -> bool:
        """Whether the same command goes on with what a run left, or with what it had not begun to send."""
        if self.holder is not None:
            return False
        return self.unfinished is not None or (self.failed is not None and self.failed.code in _STOPPED)

    @property
    def verified(self) -> str | None:
        """When the last finished bundle was found intact; None if it was not verified since."""
        told, finished = self.runs.verified, self.finished
        return told if told and finished and told >= finished else None


def standing_of(state: StateFolder, dataset_id: str, runs: LastRuns | None = None) -> DatasetStanding:
    """Return how a dataset stands; one that was never worked on from here stands at nothing."""
    runs = runs or LastRuns()
    holder = lock_holder(state, dataset_id)
    folder = state.path / "datasets" / dataset_id
    if not (folder / FILE_NAME).is_file():
        return DatasetStanding(dataset_id, holder=holder, runs=runs, has_journal=False)
    journal = Journal(folder, state.key(), read_only=True)
    try:
        return DatasetStanding(
            dataset=dataset_id,
            bundle=journal.fact("head_bundle"),
            statement=journal.fact("head_statement"),
            uri=journal.fact("head_uri"),
            finished=journal.fact("head_finished"),
            objects=int(journal.fact("head_objects") or 0),
            bytes=int(journal.fact("head_bytes") or 0),
            unfinished=_unfinished(journal),
            holder=holder,
            runs=runs,
        )
    finally:
        journal.close()


def _unfinished(journal: Journal) -> UnfinishedWork | None:
    unfinished = Unfinished(journal, Catalogue(journal))
    beginning = unfinished.beginning()
    if beginning is None:
        return None
    safe, sent = unfinished.standing()
    return UnfinishedWork(
        bundle=beginning.bundle,
        started=beginning.started,
        proven=safe.volumes,
        bytes=safe.all_bytes,
        sent=sent.volumes,
        sent_bytes=sent.all_bytes,
    )
