"""The rules by which bundles form a chain, and by which a signer is known: no IO."""

from collections.abc import Iterator, Sequence

from repatria.i18n import _
from repatria.verify.report import Verdict, altered, missing, unexpected, unverifiable
from repatria.verify.seen import Seen
from repatria.verify.trust import Trust


def line_of(finished: Sequence[Seen], upto: str | None, trust: Trust) -> list[Seen]:
    """Return the bundles that stand or fall together, the oldest first.

    The line ends with `upto`, else with the latest bundle that descends from the head remembered, else with the latest.
    Where a statement is not authentic or its base is gone, the bundle before it by name is taken for its base, so that
    all are looked at.
    """
    by_id = {seen.bundle_id: seen for seen in finished}
    ends = [upto] if upto else sorted(by_id, reverse=True)
    lines = [_line_to(by_id, end) for end in ends]
    known = trust.remembered
    if known is not None and not upto:
        for line in lines:
            if any(_is(seen, known.bundle, known.statement_sha256) for seen in line):
                return line
    return lines[0] if lines else []


def _line_to(by_id: dict[str, Seen], end: str) -> list[Seen]:
    line = [by_id[end]]
    while (base := _base_of(line[-1], by_id)) is not None:
        line.append(base)
    return line[::-1]


def _base_of(seen: Seen, by_id: dict[str, Seen]) -> Seen | None:
    previous = seen.genuine.previous if seen.genuine else None
    if seen.genuine is not None and previous is None:
        return None
    if previous is not None and previous.bundle in by_id:
        return by_id[previous.bundle] if previous.bundle < seen.bundle_id else None
    before = min(seen.bundle_id, previous.bundle) if previous else seen.bundle_id
    earlier = [bundle_id for bundle_id in by_id if bundle_id < before]
    return by_id[max(earlier)] if earlier else None


def check_links(
    line: Sequence[Seen], finished: Sequence[Seen], upto: str | None, *, being_rewrapped: bool = False
) -> Iterator[Verdict]:
    """Yield what is wrong with how the bundles follow each other: replays, missing bases, forks, numbers used twice.

    A change of recipients goes on to the head, so every bundle names its base by the statement that this has now;
    only while one is under way (`being_rewrapped`) may it be one that was replaced.
    """
    known = {seen.bundle_id: seen for seen in finished}
    for seen in line:
        yield from check_name(seen)
        yield from _check_base(seen, known, being_rewrapped=being_rewrapped)
    in_line = {seen.bundle_id for seen in line}
    for seen in finished:
        if seen.bundle_id not in in_line and (upto is None or seen.bundle_id <= upto):
            yield from check_name(seen)
            if seen.genuine is not None:
                yield _fork(seen, line)
            else:
                yield unexpected(seen.bundle_id, _("It stands outside the chain, and is not authentic."))


def check_name(seen: Seen) -> Iterator[Verdict]:
    """Yield that an authentic statement is that of another bundle."""
    statement = seen.statement
    if statement is not None and seen.genuine is None:
        yield unexpected(
            seen.bundle_id,
            _(
                "What lies here is the bundle {dataset}/{bundle}, moved or copied: a replay. "
                "A copy must lie in folders of these very names: {dataset}/{bundle}."
            ).format(dataset=statement.dataset.id, bundle=statement.bundle),
        )


def _check_base(seen: Seen, known: dict[str, Seen], *, being_rewrapped: bool) -> Iterator[Verdict]:
    statement = seen.genuine
    if statement is None or statement.previous is None:
        return
    previous = statement.previous
    base = known.get(previous.bundle)
    if base is None:
        yield missing(
            previous.bundle,
            _("The bundle {bundle} builds on it. Bring it back from a second copy.").format(bundle=seen.bundle_id),
        )
    elif not base.stands_for(previous.sha256) or previous.bundle >= seen.bundle_id:
        yield altered(previous.bundle, _("It is not the bundle that {bundle} builds on.").format(bundle=seen.bundle_id))
    elif not being_rewrapped and previous.sha256 != base.statement_sha256:
        yield altered(
            previous.bundle,
            _("Its recipients were changed behind {bundle}, which builds on it: no such change ends so.").format(
                bundle=seen.bundle_id
            ),
        )
    elif base.genuine is not None and statement.objects.first < base.genuine.objects.next:
        yield altered(
            seen.bundle_id, _("It uses object numbers that the bundle {base} has used.").format(base=previous.bundle)
        )


