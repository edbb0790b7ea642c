"""What an archival system takes over: fonds, dossiers and documents of an archive as it stands, the parents first."""

import posixpath
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repatria.bundle.chain import Chain
from repatria.ocr.bordereau import is_context_level
from repatria.ocr.cotes import key_of
from repatria.ocr.description import description_of
from repatria.ocr.descriptions import Descriptions, says_something
from repatria.ocr.standing import StandingDocument, by_dossier, natural_key


@dataclass(frozen=True, slots=True)
class ArchivedDossier:
    """A dossier: what a row of the bordereau describes, with the documents of its cote; without one, of one folder."""

    reference: str
    """The archivist's cote; empty if none was told."""
    folder: str
    """Of its first document; empty at the top, and without documents."""
    documents: tuple[StandingDocument, ...]
    """In the order of their names; none if it was described and not digitised."""
    facts: Mapping[str, object]
    """What is said of it now (docs/formats/index.md): of its newest document."""
    name: str
    """What people call it: its cote, else its folder below the one that all share; empty for what lies in no folder."""
    above: str = ""
    """The cote of the closest série, sous-série or sous-fonds that it belongs to, by its own cote; empty: the fonds."""

    @property
    def is_digitised(self) -> bool:
        """Whether the archive holds documents of it."""
        return bool(self.documents)

    @property
    def is_context(self) -> bool:
        """Whether it is what dossiers belong to, rather than a dossier."""
        return is_context_level(self.element("level"))

    @property
    def title(self) -> str:
        """Its intitulé; without one, its name."""
        return self.element("title") or self.name

    @property
    def pages(self) -> int:
        """Scanned pages of all its documents."""
        return sum(document.row.pages for document in self.documents)

    @property
    def languages(self) -> list[str]:
        """The engine's names of the languages in which its pages were read."""
        return list(dict.fromkeys(code for document in self.documents for code in document.row.languages.split("+")))

    def element(self, name: str) -> str:
        """Return an element of its description; nothing if it says nothing of it."""
        return str(self.facts.get(name, ""))

    @property
    def other(self) -> dict[str, str]:
        """Further columns of the bordereau, by their headers."""
        other = self.facts.get("other")
        return {str(header): str(cell) for header, cell in other.items()} if isinstance(other, dict) else {}


@dataclass(frozen=True, slots=True)
class Fonds:
    """A fonds and its dossiers: each after what it belongs to, in the order of their cotes."""

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
    """Return the fonds of an archive; what names none belongs to one that is called like the dataset.

    A row of a bordereau without scans is a dossier without documents; of several fonds it belongs to that one, too.
    """
    facts = chain.head.statement.dataset
    digitised = _digitised(by_dossier(chain))
    told = {dossier.element("fonds") for dossier in digitised}
    default = told.pop() if len(told) == 1 else ""
    by_title: dict[str, list[ArchivedDossier]] = {}
    for dossier in [*digitised, *_undigitised(chain, {dossier.reference for dossier in digitised})]:
        by_title.setdefault(dossier.element("fonds") or default or facts.title or facts.id, []).append(dossier)
    return [Fonds(title, tuple(_in_order(dossiers))) for title, dossiers in sorted(by_title.items())]


def most_common(values: Iterable[str]) -> str:
    """Return the value met most often, the first of equals; empty values do not count."""
    counted = Counter(value for value in values if value)
    return counted.most_common(1)[0][0] if counted else ""


def _digitised(documents: Sequence[StandingDocument]) -> list[ArchivedDossier]:
    together: dict[tuple[str, str], list[StandingDocument]] = {}
    for document in documents:
        reference = document.row.reference or ""
        together.setdefault((reference, "" if reference else document.row.dossier), []).append(document)
    shared = _shared_folder({document.row.dossier for document in documents})
    found = []
    for (reference, _folder), members in together.items():
        folder = members[0].row.dossier
        newest = max(members, key=lambda document: document.row.number)
        name = reference or folder.removeprefix(shared) or posixpath.basename(folder)
        found.append(ArchivedDossier(reference, folder, tuple(members), description_of(newest.row), name))
    return found


def _undigitised(chain: Chain, digitised: Container[str]) -> Iterator[ArchivedDossier]:
    for row in Descriptions(chain).standing():
        facts = description_of(row)
        reference = str(facts.get("reference", ""))
        if reference and reference not in digitised and says_something(row):
            yield ArchivedDossier(reference, "", (), facts, reference)


def _shared_folder(folders: Collection[str]) -> str:
    """Return the folder in which all of them lie, with its slash; nothing if there is none."""
    shared = posixpath.commonpath(folders) if folders and all(folders) else ""
    if shared in folders:  # scans lie in it: it is a dossier itself
        shared = posixpath.dirname(shared)
    return f"{shared}/" if shared else ""


def _in_order(dossiers: Sequence[ArchivedDossier]) -> Iterator[ArchivedDossier]:
    """Yield dossiers in the order of their names, each after what it belongs to, by its cote."""
    contexts = {key_of(dossier.reference): dossier.name for dossier in dossiers if dossier.is_context}
    below: dict[str, list[ArchivedDossier]] = {}
    for dossier in sorted(dossiers, key=lambda each: natural_key(each.name)):
        above = _closest(key_of(dossier.reference), contexts)
        below.setdefault(above, []).append(replace(dossier, above=above))
    waiting = below.get("", [])[::-1]
    while waiting:
        dossier = waiting.pop()
        yield dossier
        if dossier.is_context:
            waiting += below.get(dossier.name, [])[::-1]


def _closest(key: str, contexts: Mapping[str, str]) -> str:
    """Return the name of the unit whose cote a cote continues, of several that with the longest."""
    while "-" in key:
        key = key.rpartition("-")[0]
        if key in contexts:
            return contexts[key]
    return ""
