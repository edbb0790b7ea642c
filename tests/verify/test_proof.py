"""What is said of a proof: whether it holds, and whose word it is."""

import pytest

from repatria.bundle.chain import Chain
from repatria.bundle.proof import Proof, make_proof
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.sshsig import Signer
from repatria.store.local import LocalStore
from repatria.verify.proof import check_object, check_proof
from repatria.verify.trust import Trust
from tests.verify.conftest import Dataset


@pytest.fixture(scope="module")
def proof(pristine: Dataset) -> Proof:
    return proof_of(pristine, "a/b.txt", 0)


def proof_of(dataset: Dataset, path: str, upto: int) -> Proof:
    maker = dataset.maker
    chain = Chain.load(LocalStore(dataset.root), maker.dataset_id, dataset.bundles[upto], [maker.identity])
    found = chain.find(path)
    assert found is not None
    made = make_proof(*found)
    chain.close()
    return made


def changed(proof: Proof, **fields: object) -> Proof:
    return proof.model_copy(update=fields)


def test_a_proof_holds_by_the_word_of_its_signer(pristine: Dataset, proof: Proof) -> None:
    result = check_proof(proof, pristine.trust)
    assert (result.code, result.voucher, result.verdicts) == (0, "senum@dakar", [])


def test_a_delta_bundle_proves_what_it_brought(pristine: Dataset) -> None:
    proof = proof_of(pristine, "a/b.txt", 2)
    assert proof.bundle == pristine.bundles[1]
    assert check_proof(proof, pristine.trust).code == 0
    assert check_object(proof, [b"chan", b"ged"]) is None


def test_the_object_itself_is_compared(proof: Proof) -> None:
    assert check_object(proof, [b"hel", b"lo"]) is None
    for wrong in ([b"hellO"], [b"hello "], []):
        verdict = check_object(proof, wrong)
        assert verdict is not None
        assert (verdict.code, verdict.finding.kind) == (1, "altered")


def test_nobody_vouches_for_a_stranger(proof: Proof) -> None:
    assert check_proof(proof, Trust()).code == 3
    other = Trust(AllowedSigners.parse(Signer.generate().key.allowed_line("other")))
    result = check_proof(proof, other)
    assert (result.code, result.voucher) == (3, None)


def test_a_proof_signed_anew_by_a_stranger_is_a_strangers(pristine: Dataset, proof: Proof) -> None:
    forged = changed(proof, signature=Signer.generate().sign(proof.statement.encode()))
    assert check_proof(forged, pristine.trust).code == 3


def test_what_is_altered_does_not_lead_to_what_was_signed(pristine: Dataset, proof: Proof) -> None:
    wrong = [
        changed(proof, object=proof.object.model_copy(update={"path": "a/B.txt"})),
        changed(proof, object=proof.object.model_copy(update={"size": 6})),
        changed(proof, object=proof.object.model_copy(update={"sha256": "0" * 64})),
        changed(proof, object=proof.object.model_copy(update={"salt": "0" * 32})),
        changed(proof, index=1),
        changed(proof, tree_size=proof.tree_size + 1),
        changed(proof, audit_path=proof.audit_path[::-1]),
        changed(proof, audit_path=proof.audit_path[:-1]),
        changed(proof, audit_path=(*proof.audit_path, "0" * 64)),
    ]
    for each in wrong:
        result = check_proof(each, pristine.trust)
        assert (result.code, [verdict.finding.kind for verdict in result.verdicts]) == (1, ["altered"])


def test_an_altered_statement_is_a_wrong_signature(pristine: Dataset, proof: Proof) -> None:
    assert check_proof(changed(proof, statement=proof.statement + " "), pristine.trust).code == 6
    assert check_proof(changed(proof, signature="x"), pristine.trust).code == 6


def test_the_statement_of_another_bundle_proves_nothing(pristine: Dataset, proof: Proof) -> None:
    other = proof_of(pristine, "new", 2)
    swapped = changed(proof, statement=other.statement, signature=other.signature)
    assert check_proof(swapped, pristine.trust).code == 1
    assert check_proof(changed(proof, dataset="other"), pristine.trust).code == 1
