"""What a hospital's files say, each in its own format. Everybody in them is invented."""

import json
import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WOMEN = ("Awa", "Fatou", "Ndèye", "Mariama", "Aïssatou", "Rokhaya", "Aminata", "Coumba", "Wendkuuni", "Salimata")
MEN = ("Moussa", "Ibrahima", "Cheikh", "Ousmane", "Modou", "Abdoulaye", "Mamadou", "Issa", "Tégawendé", "Boukary")
FAMILIES = (
    "Diop", "Ndiaye", "N'Diaye", "Fall", "Sarr", "Faye", "Guèye", "Bâ", "Cissé", "Kané", "Sow", "Touré", "Ouédraogo",
    "Sawadogo", "Kaboré", "Traoré", "Compaoré", "Sène", "Thiam", "Koné",
)  # fmt: skip
VILLAGES = ("Ndiarème", "Keur Serigne Bâ", "Ouro Thialé", "Tangsobdo", "Sanghé", "Médina Yéro", "Bélé-Kadi")
DIAGNOSES = {
    "B54": "paludisme, sans précision",
    "A09": "diarrhée d'origine présumée infectieuse",
    "J18.9": "pneumopathie",
    "I10": "hypertension essentielle",
    "E11": "diabète de type 2",
    "O80": "accouchement unique et spontané",
    "D57.1": "drépanocytose sans crise",
    "A39.0": "méningite à méningocoques",
}


@dataclass(frozen=True, slots=True)
class Patient:
    """One person who never lived."""

    number: int
    woman: bool
    given: str
    family: str
    born: str
    """YYYY-MM-DD."""
    national_number: str
    """13 digits, in the shape of a Senegalese NIN."""
    phone: str
    village: str
    diagnosis: str
    """ICD-10."""
    seen: str
    """YYYY-MM-DD, the day of the consultation."""

    @property
    def file_number(self) -> str:
        """The number on the hospital's file."""
        return f"P{self.number:06d}"


def patients(count: int, chance: random.Random) -> Iterator[Patient]:
    """Yield so many patients."""
    for number in range(1, count + 1):
        woman = chance.random() < 0.55
        year = chance.randrange(1938, 2022)
        yield Patient(
            number=number,
            woman=woman,
            given=chance.choice(WOMEN if woman else MEN),
            family=chance.choice(FAMILIES),
            born=_day(year, chance),
            national_number=f"{2 if woman else 1}{chance.randrange(1000):03d}{year}{chance.randrange(10**5):05d}",
            phone=f"+221 77 {chance.randrange(1000):03d} {chance.randrange(100):02d} {chance.randrange(100):02d}",
            village=chance.choice(VILLAGES),
            diagnosis=chance.choice(tuple(DIAGNOSES)),
            seen=_day(chance.randrange(2021, 2025), chance),
        )


def _day(year: int, chance: random.Random) -> str:
    return f"{year}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"


def register(people: Iterable[Patient]) -> str:
    """Return the register of patients, CSV as a French spreadsheet writes it."""
    rows = ["numero;nom;prenom;sexe;date_naissance;nin;telephone;village;cim10"]
    rows.extend(
        f"{each.file_number};{each.family};{each.given};{'F' if each.woman else 'M'};{each.born};"
        f"{each.national_number};{each.phone};{each.village};{each.diagnosis}"
        for each in people
    )
    return "\r\n".join(rows) + "\r\n"


def consultation(patient: Patient, chance: random.Random) -> str:
    """Return a doctor's note."""
    title, ending = ("Mme", "e") if patient.woman else ("M.", "")
    return (
        "HÔPITAL RÉGIONAL DE NDIARÈME\n"
        f"Compte rendu de consultation du {patient.seen}\n\n"
        f"Dossier : {patient.file_number}\n"
        f"Patient : {title} {patient.given} {patient.family}, né{ending} le {patient.born}, {patient.village}\n"
        f"Température : {chance.uniform(36.4, 40.2):.1f} °C   Poids : {chance.randrange(9, 96)} kg\n"
        f"Diagnostic (CIM-10) : {patient.diagnosis}, {DIAGNOSES[patient.diagnosis]}\n"
        f"Conduite à tenir : traitement remis, à revoir dans {chance.randrange(2, 9)} semaines.\n"
    )


def fhir_patient(patient: Patient) -> str:
    """Return a FHIR R4 Patient."""
    resource = {
        "resourceType": "Patient",
        "id": patient.file_number,
        "identifier": [{"system": "urn:exemple:nin", "value": patient.national_number}],
        "name": [{"use": "official", "family": patient.family, "given": [patient.given]}],
        "telecom": [{"system": "phone", "value": patient.phone}],
        "gender": "female" if patient.woman else "male",
        "birthDate": patient.born,
        "address": [{"city": patient.village, "country": "SN"}],
    }
    return json.dumps(resource, ensure_ascii=False, indent=2) + "\n"


