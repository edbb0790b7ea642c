"""Searching an archive of 100,000 pages, by ranges: `./run bench search [PAGES]`, from a disk and from S3 on loopback.

One index of 5,000 pages, the most that a writer puts into one, is made and stored as often as it takes: what a query
costs depends on the words' frequencies and on the number of indexes, not on which pages hold them. Words are drawn by
Zipf's law, as in any language. Each query is asked of indexes that were just opened, so nothing is in memory.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.harness import MIB, Report
from bench.index import Counted
from bench.servers import KEYS, s3_server
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.rows import DocumentRow, PageRow
from repatria.crypt.identity import generate
from repatria.crypt.seal import Sealed, seal
from repatria.crypt.seek import ByteRanges, DecryptingReader
from repatria.ocr.at_once import at_once
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.document_rows import description_row
from repatria.ocr.folding import indexed_grams, indexed_stems
from repatria.ocr.query import parse_query
from repatria.ocr.search import search
from repatria.store.base import Store
from repatria.store.registry import open_store
from repatria.work.publishing import LIMITS

WORDS_A_PAGE = 400
VOCABULARY = 40_000
DOSSIER = 250
"""Pages, each a scan of its own."""
TEXTS = 1_000
"""Pages that differ; their words' forms are costly to make."""
IDENTITY = generate()
META = IndexMeta("bench", "20240130T200000Z-abcdef", 1, 1, 1)
SYLLABLES = ("ba", "co", "di", "fe", "ga", "lou", "mi", "nou", "pe", "ri", "sa", "tou", "va", "ché", "pla", "dra")
QUERIES = {
    "a rare word": "unique",
    "a word of every page": "de",
    "a common word and a rare one": "de unique",
    "a phrase": '"de unique"',
    "a word with a wrong letter": "singulierement",
    "a word of a title": "khombole",
    "a common word and one of a title": "de khombole",
    "a rare word and one of many titles": "unique dossier",
    "nothing": "introuvable",
}


def texts() -> list[str]:
    """Return pages of words drawn by Zipf's law; the first holds the rare words."""
    vocabulary = ["de", *("".join(random.choices(SYLLABLES, k=random.randint(2, 5))) for _word in range(VOCABULARY))]
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    found = [" ".join(random.choices(vocabulary, weights, k=WORDS_A_PAGE)) for _page in range(TEXTS)]
    return [f"{found[0]} de unique singulièrement", *found]


def shard() -> bytes:
    """Return an index of as many pages as one may hold."""
    pages: list[PageRow] = []
    documents: list[DocumentRow] = []
    forms = [(text, indexed_stems(text, ("fra",)), indexed_grams(text)) for text in texts()]
    for number in range(1, LIMITS.pages + 1):
        dossier = f"fonds/3F{number // DOSSIER}"
        text, stems, grams = forms[number % TEXTS + 1 if number > 1 else 0]
        pages.append(PageRow(number, 1, 2480, 3508, 300.0, 0, WORDS_A_PAGE, 90.0, "[]", text, stems, grams))
        cote, said = f"{dossier}/{number:04}", f"{number:04}"
        documents.append(
            DocumentRow(
                number, cote, dossier, "titre", "1949", "{}", 1, 2, 3, 4, 1, "fra", 90.0, f"3 F {number // DOSSIER}",
                said, "", said,
            )
        )  # fmt: skip
    lines = [f"3 F {line};{'Maternité de Khombole' if line == 3 else f'Dossier {line}'}" for line in range(20)]
    rows = parse_bordereau("\n".join(["Cote;Intitulé", *lines]).encode()).entries
    described = [description_row(LIMITS.pages + place, entry) for place, entry in enumerate(rows, 1)]
    return build_index(META, IndexRows(documents=documents, pages=pages, descriptions=described))


