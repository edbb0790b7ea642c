"""Reading one object at its source, whatever the link does meanwhile."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from repatria.crypt.resumable import ResumableSha256
from repatria.errors import ChangedError, FailingError, Role, ThrottledError, UnreachableError
from repatria.i18n import _
from repatria.migrate.classify import SAMPLE_SIZE
from repatria.migrate.connections import Connections
from repatria.migrate.etags import Etags
from repatria.migrate.witness import WithheldError, Witness
from repatria.model import Object, ObjectKind
from repatria.progress import SILENT, Progress
from repatria.source.base import ObjectSource
from repatria.source.checksums import RunningChecksum, running_checksum
from repatria.work.pace import Throttle
from repatria.work.patience import FAILURES_TOLD, TRANSIENT, Patience

READS_A_SECOND = 4
"""With a bandwidth, no read asks for more than comes in such a part of a second: the link carries no larger bursts."""
SMALLEST_PACED = 16 << 10
WITNESSED = 3
"""After so many failures in a row, each while others came, an object is one that its source does not give."""
WITNESSED_ASIDE = 2
"""The same of one for which its service asks for a long pause, the first time: it is tried again after all others."""
LONG_PAUSE = 5.0
"""Seconds from which on a pause is looked into at once: is everybody asked for it, or who wants this object alone?"""
REPLY_BYTES = 512
"""What the link carries with each reply beside the object's bytes, roughly; with many small objects it counts."""
_SMALL = 32 << 10
_BITE = 31 * 64
"""Bytes of a small object that are hashed at a time, in whole blocks: from 2,048 on hashlib lets other threads go
first, and with many readers getting the turn back takes many times as long as hashing."""


