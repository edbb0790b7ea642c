"""ASCII armor: an age file as strict PEM (https://c2sp.org/age, "ASCII armor"; RFC 7468, figure 3)."""

import base64
import binascii
from collections.abc import Iterator
from typing import Final, Protocol

from repatria.crypt.errors import ArmorError
from repatria.i18n import _

BEGIN: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
END: Final = b"-----END AGE ENCRYPTED FILE-----"
_COLUMNS: Final = 64
_LINE_SIZE: Final = 48
"""Bytes in a full line."""
_MAX_WHITESPACE: Final = 1024
"""Of blank bytes before and after the armor."""
_WHITESPACE: Final = b" \t\r\n"
_RUN: Final = 64 * 1024
"""Bytes of text handled at a time."""


class Readable(Protocol):
    """Gives bytes in order."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` more bytes, nothing only at the end."""


class Writable(Protocol):
    """Takes bytes in order."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take all of `data`."""


def looks_armored(beginning: bytes) -> bool:
    """Tell by a file's first two kibibytes whether it is meant as armor, be it spoiled."""
    return b"BEGIN AGE ENCRYPTED" in beginning.upper()


class ArmorWriter:
    """Writes bytes as armor; `close` writes the end line and leaves the sink open."""

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self._held = b""
        sink.write(BEGIN + b"\n")

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take any number of bytes; only full lines go out yet."""
        held = self._held + bytes(data)
        whole = len(held) - len(held) % _LINE_SIZE
        self._sink.write(_lines(held[:whole]))
        self._held = held[whole:]

    def close(self) -> None:
        """Write what is held back, and the end line."""
        self._sink.write(_lines(self._held) + END + b"\n")


def _lines(data: bytes) -> bytes:
    text = base64.b64encode(data)
    return b"".join(text[start : start + _COLUMNS] + b"\n" for start in range(0, len(text), _COLUMNS))


class ArmorReader:
    """Reads the bytes inside armor; ArmorError for the least deviation from the form."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._content = self._decoded()
        self._data = b""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, nothing only at the end."""
        if not self._data:
            self._data = next(self._content, b"")
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _decoded(self) -> Iterator[bytes]:
        """Yield what the lines hold, as many at a time as were read."""
        rest, after, ended, last_seen = self._begin(), b"", False, False
        while not ended:
            more = self._source.read(_RUN)
            lines = (rest + more).split(b"\n")
            rest = lines.pop() if more else b""  # at the very end a line may lack its line feed
            body, ended, after = _up_to_end(lines)
            if body:
                if last_seen or not _well_cut(body):
                    raise _malformed(_("a line is empty, or longer or shorter than the others"))
                text = b"".join(body)
                last_seen = len(body[-1]) < _COLUMNS or text.endswith(b"=")
                yield _decode(text)
            if not ended and (not more or len(rest) > _COLUMNS + 1):
                raise _malformed(_("it ends without its end line, or a line is too long"))
        self._check_trailing(after + rest)

    def _begin(self) -> bytes:
        """Pass over blank space and the first line; return what was read beyond."""
        text = b""
        while len(stripped := text.lstrip(_WHITESPACE)) < len(BEGIN) + 2 and (more := self._source.read(_RUN)):
            text += more
            if len(text) - len(text.lstrip(_WHITESPACE)) > _MAX_WHITESPACE:
                raise _malformed(_("too much blank space before it"))
        for line in (BEGIN + b"\n", BEGIN + b"\r\n"):
            if stripped.startswith(line):
                return stripped[len(line) :]
        raise _malformed(_("its first line is wrong"))

    def _check_trailing(self, text: bytes) -> None:
        while len(text) <= _MAX_WHITESPACE and (more := self._source.read(_RUN)):
            text += more
        if text.strip(_WHITESPACE):
            raise _malformed(_("something follows its end line"))
        if len(text) > _MAX_WHITESPACE:
            raise _malformed(_("too much blank space after it"))


def _up_to_end(lines: list[bytes]) -> tuple[list[bytes], bool, bytes]:
    """Return the lines before the end line, without LF or CRLF; whether it is there; and what follows it."""
    lines = [line.removesuffix(b"\r") for line in lines]
    if END not in lines:
        return lines, False, b""
    end = lines.index(END)
    return lines[:end], True, b"".join(line + b"\n" for line in lines[end + 1 :])


def _well_cut(lines: list[bytes]) -> bool:
    """Tell whether all lines are full, but for the last one, which holds something."""
    return all(len(line) == _COLUMNS for line in lines[:-1]) and 0 < len(lines[-1]) <= _COLUMNS


def _decode(text: bytes) -> bytes:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise _malformed(_("a line is not base64")) from error
    if base64.b64encode(data) != text:
        raise _malformed(_("its base64 is not canonical"))
    return data


def _malformed(reason: str) -> ArmorError:
    return ArmorError(
        _("The armor of this encrypted file is malformed: {reason}.").format(reason=reason),
        advice=_("Copy the whole text again, from the BEGIN line to the END line."),
    )
