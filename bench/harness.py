"""What the benches share: measured commands, work that a peer does too, medians and ratios.

A bench runs Repatria and its peer in turn on the same work in one run, because absolute times drift on shared
machines and ratios hold. Each line of its table is the median of at least three rounds.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import KEYS, rclone

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Measure:
    """One command, measured."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    """Of all its processes together."""
    code: int
    output: str = field(repr=False, default="")
    largest_child_mib: float = 0.0
    """The most that one process below it ever held."""


def measured(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measure:
    """Run a command to its end and say what it took, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        peak, largest = 0.0, 0.0
        spent: dict[int, float] = {}
        while process.poll() is None:
            family = list(_with_children(process.pid))
            spent |= {member: seconds for member in family if (seconds := _processor_seconds(member))}
            peak = max(peak, sum(_resident_mib(member) for member in family))
            largest = max([largest, *(_resident_mib(member, "VmHWM") for member in family[1:])])
            time.sleep(0.05)
        seconds = time.monotonic() - begun
        output.seek(0)
        text = output.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited_for = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    # Children of a fork server are waited for by nobody here: of those, what was seen last counts.
    return Measure(seconds, max(waited_for, sum(spent.values())), peak, process.returncode, text, largest)


def _with_children(process: int) -> Iterator[int]:
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:
            continue  # that thread has ended since
        for child in found:
            yield from _with_children(int(child))


def _processor_seconds(process: int) -> float:
    """Return what a process itself has spent; 0 once it has ended."""
    try:
        facts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(process: int, line: str = "VmRSS") -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = [text for text in status.splitlines() if text.startswith(line)]
    return int(found[0].split()[1]) / 1024 if found else 0.0


def write_objects(folder: Path, sizes: Sequence[int], seed: int = 1) -> int:
    """Write one file of pseudo-random bytes for each size, spread over folders; return the bytes written."""
    import random

    source = random.Random(seed)
    block = source.randbytes(8 * MIB)
    for number, size in enumerate(sizes):
        place = folder / f"d{number % 50:02d}" / f"object-{number:06d}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as stream:
            left = size
            while left > 0:
                start = source.randrange(len(block))
                piece = block[start : start + left]
                stream.write(piece)
                left -= len(piece)
    return sum(sizes)


