"""Which bundles lie at a target, as anyone can see without a key."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from repatria.bundle import layout
from repatria.bundle.reader import Bundle
from repatria.bundle.statement import Statement
from repatria.crypt.sshsig import SigningKey
from repatria.errors import CryptError, NotFoundError, UnverifiableError
from repatria.i18n import _
from repatria.store.base import Store

_AT_ONCE = 8
"""Statements fetched at the same time."""


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One bundle as it lies at the target."""

    dataset_id: str
    bundle_id: str
    uri: str
    is_finished: bool
    files: int
    """Payload files, and how many bytes they have."""
    stored: int
    statement: Statement | None = None
    """If the bundle is finished and its signature is right."""
    statement_sha256: str = ""
    signing_key: SigningKey | None = None
    problem: str = ""
    """One sentence if a finished bundle's statement cannot be believed."""
    is_being_rewrapped: bool = False
    """Whether the recipients of its dataset are being changed, by what lies there."""


@dataclass(slots=True)
class _Counted:
    files: int = 0
    stored: int = 0
    is_finished: bool = False


def catalogue(store: Store, dataset_id: str | None = None) -> Iterator[CatalogueEntry]:
    """Yield the bundles of one dataset, or of all, by dataset and time; nothing is judged but signatures."""
    counted: dict[tuple[str, str], _Counted] = {}
    being_rewrapped: set[str] = set()
    for told in store.list(f"{dataset_id}/" if dataset_id else ""):
        dataset, _slash, rest = told.path.partition("/")
        bundle_id, slash, path = rest.partition("/")
        if rest == layout.signature_path(layout.REWRAP):
            being_rewrapped.add(dataset)
        if not slash or not layout.DATASET_ID.match(dataset) or not layout.BUNDLE_ID.match(bundle_id):
            continue
        bundle = counted.setdefault((dataset, bundle_id), _Counted())
        bundle.is_finished |= path == layout.TAGMANIFEST
        if path.startswith(layout.PAYLOAD_FOLDER):
            bundle.files += 1
            bundle.stored += told.size
    with ThreadPoolExecutor(_AT_ONCE) as executor:
        for entry in executor.map(lambda name: _entry(store, name[0], name[1], counted[name]), sorted(counted)):
            yield replace(entry, is_being_rewrapped=entry.dataset_id in being_rewrapped)


def _entry(store: Store, dataset_id: str, bundle_id: str, counted: _Counted) -> CatalogueEntry:
    bundle = Bundle(store, dataset_id, bundle_id)
    statement, sha256, key, problem = None, "", None, ""
    if counted.is_finished:
        try:
            statement, sha256, key = bundle.statement, bundle.statement_sha256, bundle.signing_key
        except NotFoundError:
            problem = _("Its statement or signature is missing.")
        except (CryptError, UnverifiableError) as error:
            problem = error.message
    return CatalogueEntry(
        dataset_id,
        bundle_id,
        bundle.uri,
        counted.is_finished,
        counted.files,
        counted.stored,
        statement,
        sha256,
        key,
        problem,
    )
