"""Archives for tests: made by the production pipeline in a folder, read back by the production reader."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from repatria.bundle.chain import Chain
from repatria.bundle.rows import DocumentRow, PageRow
from repatria.bundle.statement import DatasetFacts, SourceFacts
from repatria.crypt.identity import Identity, generate, parse_identity
from repatria.crypt.sshsig import Signer
from repatria.ocr.batch import Wishes
from repatria.ocr.digitise import Desk, DigitiseResult, digitise
from repatria.ocr.intake import scan_folders
from repatria.store.base import Store
from repatria.store.registry import open_store
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience
from repatria.work.signing import choose_signer
from repatria.work.state import StateFolder
from tests.ocr.making import FAKE

DATASET = "fonds"
FACTS = DatasetFacts(id=DATASET, title="", owner="", hosted_in="", sensitivity="unknown", legal_basis="", regulator="")
VOLUME_SIZE = 1 << 20


@dataclass(slots=True)
class Archive:
    """An archive and the machine that makes it."""

    folder: Path
    identity: Identity = field(default_factory=lambda: generate(classic=True))
    signer: Signer = field(default_factory=Signer.generate)
    target: Store | None = None

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Return the archive of a folder, its keys kept there: for several processes."""
        identity = folder / "identity"
        if not identity.exists():
            identity.write_text(generate(classic=True).secret_text())
        return cls(
            folder, parse_identity(identity.read_text()), choose_signer(None, StateFolder(folder / "state")).signer
        )

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder / "state")

    @property
    def seen_file(self) -> Path:
        return self.state.dataset(DATASET) / "scans.seen"

    @property
    def desk(self) -> Desk:
        return Desk(self.state.dataset(DATASET), self.state.key())

    def store(self) -> Store:
        if self.target is None:
            (self.folder / "vault").mkdir(exist_ok=True)
            self.target = open_store((self.folder / "vault").as_uri())
        return self.target

    @contextmanager
    def run(self, sources: Sequence[SourceFacts] = (), patience: Patience | None = None) -> Iterator[BundleRun]:
        with BundleRun.open(
            FACTS,
            self.store(),
            recipients=[self.identity.recipient],
            signer=self.signer,
            state=self.state,
            sources=sources,
            volume_size=VOLUME_SIZE,
            patience=patience,
        ) as run:
            yield run

    def digitise(self, *scans: Path, wishes: Wishes | None = None, patience: Patience | None = None) -> DigitiseResult:
        sources = scan_folders(scans)
        facts = [SourceFacts(name=source.name, uri=source.public_uri) for source in sources]
        with self.run(facts, patience) as run:
            return digitise(run, sources, wishes or Wishes(FAKE, workers=2), self.desk, patience=patience)

    @contextmanager
    def chain(self) -> Iterator[Chain]:
        chain = Chain.load(self.store(), DATASET, identities=[self.identity])
        try:
            yield chain
        finally:
            chain.close()

    def paths(self) -> list[str]:
        with self.chain() as chain:
            return sorted(row.path for _bundle, row in chain.objects())

    def read(self, path: str) -> bytes:
        with self.chain() as chain:
            found = chain.find(path)
            assert found is not None
            bundle, row = found
            return b"".join(bundle.read_object(row))

    def documents(self) -> list[DocumentRow]:
        with self.chain() as chain:
            return [row for bundle in chain.bundles for index in bundle.indexes() for row in index.documents()]

    def pages(self, document: int) -> list[PageRow]:
        with self.chain() as chain:
            return [row for bundle in chain.bundles for index in bundle.indexes() for row in index.pages(document)]
