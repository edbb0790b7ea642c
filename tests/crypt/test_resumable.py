"""A SHA-256 that survives an interruption."""

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt import resumable
from repatria.crypt.errors import HashStateError
from repatria.crypt.resumable import BLOCK_SIZE, ResumableSha256

needs_libcrypto = pytest.mark.skipif(
    ResumableSha256().state() is None, reason="libcrypto is not installed: apt-get install libssl3"
)
KINDS = st.sampled_from([bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data))])


@given(st.lists(st.tuples(st.binary(max_size=500), KINDS), max_size=10))
def test_equals_hashlib(parts: list[tuple[bytes, type]]) -> None:
    expected, digest = hashlib.sha256(), ResumableSha256()
    for data, kind in parts:
        expected.update(data)
        digest.update(kind(data))
        assert digest.digest() == expected.digest()


@needs_libcrypto
@given(st.binary(max_size=2000), st.data())
def test_goes_on_from_a_kept_state(data: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data) // BLOCK_SIZE)) * BLOCK_SIZE
    first = ResumableSha256()
    first.update(data[:cut])
    state = first.state()
    assert state is not None
    assert len(state) == 40
    second = ResumableSha256.from_state(state)
    second.update(data[cut:])
    assert second.digest() == hashlib.sha256(data).digest()
    first.update(data[cut:])
    assert first.digest() == second.digest()


@needs_libcrypto
def test_goes_on_in_another_process_beyond_four_gibibits() -> None:
    block = bytes(8 * 1024 * 1024)
    digest, expected = ResumableSha256(), hashlib.sha256()
    for _count in range(65):
        digest.update(block)
        expected.update(block)
    state = digest.state()
    assert state is not None
    program = (
        "import sys; from repatria.crypt.resumable import ResumableSha256 as R;"
        "d = R.from_state(bytes.fromhex(sys.argv[1])); d.update(b'end'); print(d.digest().hex())"
    )
    done = subprocess.run([sys.executable, "-c", program, state.hex()], capture_output=True, text=True, check=True)
    expected.update(b"end")
    assert done.stdout.strip() == expected.hexdigest()


@needs_libcrypto
def test_there_is_no_state_within_a_block_so_none_holds_plaintext() -> None:
    digest = ResumableSha256()
    assert digest.state() is not None
    for size in range(1, 2 * BLOCK_SIZE):
        digest = ResumableSha256()
        digest.update(b"s" * size)
        assert (digest.state() is None) == (size % BLOCK_SIZE != 0)


@needs_libcrypto
@pytest.mark.parametrize("state", [b"", bytes(39), bytes(41), bytes(range(32)) + (63).to_bytes(8, "big")])
def test_what_is_no_state_is_refused(state: bytes) -> None:
    with pytest.raises(HashStateError):
        ResumableSha256.from_state(state)


def test_works_without_libcrypto_but_keeps_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "_library", lambda: None)
    digest = ResumableSha256()
    digest.update(memoryview(b"data"))
    assert digest.digest() == hashlib.sha256(b"data").digest()
    assert digest.state() is None
    with pytest.raises(HashStateError, match="cannot be used"):
        ResumableSha256.from_state(bytes(40))
