#!/usr/bin/env python3
"""How fast age files are written and read: this project's codec against its bare cipher, and against age(1).

    ./run bench crypt [--size MIB] [--rounds N] [--folder DIR] [--json FILE]

One GiB in memory (/dev/shm), every contender once a round, the median of the rounds. The bare loop is what the cipher
alone costs in Python: ChaCha20-Poly1305 over chunks of 64 KiB into one small buffer that never leaves the processor's
cache; no format can be faster. "To nowhere" is /dev/null: on some machines the pages of a new file cost more than its
encryption. A virtual machine's first use of memory, after a while without, costs seconds a GiB: every other round goes
through the contenders backwards, so that the one before does not always pay for the one after. Ratios are to age(1),
started as a program, like `repatria`; absolute figures drift.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: TID251 -- the bare loop is its

from repatria.crypt.identity import Identity, generate
from repatria.crypt.key_files import identity_text
from repatria.crypt.payload import CHUNK_SIZE, SEALED_CHUNK_SIZE, sealed_size
from repatria.crypt.seal import decrypt_stream, encrypt_stream, new_head, seal
from repatria.crypt.seek import DecryptingReader

MIB = 1 << 20
VOLUME = 64 * MIB
NOWHERE = Path("/dev/null")
BASE = "age, to nowhere"
"""The line that ratios are to."""


class Bench:
    """The input, the keys, and every way of working on them."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.identity: Identity = generate(classic=True)  # what Debian's age knows
        self.plain, self.sealed, self.output = folder / "plain", folder / "sealed.age", folder / "output"
        self.key = folder / "key"
        self.key.write_text(identity_text([self.identity]), encoding="ascii")
        self.key.chmod(0o600)
        block = os.urandom(16 * MIB)
        self.volumes = [bytearray(block * (VOLUME // len(block))) for _start in range(0, size, VOLUME)]
        with self.plain.open("wb") as file:
            file.writelines(self.volumes)
        self.given = folder / "given.age"
        with self.plain.open("rb") as source, self.given.open("wb") as sink:
            encrypt_stream(source, sink, [self.identity.recipient])

    def bare_loop(self) -> None:
        """Encrypt chunk after chunk and keep nothing."""
        encrypt_into = ChaCha20Poly1305(bytes(32)).encrypt_into
        sealed, nonce = bytearray(SEALED_CHUNK_SIZE), bytes(12)
        for volume in self.volumes:
            view = memoryview(volume)
            for start in range(0, len(view), CHUNK_SIZE):
                encrypt_into(nonce, view[start : start + CHUNK_SIZE], None, sealed)

    def encryption_alone(self) -> None:
        """Encrypt volumes into a buffer in memory, without digests."""
        sealed = memoryview(bytearray(sealed_size(VOLUME)))
        for volume in self.volumes:
            _head, cipher = new_head([self.identity.recipient])
            cipher.seal_into(memoryview(volume), 0, True, sealed)

    def seal_fresh(self) -> None:
        """Seal volumes with both digests, each into memory of its own."""
        for volume in self.volumes:
            seal(volume, [self.identity.recipient])

    def seal_again(self) -> None:
        """Seal volumes with both digests, each into the buffer of the one before."""
        buffer = None
        for volume in self.volumes:
            buffer = seal(volume, [self.identity.recipient], buffer).data

    def seal_files(self) -> None:
        """Seal a file into another with both digests, as a copy does: a volume is written while the next is sealed."""
        block, buffers = memoryview(bytearray(VOLUME)), deque[memoryview | None]([None, None])
        with self.plain.open("rb") as source, self.output.open("wb", 0) as sink, ThreadPoolExecutor(1) as hand:
            written: Future[int] | None = None
            while length := source.readinto(block):
                sealed = seal(block[:length], [self.identity.recipient], buffers.popleft()).data
                buffers.append(sealed)
                if written is not None:
                    written.result()
                written = hand.submit(sink.write, sealed)

    def digest(self) -> None:
        """Hash the input once: what each of a volume's two digests costs by itself."""
        for volume in self.volumes:
            hashlib.sha256(volume).digest()

    def encrypt_stream(self) -> None:
        """Encrypt a file in this process."""
        with self.plain.open("rb") as source, NOWHERE.open("wb") as sink:
            encrypt_stream(source, sink, [self.identity.recipient])

    def decrypt_stream(self) -> None:
        """Decrypt a file in this process."""
        with self.given.open("rb") as source, NOWHERE.open("wb") as sink:
            decrypt_stream(source, sink, [self.identity])

    def read_seeking(self) -> None:
        """Read the whole payload through the seeking reader, 4 MiB at a time."""
        with self.given.open("rb") as file:
            reader = DecryptingReader(_FileRanges(file.fileno(), self.given.stat().st_size), [self.identity])
            for start in range(0, reader.payload_size, 4 * MIB):
                reader.read_at(start, 4 * MIB)

    def contenders(self) -> dict[str, Callable[[], object]]:
        """Name every way of working, in the order of the table."""
        recipient, given, plain = str(self.identity.recipient), self.given, self.plain
        programs = {"repatria": [[sys.executable, "-m", "repatria", verb] for verb in ("encrypt", "decrypt")]}
        if shutil.which("age"):
            programs["age"] = [["age"], ["age", "-d"]]
        named: dict[str, Callable[[], object]] = {
            "bare cipher loop": self.bare_loop,
            "encryption alone, in memory": self.encryption_alone,
            "SHA-256 alone, one thread": self.digest,
            "seal: encryption and both digests": self.seal_fresh,
            "seal into the buffer before": self.seal_again,
            "seal with both digests, file to file": self.seal_files,
            "encrypt_stream, to nowhere": self.encrypt_stream,
        }
        for name, (encrypt, _decrypt) in programs.items():
            for place, output in (("nowhere", NOWHERE), ("a file", self.sealed)):
                command = [*encrypt, "-r", recipient, "-o", str(output), str(plain)]
                named[f"{name}, to {place}"] = partial(subprocess.run, command, check=True)
        named["seeking reader, 4 MiB reads"] = self.read_seeking
        named["decrypt_stream, to nowhere"] = self.decrypt_stream
        for name, (_encrypt, decrypt) in programs.items():
            for place, output in (("nowhere", NOWHERE), ("a file", self.output)):
                command = [*decrypt, "-i", str(self.key), "-o", str(output), str(given)]
                named[f"{name} decrypting, to {place}"] = partial(subprocess.run, command, check=True)
        return named


class _FileRanges:
    """A file of this machine by ranges."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


def measure(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """Run every contender once a round; return their seconds."""
    contenders = bench.contenders()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, work in list(contenders.items())[:: -1 if number % 2 else 1]:
            begun = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - begun)
            for leftover in (bench.sealed, bench.output):
                leftover.unlink(missing_ok=True)
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return seconds


def show(seconds: dict[str, list[float]], size: int) -> list[dict[str, object]]:
    """Print the table and return its rows."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = medians.get(BASE)
    rows: list[dict[str, object]] = []
    print(f"{'':36} {'seconds':>8} {'MB/s':>7} {'to age':>7}")
    for name, median in medians.items():
        ratio = base / median if base else None
        rows.append({"name": name, "seconds": seconds[name], "median": median, "mb_per_second": size / median / 1e6})
        rows[-1]["times_as_fast_as_age"] = ratio
        print(f"{name:36} {median:8.3f} {size / median / 1e6:7.0f} {f'{ratio:.2f}' if ratio else '-':>7}")
    return rows


def main() -> None:
    """Measure, print, and keep the JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="input size, a multiple of 64")
    parser.add_argument("--rounds", type=int, default=4, help="an even number is fair to all")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where files lie while measuring")  # noqa: S108 -- memory is the point
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds there too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="repatria-bench-") as folder:
        bench = Bench(Path(folder), given.size * MIB)
        rows = show(measure(bench, given.rounds), bench.size)
    if given.json:
        given.json.write_text(json.dumps({"size": given.size * MIB, "cores": os.cpu_count(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
