"""Bech32 (BIP 173) without its limit of 90 characters, as age's keys use it."""

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE_OF = {character: value for value, character in enumerate(ALPHABET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expanded(prefix: str) -> list[int]:
    codes = [ord(character) for character in prefix]
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _regroup(values: bytes | list[int], width: int, new_width: int, *, pad: bool) -> list[int]:
    """Cut a run of `width`-bit numbers into `new_width`-bit ones; without `pad` only a few zero bits may be left."""
    groups: list[int] = []
    held = bits = 0
    for value in values:
        held = held << width | value
        bits += width
        while bits >= new_width:
            bits -= new_width
            groups.append(held >> bits & (1 << new_width) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        groups.append(held << new_width - bits)
    elif not pad and (bits >= width or held):
        raise ValueError("padding is not zero")
    return groups


def encode(prefix: str, data: bytes) -> str:
    """Return `data` in lower case under a lower-case `prefix`."""
    values = _regroup(data, 8, 5, pad=True)
    checksum = _polymod(_expanded(prefix) + values + [0] * _CHECKSUM_LENGTH) ^ 1
    values += [checksum >> 5 * (5 - position) & 31 for position in range(_CHECKSUM_LENGTH)]
    return prefix + "1" + "".join(ALPHABET[value] for value in values)


def decode(text: str) -> tuple[str, bytes]:
    """Return the prefix, in lower case, and the data; ValueError says what is wrong, without the text itself."""
    if text != text.lower() and text != text.upper():
        raise ValueError("upper and lower case are mixed")
    text = text.lower()
    prefix, separator, data = text.rpartition("1")
    if not separator or not prefix or len(data) < _CHECKSUM_LENGTH:
        raise ValueError("no prefix or no checksum")
    if not all("!" <= character <= "~" for character in prefix):
        raise ValueError("a character that cannot stand in a prefix")
    if any(character not in _VALUE_OF for character in data):
        raise ValueError("a character that is not of the Bech32 alphabet")
    values = [_VALUE_OF[character] for character in data]
    if _polymod(_expanded(prefix) + values) != 1:
        raise ValueError("the checksum is wrong")
    return prefix, bytes(_regroup(values[:-_CHECKSUM_LENGTH], 5, 8, pad=False))
