"""Encrypting and decrypting whole age files: in memory for volumes and indexes, as streams of any length."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from repatria.crypt.armor import BEGIN, ArmorReader, ArmorWriter, Readable, Writable, looks_armored
from repatria.crypt.errors import PayloadError, TrailingDataError, TruncatedError
from repatria.crypt.header import MAGIC, read_head
from repatria.crypt.payload import CHUNK_SIZE, SEALED_CHUNK_SIZE, Buffer, PayloadCipher, truncated
from repatria.crypt.recipient import Recipient
from repatria.crypt.sealing import Sealed, Sealing, new_head
from repatria.crypt.unwrap import Identity, unwrap_file_key

__all__ = ["Sealed", "decrypt_stream", "encrypt_stream", "is_encrypted", "new_head", "seal"]

_RUN: Final = 16
"""Chunks of a stream handled at a time: 1 MiB, small enough for a processor's cache."""
_AT_ONCE: Final = 2
"""Runs that are encrypted, or decrypted, side by side while the one before is written and the next is read."""

_T = TypeVar("_T")


def seal(payload: Buffer, recipients: Iterable[Recipient], into: memoryview | None = None) -> Sealed:
    """Encrypt a payload that is whole in memory, and hash it before and after.

    `into` is the `data` of an earlier call that nobody needs any more: if there is room it is written over.
    """
    return Sealing(payload, recipients, into).finish()


def _runs(source: Readable, size: int, beginning: bytes = b"") -> Iterator[tuple[memoryview, bool]]:
    """Cut a stream into runs of `size` bytes; the last one, told by the flag, may be shorter, or empty if all is."""
    run = _read_fully(source, size, beginning)
    while True:
        following = _read_fully(source, size, run[size:]) if len(run) >= size else b""
        yield memoryview(run)[:size], not following
        if not following:
            return
        run = following


def _read_fully(source: Readable, size: int, beginning: bytes = b"") -> bytes:
    """Read until there are `size` bytes or the stream ends, `beginning` included (which may be longer)."""
    parts = [beginning] if beginning else []
    missing = size - len(beginning)
    while missing > 0 and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _side_by_side(work: Callable[[memoryview, int, bool], _T], runs: Iterable[tuple[memoryview, bool]]) -> Iterator[_T]:
    """Yield what `work` makes of each run, its number and whether it is the last; in order, a few at once."""
    under_way: deque[Future[_T]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="stream") as pool:
        for number, (run, last) in enumerate(runs):
            if len(under_way) == _AT_ONCE:
                yield under_way.popleft().result()
            under_way.append(pool.submit(work, run, number, last))
        while under_way:
            yield under_way.popleft().result()


def encrypt_stream(source: Readable, sink: Writable, recipients: Iterable[Recipient], armor: bool = False) -> None:
    """Encrypt a stream of any length in constant memory; neither end is closed."""
    head, cipher = new_head(recipients)
    armored = ArmorWriter(sink) if armor else None
    write = armored.write if armored else sink.write
    buffers = [memoryview(bytearray(_RUN * SEALED_CHUNK_SIZE)) for _each in range(_AT_ONCE + 1)]

    def seal_run(run: memoryview, number: int, last: bool) -> memoryview:
        sealed = buffers[number % len(buffers)]
        return sealed[: cipher.seal_into(run, number * _RUN, last, sealed)]

    write(head)
    for sealed in _side_by_side(seal_run, _runs(source, _RUN * CHUNK_SIZE)):
        write(sealed)
    if armored:
        armored.close()


def is_encrypted(beginning: bytes) -> bool:
    """Tell by a file's first bytes whether it is an age file, armored or not."""
    return beginning.startswith(MAGIC) or beginning.lstrip().startswith(BEGIN)


def decrypt_stream(source: Readable, sink: Writable, identities: Iterable[Identity]) -> None:
    """Decrypt a stream of any length in constant memory, armored or not; neither end is closed.

    Every byte written was authenticated, but only a return without an error says that it was all: until then the
    output may be a truncated file.
    """
    beginning = _read_fully(source, len(MAGIC))
    plain = _Rest(beginning, source)
    opened: Readable = plain if beginning == MAGIC or not looks_armored(plain.peek()) else ArmorReader(plain)
    head, rest = read_head(opened.read)
    cipher = PayloadCipher(unwrap_file_key(head.header, identities), head.nonce)

    def open_run(run: memoryview, number: int, last: bool) -> _Opened:
        return _open_run(cipher, run, number * _RUN, last)

    for each in _side_by_side(open_run, _runs(opened, _RUN * SEALED_CHUNK_SIZE, rest)):
        for chunk in each.chunks:
            sink.write(chunk)
        if each.error is not None:
            raise each.error


@dataclass(slots=True)
class _Opened:
    """What was authenticated of a run, and why not all of it was."""

    chunks: list[bytes] = field(default_factory=list)
    error: PayloadError | None = None


def _open_run(cipher: PayloadCipher, run: memoryview, number: int, last: bool) -> _Opened:
    """Open the chunks of a run, the first of which has this number."""
    opened = _Opened()
    if not run:
        opened.error = truncated()
    for start in range(0, len(run), SEALED_CHUNK_SIZE):
        sealed = run[start : start + SEALED_CHUNK_SIZE]
        final = last and start + len(sealed) == len(run)
        try:
            opened.chunks.append(cipher.open_chunk(sealed, number, final))
        except PayloadError as error:
            opened.error = error
            if isinstance(error, TruncatedError | TrailingDataError) and len(sealed) == SEALED_CHUNK_SIZE:
                # itself right; what follows, or does not, is wrong
                opened.chunks.append(cipher.open_chunk(sealed, number, not final))
            break
        number += 1
    return opened


class _Rest:
    """A source whose first bytes were read already."""

    _PEEK: Final = 2048

    def __init__(self, beginning: bytes, source: Readable) -> None:
        self._beginning = beginning
        self._source = source

    def peek(self) -> bytes:
        self._beginning = _read_fully(self._source, self._PEEK, self._beginning)
        return self._beginning

    def read(self, size: int, /) -> bytes:
        if self._beginning:
            data, self._beginning = self._beginning[:size], self._beginning[size:]
            return data
        return self._source.read(size)
