"""The files of a hospital hosted abroad: the same in every run, times and rights included."""

import os
import random
from pathlib import Path

from demo import dump, records

PATIENTS = 240
IMAGES = 8
MESSAGES = 40

NOT_UTF8 = os.fsdecode("résultats envoyés.txt".encode("latin-1"))
"""A name as an old Windows server leaves it on a Linux disk."""

_YEAR_NS = 365 * 86_400 * 1_000_000_000
_FIRST_MOMENT = 1_609_459_200_000_000_000
"""2021-01-01, in nanoseconds: no file is older."""


def build_hospital(folder: Path, dump_size: int = dump.SIZE) -> None:
    """Write the dataset into an empty folder."""
    chance = random.Random(1960)  # noqa: S311 -- invented data, the same in every run
    people = list(records.patients(PATIENTS, chance))
    _write_text(folder / "LISEZ-MOI.txt", "Hôpital régional de Ndiarème (inventé) : copie de nos fichiers hébergés.\n")
    _write_records(folder, people, chance)
    _write_laboratory(folder / "laboratoire", people, chance)
    for number, patient in enumerate(people[:IMAGES], start=1):
        _write(folder / "imagerie" / f"RADIO-{number:04d}.dcm", records.dicom_image(patient, chance))
    _write_odd_names(folder)
    (folder / "base").mkdir()
    dump.write_dump(folder / "base" / "hopital.sql", dump_size)
    _settle(folder, chance)


def go_on_working(folder: Path) -> None:
    """Do what happens at a hospital between two copies: one file changes, one goes, one comes."""
    report = min((folder / "dossiers").glob("2*/*/compte-rendu.txt"))
    report.write_text(report.read_text("utf-8") + "Contrôle : évolution favorable.\n", encoding="utf-8")
    (folder / "laboratoire" / "ORU-0002.hl7").unlink()
    _write_text(folder / "laboratoire" / "ORU-corrigé.hl7", "MSH|^~\\&|LABO|HRN|SIH|HRN|202501020815||ACK|1|P|2.5\r")


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _write_text(file: Path, text: str) -> None:
    _write(file, text.encode())


def _write_records(folder: Path, people: list[records.Patient], chance: random.Random) -> None:
    register = records.register(people)
    _write_text(folder / "patients" / "registre des patients.csv", register)
    _write(folder / "patients" / "registre 2014 (ancien logiciel).csv", register.encode("latin-1", "replace"))
    for patient in people:
        place = folder / "dossiers" / patient.seen[:4] / patient.file_number
        _write_text(place / "compte-rendu.txt", records.consultation(patient, chance))
        _write_text(place / "patient.json", records.fhir_patient(patient))


def _write_laboratory(folder: Path, people: list[records.Patient], chance: random.Random) -> None:
    for number, patient in enumerate(people[:MESSAGES], start=1):
        _write_text(folder / f"ORU-{number:04d}.hl7", records.laboratory_message(patient, chance))
    rows = ["numero;nom;prenom;examen;resultat"]
    rows.extend(
        f"{each.file_number};{each.family};{each.given};glycémie;{chance.uniform(0.6, 2.4):.2f} g/L" for each in people
    )
    _write_text(folder / "résultats 2023.csv", "\n".join(rows) + "\n")


def _write_odd_names(folder: Path) -> None:
    """Write what lesser tools stumble over: empty files and folders, dangling links, names that shells dislike."""
    odd = folder / "divers"
    _write(odd / "vide.txt", b"")
    (folder / "quarantaine" / "à traiter").mkdir(parents=True)
    _write_text(odd / "Lettre à Mme N'Diaye – reçu n° 5 (été).txt", "Reçu la somme de 5 000 F CFA.\n")
    _write_text(odd / "-rf", "Ce nom n'est pas une option.\n")
    _write_text(odd / "deux\nlignes.txt", "Ce nom a deux lignes.\n")
    _write_text(odd / "rapport.part-000001", "Ce nom ressemble à une partie d'un gros objet.\n")
    _write_text(odd / NOT_UTF8, "Ce nom n'est pas de l'UTF-8.\n")
    (folder / "dossiers" / "courant").symlink_to("2024")
    (odd / "disparu.pdf").symlink_to("../ancien serveur/disparu.pdf")


def _settle(folder: Path, chance: random.Random) -> None:
    """Give every file a time and rights of its own, so that there is something to lose."""
    for path in sorted(folder.rglob("*"), reverse=True):
        moment = _FIRST_MOMENT + chance.randrange(4 * _YEAR_NS)
        if not path.is_symlink():
            path.chmod(0o750 if path.is_dir() else 0o600 if "dossiers" in path.parts else 0o640)
        os.utime(path, ns=(moment, moment), follow_symlinks=False)
