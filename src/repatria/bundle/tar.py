"""The tar that volumes are made of: ustar headers, pax only where ustar cannot hold a value (POSIX.1-2017, pax).

Written here and not by `tarfile`, because a planner must know the size of a header before it writes one, because names
are raw bytes, and because a reader that verifies must refuse what this writer never makes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from repatria.bundle.errors import MalformedError
from repatria.i18n import _

BLOCK = 512
END_MARKER = bytes(2 * BLOCK)
FILE, SYMLINK, DIRECTORY, PAX = b"0", b"2", b"5", b"x"
TRUE_PATH = b"REPATRIA.path"
"""The pax keyword that carries the path of an object stored under `_names/`."""
_MAGIC = b"ustar\x0000"
_PAX_LIMIT = 1 << 20
_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,20}")
_CHUNK = 1 << 20


@dataclass(slots=True)  # not frozen: one is made for each of millions of objects, and freezing costs half of the making
class Header:
    """What tar keeps of a member."""

    name: bytes
    """A directory's ends in `/`."""
    size: int = 0
    type: bytes = FILE
    mode: int = 0o644
    mtime: int = 0
    link: bytes = b""
    owner: bytes = b""
    group: bytes = b""
    true_path: bytes | None = None
    comment: bytes = b""
    """Of the pax keyword of that name, which every tar knows and passes over."""


def encode(header: Header) -> bytes:
    """Return every block that stands before the member's data."""
    prefix, name = _split(header.name) or (b"", header.name[:100])
    block = _block(header, prefix, name)
    records = _pax_records(header)
    if not records:
        return block
    body = b"".join(_pax_record(keyword, value) for keyword, value in records)
    lead = _block(Header(name=b"././@PaxHeader", size=len(body), type=PAX), b"", b"././@PaxHeader")
    return lead + body + bytes(-len(body) % BLOCK) + block


def overhead(header: Header) -> int:
    """Return the length of what `encode` returns."""
    return len(encode(header)) if _pax_records(header) else BLOCK


