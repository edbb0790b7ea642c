"""The files of a hospital, and its large database dump: invented, the same in every run."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

PATIENTS = 240
DUMP_SIZE = 144 << 20
_BLOCK = 1 << 20

GIVEN_NAMES = ("Awa", "Moussa", "Fatou", "Ibrahima", "Ndèye", "Cheikh", "Mariama", "Ousmane", "Aïssatou", "Modou")
FAMILY_NAMES = ("Diop", "Ndiaye", "Fall", "Sarr", "Faye", "Gueye", "Sow", "Bâ", "Cissé", "Kané")
DIAGNOSES = ("B54", "A09", "J18.9", "I10", "E11", "O80", "B20", "D57.1")


def build_hospital(folder: Path) -> None:
    """Write the dataset into an empty folder."""
    chance = random.Random(1960)  # noqa: S311 -- invented data, the same in every run
    patients = list(_patients(chance))
    for patient in patients:
        _write_record(folder, patient)
    _write_laboratory(folder / "laboratoire", patients, chance)
    _write_pictures(folder / "imagerie", chance)
    _write_odd_names(folder)
    _write_dump(folder / "base" / "hopital.sql", chance)


def _patients(chance: random.Random) -> Iterator[dict[str, str]]:
    for number in range(1, PATIENTS + 1):
        sex = chance.choice("12")
        year = chance.randrange(1930, 2022)
        yield {
            "numero": f"P{number:06d}",
            "prenom": chance.choice(GIVEN_NAMES),
            "nom": chance.choice(FAMILY_NAMES),
            "ddn": f"{year}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
            "nin": f"{sex}{chance.randrange(1000):03d}{year}{chance.randrange(100000):05d}",
            "telephone": f"+22177{chance.randrange(10**7):07d}",
            "diagnostic": chance.choice(DIAGNOSES),
            "annee": str(chance.randrange(2019, 2024)),
        }


def _write_record(folder: Path, patient: dict[str, str]) -> None:
    place = folder / "dossiers" / patient["annee"] / patient["numero"]
    place.mkdir(parents=True)
    (place / "compte-rendu.txt").write_text(
        f"Compte rendu de consultation\nPatient : {patient['prenom']} {patient['nom']}, né(e) le {patient['ddn']}\n"
        f"Diagnostic (CIM-10) : {patient['diagnostic']}\nÀ revoir dans trois mois.\n",
        encoding="utf-8",
    )
    resource = {
        "resourceType": "Patient",
        "identifier": [{"value": patient["nin"]}],
        "name": [{"family": patient["nom"], "given": [patient["prenom"]]}],
        "birthDate": patient["ddn"],
    }
    (place / "patient.json").write_text(json.dumps(resource, ensure_ascii=False), encoding="utf-8")


def _write_laboratory(folder: Path, patients: list[dict[str, str]], chance: random.Random) -> None:
    folder.mkdir()
    rows = ["numero;nom;prenom;ddn;nin;telephone;examen;resultat"]
    for patient in patients:
        known = ";".join(patient[key] for key in ("numero", "nom", "prenom", "ddn", "nin", "telephone"))
        rows.append(f"{known};glycémie;{chance.uniform(0.6, 2.4):.2f} g/L")
    (folder / "résultats 2023.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for number, patient in enumerate(patients[:40], start=1):
        message = (
            f"MSH|^~\\&|LABO|HOPITAL|SIH|HOPITAL|20230{number % 9 + 1}15||ADT^A08|{number}|P|2.5\r"
            f"PID|1||{patient['numero']}||{patient['nom']}^{patient['prenom']}||{patient['ddn'].replace('-', '')}\r"
        )
        (folder / f"ADT-{number:04d}.hl7").write_text(message, encoding="utf-8")


def _write_pictures(folder: Path, chance: random.Random) -> None:
    folder.mkdir()
    for number in range(1, 9):
        (folder / f"IRM-{number:04d}.dcm").write_bytes(bytes(128) + b"DICM" + chance.randbytes(400_000 + 1000 * number))


def _write_odd_names(folder: Path) -> None:
    """Write what breaks lesser tools: an empty file and folder, a link, names that shells and tar dislike."""
    odd = folder / "divers"
    odd.mkdir()
    (folder / "quarantaine").mkdir()
    (odd / "vide").touch()
    (odd / "reçu n° 5 – été.txt").write_text("Reçu.\n", encoding="utf-8")
    (odd / "-rf").write_text("Ce nom n'est pas une option.\n", encoding="utf-8")
    (odd / "deux\nlignes.txt").write_text("Ce nom a deux lignes.\n", encoding="utf-8")
    (odd / "rapport.part-000001").write_text("Ce nom ressemble à une partie.\n", encoding="utf-8")
    (folder / "dossiers" / "courant").symlink_to("2023")


def _write_dump(file: Path, chance: random.Random) -> None:
    """Write a dump of which no block equals another, larger than two volumes."""
    file.parent.mkdir()
    with file.open("w", encoding="ascii") as stream:
        stream.write("--\n-- PostgreSQL database dump\n--\n\nCOPY public.trackedentity (id, value) FROM stdin;\n")
        while stream.tell() < DUMP_SIZE:
            line = chance.randbytes(_BLOCK // 2).hex()
            stream.write("\n".join(line[start : start + 80] for start in range(0, len(line), 80)))
            stream.write("\n")
        stream.write("\\.\n\n--\n-- PostgreSQL database dump complete\n--\n")
