"""The machine that copies goes on after somebody else, with the identities, has changed the recipients."""

from pathlib import Path

import pytest

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.statement import parse_checkpoint
from repatria.crypt.identity import generate
from repatria.crypt.recipient import fingerprint
from repatria.crypt.sshsig import Signer
from repatria.errors import UnknownSignerError, UnverifiableError, UsageError
from repatria.progress import Silent
from repatria.store.base import Store
from repatria.work.outbox import Outbox
from repatria.work.patience import Patience
from repatria.work.publishing import Publisher
from repatria.work.rewrapping import Rewrap
from repatria.work.state import Remembered
from tests.work.making import IDENTITY, SIGNER, PowerCutError, Site, told, verify
from tests.work.rewrapping import CutOff, copy_of

NEW = generate(classic=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.make({"a": b"1", "b": b"2"})
    site.make({"a": b"1", "b": b"two"})
    return site


def rewrap(target: Store, signer: Signer = SIGNER) -> None:
    chain = Chain.load(target, "d", identities=[IDENTITY])
    Rewrap(
        target,
        chain,
        recipients=[NEW.recipient],
        signer=signer,
        trusts=lambda key, _at: key in {SIGNER.key, signer.key},
        patience=Patience(seconds=0),
    ).run()


def test_a_later_bundle_follows_the_new_head(site: Site, tmp_path: Path) -> None:
    rewrap(site.target)
    site.identities = [NEW]
    assert site.make({"a": b"one", "b": b"two"}) is not None
    assert verify(site.target, tmp_path, identity=NEW) == []
    head = Chain.load(site.target, "d").head.statement
    before = Chain.load(site.target, "d").bundles[-2]
    assert head.previous is not None
    assert head.previous.sha256 == before.statement_sha256


def test_nothing_new_after_it_is_no_error(site: Site) -> None:
    rewrap(site.target)
    site.identities = [NEW]
    assert site.make({"a": b"1", "b": b"two"}) is None


def test_recipients_that_a_rewrapping_has_left_behind_are_refused(site: Site, tmp_path: Path) -> None:
    rewrap(site.target)
    before = copy_of(site.target)
    for _time in range(2):  # also when the journal knows the new head already
        with pytest.raises(UsageError, match="Nothing was sent") as caught:
            site.make({"a": b"one", "b": b"two"})
    assert fingerprint(NEW.recipient) in caught.value.message
    assert fingerprint(IDENTITY.recipient) in caught.value.message
    assert list(caught.value.details) == ["recipients = [", f'  "{NEW.recipient}",', "]"]
    assert {item.path for item in site.target.list()} == {item.path for item in before.list()}
    site.identities = [NEW]
    assert site.make({"a": b"one", "b": b"two"}) is not None
    assert verify(site.target, tmp_path, identity=NEW) == []


def test_recipients_that_the_manifest_alone_changes_are_told(site: Site) -> None:
    said: list[str] = []

    class Said(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    site.identities = [NEW]
    site.open(patience=Patience(progress=Said())).close()
    (sentence,) = said
    assert f"opens for {fingerprint(NEW.recipient)} too" in sentence
    assert f"no longer opens for {fingerprint(IDENTITY.recipient)}" in sentence
    assert "`repatria rewrap d`" in sentence


def test_an_unfinished_bundle_of_which_nothing_is_at_the_target_follows_too(site: Site, tmp_path: Path) -> None:
    with site.open() as run:
        run.catalogue.begin_listing()
        list(run.catalogue.compared([told("a", b"1")]))
        run.bury_all(run.catalogue.unseen())
    rewrap(site.target)
    site.identities = [NEW]
    assert site.make({"a": b"1"}) is not None
    assert verify(site.target, tmp_path, identity=NEW) == []
    chain = Chain.load(site.target, "d")
    assert chain.head.statement.previous is not None
    assert chain.head.statement.previous.sha256 == chain.bundles[-2].statement_sha256


def test_an_index_of_which_nothing_came_to_the_target_is_made_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle of tombstones alone: its checkpoint names the statement that was the head's when it was signed."""

    def no_power(self: Publisher) -> None:
        raise PowerCutError

    monkeypatch.setattr(Publisher, "deliver", no_power)
    with pytest.raises(PowerCutError):
        site.make({"a": b"1"})
    monkeypatch.undo()
    rewrap(site.target)
    site.identities = [NEW]
    assert site.make({"a": b"1"}) is not None
    assert verify(site.target, tmp_path, identity=NEW) == []
    chain = Chain.load(site.target, "d")
    head, before = chain.head, chain.bundles[-2]
    checkpoint = parse_checkpoint(head.folder.fetch(layout.checkpoint_path(1)))
    assert head.statement.tombstones == 1
    assert checkpoint.previous == head.statement.previous
    assert checkpoint.previous is not None
    assert (checkpoint.previous.bundle, checkpoint.previous.sha256) == (before.bundle_id, before.statement_sha256)


def test_changed_by_a_stranger_it_is_refused_until_it_was_verified(site: Site) -> None:
    stranger = Signer.generate()
    rewrap(site.target, stranger)
    with pytest.raises(UnknownSignerError):
        site.open()
    head = Chain.load(site.target, "d").head
    site.state.remember("d", Remembered(stranger.fingerprint, head.bundle_id, head.statement_sha256))
    site.identities = [NEW]
    site.open().close()


def test_put_back_as_it_was_before_it_is_refused(site: Site) -> None:
    before = copy_of(site.target)
    rewrap(site.target)
    site.identities = [NEW]
    site.open().close()
    site.target = before
    with pytest.raises(UnverifiableError):
        site.open()


def test_while_it_is_not_finished_nothing_is_copied(site: Site) -> None:
    with pytest.raises(PowerCutError):
        rewrap(CutOff(site.target, 14))
    with pytest.raises(UsageError, match="are being changed") as caught:
        site.open()
    assert fingerprint(NEW.recipient) in caught.value.message
    assert SIGNER.fingerprint in caught.value.message


def test_of_a_bundle_whose_end_the_journal_has_not_seen(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered = Outbox.delivered

    def fails_at_the_end(self: Outbox, path: str, tag_sha256: bytes | None) -> None:
        if path == "tagmanifest-sha256.txt":
            raise PowerCutError
        delivered(self, path, tag_sha256)

    # The last file is there, and the power fails before the journal hears of it.
    monkeypatch.setattr(Outbox, "delivered", fails_at_the_end)
    with pytest.raises(PowerCutError):
        site.make({"a": b"one", "b": b"two"})
    monkeypatch.undo()
    rewrap(site.target)
    site.identities = [NEW]
    site.open().close()
    assert site.make({"a": b"1!", "b": b"two"}) is not None
    assert verify(site.target, tmp_path, identity=NEW) == []