@dataclass(frozen=True, slots=True)
class Away:
    """Ranges of a file that take longer to come."""

    ranges: ByteRanges
    seconds: float

    @property
    def size(self) -> int:
        """As the file's."""
        return self.ranges.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Wait, and read."""
        time.sleep(self.seconds)
        return self.ranges.read_at(offset, length)


@dataclass
class Shelf:
    """Stands for a chain of bundles: its indexes, opened as the reader of a bundle opens them."""

    store: Store
    sealed: Sealed
    count: int
    away: float = 0.0
    """Seconds that every request takes more than it does here."""
    kind: str = "full"
    asked: list[Counted] = field(default_factory=list)
    opened: list[Index] = field(default_factory=list)

    @property
    def bundles(self) -> Sequence[Any]:
        """One bundle: itself."""
        return [self]

    @property
    def statement(self) -> Any:
        """Its kind is all that a search asks."""
        return self

    dataset_id, bundle_id = META.dataset, META.bundle

    def put(self) -> None:
        """Store the index as often as it takes."""
        for number in range(self.count):
            self.store.put(self._name(number), [self.sealed.data], len(self.sealed.data))

    def indexes(self) -> list[Index]:
        """Open every index, once."""
        if not self.opened:
            self.opened = at_once(self._open, range(self.count))
        return self.opened

    def _open(self, number: int) -> Index:
        folder = BundleFolder(self.store, META.dataset, META.bundle)
        ranges = FileRanges(folder, f"data/{number:04}", len(self.sealed.data))
        counted = Counted(Away(ranges, self.away))
        self.asked.append(counted)
        return Index(DecryptingReader(counted, [IDENTITY], head_sha256=self.sealed.head_sha256))

    def close(self) -> None:
        """Forget everything."""
        for index in self.opened:
            index.close()
        self.opened, self.asked = [], []

    def _name(self, number: int) -> str:
        return f"{META.dataset}/{META.bundle}/data/{number:04}"


def case(report: Report, where: str, shelf: Shelf) -> None:
    """Ask every query of indexes just opened."""
    if not shelf.away:
        shelf.put()
    for work, query in QUERIES.items():
        times = []
        for _round in range(3):
            shelf.close()
            begun = time.monotonic()
            shelf.indexes()
            opening = time.monotonic() - begun
            hits = search([shelf], parse_query(query), 20)  # type: ignore[list-item]  # stands for a chain
            times.append(time.monotonic() - begun)
        row = f"{where}: {work}"
        asked = [length for counted in shelf.asked for length in counted.asked]
        report.compare(row, "hits", len(hits), "")
        report.compare(row, "seconds, median, opening included", statistics.median(times), "< 5")
        report.compare(row, "seconds to open", opening, "")
        report.compare(row, "requests", len(asked), "")
        report.compare(row, "MiB read", sum(asked) / MIB, "")
    shelf.close()


def main() -> None:
    """Measure both stores."""
    report = Report("search")
    os.environ |= {"AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1], "AWS_DEFAULT_REGION": "us-east-1"}
    random.seed(20240130)
    count = -(-int(sys.argv[1] if sys.argv[1:] else 100_000) // LIMITS.pages)
    begun = time.monotonic()
    sealed = seal(shard(), [IDENTITY.recipient])
    report.compare("one index", "MiB", len(sealed.data) / MIB, "")
    report.compare("one index", "seconds to build, words and all", time.monotonic() - begun, "")
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        (Path(scratch) / "bucket").mkdir()
        with closing(open_store(Path(scratch, "local").as_uri())) as store:
            case(report, "disk", Shelf(store, sealed, count))
        with (
            s3_server(Path(scratch)) as port,
            closing(open_store("s3://bucket/x", endpoint=f"http://127.0.0.1:{port}")) as store,
        ):
            case(report, "S3", Shelf(store, sealed, count))
            case(report, "S3, 50 ms away", Shelf(store, sealed, count, away=0.05))
    report.show()


if __name__ == "__main__":
    main()
