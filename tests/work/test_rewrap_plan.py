"""In which order a change of recipients goes on, and from where."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.errors import BrokenChainError
from repatria.bundle.rewrap_record import BundleToRewrap, VolumeHeads, VolumeState, base64_text, state_of
from repatria.work.rewrap_plan import COMMIT, Stage, installing_order, removing_order, stage_of

OLD, NEW, OTHER = "0" * 64, "1" * 64, "2" * 64
ENTRY = BundleToRewrap(bundle="20240130T200000Z-aaaaaa", statement=OLD, heads=())
HEADS, STAGED = "heads-0001.json", "new/manifest-sha256.txt"


@pytest.mark.parametrize(
    ("statement", "replaces", "leftovers", "stage"),
    [
        (OLD, None, [HEADS], Stage.VOLUMES),
        (OLD, OTHER, [HEADS], Stage.VOLUMES),  # it was rewrapped before, and is again
        (OLD, None, [HEADS, STAGED], Stage.VOLUMES),
        (OLD, None, [HEADS, STAGED, COMMIT], Stage.COMMITTED),
        (NEW, OLD, [HEADS, STAGED, COMMIT], Stage.COMMITTED),  # its signature may be the old one's still
        (NEW, OLD, [HEADS, STAGED], Stage.CLEANING),
        (NEW, OLD, [HEADS], Stage.CLEANING),
        (NEW, OLD, [], Stage.DONE),
    ],
)
def test_how_far_a_bundle_has_come(statement: str, replaces: str | None, leftovers: list[str], stage: Stage) -> None:
    assert stage_of(ENTRY, statement, replaces, leftovers) is stage


def test_another_bundle_in_its_place_is_refused() -> None:
    with pytest.raises(BrokenChainError):
        stage_of(ENTRY, OTHER, None, [HEADS])
    with pytest.raises(BrokenChainError):
        stage_of(ENTRY, OTHER, NEW, [])
    with pytest.raises(BrokenChainError):
        stage_of(ENTRY, OTHER, NEW, [HEADS, STAGED, COMMIT])


def test_indexes_come_first_and_the_signature_of_the_statement_last() -> None:
    files = ["statement.json.sig", "statement.json", "tagmanifest-sha256.txt", "data/index-0002.db.age", "bagit.txt"]
    assert installing_order([*files, "data/index-0001.db.age", "README.txt"]) == [
        "data/index-0001.db.age",
        "data/index-0002.db.age",
        "bagit.txt",
        "README.txt",
        "tagmanifest-sha256.txt",
        "statement.json",
        "statement.json.sig",
    ]


def test_the_mark_that_all_is_there_is_removed_first() -> None:
    assert removing_order([HEADS, STAGED, COMMIT]) == [COMMIT, HEADS, STAGED]


def heads_of(old: bytes, new: bytes, payload: bytes) -> VolumeHeads:
    return VolumeHeads(
        name="data/vol-000001.tar.age",
        size=len(old + payload),
        sha256=hashlib.sha256(old + payload).hexdigest(),
        old=base64_text(old),
        new=base64_text(new),
    )


@given(st.binary(min_size=20, max_size=60), st.binary(min_size=20, max_size=60), st.binary(max_size=200), st.data())
def test_a_volume_is_old_or_new_or_it_gets_no_new_digest(
    old: bytes, new: bytes, payload: bytes, drawn: st.DataObject
) -> None:
    old, new = b"old" + old, b"new" + new
    heads = heads_of(old, new, payload)
    assert state_of(heads, old + payload) is VolumeState.OLD
    assert state_of(heads, new + payload) is VolumeState.NEW
    data = bytearray(drawn.draw(st.sampled_from([old + payload, new + payload])))
    at = drawn.draw(st.integers(0, len(data) - 1))
    data[at] ^= 1 << drawn.draw(st.integers(0, 7))
    assert state_of(heads, data) is VolumeState.OTHER
    cut = drawn.draw(st.integers(0, len(data) - 1))
    assert state_of(heads, (old + payload)[: min(cut, len(old + payload) - 1)]) is VolumeState.OTHER
    assert state_of(heads, old + payload + b"x") is VolumeState.OTHER
    assert state_of(heads, os.urandom(100)) is VolumeState.OTHER
