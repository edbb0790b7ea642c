"""What one lookup in an index costs: requests, and bytes, at a bucket."""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from repatria.bundle.ahead import InMemory
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.rows import MemberRow, ObjectRow, VolumeRow
from repatria.crypt.identity import generate
from repatria.crypt.seal import Sealed, seal
from repatria.crypt.seek import ByteRanges, DecryptingReader
from repatria.store.registry import open_store
from tests.servers import Server

MOST_REQUESTS, MOST_BYTES = 12, 1 << 20
IDENTITY = generate()
META = IndexMeta("archives", "20240130T200000Z-abcdef", 1, 1, 64)
VOLUMES = [VolumeRow(number, 1, bytes(32), bytes(32), 1, bytes(32)) for number in range(1, 65)]
OBJECTS = 25_000
"""A quarter of the most that an index holds: its trees have as many levels."""


def path(number: int) -> str:
    """Return a path as hospitals have them, in no order of numbers."""
    name = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
    return f"dossiers/{number % 97:04d}/{name}-compte-rendu.pdf"


def objects(count: int, longer: str = "") -> Iterator[ObjectRow]:
    for number in range(1, count + 1):
        yield ObjectRow(
            number, "", longer + path(number), "file", 8_192, bytes(32), bytes(16),
            1_700_000_000_000_000_000 + number, 0o644, "awa", "sante", version=f"8192-{number}", recognised="pdf",
        )  # fmt: skip


def sealed_index(count: int, longer: str = "") -> Sealed:
    members = (MemberRow(1 + number % 64, 512 + number * 8_704, 8_192, number, 0, 0) for number in range(1, count + 1))
    return seal(build_index(META, IndexRows(objects(count, longer), VOLUMES, members)), [IDENTITY.recipient])


@dataclass
class Counted:
    """Ranges of a file, and what was asked of them."""

    ranges: ByteRanges
    asked: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.ranges.size

    def read_at(self, offset: int, length: int) -> bytes:
        self.asked.append(length)
        return self.ranges.read_at(offset, length)


class CountingProxy:
    """Forwards connections to a server of this machine, and counts requests and the bytes that come back."""

    def __init__(self, endpoint: str) -> None:
        self._target = int(endpoint.rpartition(":")[2])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = 0
        self.bytes_back = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self.requests, self.bytes_back = 0, 0

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for way in ((client, server, self._asked), (server, client, self._answered)):
                    threading.Thread(target=self._forward, args=way, daemon=True).start()

    def _asked(self, data: bytes) -> None:
        self.requests += data.count(b"GET /") + data.count(b"HEAD /")

    def _answered(self, data: bytes) -> None:
        self.bytes_back += len(data)

    @staticmethod
    def _forward(source: socket.socket, sink: socket.socket, count: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                count(data)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def look_up(ranges: ByteRanges, head: bytes, number: int, longer: str = "") -> None:
    """Open an index, and find an object by its path with the place of its bytes."""
    index = Index(DecryptingReader(ranges, [IDENTITY], head_sha256=head))
    (found,) = index.find(longer + path(number))
    ((member, volume),) = index.members_of(found.number)
    assert (found.number, member.length, volume.number) == (number, 8_192, 1 + number % 64)
    index.close()


@pytest.mark.parametrize(
    ("count", "longer"),
    [(1, ""), (9_999, ""), (OBJECTS, ""), (OBJECTS, "y/" + "x" * 150 + "/"), (10_000, "x" * 930)],
)
def test_a_lookup_takes_few_requests_whatever_the_size(count: int, longer: str) -> None:
    sealed = sealed_index(count, longer)
    for number in {1, -(-count // 3), -(-count // 2), count}:
        counted = Counted(InMemory(sealed.data))
        look_up(counted, sealed.head_sha256, number, longer)
        assert len(counted.asked) <= MOST_REQUESTS
        assert sum(counted.asked) <= MOST_BYTES


def test_a_lookup_at_a_bucket_is_that_many_requests_on_the_wire(
    rclone_s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    rclone_s3.use(monkeypatch)
    sealed = sealed_index(OBJECTS)
    proxy = CountingProxy(str(rclone_s3.endpoint))
    store = open_store(rclone_s3.new_place(), endpoint=proxy.endpoint, profile="test")
    folder = BundleFolder(store, "d", "20240130T200000Z-abcdef")
    store.put(f"{folder.prefix}data/index-0001.db.age", [sealed.data], len(sealed.data))
    proxy.forget()
    look_up(FileRanges(folder, "data/index-0001.db.age", len(sealed.data)), sealed.head_sha256, 12_345)
    assert 0 < proxy.requests <= MOST_REQUESTS
    assert proxy.bytes_back <= MOST_BYTES + proxy.requests * 2_000  # headers of replies
    store.close()
    proxy.close()