def laboratory_message(patient: Patient, chance: random.Random) -> str:
    """Return an HL7 2.5 ORU^R01: a haemoglobin and a malaria test."""
    day = patient.seen.replace("-", "")
    sex = "F" if patient.woman else "M"
    positive = "POSITIF" if patient.diagnosis == "B54" else "NEGATIF"
    segments = (
        f"MSH|^~\\&|LABO|HRN|SIH|HRN|{day}0815||ORU^R01^ORU_R01|{patient.number}|P|2.5|||||SEN|UNICODE UTF-8",
        f"PID|1||{patient.file_number}^^^HRN||{patient.family}^{patient.given}||{patient.born.replace('-', '')}|{sex}",
        f"OBR|1|{patient.number}||NFS^Numération formule sanguine|||{day}0740",
        f"OBX|1|NM|718-7^Hémoglobine^LN||{chance.uniform(7.5, 16.0):.1f}|g/dL|12-16||||F",
        f"OBX|2|ST|TDR^Test rapide paludisme||{positive}||||||F",
    )
    return "\r".join(segments) + "\r"


def dicom_image(patient: Patient, chance: random.Random, side: int = 256) -> bytes:
    """Return a small X-ray as DICOM Part 10, explicit VR little endian, 16 bits a pixel."""
    instance = f"1.2.826.0.1.3680043.8.498.{patient.number}.{chance.randrange(10**9)}"
    picture_class = "1.2.840.10008.5.1.4.1.1.1"
    meta = b"".join((
        _element(0x0002, 0x0001, "OB", b"\x00\x01"),
        _element(0x0002, 0x0002, "UI", picture_class.encode()),
        _element(0x0002, 0x0003, "UI", instance.encode()),
        _element(0x0002, 0x0010, "UI", b"1.2.840.10008.1.2.1"),
    ))  # fmt: skip
    elements = (
        _element(0x0002, 0x0000, "UL", struct.pack("<I", len(meta))) + meta,
        _element(0x0008, 0x0005, "CS", b"ISO_IR 192"),
        _element(0x0008, 0x0016, "UI", picture_class.encode()),
        _element(0x0008, 0x0018, "UI", instance.encode()),
        _element(0x0008, 0x0020, "DA", patient.seen.replace("-", "").encode()),
        _element(0x0008, 0x0060, "CS", b"CR"),
        _element(0x0010, 0x0010, "PN", f"{patient.family}^{patient.given}".encode()),
        _element(0x0010, 0x0020, "LO", patient.file_number.encode()),
        _element(0x0010, 0x0030, "DA", patient.born.replace("-", "").encode()),
        _element(0x0028, 0x0002, "US", struct.pack("<H", 1)),
        _element(0x0028, 0x0004, "CS", b"MONOCHROME2"),
        _element(0x0028, 0x0010, "US", struct.pack("<H", side)),
        _element(0x0028, 0x0011, "US", struct.pack("<H", side)),
        _element(0x0028, 0x0100, "US", struct.pack("<H", 16)),
        _element(0x0028, 0x0101, "US", struct.pack("<H", 12)),
        _element(0x0028, 0x0102, "US", struct.pack("<H", 11)),
        _element(0x0028, 0x0103, "US", struct.pack("<H", 0)),
        _element(0x7FE0, 0x0010, "OW", _pixels(side, chance)),
    )
    return bytes(128) + b"DICM" + b"".join(elements)


_LONG_LENGTHS = ("OB", "OW")
"""Value representations whose length takes 32 bits, after two reserved bytes."""


def _element(group: int, element: int, kind: str, value: bytes) -> bytes:
    """Return one data element; values are padded to an even length (UI and OB with zero, text with a space)."""
    if len(value) % 2:
        value += b"\0" if kind in {"UI", "OB", "OW"} else b" "
    length = struct.pack("<HI", 0, len(value)) if kind in _LONG_LENGTHS else struct.pack("<H", len(value))
    return struct.pack("<HH", group, element) + kind.encode() + length + value


def _pixels(side: int, chance: random.Random) -> bytes:
    """Return something round and grey in the middle, with the grain of film: 12 bits of each 16."""
    grain = chance.randbytes(side * side)
    middle = side // 2
    levels = (
        max(0, 3600 - ((row - middle) ** 2 + (column - middle) ** 2) // 6) + grain[row * side + column]
        for row in range(side)
        for column in range(side)
    )
    return struct.pack(f"<{side * side}H", *(min(level, 4095) for level in levels))
