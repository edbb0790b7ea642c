"""The bytes of a reply, taken up again where they break off."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from repatria.errors import StoreError, UnreachableError

if TYPE_CHECKING:
    from botocore.response import StreamingBody

CHUNK = 1 << 20
"""Bytes read at a time."""
PATIENCE = 5
"""How often a reply that breaks off is taken up again without one new byte."""


class ResumingBody:
    """The bytes of one object in `span`; `reopen` asks for them from an offset on, pinned to the same version."""

    def __init__(
        self,
        body: "StreamingBody",
        span: range,
        reopen: "Callable[[int], StreamingBody]",
        lost: Callable[[BaseException | None], StoreError],
    ) -> None:
        self._body: StreamingBody | None = body
        self._at = span.start
        self._stop = span.stop
        self._reopen = reopen
        self._lost = lost
        self._tries = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while self._at < self._stop:
            chunk = self._read()
            if chunk:
                self._at += len(chunk)
                self._tries = 0
                return chunk
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Let go of the connection; one that was not read to its end is not used again."""
        if self._body is not None:
            self._body.close()
        self._body = None
        self._stop = self._at

    def _read(self) -> bytes:
        """Read a chunk; nothing if the reply broke off and a new one was asked for."""
        failure: BaseException | None = None
        if self._body is not None:
            try:
                chunk: bytes = self._body.read(min(CHUNK, self._stop - self._at))
            except (BotoCoreError, OSError) as error:
                failure = error
            else:
                if chunk:
                    return chunk
            self._body.close()
            self._body = None
        self._tries += 1
        if self._tries > PATIENCE:
            raise self._lost(failure)
        time.sleep(0.1 * 2**self._tries)
        with contextlib.suppress(UnreachableError):
            self._body = self._reopen(self._at)
        return b""
