"""What `verify` says and remembers of damaged files: how many, in which bundles, and what may bring them back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repatria.bundle import layout
from repatria.i18n import _, ngettext
from repatria.model import FindingKind

if TYPE_CHECKING:
    from repatria.verify.report import BundleResult, Verdict
    from repatria.work.overview import LastRuns
    from repatria.work.repairing import Repaired


@dataclass(frozen=True, slots=True)
class Damage:
    """The files that a verification found altered or missing."""

    dataset: str
    results: "Sequence[BundleResult]"
    findings: int
    """How many findings there are in all, of whatever kind."""
    repaired: "Mapping[str, Repaired]"
    """What was sent again from here, by damaged bundle."""
    deep: bool = False
    """Whether every object of the files that were read was decrypted and compared."""
    elsewhere: bool = False
    """Whether this is a second copy, not the target: then no copy brings its files back."""

    @property
    def files(self) -> dict[str, list[str]]:
        """What is altered or missing, objects apart, by bundle; only bundles of which something is."""
        found = {each.bundle_id: [one.subject for one in _damaged(each) if one.object is None] for each in self.results}
        return {bundle: subjects for bundle, subjects in found.items() if subjects}

    @property
    def needed(self) -> dict[str, list[str]]:
        """The same, of the bundles that tell what stands now."""
        standing = {each.bundle_id for each in self._standing}
        return {bundle: subjects for bundle, subjects in self.files.items() if bundle in standing}

    @property
    def to_repair(self) -> str:
        """The first bundle that holds damage of which nothing was sent again yet; empty if there is none."""
        return next((bundle for bundle, subjects in self.needed.items() if not self._is_covered(bundle, subjects)), "")

    def facts(self) -> dict[str, str | int]:
        """Return what the audit log keeps of the damage: what `status` advises comes from there."""
        return {
            "damaged": sum(map(len, self.files.values())),
            "damaged_objects": sum(one.object is not None for each in self.results for one in _damaged(each)),
            "damaged_bundle": self.to_repair,
            "damaged_index": int(self._stops_reading()),
            "not_copied": self._not_copied,
        }

    def advice(self) -> str:
        """Return what to do, in one paragraph."""
        if self._is_left_behind() and not self._not_copied:
            return self._left_behind()
        if self._is_made_good():
            return self._made_good()
        told = [
            _("Do not erase anything at the source. Bring what is named back from a second copy, then verify again.")
        ]
        if self.elsewhere:
            return told[0]
        told += [
            _("What still stands of {bundle} was sent again on {time}: a later bundle holds it.").format(
                bundle=bundle, time=self.repaired[bundle].time
            )
            for bundle, subjects in self.needed.items()
            if self._is_covered(bundle, subjects)
        ]
        if self._is_sent_again():
            told += self._lacking()
        if self._not_copied:
            told.append(
                ngettext(
                    "{bundle} holds the dataset again, but {count} object of the source could not be copied then;"
                    " earlier bundles may hold it, and `restore` does not read them. While the source has it:"
                    " repatria copy {dataset}",
                    "{bundle} holds the dataset again, but {count} objects of the source could not be copied then;"
                    " earlier bundles may hold them, and `restore` does not read them. While the source has them:"
                    " repatria copy {dataset}",
                    self._not_copied,
                ).format(bundle=self._standing[0].bundle_id, count=self._not_copied, dataset=self.dataset)
            )
        if self._stops_reading():
            told.append(
                _(
                    "An index is damaged, and `restore` of the chain stops there until it is back; bundles without"
                    " damage open alone: repatria restore {dataset}@BUNDLE DEST --only -i FILE. Of what was copied, and"
                    " while the source still has all of it: repatria adopt {dataset} --anew; the next copy sends the"
                    " whole dataset again, into a bundle from which the chain is read."
                ).format(dataset=self.dataset)
            )
        elif self.to_repair:
            told.append(
                _(
                    "Of what was copied, and while the source still has it: repatria copy {dataset} --repair {bundle}"
                ).format(dataset=self.dataset, bundle=f"{self.dataset}@{self.to_repair}")
            )
        return " ".join(told)

    @property
    def _standing(self) -> "Sequence[BundleResult]":
        """The bundles that tell what stands now, as `Chain.standing` has it: none before is read to restore that."""
        full = [place for place, each in enumerate(self.results) if each.is_full]
        return self.results[full[-1] :] if full else self.results

    @property
    def _not_copied(self) -> int:
        """How many objects are still lacking of those that damaged bundles which are no longer read may hold."""
        return self._standing[-1].not_copied if len(self.needed) < len(self.files) else 0

    def _stops_reading(self) -> bool:
        """Return whether an index is damaged without which what stands cannot be read."""
        return any(map(layout.INDEX.match, self._needed_paths()))

    def _is_covered(self, bundle: str, subjects: Sequence[str]) -> bool:
        """Return whether all that still stood in damaged files was sent again."""
        repaired, paths = self.repaired.get(bundle), _paths(bundle, subjects)
        if repaired is None or not paths:
            return False
        if repaired.volumes is None:
            return all(path.startswith(layout.PAYLOAD_FOLDER) for path in paths)
        matches = [layout.VOLUME.match(path) for path in paths]
        return all(matches) and repaired.covers([int(match[1]) for match in matches if match])

    def _needed_paths(self) -> Iterator[str]:
        """Yield the damaged files that are needed, by path within their bundles."""
        for bundle, subjects in self.needed.items():
            yield from _paths(bundle, subjects)

    def _is_left_behind(self) -> bool:
        """Return whether every damaged bundle comes before one that holds all again, and all is right from there on."""
        return (
            bool(self.files)
            and not any(map(_damaged, self._standing))
            and sum(len(_damaged(each)) for each in self.results) == self.findings
            and all(each.files_read >= each.files for each in self._standing)
        )

    def _left_behind(self) -> str:
        return _(
            "{dataset} as it stands is whole all the same: {bundle} holds all of it again, every file from there on is"
            " intact, and `repatria restore {dataset}` begins there. What had changed or gone at the source by then is"
            " in earlier bundles alone: keep them, and bring their damaged files back from a second copy, if there is"
            " one. Until then verifying the whole chain ends with code 1."
        ).format(dataset=self.dataset, bundle=self._standing[0].bundle_id)

    def _is_made_good(self) -> bool:
        """Return whether all that was damaged was sent again, and nothing keeps the dataset from being whole."""
        return self._is_sent_again() and not any(self._lacking())

    def _is_sent_again(self) -> bool:
        """Return whether all that damaged volumes cost was sent again, and nothing else of the payload is damaged."""
        return bool(self.needed) and not self.to_repair and all(map(layout.VOLUME.match, self._needed_paths()))

    def _lacking(self) -> Iterator[str]:
        """Yield what keeps the dataset from being called whole although all that was damaged was sent again."""
        seen = {each.bundle_id for each in self.results}
        unseen = sorted({into for bundle in self.needed for into in self.repaired[bundle].into} - seen)
        if unseen:
            yield _(
                "Of the dataset as it stands this tells nothing: {bundles}, into which that was sent, is not among what"
                " was verified. Verify the whole dataset: repatria verify {dataset}"
            ).format(bundles=", ".join(unseen), dataset=self.dataset)
        elif any(each.files_read < each.files for each in self.results):
            yield _(
                "Of the dataset as it stands this tells nothing: not every file was read. Verify without --sample:"
                " repatria verify {dataset}"
            ).format(dataset=self.dataset)
        others = self.findings - sum(map(self._explained, self.results))
        if others:
            yield ngettext(
                "{count} more finding, named above, is not of that damage, and keeps the dataset from being whole.",
                "{count} more findings, named above, are not of that damage, and keep the dataset from being whole.",
                others,
            ).format(count=others)

    def _explained(self, result: "BundleResult") -> int:
        """Return how many findings on a bundle are damaged files, or objects that these cost."""
        damaged = _damaged(result)
        if result not in self._standing:
            return len(damaged)
        paths = _paths(result.bundle_id, [each.subject for each in damaged])
        volumes = {int(match[1]) for path in paths if (match := layout.VOLUME.match(path))}
        return len(paths) + sum(bool(each.volumes) and each.volumes <= volumes for each in damaged)

    def _made_good(self) -> str:
        damaged = self.needed
        told = _(
            "{dataset} as it stands is whole all the same: what the source still had of {bundle} was sent again on"
            " {time}, later bundles hold it, every file of them intact, and `repatria restore {dataset}` takes it from"
            " there. What had changed or gone at the source by then lay in the damaged files alone: bring them back"
            " from a second copy, if there is one. Until then verifying the whole chain ends with code 1; the latest"
            " bundle alone: repatria verify {dataset}@{latest} --only"
        ).format(
            dataset=self.dataset,
            bundle=", ".join(damaged),
            time=max(self.repaired[bundle].time for bundle in damaged),
            latest=self.results[-1].bundle_id,
        )
        return f"{_('Every object that stands was decrypted and compared.')} {told}" if self.deep else told


def _damaged(result: "BundleResult") -> "list[Verdict]":
    """Return the verdicts on what is altered or missing of a bundle, objects included."""
    kinds = (FindingKind.ALTERED, FindingKind.MISSING)
    return [each for each in result.verdicts if each.finding.kind in kinds]


def _paths(bundle: str, subjects: Sequence[str]) -> list[str]:
    """Return the files among what is damaged, by path within the bundle; the rest are objects (`--deep`)."""
    return [subject.removeprefix(f"{bundle}/") for subject in subjects if subject.startswith(f"{bundle}/")]


def found_damaged(files: int, objects: int) -> str:
    """Return the sentence on what the last verification found damaged; empty if that is nothing."""
    if files:
        return ngettext(
            "The last verification found {count} damaged file at the target.",
            "The last verification found {count} damaged files at the target.",
            files,
        ).format(count=files)
    if objects:
        return ngettext(
            "The last verification found {count} damaged object at the target.",
            "The last verification found {count} damaged objects at the target.",
            objects,
        ).format(count=objects)
    return ""


def bundle_to_repair(runs: "LastRuns") -> str:
    """Return the bundle of which a repair, not done yet, sends again what is damaged; empty if there is none."""
    bundle = runs.damaged_bundle or ""
    cannot_be_repaired = bundle in runs.mended or runs.damaged_index or runs.made_by == "ocr"
    return "" if cannot_be_repaired else bundle


def mending_command(dataset: str, runs: "LastRuns") -> str | None:
    """Return what to run next on a dataset that was not found intact; None if nothing is left to do from here.

    Where a repair does not mend it, or was done since, that is a verification: it tells what to do.
    """
    bundle = bundle_to_repair(runs)
    if bundle:
        return f"repatria copy {dataset} --repair {dataset}@{bundle}"
    if runs.damaged and not runs.damaged_bundle and runs.not_copied:
        return f"repatria copy {dataset}"
    if runs.damaged and not runs.damaged_bundle and not runs.mended:
        return None  # all that the source still had was sent again
    return f"repatria verify {dataset}"
