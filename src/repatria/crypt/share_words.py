"""The words of a share: from words to what they say (SLIP-0039), and which word is wrong.

Words are secret: errors give positions, counted from 1 as on the printed page, and never the words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import shamir_mnemonic
from shamir_mnemonic import rs1024
from shamir_mnemonic.constants import CUSTOMIZATION_STRING_EXTENDABLE, CUSTOMIZATION_STRING_ORIG
from shamir_mnemonic.wordlist import WORD_INDEX_MAP, WORDLIST

from repatria.crypt.errors import ShareError, ShareWordError
from repatria.i18n import _

WORDS = 33
"""Words of a share of 32 bytes."""

_STRINGS: tuple[bytes, bytes] = (CUSTOMIZATION_STRING_ORIG, CUSTOMIZATION_STRING_EXTENDABLE)
_CHECKSUM = 3
_WORD_BITS = 10
_UNIQUE = 4
"""The words of the list differ within their first four letters."""
_BEGINNINGS = {word[:_UNIQUE]: word for word in WORDLIST}


@dataclass(frozen=True, slots=True)
class Share:
    """One custodian's share; secret."""

    words: tuple[str, ...] = field(repr=False)
    identifier: int
    """Random, 15 bits, the same for all shares of a set; tells sets apart."""
    number: int
    """Counted from 1."""
    threshold: int
    """How many shares of the set give the key back."""
    group: tuple[int, ...]
    """What else all shares of a set have in common; another tool may have made them."""

    @property
    def mnemonic(self) -> str:
        """The words in one line; secret."""
        return " ".join(self.words)


def full_word(typed: str) -> str | None:
    """Return the word of the list that was typed, whole or its first four letters; None if there is none."""
    word = typed.strip().lower()
    if word in WORD_INDEX_MAP:
        return word
    return _BEGINNINGS.get(word) if len(word) == _UNIQUE else None


def read_share(typed: Sequence[str]) -> Share:
    """Return the share that 33 words are; ShareWordError says which of them is wrong."""
    words = tuple(full_word(word) for word in typed)
    unknown = [position for position, word in enumerate(words, 1) if word is None]
    if unknown:
        raise _unknown(unknown)
    if len(words) != WORDS:
        raise ShareWordError(
            _("A share has {wanted} words; {count} were given.").format(wanted=WORDS, count=len(words)),
            advice=_("Count along with the numbers on the page: a word is missing, or is there twice."),
        )
    return _checked(tuple(word for word in words if word is not None))


def _checked(words: tuple[str, ...]) -> Share:
    indices = [WORD_INDEX_MAP[word] for word in words]
    if not _adds_up(indices):
        raise _wrong_words(indices)
    try:
        share = shamir_mnemonic.Share.from_mnemonic(" ".join(words))
    except shamir_mnemonic.MnemonicError:  # its message begins with the words
        raise ShareError(
            _("The words are right, but they are no share that can be used."),
            advice=_("It was made by a program that does not follow SLIP-0039; join it with that program."),
        ) from None
    if share.group_threshold != 1:
        raise ShareError(
            _("This share belongs to a backup in several groups, which Repatria neither makes nor joins."),
            advice=_("Join it with the program that made it."),
        )
    common = (share.extendable, share.iteration_exponent, share.group_index, share.group_count)
    return Share(words, share.identifier, share.index + 1, share.member_threshold, tuple(map(int, common)))


def _unknown(positions: Sequence[int]) -> ShareWordError:
    shown = ", ".join(map(str, positions))
    if len(positions) == 1:
        message = _("Word {position} is not in the list of share words.").format(position=shown)
    else:
        message = _("Words {positions} are not in the list of share words.").format(positions=shown)
    return ShareWordError(
        message,
        advice=_("Compare with the page; the first four letters of a word are enough."),
        positions=positions,
    )


def _wrong_words(indices: Sequence[int]) -> ShareWordError:
    advice = _("Compare with the page, letter by letter.")
    single = sorted(set(_single_faults(indices)))
    if len(single) == 1:
        message = _("Word {position} is wrong: it is in the list, but the share's checksum does not allow it there.")
        return ShareWordError(message.format(position=single[0]), advice=advice, positions=single)
    swapped = list(_swapped_neighbours(indices))
    if len(swapped) == 1:
        first, second = swapped[0]
        message = _("Words {first} and {second} stand in each other's place.")
        return ShareWordError(message.format(first=first, second=second), advice=advice, positions=swapped[0])
    return ShareWordError(
        _("At least two words of this share are wrong: its checksum does not fit, and cannot tell which."),
        advice=advice,
    )


def _customization(indices: Sequence[int]) -> bytes:
    """Return what the checksum covers beside the words; the extendable flag, in the second word, chooses."""
    return _STRINGS[indices[1] >> 4 & 1]


def _adds_up(indices: Sequence[int]) -> bool:
    return bool(rs1024.verify_checksum(indices, _customization(indices)))


def _single_faults(indices: Sequence[int]) -> Iterator[int]:
    """Yield every position where another word would make the checksum fit.

    The code has distance 4: one wrong word is found for certain, and two never look like one. It is linear over
    GF(2), so the effect of each change is the XOR of the effects of its bits.
    """
    for string in _STRINGS:
        fault = _residual(indices, string)
        for position in range(len(indices)):
            change = _change_for(fault, _effects(position, len(indices)))
            mended = [*indices[:position], indices[position] ^ change, *indices[position + 1 :]]
            if change and _customization(mended) == string:
                yield position + 1


def _residual(indices: Sequence[int], string: bytes) -> int:
    """Return by what the checksum is off, as 30 bits; 0 if it fits."""
    data, checksum = indices[:-_CHECKSUM], indices[-_CHECKSUM:]
    return _packed(rs1024.create_checksum(data, string)) ^ _packed(checksum)


def _packed(indices: Sequence[int]) -> int:
    value = 0
    for index in indices:
        value = value << _WORD_BITS | index
    return value


def _effects(position: int, length: int) -> list[int]:
    """Return what each bit of the word at `position` changes in the residual."""
    nothing = _residual([0] * length, b"")
    changed = []
    for bit in range(_WORD_BITS):
        indices = [0] * length
        indices[position] = 1 << bit
        changed.append(_residual(indices, b"") ^ nothing)
    return changed


def _change_for(fault: int, effects: Sequence[int]) -> int:
    """Return the change of a word whose effect is `fault`; 0 if there is none."""
    reached = [0]
    for effect in effects:
        reached += [other ^ effect for other in reached]
    return reached.index(fault) if fault in reached else 0


def _swapped_neighbours(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    for first, second in pairwise(range(len(indices))):
        swapped = list(indices)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        if _adds_up(swapped):
            yield first + 1, second + 1