def padded(length: int) -> int:
    """Return `length` rounded up to whole blocks."""
    return -(-length // BLOCK) * BLOCK


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Return ustar's prefix and name fields, None if the name does not fit them."""
    if len(name) <= 100:
        return b"", name
    cut = name.find(b"/", max(len(name) - 101, 1))
    if cut == -1 or cut > 155 or cut == len(name) - 1:
        return None
    return name[:cut], name[cut + 1 :]


def _block(header: Header, prefix: bytes, name: bytes) -> bytes:
    block = bytearray(_EMPTY)
    block[: len(name)] = name
    block[100:107] = b"%07o" % (header.mode & 0o777)
    if _fits_octal(header.size):
        block[124:135] = b"%011o" % header.size
    if _fits_octal(header.mtime):
        block[136:147] = b"%011o" % header.mtime
    block[156:157] = header.type
    for start, value, width in ((157, header.link, 100), (265, header.owner, 32), (297, header.group, 32)):
        block[start : start + len(value[:width])] = value[:width]
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\x00 " % sum(block)
    return bytes(block)


def _empty() -> bytes:
    """Return the header of nothing: all that is the same in each."""
    block = bytearray(BLOCK)
    for start, width in ((100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (329, 8), (337, 8)):
        block[start : start + width] = _octal(0, width)
    block[148:156] = b" " * 8
    block[257 : 257 + len(_MAGIC)] = _MAGIC
    return bytes(block)


def _octal(number: int, width: int) -> bytes:
    return b"%0*o\x00" % (width - 1, number)


def _fits_octal(number: int) -> bool:
    return 0 <= number < 8**11


def _pax_records(header: Header) -> list[tuple[bytes, bytes]]:
    needed = []
    if _split(header.name) is None:
        needed.append((b"path", header.name))
    if len(header.link) > 100:
        needed.append((b"linkpath", header.link))
    if not _fits_octal(header.size):
        needed.append((b"size", b"%d" % header.size))
    if not _fits_octal(header.mtime):
        needed.append((b"mtime", b"%d" % header.mtime))
    if len(header.owner) > 32:
        needed.append((b"uname", header.owner))
    if len(header.group) > 32:
        needed.append((b"gname", header.group))
    if header.true_path is not None:
        needed.append((TRUE_PATH, header.true_path))
    if header.comment:
        needed.append((b"comment", header.comment))
    if any(not _is_utf8(value) for _keyword, value in needed):
        needed.insert(0, (b"hdrcharset", b"BINARY"))
    return needed


def _pax_record(keyword: bytes, value: bytes) -> bytes:
    """Return `LENGTH KEYWORD=VALUE` and a line feed, where the length counts its own digits."""
    rest = len(keyword) + len(value) + 3
    length = rest + len(str(rest))
    if rest + len(str(length)) != length:
        length += 1
    return b"%d %s=%s\n" % (length, keyword, value)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


_EMPTY = _empty()


@dataclass(frozen=True, slots=True)
class Entry:
    """One member met while walking a tar."""

    header: Header
    offset: int
    """Of its first data byte."""


@dataclass(slots=True)
class TarWalk:
    """Walks a tar strictly from its first byte to its last, the padding after the end marker included.

    For every entry that `entries` yields, `data` may be read to its end; what is left unread is read over.
    """

    stream: BinaryIO
    position: int = 0
    _left: int = field(default=0, init=False)
    _padding: int = field(default=0, init=False)

    def entries(self) -> Iterator[Entry]:
        """Yield the members in order; MalformedError for anything that the writer never makes."""
        while True:
            self._skip()
            block = self._exactly(BLOCK)
            if not any(block):
                break
            pax: Mapping[bytes, bytes] = {}
            if block[156:157] == PAX:
                pax = self._pax(block)
                block = self._exactly(BLOCK)
            header = _decode(block, pax)
            if header.type == PAX:
                raise MalformedError(_("A header of the archive inside a volume is not right."))
            self._left, self._padding = header.size, -header.size % BLOCK
            yield Entry(header, self.position)
        while chunk := self.stream.read(_CHUNK):
            self.position += len(chunk)
            if any(chunk):
                raise MalformedError(_("There are bytes after the end of the archive inside a volume."))

    def data(self) -> Iterator[bytes]:
        """Yield the bytes of the entry met last."""
        while self._left:
            chunk = self._some(min(self._left, _CHUNK))
            self._left -= len(chunk)
            yield chunk

    def _skip(self) -> None:
        for _chunk in self.data():
            pass
        if any(self._exactly(self._padding)):
            raise MalformedError(_("The padding after a member inside a volume is not zero."))
        self._padding = 0

    def _pax(self, block: bytes) -> dict[bytes, bytes]:
        lead = _decode(block, {})
        if lead.size > _PAX_LIMIT:
            raise MalformedError(_("A pax header inside a volume is too large."))
        body = self._exactly(padded(lead.size))
        return dict(_parse_pax(body[: lead.size]))

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            parts += self._some(length - len(parts))
        return bytes(parts)

    def _some(self, length: int) -> bytes:
        chunk = self.stream.read(length)
        if not chunk:
            raise MalformedError(_("The archive inside a volume ends too early."))
        self.position += len(chunk)
        return chunk


def _decode(block: bytes, pax: Mapping[bytes, bytes]) -> Header:
    checked = block[:148] + b" " * 8 + block[156:]
    if block[257:265] != _MAGIC or _number(block[148:156]) != sum(checked):
        raise MalformedError(_("A header of the archive inside a volume is not right."))
    if block[156:157] not in {FILE, SYMLINK, DIRECTORY, PAX}:
        raise MalformedError(_("The archive inside a volume holds a member of an unknown type."))
    prefix, name = _text(block[345:500]), _text(block[:100])
    header = Header(
        name=pax.get(b"path", prefix + b"/" + name if prefix else name),
        size=int(pax[b"size"]) if b"size" in pax else _number(block[124:136]),
        type=block[156:157],
        mode=_number(block[100:108]),
        mtime=int(pax[b"mtime"]) if b"mtime" in pax else _number(block[136:148]),
        link=pax.get(b"linkpath", _text(block[157:257])),
        owner=pax.get(b"uname", _text(block[265:297])),
        group=pax.get(b"gname", _text(block[297:329])),
        true_path=pax.get(TRUE_PATH),
        comment=pax.get(b"comment", b""),
    )
    if header.size < 0:
        raise MalformedError(_("A header of the archive inside a volume is not right."))
    return header


def _number(raw: bytes) -> int:
    digits = raw.rstrip(b"\x00 ")
    if not digits.isdigit() or set(digits) & set(b"89"):
        raise MalformedError(_("A header of the archive inside a volume is not right."))
    return int(digits, 8)


def _text(raw: bytes) -> bytes:
    return raw.partition(b"\x00")[0]


def _parse_pax(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    while body:
        digits, space, _rest = body.partition(b" ")
        if not space or not digits.isdigit() or len(digits) > 7 or not 5 <= int(digits) <= len(body):
            raise MalformedError(_("A pax header inside a volume is not right."))
        record, body = body[len(digits) + 1 : int(digits)], body[int(digits) :]
        keyword, equals, value = record.partition(b"=")
        numeric = keyword in {b"size", b"mtime"}
        if not equals or value[-1:] != b"\n" or (numeric and not _WHOLE_NUMBER.fullmatch(value[:-1])):
            raise MalformedError(_("A pax header inside a volume is not right."))
        yield keyword, value[:-1]
