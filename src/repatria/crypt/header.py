"""The age header: version line, stanzas, MAC (https://c2sp.org/age, "Header"), parsed strictly and within bounds."""

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from repatria.crypt.derive import NONCE_SIZE, decode_base64, encode_base64, hkdf_sha256
from repatria.crypt.errors import (
    HeaderError,
    HeaderMacError,
    HeaderTooLargeError,
    TooManyStanzasError,
    UnsupportedVersionError,
)
from repatria.i18n import _

MAGIC: Final = b"age-encryption.org/"
VERSION_LINE: Final = b"age-encryption.org/v1"
MAX_HEADER_SIZE: Final = 1024 * 1024
MAX_STANZAS: Final = 1000
"""More than any ministry has custodians, few enough to try each against each identity."""
_FIRST_READ: Final = 8192
"""Holds the header for five hybrid recipients: over a long link every read costs a round trip."""
_NEXT_READ: Final = 65536
_COLUMNS: Final = 64
_MAC_LINE: Final = re.compile(rb"--- ([A-Za-z0-9+/]{43})")
_ARGUMENT: Final = re.compile(rb"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapped file key: its type, the arguments after the type, and the body."""

    type: str
    arguments: tuple[str, ...]
    body: bytes

    def serialise(self) -> bytes:
        """Return the stanza's lines; the last one is shorter than 64 columns, if need be empty."""
        text = encode_base64(self.body)
        lines = [" ".join(("->", self.type, *self.arguments))]
        lines += [text[start : start + _COLUMNS] for start in range(0, len(text) + 1, _COLUMNS)]
        return "".join(line + "\n" for line in lines).encode("ascii")


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header, not yet proven by its MAC."""

    stanzas: tuple[Stanza, ...]
    raw: bytes
    """Exactly as read, the final line feed included."""
    mac: bytes

    def verify(self, file_key: bytes) -> None:
        """Raise HeaderMacError unless whoever held `file_key` wrote just this header."""
        authenticated = self.raw[: self.raw.rindex(b"---") + 3]
        if not hmac.compare_digest(_mac(file_key, authenticated), self.mac):
            raise HeaderMacError(
                _("The header of this encrypted file was altered: its authentication code is wrong."),
                advice=_("Fetch the file again from where it was made; do not trust this copy."),
            )


@dataclass(frozen=True, slots=True)
class Head:
    """Everything before the first chunk."""

    header: Header
    nonce: bytes

    @property
    def raw(self) -> bytes:
        """The head's bytes, whose SHA-256 indexes and statements hold."""
        return self.header.raw + self.nonce

    def __len__(self) -> int:
        return len(self.header.raw) + len(self.nonce)


def _mac(file_key: bytes, authenticated: bytes) -> bytes:
    return hmac.digest(hkdf_sha256(file_key, b"", b"header"), authenticated, "sha256")


def make_header(file_key: bytes, stanzas: Sequence[Stanza]) -> bytes:
    """Return the header that carries these stanzas, the final line feed included."""
    if not stanzas:
        raise ValueError("a header without a stanza can be opened by nobody")
    if len(stanzas) > MAX_STANZAS:
        raise _too_many()
    authenticated = VERSION_LINE + b"\n" + b"".join(stanza.serialise() for stanza in stanzas) + b"---"
    header = authenticated + b" " + encode_base64(_mac(file_key, authenticated)).encode("ascii") + b"\n"
    if len(header) > MAX_HEADER_SIZE:
        raise _too_large()
    return header


def read_head(read: Callable[[int], bytes]) -> tuple[Head, bytes]:
    """Read a head; return it and what was read beyond it.

    `read(n)` gives up to `n` more bytes, nothing only at the end. HeaderError if what comes is no age file, or no head
    is complete within the bounds.
    """
    data = bytearray()
    end = None
    while end is None:
        more = read(_FIRST_READ if not data else _NEXT_READ)
        data += more
        _check_magic(data, complete=not more)
        end = _end_of_header(data)
        if end is None and len(data) > MAX_HEADER_SIZE:
            raise _too_large()
        if end is None and not more:
            raise _cut_short()
    if end > MAX_HEADER_SIZE:
        raise _too_large()
    while len(data) < end + NONCE_SIZE:
        more = read(end + NONCE_SIZE - len(data))
        if not more:
            raise _cut_short()
        data += more
    header = parse_header(bytes(data[:end]))
    rest = end + NONCE_SIZE
    return Head(header, bytes(data[end:rest])), bytes(data[rest:])


def _check_magic(data: bytearray, *, complete: bool) -> None:
    beginning = data[: len(MAGIC)]
    if not MAGIC.startswith(beginning) or (complete and len(beginning) < len(MAGIC)):
        raise HeaderError(
            _("This is not a file encrypted with age."),
            advice=_("Check that it is the right file, and that nothing was put before its first byte."),
        )


def _end_of_header(data: bytearray) -> int | None:
    """Return where the header ends, None if that is not read yet.

    No line of a stanza can start with `---`, so the first line that does is the last one.
    """
    mac_line = data.find(b"\n---")
    line_feed = data.find(b"\n", mac_line + 1) if mac_line >= 0 else -1
    return line_feed + 1 if line_feed >= 0 else None


def parse_header(raw: bytes) -> Header:
    """Return the header whose bytes are exactly `raw`; HeaderError for the least deviation from the format."""
    if not raw.endswith(b"\n"):
        raise _cut_short()
    version, *lines = raw[:-1].split(b"\n")
    if version != VERSION_LINE:
        raise _unsupported_version(version)
    if not lines or (match := _MAC_LINE.fullmatch(lines[-1])) is None:
        raise _malformed(len(lines) + 1)
    try:
        mac = decode_base64(match[1].decode("ascii"))
    except ValueError as error:
        raise _malformed(len(lines) + 1) from error
    stanzas = _parse_stanzas(lines[:-1])
    if not stanzas:
        raise _malformed(2)
    return Header(tuple(stanzas), raw, mac)


def _parse_stanzas(lines: list[bytes]) -> list[Stanza]:
    stanzas: list[Stanza] = []
    position = 0
    while position < len(lines):
        if len(stanzas) == MAX_STANZAS:
            raise _too_many()
        first = position
        arguments = lines[first].split(b" ")
        if len(arguments) < 2 or arguments[0] != b"->" or not all(map(_ARGUMENT.fullmatch, arguments)):
            raise _malformed(first + 2)
        position += 1
        while position < len(lines) and len(lines[position]) == _COLUMNS:
            position += 1
        if position == len(lines) or len(lines[position]) > _COLUMNS:
            raise _malformed(position + 2)
        position += 1
        try:
            body = decode_base64(b"".join(lines[first + 1 : position]).decode("ascii"))
        except ValueError as error:
            raise _malformed(position + 1) from error
        kind, *rest = (argument.decode("ascii") for argument in arguments[1:])
        stanzas.append(Stanza(kind, tuple(rest), body))
    return stanzas


def _malformed(line: int) -> HeaderError:
    return HeaderError(
        _("The header of this encrypted file is malformed (line {line}).").format(line=line),
        advice=_("Fetch the file again from where it was made; text mode transfers spoil it."),
    )


def _cut_short() -> HeaderError:
    return HeaderError(
        _("This encrypted file ends within its header."),
        advice=_("Fetch the file again: this copy is cut short."),
    )


def _too_large() -> HeaderTooLargeError:
    return HeaderTooLargeError(
        _("The header of this encrypted file is larger than 1 MiB; it was not read on."),
        advice=_("Encrypt to fewer recipients, or check where this file comes from."),
    )


def _too_many() -> TooManyStanzasError:
    return TooManyStanzasError(
        _("The header of this encrypted file names more than {count} recipients; none was tried.").format(
            count=MAX_STANZAS
        ),
        advice=_("Encrypt to fewer recipients, or check where this file comes from."),
    )


def _unsupported_version(line: bytes) -> HeaderError:
    if line.startswith(MAGIC) and line[len(MAGIC) :].isalnum():
        return UnsupportedVersionError(
            _("This file was encrypted with a later version of the age format ({version}).").format(
                version=line[len(MAGIC) :].decode("ascii")
            ),
            advice=_("Use a newer version of Repatria or of age to open it."),
        )
    return _malformed(1)
