"""A dataset of three bundles on a disk, made once; each test damages a copy of its own."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from repatria.crypt.allowed_signers import AllowedSigners
from repatria.store.local import LocalStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict
from repatria.verify.trust import Trust
from repatria.work.state import Remembered
from tests.bundle.making import DatasetMaker, directory, file, symlink

BIG = bytes(range(256)) * 10_000


@dataclass
class Dataset:
    """The dataset, and what its verifier knows."""

    root: Path
    maker: DatasetMaker

    @property
    def bundles(self) -> list[str]:
        return self.maker.bundles

    def file(self, bundle: int, path: str) -> Path:
        """Return a file of the bundle at a place in the chain."""
        return self.root / self.maker.dataset_id / self.bundles[bundle] / path

    def folder(self, bundle: int) -> Path:
        return self.file(bundle, "")

    @property
    def trust(self) -> Trust:
        return Trust(AllowedSigners.parse(self.maker.signer.key.allowed_line("senum@dakar")))

    def remembering(self, bundle: int) -> Trust:
        """Return the trust of a machine that has seen the chain up to a bundle."""
        digest = self.sha256(bundle)
        return Trust(remembered=Remembered(self.maker.signer.fingerprint, self.bundles[bundle], digest))

    def sha256(self, bundle: int) -> str:
        import hashlib

        return hashlib.sha256(self.file(bundle, "statement.json").read_bytes()).hexdigest()

    def verify(self, trust: Trust | None = None, **wishes: object) -> "Told":
        wish = Wish(identities=[self.maker.identity], **wishes)  # type: ignore[arg-type]  # wishes are Wish's own fields
        check = DatasetCheck(LocalStore(self.root), self.maker.dataset_id, trust or self.trust, wish)
        told = Told([], [])
        for each in check.run():
            if isinstance(each, BundleResult):
                told.results.append(each)
            else:
                told.verdicts.append(each)
        return told

    def make(self) -> DatasetMaker:
        """Return a maker of further bundles, of the same dataset and keys, that starts from nothing."""
        return DatasetMaker(LocalStore(self.root), identity=self.maker.identity, signer=self.maker.signer)


@dataclass
class Told:
    """What a verification told."""

    verdicts: list[Verdict]
    results: list[BundleResult]

    @property
    def findings(self) -> dict[str, str]:
        """Subject -> kind, bundle ids cut to their day."""
        return {each.subject: str(each.finding.kind) for each in self.verdicts}

    @property
    def code(self) -> int:
        from repatria.verify.report import worst_code

        return worst_code(self.verdicts)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return the dataset as it was made; not to be changed."""
    root = tmp_path_factory.mktemp("pristine")
    maker = DatasetMaker(LocalStore(root))
    maker.bundle(
        [
            file("a/b.txt", b"hello"),
            file("big", BIG),
            symlink("link", "a/b.txt"),
            directory("d/e"),
            file("a", b"in the way"),
            file("../escape", b"odd"),
            file("gone", b""),
        ],
        volumes_per_index=2,
    )
    maker.bundle([file("a/b.txt", b"changed")], gone=["gone"])
    maker.bundle([file("new", b"n" * 2000)])
    return Dataset(root, maker)


@pytest.fixture
def dataset(pristine: Dataset, tmp_path: Path) -> Dataset:
    """Return a copy to damage."""
    root = tmp_path / "coffre"
    shutil.copytree(pristine.root, root)
    return Dataset(root, pristine.maker)
