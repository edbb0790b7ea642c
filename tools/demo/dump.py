"""A database dump larger than a volume: rows as pg_dump writes them, the same in every run."""

import random
from pathlib import Path

SIZE = 150 << 20
"""Bytes, about: the dump ends with the first block that reaches it."""

_LINES = 2000
"""Lines of a block."""

_BLOCKS = 8
"""Blocks of different text; their rows are numbered on through the dump, so no two stretches of it are the same."""

_OPENING = """\
--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

COPY public.trackedentityattributevalue (id, uid, created, attribute, value, storedby) FROM stdin;
"""
_CLOSING = """\
\\.


--
-- PostgreSQL database dump complete
--
"""
_ATTRIBUTES = ("nom", "prenom", "village", "telephone", "tdr_paludisme", "poids_kg", "vaccin_fievre_jaune")
_CLERKS = ("a.diop", "f.sarr", "i.ouedraogo", "m.ba", "n.faye")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def write_dump(file: Path, size: int = SIZE, seed: int = 2024) -> None:
    """Write a dump of at least `size` bytes."""
    chance = random.Random(seed)  # noqa: S311 -- invented data, the same in every run
    blocks = [_block(chance) for _number in range(_BLOCKS)]
    number = 1
    with file.open("wb") as stream:
        stream.write(_OPENING.encode())
        while stream.tell() < size:
            stream.write(chance.choice(blocks) % tuple(range(number, number + _LINES)))
            number += _LINES
        stream.write(_CLOSING.encode())


def _block(chance: random.Random) -> bytes:
    """Return lines that lack only their row's number, which goes where `%09d` stands."""
    return b"".join(f"%09d\t{_row(chance)}\n".encode() for _line in range(_LINES))


def _row(chance: random.Random) -> str:
    uid = "".join(chance.choices(_LETTERS, k=11))
    day = f"20{chance.randrange(14, 25)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    moment = f"{day} {chance.randrange(7, 19):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
    attribute, clerk = chance.choice(_ATTRIBUTES), chance.choice(_CLERKS)
    return f"{uid}\t{moment}\t{attribute}\t{chance.randrange(10**7)}\t{clerk}"
