"""What lies in a dataset's folder: bundles finished and unfinished, and what belongs to none."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from repatria.bundle import layout
from repatria.bundle.errors import BundleError, MalformedError
from repatria.bundle.files import BundleFolder
from repatria.bundle.statement import MAX_DOCUMENT, NAMESPACE, Statement, parse_statement
from repatria.bundle.succession import SIGNATURE_LIMIT, kept_paths, replaced_by, signing_key
from repatria.crypt import sshsig
from repatria.crypt.sshsig import SigningKey
from repatria.errors import CryptError, NotFoundError
from repatria.i18n import _
from repatria.model import ObjectKind
from repatria.store.base import Store
from repatria.verify.report import SIGNATURE_FAILED, Verdict, altered, missing, unexpected, unverifiable

_TAG_FILES = (
    *(layout.BAGIT, layout.BAG_INFO, layout.README, layout.MANIFEST),
    *(layout.STATEMENT, layout.STATEMENT_SIGNATURE, layout.TAGMANIFEST),
)


@dataclass(slots=True)
class Lying:
    """The files of a dataset at the target."""

    bundles: dict[str, dict[str, int]] = field(default_factory=dict)
    """Bundle id -> path within the bundle -> size."""
    stray: list[str] = field(default_factory=list)
    """Paths that belong to no bundle, no record and no lease."""
    rewrapping: list[str] = field(default_factory=list)
    """Paths of a change of recipients that is under way."""

    def finished(self) -> list[str]:
        """Return the ids of the finished bundles, the oldest first."""
        return sorted(bundle_id for bundle_id, files in self.bundles.items() if layout.TAGMANIFEST in files)

    def unfinished(self) -> list[str]:
        """Return the ids of the others, the oldest first."""
        return sorted(self.bundles.keys() - set(self.finished()))


def look(store: Store, dataset_id: str) -> Lying:
    """List a dataset's folder."""
    lying = Lying()
    for told in store.list(f"{dataset_id}/"):
        if told.kind is ObjectKind.DIRECTORY:
            continue
        within = told.path.removeprefix(f"{dataset_id}/")
        folder, slash, path = within.partition("/")
        if slash and layout.BUNDLE_ID.match(folder):
            lying.bundles.setdefault(folder, {})[path] = told.size
        elif folder not in {layout.RECORDS, layout.LEASES}:
            lying.stray.append(within)
        elif within.startswith((layout.REWRAP, layout.REWRAP_FOLDER)):
            lying.rewrapping.append(within)
    return lying


@dataclass(frozen=True, slots=True)
class Seen:
    """One finished bundle: its statement if it is authentic, and what was found where it is not."""

    dataset_id: str
    bundle_id: str
    """By its folder."""
    statement: Statement | None = None
    statement_sha256: str = ""
    key: SigningKey | None = None
    tag_files: Mapping[str, bytes] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    earlier: tuple[str, ...] = ()
    """SHA-256 of the statements that this one rightly replaced, the latest first."""

    def stands_for(self, statement_sha256: str) -> bool:
        """Return whether the bundle's statement, or one that it rightly replaced, has that digest."""
        return statement_sha256 in (self.statement_sha256, *self.earlier)

    @property
    def genuine(self) -> Statement | None:
        """The statement if it is authentic and says that it is this very bundle."""
        found = self.statement
        own = found is not None and (found.dataset.id, found.bundle) == (self.dataset_id, self.bundle_id)
        return found if own else None


def examine(folder: BundleFolder, files: Mapping[str, int]) -> Seen:
    """Fetch a bundle's tag files and authenticate its statement."""
    tag_files: dict[str, bytes] = {}
    verdicts: list[Verdict] = []
    signed = [path for path in files if layout.CHECKPOINT.match(path) or layout.KEPT.match(path)]
    for path in (*_TAG_FILES, *sorted(signed)):
        try:
            tag_files[path] = folder.fetch(path, MAX_DOCUMENT)
        except NotFoundError:
            verdicts.append(missing(f"{folder.bundle_id}/{path}", _("The bundle lacks it.")))
        except BundleError as error:
            verdicts.append(altered(f"{folder.bundle_id}/{path}", error.message))
    data, signature = tag_files.get(layout.STATEMENT), tag_files.get(layout.STATEMENT_SIGNATURE)
    seen = Seen(folder.dataset_id, folder.bundle_id, tag_files=tag_files, verdicts=tuple(verdicts))
    if data is None or signature is None:
        return seen
    return _with_earlier(authenticated(seen, data, signature, folder))


def authenticated(seen: Seen, data: bytes, signature: bytes, folder: BundleFolder | None = None) -> Seen:
    """Return what was seen with the statement in `data` if it is authentic, else with what is wrong."""
    subject = f"{seen.bundle_id}/{layout.STATEMENT}"
    statement: Statement | None = None
    key: SigningKey | None = None
    verdicts = list(seen.verdicts)
    try:
        if folder is None:
            key = sshsig.verify(signature[:SIGNATURE_LIMIT].decode("ascii", "replace"), data, NAMESPACE)
        else:
            key = signing_key(folder, data, signature)
        statement = parse_statement(data)
    except MalformedError as error:
        verdicts.append(unverifiable(subject, error.message))
    except CryptError as error:
        verdicts.append(altered(subject, error.message, code=SIGNATURE_FAILED))
    digest = hashlib.sha256(data).hexdigest()
    return replace(seen, statement=statement, statement_sha256=digest, key=key, verdicts=tuple(verdicts))


def _with_earlier(seen: Seen) -> Seen:
    """Return what was seen with the statements that this one replaced, or with what is wrong with those."""
    statement = seen.genuine
    if statement is None:
        return seen
    kept = kept_paths(statement)
    verdicts = [
        unexpected(f"{seen.bundle_id}/{path}", _("The bundle's statement never took its place."))
        for path in seen.tag_files
        if layout.KEPT.match(path) and path not in kept
    ]
    earlier: tuple[str, ...] = ()
    absent = [path for path in kept if path not in seen.tag_files]
    if absent:
        verdicts += [missing(f"{seen.bundle_id}/{path}", _("The bundle lacks it.")) for path in absent]
    else:
        try:
            earlier = replaced_by(statement, seen.tag_files)
        except CryptError as error:
            verdicts.append(altered(f"{seen.bundle_id}/{kept[0]}", error.message))
    return replace(seen, verdicts=(*seen.verdicts, *verdicts), earlier=earlier)
