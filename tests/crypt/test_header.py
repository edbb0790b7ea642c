"""The header: written canonically, read strictly and within bounds."""

import io
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt.derive import decode_base64, encode_base64
from repatria.crypt.errors import (
    HeaderError,
    HeaderMacError,
    HeaderTooLargeError,
    TooManyStanzasError,
    UnsupportedVersionError,
    WorkFactorError,
)
from repatria.crypt.header import MAX_STANZAS, Stanza, make_header, parse_header, read_head
from repatria.crypt.identity import PassphraseIdentity, generate
from repatria.crypt.stanzas import SCRYPT
from repatria.crypt.unwrap import unwrap_file_key

KEY = bytes(range(16))
ARGUMENTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
STANZAS = st.builds(Stanza, ARGUMENTS, st.lists(ARGUMENTS, max_size=4).map(tuple), st.binary(max_size=300))


@given(st.lists(STANZAS, min_size=1, max_size=5))
def test_reads_what_it_writes(stanzas: list[Stanza]) -> None:
    raw = make_header(KEY, stanzas)
    header = parse_header(raw)
    assert list(header.stanzas) == stanzas
    assert header.raw == raw
    header.verify(KEY)


@given(st.lists(STANZAS, min_size=1, max_size=3), st.data())
def test_no_changed_byte_goes_unnoticed(stanzas: list[Stanza], draw: st.DataObject) -> None:
    raw = make_header(KEY, stanzas)
    position = draw.draw(st.integers(0, len(raw) - 1))
    value = draw.draw(st.integers(0, 255).filter(lambda byte: byte != raw[position]))
    changed = raw[:position] + bytes([value]) + raw[position + 1 :]
    with pytest.raises((HeaderError, HeaderMacError)):
        parse_header(changed).verify(KEY)


@given(st.binary(max_size=400))
def test_whatever_parses_is_canonical(noise: bytes) -> None:
    raw = b"age-encryption.org/v1\n" + noise
    try:
        header = parse_header(raw)
    except HeaderError:
        return
    assert make_header(KEY, header.stanzas).rpartition(b"--- ")[0] == raw.rpartition(b"--- ")[0]


@given(st.lists(STANZAS, min_size=1, max_size=3), st.binary(max_size=100), st.integers(1, 5000))
def test_reads_a_head_in_any_portions_and_gives_back_the_rest(stanzas: list[Stanza], rest: bytes, portion: int) -> None:
    raw = make_header(KEY, stanzas) + bytes(16)
    source = io.BytesIO(raw + rest)
    head, beyond = read_head(lambda size: source.read(min(size, portion)))
    assert head.raw == raw
    assert len(head) == len(raw)
    assert beyond + source.read() == rest


@given(st.lists(STANZAS, min_size=1, max_size=3), st.data())
def test_a_head_cut_anywhere_is_told(stanzas: list[Stanza], draw: st.DataObject) -> None:
    raw = make_header(KEY, stanzas) + bytes(16)
    cut = draw.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(HeaderError):
        read_head(io.BytesIO(raw[:cut]).read)


