"""The rules by which the proof of one object holds: what anyone can check without a key."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from repatria.bundle.proof import Proof
from repatria.i18n import _
from repatria.verify.chain import check_name, check_signer
from repatria.verify.report import Verdict, altered, worst_code
from repatria.verify.seen import Seen, authenticated
from repatria.verify.trust import Trust


@dataclass(slots=True)
class ProofResult:
    """What a proof shows."""

    seen: Seen
    """The statement in it, and who signed that."""
    voucher: str | None = None
    """Who the signer is, and by whose word; None if nobody vouches for it."""
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The worst code of the verdicts."""
        return worst_code(self.verdicts)


def check_proof(proof: Proof, trust: Trust) -> ProofResult:
    """Judge signature, signer and audit path; the object itself is judged by `check_object`."""
    given = Seen(proof.dataset, proof.bundle)
    seen = authenticated(given, proof.statement.encode("utf-8", "surrogatepass"), proof.signature.encode())
    result = ProofResult(seen, verdicts=[*seen.verdicts, *check_name(seen), *check_signer(seen, trust)])
    if seen.statement is not None and seen.key is not None:
        result.voucher = trust.voucher(seen.key, seen.statement)
    if seen.genuine is not None and not proof.leads_to(seen.genuine):
        result.verdicts.append(
            altered(
                _("proof"), _("It does not lead to what was signed: no object of that name and those bytes is proven.")
            )
        )
    return result


def check_object(proof: Proof, chunks: Iterable[bytes]) -> Verdict | None:
    """Return what is wrong where the bytes are not those of the object proven."""
    size = 0
    digest = hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
    if (size, digest.hexdigest()) == (proof.object.size, proof.object.sha256):
        return None
    return altered(_("object"), _("The file is not the object proven: its bytes are others."), path=proof.object.name)