@dataclass(slots=True)
class Fetcher:
    """Reads objects of a dataset's sources, at the pace and with the patience of the run; from several threads."""

    sources: Mapping[str, ObjectSource]
    """By name."""
    throttle: Throttle
    patience: Patience
    progress: Progress = SILENT
    most: int | None = None
    """How many reads run at once at a source, at most; None: as many as are worth it."""
    connections: dict[str, Connections] = field(init=False)
    """By name of the source."""
    witnesses: dict[str, Witness] = field(init=False)
    """By name of the source."""
    etags: Etags = field(default_factory=Etags)
    """What has shown of the sources' ETags."""

    def __post_init__(self) -> None:
        self.connections = {
            name: Connections(min(self.most or source.reads_at_once, source.reads_at_once))
            for name, source in self.sources.items()
        }
        self.witnesses = {name: Witness(source, self.throttle.count) for name, source in self.sources.items()}

    def close(self) -> None:
        """Let reads that wait for their turn fall."""
        for connections in self.connections.values():
            connections.close()

    def range_size(self, source: str) -> int:
        """Return how many bytes a read of a source should ask for now."""
        size = self.connections[source].range_size
        rate = self.throttle.bits_per_second
        return size if rate is None else max(SMALLEST_PACED, min(size, rate // 8 // READS_A_SECOND))

    def look_again(self, source: str, told: Object) -> Object:
        """Return an object as it is now; NotFoundError if it is gone, WithheldError if it is not told of."""
        unpinned, failures = replace(told, version=""), Failures(self, source, told.path)
        while True:
            try:
                with self.sources[source].read(unpinned, 0, 0) as reading:
                    return replace(reading.object, path=told.path)
            except TRANSIENT as error:
                failures.bear(error, 0)

    def fetch(self, source: str, told: Object, start: int, length: int) -> "Fetch":
        """Return `length` bytes of an object from `start`, to be iterated over once.

        A lost link is waited for; WithheldError if others come meanwhile and this one does not, time and again.
        """
        return Fetch(self, source, told, start, length)

    def read_into(self, source: str, told: Object, start: int, into: memoryview) -> Object:
        """Fill `into` with an object's bytes from `start`; return the object as fully as the reply tells of it."""
        fetch, at = self.fetch(source, told, start, len(into)), 0
        for chunk in fetch:
            into[at : at + len(chunk)] = chunk
            at += len(chunk)
        return fetch.told


class Failures:
    """The failures of one read in a row: of the link, of the service, or of the object alone."""

    def __init__(self, fetcher: Fetcher, source: str, path: str) -> None:
        self._path = path
        self._attempt = fetcher.patience.attempt()
        self._witness = fetcher.witnesses[source]
        self._witnessed = 0
        self._is_new = not self._witness.was_put_aside(path)

    def end(self) -> None:
        """Forget them: bytes come."""
        self._attempt.succeeded()
        self._witnessed = 0

    def bear(self, error: UnreachableError | ThrottledError, length: int) -> None:
        """Wait before the next try to read `length` bytes; WithheldError if there is none to be made."""
        is_long = isinstance(error, ThrottledError) and error.pause >= LONG_PAUSE
        ask = is_long or isinstance(error, FailingError) or self._attempt.failures >= FAILURES_TOLD - 1
        comes = self._witness.ask(length, but=self._path) if ask else 0
        self._witnessed = self._witnessed + 1 if comes else 0
        enough = self._witnessed >= (WITNESSED_ASIDE if is_long and self._is_new else WITNESSED)
        is_lost = enough and not self._witness.blames(self._path, is_sure=comes >= length)
        if enough and not is_lost:
            self._witness.put_aside(self._path)
            raise WithheldError(error.message, advice=error.advice, public=error.public, role=error.role) from error
        self._attempt.pause(error, tell=is_lost or not self._witnessed)


class Fetch:
    """A read that is taken up where it broke, pinned to one version of its object."""

    def __init__(self, fetcher: Fetcher, source: str, told: Object, start: int, length: int) -> None:
        self._fetcher = fetcher
        self._source = fetcher.sources[source]
        self._witness = fetcher.witnesses[source]
        self._failures = Failures(fetcher, source, told.path)
        self._connections = fetcher.connections[source]
        self._start = start
        self._length = length
        self.told = told
        """The object as fully as the reply tells of it, once bytes have come."""

    def __iter__(self) -> Iterator[bytes]:
        fetcher, done = self._fetcher, 0
        while done < self._length:
            before = done
            fetcher.throttle.take(self._length - done + REPLY_BYTES)
            try:
                for chunk in self._chunks(done):
                    fetcher.patience.stop.raise_if_requested()
                    done += len(chunk)
                    if done > self._length:
                        raise _changed()
                    self._failures.end()
                    self._connections.carried(len(chunk))
                    fetcher.progress.advance(len(chunk))
                    yield chunk
                if done < self._length:
                    raise _changed()
            except TRANSIENT as error:
                fetcher.throttle.give_back(self._length - done)
                self._connections.troubled(error)
                if done == before:
                    self._failures.bear(error, self._length - done)
                self._connections.step_back(fetcher.patience.stop.raise_if_requested)
        self._witness.came(self.told, self._start, self._length)

    def _chunks(self, done: int) -> Iterator[bytes]:
        whole = self._start == 0 and done == 0 and self._length == self.told.size
        # A plain read of the whole, not of a range that happens to be all: some services answer ranges badly.
        asked = time.monotonic()
        reading = self._source.read(self.told, self._start + done, None if whole else self._length - done)
        answered = time.monotonic()
        self._connections.answered(answered - asked)
        with reading:
            version = self.told.version or reading.object.version
            found = reading.object
            self.told = found if found.version == version else replace(found, version=version)
            yield from reading.chunks
            self._connections.took(self._length - done, answered - asked, time.monotonic() - answered)


class Digest:
    """What is learned of an object's bytes while they pass: its SHA-256, its source's checksum, its first bytes."""

    def __init__(self, told: Object, *, in_parts: bool = False, state: bytes | None = None) -> None:
        """Begin, or go on from a kept `state`; only an object in parts needs a state that can be kept."""
        self._sha256 = _running(in_parts, state)
        self._kept: tuple[str, str] | None = None
        self.is_by_etag = False
        """Whether what is compared is an ETag that nobody promised to be an MD5."""
        self._other: RunningChecksum | None = None
        self._begun = state is not None
        self._is_file = told.kind is ObjectKind.FILE
        self._listed = told
        self._answered: tuple[str, int, int | None] | None = None
        """Version, size and time of the replies so far, where the listing told no version."""
        self.sample = b""
        """The object's first bytes, as far as this run has seen them."""
        self._sampling = state is None
        self.expect(told.checksum)

    def expect(self, kept: tuple[str, str] | None) -> None:
        """Compare with a checksum that the source keeps, if it is told before the first bytes and can be computed."""
        if kept is None or self._kept is not None or self._begun or not self._is_file:
            return
        self.is_by_etag = kept[0] == "etag"
        algorithm = "md5" if self.is_by_etag else kept[0]
        self._other = running_checksum(algorithm)
        self._kept = (algorithm, kept[1]) if algorithm == "sha256" or self._other is not None else None

    def require_one_version(self, reply: Object) -> None:
        """Take in what a reply tells of the object; ChangedError if it tells of another version than came before.

        Reads are pinned to the version that was listed. Where a listing tells none, the first reply's has to be that of
        all, and its size and time those listed: whole seconds, for a reply to HTTP tells no more.
        """
        if self._listed.version:
            return
        answered = (reply.version, reply.size, _second(reply))
        first = self._answered is None
        if answered != self._answered and not (first and _may_be(self._listed, reply)):
            raise _changed()
        self._answered = answered

    def update(self, chunk: bytes | memoryview) -> None:
        """Add bytes."""
        self._begun = True
        for bite in _bites(chunk):
            self._sha256.update(bite)
            if self._other is not None:
                self._other.update(bite)
        if self._sampling and len(self.sample) < SAMPLE_SIZE:
            self.sample += bytes(chunk[: SAMPLE_SIZE - len(self.sample)])

    def sha256(self) -> bytes:
        """Return the SHA-256 of all bytes so far."""
        return self._sha256.digest()

    def state(self) -> bytes | None:
        """Return what another run can go on from, None where that cannot be kept."""
        return self._sha256.state() if isinstance(self._sha256, ResumableSha256) else None

    def compared(self) -> str | None:
        """Return the source's checksum if it was compared and is right, None if there was nothing to compare.

        ValueError if it is wrong.
        """
        if self._kept is None:
            return None
        algorithm, expected = self._kept
        found = self.sha256().hex() if self._other is None else self._other.hexdigest()
        if found != expected.lower():
            raise ValueError(algorithm)
        return f"{algorithm}:{found}"

    def compare_nothing(self) -> None:
        """Take what the source keeps for no checksum of these bytes."""
        self._kept = None


def _bites(chunk: bytes | memoryview) -> Sequence[bytes | memoryview]:
    size = len(chunk)
    return [chunk] if size > _SMALL else [chunk[at : at + _BITE] for at in range(0, size, _BITE)]


def _running(in_parts: bool, state: bytes | None) -> "ResumableSha256 | hashlib._Hash":
    if state is not None:
        return ResumableSha256.from_state(state)
    return ResumableSha256() if in_parts else hashlib.sha256()


def _may_be(listed: Object, reply: Object) -> bool:
    """Tell whether a reply may be of the object as it was listed."""
    times = {_second(listed), _second(reply)}
    return reply.size == listed.size and (None in times or len(times) == 1)


def _second(told: Object) -> int | None:
    return None if told.mtime_ns is None else told.mtime_ns // 1_000_000_000


def _changed() -> ChangedError:
    return ChangedError(_("An object changed while it was read."), role=Role.SOURCE)
