"""Changing who can open a whole chain: cut off anywhere, tampered with, gone on with from anywhere."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from repatria.bundle.chain import Chain
from repatria.bundle.volume import LARGEST_FILE
from repatria.crypt.errors import NoMatchError
from repatria.crypt.identity import generate
from repatria.crypt.recipient import fingerprint
from repatria.crypt.sshsig import Signer
from repatria.errors import CryptError, RefusedError, RepatriaError, UnverifiableError, UsageError, worst
from repatria.model import Object
from repatria.store.base import Buffer, Store
from repatria.store.memory import MemoryStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.work.rewrap_site import FoundError
from tests.bundle.making import DatasetMaker, file
from tests.work.making import PowerCutError
from tests.work.rewrapping import (
    DATASET,
    NEW,
    OLD,
    CutOff,
    contents,
    copy_of,
    make_chain,
    payloads,
    rewrap,
    trust_in,
    verify,
)


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


def digest_of(store: Store, bundle_id: str) -> str:
    return hashlib.sha256(read(store, f"{bundle_id}/statement.json")).hexdigest()


def read(store: Store, path: str) -> bytes:
    with store.read(f"{DATASET}/{path}") as reading:
        return b"".join(reading.chunks)


def alter(store: MemoryStore, path: str, at: int = -40) -> None:
    data = bytearray(read(store, path))
    data[at] ^= 1
    store.replace(f"{DATASET}/{path}", [data], len(data), hashlib.sha256(data).digest())


def paths(store: MemoryStore) -> list[str]:
    return [told.path.removeprefix(f"{DATASET}/") for told in store.list()]


class TestToItsEnd:
    def test_the_new_key_opens_everything_and_the_old_one_nothing(self, store: MemoryStore, signer: Signer) -> None:
        before = contents(store, OLD)
        result = rewrap(store, signer)
        assert (result.bundles, result.resumed) == (3, False)
        assert result.volumes >= 4
        assert contents(store, NEW) == before
        with pytest.raises(NoMatchError):
            contents(store, OLD)

    def test_nothing_but_heads_of_volumes_changes(self, store: MemoryStore, signer: Signer) -> None:
        chain = Chain.load(store, DATASET)
        before = [payloads(store, bundle) for bundle in chain.bundles]
        roots = [bundle.statement.merkle_root for bundle in chain.bundles]
        rewrap(store, signer)
        after = Chain.load(store, DATASET)
        assert [payloads(store, bundle) for bundle in after.bundles] == before
        assert [bundle.statement.merkle_root for bundle in after.bundles] == roots
        assert {tuple(bundle.statement.recipients) for bundle in after.bundles} == {(str(NEW.recipient),)}

    def test_it_verifies_and_the_old_head_is_still_found(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        heads = [digest_of(store, bundle) for bundle in made.bundles]
        rewrap(store, signer)
        for head in [*heads, digest_of(store, made.bundles[-1])]:
            told = verify(store, trust_in(signer), NEW, expect_head=head)
            assert (told.code, told.verdicts) == (0, [])
        assert verify(store, trust_in(signer), expect_head="0" * 64).code == 1

    def test_nothing_lies_aside_in_the_end(self, store: MemoryStore, signer: Signer) -> None:
        before = set(paths(store))
        rewrap(store, signer)
        assert {path.partition("/")[2] for path in set(paths(store)) - before} == {
            "statements/0001.json",
            "statements/0001.json.sig",
        }

    def test_again_and_again(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        before = contents(store, OLD)
        first = digest_of(store, made.bundles[0])
        third, other = generate(), Signer.generate()
        rewrap(store, signer)
        rewrap(store, other, identities=[NEW], to=[third], trust=trust_in(signer, other))
        assert contents(store, third) == before
        told = verify(store, trust_in(signer, other), third, expect_head=first)
        assert (told.code, told.verdicts) == (0, [])
        assert verify(store, trust_in(signer)).code == 3

    def test_verify_tells_when_recipients_changed(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        assert [each.rewrapped for each in verify(store, trust_in(signer)).results] == ["", "", ""]
        rewrap(store, signer)
        changed = [bundle.statement.replaces for bundle in Chain.load(store, DATASET).bundles]
        told = verify(store, trust_in(signer)).results
        assert [each.rewrapped for each in told] == [each.rewrapped for each in changed if each]
        assert {each.signer for each in told} == {signer.fingerprint}

    def test_to_those_who_open_it_already_nothing_is_done(self, store: MemoryStore, signer: Signer) -> None:
        before = dict(store._kept)
        result = rewrap(store, signer, to=[OLD])
        assert (result.bundles, result.statement_sha256) == (0, Chain.load(store, DATASET).head.statement_sha256)
        assert store._kept == before

    def test_a_later_bundle_follows(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        rewrap(store, signer)
        later = make_chain(MemoryStore())  # its own dataset; only its form is used
        later.store, later.identity, later.signer, later.bundles = store, NEW, signer, list(made.bundles)
        later.previous = later.previous.model_copy(  # type: ignore[union-attr]  # made by its bundles
            update={"bundle": made.bundles[-1], "sha256": digest_of(store, made.bundles[-1])}
        )
        later.bundle([file("later", b"1")])
        told = verify(store, trust_in(signer))
        assert (told.code, len(told.results)) == (0, 4)


def changes_of(store: MemoryStore, signer: Signer) -> int:
    counting = CutOff(copy_of(store))
    rewrap(counting, signer)
    return counting.changes


class TestCutOff:
    """The power fails after every change of the target, one after the other: that is before the next one, too."""

    def interrupted(self, store: MemoryStore, signer: Signer) -> Iterator[MemoryStore]:
        for at in range(1, changes_of(store, signer) + 1):
            cut = copy_of(store)
            with pytest.raises(PowerCutError):
                rewrap(CutOff(cut, at, after=True), signer)
            yield cut

    def test_anywhere_it_is_never_called_intact_nor_altered_and_the_next_run_ends_it(
        self, store: MemoryStore, signer: Signer
    ) -> None:
        codes = []
        for cut in self.interrupted(store, signer):
            chain = Chain.load(cut, DATASET, identities=[OLD, NEW])  # its statements always fit each other
            codes.append(verify(cut, trust_in(signer)).code)
            assert chain.is_being_rewrapped == (codes[-1] == 3)
            if codes[-1] == 0:  # nothing was touched yet, or all was done
                (to,) = {bundle.statement.recipients for bundle in chain.bundles}
                assert verify(cut, trust_in(signer), OLD if to == (str(OLD.recipient),) else NEW).code == 0
            rewrap(cut, signer)
            assert verify(cut, trust_in(signer), NEW).code == 0
            assert not [path for path in paths(cut) if path.startswith("records/")]
        touched = codes[codes.index(3) : len(codes) - codes[::-1].index(3)]
        assert (set(codes), set(touched)) == ({0, 3}, {3})
        assert len(touched) > 40

    def test_by_a_signer_whom_the_verifier_does_not_know_it_is_not_altered_but_unverifiable(
        self, store: MemoryStore, signer: Signer
    ) -> None:
        other = Signer.generate()
        for at in range(1, changes_of(store, signer) + 1):
            cut = copy_of(store)
            with pytest.raises(PowerCutError):
                rewrap(CutOff(cut, at, after=True), other, trust=trust_in(signer, other))
            told = verify(cut, trust_in(signer))
            assert told.code in {0, 3}, (at, told.verdicts)
            deep = DatasetCheck(cut, DATASET, trust_in(signer), Wish(deep=True, identities=(OLD, NEW)))
            assert worst(each.code for each in deep.run()) == told.code
            if "records/rewrap.json.sig" in paths(cut):
                assert told.code == 3
                (record,) = [each for each in told.verdicts if each.subject == "records/rewrap.json"]
                assert other.fingerprint in record.finding.detail
                assert "--signers" in record.finding.detail

    def is_cleaning(self, cut: MemoryStore, bundle: str) -> bool:
        committed = f"records/rewrap/{bundle}/new/statement.json.sig" in paths(cut)
        return b'"replaces"' in read(cut, f"{bundle}/statement.json") and not committed

    def test_volumes_brought_back_from_a_second_copy_are_taken_as_old(self, store: MemoryStore, signer: Signer) -> None:
        second = copy_of(store)
        for cut in self.interrupted(store, signer):
            under_way = next(
                (path.split("/")[2] for path in paths(cut) if path.endswith("new/statement.json.sig")), None
            )
            under_way = under_way or next((path.split("/")[2] for path in paths(cut) if "/heads-" in path), None)
            if under_way is None or self.is_cleaning(cut, under_way):
                continue  # nothing of it is under way
            for path in paths(cut):
                if path.startswith(f"{under_way}/data/vol-"):
                    data = read(second, path)
                    cut.replace(f"{DATASET}/{path}", [data], len(data), hashlib.sha256(data).digest())
            rewrap(cut, signer)
            assert verify(cut, trust_in(signer), NEW).code == 0

    def test_cut_off_again_and_again(self, store: MemoryStore, signer: Signer) -> None:
        before = contents(store, OLD)
        runs = 0
        while True:
            runs += 1
            try:
                rewrap(CutOff(store, 3, after=True), signer)
                break
            except PowerCutError:
                assert verify(store, trust_in(signer)).code in {0, 3}
            if runs > 10:
                rewrap(store, signer)
                break
        assert contents(store, NEW) == before

    def test_only_towards_the_same_recipients(self, store: MemoryStore, signer: Signer) -> None:
        with pytest.raises(PowerCutError):
            rewrap(CutOff(store, 20), signer)
        kept = dict(store._kept)
        with pytest.raises(UsageError, match="other recipients") as caught:
            rewrap(store, signer, to=[generate()])
        assert store._kept == kept
        assert fingerprint(NEW.recipient) in caught.value.message
        assert signer.fingerprint in caught.value.message

    def test_verify_tells_whose_change_is_not_finished(self, store: MemoryStore, signer: Signer) -> None:
        with pytest.raises(PowerCutError):
            rewrap(CutOff(store, 20), signer)
        detail = verify(store, trust_in(signer)).verdicts[0].finding.detail
        assert fingerprint(NEW.recipient) in detail
        assert signer.fingerprint in detail


class TestBeforeAnythingIsTouched:
    def test_an_identity_that_opens_not_all(self, store: MemoryStore, signer: Signer) -> None:
        before = dict(store._kept)
        with pytest.raises(NoMatchError):
            rewrap(store, signer, identities=[generate()])
        assert store._kept == before

    def test_an_unfinished_bundle_at_the_end(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        store.put(f"{DATASET}/29991231T000000Z-aaaaaa/data/vol-000001.tar.age", [b"x"], 1)
        before = dict(store._kept)
        with pytest.raises(UsageError, match="unfinished"):
            rewrap(store, signer)
        assert store._kept == before

    def test_a_target_that_cannot_replace(self, store: MemoryStore, signer: Signer) -> None:
        class Locked(CutOff):
            def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
                raise RefusedError("locked")

        before = dict(store._kept)
        with pytest.raises(RefusedError) as caught:
            rewrap(Locked(store), signer)
        assert caught.value.code == 5
        assert store._kept == before

    def test_a_volume_larger_than_any(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        """It is not read into memory, whoever put it there."""
        swollen = f"{DATASET}/{made.bundles[0]}/data/vol-000001.tar.age"

        class Swollen(CutOff):
            def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
                for told in super().list(prefix, enter=enter):
                    yield replace(told, size=LARGEST_FILE + 1) if told.path == swollen else told

        before = dict(store._kept)
        with pytest.raises(FoundError) as caught:
            rewrap(Swollen(store), signer)
        (found,) = caught.value.findings
        assert f"{DATASET}/{found.subject}" == swollen
        assert "than any volume" in found.detail
        assert store._kept == before

    def test_a_volume_that_is_missing(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        store.delete(f"{DATASET}/{made.bundles[1]}/data/vol-000001.tar.age")
        before = dict(store._kept)
        with pytest.raises(FoundError) as caught:
            rewrap(store, signer)
        assert [str(each.kind) for each in caught.value.findings] == ["missing"]
        assert store._kept == before


class TestDamage:
    """What is not what was signed gets no new digest."""

    def test_of_a_payload_stops_the_run_and_stays_a_finding(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        path = f"{made.bundles[0]}/data/vol-000002.tar.age"
        whole = read(store, path)
        alter(store, path)
        damaged = read(store, path)
        with pytest.raises(FoundError) as caught:
            rewrap(CutOff(store), signer)
        assert [(each.kind, each.subject) for each in caught.value.findings] == [("altered", path)]
        assert read(store, path) == damaged
        later = f"{made.bundles[0]}/data/vol-000003.tar.age"
        assert read(store, later) == read(made.store, later)
        assert Chain.load(store, DATASET).bundles[0].statement.replaces is None
        assert verify(store, trust_in(signer)).code == 3
        store.replace(f"{DATASET}/{path}", [whole], len(whole), hashlib.sha256(whole).digest())
        rewrap(store, signer)
        assert verify(store, trust_in(signer), NEW).code == 0

    def test_of_a_volume_that_has_its_new_head_already(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        path = f"{made.bundles[0]}/data/vol-000001.tar.age"
        before = read(store, path)
        for at in range(1, 60):
            cut = copy_of(store)
            with pytest.raises(PowerCutError):
                rewrap(CutOff(cut, at), signer)
            if read(cut, path) != before:
                break
        alter(cut, path)
        with pytest.raises(FoundError):
            rewrap(cut, signer)

    def test_of_a_head(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        alter(store, f"{made.bundles[0]}/data/vol-000001.tar.age", 60)
        before = dict(store._kept)
        with pytest.raises(FoundError):
            rewrap(store, signer)
        changed = {path for path in store._kept if before.get(path) != store._kept[path]}
        assert all("/records/" in path for path in changed)
        assert verify(store, trust_in(signer)).code == 1


class TestTheRecord:
    def half_way(self, store: MemoryStore, signer: Signer) -> None:
        with pytest.raises(PowerCutError):
            rewrap(CutOff(store, 16), signer)
        assert verify(store, trust_in(signer)).code == 3

    @pytest.mark.parametrize("name", ["records/rewrap.json", "records/rewrap.json.sig", "heads"])
    def test_altered_is_refused(self, store: MemoryStore, signer: Signer, name: str) -> None:
        self.half_way(store, signer)
        path = next(path for path in paths(store) if path == name or (name == "heads" and "heads-" in path))
        alter(store, path, 200 if name != "records/rewrap.json.sig" else 100)
        kept = dict(store._kept)
        with pytest.raises(CryptError):
            rewrap(store, signer)
        assert store._kept == kept
        assert verify(store, trust_in(signer)).code != 0

    def test_of_a_stranger_is_refused_and_hides_nothing(
        self, store: MemoryStore, signer: Signer, made: DatasetMaker
    ) -> None:
        stranger = Signer.generate()
        with pytest.raises(PowerCutError):
            rewrap(CutOff(store, 16), stranger, trust=trust_in(signer, stranger))
        with pytest.raises(UnverifiableError):
            rewrap(store, signer)
        alter(store, f"{made.bundles[2]}/data/vol-000001.tar.age")
        assert verify(store, trust_in(signer)).code == 1

    def test_put_back_later_hides_nothing(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        third = generate(classic=True)
        half = copy_of(store)
        self.half_way(half, signer)
        rewrap(store, signer)
        rewrap(store, signer, identities=[NEW], to=[third])
        for path in paths(half):
            if path.startswith("records/"):
                data = read(half, path)
                store.put(f"{DATASET}/{path}", [data], len(data))
        alter(store, f"{made.bundles[0]}/data/vol-000001.tar.age")
        assert verify(store, trust_in(signer)).code == 1
        with pytest.raises(RepatriaError):
            rewrap(store, signer, identities=[third], to=[NEW])


class TestRollingBack:
    """A kept statement lets nobody put the old bundle back."""

    def test_a_bundle_in_the_middle(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        rewrap(store, signer)
        for path in [path for path in paths(store) if path.startswith(made.bundles[0])]:
            store.delete(f"{DATASET}/{path}")
        for lying in made.store.list(f"{DATASET}/{made.bundles[0]}/"):
            data = read(made.store, lying.path.removeprefix(f"{DATASET}/"))
            store.put(lying.path, [data], len(data))
        told = verify(store, trust_in(signer))
        assert told.code == 1
        assert [each.subject for each in told.verdicts] == [made.bundles[0]]

    def test_a_kept_statement_that_is_altered(self, store: MemoryStore, signer: Signer, made: DatasetMaker) -> None:
        rewrap(store, signer)
        alter(store, f"{made.bundles[0]}/statements/0001.json")
        assert verify(store, trust_in(signer)).code == 1
