"""Whole files: in memory, and as streams."""

import hashlib
import io
import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repatria.crypt.errors import (
    HeaderError,
    HeaderMacError,
    KeyTextError,
    MixedRecipientsError,
    NoMatchError,
    PayloadError,
    TrailingDataError,
    TruncatedError,
    WrongPassphraseError,
)
from repatria.crypt.identity import Identity, PassphraseIdentity, generate
from repatria.crypt.payload import CHUNK_SIZE, SEALED_CHUNK_SIZE
from repatria.crypt.recipient import PassphraseRecipient, Recipient
from repatria.crypt.seal import decrypt_stream, encrypt_stream, is_encrypted, seal
from repatria.crypt.sealing import Sealing
from repatria.errors import CryptError

CLASSIC = generate(classic=True)
HYBRID = generate()
SIZES = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 16 * CHUNK_SIZE, 17 * CHUNK_SIZE + 5]


def encrypted(payload: bytes, recipients: Sequence[Recipient] = (CLASSIC.recipient,), armor: bool = False) -> bytes:
    sink = io.BytesIO()
    encrypt_stream(io.BytesIO(payload), sink, recipients, armor)
    return sink.getvalue()


def decrypted(file: bytes, identities: Sequence[Identity] = (CLASSIC,)) -> bytes:
    sink = io.BytesIO()
    decrypt_stream(io.BytesIO(file), sink, identities)
    return sink.getvalue()


