"""When a dataset with damaged files is called whole all the same, and what is said where it is not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from repatria.cli.damage import Damage, mending_command
from repatria.model import FindingKind
from repatria.verify.report import BundleResult, Verdict, of_object, verdict
from repatria.work.overview import LastRuns
from repatria.work.repairing import Repaired

WHOLE = "d as it stands is whole all the same"
KEEP = "Do not erase anything at the source."
VOLUME, INDEX = "data/vol-000001.tar.age", "data/index-0001.db.age"


def bundle(
    name: str, *damaged: str, full: bool = False, read: int = 3, not_copied: int = 0, kind: str = "altered"
) -> BundleResult:
    verdicts = [verdict(FindingKind(kind), f"{name}/{file}", "") for file in damaged]
    return BundleResult(name, files=3, files_read=read, is_full=full, not_copied=not_copied, verdicts=verdicts)


def damage(*results: BundleResult, repaired: Repaired | None = None, beside: int = 0) -> Damage:
    findings = sum(len(result.verdicts) for result in results) + beside
    return Damage("d", results, findings, {} if repaired is None else {"1": repaired})


BASE = bundle("1", INDEX, full=True)
AGAIN = bundle("2", full=True)


def test_damage_before_a_bundle_that_holds_all_again_costs_nothing_that_stands() -> None:
    told = damage(BASE, AGAIN, bundle("3"))
    assert WHOLE in told.advice()
    assert "earlier bundles alone: keep them" in told.advice()
    assert told.facts() == {
        "damaged": 1,
        "damaged_objects": 0,
        "damaged_bundle": "",
        "damaged_index": 0,
        "not_copied": 0,
    }


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(damage(BASE, AGAIN, bundle("3", read=2)), id="not every file was read, as with --sample"),
        pytest.param(damage(BASE, bundle("2", read=2, full=True)), id="nor of the bundle that holds all again"),
        pytest.param(damage(BASE, AGAIN, beside=1), id="something else is wrong"),
        pytest.param(damage(BASE, bundle("2", VOLUME, full=True)), id="that bundle is damaged, too"),
        pytest.param(damage(BASE, AGAIN, bundle("3", VOLUME)), id="or one after it"),
        pytest.param(damage(BASE, bundle("2", "data/x", full=True, kind="unexpected")), id="or holds too much"),
        pytest.param(damage(BASE, bundle("2", full=True, not_copied=1)), id="the source did not give all"),
        pytest.param(damage(BASE, bundle("2")), id="nothing holds all again"),
    ],
)
def test_it_is_not_called_whole_where_that_is_not_known(told: Damage) -> None:
    assert WHOLE not in told.advice()
    assert KEEP in told.advice()


def test_what_the_source_did_not_give_is_still_to_be_copied() -> None:
    told = damage(BASE, bundle("2", full=True, not_copied=2))
    assert "2 holds the dataset again, but 2 objects of the source could not be copied then" in told.advice()
    assert told.advice().endswith("repatria copy d")
    assert told.facts()["not_copied"] == 2
    assert WHOLE in damage(BASE, bundle("2", full=True, not_copied=2), bundle("3")).advice(), (
        "a later copy brought them"
    )


SENT = Repaired("2026-01-02T00:00:00Z", frozenset({"2"}), frozenset({1}))
ROTTEN = bundle("1", VOLUME, full=True)


def test_volumes_of_which_all_was_sent_again_cost_nothing_that_stands() -> None:
    assert WHOLE in damage(ROTTEN, bundle("2"), repaired=SENT).advice()


@pytest.mark.parametrize(
    ("results", "beside"),
    [
        pytest.param([ROTTEN, bundle("2", read=2)], 0, id="not every file was read"),
        pytest.param([ROTTEN, bundle("2")], 1, id="something else is wrong"),
        pytest.param([ROTTEN], 0, id="what it was sent into was not looked at"),
        pytest.param([bundle("1", VOLUME, "data/vol-000002.tar.age", full=True), bundle("2")], 0, id="more is damaged"),
        pytest.param([bundle("1", VOLUME, INDEX, full=True), bundle("2")], 0, id="an index, too"),
    ],
)
def test_a_repair_does_not_make_whole_what_it_did_not_cover(results: Sequence[BundleResult], beside: int) -> None:
    told = damage(*results, repaired=SENT, beside=beside)
    assert WHOLE not in told.advice()
    assert KEEP in told.advice()


def lost(number: int, *volumes: int, kind: str = "altered") -> Verdict:
    return of_object(FindingKind(kind), number, "", path=f"{number}", volumes=frozenset(volumes))


def with_objects(result: BundleResult, *objects: Verdict) -> BundleResult:
    return replace(result, verdicts=[*result.verdicts, *objects])


def test_objects_that_only_a_repaired_volume_costs_do_not_keep_the_dataset_from_being_whole() -> None:
    told = damage(with_objects(ROTTEN, lost(1, 1), lost(2, 1)), bundle("2"), repaired=SENT)
    assert WHOLE in told.advice()
    assert (told.facts()["damaged"], told.facts()["damaged_objects"]) == (1, 2)
    assert replace(told, deep=True).advice().startswith("Every object that stands was decrypted and compared.")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(with_objects(ROTTEN, lost(1)), bundle("2"), id="its volumes are as signed"),
        pytest.param(with_objects(ROTTEN, lost(1, 1, 2)), bundle("2"), id="another volume costs it, too"),
        pytest.param(with_objects(ROTTEN, lost(1, 1, kind="unverifiable")), bundle("2"), id="it could not be read"),
        pytest.param(ROTTEN, with_objects(bundle("2"), lost(9)), id="it lies in a later bundle"),
    ],
)
def test_an_object_that_something_else_costs_does(first: BundleResult, second: BundleResult) -> None:
    told = damage(first, second, repaired=SENT).advice()
    assert WHOLE not in told
    assert "1 more finding, named above, is not of that damage" in told
    assert "--repair" not in told, "all that a repair can send was sent"


def test_objects_before_a_bundle_that_holds_all_again_cost_nothing_that_stands() -> None:
    assert WHOLE in damage(with_objects(BASE, lost(1)), AGAIN).advice()
    assert WHOLE not in damage(BASE, with_objects(AGAIN, lost(1))).advice()


@pytest.mark.parametrize(
    ("results", "lacking"),
    [
        pytest.param([ROTTEN, bundle("2", read=2)], "not every file was read. Verify without --sample", id="a sample"),
        pytest.param([ROTTEN], "2, into which that was sent, is not among what was verified", id="a part"),
    ],
)
def test_what_keeps_it_from_being_called_whole_is_said(results: Sequence[BundleResult], lacking: str) -> None:
    told = damage(*results, repaired=SENT).advice()
    assert "What still stands of 1 was sent again" in told
    assert lacking in told


def test_of_damaged_files_what_may_bring_them_back_is_named() -> None:
    assert damage(ROTTEN).advice().endswith("repatria copy d --repair d@1")
    assert "repatria adopt d --anew" in damage(BASE).advice()


FOUND = LastRuns(made_by="copy", damaged=1, damaged_bundle="1")


@pytest.mark.parametrize(
    ("runs", "command"),
    [
        (FOUND, "repatria copy d --repair d@1"),
        (replace(FOUND, mended=frozenset({"1"})), "repatria verify d"),
        (replace(FOUND, damaged_index=True), "repatria verify d"),
        (replace(FOUND, made_by="ocr"), "repatria verify d"),
        (replace(FOUND, damaged_bundle=None, not_copied=1), "repatria copy d"),
        (replace(FOUND, damaged_bundle=None), None),
        (replace(FOUND, damaged=0, damaged_bundle=None, damaged_objects=1), "repatria verify d"),
    ],
)
def test_what_was_found_damaged_is_mended_by_the_command_that_can(runs: LastRuns, command: str | None) -> None:
    assert mending_command("d", runs) == command