def _fork(seen: Seen, line: Sequence[Seen]) -> Verdict:
    previous = seen.genuine.previous if seen.genuine else None
    if previous is None:
        return unexpected(seen.bundle_id, _("It begins a second chain of the same dataset: a fork."))
    rivals = (
        other.bundle_id
        for other in line
        if other.genuine and other.genuine.previous and other.genuine.previous.bundle == previous.bundle
    )
    rival = next(rivals, None)
    if rival is None:
        return unexpected(seen.bundle_id, _("It is authentic but stands outside the chain: a fork."))
    return unexpected(
        seen.bundle_id,
        _("It and {rival} both follow {base}: the chain forks, and one of them is not meant to be.").format(
            rival=rival, base=previous.bundle
        ),
    )


def check_head(line: Sequence[Seen], trust: Trust, expected: str | None, *, whole: bool) -> Iterator[Verdict]:
    """Yield what says that newer bundles were dropped or replaced: the head remembered, and the head that is expected.

    `whole` is true where the line ends with the dataset's head; an earlier end may rightly lack the head remembered.
    """
    known = trust.remembered
    due = known is not None and (whole or known.bundle <= line[-1].bundle_id)
    if known is not None and due and not any(_is(seen, known.bundle, known.statement_sha256) for seen in line):
        if any(seen.bundle_id == known.bundle for seen in line):
            yield altered(known.bundle, _("It is not the bundle that was seen from here before."))
        else:
            yield missing(
                known.bundle,
                _("It was seen from here before: a newer bundle was removed. Bring it back from a second copy."),
            )
    if expected is not None and not any(seen.stands_for(expected) for seen in line):
        yield missing(
            _("the head {hash}").format(hash=expected),
            _("No bundle of this chain has that statement: a newer bundle was removed or replaced."),
        )


def bases_finished(line: Sequence[Seen]) -> dict[str, str]:
    """Return when the latest of the bundles before each was finished, by their statements; empty for the first."""
    latest = ""
    times = {}
    for seen in line:
        times[seen.bundle_id] = latest
        if seen.genuine is not None:
            latest = max(latest, seen.genuine.finished)
    return times


def check_signer(seen: Seen, trust: Trust, base_finished: str = "") -> Iterator[Verdict]:
    """Yield that nobody vouches for a bundle's signer; `base_finished` as in `Trust.voucher`."""
    if seen.statement is None or seen.key is None or trust.voucher(seen.key, seen.statement, base_finished):
        return
    known = trust.remembered
    if known is not None and known.signer and trust.is_first_sight:
        detail = _(
            "It is signed by {key}, the latest bundle by {known}; this machine has seen neither before. If both may"
            " sign, name both with --signers, or with signers in repatria.toml."
        ).format(key=seen.key.fingerprint, known=known.signer)
    elif known is not None and known.signer:
        detail = _(
            "It is signed by {key}; when last seen from here, the dataset was signed by {known}. If both may sign, name"
            " both with --signers, or with signers in repatria.toml."
        ).format(key=seen.key.fingerprint, known=known.signer)
    else:
        detail = _(
            "Nobody vouches for the key {key} that signed it. Name those who may sign with --signers, or with signers"
            " in repatria.toml."
        ).format(key=seen.key.fingerprint)
    yield unverifiable(seen.bundle_id, detail)


def _is(seen: Seen, bundle_id: str, statement_sha256: str) -> bool:
    return seen.bundle_id == bundle_id and seen.stands_for(statement_sha256)