@pytest.mark.parametrize("size", [*SIZES, 5 * 1024 * 1024, 5 * 1024 * 1024 + 1])
def test_seals_a_payload_with_all_its_digests(size: int) -> None:
    payload = os.urandom(size)
    sealed = seal(payload, [HYBRID.recipient])
    assert decrypted(bytes(sealed.data), [HYBRID]) == payload
    assert sealed.payload_size == size
    assert sealed.payload_sha256 == hashlib.sha256(payload).digest()
    assert sealed.sha256 == hashlib.sha256(sealed.data).digest()
    head_size = len(sealed.data) - size - 16 * max(1, -(-size // CHUNK_SIZE))
    assert sealed.head_sha256 == hashlib.sha256(sealed.data[:head_size]).digest()
    assert bytes(sealed.data[head_size - 17 : head_size - 16]) == b"\n"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("armor", [False, True])
def test_a_stream_comes_back(size: int, armor: bool) -> None:
    payload = os.urandom(size)
    file = encrypted(payload, armor=armor)
    assert is_encrypted(file)
    assert decrypted(file) == payload


def test_takes_any_buffer() -> None:
    payload = os.urandom(3 * 1024 * 1024)
    for given_payload in (bytearray(payload), memoryview(payload), memoryview(bytearray(payload))):
        assert decrypted(bytes(seal(given_payload, [CLASSIC.recipient]).data)) == payload


def test_writes_over_a_buffer_of_the_right_size() -> None:
    first = seal(bytes(2_000_000), [CLASSIC.recipient])
    payload = os.urandom(2_000_000)
    again = seal(payload, [CLASSIC.recipient], first.data)
    assert again.data is first.data
    assert decrypted(bytes(again.data)) == payload
    assert again.sha256 == hashlib.sha256(again.data).digest()
    assert seal(b"short", [CLASSIC.recipient], first.data).data is not first.data


def test_every_file_has_its_own_key_and_nonce() -> None:
    one, other = encrypted(bytes(100)), encrypted(bytes(100))
    assert one[-116:] != other[-116:]
    assert one[:200] != other[:200]


def test_each_recipient_opens_it_alone() -> None:
    identities = [generate() for _each in range(3)]
    file = encrypted(b"secret", [identity.recipient for identity in identities])
    for identity in identities:
        assert decrypted(file, [generate(), identity]) == b"secret"
    with pytest.raises(NoMatchError):
        decrypted(file, [generate(), CLASSIC])


def test_nobody_is_no_recipient_and_kinds_do_not_mix() -> None:
    with pytest.raises(MixedRecipientsError):
        encrypted(b"", [CLASSIC.recipient, HYBRID.recipient])
    with pytest.raises(MixedRecipientsError):
        encrypted(b"", [PassphraseRecipient("a", 2), PassphraseRecipient("b", 2)])
    with pytest.raises(KeyTextError):
        encrypted(b"", [])


def test_passphrase() -> None:
    file = encrypted(b"secret", [PassphraseRecipient("correct horse \u00e9\udc80", 2)])
    asked = []

    def ask(answer: str) -> PassphraseIdentity:
        def answered() -> str:
            asked.append(answer)
            return answer

        return PassphraseIdentity(answered)

    assert decrypted(file, [HYBRID, ask("correct horse \u00e9\udc80")]) == b"secret"
    with pytest.raises(WrongPassphraseError):
        decrypted(file, [ask("wrong")])
    assert decrypted(encrypted(b"x"), [ask("never asked for"), CLASSIC]) == b"x"
    assert "never asked for" not in asked


@given(st.data())
@settings(max_examples=200)
def test_no_changed_byte_goes_unnoticed(draw: st.DataObject) -> None:
    file = encrypted(bytes(draw.draw(st.sampled_from([0, 5, 70_000, 131_072]))))
    position = draw.draw(st.integers(0, len(file) - 1))
    value = draw.draw(st.integers(1, 255))
    changed = bytearray(file)
    changed[position] ^= value
    with pytest.raises(CryptError):
        decrypted(bytes(changed))


@given(st.integers(0, 3 * CHUNK_SIZE), st.data())
def test_a_file_cut_anywhere_is_told_and_only_true_bytes_are_given_out(size: int, draw: st.DataObject) -> None:
    payload = os.urandom(size)
    file = encrypted(payload)
    cut = draw.draw(st.integers(0, len(file) - 1))
    sink = io.BytesIO()
    with pytest.raises((HeaderError, PayloadError)):
        decrypt_stream(io.BytesIO(file[:cut]), sink, [CLASSIC])
    assert payload.startswith(sink.getvalue())


@pytest.mark.parametrize("chunks", [1, 2, 16, 17])
def test_a_file_cut_or_lengthened_at_a_chunk_is_told_as_such(chunks: int) -> None:
    file = encrypted(bytes((chunks + 1) * CHUNK_SIZE))
    with pytest.raises(TruncatedError):
        decrypted(file[:-SEALED_CHUNK_SIZE])
    for extra in (file[-SEALED_CHUNK_SIZE:], file[-2 * SEALED_CHUNK_SIZE :], b"x", bytes(SEALED_CHUNK_SIZE)):
        with pytest.raises(TrailingDataError):
            decrypted(file + extra)


def test_chunks_cannot_change_places() -> None:
    file = encrypted(os.urandom(3 * CHUNK_SIZE))
    start = len(file) - 3 * SEALED_CHUNK_SIZE
    one, two = file[start : start + SEALED_CHUNK_SIZE], file[start + SEALED_CHUNK_SIZE : start + 2 * SEALED_CHUNK_SIZE]
    with pytest.raises(PayloadError):
        decrypted(file[:start] + two + one + file[start + 2 * SEALED_CHUNK_SIZE :])


def test_the_head_of_another_file_does_not_fit() -> None:
    one, other = encrypted(bytes(1000)), encrypted(bytes(1000))
    with pytest.raises(PayloadError):
        decrypted(other[:-1016] + one[-1016:])


def test_a_stanza_cannot_be_added_without_the_file_key() -> None:
    file = encrypted(b"secret")
    with pytest.raises(HeaderMacError):
        decrypted(file.replace(b"\n--- ", b"\n-> extra\n\n--- "))


class Trickle:
    """A pipe: gives less than was asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, 30_000))


@pytest.mark.parametrize("armor", [False, True])
def test_pipes_may_give_less_than_asked_for(armor: bool) -> None:
    payload = os.urandom(2_500_000)
    sealed, opened = io.BytesIO(), io.BytesIO()
    encrypt_stream(Trickle(payload), sealed, [CLASSIC.recipient], armor)
    decrypt_stream(Trickle(sealed.getvalue()), opened, [CLASSIC])
    assert opened.getvalue() == payload


class Zeros:
    """So many zero bytes, never all in memory; as a sink it counts and keeps nothing."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.largest = 0

    def read(self, size: int, /) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        self.largest = max(self.largest, len(data))


def test_streams_are_handled_in_small_portions() -> None:
    sink = Zeros(0)
    encrypt_stream(Zeros(64 * 1024 * 1024), sink, [CLASSIC.recipient])
    assert sink.largest <= 17 * SEALED_CHUNK_SIZE


class TestWhilePayloadGrows:
    """What is final is sealed at once; the file is the same as if all had been there from the start."""

    @pytest.mark.parametrize("size", [0, 5, CHUNK_SIZE, 64 * CHUNK_SIZE, 128 * CHUNK_SIZE, 150 * CHUNK_SIZE + 7])
    @pytest.mark.parametrize("step", [1_000_003, 16 * CHUNK_SIZE, 64 * CHUNK_SIZE])
    def test_what_comes_later_is_sealed_as_it_came(self, size: int, step: int) -> None:
        payload, memory = os.urandom(size), memoryview(bytearray(200 * CHUNK_SIZE))
        sealing = Sealing(memory, [CLASSIC.recipient])
        for at in range(0, size, step):
            end = min(at + step, size)
            memory[at:end] = payload[at:end]
            sealing.advance(end)
        sealed = sealing.finish(size)
        assert decrypted(bytes(sealed.data)) == payload
        assert (sealed.payload_size, sealed.payload_sha256) == (size, hashlib.sha256(payload).digest())
        assert sealed.sha256 == hashlib.sha256(sealed.data).digest()

    def test_a_larger_buffer_of_an_earlier_file_is_written_over(self) -> None:
        large = seal(os.urandom(3_000_000), [CLASSIC.recipient])
        small = seal(b"small" * 1000, [CLASSIC.recipient], large.data)
        assert decrypted(bytes(small.data)) == b"small" * 1000
        assert small.sha256 == hashlib.sha256(small.data).digest()

    def test_another_begun_over_the_same_memory_has_another_key(self) -> None:
        memory = bytearray(20 * CHUNK_SIZE)
        first, second = Sealing(memory, [CLASSIC.recipient]), Sealing(memory, [CLASSIC.recipient])
        assert first.finish().data[-64:] != second.finish().data[-64:]
