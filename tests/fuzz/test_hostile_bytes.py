"""Whatever bytes come instead of the right ones: the project's own errors come out, in bounded memory, and no lie.

Some 20 seconds in all. `./run soak fuzz EXAMPLES` gives each reader many more.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.statement import canonical
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.sshsig import Signer
from repatria.errors import RepatriaError
from repatria.store.memory import MemoryStore
from repatria.verify.bag import BagCheck
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict, worst_code
from repatria.verify.trust import Trust
from tests.fuzz.mutation import fuzzed, mutated, read_within_bounds
from tests.fuzz.readers import CLASSIC, MAKER, READERS, SIGNER, STORE, Reader


@pytest.mark.parametrize("reader", READERS, ids=str)
def test_right_bytes_are_read(reader: Reader) -> None:
    for seed in reader.seeds:
        reader.read(seed)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("reader", READERS, ids=str)
def test_wrong_bytes_are_an_error_of_ours(reader: Reader) -> None:
    @fuzzed
    @given(mutated(reader.seeds))
    def reads(data: bytes) -> None:
        read_within_bounds(lambda: reader.read(data))

    reads()


def _files(store: MemoryStore) -> dict[str, bytes]:
    files = {}
    for told in store.list():
        with store.read(told.path) as reading:
            files[told.path] = b"".join(reading.chunks)
    return files


FILES = _files(STORE)


def _stored(files: dict[str, bytes]) -> MemoryStore:
    store = MemoryStore()
    for path, data in files.items():
        store.put(path, [data], len(data))
    return store


@pytest.mark.timeout(0)
@fuzzed
@given(st.data())
def test_no_change_to_a_chain_is_called_intact_nor_ever_read_as_something_else(draw: st.DataObject) -> None:
    path = draw.draw(st.sampled_from(sorted(FILES)))
    kept = {other: data for other, data in FILES.items() if other != path}
    changed = draw.draw(st.one_of(st.none(), mutated([FILES[path]])))
    store = _stored(kept if changed is None else kept | {path: changed})
    trust = Trust(AllowedSigners.parse(SIGNER.key.allowed_line("senum")))
    verdicts: list[Verdict] = []

    def verify() -> None:
        wish = Wish(deep=True, identities=[CLASSIC])
        told = DatasetCheck(store, MAKER.dataset_id, trust, wish).run()
        verdicts.extend(each for each in told if not isinstance(each, BundleResult))

    def read() -> None:
        chain = Chain.load(store, MAKER.dataset_id, MAKER.bundles[1], identities=[CLASSIC])
        for bundle, row, _fate in chain.history():
            content = b"".join(bundle.read_object(row))
            assert hashlib.sha256(content).digest() == row.sha256
            assert content in {b"hello", b"changed", b""}

    error = read_within_bounds(verify)
    assert changed == FILES[path] or error is not None or worst_code(verdicts) != 0
    read_within_bounds(read)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["9999-99-99T99:99:99Z", 2**63]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value in a document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _places(each, (*path, key))


def _with(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


STATEMENT_PATH = f"{MAKER.dataset_id}/{MAKER.bundles[1]}/{layout.STATEMENT}"
STATEMENT = json.loads(FILES[STATEMENT_PATH])


@pytest.mark.timeout(0)
@fuzzed
@given(st.sampled_from(list(_places(STATEMENT))), JSON, st.sampled_from([SIGNER, Signer.generate()]))
def test_whatever_is_signed_is_judged_and_never_a_defect(path: tuple[str | int, ...], new: object, by: Signer) -> None:
    """Whoever signs, be it a stranger with a key of their own, writes what they like."""
    try:
        data = canonical(_with(STATEMENT, path, new))
    except (ValueError, UnicodeEncodeError):
        return  # what JSON cannot hold
    store = _stored(FILES | {STATEMENT_PATH: data, f"{STATEMENT_PATH}.sig": by.sign(data).encode()})
    trust = Trust(AllowedSigners.parse(SIGNER.key.allowed_line("senum")))

    def verify() -> None:
        list(DatasetCheck(store, MAKER.dataset_id, trust, Wish(deep=True, identities=[CLASSIC])).run())

    read_within_bounds(verify)
    read_within_bounds(lambda: list(Chain.load(store, MAKER.dataset_id, identities=[CLASSIC]).objects()))


BAG = {
    "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    "bag-info.txt": b"Source-Organization: x\nPayload-Oxum: 8.2\n",
    "data/a": b"hello",
    "data/d/b": b"bye",
}
for _algorithm in ("md5", "sha512"):
    BAG[f"manifest-{_algorithm}.txt"] = b"".join(
        f"{hashlib.new(_algorithm, BAG[path]).hexdigest()}  {path}\n".encode() for path in ("data/a", "data/d/b")
    )
BAG["tagmanifest-sha256.txt"] = b"".join(
    f"{hashlib.sha256(BAG[path]).hexdigest()}  {path}\n".encode() for path in sorted(BAG) if "/" not in path
)


def test_the_bag_is_whole() -> None:
    assert list(BagCheck(_stored(BAG)).run()) == []


@pytest.mark.timeout(0)
@fuzzed
@given(st.data())
def test_no_change_to_a_bag_from_elsewhere_is_called_whole(draw: st.DataObject) -> None:
    path = draw.draw(st.sampled_from(sorted(set(BAG) - {"tagmanifest-sha256.txt"})))
    changed = draw.draw(mutated([BAG[path]]))
    verdicts: list[Verdict] = []

    def verify() -> None:
        verdicts.extend(BagCheck(_stored(BAG | {path: changed})).run())

    assert read_within_bounds(verify) is None
    assert changed == BAG[path] or worst_code(verdicts) in {1, 3}


def test_an_error_that_is_not_ours_would_come_out() -> None:
    def fails() -> None:
        raise KeyError

    def refuses() -> None:
        raise RepatriaError("no")

    assert isinstance(read_within_bounds(refuses), RepatriaError)
    with pytest.raises(KeyError):
        read_within_bounds(fails)
