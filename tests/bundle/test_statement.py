"""The signed JSON: one form only, nothing lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.errors import MalformedError
from repatria.bundle.statement import Checkpoint, Statement, canonical, parse_checkpoint, parse_statement

HASH = "ab" * 32
STATEMENT = {
    "type": "https://repatria/statement/1",
    "dataset": {
        "id": "fichiers-chu-fann",
        "title": "Fichiers du CHU de Fann",
        "owner": "CHU de Fann",
        "hosted_in": "FR",
        "sensitivity": "health",
        "legal_basis": "Convention du 30 janvier 2024",
        "regulator": "SN-CDP",
    },
    "bundle": "20240130T200000Z-abcdef",
    "kind": "delta",
    "sources": [{"name": "exports", "uri": "s3://chu-fann/exports"}],
    "started": "2024-01-30T20:00:00Z",
    "finished": "2024-01-31T05:12:00Z",
    "previous": {"bundle": "20240129T200000Z-abcdef", "sha256": HASH},
    "recipients": ["age1xyz"],
    "tool": "repatria 0.1.0",
    "objects": {"count": 2, "bytes": 10, "first": 1, "next": 3},
    "documents": {"count": 0, "pages": 0, "first": 1, "next": 1},
    "tombstones": 0,
    "totals": {"objects": 2, "bytes": 10},
    "merkle_root": HASH,
    "checksums_compared": 1,
    "durability": "read-back",
    "files": {"manifest-sha256.txt": HASH, "bagit.txt": HASH, "bag-info.txt": HASH, "README.txt": HASH},
    "indexes": [
        {
            "name": "data/index-0001.db.age",
            "size": 1,
            "sha256": HASH,
            "payload_sha256": HASH,
            "head_sha256": HASH,
            "first_volume": 1,
            "last_volume": 1,
        }
    ],
    "volumes": {"count": 1, "bytes": 10},
    "findings": [{"kind": "changed", "object": 2}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abé\n"', max_size=4), inner, max_size=4),
    max_leaves=20,
)


def replaced(**fields: object) -> bytes:
    return canonical(STATEMENT | fields)


def test_a_statement_is_written_as_it_was_read() -> None:
    statement = parse_statement(canonical(STATEMENT))
    assert isinstance(statement, Statement)
    assert statement.objects.next == 3
    assert statement.encode() == canonical(STATEMENT)


def test_fields_that_are_not_known_are_kept() -> None:
    data = replaced(later={"a": [1]}, totals={"objects": 2, "bytes": 10, "pages": 5})
    assert parse_statement(data).encode() == data


def test_the_canonical_form_is_byte_by_byte_that_of_the_format() -> None:
    assert canonical({"b": 'é\n\x7f"', "a": [1, True, None], "é": {}}) == (
        '{"a":[1,true,null],"b":"é\\n\x7f\\"","é":{}}\n'.encode()
    )


@given(st.dictionaries(st.text("abé", max_size=3), JSON, max_size=5))
def test_canonical_json_is_json(value: dict[str, object]) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(json.loads(canonical(value))) == canonical(value)


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, {1: "x"}, {"a": "\ud800"}])
def test_what_canonical_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- UnicodeEncodeError is one
        canonical(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\xff\n",
        canonical(STATEMENT)[:-1],
        canonical(STATEMENT) + b"\n",
        b" " + canonical(STATEMENT),
        json.dumps(STATEMENT).encode() + b"\n",
        canonical(STATEMENT).replace(b'"tombstones":0', b'"tombstones":0.0'),
        canonical(STATEMENT).replace(b'"tombstones":0', b'"tombstones":0,"tombstones":0'),
        canonical(STATEMENT).replace(b'"tombstones":0', b'"tombstones":-1'),
        canonical(STATEMENT).replace(b'"tombstones":0', b'"tombstones":9223372036854775808'),
        canonical(STATEMENT).replace(b'"tombstones":0', b'"tombstones":true'),
        canonical(STATEMENT).replace(b'"tombstones":0', b'"tombstones":"0"'),
        replaced(type="https://repatria/statement/2"),
        replaced(bundle="20240130T200000Z-abcdef\n"),
        replaced(bundle="../20240130T200000Z-abcdef"),
        replaced(kind="other"),
        replaced(merkle_root=HASH.upper()),
        replaced(files={"manifest-sha256.txt": HASH}),
        replaced(finished="2024-01-31T05:12:00+01:00"),
        replaced(finished="2024-02-31T05:12:00Z"),
        replaced(started="0000-00-00T00:00:00Z"),
        replaced(previous={"bundle": "20240129T200000Z-abcdef"}),
        replaced(indexes=[{"name": "data/../index-0001.db.age"}]),
        canonical(STATEMENT).replace(b'"kind"', b'"a":' + b"[" * 20 + b"]" * 20 + b',"kind"'),
        b'{"a":' * 100_000,
        canonical({key: value for key, value in STATEMENT.items() if key != "objects"}),
        canonical({key: value for key, value in STATEMENT.items() if key != "type"}),
        replaced(dataset={"id": "fichiers-chu-fann"}),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_statement(data)


def test_a_checkpoint_is_read_and_written_alike() -> None:
    fields = ("bundle", "started", "previous", "recipients", "indexes", "objects", "documents")
    document = {key: STATEMENT[key] for key in fields}
    data = canonical(document | {"type": "https://repatria/checkpoint/1", "dataset": "fichiers-chu-fann"})
    checkpoint = parse_checkpoint(data)
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.encode() == data
    with pytest.raises(MalformedError):
        parse_statement(data)
