"""Armor: strict PEM around an age file."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repatria.crypt.armor import BEGIN, END, ArmorReader, ArmorWriter, looks_armored
from repatria.crypt.errors import ArmorError


def armored(data: bytes) -> bytes:
    sink = io.BytesIO()
    writer = ArmorWriter(sink)
    writer.write(data)
    writer.close()
    return sink.getvalue()


class Portions:
    """A source that gives at most so many bytes at a time."""

    def __init__(self, data: bytes, portion: int) -> None:
        self._source = io.BytesIO(data)
        self._portion = portion

    def read(self, size: int) -> bytes:
        return self._source.read(min(size, self._portion))


def read_all(text: bytes, portion: int = 1 << 20) -> bytes:
    reader = ArmorReader(Portions(text, portion))
    parts = []
    while part := reader.read(1000):
        parts.append(part)
    return b"".join(parts)


@given(st.binary(max_size=5000), st.lists(st.integers(0, 200), max_size=20), st.integers(1, 300))
@example(bytes(48 * 1024 * 3), [47, 1, 48, 49], 1 << 20)
@example(bytes(48 * 1024 * 3 + 1), [], 65)
def test_reads_what_it_writes_in_any_portions(data: bytes, cuts: list[int], portion: int) -> None:
    sink = io.BytesIO()
    writer = ArmorWriter(sink)
    rest = data
    for cut in cuts:
        writer.write(rest[:cut])
        rest = rest[cut:]
    writer.write(rest)
    writer.close()
    text = sink.getvalue()
    assert text == armored(data)
    assert max(map(len, text.split(b"\n"))) <= 64
    assert looks_armored(text)
    assert read_all(text, portion) == data
    assert read_all(text.replace(b"\n", b"\r\n"), portion) == data
    assert read_all(b" \t\r\n" + text.rstrip(b"\n") + b"\n \n", portion) == data
    assert read_all(text[:-1], portion) == data


@given(st.binary(min_size=1, max_size=300), st.data())
def test_no_other_text_gives_the_same_bytes(data: bytes, draw: st.DataObject) -> None:
    """Armor is not malleable, but for the blank space around it and CRLF."""
    text = armored(data)[:-1]
    position = draw.draw(st.integers(0, len(text) - 1))
    inserted = draw.draw(st.sampled_from([b"", b"A", b"=", b" ", b"\n", b"\r", b"-", b"\x00", b"\xff"]))
    length = draw.draw(st.integers(0, 2))
    changed = text[:position] + inserted + text[position + length :]
    if changed.strip().replace(b"\r\n", b"\n") == text:
        return
    try:
        assert read_all(changed) != data
    except ArmorError:
        return


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_survives_anything(before: bytes, inside: bytes) -> None:
    for text in (before, before + BEGIN + inside, BEGIN + b"\n" + inside, BEGIN + b"\n" + inside + b"\n" + END):
        try:
            read_all(text)
        except ArmorError:
            continue


FULL = b"A" * 64
FAULTS = {
    "nothing": b"",
    "another label": b"-----BEGIN AGE ENCRYPTED MESSAGE-----\nAAAA\n" + END,
    "a short line before another": BEGIN + b"\nAAAA\nAAAA\n" + END,
    "a padded line before another": BEGIN + b"\n" + b"A" * 62 + b"==\nAAAA\n" + END,
    "a line too long": BEGIN + b"\n" + FULL + b"AAAA\n" + END,
    "an empty line": BEGIN + b"\n" + FULL + b"\n\n" + END,
    "no padding": BEGIN + b"\nAA\n" + END,
    "bits left over": BEGIN + b"\nAB==\n" + END,
    "blank space in a line": BEGIN + b"\nAAAA \n" + END,
    "blank space before a line": BEGIN + b"\n AAAA\n" + END,
    "a header": BEGIN + b"\nVersion: 1\n\nAAAA\n" + END,
    "no end": BEGIN + b"\nAAAA\n",
    "half an end": BEGIN + b"\nAAAA\n" + END[:-1],
    "something after the end": BEGIN + b"\nAAAA\n" + END + b"\nx",
    "something in the end line": BEGIN + b"\nAAAA\n" + END + b" \n",
    "a second one": (BEGIN + b"\nAAAA\n" + END + b"\n") * 2,
    "too much blank space before": b"\n" * 1025 + BEGIN + b"\nAAAA\n" + END,
    "too much blank space after": BEGIN + b"\nAAAA\n" + END + b"\n" * 1100,
    "a carriage return alone": BEGIN + b"\r" + FULL + b"\r" + END,
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("portion", [1, 1 << 20])
def test_refuses(name: str, portion: int) -> None:
    with pytest.raises(ArmorError):
        read_all(FAULTS[name], portion)


def test_an_endless_line_is_not_collected() -> None:
    class Endless:
        given = 0

        def read(self, size: int) -> bytes:
            self.given += size
            return b"A" * size

    source = Endless()
    with pytest.raises(ArmorError):
        ArmorReader(source).read(1)
    assert source.given < 1_000_000
