"""What those who only read a chain (`ls`, `cat`, `restore`) should know of it before they rely on it."""

from collections.abc import Iterator

from repatria.bundle.chain import Chain
from repatria.verify.chain import check_head, check_signer
from repatria.verify.report import Verdict
from repatria.verify.seen import Seen
from repatria.verify.trust import Trust


def doubts(chain: Chain, trust: Trust, *, whole: bool) -> Iterator[Verdict]:
    """Yield that nobody vouches for a signer, and that bundles seen before are gone; statements are fetched, no more.

    `whole` is true where the chain was loaded without naming its end.
    """
    line = [
        Seen(bundle.dataset_id, bundle.bundle_id, bundle.statement, bundle.statement_sha256, bundle.signing_key)
        for bundle in chain.bundles
    ]
    yield from check_head(line, trust, None, whole=whole)
    for seen in line:
        yield from check_signer(seen, trust)
