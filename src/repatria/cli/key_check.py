"""Whether identities open the files of a bundle: heads are read by range, nothing else."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from repatria.crypt.identity import Identity
from repatria.crypt.seek import fetch_head
from repatria.crypt.unwrap import unwrap_file_key
from repatria.errors import CryptError, UsageError
from repatria.i18n import _
from repatria.model import Object
from repatria.store.base import Store, StoredFile

_AT_ONCE = 16
"""Heads read at the same time: over a long link each takes one round trip."""


def encrypted_files(store: Store, dataset: str, bundle_id: str | None, *, only: bool) -> list[Object]:
    """Return the age files of a dataset's bundles up to one of them (all without), or of that one alone, in order.

    Unfinished bundles count too. UsageError if there is none.
    """
    pattern = re.compile(re.escape(dataset) + r"/(\d{8}T\d{6}Z-[a-z2-7]{6})/data/[^/]+\.age")
    found = [(match[1], item) for item in store.list(f"{dataset}/") if (match := pattern.fullmatch(item.path))]
    chosen = bundle_id or max((bundle for bundle, _item in found), default="")
    files = [item for bundle, item in found if bundle == chosen or (bundle < chosen and not only)]
    if not files:
        raise UsageError(
            _("There are no encrypted files to check under {dataset}.").format(dataset=dataset),
            advice=_("Check the bundle's address; `repatria bundles` lists what is there."),
        )
    return sorted(files, key=lambda item: item.path)


def try_files(
    store: Store, files: Sequence[Object], identities: Sequence[Identity]
) -> Iterator[tuple[Object, CryptError | None]]:
    """Yield each file with what is wrong, None where one of the identities opens it."""

    def attempt(file: Object) -> CryptError | None:
        try:
            head = fetch_head(StoredFile(store, file.path, file.size, file.version or None))
            unwrap_file_key(head.header, identities)
        except CryptError as error:
            return error
        return None

    with ThreadPoolExecutor(_AT_ONCE) as executor:
        yield from zip(files, executor.map(attempt, files), strict=True)
