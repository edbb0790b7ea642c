"""Verifies a bag that others made (BagIt 0.97, 1.0): nobody signed it, so it is checked against accident."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from repatria.bundle import bagit, layout
from repatria.bundle.errors import AlteredError, MalformedError
from repatria.errors import ChangedError, NotFoundError, RefusedError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.verify.bag_rules import BAG_INFO_NAMES, Bag, FileToRead, plan_check
from repatria.verify.fixity import WORKERS, in_order, judged
from repatria.verify.report import Verdict, unverifiable, worst_code


@dataclass(slots=True)
class BagResult:
    """What was verified of a bag."""

    version: str = ""
    encoding: str = ""
    algorithms: tuple[str, ...] = ()
    """Those of its payload manifests, known here."""
    files: int = 0
    """Payload files that are there, and how many `bytes` they have."""
    bytes: int = 0
    files_read: int = 0
    """Payload files that were read and hashed."""
    weak: int = 0
    """How many of them only MD5 or SHA-1 guards."""
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The worst code of the verdicts."""
        return worst_code(self.verdicts)


def is_foreign_bag(store: Store) -> bool:
    """Return whether the store's root is a bag that is no bundle of ours: `bagit.txt` and no statement."""
    try:
        store.stat(layout.BAGIT)
    except (NotFoundError, RefusedError):
        return False
    try:
        store.stat(layout.STATEMENT)
    except NotFoundError:
        return True
    return False


@dataclass(slots=True)
class BagCheck:
    """One verification of the bag at a store's root; `run` may be called once."""

    store: Store
    progress: Progress = SILENT
    workers: int = WORKERS
    result: BagResult = field(default_factory=BagResult)

    def run(self) -> Iterator[Verdict]:
        """Yield what is wrong; `result` is complete afterwards. StoreError if the store cannot be read."""
        for verdict in self._check():
            self.result.verdicts.append(verdict)
            yield verdict

    def _check(self) -> Iterator[Verdict]:
        listing, has_payload_folder = self._list()
        payload = [found for path, found in listing.items() if path.startswith(bagit.PAYLOAD)]
        self.result.files, self.result.bytes = len(payload), sum(found.size for found in payload)
        try:
            declaration = bagit.parse_declaration(self._fetch(layout.BAGIT))
        except MalformedError as error:
            yield unverifiable(layout.BAGIT, error.message)
            return
        self.result.version, self.result.encoding = declaration.version, declaration.encoding
        if not declaration.encoding:
            yield unverifiable(layout.BAGIT, _("The encoding that it declares is not known here: nothing can be read."))
            return
        bag = self._opened(Bag(listing, declaration, has_payload_folder=has_payload_folder))
        known = (each.algorithm for each in bag.manifests if not each.of_tags and each.algorithm)
        self.result.algorithms = tuple(sorted(set(known)))
        plan = plan_check(bag)
        yield from plan.verdicts
        yield from self._read(plan.to_read)

    def _list(self) -> tuple[dict[str, Object], bool]:
        """Return everything but folders, and whether there is a payload folder."""
        listing: dict[str, Object] = {}
        has_payload_folder = False
        for told in self.store.list():
            is_folder = told.kind is ObjectKind.DIRECTORY or (told.path.endswith("/") and not told.size)
            has_payload_folder |= f"{told.path}/".startswith(bagit.PAYLOAD)
            if not is_folder:
                listing[told.path] = told
        return listing, has_payload_folder

    def _opened(self, bag: Bag) -> Bag:
        """Return the bag with what its tag files say."""
        unreadable: list[tuple[str, str]] = []
        texts: dict[str, str] = {}
        info_name = next((name for name in BAG_INFO_NAMES if name in bag.listing), layout.BAG_INFO)
        for name in sorted(bag.listing):
            if bagit.manifest_kind(name) is not None or name in {bagit.FETCH, info_name}:
                try:
                    texts[name] = bagit.decoded(self._fetch(name), bag.declaration.encoding)
                except MalformedError as error:
                    unreadable.append((name, error.message))
        manifests = [
            bagit.parse_manifest(name, text, bag.listing)
            for name, text in texts.items()
            if bagit.manifest_kind(name) is not None
        ]
        elsewhere, fetch_faults = bagit.parse_fetch(texts.get(bagit.FETCH, ""))
        oxum, info_faults = bagit.parse_oxum(texts.get(info_name, ""))
        faults = [*((bagit.FETCH, each) for each in fetch_faults), *((info_name, each) for each in info_faults)]
        return replace(
            bag,
            manifests=manifests,
            unreadable=unreadable,
            elsewhere=elsewhere,
            oxum=oxum,
            info_name=info_name,
            faults=faults,
        )

    def _fetch(self, name: str) -> bytes:
        """Return one tag file; MalformedError if it is no file, or larger than any right one."""
        data = bytearray()
        with self.store.read(name) as reading:
            if reading.object.kind is not ObjectKind.FILE:
                raise MalformedError(_("It is not a file."))
            for chunk in reading.chunks:
                data += chunk
                if len(data) > bagit.MAX_TAG_FILE:
                    raise MalformedError(_("It is larger than any right one."))
        return bytes(data)

    def _read(self, files: list[FileToRead]) -> Iterator[Verdict]:
        """Read every file once, whatever the number of its checksums."""
        self.progress.start(_("Verifying the bag"), sum(file.size for file in files), Unit.BYTES)
        stopping = threading.Event()

        def check(file: FileToRead) -> Verdict | None:
            return judged(file.subject, lambda: _compare(file, self._digests(file, stopping)))

        window = 4 * self.workers
        read = in_order(check, files, workers=self.workers, window=window, stopping=stopping)
        for file, verdict in zip(files, read, strict=True):
            self.result.files_read += file.is_payload
            self.result.weak += file.is_payload and file.is_weak
            if verdict is not None:
                yield Verdict(replace(verdict.finding, path=file.path), verdict.code)
        self.progress.finish()

    def _digests(self, file: FileToRead, stopping: threading.Event) -> dict[str, str]:
        digests = {check.algorithm: hashlib.new(check.algorithm, usedforsecurity=False) for check in file.checks}
        try:
            with self.store.read(file.lies_at) as reading:
                for chunk in reading.chunks:
                    if stopping.is_set():
                        break
                    for digest in digests.values():
                        digest.update(chunk)
                    self.progress.advance(len(chunk))
        except ChangedError as error:
            raise AlteredError(_("It changes while it is read.")) from error
        return {algorithm: digest.hexdigest() for algorithm, digest in digests.items()}


def _compare(file: FileToRead, digests: Mapping[str, str]) -> None:
    """Raise AlteredError unless the file has every checksum that it should have."""
    right = [check.manifest for check in file.checks if digests[check.algorithm] == check.digest]
    wrong = [check.manifest for check in file.checks if digests[check.algorithm] != check.digest]
    if wrong and right:
        raise AlteredError(
            _("It has the checksum of {right} and not that of {wrong}: the manifests contradict each other.").format(
                right=", ".join(right), wrong=", ".join(wrong)
            )
        )
    if wrong:
        raise AlteredError(_("Its bytes have another checksum than the manifest says. Restore it from a second copy."))
