"""The chain of a dataset's bundles: the dataset as it stood when one of them was made."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from repatria.bundle.errors import BrokenChainError, NoBundleError
from repatria.bundle.files import list_bundles
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import ObjectRow, path_bytes
from repatria.crypt.identity import Identity
from repatria.errors import RepatriaError
from repatria.i18n import _
from repatria.store.base import Store
from repatria.store.registry import public_uri

_AT_ONCE = 16
"""Bundles looked at at the same time: over a long link each takes several round trips."""


@dataclass(frozen=True, slots=True)
class Fate:
    """Whether an object of a chain still stands at its end."""

    stands: bool
    gone_since: str | None = None
    """RFC 3339 time at which it was seen gone; None if a later object took its place."""


_STANDS = Fate(stands=True)
_REPLACED = Fate(stands=False)


class Chain:
    """Finished bundles of a dataset, each following the one before; the oldest first."""

    def __init__(self, bundles: Sequence[Bundle], *, is_being_rewrapped: bool = False) -> None:
        self.bundles = tuple(bundles)
        self.is_being_rewrapped = is_being_rewrapped
        """Its recipients are being changed, and that is not finished: some files may not open."""

    @classmethod
    def load(
        cls,
        store: Store,
        dataset_id: str,
        upto: str | None = None,
        identities: Sequence[Identity] = (),
        *,
        only: bool = False,
    ) -> Self:
        """Link the chain that ends with bundle `upto` (a whole id; without one, the head).

        NoBundleError if there is no such finished bundle, BrokenChainError for a fork or a missing base. With `only`,
        that bundle alone.
        """
        listed = list_bundles(store, dataset_id)
        found = listed.finished
        if not found or (upto is not None and upto not in found):
            raise NoBundleError(
                _("There is no finished bundle {wanted} in {store}.").format(
                    wanted="@".join(filter(None, (dataset_id, upto))), store=public_uri(store.uri)
                ),
                advice=_("`repatria bundles` lists what is there; an unfinished bundle is finished by its next run."),
            )
        end = upto or found[-1]
        wanted = [end] if only else [bundle_id for bundle_id in found if bundle_id <= end]
        known = {bundle_id: Bundle(store, dataset_id, bundle_id, identities) for bundle_id in wanted}
        _at_once(known.values(), lambda bundle: bundle.statement)
        bundles = [known[end]] if only else _linked(known[end], known, being_rewrapped=listed.is_being_rewrapped)
        if upto is None and not only and len(bundles) < len(found):
            raise BrokenChainError(
                _("The bundles of {dataset} in {store} do not form one line: {count} stand outside it.").format(
                    dataset=dataset_id, store=public_uri(store.uri), count=len(found) - len(bundles)
                ),
                advice=_("`repatria verify` names them. To read one line all the same, give DATASET@BUNDLE."),
            )
        return cls(bundles, is_being_rewrapped=listed.is_being_rewrapped)

    @property
    def head(self) -> Bundle:
        """The latest bundle."""
        return self.bundles[-1]

    @property
    def standing(self) -> Sequence[Bundle]:
        """The bundles that tell how the dataset stood: from the latest that holds all of it; none before is read."""
        full = [place for place, bundle in enumerate(self.bundles) if bundle.statement.kind == "full"]
        return self.bundles[full[-1] :] if full else self.bundles  # with `only`, one that is not full

    def objects(self) -> Iterator[tuple[Bundle, ObjectRow]]:
        """Yield every object as the dataset stood."""
        for bundle, row, fate in _history(self.standing, self._buried):
            if fate.stands:
                yield bundle, row

    def history(self) -> Iterator[tuple[Bundle, ObjectRow, Fate]]:
        """Yield every object that the chain holds, with its fate: bundle by bundle, the latest first."""
        yield from _history(self.bundles, _buried(self.bundles))

    def find(self, path: str) -> tuple[Bundle, ObjectRow] | None:
        """Return the object that stood at `path`."""
        for bundle in reversed(self.standing):
            rows = bundle.find(path)
            for row in rows:
                if row.number not in self._buried:
                    return bundle, row
            if rows:
                return None
        return None

    def by_number(self, number: int) -> tuple[Bundle, ObjectRow] | None:
        """Return an object by its number, replaced or buried ones included."""
        for bundle in self.bundles:
            if bundle.statement.objects.first <= number < bundle.statement.objects.next:
                row = bundle.object(number)
                if row is not None:
                    return bundle, row
        return None

    def close(self) -> None:
        """Close every bundle; the store stays open."""
        for bundle in self.bundles:
            bundle.close()

    @cached_property
    def _buried(self) -> Mapping[int, str]:
        return _buried(self.standing)


def _history(bundles: Sequence[Bundle], buried: Mapping[int, str]) -> Iterator[tuple[Bundle, ObjectRow, Fate]]:
    """Yield every object of some bundles, the latest bundle first, with its fate at their end."""
    later: set[bytes] = set()
    superseded: str | None = None
    for bundle in reversed(bundles):
        here: set[bytes] = set()
        for row in bundle.objects():
            mark = hashlib.blake2b(path_bytes(row.path), digest_size=16).digest()
            if bundle is not bundles[0]:
                here.add(mark)
            yield bundle, row, _fate(buried.get(row.number), replaced=mark in later, superseded=superseded)
        later |= here
        if bundle.statement.kind == "full":
            superseded = superseded or bundle.statement.finished


def _buried(bundles: Sequence[Bundle]) -> Mapping[int, str]:
    """Return the numbers of buried objects, and when each was seen gone."""
    _at_once(bundles, lambda bundle: bundle.indexes())
    return {number: when for bundle in bundles for number, when in bundle.buried().items()}


def _fate(gone_since: str | None, *, replaced: bool, superseded: str | None) -> Fate:
    """Return an object's fate; `superseded` is when a later bundle listed the whole dataset without it."""
    if gone_since is not None:
        return Fate(stands=False, gone_since=gone_since)
    if replaced:
        return _REPLACED
    return Fate(stands=False, gone_since=superseded) if superseded else _STANDS


def _at_once(bundles: Iterable[Bundle], fetch: Callable[[Bundle], object]) -> None:
    """Fetch something of every bundle, many at a time; what fails will fail again where it matters."""

    def attempt(bundle: Bundle) -> None:
        with suppress(RepatriaError):
            fetch(bundle)

    with ThreadPoolExecutor(_AT_ONCE) as executor:
        for _done in executor.map(attempt, bundles):
            pass


def _linked(last: Bundle, known: Mapping[str, Bundle], *, being_rewrapped: bool) -> list[Bundle]:
    """Return the line of bundles that ends with `last`, the oldest first.

    Each names the one before by its statement; while recipients are being changed, that may be one already replaced.
    """
    line = [last]
    while (previous := line[-1].statement.previous) is not None:
        here = line[-1]
        base = known.get(previous.bundle)
        if base is None or previous.bundle >= here.bundle_id:
            raise BrokenChainError(
                _("The bundle {bundle} builds on {base}, which is missing.").format(
                    bundle=here.bundle_id, base=previous.bundle
                ),
                advice=_("Bring the missing bundle back from a second copy, or read this bundle alone with --only."),
            )
        if previous.sha256 != base.statement_sha256 and not (being_rewrapped and base.stands_for(previous.sha256)):
            raise BrokenChainError(
                _("The bundle {base} is not the one that {bundle} builds on.").format(
                    bundle=here.bundle_id, base=previous.bundle
                ),
                advice=_("Somebody put another bundle in its place: bring the right one back from a second copy."),
            )
        line.append(base)
    return line[::-1]
