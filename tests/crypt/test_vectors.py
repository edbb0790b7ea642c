"""The age project's own test vectors: every file, its outcome, and just the bytes that may be given out before it."""

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from repatria.crypt.errors import ArmorError, HeaderError, HeaderMacError, NoMatchError, PayloadError
from repatria.crypt.header import read_head
from repatria.crypt.identity import Identity, PassphraseIdentity, parse_identity
from repatria.crypt.seal import decrypt_stream
from repatria.crypt.unwrap import unwrap_file_key
from repatria.errors import CryptError
from tests.conftest import SHARED

FOLDER = SHARED / "vectors" / "age-testkit"
NAMES = sorted(file.name for file in FOLDER.iterdir()) if FOLDER.is_dir() else []
OUTCOMES: dict[str, type[CryptError] | None] = {
    "success": None,
    "HMAC failure": HeaderMacError,
    "header failure": HeaderError,
    "armor failure": ArmorError,
    "payload failure": PayloadError,
    "no match": NoMatchError,
}


@dataclass(frozen=True)
class Vector:
    outcome: type[CryptError] | None
    payload_sha256: str | None
    file_key: bytes
    armored: bool
    identities: tuple[Identity, ...]
    file: bytes


def read_vector(path: Path) -> Vector:
    head, _blank, body = path.read_bytes().partition(b"\n\n")
    lines = [line.split(": ", 1) for line in head.decode().splitlines()]
    fields = {key: value for key, value in lines}
    identities = [parse_identity(value) for key, value in lines if key == "identity"]
    passphrases = [PassphraseIdentity(lambda value=value: value) for key, value in lines if key == "passphrase"]  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    return Vector(
        OUTCOMES[fields["expect"]],
        fields.get("payload"),
        bytes.fromhex(fields["file key"]),
        fields.get("armored") == "yes",
        (*identities, *passphrases),
        zlib.decompress(body) if fields.get("compressed") == "zlib" else body,
    )


def test_all_vectors_are_there(shared: Path) -> None:
    assert len(list((shared / "vectors" / "age-testkit").iterdir())) == 143


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str) -> None:
    vector = read_vector(FOLDER / name)
    released = io.BytesIO()
    outcome = None
    try:
        decrypt_stream(io.BytesIO(vector.file), released, vector.identities)
    except CryptError as error:
        outcome = error
    expected = vector.outcome or type(None)
    assert isinstance(outcome, expected)
    assert outcome is None or (outcome.message and outcome.advice)
    if vector.payload_sha256:
        assert hashlib.sha256(released.getvalue()).hexdigest() == vector.payload_sha256
    else:
        assert not released.getvalue()


@pytest.mark.parametrize("name", [name for name in NAMES if "armor" not in name])
def test_file_key(name: str) -> None:
    vector = read_vector(FOLDER / name)
    if vector.outcome is None:
        head, _rest = read_head(io.BytesIO(vector.file).read)
        assert unwrap_file_key(head.header, vector.identities) == vector.file_key
