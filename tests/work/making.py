"""Bundles made through `BundleRun` from bytes in memory, and what a reader with the key finds in the end."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repatria.bundle.chain import Chain
from repatria.bundle.rows import ObjectRow
from repatria.bundle.statement import DatasetFacts
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.identity import Identity, generate
from repatria.crypt.sshsig import Signer
from repatria.model import Finding, Object
from repatria.store.base import Store
from repatria.store.memory import MemoryStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import Verdict
from repatria.verify.trust import Trust
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience
from repatria.work.sealed_rows import VolumeContent
from repatria.work.state import StateFolder

MIB = 1 << 20
IDENTITY = generate(classic=True)
SIGNER = Signer.generate()


@dataclass
class Site:
    """One machine and one target."""

    folder: Path
    target: MemoryStore = field(default_factory=MemoryStore)
    identities: Sequence[Identity] = (IDENTITY,)
    volume_size: int = MIB
    per_volume: int = 2
    """Objects that `make` puts into a volume."""

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder)

    def open(self, **options: object) -> BundleRun:
        return BundleRun.open(
            DatasetFacts(id="d", owner="CHU"),
            self.target,
            recipients=[identity.recipient for identity in self.identities],
            signer=SIGNER,
            state=self.state,
            volume_size=self.volume_size,
            **{"patience": Patience(first_pause=0.001), **options},  # type: ignore[arg-type]  # keywords of open
        )

    def make(self, files: Mapping[str, bytes], findings: Sequence[Finding] = ()) -> str | None:
        """Bring the dataset to `files`: new and changed ones are stored, the others buried."""
        with self.open() as run:
            run.catalogue.begin_listing()
            listed = (told(path, data) for path, data in files.items())
            new = [each for each, same in run.catalogue.compared(listed) if not same]
            for start in range(0, len(new), self.per_volume):
                store_all(run, [(each, files[each.path]) for each in new[start : start + self.per_volume]])
                run.publish_if_due()
            run.bury_all(run.catalogue.unseen())
            return run.finish(findings)

    def read(self, bundle: str | None = None) -> dict[str, bytes]:
        """Return what the chain holds, every byte verified."""
        return read_chain(self.target, bundle)


def told(path: str, data: bytes) -> Object:
    return Object(path, len(data), version=hashlib.md5(data, usedforsecurity=False).hexdigest())


def store_all(run: BundleRun, objects: Sequence[tuple[Object, bytes]], *, last: bool = True) -> int:
    """Store whole objects in one volume."""
    volume = run.volumes.volume()
    rows, members = [], []
    for each, data in objects:
        number = run.next_object_number()
        volume.begin(each, run.volumes.member_name(each.path, number), number=number)
        volume.write(data)
        members.append(volume.end())
        digest = hashlib.sha256(data).digest()
        rows.append(ObjectRow.of(each, number=number, source="", sha256=digest, salt=os.urandom(16)))
    return run.volumes.store(volume, VolumeContent(rows, members), last=last)


def read_chain(target: Store, bundle: str | None = None) -> dict[str, bytes]:
    chain = Chain.load(target, "d", bundle, [IDENTITY])
    try:
        return {row.path: b"".join(owner.read_object(row)) for owner, row in chain.objects()}
    finally:
        chain.close()


def verify(target: Store, folder: Path, dataset: str = "d", identity: Identity = IDENTITY) -> list[str]:
    """Return what a deep verification of the whole chain finds wrong, signer and head included."""
    trust = Trust(
        own=AllowedSigners.parse(f"own {SIGNER.public_line()}"), remembered=StateFolder(folder).remembered(dataset)
    )
    check = DatasetCheck(target, dataset, trust, Wish(deep=True, identities=[identity]))
    return [f"{each.subject}: {each.finding.detail}" for each in check.run() if isinstance(each, Verdict)]


class PowerCutError(BaseException):
    """Everything ends here, as when the power fails; no handler of the program may catch it."""
