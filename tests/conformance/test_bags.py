"""A bag from elsewhere, on every kind of store."""

import hashlib

from repatria.store.base import Store
from repatria.verify.bag import BagCheck, is_foreign_bag
from tests.conformance.test_bundles import store

__all__ = ["store"]


def test_a_bag_is_known_verified_and_found_damaged(store: Store) -> None:
    payload = {"data/a.txt": b"hello", "data/d/reçu": b"x" * 300_000}
    manifest = "".join(f"{hashlib.sha512(data).hexdigest()}  {path}\n" for path, data in payload.items())
    declaration = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert not is_foreign_bag(store)
    for path, data in {**payload, "bagit.txt": declaration, "manifest-sha512.txt": manifest.encode()}.items():
        store.put(path, [data], len(data))
    assert is_foreign_bag(store)
    check = BagCheck(store)
    assert list(check.run()) == []
    assert (check.result.code, check.result.files_read, check.result.bytes) == (0, 2, 300_005)
    store.delete("data/a.txt")
    store.put("data/other", [b""], 0)
    found = [str(verdict.finding.kind) for verdict in BagCheck(store).run()]
    assert found == ["missing", "unexpected"]
