"""What an archival system takes over: fonds, dossiers and documents of an archive as it stands, the parents first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from repatria.bundle.chain import Chain
from repatria.ocr.description import description_of
from repatria.ocr.standing import StandingDocument, by_dossier, natural_key


@dataclass(frozen=True, slots=True)
class ArchivedDossier:
    """A dossier: the documents of one cote of the bordereau; without one, of one folder."""

    reference: str
    """The archivist's cote; empty if none was told."""
    folder: str
    """Of its first document."""
    documents: tuple[StandingDocument, ...]
    """In the order of their names; at least one."""

    @property
    def name(self) -> str:
        """What tells it from the others: its cote, else its folder."""
        return self.reference or self.folder

    @property
    def title(self) -> str:
        """Its intitulé; without one, its folder."""
        return self.element("title") or self.folder

    @property
    def pages(self) -> int:
        """Scanned pages of all its documents."""
        return sum(document.row.pages for document in self.documents)

    @property
    def languages(self) -> list[str]:
        """The engine's names of the languages in which its pages were read."""
        return list(dict.fromkeys(code for document in self.documents for code in document.row.languages.split("+")))

    def element(self, name: str) -> str:
        """Return an element of its description (docs/formats/index.md), as its newest document has it; else nothing."""
        newest = max(self.documents, key=lambda document: document.row.number)
        return str(description_of(newest.row).get(name, ""))

    @property
    def other(self) -> dict[str, str]:
        """Further columns of the bordereau, by their headers."""
        newest = max(self.documents, key=lambda document: document.row.number)
        other = description_of(newest.row).get("other")
        return {str(header): str(cell) for header, cell in other.items()} if isinstance(other, dict) else {}


@dataclass(frozen=True, slots=True)
class Fonds:
    """A fonds and its dossiers, in the order of their cotes."""

    title: str
    dossiers: tuple[ArchivedDossier, ...]

    @property
    def pages(self) -> int:
        """Scanned pages of all its dossiers."""
        return sum(dossier.pages for dossier in self.dossiers)

    @property
    def documents(self) -> int:
        """Documents of all its dossiers."""
        return sum(len(dossier.documents) for dossier in self.dossiers)

    @property
    def creator(self) -> str:
        """The producteur, where all dossiers have the same; else nothing."""
        creators = {dossier.element("creator") for dossier in self.dossiers}
        return creators.pop() if len(creators) == 1 else ""


def fonds_of(chain: Chain) -> list[Fonds]:
    """Return the fonds of an archive; what names none belongs to one that is called like the dataset."""
    facts = chain.head.statement.dataset
    default = facts.title or facts.id
    dossiers = _dossiers(by_dossier(chain))
    titled = sorted(((dossier.element("fonds") or default, dossier) for dossier in dossiers), key=lambda each: each[0])
    return [
        Fonds(title, tuple(dossier for _title, dossier in group))
        for title, group in groupby(titled, key=lambda each: each[0])
    ]


def most_common(values: Iterable[str]) -> str:
    """Return the value met most often, the first of equals; empty values do not count."""
    counted = Counter(value for value in values if value)
    return counted.most_common(1)[0][0] if counted else ""


def _dossiers(documents: Sequence[StandingDocument]) -> list[ArchivedDossier]:
    together: dict[tuple[str, str], list[StandingDocument]] = {}
    for document in documents:
        reference = document.row.reference or ""
        together.setdefault((reference, "" if reference else document.row.dossier), []).append(document)
    found = [
        ArchivedDossier(reference, members[0].row.dossier, tuple(members))
        for (reference, _folder), members in together.items()
    ]
    return sorted(found, key=lambda dossier: natural_key(dossier.name))