class Endless:
    """A hostile source: the same bytes for ever, counted."""

    def __init__(self, beginning: bytes, more: bytes) -> None:
        self.given = 0
        self._beginning = beginning
        self._more = more

    def read(self, size: int) -> bytes:
        data = (self._beginning + self._more * (size // len(self._more) + 1))[:size]
        self._beginning = self._beginning[size:]
        self.given += len(data)
        return data


@pytest.mark.parametrize("more", [b"a", b"\n", b"-> x\n\n", b"->"])
def test_an_endless_header_is_not_read_beyond_its_bound(more: bytes) -> None:
    source = Endless(b"age-encryption.org/v1\n", more)
    with pytest.raises(HeaderTooLargeError):
        read_head(source.read)
    assert source.given < 1.2 * 1024 * 1024


def test_what_is_no_age_file_is_told_from_its_first_bytes() -> None:
    source = Endless(b"", b"\x00")
    with pytest.raises(HeaderError, match="not a file encrypted with age"):
        read_head(source.read)
    assert source.given <= 8192


def test_a_header_of_too_many_stanzas_is_refused_both_ways() -> None:
    stanzas = [Stanza("grease", (), b"")] * (MAX_STANZAS + 1)
    with pytest.raises(TooManyStanzasError):
        make_header(KEY, stanzas)
    lines = b"age-encryption.org/v1\n" + b"".join(stanza.serialise() for stanza in stanzas)
    with pytest.raises(TooManyStanzasError):
        parse_header(lines + b"--- " + b"A" * 43 + b"\n")


def test_too_large_a_header_is_not_written() -> None:
    with pytest.raises(HeaderTooLargeError):
        make_header(KEY, [Stanza("grease", (), bytes(800_000))])


def test_a_later_version_is_named() -> None:
    with pytest.raises(UnsupportedVersionError, match="v2"):
        parse_header(b"age-encryption.org/v2\n-> x\n\n--- " + b"A" * 43 + b"\n")


@pytest.mark.parametrize("factor", [21, 23, 30, 99, 10**30])
def test_too_much_work_is_refused_before_the_passphrase_is_asked_for(factor: int) -> None:
    def ask() -> str:
        raise AssertionError

    header = make_header(KEY, [Stanza(SCRYPT, ("A" * 22, str(factor)), bytes(32))])
    with pytest.raises(WorkFactorError, match="20"):
        unwrap_file_key(parse_header(header), [PassphraseIdentity(ask)])


def test_too_little_memory_for_a_passphrase_is_told_as_such() -> None:
    program = (
        "import resource; from repatria.crypt.stanzas import *; from repatria.crypt.header import Stanza;"
        "from repatria.crypt.errors import WorkFactorError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))\n"
        "try: unwrap_scrypt(Stanza(SCRYPT, ('A' * 22, '20'), bytes(32)), 'x')\n"
        "except WorkFactorError as error: print(error.message)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "1024 MiB" in done.stdout


@pytest.mark.parametrize("classic", [True, False])
def test_unknown_stanzas_are_passed_over(classic: bool) -> None:
    identity = generate(classic)
    grease = Stanza("x/y-grease", ("1", "~"), os.urandom(70))
    header = make_header(KEY, [grease, *identity.recipient.wrap(KEY), grease])
    assert unwrap_file_key(parse_header(header), [generate(True), generate(), identity]) == KEY


def with_zero_point(share: str) -> str:
    return encode_base64(decode_base64(share)[:-32] + bytes(32))


MALFORMED: dict[str, Callable[[Stanza], Stanza]] = {
    "no argument": lambda stanza: Stanza(stanza.type, (), stanza.body),
    "an argument too many": lambda stanza: Stanza(stanza.type, (*stanza.arguments, "x"), stanza.body),
    "a share too short": lambda stanza: Stanza(stanza.type, (stanza.arguments[0][:-4],), stanza.body),
    "padded base64": lambda stanza: Stanza(stanza.type, (stanza.arguments[0] + "=",), stanza.body),
    "no base64": lambda stanza: Stanza(stanza.type, ("!" + stanza.arguments[0][1:],), stanza.body),
    "a long body": lambda stanza: Stanza(stanza.type, stanza.arguments, stanza.body + b"\0"),
    "no body": lambda stanza: Stanza(stanza.type, stanza.arguments, b""),
    "a share of low order": lambda stanza: Stanza(stanza.type, (with_zero_point(stanza.arguments[0]),), stanza.body),
}


@pytest.mark.parametrize("classic", [True, False])
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_stanza_spoils_the_file_even_where_another_fits(classic: bool, name: str) -> None:
    identity = generate(classic)
    (good,) = identity.recipient.wrap(KEY)
    header = parse_header(make_header(KEY, [good, MALFORMED[name](good)]))
    with pytest.raises(HeaderError):
        unwrap_file_key(header, [identity])
