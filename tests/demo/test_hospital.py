"""The hospital's files: the same in every run, and each what it says it is."""

import json
from pathlib import Path

import pytest
from demo.compare import differences
from demo.hospital import NOT_UTF8, build_hospital, go_on_working

SMALL_DUMP = 1 << 20


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hospital")
    build_hospital(folder, SMALL_DUMP)
    return folder


def test_it_is_the_same_in_every_run(hospital: Path, tmp_path: Path) -> None:
    build_hospital(tmp_path, SMALL_DUMP)
    assert list(differences(hospital, tmp_path)) == []


def test_it_holds_the_formats_of_the_trade(hospital: Path) -> None:
    images = sorted((hospital / "imagerie").iterdir())
    assert {image.read_bytes()[128:132] for image in images} == {b"DICM"}
    assert all(message.read_bytes().startswith(b"MSH|") for message in (hospital / "laboratoire").glob("*.hl7"))
    patient = next((hospital / "dossiers").glob("2*/*/patient.json"))
    assert json.loads(patient.read_text("utf-8"))["resourceType"] == "Patient"
    register = (hospital / "patients" / "registre des patients.csv").read_text("utf-8")
    assert register.startswith("numero;nom;prenom;")
    assert "Aïssatou" in register


def test_a_dicom_image_reads_back_as_one(hospital: Path) -> None:
    data = (hospital / "imagerie" / "RADIO-0001.dcm").read_bytes()
    # The last element is the pixels: group 7FE0, element 0010, OW, two reserved bytes, a length of 32 bits.
    start = data.index(b"\xe0\x7f\x10\x00OW\x00\x00") + 12
    assert int.from_bytes(data[start - 4 : start], "little") == len(data) - start == 256 * 256 * 2


def test_it_holds_what_lesser_tools_stumble_over(hospital: Path) -> None:
    odd = hospital / "divers"
    assert (odd / "vide.txt").stat().st_size == 0
    assert list((hospital / "quarantaine" / "à traiter").iterdir()) == []
    assert str((hospital / "dossiers" / "courant").readlink()) == "2024"
    assert not (odd / "disparu.pdf").exists()
    assert {"-rf", "deux\nlignes.txt", "rapport.part-000001", NOT_UTF8} <= {path.name for path in odd.iterdir()}


def test_the_dump_is_a_whole_dump_of_which_no_line_comes_twice(hospital: Path) -> None:
    lines = (hospital / "base" / "hopital.sql").read_text("ascii").splitlines()
    rows = [line for line in lines if line[:9].isdigit()]
    assert lines[-2] == "-- PostgreSQL database dump complete"
    assert [int(row[:9]) for row in rows] == list(range(1, len(rows) + 1))
    assert len(set(rows)) == len(rows)


def test_going_on_working_changes_one_file_removes_one_and_adds_one(hospital: Path, tmp_path: Path) -> None:
    build_hospital(tmp_path, SMALL_DUMP)
    go_on_working(tmp_path)
    different = list(differences(hospital, tmp_path))
    gone = [name for name in different if not (tmp_path / name).exists()]
    come = [name for name in different if not (hospital / name).exists()]
    assert (len(different), len(gone), len(come)) == (3, 1, 1)
