"""What somebody who can write at the target, or holds a key that signs, tries with a change of recipients."""

import hashlib
from collections.abc import Callable, Iterable

import pytest

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.errors import AlteredError, BrokenChainError
from repatria.bundle.rewrap_record import (
    BundleToRewrap,
    HeadsFile,
    RewrapRecord,
    VolumeHeads,
    base64_text,
    fetch_record,
    heads_path,
)
from repatria.bundle.statement import Replaces, Statement, parse_document, parse_statement
from repatria.bundle.succession import kept_number
from repatria.bundle.volume import LARGEST_FILE
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.errors import HeaderMacError
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.crypt.seek import fetch_head
from repatria.crypt.sshsig import Signer
from repatria.errors import CryptError, UnknownSignerError
from repatria.store.base import StoredFile
from repatria.store.memory import MemoryStore
from repatria.verify.trust import Trust
from repatria.work.rewrap_plan import COMMIT, STAGED
from repatria.work.rewrap_site import FoundError
from tests.bundle.making import DatasetMaker
from tests.work.making import PowerCutError
from tests.work.rewrapping import DATASET, NEW, OLD, CutOff, contents, copy_of, make_chain, rewrap, trust_in, verify


@pytest.fixture(scope="module")
def made() -> DatasetMaker:
    return make_chain(MemoryStore())


@pytest.fixture
def store(made: DatasetMaker) -> MemoryStore:
    assert isinstance(made.store, MemoryStore)
    return copy_of(made.store)


@pytest.fixture
def signer(made: DatasetMaker) -> Signer:
    return made.signer


def read(store: MemoryStore, path: str) -> bytes:
    with store.read(f"{DATASET}/{path}") as reading:
        return b"".join(reading.chunks)


def write(store: MemoryStore, path: str, data: bytes) -> None:
    """Write as whoever owns the store can, over what is there."""
    store.delete(f"{DATASET}/{path}")
    store.put(f"{DATASET}/{path}", [data], len(data))


def alter(store: MemoryStore, path: str) -> None:
    data = bytearray(read(store, path))
    data[-40] ^= 1
    write(store, path, bytes(data))


def withdrawn(key: Signer, before: str) -> str:
    return f'old@dakar valid-before="{before}" {key.public_line()}'


def replace_statement(
    store: MemoryStore,
    bundle: str,
    signer: Signer,
    rewrapped: str,
    change: Callable[[Statement], Statement] = lambda statement: statement,
) -> None:
    """Put a new statement in the place of a bundle's, as if its recipients had been changed; all manifests fit."""
    paths = (layout.STATEMENT, layout.STATEMENT_SIGNATURE)
    old = read(store, f"{bundle}/{layout.STATEMENT}")
    statement = parse_statement(old)
    number = kept_number(statement)
    kept = layout.kept_path(number)
    for path, to in zip(paths, (kept, layout.signature_path(kept)), strict=True):
        write(store, f"{bundle}/{to}", read(store, f"{bundle}/{path}"))
    replaces = Replaces(number=number, sha256=hashlib.sha256(old).hexdigest(), rewrapped=rewrapped)
    data = change(statement.model_copy(update={"replaces": replaces})).encode()
    write(store, f"{bundle}/{layout.STATEMENT}", data)
    write(store, f"{bundle}/{layout.STATEMENT_SIGNATURE}", signer.sign(data).encode())
    tags = layout.parse_manifest(read(store, f"{bundle}/{layout.TAGMANIFEST}"))
    for path in (*paths, kept, layout.signature_path(kept)):
        tags[path] = hashlib.sha256(read(store, f"{bundle}/{path}")).digest()
    write(store, f"{bundle}/{layout.TAGMANIFEST}", layout.render_manifest(tags))


