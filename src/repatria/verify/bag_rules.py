"""The rules of a bag from elsewhere: what its listing and its tag files say, and which bytes must be read. No IO.

A subject names a place in a manifest, never a file of the bag: its name may be a patient's. `Finding.path` has it.
"""

import posixpath
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from repatria.bundle import layout
from repatria.bundle.bagit import PAYLOAD, VERSIONS, WEAK, Declaration, Fault, Manifest
from repatria.i18n import _
from repatria.model import FindingKind, Object, ObjectKind
from repatria.verify.report import Verdict, altered, missing, unexpected, unverifiable, verdict

BAG_INFO_NAMES = (layout.BAG_INFO, "package-info.txt")
"""The latter in bags before 0.96."""
_MOST_LINKS = 40
"""As many symlinks in a row as Linux follows."""


@dataclass(slots=True)
class Bag:
    """What lies in a bag, and what its tag files say."""

    listing: Mapping[str, Object]
    """Everything but folders, by path."""
    declaration: Declaration
    manifests: Sequence[Manifest] = ()
    """Those that could be read, payload and tag."""
    unreadable: Sequence[tuple[str, str]] = ()
    """Tag files that could not be, with the reason."""
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """What `fetch.txt` says is to be fetched: path -> line."""
    oxum: tuple[int, int] | None = None
    """Bytes and files of the payload, by `bag-info.txt`."""
    info_name: str = layout.BAG_INFO
    faults: Sequence[tuple[str, Fault]] = ()
    """Tag file -> fault, of `fetch.txt` and `bag-info.txt`."""
    has_payload_folder: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One checksum that a file should have."""

    manifest: str
    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file of the bag, and every checksum that it should have."""

    subject: str
    path: str
    """As the manifest has it."""
    lies_at: str
    size: int
    checks: tuple[Check, ...]

    @property
    def is_payload(self) -> bool:
        """Whether it is what the bag is there for."""
        return self.path.startswith(PAYLOAD)

    @property
    def is_weak(self) -> bool:
        """Whether only algorithms guard it for which two files can be made with one checksum."""
        return all(check.algorithm in WEAK for check in self.checks)


@dataclass(slots=True)
class BagPlan:
    """What is wrong with a bag without reading its files, and which of them to read."""

    verdicts: list[Verdict] = field(default_factory=list)
    to_read: list[FileToRead] = field(default_factory=list)


def plan_check(bag: Bag) -> BagPlan:
    """Judge a bag by its listing and tag files."""
    plan = BagPlan(list(_check_tag_files(bag)))
    payload = [manifest for manifest in bag.manifests if not manifest.of_tags]
    named = _Named(bag, payload)
    named.settle(plan)
    _Named(bag, [manifest for manifest in bag.manifests if manifest.of_tags]).settle(plan)
    if payload:
        plan.verdicts += _check_unexpected(bag, named)
        plan.verdicts += _check_twins(named)
    plan.verdicts += _check_agreement(bag, payload, named)
    plan.verdicts += _check_oxum(bag, named)
    return plan


def _check_tag_files(bag: Bag) -> Iterator[Verdict]:
    for fault in bag.declaration.faults:
        yield altered(layout.BAGIT, fault.detail)
    if bag.declaration.version and bag.declaration.version not in VERSIONS:
        yield unverifiable(layout.BAGIT, _("Bags of its version are not known here; it was read as one of 1.0."))
    for name, reason in bag.unreadable:
        yield altered(name, reason)
    for name, fault in (*bag.faults, *((each.name, fault) for each in bag.manifests for fault in each.faults)):
        yield altered(_place(name, fault.line), fault.detail)
    for manifest in bag.manifests:
        if not manifest.algorithm:
            yield unverifiable(manifest.name, _("Its algorithm is not known here."))
    if not any(not manifest.of_tags for manifest in bag.manifests):
        yield missing("manifest-*.txt", _("No manifest says what the payload was."))
    if not bag.has_payload_folder:
        yield missing(PAYLOAD, _("The bag has no payload folder."))
    if any(layout.VOLUME.match(path) or layout.INDEX.match(path) for path in bag.listing):
        yield missing(
            layout.STATEMENT,
            _("The bag is a bundle of Repatria without its signed statement: somebody removed that."),
        )


