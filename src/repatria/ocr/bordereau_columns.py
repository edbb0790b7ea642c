"""What the columns of a bordereau hold, by their headers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repatria.ocr.cotes import words_of

_HEADERS: Mapping[str, tuple[str, ...]] = {
    "reference": (
        *("cote", "cotes", "reference", "cote reference", "reference cote", "reference code", "ref", "cotation"),
        *("n d article", "numero d article", "article", "n d ordre", "numero d ordre"),
    ),
    "title": ("intitule", "titre", "analyse", "objet", "libelle", "designation", "title"),
    "dates": ("dates extremes", "date extreme", "dates limites", "dates", "date", "periode"),
    "level": ("niveau", "niveau de description", "level", "level of description"),
    "extent": ("importance materielle", "metrage", "volume", "extent"),
    "creator": ("producteur", "nom du producteur", "service producteur", "service versant", "origine", "creator"),
    "scope": ("portee et contenu", "presentation du contenu", "contenu", "description", "resume", "scope and content"),
    "access": ("communicabilite", "conditions d acces", "acces", "delai de communicabilite", "access", "conditions"),
    "language": ("langue", "langues", "langue des documents", "language"),
    "notes": ("notes", "note", "observations", "observation", "remarques", "commentaires", "commentaire"),
    "place": ("fichier", "fichiers", "nom du fichier", "chemin", "repertoire", "file", "path", "folder"),
    "begin": ("date de debut", "date debut", "debut", "date initiale", "annee de debut", "start date"),
    "end": ("date de fin", "date fin", "fin", "date finale", "annee de fin", "end date"),
}
"""Headers without accents, case and punctuation, by what stands below them; the likelier first."""
_TELLING = frozenset(
    {
        *("intitule", "titre", "analyse", "dates extremes", "importance materielle", "service producteur"),
        *("portee et contenu", "presentation du contenu", "communicabilite", "conditions d acces", "observations"),
    }
)
"""Those that mean the same whatever follows them: `Dates extrêmes (AAAA-AAAA)`, `Intitulé du dossier`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    header: str
    element: str | None
    """A name of `_HEADERS`; None for one that is kept under its header."""


def columns_of(cells: Sequence[str]) -> list[Column]:
    """Return what each column holds: an element goes to the column whose header is the likeliest for it."""
    headers = [" ".join(words_of(cell)) for cell in cells]
    chosen: dict[int, str] = {}
    for is_meant in (str.__eq__, _begins_with):
        for element, names in _HEADERS.items():
            if element not in chosen.values():
                fits = (
                    place
                    for name in names
                    for place, header in enumerate(headers)
                    if place not in chosen and is_meant(header, name)
                )
                place = next(fits, None)
                if place is not None:
                    chosen[place] = element
    return [Column(cell, chosen.get(place)) for place, cell in enumerate(cells)]


def _begins_with(header: str, name: str) -> bool:
    return name in _TELLING and header.startswith(f"{name} ")
