"""The words of a language, as Tesseract's own trained data list them: what tells a word from a misread one.

A `.traineddata` file holds a word list as a graph (a DAWG: words that share a beginning share its edges, and so do
their ends). tesserocr gives no way to ask it, so it is read here, once a process: some hundred thousand edges of 8
bytes, nothing of them unpacked. Layout: Tesseract's `tessdatamanager.h`, `dawg.cpp` and `unicharset.cpp`.
"""

import array
import re
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

LEAST_LETTERS = 3
"""Of a run of letters that a lexicon is asked for; shorter ones say nothing."""
MOST_LETTERS = 64
"""Of a word that a list may hold; a longer run of letters is none."""
MOST_UNKNOWN = 0.4
"""Share of a text's words that a lexicon of its language may not know: names, rare forms, and what was misread."""
_WORD_GRAPH, _CHARACTERS = 19, 21
"""Places of `lstm-word-dawg` and `lstm-unicharset` in a file of trained data."""
_MOST_COMPONENTS = 256
_MAGIC = 42
_LAST, _BACKWARD, _WORD_END = 1, 2, 4
_FLAG_BITS = 3
_LETTERS = re.compile(r"[^\W\d_]+")


class Lexicon(Protocol):
    """Knows the words of one language or several."""

    def knows(self, word: str) -> bool:
        """Return whether a word without signs is one, written as it is or with other capitals."""

    def nearly_knows(self, word: str) -> bool:
        """Return whether a word would be one with one letter exchanged: then it was most likely misread."""


@dataclass(frozen=True, slots=True)
class WordGraphs:
    """The word lists of some languages; without any, no word is known."""

    graphs: tuple["WordGraph", ...] = ()

    @classmethod
    def of(cls, tessdata: Path, languages: Sequence[str]) -> "WordGraphs":
        """Read the word lists of trained data; a language without one that can be read is done without."""
        graphs = []
        for language in languages:
            with suppress(OSError, ValueError, struct.error):
                graphs.append(WordGraph.parsed((tessdata / f"{language}.traineddata").read_bytes()))
        return cls(tuple(graphs))

    def knows(self, word: str) -> bool:
        """See Lexicon."""
        return self._any(word, 0)

    def nearly_knows(self, word: str) -> bool:
        """See Lexicon."""
        return self._any(word, 1)

    def _any(self, word: str, exchanged: int) -> bool:
        spellings = dict.fromkeys((word, word.lower(), word.capitalize()))
        return any(graph.holds(spelling, exchanged) for graph in self.graphs for spelling in spellings)


@dataclass(frozen=True, slots=True)
class WordGraph:
    """One language's word list: edges by node, each node's beside one another, the first node at 0."""

    edges: Sequence[int]
    """Each a letter's number (the low bits), three flags, and the place of the next node's first edge."""
    letters: Mapping[str, int]
    flags_at: int
    """Bits of a letter's number."""

    @classmethod
    def parsed(cls, trained_data: bytes) -> "WordGraph":
        """Read the word list of trained data; ValueError or struct.error if there is none that can be understood."""
        parts = _components(trained_data)
        graph, characters = parts[_WORD_GRAPH], parts[_CHARACTERS]
        magic, signs, count = struct.unpack_from("<hii", graph)
        body = graph[struct.calcsize("<hii") :]
        if magic != _MAGIC or signs <= 0 or len(body) != 8 * count:
            raise ValueError("no word list")
        edges = array.array("Q", bytes(body))
        if sys.byteorder != "little":
            edges.byteswap()
        flags_at = signs.bit_length()  # numbers up to `signs` itself, which stands for none
        if any(edge >> flags_at + _FLAG_BITS >= count for edge in edges):
            raise ValueError("an edge leads nowhere")
        _require_nodes(edges, flags_at)
        return cls(edges, _letters(bytes(characters).decode()), flags_at)

    def holds(self, word: str, exchanged: int = 0) -> bool:
        """Return whether a word is in the list, or with exactly so many letters exchanged."""
        if len(word) > MOST_LETTERS:
            return False
        numbers = [self.letters.get(letter, self._none) for letter in word]
        return bool(numbers) and self._leads(0, numbers, 0, exchanged)

    @property
    def _none(self) -> int:
        """The number of no letter, and the bits that a letter's number takes."""
        return (1 << self.flags_at) - 1

    def _leads(self, node: int, numbers: Sequence[int], place: int, exchanged: int) -> bool:
        """Return whether the letters from `place` on lead from a node to the end of a word."""
        last = place == len(numbers) - 1
        for letter, is_end, following in self._of(node):
            left = exchanged - (letter != numbers[place])
            if left < 0:
                continue
            if (is_end and not left) if last else (following and self._leads(following, numbers, place + 1, left)):
                return True
        return False

    def _of(self, node: int) -> Iterator[tuple[int, bool, int]]:
        """Yield a node's edges: letter, whether a word ends with it, and the next node, 0 if there is none."""
        edges, flags_at, mask = self.edges, self.flags_at, self._none
        for place in range(node, len(edges)):
            edge = edges[place]
            flags = edge >> flags_at
            if not flags & _BACKWARD:
                yield edge & mask, bool(flags & _WORD_END), flags >> _FLAG_BITS
            if flags & _LAST:
                return


