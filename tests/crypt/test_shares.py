"""Shares: any threshold of them gives the key, one less does not, and whatever is mistyped is named."""

from itertools import combinations, pairwise
from random import Random

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.wordlist import WORDLIST

from repatria.crypt.errors import (
    KeyTextError,
    ShareError,
    ShareSetError,
    ShareWordError,
    TooFewSharesError,
    WrongKeyError,
)
from repatria.crypt.identity import ClassicIdentity, HybridIdentity, generate
from repatria.crypt.recipient import Kind, fingerprint
from repatria.crypt.share_words import WORDS, Share, full_word, read_share
from repatria.crypt.shares import (
    Joining,
    check_scheme,
    identity_of_kind,
    identity_with,
    join,
    parse_fingerprint,
    split,
)
from repatria.errors import CryptError

SECRET = bytes(range(32))
IDENTITY = ClassicIdentity(SECRET)
SHARES = split(IDENTITY, 5, 3)
QUICK = settings(max_examples=40, deadline=None)

schemes = st.integers(2, 16).flatmap(lambda shares: st.tuples(st.just(shares), st.integers(2, shares)))
shares = st.sampled_from(SHARES)
positions = st.integers(0, WORDS - 1)


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), schemes, st.randoms(use_true_random=False))
def test_any_threshold_of_shares_gives_the_key_and_one_less_does_not(
    secret: bytes, scheme: tuple[int, int], random: Random
) -> None:
    count, threshold = scheme
    made = split(ClassicIdentity(secret), count, threshold)
    assert [share.number for share in made] == list(range(1, count + 1))
    chosen = random.sample(made, threshold)
    assert join(chosen) == secret
    with pytest.raises(TooFewSharesError):
        join(chosen[1:])


def test_every_choice_of_three_of_five_gives_the_key() -> None:
    assert {join(some) for some in combinations(SHARES, 3)} == {SECRET}
    assert join(SHARES) == SECRET


@pytest.mark.parametrize("classic", [False, True])
def test_the_fingerprint_tells_which_kind_of_key_it_is(classic: bool) -> None:
    identity = generate(classic)
    back = identity_with(join(split(identity, 3, 2)[1:]), fingerprint(identity.recipient))
    assert back.secret_text() == identity.secret_text()


def test_another_fingerprint_is_refused_and_both_that_are_possible_named() -> None:
    hybrid, classic = HybridIdentity(SECRET), ClassicIdentity(SECRET)
    with pytest.raises(WrongKeyError) as refused:
        identity_with(SECRET, "0000-" * 7 + "0000")
    assert fingerprint(hybrid.recipient) in refused.value.advice
    assert fingerprint(classic.recipient) in refused.value.advice
    assert str(identity_of_kind(SECRET, Kind.HYBRID).recipient) == str(hybrid.recipient)
    assert str(identity_of_kind(SECRET, Kind.CLASSIC).recipient) == str(classic.recipient)


@pytest.mark.parametrize("scheme", [(5, 1), (1, 1), (3, 4), (17, 3), (0, 0), (5, -2)])
def test_schemes_that_protect_nothing_or_cannot_be_written(scheme: tuple[int, int]) -> None:
    with pytest.raises(ShareError):
        check_scheme(*scheme)


@QUICK
@given(shares, positions, st.sampled_from(WORDLIST))
def test_one_wrong_word_is_named(share: Share, position: int, word: str) -> None:
    words = list(share.words)
    if words[position] == word:
        return
    words[position] = word
    with pytest.raises(ShareWordError) as refused:
        read_share(words)
    assert refused.value.positions == (position + 1,)


@QUICK
@given(shares, positions, st.text(min_size=1, max_size=12))
def test_a_word_that_is_in_no_list_is_named(share: Share, position: int, typed: str) -> None:
    words = list(share.words)
    words[position] = typed
    if full_word(typed) is not None:
        return
    with pytest.raises(ShareWordError) as refused:
        read_share(words)
    assert refused.value.positions == (position + 1,)


@QUICK
@given(shares, st.integers(0, WORDS - 2))
def test_neighbours_that_were_swapped_are_named(share: Share, position: int) -> None:
    words = list(share.words)
    if words[position] == words[position + 1]:
        return
    words[position : position + 2] = reversed(words[position : position + 2])
    with pytest.raises(ShareWordError) as refused:
        read_share(words)
    assert refused.value.positions == (position + 1, position + 2)


