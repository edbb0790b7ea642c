"""What an archivist says of a dossier or document: elements of ISAD(G), 2nd edition (ICA, 2000)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Final

from repatria.bundle.rows import DescriptionRow, DocumentRow

BY_SHEET: Final = "sheet"
"""The value of `told_by` where a separator sheet told the cote; else the scan's folder did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One row of a bordereau, as the index keeps it (docs/formats/index.md); empty where nothing is told."""

    reference: str
    """3.1.1: the cote."""
    title: str = ""
    """3.1.2: intitulé."""
    dates: str = ""
    """3.1.3: dates extrêmes, as they were written."""
    level: str = ""
    """3.1.4: fonds, série, dossier, pièce ..."""
    extent: str = ""
    """3.1.5: importance matérielle."""
    creator: str = ""
    """3.2.1: producteur."""
    scope: str = ""
    """3.3.1: portée et contenu."""
    access: str = ""
    """3.4.1: communicabilité."""
    language: str = ""
    """3.4.3."""
    notes: str = ""
    """3.6.1."""
    other: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Columns that are none of these, by their headers."""
    told_by: str = ""
    """`sheet`: a separator sheet named the cote, whatever the folder is called."""


ELEMENTS = tuple(part.name for part in fields(Description) if part.name not in {"other", "told_by"})
"""The names of its elements, in the order of the standard."""


def facts_of(description: Description) -> dict[str, object]:
    """Return what a description says, by the keys that the index has for it."""
    facts: dict[str, object] = {name: getattr(description, name) for name in ELEMENTS if getattr(description, name)}
    if description.other:
        facts["other"] = dict(description.other)
    if description.told_by:
        facts["told_by"] = description.told_by
    return facts


def described(description: Description | None, fonds: str = "") -> str | None:
    """Return the JSON that the index keeps of a document; None where nothing is known."""
    facts: dict[str, object] = {"fonds": fonds} if fonds else {}
    if description is not None:
        facts |= facts_of(description)
    return json.dumps(facts, ensure_ascii=False) if facts else None


def description_of(row: DocumentRow | DescriptionRow) -> Mapping[str, object]:
    """Return what a row of the index says; empty where nothing is told, or it cannot be understood."""
    with suppress(ValueError):
        facts = json.loads(row.description or "{}")
        if isinstance(facts, dict):
            return facts
    return {}


def elements_of(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of a description by their elements, those of further columns by their headers."""
    texts = {name: str(facts[name]) for name in ELEMENTS if facts.get(name)}
    other = facts.get("other")
    if isinstance(other, dict):
        texts |= {str(header): str(cell) for header, cell in other.items()}
    return texts
