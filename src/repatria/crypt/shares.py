"""Custodians' shares of an identity: splitting, and joining with every share checked.

A share holds 32 secret bytes' worth and no more; which kind of key they make is told by the fingerprint of its
recipient, printed beside the words (docs/adr/shares.md).
"""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

import shamir_mnemonic

from repatria.crypt import bech32
from repatria.crypt.errors import KeyTextError, SchemeError, ShareError, ShareSetError, TooFewSharesError, WrongKeyError
from repatria.crypt.identity import ClassicIdentity, HybridIdentity, Identity
from repatria.crypt.recipient import Kind, fingerprint
from repatria.crypt.share_words import Share, read_share
from repatria.i18n import _, ngettext

MAX_SHARES = 16
"""The number of a share has four bits."""


def check_scheme(shares: int, threshold: int) -> None:
    """Raise SchemeError unless a key can be split so: 2 <= threshold <= shares <= 16."""
    if not 2 <= threshold <= shares <= MAX_SHARES:
        raise SchemeError(
            _("A key cannot be split into {shares} shares of which {threshold} are needed.").format(
                shares=shares, threshold=threshold
            ),
            advice=_("At least 2 must be needed, at most all, and there can be {most} shares: 3 of 5 is usual.").format(
                most=MAX_SHARES
            ),
        )


def split(identity: Identity, shares: int, threshold: int) -> tuple[Share, ...]:
    """Return shares of which any `threshold` give the identity back, and fewer tell nothing.

    Every share has been joined with others to the same secret before this returns.
    """
    check_scheme(shares, threshold)
    secret = _secret_of(identity)
    # There is no passphrase, so there is nothing that iterations would protect.
    (mnemonics,) = shamir_mnemonic.generate_mnemonics(1, [(threshold, shares)], secret, iteration_exponent=0)
    made = tuple(read_share(mnemonic.split()) for mnemonic in mnemonics)
    for start in range(shares):
        if join([made[(start + step) % shares] for step in range(threshold)]) != secret:
            raise ShareError(_("The shares that were made do not give the key back; nothing was written."))
    return made


def _secret_of(identity: Identity) -> bytes:
    _prefix, secret = bech32.decode(identity.secret_text())
    return secret


class Joining:
    """Shares as they come in, until there are enough."""

    def __init__(self) -> None:
        self._shares: dict[int, Share] = {}

    @property
    def shares(self) -> tuple[Share, ...]:
        """What was taken so far."""
        return tuple(self._shares.values())

    @property
    def wanted(self) -> int | None:
        """How many more shares are needed; None before the first one, which tells."""
        threshold = next((share.threshold for share in self._shares.values()), None)
        return None if threshold is None else max(0, threshold - len(self._shares))

    def add(self, share: Share) -> bool:
        """Take a share; False if it is there already, ShareSetError if it does not belong to the others."""
        for other in self._shares.values():
            if _set_of(share) != _set_of(other):
                raise ShareSetError(
                    _("Share {number} is of another set: set {its}, and the others are of set {theirs}.").format(
                        number=share.number, its=share.identifier, theirs=other.identifier
                    ),
                    advice=_("Shares from different splittings never join, even of the same key: compare the pages."),
                )
        known = self._shares.get(share.number)
        if known is not None and known.words != share.words:
            raise ShareSetError(
                _("Two shares bear the number {number} and differ: one of them is false.").format(number=share.number),
                advice=_("Take the share from its sealed page."),
            )
        self._shares[share.number] = share
        return known is None


def _set_of(share: Share) -> tuple[int, ...]:
    return (share.identifier, share.threshold, *share.group)


def join(shares: Iterable[Share]) -> bytes:
    """Return the 32 secret bytes that the shares give; secret.

    Shares beyond the threshold are not ignored: each must give the same bytes. TooFewSharesError, ShareSetError.
    """
    joining = Joining()
    for share in shares:
        joining.add(share)
    _refuse_too_few(joining)
    taken = joining.shares
    threshold = taken[0].threshold
    found = _agreeing(taken, threshold)
    if found is None:
        raise ShareSetError(
            _("The shares do not fit together: at least one of them is false, although its words are right."),
            advice=_("Join with other shares of the same set; the one that never fits is the false one."),
        )
    good, secret = found
    false = [share.number for share in taken if share not in good and _combined([share, *good[1:]]) != secret]
    if false:
        raise ShareSetError(
            _("These shares do not fit the others, and are false: {numbers}.").format(
                numbers=", ".join(map(str, false))
            ),
            advice=_("The other shares are enough: join them without it, and find out where it comes from."),
        )
    return secret


def _refuse_too_few(joining: Joining) -> None:
    missing = joining.wanted
    if missing is None:
        raise TooFewSharesError(
            _("No share was given."), advice=_("Give share files, or type the words of each page at a terminal.")
        )
    if missing:
        numbers = ", ".join(str(share.number) for share in joining.shares)
        message = ngettext(
            "{count} more share is needed: only {numbers} of set {set} were given.",
            "{count} more shares are needed: only {numbers} of set {set} were given.",
            missing,
        )
        raise TooFewSharesError(
            message.format(count=missing, numbers=numbers, set=joining.shares[0].identifier),
            advice=_("Call another custodian: fewer shares than the threshold tell nothing about the key."),
        )


def _agreeing(shares: Sequence[Share], threshold: int) -> tuple[list[Share], bytes] | None:
    """Return the first combination whose own digest is right, and what it gives."""
    for some in combinations(shares, threshold):
        secret = _combined(some)
        if secret is not None:
            return list(some), secret
    return None


def _combined(shares: Iterable[Share]) -> bytes | None:
    try:
        return bytes(shamir_mnemonic.combine_mnemonics(share.mnemonic for share in shares))
    except shamir_mnemonic.MnemonicError:
        return None


def identities_of(secret: bytes) -> tuple[Identity, Identity]:
    """Return both keys that 32 secret bytes can be: hybrid and classical."""
    return HybridIdentity(secret), ClassicIdentity(secret)


def identity_with(secret: bytes, wanted: str) -> Identity:
    """Return the key that has this fingerprint; WrongKeyError if neither kind has it."""
    for identity in identities_of(secret):
        if fingerprint(identity.recipient) == wanted:
            return identity
    hybrid, classic = (fingerprint(identity.recipient) for identity in identities_of(secret))
    raise WrongKeyError(
        _("The shares give a key back, but its fingerprint is not {wanted}.").format(wanted=wanted),
        advice=_(
            "Compare with the page. As a hybrid key, theirs would be {hybrid}; as a classical one, {classic}."
        ).format(hybrid=hybrid, classic=classic),
    )


def identity_of_kind(secret: bytes, kind: Kind) -> Identity:
    """Return the key of that kind, for want of a fingerprint to compare."""
    hybrid, classic = identities_of(secret)
    return classic if kind is Kind.CLASSIC else hybrid


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint in its written form, however its digits were grouped; KeyTextError if it is none."""
    digits = re.sub(r"[\s-]", "", text).lower()
    if not re.fullmatch("[0-9a-f]{32}", digits):
        raise KeyTextError(
            _("A fingerprint has eight groups of four digits or letters from a to f."),
            advice=_("Copy it whole from the page, or give the .pub file with --recipient."),
        )
    return "-".join(digits[start : start + 4] for start in range(0, 32, 4))
