"""Every kind of damage has its own finding, and none is called intact."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from repatria.bundle import layout
from repatria.bundle.statement import Previous, parse_statement
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.crypt.sshsig import Signer
from repatria.errors import CryptError, NotFoundError
from repatria.verify.trust import Trust
from repatria.work.state import Remembered
from tests.bundle.making import DatasetMaker, file
from tests.verify.conftest import Dataset


def replace(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    replace(path, change(path.read_bytes()))


def flip(path: Path, at: int = -100) -> None:
    rewrite(path, lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if at + 1 else b"")


def test_what_is_undamaged_is_intact(pristine: Dataset) -> None:
    told = pristine.verify()
    assert told.verdicts == []
    assert [result.bundle_id for result in told.results] == pristine.bundles
    assert {result.voucher for result in told.results} == {"senum@dakar"}
    first = told.results[0]
    assert (first.files, first.files_read, first.objects, first.objects_read) == (5, 5, 7, 0)


def test_what_is_undamaged_is_intact_in_depth(pristine: Dataset) -> None:
    told = pristine.verify(deep=True)
    assert told.verdicts == []
    assert [result.objects_read for result in told.results] == [7, 1, 1]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("data/vol-000001.tar.age", "altered", 1),
        ("data/index-0001.db.age", "altered", 1),
        ("bag-info.txt", "altered", 1),
        ("README.txt", "altered", 1),
        ("checkpoints/0001.json", "altered", 6),
        ("checkpoints/0001.json.sig", "altered", 6),
        ("statement.json", "altered", 6),
    ],
)
def test_a_flipped_bit(dataset: Dataset, path: str, kind: str, code: int, deep: bool) -> None:
    flip(dataset.file(2, path))
    told = dataset.verify(deep=deep)
    assert told.findings[f"{dataset.bundles[2]}/{path}"] == kind
    assert told.code == code
    assert [result.code for result in told.results] == [0, 0, code]


def test_a_flipped_bit_in_the_signature(dataset: Dataset) -> None:
    flip(dataset.file(2, "statement.json.sig"))
    told = dataset.verify()
    assert told.findings[f"{dataset.bundles[2]}/statement.json"] == "altered"
    assert told.code == 6
    assert told.results[2].signer == ""


def test_a_flipped_bit_in_the_manifest_is_not_laid_at_the_volumes_door(dataset: Dataset) -> None:
    rewrite(dataset.file(2, "manifest-sha256.txt"), lambda data: (b"0" if data[:1] != b"0" else b"1") + data[1:])
    told = dataset.verify()
    assert told.findings == {
        f"{dataset.bundles[2]}/manifest-sha256.txt": "altered",
        f"{dataset.bundles[2]}/data/index-0001.db.age": "altered",
    }
    assert told.code == 1


def test_a_manifest_that_is_none(dataset: Dataset) -> None:
    replace(dataset.file(2, "manifest-sha256.txt"), b"nonsense\n")
    assert dataset.verify().findings[f"{dataset.bundles[2]}/manifest-sha256.txt"] == "altered"


@pytest.mark.parametrize("path", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_a_manifest_that_was_emptied(dataset: Dataset, path: str) -> None:
    replace(dataset.file(2, path), b"")
    told = dataset.verify()
    assert told.findings[f"{dataset.bundles[2]}/{path}"] == "altered"
    assert told.code == 1


def test_a_manifest_with_every_digest_made_to_fit_is_still_not_the_signed_one(dataset: Dataset) -> None:
    """Whoever owns the store can make manifests, tag manifests and digests agree; not the statement."""
    volume = dataset.file(2, "data/vol-000001.tar.age")
    flip(volume)
    for name in (layout.MANIFEST, layout.TAGMANIFEST):
        manifest = dataset.file(2, name)
        paths = layout.parse_manifest(manifest.read_bytes())
        made_to_fit = {path: _sha256(dataset.file(2, path)) for path in paths}
        replace(manifest, layout.render_manifest(made_to_fit))
    told = dataset.verify()
    assert told.findings == {f"{dataset.bundles[2]}/manifest-sha256.txt": "altered"}
    assert told.code == 1


def _sha256(path: Path) -> bytes:
    import hashlib

    return hashlib.sha256(path.read_bytes()).digest()


def test_swapped_volumes(dataset: Dataset) -> None:
    first, second = (dataset.file(0, layout.volume_path(number)) for number in (1, 2))
    contents = first.read_bytes(), second.read_bytes()
    replace(first, contents[1])
    replace(second, contents[0])
    assert dataset.verify().findings == {
        f"{dataset.bundles[0]}/data/vol-000001.tar.age": "altered",
        f"{dataset.bundles[0]}/data/vol-000002.tar.age": "altered",
    }


def test_a_truncated_volume(dataset: Dataset) -> None:
    rewrite(dataset.file(0, "data/vol-000003.tar.age"), lambda data: data[:-1])
    assert dataset.verify().findings == {f"{dataset.bundles[0]}/data/vol-000003.tar.age": "altered"}


def test_a_sum_of_thousands_of_digits_is_only_altered(dataset: Dataset) -> None:
    rewrite(dataset.file(0, layout.BAG_INFO), lambda _data: b"Payload-Oxum: %s.1\n" % (b"9" * 5000))
    assert dataset.verify(sample=1).findings[f"{dataset.bundles[0]}/{layout.BAG_INFO}"] == "altered"


def test_a_truncated_volume_is_noticed_by_a_sample_that_did_not_draw_it(dataset: Dataset) -> None:
    for number in (1, 2, 3):
        rewrite(dataset.file(0, layout.volume_path(number)), lambda data: data[:-1])
    told = dataset.verify(sample=1)
    assert told.findings[dataset.bundles[0]] == "altered"
    assert told.results[0].files_read == 3


@pytest.mark.parametrize("deep", [False, True])
def test_a_missing_volume(dataset: Dataset, deep: bool) -> None:
    dataset.file(1, "data/vol-000001.tar.age").unlink()
    told = dataset.verify(deep=deep)
    assert told.findings[f"{dataset.bundles[1]}/data/vol-000001.tar.age"] == "missing"
    assert told.findings.get("object 8") == ("missing" if deep else None)
    assert told.code == 1


@pytest.mark.parametrize(
    "path", ["data/index-0001.db.age", "bagit.txt", "README.txt", "manifest-sha256.txt", "checkpoints/0001.json"]
)
def test_a_missing_file(dataset: Dataset, path: str) -> None:
    dataset.file(1, path).unlink()
    for deep in (False, True):
        told = dataset.verify(deep=deep)
        assert told.findings[f"{dataset.bundles[1]}/{path}"] == "missing"
        assert told.code == 1


@pytest.mark.parametrize("path", ["statement.json", "statement.json.sig"])
def test_a_missing_statement(dataset: Dataset, path: str) -> None:
    dataset.file(1, path).unlink()
    assert dataset.verify().findings[f"{dataset.bundles[1]}/{path}"] == "missing"


def test_files_that_nobody_signed_for(dataset: Dataset) -> None:
    dataset.file(0, "data/vol-000009.tar.age").write_bytes(b"x")
    dataset.file(0, "notes.txt").write_bytes(b"x")
    (dataset.root / dataset.maker.dataset_id / "stray").write_bytes(b"x")
    (dataset.root / dataset.maker.dataset_id / "records").mkdir()
    (dataset.root / dataset.maker.dataset_id / "records" / "0001.json").write_bytes(b"x")
    told = dataset.verify()
    assert told.findings == {
        f"{dataset.bundles[0]}/data/vol-000009.tar.age": "unexpected",
        f"{dataset.bundles[0]}/notes.txt": "unexpected",
        "stray": "unexpected",
    }
    assert told.code == 1


def test_a_deleted_base(dataset: Dataset) -> None:
    shutil.rmtree(dataset.folder(0))
    told = dataset.verify()
    assert told.findings == {dataset.bundles[0]: "missing"}
    assert told.code == 1
    assert dataset.verify(only=True).verdicts == []


@pytest.mark.parametrize("bundle", [0, 1])
def test_what_is_left_of_a_broken_chain_is_looked_at_and_blamed_for_nothing(dataset: Dataset, bundle: int) -> None:
    shutil.rmtree(dataset.folder(bundle))
    told = dataset.verify(deep=True)
    assert told.findings == {dataset.bundles[bundle]: "missing"}
    assert [result.bundle_id for result in told.results] == [each for each in dataset.bundles if each in _left(dataset)]
    assert [result.code for result in told.results] == [0, 0]


def _left(dataset: Dataset) -> set[str]:
    return {folder.name for folder in dataset.folder(0).parent.iterdir()}


def test_a_dropped_newest_bundle(dataset: Dataset) -> None:
    trust, head = dataset.remembering(2), dataset.sha256(2)
    assert dataset.verify(trust).verdicts == []
    shutil.rmtree(dataset.folder(2))
    told = dataset.verify(trust)
    assert told.findings == {dataset.bundles[2]: "missing"}
    assert told.code == 1
    assert dataset.verify(expect_head=head).findings == {f"the head {head}": "missing"}
    assert dataset.verify().verdicts == []  # nothing here says that there was more


def test_a_newest_bundle_that_was_made_to_look_unfinished(dataset: Dataset) -> None:
    dataset.file(2, layout.TAGMANIFEST).unlink()
    assert dataset.verify().findings == {f"{dataset.bundles[2]}/{layout.TAGMANIFEST}": "missing"}


def test_an_older_head_than_the_one_remembered_is_no_finding_where_it_was_asked_for(dataset: Dataset) -> None:
    assert dataset.verify(dataset.remembering(2), upto=dataset.bundles[1]).verdicts == []
    assert dataset.verify(expect_head=dataset.sha256(1)).verdicts == []


def test_a_fork(dataset: Dataset) -> None:
    fork = dataset.make()
    fork.next_number = 8
    fork.previous = _previous(dataset, 1)
    forked = fork.bundle([file("other", b"x")], bundle_id="20240601T000000Z-aaaaaa")
    trusting_stranger = dataset.verify()
    assert trusting_stranger.findings == {dataset.bundles[1]: "unexpected", dataset.bundles[2]: "unexpected"}
    told = dataset.verify(dataset.remembering(2))
    assert told.findings == {forked: "unexpected"}
    assert [result.bundle_id for result in told.results] == dataset.bundles
    assert told.code == 1


def _previous(dataset: Dataset, bundle: int) -> Previous | None:
    return parse_statement(dataset.file(bundle, "statement.json").read_bytes()).previous


def _after(dataset: Dataset, bundle: int) -> Previous:
    return Previous(bundle=dataset.bundles[bundle], sha256=dataset.sha256(bundle))


def test_a_second_chain(dataset: Dataset) -> None:
    second = dataset.make().bundle([file("other", b"x")], bundle_id="20240601T000000Z-aaaaaa")
    assert dataset.verify(dataset.remembering(2)).findings == {second: "unexpected"}


def test_a_replay_under_another_id(dataset: Dataset) -> None:
    replayed = "20240601T000000Z-aaaaaa"
    shutil.copytree(dataset.folder(0), dataset.folder(0).parent / replayed)
    told = dataset.verify()
    assert told.findings == {replayed: "unexpected"}
    assert told.code == 1
    assert dataset.verify(only=True).findings == {replayed: "unexpected"}


def test_a_bundle_of_another_dataset(dataset: Dataset) -> None:
    other = DatasetMaker(dataset.maker.store, dataset_id="autre", signer=dataset.maker.signer)
    other.store = dataset.make().store
    foreign = other.bundle([file("x", b"x")], bundle_id="20240601T000000Z-aaaaaa")
    shutil.move(dataset.root / "autre" / foreign, dataset.folder(0).parent / foreign)
    assert dataset.verify().findings == {foreign: "unexpected"}


def test_a_base_replaced_by_another(dataset: Dataset) -> None:
    shutil.rmtree(dataset.folder(0))
    dataset.make().bundle([file("forged", b"x")], bundle_id=dataset.bundles[0])
    told = dataset.verify()
    assert told.findings[dataset.bundles[0]] == "altered"
    assert told.code == 1


def test_object_numbers_used_twice(dataset: Dataset) -> None:
    maker = dataset.make()
    maker.previous = _after(dataset, 2)
    again = maker.bundle([file("x", b"x")], bundle_id="20240601T000000Z-aaaaaa")
    assert dataset.verify().findings == {again: "altered"}


def test_a_signer_whom_nobody_vouches_for(dataset: Dataset) -> None:
    told = dataset.verify(Trust())
    assert set(told.findings.values()) == {"unverifiable"}
    assert told.code == 3
    assert [result.voucher for result in told.results] == [None] * 3


def test_a_stranger_who_signs_the_next_bundle(dataset: Dataset) -> None:
    stranger = dataset.make()
    stranger.signer = Signer.generate()
    stranger.next_number = 100
    stranger.previous = _after(dataset, 2)
    forged = stranger.bundle([file("x", b"x")], bundle_id="20240601T000000Z-aaaaaa")
    for trust in (dataset.trust, dataset.remembering(2)):
        told = dataset.verify(trust)
        assert told.findings == {forged: "unverifiable"}
        assert told.code == 3


def test_altered_beats_an_unknown_signer(dataset: Dataset) -> None:
    flip(dataset.file(0, "data/vol-000001.tar.age"))
    assert dataset.verify(Trust()).code == 1


@pytest.mark.parametrize("deep", [False, True])
def test_a_volume_that_a_stranger_encrypted_to_the_same_recipient(dataset: Dataset, deep: bool) -> None:
    forged = seal(bytes(1 << 20), [dataset.maker.identity.recipient])
    replace(dataset.file(0, "data/vol-000002.tar.age"), bytes(forged.data))
    told = dataset.verify(deep=deep)
    assert told.findings[f"{dataset.bundles[0]}/data/vol-000002.tar.age"] == "altered"
    assert told.findings.get("object 2") == ("altered" if deep else None)
    assert told.code == 1


def test_damage_is_laid_at_the_objects_that_it_concerns(dataset: Dataset) -> None:
    flip(dataset.file(2, "data/vol-000001.tar.age"), at=1_000)
    told = dataset.verify(deep=True)
    assert told.findings == {f"{dataset.bundles[2]}/data/vol-000001.tar.age": "altered", "object 9": "altered"}
    assert [each.finding.path for each in told.verdicts] == [None, "new"]


def test_a_strangers_identity_is_an_error_and_no_finding(dataset: Dataset) -> None:
    dataset.maker = DatasetMaker(
        dataset.maker.store, identity=generate(classic=True), signer=dataset.maker.signer, bundles=dataset.bundles
    )
    with pytest.raises(CryptError):
        dataset.verify(deep=True)


def test_an_unfinished_bundle_is_no_finding(dataset: Dataset) -> None:
    dataset.make().bundle([file("later", b"x")], finished=False, bundle_id="20240601T000000Z-aaaaaa")
    assert dataset.verify(dataset.remembering(2)).verdicts == []


def test_nothing_to_verify_is_an_error(dataset: Dataset) -> None:
    with pytest.raises(NotFoundError):
        dataset.verify(upto="20240601T000000Z-aaaaaa")


def test_a_head_remembered_and_replaced(dataset: Dataset) -> None:
    trust = Trust(dataset.trust.allowed, None, Remembered("SHA256:x", dataset.bundles[2], "0" * 64))
    assert dataset.verify(trust).findings == {dataset.bundles[2]: "altered"}


def test_a_sample_reads_what_it_says(pristine: Dataset) -> None:
    told = pristine.verify(sample=34)
    assert told.verdicts == []
    assert [result.files_read for result in told.results] == [3, 2, 2]  # two indexes and one volume, then one of each


def test_a_sample_in_depth_judges_only_what_it_met(pristine: Dataset) -> None:
    for _attempt in range(4):
        told = pristine.verify(sample=34, deep=True)
        assert told.verdicts == []
        assert told.results[1].objects_read == 1
