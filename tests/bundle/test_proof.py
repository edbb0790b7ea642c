"""The proof of one object: what it holds, what it shows, and what it keeps to itself."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repatria.bundle.chain import Chain
from repatria.bundle.proof import Proof, ProvenObject, make_proof, parse_proof
from repatria.bundle.rows import ObjectRow, merkle_leaf, path_text
from repatria.errors import UsageError
from repatria.store.memory import MemoryStore
from tests.bundle.making import DatasetMaker, directory, file, symlink

FORMAT = Path(__file__).parents[2] / "docs" / "formats" / "proof.md"
SOURCES = [
    file("a/first", b"1"),
    file("patient Diop.txt", b"confidential"),
    symlink("link", "a/first"),
    directory("empty"),
    file("caf\udce9", b"odd"),
    file("last", b"x" * 2_500_000),
]


@pytest.fixture(scope="module")
def maker() -> DatasetMaker:
    maker = DatasetMaker(MemoryStore())
    maker.bundle(SOURCES, volumes_per_index=1)
    maker.bundle([file("a/first", b"changed"), file("z", b"new"), file("zz", b"newer")], gone=["last"])
    return maker


def proof_of(maker: DatasetMaker, path: str, upto: int = -1) -> Proof:
    chain = Chain.load(maker.store, maker.dataset_id, maker.bundles[upto], [maker.identity])
    try:
        found = chain.find(path)
        assert found is not None
        return make_proof(*found)
    finally:
        chain.close()


@pytest.mark.parametrize(("path", "index"), [(told.path, place) for place, (told, _data) in enumerate(SOURCES)])
def test_every_object_of_a_bundle_is_proven_at_its_place(maker: DatasetMaker, path: str, index: int) -> None:
    proof = proof_of(maker, path, upto=0)
    assert (proof.index, proof.tree_size, proof.object.name) == (index, len(SOURCES), path)
    assert parse_proof(proof.encode()) == proof


def test_an_object_is_proven_by_the_bundle_that_brought_it(maker: DatasetMaker) -> None:
    changed = proof_of(maker, "a/first")
    assert (changed.bundle, changed.index, changed.tree_size) == (maker.bundles[1], 0, 3)
    kept = proof_of(maker, "link")
    assert (kept.bundle, kept.index, kept.tree_size) == (maker.bundles[0], 2, 6)


def test_a_proof_names_one_object_only(maker: DatasetMaker) -> None:
    written = proof_of(maker, "a/first", upto=0).encode()
    for told, _data in SOURCES[1:]:
        assert told.path.encode("utf-8", "surrogateescape") not in written or told.path in {"link", "empty", "last"}
    assert b"Diop" not in written
    assert b"confidential" not in written
    assert written.count(b'"path') == 1


def test_it_is_checked_with_stock_tools_as_the_format_says(maker: DatasetMaker, tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", FORMAT.read_text("utf-8"), re.DOTALL)
    assert found
    (tmp_path / "check.py").write_text(found[1])
    (tmp_path / "signers").write_text(maker.signer.key.allowed_line("senum@dakar") + "\n")
    for path in ("caf\udce9", "last", "a/first"):
        proof = proof_of(maker, path, upto=0)
        (tmp_path / "proof.json").write_bytes(proof.encode())
        assert _stock_check(tmp_path) == 0
        changed = json.loads(proof.encode())
        changed["object"]["size"] += 1
        (tmp_path / "proof.json").write_text(json.dumps(changed))
        assert _stock_check(tmp_path) == 1


def _stock_check(folder: Path) -> int:
    arguments = [sys.executable, "check.py", "proof.json", "signers", "senum@dakar"]
    return subprocess.run(arguments, cwd=folder, capture_output=True, check=False).returncode


@given(
    st.binary(min_size=1, max_size=40),
    st.integers(0, (1 << 63) - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
)
def test_the_leaf_of_a_proof_is_that_of_the_row(path: bytes, size: int, sha256: bytes, salt: bytes) -> None:
    row = ObjectRow(1, "", path_text(path), "file", size, sha256, salt)
    told = ProvenObject.of(row)
    assert ProvenObject.model_validate(json.loads(told.model_dump_json())).leaf() == merkle_leaf(row)
    assert told.name == row.path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_changed_is_noticed_or_changes_nothing_that_is_proven(
    maker: DatasetMaker, data: st.DataObject
) -> None:
    proof = _PROOFS.setdefault(id(maker), proof_of(maker, "a/first", upto=0))
    written = bytearray(proof.encode())
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))
    try:
        read = parse_proof(bytes(written))
    except UsageError:
        return
    signed = (read.statement, read.signature) == (proof.statement, proof.signature)
    statement = Chain.load(maker.store, maker.dataset_id, proof.bundle).head.statement
    if signed and (read.dataset, read.bundle) == (proof.dataset, proof.bundle) and read.leads_to(statement):
        assert read == proof


_PROOFS: dict[int, Proof] = {}


@pytest.mark.parametrize(
    "change",
    [
        {"type": "https://repatria/proof/2"},
        {"index": -1},
        {"index": 1.0},
        {"index": "1"},
        {"audit_path": ["00"]},
        {"audit_path": ["0" * 64] * 65},
        {"statement": None},
        {"object": {"size": 1, "sha256": "0" * 64, "salt": "0" * 32}},
        {"object": {"path": "a", "path_hex": "61", "size": 1, "sha256": "0" * 64, "salt": "0" * 32}},
        {"object": {"path": "a", "size": 1, "sha256": "0" * 64, "salt": "0" * 30}},
    ],
)
def test_what_is_no_proof_is_refused(maker: DatasetMaker, change: dict[str, object]) -> None:
    document = json.loads(proof_of(maker, "z").encode())
    with pytest.raises(UsageError, match="The proof's field"):
        parse_proof(json.dumps(document | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a": 1, "a": 1}', b"\xff", b"[" * 100_000, b'["\\ud800"]'])
def test_what_is_not_even_json_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_proof(data)
