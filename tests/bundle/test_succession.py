"""Which statements stand for a bundle whose recipients were changed."""

import hashlib

import pytest

from repatria.bundle import layout
from repatria.bundle.closing import CLOSING_ORDER, closing_files
from repatria.bundle.errors import AlteredError, MalformedError
from repatria.bundle.files import BundleFolder
from repatria.bundle.statement import NAMESPACE, Replaces, Statement, Totals, parse_statement
from repatria.bundle.succession import kept_number, kept_paths, replaced_by, signing_key, tells_the_same
from repatria.crypt.sshsig import Signer
from repatria.errors import CryptError
from repatria.store.memory import MemoryStore
from tests.bundle.making import DatasetMaker, file


@pytest.fixture
def maker() -> DatasetMaker:
    maker = DatasetMaker(MemoryStore())
    maker.bundle([file("a", b"1")])
    return maker


@pytest.fixture
def first(maker: DatasetMaker) -> bytes:
    return BundleFolder(maker.store, maker.dataset_id, maker.bundles[0]).fetch(layout.STATEMENT)


def follow(old: bytes, **changes: object) -> bytes:
    """Return a statement in the place of another."""
    statement = parse_statement(old)
    replaces = Replaces(
        number=kept_number(statement), sha256=hashlib.sha256(old).hexdigest(), rewrapped="2026-01-31T20:00:00Z"
    )
    changed = {"recipients": ("age1new",), "replaces": replaces, **changes}
    return Statement.model_validate({**statement.model_dump(), **changed}).encode()


def kept(signer: Signer, *statements: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number, data in enumerate(statements, 1):
        path = layout.kept_path(number)
        files |= {path: data, layout.signature_path(path): signer.sign(data, NAMESPACE).encode()}
    return files


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_statement_that_replaced_none_reads_as_ever(first: bytes) -> None:
    assert b"replaces" not in first
    assert parse_statement(first).encode() == first
    assert kept_paths(parse_statement(first)) == []
    assert replaced_by(parse_statement(first), {}) == ()


def test_each_stands_for_the_bundle_back_to_the_first(first: bytes) -> None:
    signer = Signer.generate()
    second = follow(first)
    third = follow(second)
    statement = parse_statement(third)
    assert statement.encode() == third
    assert statement.signed_at == "2026-01-31T20:00:00Z"
    files = kept(signer, first, second)
    assert set(kept_paths(statement)) == set(files)
    assert replaced_by(statement, files) == (digest(second), digest(first))


@pytest.mark.parametrize(
    "changes",
    [
        {"merkle_root": "0" * 64},
        {"totals": Totals(objects=9, bytes=9)},
        {"finished": "2030-01-01T00:00:00Z"},
        {"kind": "delta"},
        {"sources": ()},
    ],
)
def test_one_that_tells_of_something_else_does_not(first: bytes, changes: dict[str, object]) -> None:
    second = parse_statement(follow(first, **changes))
    if not tells_the_same(second, parse_statement(first)):
        with pytest.raises(AlteredError):
            replaced_by(second, kept(Signer.generate(), first))
    else:
        assert second.sources == parse_statement(first).sources  # it had none before


def test_one_that_is_altered_absent_unsigned_or_under_a_wrong_number_does_not(first: bytes) -> None:
    signer = Signer.generate()
    second = parse_statement(follow(first))
    path = layout.kept_path(1)
    files = kept(signer, first)
    for wrong in (
        {**files, path: first.replace(b"CHU", b"CHX") + b" "},
        {},
        {**files, layout.signature_path(path): b""},
        {**files, layout.signature_path(path): signer.sign(b"other", NAMESPACE).encode()},
    ):
        with pytest.raises(CryptError):
            replaced_by(second, wrong)
    assert second.replaces is not None
    misnumbered = second.model_copy(update={"replaces": second.replaces.model_copy(update={"number": 2})})
    with pytest.raises(AlteredError):
        replaced_by(
            misnumbered, {layout.kept_path(2): first, layout.signature_path(layout.kept_path(2)): files[f"{path}.sig"]}
        )


def test_a_number_that_no_bundle_reaches_is_refused(first: bytes) -> None:
    document = follow(first).replace(b'"number":1', b'"number":100000')
    with pytest.raises(MalformedError):
        parse_statement(document)


def test_a_new_statement_whose_signature_still_lies_aside_is_signed(maker: DatasetMaker, first: bytes) -> None:
    folder = BundleFolder(maker.store, maker.dataset_id, maker.bundles[0])
    second = follow(first)
    old_signature = folder.fetch(layout.STATEMENT_SIGNATURE)
    with pytest.raises(CryptError):
        signing_key(folder, second, old_signature)
    signature = maker.signer.sign(second, NAMESPACE).encode()
    aside = f"{maker.dataset_id}/{layout.REWRAP_FOLDER}{maker.bundles[0]}/new/{layout.STATEMENT_SIGNATURE}"
    maker.store.put(aside, [signature], len(signature))
    assert signing_key(folder, second, old_signature) == maker.signer.key
    assert signing_key(folder, first, old_signature) == maker.signer.key
    with pytest.raises(CryptError):
        signing_key(folder, second.replace(b"age1new", b"age1bad"), old_signature)


def test_closing_files_come_in_their_order_and_sign_what_replaces(first: bytes, maker: DatasetMaker) -> None:
    files = closing_files(parse_statement(follow(first)), [], {}, maker.signer)
    assert tuple(files) == CLOSING_ORDER
    assert parse_statement(files[layout.STATEMENT]).replaces is not None
