"""`./run soak [MINUTES]`: copies that are killed again and again, and what came of them.

In every round the source changes a little, `repatria copy` is killed (power cut, or SIGTERM) at random moments until
it ends by itself, then the bundle is verified with the key, restored, and compared with the source byte for byte. It
stops at the first difference, and keeps the folder. The random numbers start from `--seed`.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from demo.compare import differences
from demo.hospital import build_hospital

MEBIBYTE = 1 << 20
BANDWIDTH = "60mbit"
"""Slow enough that most copies are killed."""

PATIENCE = 300.0
"""Seconds after which a copy that nobody killed counts as stuck."""

MANIFEST = """\
id = "soak"
[[source]]
uri = "source"
[target]
uri = "target"
[encryption]
recipients = ["key.pub"]
[transfer]
volume_size = "1MiB"
"""


class SoakError(Exception):
    """Something is not as it must be."""


class Round:
    """The folder in which rounds follow each other."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.counts: Counter[str] = Counter()
        self._chance = chance
        self._environment = {**os.environ, "REPATRIA_STATE": str(folder / "state"), "REPATRIA_LANG": "en"}

    def prepare(self) -> None:
        """Make keys, manifest and source."""
        self.source.mkdir()
        build_hospital(self.source, 24 * MEBIBYTE)
        (self.folder / "soak.toml").write_text(MANIFEST, encoding="utf-8")
        self._repatria("keys", "new", "-o", "key", "-q")

    def play(self) -> None:
        """Change the source, copy through all interruptions, verify, restore, compare."""
        self._change_source()
        while not self._copy_until_something_happens():
            pass
        self._repatria("verify", "soak", "--deep", "-i", "key")
        restored = self.folder / f"restored-{self.counts['rounds']}"
        self._repatria("restore", "soak", str(restored), "-i", "key")
        different = list(differences(self.source, restored))
        if different:
            raise SoakError(f"{len(different)} differences, the first: {different[0]!r}")
        subprocess.run(["rm", "-rf", restored], check=True)
        self.counts["rounds"] += 1

    def _change_source(self) -> None:
        """Rewrite, add and remove a few files, one of them larger than a volume."""
        files = sorted(file for file in self.source.rglob("*") if file.is_file() and not file.is_symlink())
        for file in self._chance.sample(files, 5):
            file.write_bytes(self._chance.randbytes(self._chance.randrange(100_000)))
        self._chance.choice(files).unlink()
        added = self.source / f"added-{self._chance.randrange(4)}"
        added.write_bytes(self._chance.randbytes(self._chance.randrange(4 * MEBIBYTE, 16 * MEBIBYTE)))

    def _copy_until_something_happens(self) -> bool:
        """Start a copy, kill it after a random while; tell whether it came to its end."""
        process = subprocess.Popen(
            ["repatria", "copy", "soak.toml", "--bandwidth", BANDWIDTH],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        harshly = self._chance.random() < 0.7
        try:
            _output, said = process.communicate(timeout=self._chance.expovariate(0.7) + 0.3)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL if harshly else signal.SIGTERM)
            _output, said = process.communicate(timeout=PATIENCE)
            self.counts["killed" if harshly else "asked to stop"] += 1
            if process.returncode not in {0, 8, -signal.SIGKILL, -signal.SIGTERM}:
                raise SoakError(f"copy ended with {process.returncode}: {said.decode()}") from None
            return process.returncode == 0
        if process.returncode:
            raise SoakError(f"copy ended with {process.returncode}: {said.decode()}")
        return True

    def _repatria(self, *arguments: str) -> None:
        done = subprocess.run(
            ["repatria", *arguments], cwd=self.folder, env=self._environment, capture_output=True, check=False
        )
        if done.returncode:
            raise SoakError(f"{arguments[0]} ended with {done.returncode}: {done.stderr.decode()}")


def main() -> int:
    """Play rounds until the time is over; return 0 if all were well."""
    parser = argparse.ArgumentParser(prog="./run soak", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("minutes", nargs="?", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="repatria-soak-"))
    rounds = Round(folder, random.Random(arguments.seed))  # noqa: S311 -- not for secrets
    end = time.monotonic() + 60 * arguments.minutes
    _tell(f"seed {arguments.seed}, in {folder}")
    try:
        rounds.prepare()
        while time.monotonic() < end:
            rounds.play()
            _tell(", ".join(f"{count} {what}" for what, count in rounds.counts.items()))
    except SoakError as error:
        _tell(f"FAILED: {error}")
        _tell(f"everything is kept in {folder}; again with --seed {arguments.seed}")
        return 1
    subprocess.run(["rm", "-rf", folder], check=True)
    return 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
