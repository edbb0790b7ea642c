"""What those who only read a chain (`ls`, `cat`, `restore`) should know of it before they rely on it."""

from collections.abc import Iterator
from contextlib import suppress

from repatria.bundle.chain import Chain
from repatria.bundle.reader import Bundle
from repatria.errors import CryptError, NotFoundError
from repatria.verify.chain import bases_finished, check_head, check_signer
from repatria.verify.report import Verdict
from repatria.verify.rewrapping import unfinished
from repatria.verify.seen import Seen
from repatria.verify.trust import Trust


def doubts(chain: Chain, trust: Trust, *, whole: bool) -> Iterator[Verdict]:
    """Yield that nobody vouches for a signer, and that bundles seen before are gone; statements are fetched, no more.

    `whole` is true where the chain was loaded without naming its end.
    """
    if chain.is_being_rewrapped:
        yield unfinished(chain.head.dataset_id)
    yield from line_doubts(chain, trust, whole=whole)


def line_doubts(chain: Chain, trust: Trust, *, whole: bool) -> Iterator[Verdict]:
    """Yield the same but for a change of recipients that is under way."""
    line = [_seen(bundle, trust) for bundle in chain.bundles]
    yield from check_head(line, trust, None, whole=whole)
    times = bases_finished(line)
    for seen in line:
        yield from check_signer(seen, trust, times[seen.bundle_id])


def _seen(bundle: Bundle, trust: Trust) -> Seen:
    """Return a bundle as its statement shows it, with the earlier ones where one of those is the one remembered."""
    known = trust.remembered
    earlier: tuple[str, ...] = ()
    if known and known.bundle == bundle.bundle_id and known.statement_sha256 != bundle.statement_sha256:
        with suppress(CryptError, NotFoundError):
            earlier = bundle.earlier_statements
    return Seen(
        bundle.dataset_id,
        bundle.bundle_id,
        bundle.statement,
        bundle.statement_sha256,
        bundle.signing_key,
        earlier=earlier,
    )
