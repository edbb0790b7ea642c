"""The words of a language, out of Tesseract's trained data."""

import shutil
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.errors import UsageError
from repatria.ocr.engine import choose_engine
from repatria.ocr.lexicon import MOST_LETTERS, WordGraph, WordGraphs, is_lexical, misread_share

LETTERS = "abcdé"
WORDS = st.sets(st.text(LETTERS, min_size=1, max_size=5), min_size=1, max_size=12)
LAST, WORD_END = 1, 4


def edge(letter: int, flags: int, following: int = 0, letters: str = LETTERS) -> int:
    """Return an edge of a graph."""
    return letter | (flags | following << 3) << len(letters).bit_length()


def with_graph(edges: Sequence[int], letters: str = LETTERS) -> bytes:
    """Return trained data whose word list has these edges."""
    graph = struct.pack(f"<hii{len(edges)}Q", 42, len(letters), len(edges), *edges)
    characters = "\n".join([str(len(letters)), *(f"{letter} 3 and more" for letter in letters)]).encode()
    return _file({19: graph, 21: characters})


def trained_data(words: Iterable[str], letters: str = LETTERS) -> bytes:
    """Return trained data with a word list and nothing else: a tree of edges, not folded as Tesseract's is."""
    numbers = {letter: number for number, letter in enumerate(letters)}
    nodes: list[dict[str, int]] = [{}]
    ends = set()
    for word in words:
        node = 0
        for letter in word:
            if letter not in nodes[node]:
                nodes[node][letter] = len(nodes)
                nodes.append({})
            ends_here = (node, letter)
            node = nodes[node][letter]
        ends.add(ends_here)
    begins, place = {}, 0
    for number, node_edges in enumerate(nodes):
        begins[number] = place if node_edges else 0
        place += len(node_edges)
    edges = [
        edge(
            numbers[letter],
            (WORD_END if (number, letter) in ends else 0) | (LAST if left == 1 else 0),
            begins[following],
            letters,
        )
        for number, node_edges in enumerate(nodes)
        for left, (letter, following) in zip(range(len(node_edges), 0, -1), node_edges.items(), strict=True)
    ]
    return with_graph(edges, letters)


def _file(parts: dict[int, bytes]) -> bytes:
    at, table, bodies = 4 + 24 * 8, [-1] * 24, b""
    for place, body in parts.items():
        table[place] = at + len(bodies)
        bodies += body
    return struct.pack("<i24q", 24, *table) + bodies


def lexicon(*words: str) -> WordGraphs:
    return WordGraphs((WordGraph.parsed(trained_data(words, "".join(sorted(set("".join(words)))))),))


def exchanged(word: str) -> set[str]:
    return {word[:at] + letter + word[at + 1 :] for at in range(len(word)) for letter in LETTERS if letter != word[at]}


@given(WORDS, st.text(LETTERS + "x", max_size=6))
def test_a_word_list_holds_its_words_and_no_other(words: set[str], other: str) -> None:
    graph = WordGraph.parsed(trained_data(words))
    assert all(map(graph.holds, words))
    assert graph.holds(other) == (other in words)


@given(WORDS, st.text(LETTERS, min_size=1, max_size=6))
def test_one_letter_off_is_just_that(words: set[str], other: str) -> None:
    graph = WordGraph.parsed(trained_data(words))
    assert graph.holds(other, exchanged=1) == bool(exchanged(other) & words)


@given(st.data())
def test_what_is_no_trained_data_is_done_without(draw: st.DataObject) -> None:
    data = bytearray(trained_data(["abc", "abd"]))
    for _change in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    try:
        graph = WordGraph.parsed(bytes(data[:cut]))
    except (ValueError, struct.error):
        return
    graph.holds("abc")
    graph.holds("abc", exchanged=1)


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([edge(0, 0, 1), *[edge(0, WORD_END, 1)] * 2000, edge(1, LAST)], id="equal edges"),
        pytest.param([edge(0, LAST, 1), edge(0, WORD_END), edge(1, WORD_END)], id="a node without an end"),
        pytest.param([edge(0, LAST, 2), edge(1, LAST)], id="an edge that leads nowhere"),
    ],
)
def test_a_graph_that_could_be_searched_for_ever_is_none(edges: list[int]) -> None:
    with pytest.raises(ValueError, match=r"edge|node"):
        WordGraph.parsed(with_graph(edges))


def test_in_a_graph_that_leads_in_circles_a_long_run_of_letters_is_no_word() -> None:
    graph = WordGraph.parsed(with_graph([edge(1, LAST, 1), edge(0, LAST | WORD_END, 1)]))
    assert graph.holds("b" + "a" * (MOST_LETTERS - 1))
    for length in (MOST_LETTERS, 2000, 100_000):
        assert not graph.holds("b" + "a" * length)
        assert not graph.holds("b" + "a" * length, exchanged=1)


@pytest.mark.parametrize("language", ["fra", "ara", "eng"])
def test_the_trained_data_of_tesseract_have_a_list(language: str) -> None:
    try:
        tessdata = Path(choose_engine([language]).tessdata)
    except UsageError as error:
        pytest.skip(error.message)
    assert len(WordGraphs.of(tessdata, [language]).graphs) == 1


def test_a_language_without_a_list_knows_no_word(tmp_path: Path) -> None:
    (tmp_path / "old.traineddata").write_bytes(_file({0: b"from before neural networks"}))
    known = WordGraphs.of(tmp_path, ["old", "missing"])
    assert not known.knows("mot")
    assert not known.nearly_knows("mot")
    assert misread_share(["mots", "inconnus"], known) == 0


def test_the_trained_data_of_french_hold_what_tesseract_itself_lists(tmp_path: Path) -> None:
    if not (shutil.which("combine_tessdata") and shutil.which("dawg2wordlist")):
        pytest.skip("Tesseract's training tools (tesseract-ocr) are not installed")
    try:
        tessdata = Path(choose_engine(["fra"]).tessdata)
    except UsageError as error:
        pytest.skip(error.message)
    for command in (
        ["combine_tessdata", "-u", str(tessdata / "fra.traineddata"), "fra."],
        ["dawg2wordlist", "fra.lstm-unicharset", "fra.lstm-word-dawg", "words"],
    ):
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    words = (tmp_path / "words").read_text(encoding="utf-8").split("\n")[:-1]
    known = WordGraphs.of(tessdata, ["fra"])
    assert len(words) > 10_000
    assert all(map(known.graphs[0].holds, words))
    assert not any(map(known.knows, ["nersonnel", "ensembie", "hônital", "", "œ̃"]))


@pytest.mark.parametrize("word", ["hôpital", "Hôpital", "HÔPITAL"])
def test_capitals_make_no_other_word(word: str) -> None:
    assert lexicon("hôpital").knows(word)


@pytest.mark.parametrize(
    ("text", "lexical"),
    [("l'hôpital,", True), ("l'hônital", False), ("1962", False), ("à", False), ("(hôpital)", True)],
)
def test_signs_and_short_words_are_left_out(text: str, *, lexical: bool) -> None:
    assert is_lexical(text, lexicon("hôpital", "là")) == lexical


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (["le", "personnel", "soignant"], 0.0),
        (["nersonnel", "soignant", "personnel", "soignant"], 0.25),
        (["personnel", "soignant", "Ouagadougou"], 0.0),  # a name, not a misread word
        (["health", "workers", "of", "the", "nersonnel"], 0.0),  # another language
        (["12", "34"], 0.0),
    ],
)
def test_how_much_was_misread(text: Sequence[str], share: float) -> None:
    assert misread_share(text, lexicon("personnel", "soignant")) == share