class TestNewStatements:
    """The form of a change of recipients is no way round what binds a chain."""

    def test_a_key_withdrawn_before_a_bundle_was_finished_cannot_sign_it_anew(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        thief = Signer.generate()
        allowed = "\n".join([signer.key.allowed_line("senum@dakar"), withdrawn(thief, "20230701Z")])
        replace_statement(store, made.bundles[0], thief, "2023-06-01T00:00:00Z")
        told = verify(store, Trust(AllowedSigners.parse(allowed)))
        assert made.bundles[0] in {each.subject for each in told.verdicts if each.code == 3}

    @pytest.mark.parametrize("at", [0, 1])
    def test_one_behind_the_back_of_a_later_bundle_is_found(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker, at: int
    ) -> None:
        replace_statement(store, made.bundles[at], signer, "2024-02-01T00:00:00Z")
        told = verify(store, trust_in(signer))
        assert [(each.subject, each.code) for each in told.verdicts] == [(made.bundles[at], 1)]
        with pytest.raises(BrokenChainError):
            Chain.load(store, DATASET)


class TestRecords:
    """A record can make `rewrap` do nothing but change heads."""

    def begin(self, store: MemoryStore, signer: Signer, **wishes: object) -> None:
        """Have a change begun, of which nothing but the record and the heads lie there."""
        before = copy_of(store)
        for at in range(1, 100):
            cut = copy_of(before)
            with pytest.raises(PowerCutError):
                rewrap(CutOff(cut, at), signer, **wishes)  # type: ignore[arg-type]  # keywords of rewrap
            if fetch_record(cut, DATASET) is not None:
                store._kept = cut._kept
                return
        raise AssertionError("it was never begun")

    def change_heads(
        self, store: MemoryStore, signer: Signer, change: Callable[[tuple[VolumeHeads, ...]], Iterable[VolumeHeads]]
    ) -> None:
        """Change what the record says of the first bundle's volumes; it is signed anew."""
        signed = fetch_record(store, DATASET)
        assert signed is not None
        first = signed.record.bundles[0]
        path = heads_path(first.bundle, 1)
        heads = parse_document(read(store, path), HeadsFile)
        data = heads.model_copy(update={"volumes": tuple(change(heads.volumes))}).encode()
        write(store, path, data)
        entry = BundleToRewrap(
            bundle=first.bundle, statement=first.statement, heads=(hashlib.sha256(data).hexdigest(),)
        )
        self.sign(store, signer, signed.record.model_copy(update={"bundles": (entry, *signed.record.bundles[1:])}))

    def sign(self, store: MemoryStore, signer: Signer, record: RewrapRecord) -> None:
        data = record.encode()
        write(store, layout.REWRAP, data)
        write(store, layout.signature_path(layout.REWRAP), signer.sign(data).encode())

    def refused(self, store: MemoryStore, signer: Signer, error: type[Exception]) -> None:
        before = dict(store._kept)
        with pytest.raises(error):
            rewrap(store, signer)
        assert store._kept == before

    def test_with_a_head_that_opens_another_file(self, store: MemoryStore, signer: Signer) -> None:
        """Nobody could open the volume any more, and it would be signed for."""
        self.begin(store, signer)
        other = bytes(seal(b"other", [NEW.recipient]).data)
        head = other[: len(other) - 16 - len(b"other")]
        self.change_heads(
            store, signer, lambda heads: [heads[0].model_copy(update={"new": base64_text(head)}), *heads[1:]]
        )
        self.refused(store, signer, HeaderMacError)

    def test_with_another_nonce(self, store: MemoryStore, signer: Signer) -> None:
        self.begin(store, signer)

        def renonced(heads: VolumeHeads) -> VolumeHeads:
            other = heads.new_head[:-1] + bytes([heads.new_head[-1] ^ 1])
            return heads.model_copy(update={"new": base64_text(other)})

        self.change_heads(store, signer, lambda heads: [renonced(heads[0]), *heads[1:]])
        self.refused(store, signer, CryptError)

    def test_with_another_volume(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        """What lies there in its place has the digest that the record names, but not the one that was signed."""
        self.begin(store, signer)
        own = bytes(seal(b"forged" * 9000, [OLD.recipient]).data)
        path = f"{made.bundles[0]}/{layout.volume_path(1)}"
        write(store, path, own)
        head = fetch_head(StoredFile(store, f"{DATASET}/{path}", len(own)))
        changes = {"size": len(own), "sha256": hashlib.sha256(own).hexdigest(), "old": base64_text(head.raw)}
        self.change_heads(
            store,
            signer,
            lambda heads: [heads[0].model_copy(update={**changes, "new": changes["old"]}), *heads[1:]],
        )
        self.refused(store, signer, AlteredError)

    def test_with_a_volume_larger_than_any(self, store: MemoryStore, signer: Signer) -> None:
        """As much as the record says would be read into memory."""
        self.begin(store, signer)
        self.change_heads(
            store, signer, lambda heads: [heads[0].model_copy(update={"size": LARGEST_FILE + 1}), *heads[1:]]
        )
        self.refused(store, signer, AlteredError)

    @pytest.mark.parametrize("volumes", ["too few", "one twice"])
    def test_with_other_volumes_than_were_signed(self, store: MemoryStore, signer: Signer, volumes: str) -> None:
        self.begin(store, signer)
        self.change_heads(store, signer, lambda heads: heads[1:] if volumes == "too few" else (*heads, heads[0]))
        with pytest.raises(AlteredError):
            rewrap(store, signer)
        assert Chain.load(store, DATASET).bundles[0].statement.replaces is None

    def test_of_a_key_that_was_withdrawn_before_the_chain_ended(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        thief = Signer.generate()
        self.begin(store, thief, trust=trust_in(signer, thief))
        signed = fetch_record(store, DATASET)
        assert signed is not None
        self.sign(store, thief, signed.record.model_copy(update={"started": "2023-06-01T00:00:00Z"}))
        allowed = "\n".join([signer.key.allowed_line("senum@dakar"), withdrawn(thief, "20230701Z")])
        trust = Trust(AllowedSigners.parse(allowed))
        alter(store, f"{made.bundles[0]}/{layout.volume_path(1)}")
        assert verify(store, trust).code == 3, "whose change it is cannot be told"
        with pytest.raises(UnknownSignerError):
            rewrap(store, signer, trust=trust)

    def test_whose_signature_was_lost_half_way(self, store: MemoryStore, signer: Signer) -> None:
        """Without the old heads nothing could be brought to its end: they are not removed."""
        with pytest.raises(PowerCutError):
            rewrap(CutOff(store, 16), signer)
        path = layout.signature_path(layout.REWRAP)
        signature = read(store, path)
        store.delete(f"{DATASET}/{path}")
        self.refused(store, signer, FoundError)
        write(store, path, signature)
        rewrap(store, signer)
        assert verify(store, trust_in(signer), NEW).code == 0

    def test_an_old_one_with_all_its_files_put_back(self, store: MemoryStore, signer: Signer) -> None:
        """Everything that a run had laid aside, back after a later change: the present statement is neither's."""
        third = generate(classic=True)
        half = _committed(store, signer)
        rewrap(store, signer)
        rewrap(store, signer, identities=[NEW], to=[third])
        for told in half.list(f"{DATASET}/{layout.RECORDS}/"):
            path = told.path.removeprefix(f"{DATASET}/")
            write(store, path, read(half, path))
        before = dict(store._kept)
        with pytest.raises(BrokenChainError):
            rewrap(store, signer, identities=[third], to=[NEW])
        assert store._kept == before


def _committed(store: MemoryStore, signer: Signer, *, installed: int = 0) -> MemoryStore:
    """Return a copy of a store cut off when the first bundle's new files were aside, and some of them in place."""
    for at in range(1, 100):
        cut = copy_of(store)
        with pytest.raises(PowerCutError):
            rewrap(CutOff(cut, at), signer)
        if any(told.path.endswith(COMMIT) for told in cut.list(f"{DATASET}/{layout.REWRAP_FOLDER}")):
            if not installed:
                return cut
            installed -= 1
    raise AssertionError("it was never committed")


class TestNewFilesAside:
    """Files laid aside are put in place only where the old ones are gone, and only if they tell the same."""

    def forge(self, store: MemoryStore, signer: Signer, bundle: str, **changes: object) -> None:
        """Sign another statement aside; the tag manifest there fits."""
        folder = f"{layout.REWRAP_FOLDER}{bundle}/{STAGED}"
        statement = parse_statement(read(store, f"{folder}{layout.STATEMENT}"))
        data = statement.model_copy(update=changes).encode()
        files = {layout.STATEMENT: data, layout.STATEMENT_SIGNATURE: signer.sign(data).encode()}
        tags = layout.parse_manifest(read(store, f"{folder}{layout.TAGMANIFEST}"))
        tags |= {path: hashlib.sha256(content).digest() for path, content in files.items()}
        files[layout.TAGMANIFEST] = layout.render_manifest(tags)
        for path, content in files.items():
            write(store, folder + path, content)

    def test_are_made_anew_where_nothing_is_in_place_yet(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        """Indexes that nobody can open, put aside by somebody who holds the signer and may only add files."""
        before = contents(store, OLD)
        cut = _committed(store, signer)
        first = made.bundles[0]
        folder = f"{layout.REWRAP_FOLDER}{first}/{STAGED}"
        entries = []
        for entry in parse_statement(read(cut, f"{folder}{layout.STATEMENT}")).indexes:
            junk = seal(bytes(5000), [generate(classic=True).recipient])
            write(cut, f"{folder}{entry.name}", bytes(junk.data))
            digests = {"sha256": junk.sha256, "payload_sha256": junk.payload_sha256, "head_sha256": junk.head_sha256}
            told = {"size": len(junk.data)} | {name: digest.hex() for name, digest in digests.items()}
            entries.append(entry.model_copy(update=told))
        self.forge(cut, signer, first, indexes=tuple(entries))
        rewrap(cut, signer)
        assert contents(cut, NEW) == before
        assert verify(cut, trust_in(signer), NEW).code == 0

    @pytest.mark.parametrize(
        "changes",
        [{"merkle_root": "0" * 64}, {"tombstones": 9}],
        ids=["another root", "other objects"],
    )
    def test_must_tell_what_the_statement_told(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker, changes: dict[str, object]
    ) -> None:
        cut = _committed(store, signer, installed=2)
        self.forge(cut, signer, made.bundles[0], **changes)
        before = dict(cut._kept)
        with pytest.raises(AlteredError):
            rewrap(cut, signer)
        assert cut._kept == before

    def test_name_no_other_files(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        cut = _committed(store, signer, installed=2)
        first, victim = made.bundles[0], f"../{made.bundles[1]}/{layout.STATEMENT}"
        folder = f"{layout.REWRAP_FOLDER}{first}/{STAGED}"
        files = parse_statement(read(cut, f"{folder}{layout.STATEMENT}")).files
        self.forge(cut, signer, first, files={**files, victim: "0" * 64})
        before = dict(cut._kept)
        with pytest.raises(AlteredError):
            rewrap(cut, signer)
        assert cut._kept == before