def runs_of_letters(text: str, least: int = LEAST_LETTERS) -> list[str]:
    """Return what of a text a lexicon can be asked for: `l'établissement` has one run, `1962` none."""
    return [run for run in _LETTERS.findall(text) if len(run) >= least]


def is_lexical(text: str, lexicon: Lexicon) -> bool:
    """Return whether a text has words, and all are known."""
    runs = runs_of_letters(text)
    return bool(runs) and all(map(lexicon.knows, runs))


def misread_share(texts: Sequence[str], lexicon: Lexicon, least: int = LEAST_LETTERS + 1) -> float:
    """Return the share of words that are none, but would be with one letter exchanged.

    Names and rare words are seldom so near to another word. 0 where too few words are known to tell: then the text is
    in another language.
    """
    runs = [run for text in texts for run in runs_of_letters(text, least)]
    unknown = [run for run in runs if not lexicon.knows(run)]
    if not runs or len(unknown) > MOST_UNKNOWN * len(runs):
        return 0.0
    return sum(map(lexicon.nearly_knows, unknown)) / len(runs)


def _components(data: bytes) -> Mapping[int, memoryview]:
    """Return the parts of a file of trained data that are there, by their places in its table."""
    (count,) = struct.unpack_from("<i", data)
    if not _CHARACTERS < count <= _MOST_COMPONENTS:
        raise ValueError("no trained data")
    begins = {place: at for place, at in enumerate(struct.unpack_from(f"<{count}q", data, 4)) if at >= 0}
    if not {_WORD_GRAPH, _CHARACTERS} <= begins.keys():
        raise ValueError("no word list")
    ends = dict(pairwise([*sorted(begins.values()), len(data)]))
    return {place: memoryview(data)[at : ends[at]] for place, at in begins.items()}


def _require_nodes(edges: Sequence[int], flags_at: int) -> None:
    """ValueError unless every node ends, and no two of its edges are of one letter: then one way alone spells a word.

    Tesseract writes no others. With equal edges, as many ways as their number to the power of the letters would do.
    """
    one_letter, last = (1 << flags_at) - 1 | _BACKWARD << flags_at, _LAST << flags_at
    seen: set[int] = set()
    for edge in edges:
        letter = edge & one_letter
        if letter in seen:
            raise ValueError("two edges of a node are of one letter")
        seen.add(letter)
        if edge & last:
            seen.clear()
    if seen:
        raise ValueError("a node has no end")


def _letters(text: str) -> Mapping[str, int]:
    """Return the number of each sign: after a line with their count, a line each, the sign its first word."""
    lines = text.splitlines()[1:]
    return {line.split(" ", 1)[0]: number for number, line in enumerate(lines)}
