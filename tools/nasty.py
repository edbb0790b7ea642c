"""One batch of hostile scans: those of the shared folder, and N mutated ones, with good pages between them.

    ./run soak nasty [N] [--seed SEED]

Digitises them with the program itself and the real engine, and checks what is promised of it: the batch ends, with
code 1; every process stays below its limit of memory; every good page is read; every other file is in the archive or
is named with its reason. The random numbers start from `--seed`.
"""

import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from PIL import Image, ImageDraw, ImageFont

SHARED = Path(os.environ.get("REPATRIA_SHARED") or Path(__file__).parents[2] / "shared")
GOOD = 12
GOOD_TEXT = "La campagne de vaccination\ncontre la rougeole a commencé\nle 12 janvier 1949."
LARGEST_SEED = 300_000
"""Bytes of a file that mutated ones are made of: 500 of them shall not take a day to read."""
MOST_MEMORY = 4 << 30
"""Bytes resident of any process: the limit of address space that pages are read under."""
PATIENCE = 3 * 3600.0
OCR = ("ocr", "scans", "--to", "vault", "--id", "nasty", "-r", "key.pub", "--json")


def good_pages() -> Iterator[tuple[str, bytes]]:
    """Yield pages that must be read whatever lies beside them."""
    font = ImageFont.load_default(40)
    for number in range(GOOD):
        image = Image.new("L", (900, 500), 255)
        ImageDraw.Draw(image).text((60, 60), f"{GOOD_TEXT}\npage {number}", fill=0, font=font, spacing=30)
        buffer = io.BytesIO()
        form = ("PNG", "JPEG", "TIFF", "PDF")[number % 4]
        dates = {"creationDate": time.gmtime(0), "modDate": time.gmtime(0)} if form == "PDF" else {}
        image.save(buffer, form, dpi=(150, 150), resolution=150, **dates)
        yield f"{number * 50:04}-good.{form.lower()}", buffer.getvalue()