@dataclass(slots=True)
class Work:
    """One piece of work, copied by Repatria and by rclone with the same keys, places and rules."""

    folder: Path
    source: str
    """URI of the source as the manifest has it."""
    source_endpoint: str | None
    target: str
    target_endpoint: str | None
    rclone_source: str
    """The same source in rclone's words, on the remotes `far:` (S3), `deep:` (SFTP), or a path."""
    rclone_target: str
    environment: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, str] = KEYS
    """Access key and secret of both S3 services."""

    def prepare(self) -> None:
        """Make keys, once."""
        state = self.environment_of_repatria()
        run = [sys.executable, "-m", "repatria"]
        if not (self.folder / "key").exists():
            subprocess.run(
                [*run, "keys", "new", "-o", "key", "-q"],
                cwd=self.folder,
                env={**os.environ, **state},
                check=True,
                stdout=subprocess.DEVNULL,
            )

    def environment_of_repatria(self) -> dict[str, str]:
        """Return the variables that a copy needs."""
        own = {
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "REPATRIA_STATE": str(self.folder / "state"),
        }
        return {**own, **self.environment}

    def manifest(self, dataset: str) -> Path:
        """Write the manifest of a new dataset."""
        lines = [
            f'id = "{dataset}"', f'title = "Bench {dataset}"', 'owner = "Bench"', 'hosted_in = "FR"',
            'sensitivity = "public"', 'legal_basis = "none"', 'regulator = "none"',
            "[[source]]", f'uri = "{self.source}"',
            *([f'endpoint = "{self.source_endpoint}"'] if self.source_endpoint else []),
            "[target]", f'uri = "{self.target}"',
            *([f'endpoint = "{self.target_endpoint}"'] if self.target_endpoint else []),
            "[encryption]", 'recipients = ["key.pub"]',
        ]  # fmt: skip
        manifest = self.folder / f"{dataset}.toml"
        manifest.write_text("\n".join(lines) + "\n")
        return manifest

    def copy(self, dataset: str) -> Measure:
        """Copy with Repatria into a new dataset."""
        command = [sys.executable, "-m", "repatria", "copy", str(self.manifest(dataset))]
        return measured(command, self.environment_of_repatria(), self.folder)

    def rclone(self, place: str, *flags: str) -> Measure:
        """Copy with rclone to its crypt, under `place` at the target."""
        obscured = subprocess.run([*rclone(), "obscure", "bench-password"], capture_output=True, text=True, check=True)
        sealed = {
            "RCLONE_CONFIG_SEALED_TYPE": "crypt",
            "RCLONE_CONFIG_SEALED_REMOTE": f"{self.rclone_target}/{place}",
            "RCLONE_CONFIG_SEALED_PASSWORD": obscured.stdout.strip(),
        }
        command = [*rclone(), "--config", "/dev/null", "copy", self.rclone_source, "sealed:", *flags]
        return measured(command, {**self.remotes(), **sealed, **self.environment}, self.folder)

    def fill(self, folder: Path) -> None:
        """Make both buckets, and put what lies in a folder into the source's."""
        environment = {**os.environ, **self.remotes()}
        for bucket in (self.rclone_source, self.rclone_target):
            subprocess.run([*rclone(), "--config", "/dev/null", "mkdir", bucket], env=environment, check=True)
        command = [*rclone(), "--config", "/dev/null", "copy", str(folder), self.rclone_source, "--transfers", "32"]
        subprocess.run(command, env=environment, check=True)

    def remotes(self) -> dict[str, str]:
        """Return the variables that tell rclone of the remotes `far:` and `near:`."""
        common = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ACCESS_KEY_ID": self.keys[0],
            "SECRET_ACCESS_KEY": self.keys[1],
            "FORCE_PATH_STYLE": "true",
        }
        endpoints = {"FAR": self.source_endpoint or "", "NEAR": self.target_endpoint or ""}
        told = {name: {**common, "ENDPOINT": endpoint} for name, endpoint in endpoints.items()}
        return {f"RCLONE_CONFIG_{name}_{key}": value for name, facts in told.items() for key, value in facts.items()}


def s3_to_s3(folder: Path, far: int, near: int) -> Work:
    """Return the work of copying bucket to bucket, each served on a port of loopback."""
    return Work(
        folder=folder,
        source="s3://bucket", source_endpoint=f"http://127.0.0.1:{far}",
        target="s3://bucket", target_endpoint=f"http://127.0.0.1:{near}",
        rclone_source="far:bucket", rclone_target="near:bucket",
    )  # fmt: skip


@dataclass(slots=True)
class Report:
    """Rounds of several contenders at several works, shown as a table and kept as JSON."""

    name: str
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, work: str, who: str, rounds: Sequence[Measure], size: int, link: Sequence[float] = ()) -> float:
        """Add the medians of one contender's rounds; return the median seconds."""
        failed = [measure for measure in rounds if measure.code != 0]
        if failed:
            sys.exit(f"{who} failed at {work}, code {failed[0].code}:\n{failed[0].output[-2000:]}")
        seconds = statistics.median(measure.seconds for measure in rounds)
        row: dict[str, object] = {
            "work": work, "who": who, "rounds": len(rounds), "seconds": round(seconds, 2),
            "mb_per_second": round(size / seconds / 1e6, 1),
            "cpu_seconds": round(statistics.median(measure.cpu_seconds for measure in rounds), 2),
            "peak_mib": round(max(measure.peak_mib for measure in rounds)),
        }  # fmt: skip
        if link:
            row["link_bytes_ratio"] = round(statistics.median(link) / size, 3)
        self.rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        return seconds

    def compare(self, work: str, what: str, value: float, bar: str) -> None:
        """Add a ratio beside the bar it should reach."""
        row: dict[str, object] = {"work": work, "who": what, "value": round(value, 3), "bar": bar}
        self.rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)

    def show(self) -> None:
        """Print the table, then the JSON."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        cells = [columns, *([str(row.get(column, "")) for column in columns] for row in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
        for row in cells:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        print(json.dumps({"bench": self.name, "cores": os.cpu_count(), "rows": self.rows}))


def rounds_wanted() -> int:
    """Return how many rounds to run: 3, or `$ROUNDS`."""
    return int(os.environ.get("ROUNDS", "3"))
