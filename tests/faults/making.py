"""A machine that copies at the command line from a real server over a bad link, and what then lies at the target."""

import configparser
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from repatria.bundle.chain import Chain
from repatria.crypt.identity import load_identities
from repatria.store.registry import open_store
from tests.migrate.making import write
from tests.servers import Server, answers, running

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SECONDS_OF_A_COMMAND = 240


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    out: str
    said: str


@dataclass(frozen=True)
class Site:
    """One machine: its manifest `d.toml`, a classic key `key`, and the folder `state`."""

    folder: Path
    env: Mapping[str, str]
    target: Server | None = None
    """Where the target is; None: the folder `vault`."""
    place: str = ""

    def start(self, *arguments: str, state: str = "state") -> "subprocess.Popen[str]":
        """Begin a command."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SSH_"))}
        environment |= {**self.env, "REPATRIA_STATE": str(self.folder / state), "REPATRIA_LANG": "en"}
        return subprocess.Popen(
            [sys.executable, "-m", "repatria", *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, state: str = "state") -> Ended:
        """Run a command to its end."""
        with self.start(*arguments, state=state) as process:
            out, said = process.communicate(timeout=SECONDS_OF_A_COMMAND)
            return Ended(process.returncode, out, said)

    def kill(self, process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a command, and wait for its end."""
        process.send_signal(number)
        process.communicate(timeout=SECONDS_OF_A_COMMAND)

    def held(self) -> dict[str, tuple[str, bytes]]:
        """Return what the chain at the target holds, every byte verified: SHA-256 in the index, and bytes, by path."""
        where = str(self.folder / "vault") if self.target is None else self.place
        server = self.target
        store = open_store(
            where, endpoint=server.endpoint if server else None, profile=server.profile if server else None
        )
        chain = Chain.load(store, "d", identities=load_identities(self.folder / "key", None))
        try:
            return {
                row.path: ((row.sha256 or b"").hex(), b"".join(owner.read_object(row)))
                for owner, row in chain.objects()
            }
        finally:
            chain.close()
            store.close()


Place = tuple[Server, str] | None


def make_site(folder: Path, source: Place = None, target: Place = None, *, volume_size: str = "1MiB") -> Site:
    """Write a manifest that copies one place to another; without them, the folder `abroad` to the folder `vault`."""
    env = {**(source[0].env if source else {}), **(target[0].env if target else {})}
    (folder / "d.toml").write_text(
        f'id = "d"\n[[source]]\n{_table(source, "abroad")}[target]\n{_table(target, "vault")}[encryption]\n'
        f'recipients = ["key.pub"]\n[transfer]\nvolume_size = "{volume_size}"\n'
    )
    site = Site(folder, env, *(target or ()))
    made = site.run("keys", "new", "-o", "key", "--classic", "-q")
    assert made.code == 0, made.said
    return site


def _table(place: Place, folder: str) -> str:
    if place is None:
        return f'uri = "{folder}"\n'
    lines = {"uri": place[1], "endpoint": place[0].endpoint, "profile": place[0].profile}
    return "".join(f'{name} = "{value}"\n' for name, value in lines.items() if value is not None)


def client_of(server: Server) -> "S3Client":
    """Return a client of somebody else's for a service."""
    profile = configparser.ConfigParser()
    profile.read(server.env["AWS_SHARED_CREDENTIALS_FILE"])
    keys = profile[str(server.profile)]
    return boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=server.endpoint,
        aws_access_key_id=keys["aws_access_key_id"],
        aws_secret_access_key=keys["aws_secret_access_key"],
    )


def fill(server: Server, place: str, files: Mapping[str, bytes]) -> None:
    """Put files to a place by other means than the project's own."""
    name = place.rpartition("/")[2]
    if server.endpoint is None:
        assert server.folder is not None
        write(server.folder / name, dict(files))
        return
    client = client_of(server)
    for path, data in files.items():
        client.put_object(Bucket=place.split("/")[2], Key=f"{name}/{path}", Body=data)
    client.close()


def fill_from(server: Server, place: str, file: Path) -> None:
    """Put a large file, under its own name, to a place by other means than the project's own."""
    name = place.rpartition("/")[2]
    if server.folder is not None:
        (server.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.move(file, server.folder / name / file.name)
        return
    client = client_of(server)
    client.upload_file(str(file), place.split("/")[2], f"{name}/{file.name}")
    client.close()


def sha256_of(files: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Return what an index should say of files, and their bytes."""
    return {path: (hashlib.sha256(data).hexdigest(), data) for path, data in files.items()}


def unpacked(site: Site, into: Path) -> dict[str, bytes]:
    """Verify and open the bundle in `vault` with sha256sum, ssh-keygen, age and tar alone; return its members.

    Names of objects must be their member names; parts are joined.
    """
    [bundle] = [file.parent for file in (site.folder / "vault" / "d").glob("*/statement.json")]
    into.mkdir()
    script = (
        "sha256sum -c --strict --quiet tagmanifest-sha256.txt manifest-sha256.txt\n"
        "ssh-keygen -Y check-novalidate -n repatria -s statement.json.sig <statement.json\n"
        'for volume in data/vol-*; do age -d -i "$1" "$volume" | tar -xi -C "$2"; done\n'
    )
    command: list[str | Path] = ["bash", "-eu", "-o", "pipefail", "-c", script, "-", site.folder / "key", into]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    members: dict[str, bytes] = {}
    for file in sorted(file for file in into.rglob("*") if file.is_file()):
        name = str(file.relative_to(into)).partition(".part-")[0]
        members[name] = members.get(name, b"") + file.read_bytes()
    return members


@contextmanager
def bad_link(shared: Path, near: int, far: int, log: Path, **knobs: float) -> Iterator[dict[str, float]]:
    """Put a long thin link between two ports of loopback until the block ends.

    `knobs` are the options of `wan.py`, `_` for `-`. Bytes each way and faults made are told when it has ended.
    """
    told: dict[str, float] = {}
    options = [text for name, value in knobs.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    command: list[str | Path] = [sys.executable, shared / "bench" / "wan.py", str(near), str(far), *options]
    with running(command, log, lambda: answers(near)):
        yield told
    told.update(json.loads(log.read_text().splitlines()[-1]))
