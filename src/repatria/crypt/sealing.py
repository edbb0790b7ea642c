"""An age file made in memory, with every digest that a bundle keeps of it, while its payload still grows."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from repatria.crypt.derive import FILE_KEY_SIZE, NONCE_SIZE
from repatria.crypt.header import make_header
from repatria.crypt.payload import CHUNK_SIZE, Buffer, PayloadCipher, sealed_size
from repatria.crypt.recipient import Recipient, check_recipients
from repatria.memory import fresh

_RUN: Final = 16 * CHUNK_SIZE
"""Payload bytes that are encrypted and hashed at a time: few enough for a processor's cache, many enough that threads
seldom wait for each other."""


@dataclass(slots=True)
class Sealed:
    """An age file in memory, with every digest that a bundle keeps of it."""

    data: memoryview = field(repr=False)
    head_sha256: bytes
    payload_sha256: bytes
    payload_size: int
    sha256: bytes
    """Of `data`."""
    memory: memoryview = field(default=memoryview(b""), repr=False)
    """What `data` lies in: to be used again once nobody needs it any more."""


def new_head(recipients: Iterable[Recipient]) -> tuple[bytes, PayloadCipher]:
    """Return the head of a new file to `recipients`, and the cipher of its payload; every call has a fresh file key."""
    recipients = tuple(recipients)
    check_recipients(recipients)
    file_key = os.urandom(FILE_KEY_SIZE)
    nonce = os.urandom(NONCE_SIZE)
    header = make_header(file_key, [stanza for recipient in recipients for stanza in recipient.wrap(file_key)])
    return header + nonce, PayloadCipher(file_key, nonce)


class Sealing:
    """One age file under way; used by one thread.

    The payload lies in memory and becomes final from its beginning on. What is final is encrypted and hashed while the
    rest still comes, each digest in a thread of its own, since hashing takes longer than encrypting and both let other
    threads run. What was said to be final must not change: the same key would then seal two payloads. If it has to,
    this object is let go and another begun, which has another key.
    """

    def __init__(self, payload: Buffer, recipients: Iterable[Recipient], into: memoryview | None = None):
        """Begin the file of `payload`, or of its beginning (see `finish`); in `into`, if the file has room there."""
        self._payload = memoryview(payload).cast("B")
        head, self._cipher = new_head(recipients)
        whole = len(head) + sealed_size(len(self._payload))
        self._data = into if into is not None and len(into) >= whole else fresh(whole)
        self._data[: len(head)] = head
        self._head_sha256 = hashlib.sha256(head).digest()
        self._of_payload, self._of_data = _Digest(), _Digest()
        self._done = 0
        self._size = len(head)
        self._hashed = 0

    def advance(self, final: int) -> None:
        """Take in that the payload's first `final` bytes will not change any more."""
        while self._done + _RUN < final:  # the file's last chunk is not sealed before it is known to be the last
            self._seal(_RUN, last=False)

    def finish(self, size: int | None = None) -> Sealed:
        """Seal the rest of the payload, or of its first `size` bytes, and return the file."""
        size = len(self._payload) if size is None else size
        while self._done + _RUN < size:
            self._seal(_RUN, last=False)
        self._seal(size - self._done, last=True)
        return Sealed(
            self._data if len(self._data) == self._size else self._data[: self._size],
            self._head_sha256,
            self._of_payload.digest(),
            size,
            self._of_data.digest(),
            self._data,
        )

    def _seal(self, length: int, *, last: bool) -> None:
        run = self._payload[self._done : self._done + length]
        self._of_payload.update(run, more=not last)
        self._size += self._cipher.seal_into(run, self._done // CHUNK_SIZE, last, self._data[self._size :])
        self._of_data.update(self._data[self._hashed : self._size], more=not last)
        self._done += length
        self._hashed = self._size


class _Digest:
    """A SHA-256 that is taken by a thread of its own as soon as there is more than one run to hash."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None

    def update(self, run: memoryview, *, more: bool) -> None:
        """Hash a run, now or soon: it must not change meanwhile. `more`: others follow."""
        if self._thread is None:
            if not more:
                self._sha256.update(run)
                return
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._thread.submit(self._sha256.update, run)

    def digest(self) -> bytes:
        """Return the digest of all runs; nothing may be added after it."""
        if self._thread is not None:
            self._thread.shutdown()
        return self._sha256.digest()
