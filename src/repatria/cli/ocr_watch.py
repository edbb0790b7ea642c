"""`ocr --watch`: a shared folder that is read as scans are dropped into it; one line for each bundle."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from repatria.cli.bordereau_lines import read_bordereau
from repatria.cli.ocr_archive import Archive
from repatria.cli.ocr_report import record_result
from repatria.cli.output import Output
from repatria.errors import UsageError
from repatria.i18n import _, ngettext
from repatria.reasons import reason_of

if TYPE_CHECKING:
    from repatria.ocr.batch import Wishes
    from repatria.ocr.share import Share
    from repatria.ocr.watch import Rhythm, Round
    from repatria.settings import Settings
    from repatria.work.bundling import BundleRun
    from repatria.work.patience import Patience
    from repatria.work.state import StateFolder

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def rhythm_of(*, watched: bool, pages: int | None, idle: str | None, settle: str | None) -> "Rhythm":
    """Return when bundles close; UsageError for options that only a watch has."""
    from repatria.ocr.watch import Rhythm

    told = {"pages": pages, "idle": idle, "settle": settle}
    needless = [name for name, value in told.items() if value is not None]
    if needless and not watched:
        raise UsageError(
            _("--{option} needs --watch. Nothing was done.").format(option=needless[0]),
            advice=_("Add --watch, and give the shared folder with inbox, done and problems."),
        )
    rhythm = Rhythm()
    if pages is not None:
        rhythm = replace(rhythm, pages=pages)
    if idle is not None:
        rhythm = replace(rhythm, idle=_seconds(idle))
    if settle is not None:
        rhythm = replace(rhythm, settle=_seconds(settle))
    return replace(rhythm, glance=min(rhythm.glance, max(0.1, rhythm.settle / 2, rhythm.idle / 2)))


def watch(
    out: Output, archive: Archive, share: "Share", wishes: "Wishes", rhythm: "Rhythm", settings: "Settings"
) -> int:
    """Watch under the dataset's lock until a stop is asked for (code 8), or something fails."""
    from repatria.cli.endings import LastWords, ending_soon
    from repatria.cli.progress import shown_progress
    from repatria.cli.runs import audited
    from repatria.ocr.digitise import Desk
    from repatria.ocr.watch import Watch
    from repatria.work.lock import dataset_lock
    from repatria.work.patience import Patience
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    state, dataset = StateFolder(settings.state), archive.facts.id
    told = _Once.beside(out)
    with audited(out, settings, "ocr", dataset, long=True) as facts, ExitStack() as stack:
        stop = stack.enter_context(ending_soon(LastWords(out, state, "ocr", dataset), StopSignal()))
        stack.enter_context(dataset_lock(state, dataset))
        progress = stack.enter_context(shown_progress(out))
        patience = Patience(stop, archive.patience, progress)
        watching = Watch(
            share,
            Desk(state.dataset(dataset), state.key()),
            rhythm,
            open_run=lambda: _opened(told, archive, state, patience),
            wishes=_Current(out, archive.bordereau, wishes),
            is_intact=lambda uri: _is_intact(out, archive, state, uri),
            patience=patience,
            lease=lambda: share.leased(dataset, state, stop),
            progress=progress,
        )
        out.say(_("Watching {folder}.").format(folder=share.root / "inbox"))
        bundles, pages = 0, 0
        for each in watching.run():
            bundles, pages = bundles + 1, pages + each.result.pages
            facts.update(bundles=bundles, pages=pages)
            _show(out, dataset, each)
    raise AssertionError("a watch ends by an error")


@contextmanager
def _opened(out: Output, archive: Archive, state: "StateFolder", patience: "Patience") -> "Iterator[BundleRun]":
    from repatria.cli.runs import opened_run
    from repatria.migrate.facts import source_facts

    with opened_run(
        out,
        archive.facts,
        archive.open_target(),
        recipients=archive.recipients,
        signer=archive.signer,
        state=state,
        sources=source_facts(archive.sources),
        volume_size=archive.volume_size,
        patience=patience,
    ) as run:
        yield run


def _is_intact(out: Output, archive: Archive, state: "StateFolder", uri: str) -> bool:
    """Read a bundle back from the target, every file of it, and compare it with what was signed."""
    from repatria.verify.dataset import DatasetCheck, Wish
    from repatria.verify.report import Verdict
    from repatria.verify.trust import load_trust

    dataset = archive.facts.id
    own = (archive.signer,) if archive.signer is not None else ()
    store = archive.open_target()
    try:
        wish = Wish(upto=uri.rsplit("/", 1)[-1], only=True)
        verdicts = [
            told
            for told in DatasetCheck(store, dataset, load_trust(state, dataset, own=own), wish).run()
            if isinstance(told, Verdict)
        ]
    finally:
        store.close()
    for verdict in verdicts:
        out.finding(verdict.finding)
    return not verdicts


def _show(out: Output, dataset: str, told: "Round") -> None:
    """Write the line of one bundle, and what is wrong with scans."""
    from repatria.cli.quantity import number_text, quantity_text, rate_text
    from repatria.progress import Unit

    result = told.result
    record_result(out, dataset, result, told.seconds, done=told.done, problems=told.problems)
    moved = ngettext("{count} scan to done", "{count} scans to done", told.done).format(count=number_text(told.done))
    read = quantity_text(result.pages, Unit.PAGES)
    if result.pages:
        read += f" ({rate_text(result.pages / max(told.seconds, 0.001), Unit.PAGES)})"
    parts = [read, moved]
    if told.problems:
        parts.append(
            ngettext("{count} scan to problems", "{count} scans to problems", told.problems).format(
                count=number_text(told.problems)
            )
        )
    out.text(f"{result.uri or _('Nothing new.')}   {', '.join(parts)}", whole=True)
    out.summary(bundle=result.uri, next=f"repatria verify {dataset}")


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            _("{text} is no time.").format(text=text), advice=_("Give one with its unit, such as 5s, 15m or 1h.")
        )
    return float(match[1]) * _SECONDS[match[2]]


@dataclass(slots=True)
class _Current:
    """How scans are to be read: the bordereau is read again when its file changes."""

    out: Output
    file: Path | None
    wishes: "Wishes"
    _seen: int | None = None

    def __call__(self) -> "Wishes":
        """Return the wishes for the next bundle; a bordereau that is wrong at this moment changes nothing."""
        if self.file is None:
            return self.wishes
        try:
            before, self._seen = self._seen, self.file.stat().st_mtime_ns
            if before not in {None, self._seen}:
                self.wishes = replace(self.wishes, bordereau=read_bordereau(self.out, self.file))
        except (OSError, UsageError) as error:
            message = error.message if isinstance(error, UsageError) else reason_of(error)
            self.out.warn(_("The bordereau stays as it was read before: {reason}").format(reason=message))
        return self.wishes


@dataclass(slots=True)
class _Once(Output):
    """An output that warns of a thing once: a watch opens a bundle again and again."""

    _warned: set[str] = field(default_factory=set)

    @classmethod
    def beside(cls, out: Output) -> "_Once":
        """Return one that writes where `out` does."""
        return cls(**{part.name: getattr(out, part.name) for part in fields(Output)})

    def warn(self, message: str) -> None:
        """Write a warning, the first time."""
        if message not in self._warned:
            self._warned.add(message)
            Output.warn(self, message)
