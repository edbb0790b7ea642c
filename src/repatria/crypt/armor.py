"""ASCII armor: an age file as strict PEM (https://c2sp.org/age, "ASCII armor"; RFC 7468, figure 3)."""

import base64
import binascii
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
_RUN: Final = 1024
"""Lines handled at a time."""


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

    def write(self, data: bytes | bytearray | memoryview) -> None:
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
        self._text = b""
        self._ended = False
        self._data = b""
        self._done = False
        self._short_line_seen = False
        self._skip_leading()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, nothing only at the end."""
        while not self._data and not self._done:
            self._data = self._next_run()
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _skip_leading(self) -> None:
        while not (stripped := self._text.lstrip(_WHITESPACE)) and len(self._text) <= _MAX_WHITESPACE and self._fill():
            pass
        if len(self._text) - len(stripped) > _MAX_WHITESPACE:
            raise _malformed(_("too much blank space before it"))
        self._text = stripped
        if self._line() != BEGIN:
            raise _malformed(_("its first line is wrong"))

    def _fill(self) -> bool:
        more = b"" if self._ended else self._source.read(_RUN * (_COLUMNS + 1))
        self._ended = not more
        self._text += more
        return bool(more)

    def _line(self) -> bytes:
        """Return the next line without its end (LF or CRLF); the longest allowed is the first."""
        while (end := self._text.find(b"\n")) < 0 and len(self._text) <= _COLUMNS + 2 and self._fill():
            pass
        if end < 0:
            line, self._text = self._text, b""
            if line != END and line != END + b"\r":
                raise _malformed(_("it ends without its end line, or a line is too long"))
            return END
        line, self._text = self._text[:end], self._text[end + 1 :]
        return line.removesuffix(b"\r")

    def _next_run(self) -> bytes:
        """Return the bytes of the next lines."""
        if (run := self._full_lines()) is not None:
            return run
        line = self._line()
        if line == END:
            self._finish()
            return b""
        if self._short_line_seen or len(line) > _COLUMNS or not line:
            raise _malformed(_("a line is empty, or longer or shorter than the others"))
        self._short_line_seen = len(line) < _COLUMNS
        data = _decode(line)
        self._short_line_seen |= len(data) < _LINE_SIZE
        return data

    def _full_lines(self) -> bytes | None:
        """Return the bytes of the full lines ending in LF that are already read, None if the next line is not one."""
        if self._short_line_seen:
            return None
        if len(self._text) < 2 * (_COLUMNS + 1):
            self._fill()
        count = len(self._text) // (_COLUMNS + 1)
        block = self._text[: count * (_COLUMNS + 1)]
        text = block.replace(b"\n", b"")
        if count == 0 or len(text) != count * _COLUMNS or block[_COLUMNS :: _COLUMNS + 1] != b"\n" * count:
            return None
        if b"=" in text or b"\r" in text:
            return None
        self._text = self._text[len(block) :]
        return _decode(text)

    def _finish(self) -> None:
        trailing = self._text
        while len(trailing) <= _MAX_WHITESPACE and self._fill():
            trailing = self._text
        if trailing.strip(_WHITESPACE):
            raise _malformed(_("something follows its end line"))
        if len(trailing) > _MAX_WHITESPACE:
            raise _malformed(_("too much blank space after it"))
        self._done = True


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