def mutated(seeds: list[tuple[str, bytes]], count: int, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield files that were scans: bits flipped, pieces cut, doubled, moved between them, lengths made large."""
    for number in range(count):
        name, data = chance.choice(seeds)
        other = chance.choice(seeds)[1]
        changed = bytearray(data)
        for _change in range(chance.choice((1, 1, 2, 5, 40))):
            _mutate(changed, other, chance)
        if changed == data:
            changed += b"\x00"
        yield f"{number:04}-mutated-{name}", bytes(changed)


def _mutate(data: bytearray, other: bytes, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1) if chance.random() < 0.5 else chance.randrange(min(len(data), 400) + 1)
    size = chance.choice((1, 2, 4, 16, 256, 4096))
    match chance.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at : at + size] = chance.randbytes(size)
        case 2:
            del data[at : at + size]
        case 3:
            data[at:at] = data[at : at + size]
        case 4:
            data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00"))
        case 5:
            data[at : at + size] = other[at : at + size]
        case _ if chance.random() < 0.3:
            del data[at:]
        case _:
            pass


def write_batch(folder: Path, count: int, seed: int) -> dict[str, bytes]:
    """Write the batch into a folder and return its files."""
    nasty = sorted(file for file in (SHARED / "nasty").iterdir() if file.suffix not in {".tsv", ".txt"})
    good = list(good_pages())
    seeds = [(file.name, data) for file in nasty if 0 < len(data := file.read_bytes()) <= LARGEST_SEED]
    seeds += [(name.partition("-")[2], data) for name, data in good]
    files = dict(good)
    files |= {f"{place * 20:04}-{file.name}": file.read_bytes() for place, file in enumerate(nasty)}
    files |= dict(mutated(seeds, count, random.Random(seed)))  # noqa: S311 -- not for secrets
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


def main() -> int:
    """Digitise one batch; return 0 if all was as promised."""
    parser = argparse.ArgumentParser(prog="./run soak nasty", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("count", nargs="?", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="repatria-nasty-"))
    files = write_batch(folder / "scans", arguments.count, arguments.seed)
    _tell(f"{len(files)} files, seed {arguments.seed}, in {folder}")
    faults = list(_faults(folder, files))
    for fault in faults:
        _tell(f"FAILED: {fault}")
    if faults:
        _tell(f"everything is kept in {folder}")
        return 1
    subprocess.run(["rm", "-rf", folder], check=True)
    return 0


def _faults(folder: Path, files: dict[str, bytes]) -> Iterator[str]:
    begun = time.monotonic()
    _repatria(folder, "keys", "new", "-o", "key", "-q")
    with Memory() as memory:
        code, lines = _repatria(folder, *OCR, watched=memory)
    seconds = time.monotonic() - begun
    findings = [line for line in lines if line["type"] == "finding"]
    reasons = Counter(str(finding["detail"]) for finding in findings)
    digitised = next((line for line in lines if line["type"] == "digitised"), {})
    _tell(
        f"code {code} after {seconds:.0f} s: {digitised.get('pages')} pages of {digitised.get('documents')} documents, "
        f"{len(findings)} findings; at most {memory.largest >> 20} MiB in a process, {memory.together >> 20} in all"
    )
    for reason, count in reasons.most_common(25):
        _tell(f"  {count:4}  {reason}")
    if code != 1:
        yield f"code {code} instead of 1"
    if memory.largest > MOST_MEMORY:
        yield f"{memory.largest} bytes of memory in one process"
    if any(not finding["detail"] for finding in findings):
        yield "a finding without a reason"
    named = {str(finding["path"]).removeprefix("scans/") for finding in findings}
    code, lines = _repatria(folder, "ls", "nasty", "-i", "key", "--json")
    stored = {str(line.get("path", "")) for line in lines}
    kept = {name for name in files if f"originals/scans/{name}" in stored}
    lost = set(files) - named - kept
    copies = int(str(digitised.get("copies", 0)))
    if len(lost) > copies:
        yield f"{len(lost)} files are neither in the archive nor named ({copies} copies): {sorted(lost)[:5]}"
    code, lines = _repatria(folder, "search", "rougeole", "nasty", "-i", "key", "--json", "--limit", "1000")
    found = {str(line.get("cote", "")) for line in lines if line["type"] == "hit"}
    unread = [
        name
        for name in files
        if re.fullmatch(r"[0-9]+-good[.][a-z]+", name) and not any(name.split(".")[0] in cote for cote in found)
    ]
    if unread:
        yield f"good pages cannot be found: {unread}"
    code, _lines = _repatria(folder, "verify", "nasty", "--deep", "-i", "key", "--json")
    if code not in (0, 3):
        yield f"verify ends with {code}"


class Memory:
    """Watches how much memory the processes of a session have, several times a second."""

    def __init__(self) -> None:
        self.largest = self.together = 0
        """Bytes resident: of the largest process, and of all at once."""
        self.session: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.3):
            sizes = [_resident(folder) for folder in Path("/proc").glob("[0-9]*") if self._is_watched(folder)]
            self.largest = max([self.largest, *sizes])
            self.together = max(self.together, sum(sizes))

    def _is_watched(self, process: Path) -> bool:
        try:
            return self.session is not None and os.getsid(int(process.name)) == self.session
        except OSError:
            return False


def _resident(process: Path) -> int:
    try:
        return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _repatria(folder: Path, *arguments: str, watched: Memory | None = None) -> tuple[int, list[dict[str, object]]]:
    environment = {**os.environ, "REPATRIA_STATE": str(folder / "state"), "REPATRIA_LANG": "en", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        ["repatria", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if watched is not None:
        watched.session = process.pid
    output, _nothing = process.communicate(timeout=PATIENCE)
    lines = [line for line in output.decode().splitlines() if line.startswith("{")]
    return process.returncode, [json.loads(line) for line in lines]


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
