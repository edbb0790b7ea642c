"""What verification says: verdicts one by one, and a result for each bundle."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from repatria.errors import worst
from repatria.i18n import _
from repatria.model import Finding, FindingKind

SIGNATURE_FAILED = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding that is not `intact`, and the exit code it asks for."""

    finding: Finding
    code: int
    object: int | None = None
    """The number of the object that was looked at; None if it was a file, or what files say."""
    volumes: frozenset[int] = frozenset()
    """Of an object: the volumes whose damage costs it; none if it is wrong although its volumes are as signed."""

    @property
    def subject(self) -> str:
        """What was looked at."""
        return self.finding.subject


def verdict(
    kind: FindingKind, subject: str, detail: str, *, path: str | None = None, code: int | None = None
) -> Verdict:
    """Return a verdict; its code is that of the finding's kind unless another is given."""
    return Verdict(Finding(kind, subject, detail, path), kind.exit_code if code is None else code)


def altered(subject: str, detail: str, *, path: str | None = None, code: int | None = None) -> Verdict:
    """Return the verdict that something is not what was signed."""
    return verdict(FindingKind.ALTERED, subject, detail, path=path, code=code)


def missing(subject: str, detail: str, *, path: str | None = None) -> Verdict:
    """Return the verdict that something signed for is not there."""
    return verdict(FindingKind.MISSING, subject, detail, path=path)


def unexpected(subject: str, detail: str) -> Verdict:
    """Return the verdict that something is there which nobody signed for."""
    return verdict(FindingKind.UNEXPECTED, subject, detail)


def unverifiable(subject: str, detail: str, *, code: int | None = None) -> Verdict:
    """Return the verdict that something could not be judged."""
    return verdict(FindingKind.UNVERIFIABLE, subject, detail, code=code)


def of_object(
    kind: FindingKind, number: int, detail: str, *, path: str, volumes: frozenset[int] = frozenset()
) -> Verdict:
    """Return the verdict on an object; `volumes` are those whose damage costs it."""
    finding = Finding(kind, _("object {number}").format(number=number), detail, path)
    return Verdict(finding, kind.exit_code, number, volumes)


@dataclass(slots=True)
class BundleResult:
    """What was verified of one bundle."""

    bundle_id: str
    finished: str = ""
    """When, by its statement; empty if that is not authentic."""
    rewrapped: str = ""
    """When its recipients were last changed, by its statement; empty if they never were."""
    statement_sha256: str = ""
    signer: str = ""
    """Fingerprint of the key that signed, empty if the signature is not right."""
    voucher: str | None = None
    """Who that key is, and by whose word; None if nobody vouches for it."""
    files: int = 0
    """Payload files that are there, and how many `bytes` they have."""
    bytes: int = 0
    files_read: int = 0
    """Payload files that were read and hashed."""
    is_full: bool = False
    """Whether it holds the whole dataset, by its statement: what stands is read from there on."""
    not_copied: int = 0
    """Objects that its source did not give, by the statement."""
    objects: int = 0
    """Objects by the statement."""
    objects_read: int = 0
    """Objects that were decrypted and hashed."""
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The worst code of the verdicts."""
        return worst_code(self.verdicts)


def worst_code(verdicts: Iterable[Verdict]) -> int:
    """Return the worst code, 0 without verdicts."""
    return worst(each.code for each in verdicts)
