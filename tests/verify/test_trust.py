"""Who may sign for a dataset."""

from pathlib import Path

import pytest

from repatria.bundle.statement import Statement, parse_statement
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.sshsig import Signer
from repatria.errors import UsageError
from repatria.verify.trust import Trust, load_trust
from repatria.work.named_signers import keep_named_signers
from repatria.work.state import Remembered, StateFolder
from tests.verify.conftest import Dataset

SIGNER, OTHER = Signer.generate(), Signer.generate()


@pytest.fixture
def statement(pristine: Dataset) -> Statement:
    return parse_statement(pristine.file(0, "statement.json").read_bytes())  # finished on 31 January 2024


def allowed(*lines: str) -> AllowedSigners:
    return AllowedSigners.parse("\n".join(lines))


def test_nobody_is_known_by_himself(statement: Statement) -> None:
    assert Trust().voucher(SIGNER.key, statement) is None


def test_a_key_that_was_named_to_us_is_known_by_its_principal(statement: Statement) -> None:
    trust = Trust(allowed(SIGNER.key.allowed_line("senum@dakar")))
    assert trust.voucher(SIGNER.key, statement) == "senum@dakar"
    assert trust.voucher(OTHER.key, statement) is None


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ('namespaces="repatria"', True),
        ('namespaces="git"', False),
        ('namespaces="repatria",valid-before="20250101Z"', True),
        ('namespaces="repatria",valid-before="20240101Z"', False),
        ('namespaces="repatria",valid-after="20240101Z"', True),
        ('namespaces="repatria",valid-after="20240301Z"', False),
    ],
)
def test_a_key_must_have_been_valid_when_the_bundle_was_finished(
    statement: Statement, option: str, known: bool
) -> None:
    trust = Trust(allowed(f"senum {option} {SIGNER.public_line()}"))
    assert (trust.voucher(SIGNER.key, statement) is not None) is known


def test_what_was_withdrawn_is_not_trusted_because_it_once_was(statement: Statement) -> None:
    withdrawn = allowed(f'senum valid-before="20240101Z" {SIGNER.public_line()}')
    remembered = Remembered(SIGNER.fingerprint, statement.bundle, "0" * 64)
    own = allowed(f"own {SIGNER.public_line()}")
    assert Trust(withdrawn, own, remembered).voucher(SIGNER.key, statement) is None
    assert Trust(None, own, remembered).voucher(SIGNER.key, statement) == "the key of this machine"
    assert Trust(None, None, remembered).voucher(SIGNER.key, statement) == "the key remembered for this dataset"


def test_trust_comes_from_settings_state_and_what_was_seen(tmp_path: Path, statement: Statement) -> None:
    state = StateFolder(tmp_path / "state")
    assert load_trust(state, "d").voucher(SIGNER.key, statement) is None
    assert not state.path.exists()
    key_file = tmp_path / "key"
    Path(f"{key_file}.pub").write_text(SIGNER.public_line("x") + "\n")
    assert load_trust(state, "d", own=[key_file]).voucher(SIGNER.key, statement)
    state.remember("d", Remembered(OTHER.fingerprint, statement.bundle, "0" * 64))
    assert load_trust(state, "d").voucher(OTHER.key, statement)
    assert load_trust(state, "e").voucher(OTHER.key, statement) is None


def test_everyone_named_for_a_dataset_stays_known_whoever_signed_last(tmp_path: Path, statement: Statement) -> None:
    state, third = StateFolder(tmp_path / "state"), Signer.generate()
    keep_named_signers(state, "d", "\n".join(each.key.allowed_line("senum") for each in (SIGNER, OTHER)))
    state.remember("d", Remembered(third.fingerprint, statement.bundle, "0" * 64))
    trust = load_trust(state, "d")
    assert [trust.voucher(each.key, statement) for each in (SIGNER, OTHER)] == ["senum", "senum"]
    assert trust.voucher(third.key, statement) == "the key remembered for this dataset"
    assert load_trust(state, "e").voucher(OTHER.key, statement) is None


def test_who_was_named_is_withdrawn_by_the_file_named_last(tmp_path: Path, statement: Statement) -> None:
    state = StateFolder(tmp_path / "state")
    keep_named_signers(state, "d", f"# ours\n{SIGNER.key.allowed_line('a')}\n\n{OTHER.key.allowed_line('b')}\n")
    keep_named_signers(state, "d", f'b namespaces="repatria",valid-before="20240101Z" {OTHER.public_line()}\n')
    state.remember("d", Remembered(OTHER.fingerprint, statement.bundle, "0" * 64))
    trust = load_trust(state, "d")
    assert trust.voucher(SIGNER.key, statement) == "a"
    assert trust.voucher(OTHER.key, statement) is None


def test_a_file_named_on_the_command_line_alone_counts(tmp_path: Path, statement: Statement) -> None:
    state = StateFolder(tmp_path / "state")
    state.remember("d", Remembered(OTHER.fingerprint, statement.bundle, "0" * 64))
    signers = tmp_path / "signers"
    signers.write_text(SIGNER.key.allowed_line("senum") + "\n")
    trust = load_trust(state, "d", signers=signers, strict=True)
    assert trust.voucher(SIGNER.key, statement) == "senum"
    assert trust.voucher(OTHER.key, statement) is None
    assert trust.remembered is not None
    assert trust.remembered.bundle == statement.bundle


def test_a_signers_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_trust(StateFolder(tmp_path), "d", signers=tmp_path / "absent")