class _Named:
    """The files that manifests name, and where they lie."""

    def __init__(self, bag: Bag, manifests: Sequence[Manifest]) -> None:
        self.bag = bag
        self.by_path: dict[str, list[tuple[Manifest, int, str]]] = {}
        for manifest in manifests:
            for path, entry in manifest.entries.items():
                self.by_path.setdefault(path, []).append((manifest, entry.line, entry.digest))
        self._normal = _by_normal_form(path for path in bag.listing if path not in self.by_path)
        self.lying = {path: self._lying_at(path) for path in self.by_path}

    def subject(self, path: str) -> str:
        """Return where a path is named first."""
        manifest, line, _digest = self.by_path[path][0]
        return _place(manifest.name, line)

    def settle(self, plan: BagPlan) -> None:
        """Put each file among those to read, or say why it cannot be."""
        for path, lies_at in self.lying.items():
            real = followed(lies_at, self.bag.listing) if lies_at is not None else None
            found = self.bag.listing[real] if real is not None else None
            if real is None or found is None or found.kind is ObjectKind.SPECIAL:
                plan.verdicts.append(self._absent(path, lies_at, found))
                continue
            checks = tuple(
                Check(manifest.name, manifest.algorithm, digest)
                for manifest, _line, digest in self.by_path[path]
                if manifest.algorithm
            )
            if checks:
                plan.to_read.append(FileToRead(self.subject(path), path, real, found.size, checks))

    def _absent(self, path: str, lies_at: str | None, found: Object | None) -> Verdict:
        kind, detail = FindingKind.MISSING, _("It is not in the bag. Restore it from a second copy.")
        if lies_at is None and path in self.bag.elsewhere:
            kind, detail = FindingKind.UNVERIFIABLE, _("It is to be fetched first: fetch.txt says where it is.")
        elif found is not None:
            kind, detail = FindingKind.UNVERIFIABLE, _("A device, a pipe or a socket stands in its place.")
        elif lies_at is not None:
            detail = _("A symbolic link that leads out of the bag, or nowhere, stands in its place.")
        return verdict(kind, self.subject(path), detail, path=path)

    def _lying_at(self, path: str) -> str | None:
        """Return the path under which a file lies; other systems change the form of accented letters."""
        if path in self.bag.listing:
            return path
        candidates = self._normal.get(unicodedata.normalize("NFC", path), [])
        if len(candidates) == 1:
            return candidates[0]
        as_bytes = path.encode(self.bag.declaration.encoding, "replace").decode("utf-8", "surrogateescape")
        return as_bytes if as_bytes in self.bag.listing else None


def followed(path: str, listing: Mapping[str, Object]) -> str | None:
    """Return the path of the file that a symlink within the bag leads to, None if it leads elsewhere."""
    for _step in range(_MOST_LINKS):
        found = listing.get(path)
        if found is None or found.kind is not ObjectKind.SYMLINK:
            return path if found is not None else None
        target = found.link_target or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if target.startswith("/") or path.startswith("../"):
            return None
    return None


def _check_unexpected(bag: Bag, named: _Named) -> Iterator[Verdict]:
    lying = {path for path in named.lying.values() if path is not None}
    payload = sorted(path for path in bag.listing if path.startswith(PAYLOAD))
    for number, path in enumerate(payload, 1):
        if path not in lying:
            found = unexpected(_("payload file {number}").format(number=number), _("No manifest names it."))
            yield verdict(found.finding.kind, found.subject, found.finding.detail, path=path)


def _check_twins(named: _Named) -> Iterator[Verdict]:
    """Yield the files of which one takes the other's place on a system that knows no case, or another Unicode form."""
    first: dict[str, str] = {}
    for path in sorted(named.by_path):
        twin = first.setdefault(unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).lower()), path)
        if twin != path:
            detail = _(
                "Its name and that at {twin} differ in case or Unicode form alone: many systems keep one of them."
            )
            yield verdict(
                FindingKind.UNVERIFIABLE,
                named.subject(path),
                detail.format(twin=named.subject(twin)),
                path=path,
            )


def _check_agreement(bag: Bag, payload: Sequence[Manifest], named: _Named) -> Iterator[Verdict]:
    """RFC 8493, section 3: in version 1.0 every payload manifest names every payload file; before, one of them does."""
    if bag.declaration.version.startswith("0."):
        return
    for manifest in payload:
        lacking = [path for path in named.by_path if path not in manifest.entries]
        if lacking:
            detail = _("It does not name every file that the other manifests name; the first is at {place}.")
            yield altered(manifest.name, detail.format(place=named.subject(lacking[0])), path=lacking[0])


def _check_oxum(bag: Bag, named: _Named) -> Iterator[Verdict]:
    if bag.oxum is None or any(path in bag.elsewhere and at is None for path, at in named.lying.items()):
        return
    real = [followed(path, bag.listing) for path in bag.listing if path.startswith(PAYLOAD)]
    sizes = [bag.listing[path].size for path in real if path is not None]
    if (sum(sizes), len(sizes)) != bag.oxum:
        yield altered(
            bag.info_name,
            _("Its Payload-Oxum says {bytes} bytes in {files} files; there are {seen} in {count}.").format(
                bytes=bag.oxum[0], files=bag.oxum[1], seen=sum(sizes), count=len(sizes)
            ),
        )


def _by_normal_form(paths: Iterator[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(unicodedata.normalize("NFC", path), []).append(path)
    return found


def _place(name: str, line: int) -> str:
    return _("{file}, line {line}").format(file=name, line=line) if line else name
