"""In which order a change of recipients goes on, and from where: pure (docs/adr/rewrapping.md has the reasons).

A bundle goes through these stages, each of which can be told from what lies at the target:

1. its volumes are replaced one by one, while statement and indexes are the old ones;
2. its new indexes, manifests and statement lie aside, complete and signed: with the signature it is *committed*;
3. they take the place of the old ones, `statement.json.sig` last;
4. what was laid aside is removed, the signature first.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum

from repatria.bundle import layout
from repatria.bundle.errors import BrokenChainError
from repatria.bundle.rewrap_record import BundleToRewrap
from repatria.i18n import _

STAGED = "new/"
"""What lies aside for a bundle lies below this, under the paths that it has in the bundle."""
COMMIT = STAGED + layout.STATEMENT_SIGNATURE
"""The last file to be laid aside, and the first to be removed."""
_INSTALLING_ORDER = (
    layout.BAGIT,
    layout.BAG_INFO,
    layout.README,
    layout.MANIFEST,
    layout.TAGMANIFEST,
    layout.STATEMENT,
    layout.STATEMENT_SIGNATURE,
)


class Stage(StrEnum):
    """How far a bundle has come."""

    VOLUMES = "volumes"
    COMMITTED = "committed"
    CLEANING = "cleaning"
    DONE = "done"


def stage_of(entry: BundleToRewrap, statement_sha256: str, replaces: str | None, leftovers: Collection[str]) -> Stage:
    """Return how far a bundle has come.

    `statement_sha256` and `replaces` are those of its statement now; `leftovers` the paths of what lies aside for it.
    BrokenChainError if the statement is neither the old one nor the one in its place.
    """
    is_new = replaces == entry.statement
    if not is_new and statement_sha256 != entry.statement:
        raise BrokenChainError(
            _("The bundle {bundle} is not the one whose recipients were being changed.").format(bundle=entry.bundle),
            advice=_(
                "Somebody put another bundle there, or an old record of such a change. Run `repatria verify`; if"
                " nothing but the record is wrong, remove records/rewrap.json.sig."
            ),
        )
    if COMMIT in leftovers:
        return Stage.COMMITTED
    if is_new:
        return Stage.CLEANING if leftovers else Stage.DONE
    return Stage.VOLUMES


def installing_order(paths: Iterable[str]) -> list[str]:
    """Return a bundle's new files in the order in which they take the place of the old: indexes, then tag files."""
    places = {path: place for place, path in enumerate(_INSTALLING_ORDER)}
    return sorted(paths, key=lambda path: (places.get(path, -1), path))


def removing_order(leftovers: Iterable[str]) -> list[str]:
    """Return what lies aside in the order in which it is removed: first what says that it is complete."""
    return sorted(leftovers, key=lambda path: (path != COMMIT, path))
