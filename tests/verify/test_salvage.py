"""Which objects damage of a volume costs: those that have bytes in it, and no others."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from repatria.bundle import layout
from repatria.bundle.index_building import IndexRows
from repatria.bundle.reader import Bundle
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.errors import CryptError, NotFoundError
from repatria.store.local import LocalStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict
from repatria.verify.trust import Trust
from tests.bundle.making import DatasetMaker, directory, file, refuse_volume, symlink

CHUNK = 65_552
"""64 KiB as they are sealed; the head of a volume is far smaller."""
SMALL = [file(f"small/{number}", bytes([number]) * 100_000) for number in range(8)]
"""Objects 1 to 8, side by side in volume 1: object N has its bytes from about (N - 1) * 100,512 on."""
NO_BYTES = [symlink("link", "small/0"), directory("folder"), file("empty", b"")]
"""Objects 9 to 11, headers only."""
BIG = bytes(range(251)) * 8_500
"""Object 12, in parts: the end of volume 1, volumes 2 and 3."""


@pytest.fixture
def maker(tmp_path: Path) -> DatasetMaker:
    made = DatasetMaker(LocalStore(tmp_path / "vault"))
    made.bundle([*SMALL, *NO_BYTES, file("big", BIG)])
    return made


def volume(maker: DatasetMaker, tmp_path: Path, number: int) -> Path:
    found: Path = tmp_path / "vault" / maker.dataset_id / maker.bundles[0] / layout.volume_path(number)
    return found


def rot(path: Path, *chunks: int) -> None:
    """Flip a bit in the middle of each of these chunks."""
    data = bytearray(path.read_bytes())
    for chunk in chunks:
        data[min(chunk * CHUNK + CHUNK // 2, len(data) - 1)] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def verified(maker: DatasetMaker, **wishes: object) -> tuple[dict[int, Verdict], list[str], BundleResult]:
    """Return the verdicts on objects by number, the subjects of the others, and the result of the bundle."""
    trust = Trust(AllowedSigners.parse(maker.signer.key.allowed_line("senum")))
    wish = Wish(deep=True, identities=[maker.identity], **wishes)  # type: ignore[arg-type]  # wishes are Wish's own fields
    told = list(DatasetCheck(maker.store, maker.dataset_id, trust, wish).run())
    (result,) = [each for each in told if isinstance(each, BundleResult)]
    on_objects = {each.object: each for each in result.verdicts if each.object is not None}
    return on_objects, [each.subject for each in result.verdicts if each.object is None], result


def unreadable(maker: DatasetMaker, *, alone: bool = True) -> set[int]:
    """Return which objects a reader of the bundle cannot give, each asked for alone, or one after the other."""
    lost, asked = set(), [[number] for number in range(1, 13)] if alone else [list(range(1, 13))]
    for numbers in asked:
        with closing(Bundle(maker.store, maker.dataset_id, maker.bundles[0], [maker.identity])) as bundle:
            lost |= {number for number in numbers if not can_be_read(bundle, number)}
    return lost


def can_be_read(bundle: Bundle, number: int) -> bool:
    row = bundle.object(number)
    assert row is not None
    try:
        for _piece in bundle.read_object(row):
            pass
    except (CryptError, NotFoundError):
        return False
    return True


@pytest.mark.parametrize(
    ("chunks", "lost"),
    [
        pytest.param([0], {1}, id="the first, in which the first object lies"),
        pytest.param([4], {3, 4}, id="one that two objects share"),
        pytest.param([2, 9], {2, 6, 7}, id="two of them"),
        pytest.param([14], {12}, id="one of the object in parts"),
        pytest.param([15], {12}, id="the last, which tells how long the volume is"),
    ],
)
def test_only_objects_with_bytes_in_a_damaged_chunk_are_lost(
    maker: DatasetMaker, tmp_path: Path, chunks: list[int], lost: set[int]
) -> None:
    rot(volume(maker, tmp_path, 1), *chunks)
    objects, others, result = verified(maker)
    assert set(objects) == lost
    assert {str(each.finding.kind) for each in objects.values()} == {"altered"}
    assert {each.volumes for each in objects.values()} == {frozenset({1})}
    assert others == [f"{maker.bundles[0]}/{layout.volume_path(1)}"]
    assert result.objects_read == 12 - len(lost)
    assert unreadable(maker) == lost, "restore gives all others"
    assert unreadable(maker, alone=False) == lost, "whatever it reads ahead"


@pytest.mark.parametrize(
    ("left", "lost"),
    [
        pytest.param(-1, {12}, id="of its last byte"),
        pytest.param(5 * CHUNK, {3, 4, 5, 6, 7, 8, 12}, id="within its chunks"),
        pytest.param(100, {*range(1, 9), 12}, id="within its head"),
        pytest.param(0, {*range(1, 9), 12}, id="of everything"),
    ],
)
def test_a_volume_that_is_cut_short_costs_the_objects_behind(
    maker: DatasetMaker, tmp_path: Path, left: int, lost: set[int]
) -> None:
    path = volume(maker, tmp_path, 1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:left])
    assert set(verified(maker)[0]) == lost
    assert unreadable(maker) == lost


def behead(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        pytest.param(behead, "altered", id="its head is damaged"),
        pytest.param(Path.unlink, "missing", id="not there"),
    ],
)
def test_a_volume_of_which_nothing_can_be_decrypted_costs_all_that_has_bytes_in_it(
    maker: DatasetMaker, tmp_path: Path, damage: Callable[[Path], None], kind: str
) -> None:
    path = volume(maker, tmp_path, 1)
    path.chmod(0o644)
    damage(path)
    objects, _others, result = verified(maker)
    assert {number: str(each.finding.kind) for number, each in objects.items()} == dict.fromkeys(
        [*range(1, 9), 12], kind
    )
    assert result.objects_read == 3, "those without a byte stand in the index"
    assert unreadable(maker) == set(objects)


def test_a_volume_that_the_store_refuses_to_give_is_not_called_damaged(
    maker: DatasetMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_volume(monkeypatch, 2)
    objects, _others, result = verified(maker)
    assert {number: str(each.finding.kind) for number, each in objects.items()} == {12: "unverifiable"}
    assert (result.code, result.objects_read) == (3, 11)


def test_of_an_object_in_parts_every_volume_that_costs_it_is_named(maker: DatasetMaker, tmp_path: Path) -> None:
    rot(volume(maker, tmp_path, 1), 14)
    rot(volume(maker, tmp_path, 2), 3)
    objects, _others, result = verified(maker)
    assert {number: each.volumes for number, each in objects.items()} == {12: {1, 2}}
    assert objects[12].finding.detail == "Damage touches its bytes, in volume 1, 2."
    assert result.objects_read == 11
    volume(maker, tmp_path, 2).unlink()
    finding = verified(maker)[0][12].finding
    assert finding.kind == "missing"
    assert finding.detail == "A volume that holds bytes of it is not there: 2. Damage touches its bytes, in volume 1."


def test_a_part_that_was_read_from_a_damaged_volume_counts_with_the_others(maker: DatasetMaker, tmp_path: Path) -> None:
    rot(volume(maker, tmp_path, 1), 1)
    rot(volume(maker, tmp_path, 2), 15)
    rot(volume(maker, tmp_path, 3), 5)
    objects, others, result = verified(maker)
    assert set(objects) == {1, 2, 12}
    assert len(others) == 3
    assert result.objects_read == 9


def test_damage_between_objects_is_damage_of_the_volume_alone(tmp_path: Path) -> None:
    """A header of tar tells nothing that the index does not; readers never look at it."""
    maker = DatasetMaker(LocalStore(tmp_path / "vault"))
    maker.bundle([*(file(f"empty/{number}", b"") for number in range(140)), file("after", b"after")])
    rot(volume(maker, tmp_path, 1), 0)
    objects, others, result = verified(maker)
    assert objects == {}
    assert others == [f"{maker.bundles[0]}/{layout.volume_path(1)}"]
    assert (result.objects_read, result.code) == (141, 1)


def test_what_authenticates_is_compared_with_the_digest_that_was_signed(tmp_path: Path) -> None:
    def forge(rows: IndexRows) -> IndexRows:
        return replace(rows, objects=[replace(r, sha256=bytes(32)) if r.number in {2, 9} else r for r in rows.objects])

    maker = DatasetMaker(LocalStore(tmp_path / "vault"), before_indexing=forge)
    maker.bundle([*SMALL, *NO_BYTES, file("big", BIG)])
    rot(volume(maker, tmp_path, 1), 4)
    objects, _others, _result = verified(maker)
    assert {number: each.volumes for number, each in objects.items()} == {2: set(), 3: {1}, 4: {1}, 9: set()}


def test_a_sample_that_met_damage_tells_which_objects_it_costs(maker: DatasetMaker, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        volume(maker, tmp_path, number).chmod(0o644)
        behead(volume(maker, tmp_path, number))
    objects, others, _result = verified(maker, sample=1)
    assert len(others) == 1
    assert 12 in objects