@QUICK
@given(shares, st.sets(positions, min_size=2, max_size=2), st.randoms(use_true_random=False))
def test_two_wrong_words_are_refused_and_no_single_one_blamed(share: Share, wrong: set[int], random: Random) -> None:
    words = list(share.words)
    for position in wrong:
        words[position] = random.choice([word for word in WORDLIST if word != words[position]])
    with pytest.raises(ShareWordError) as refused:
        read_share(words)
    assert len(refused.value.positions) != 1


@QUICK
@given(shares, positions, st.booleans())
def test_a_missing_or_repeated_word_is_counted(share: Share, position: int, missing: bool) -> None:
    words = list(share.words)
    words[position : position + 1] = [] if missing else [words[position]] * 2
    with pytest.raises(ShareWordError, match=str(len(words))):
        read_share(words)


@QUICK
@given(shares)
def test_four_letters_in_any_case_are_enough(share: Share) -> None:
    assert read_share([word[:4].upper() for word in share.words]) == share


@QUICK
@given(shares, positions, st.text(min_size=1))
def test_nothing_that_is_said_repeats_a_word(share: Share, position: int, typed: str) -> None:
    words = list(share.words)
    words[position] = typed
    try:
        read_share(words)
    except ShareWordError as refused:
        said = f"{refused.message} {refused.advice} {refused!r}".lower()
        assert not [pair for pair in pairwise(share.words) if " ".join(pair) in said]
    assert not [pair for pair in pairwise(share.words) if all(word in repr(share) for word in pair)]


def test_shares_of_different_sets_never_join() -> None:
    other = split(IDENTITY, 5, 3)
    with pytest.raises(ShareSetError, match="of another set"):
        join([SHARES[0], SHARES[1], other[2]])


def test_a_share_given_twice_counts_once() -> None:
    joining = Joining()
    assert joining.wanted is None
    assert joining.add(SHARES[0])
    assert not joining.add(SHARES[0])
    assert joining.wanted == 2
    with pytest.raises(TooFewSharesError, match="1 more share is needed: only 1, 2"):
        join([SHARES[0], SHARES[0], SHARES[1]])
    with pytest.raises(TooFewSharesError, match="No share"):
        join([])


def false_share(number: int) -> Share:
    """Return a share whose words are right and that claims to be of the set."""
    true = shamir_mnemonic.Share.from_mnemonic(SHARES[number - 1].mnemonic)
    fields = {name: getattr(true, name) for name in true.__dataclass_fields__}
    return read_share(shamir_mnemonic.Share(**fields | {"value": bytes(32)}).words())


def test_a_false_share_is_noticed_and_named_where_the_others_can_tell() -> None:
    with pytest.raises(ShareSetError, match="do not fit together"):
        join([false_share(1), *SHARES[1:3]])
    with pytest.raises(ShareSetError, match="are false: 1"):
        join([false_share(1), *SHARES[1:4]])
    with pytest.raises(ShareSetError, match="bear the number 1"):
        join([false_share(1), *SHARES])


@pytest.mark.parametrize("extendable", [False, True])
def test_shares_made_by_the_library_alone_join(extendable: bool) -> None:
    ((*mnemonics,),) = shamir_mnemonic.generate_mnemonics(1, [(3, 5)], SECRET, extendable=extendable)
    assert join(read_share(mnemonic.split()) for mnemonic in mnemonics[2:]) == SECRET


def test_the_library_alone_joins_what_is_made_here() -> None:
    assert shamir_mnemonic.combine_mnemonics([share.mnemonic for share in SHARES[1:4]]) == SECRET


def test_shares_of_other_schemes_are_refused_by_name() -> None:
    groups = shamir_mnemonic.generate_mnemonics(2, [(1, 1), (2, 3)], SECRET)
    with pytest.raises(ShareError, match="several groups"):
        read_share(groups[0][0].split())
    ((short,),) = shamir_mnemonic.generate_mnemonics(1, [(1, 1)], SECRET[:16])
    with pytest.raises(ShareWordError, match="20 were given"):
        read_share(short.split())


@pytest.mark.parametrize("text", ["0123-4567-89AB-cdef-0123-4567-89ab-cdef", "0123456789abcdef 0123456789abcdef\n"])
def test_a_fingerprint_however_it_is_typed(text: str) -> None:
    assert parse_fingerprint(text) == "0123-4567-89ab-cdef-0123-4567-89ab-cdef"


@pytest.mark.parametrize("text", ["", "0123", "g123-4567-89ab-cdef-0123-4567-89ab-cdef", "0123-4567-89ab-cdef-" * 3])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(KeyTextError):
        parse_fingerprint(text)


@given(st.lists(st.text(max_size=10), max_size=40))
def test_any_words_at_all_are_a_share_or_an_error_of_ours(words: list[str]) -> None:
    with pytest.raises(CryptError):
        read_share(words)
