"""Recognising what an object is from its first bytes, without letting a value out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.migrate.classify import recognise
from repatria.migrate.signs import Sensitivity, fold, shape, worst_of

PATIENTS = (
    "N° dossier;Nom;Prénoms;Date de naissance;Téléphone;CNI;Diagnostic\n"
    "17;Diop;Awa;12/03/1987;+221 77 123 45 67;2751198700123;B50.9\n"
    "18;Fall;Moussa;01/01/1990;+221 70 987 65 43;1751199000456;A09.0\n"
)


@pytest.mark.parametrize(
    ("path", "sample", "kind", "sensitivity"),
    [
        ("scan", bytes(128) + b"DICM\x02\x00", "dicom", Sensitivity.HEALTH),
        ("p.json", b'{"resourceType": "Patient", "id": "1"}', "fhir", Sensitivity.HEALTH),
        ("v.json", b'{"resourceType": "ValueSet", "id": "1"}', "fhir", Sensitivity.INTERNAL),
        ("p.xml", b'<?xml version="1.0"?><Patient xmlns="http://hl7.org/fhir">', "fhir", Sensitivity.HEALTH),
        ("a.txt", b"MSH|^~\\&|LABO|CHU|...\rPID|1||17\r", "hl7", Sensitivity.HEALTH),
        ("d.sql", b"--\n-- PostgreSQL database dump\n--\nSET x;\n", "sql dump", Sensitivity.UNKNOWN),
        ("d.sql", b"-- MariaDB dump 10\nCREATE TABLE t (nom text, diagnostic text);", "sql dump", Sensitivity.HEALTH),
        ("export.csv", PATIENTS.encode(), "csv", Sensitivity.HEALTH),
        ("export.csv", PATIENTS.encode("cp1252"), "csv", Sensitivity.HEALTH),
        ("export.csv", PATIENTS.encode("utf-16"), "csv", Sensitivity.HEALTH),
        ("agents.csv", b"nom,prenom,email\nDiop,Awa,a@b.sn\nFall,B,c@d.sn\n", "csv", Sensitivity.PERSONAL),
        ("stats.csv", b"district,cas,diagnostic\nDakar,17,paludisme\nThies,3,paludisme\n", "csv", Sensitivity.UNKNOWN),
        ("letter.docx", b"PK\x03\x04\x14\x00", "office document", Sensitivity.UNKNOWN),
        ("archive.zip", b"PK\x03\x04\x14\x00", "zip", Sensitivity.UNKNOWN),
        ("image.dcm", b"\x00\x01", "dicom", Sensitivity.HEALTH),
        ("note.txt", b"bonjour", "text", Sensitivity.UNKNOWN),
        ("blob", b"\x00\x93\x01", "unknown", Sensitivity.UNKNOWN),
        ("empty", b"", "unknown", Sensitivity.UNKNOWN),
    ],
)
def test_recognised(path: str, sample: bytes, kind: str, sensitivity: Sensitivity) -> None:
    found = recognise(path, sample)
    assert (found.kind, found.sensitivity) == (kind, sensitivity)


def test_signs_are_counted_and_their_values_masked() -> None:
    found = recognise("export.csv", PATIENTS.encode())
    assert found.signs["nin number"] == 2
    assert found.signs["phone number"] == 2
    assert found.signs["icd-10 code"] == 2
    assert set(found.shapes) == {"+999 99 999 99 99", "A99.9", "9999999999999"}


def test_thirteen_digits_alone_are_no_identity_number() -> None:
    assert "nin number" not in recognise("a.csv", b"code,prix\n1751199000456,3\n1751199000457,4\n").signs


def test_no_value_leaves_with_what_was_recognised() -> None:
    found = repr(recognise("export.csv", PATIENTS.encode()))
    assert not any(value in found for value in ("Diop", "Awa", "1987", "123 45", "B50"))


@given(st.binary(max_size=3000), st.text(max_size=20))
def test_any_bytes_are_recognised_as_something(sample: bytes, path: str) -> None:
    assert recognise(path, sample).kind


@pytest.mark.parametrize("sample", [b"[" * 8192, b'{"a":' * 1500, b'"' * 8192, b"<" * 8192, b"a;" * 4000 + b"\n;\n"])
def test_hostile_text_is_no_trouble(sample: bytes) -> None:
    assert recognise("x", sample).kind


def test_fold_makes_column_names_comparable() -> None:
    assert [fold(name) for name in ("Prénoms", "dateNaissance", " N° CNI ")] == ["prenoms", "date_naissance", "n_cni"]


def test_shapes_keep_no_letter_or_digit() -> None:
    assert shape("Awa Diop 1987\x1b") == "Aaa Aaaa 9999?"
    assert shape("x" * 30) == "a" * 24 + "..."


def test_unknown_is_worse_than_internal() -> None:
    assert worst_of([Sensitivity.INTERNAL, Sensitivity.UNKNOWN]) is Sensitivity.UNKNOWN
