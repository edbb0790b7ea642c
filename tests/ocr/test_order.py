"""Tables are read row by row, text in columns column by column."""

from repatria.ocr.order import in_reading_order
from repatria.ocr.words import PageText, Word
from tests.ocr.making import word

ROWS = [("Diop", "Awa", "1949"), ("Fall", "Moussa", "1951"), ("Ndiaye", "Fatou", "1950"), ("Sow", "Ali", "1948")]


def table_by_columns() -> list[Word]:
    """Return a register as engines read it: column after column, each a block."""
    return [
        word(
            row[column],
            (400 * column, 60 * number, 400 * column + 200, 60 * number + 40),
            line=4 * column + number,
            block=column,
        )
        for column in range(3)
        for number, row in enumerate(ROWS)
    ]


def text_of(words: tuple[Word, ...]) -> str:
    return PageText(1, 1200, 400, 150.0, words=words).text


def columns_of_text() -> list[Word]:
    """Return two columns of six lines of five words."""
    return [
        word(
            f"{column}{line}{place}",
            (600 * column + 100 * place, 60 * line, 600 * column + 100 * place + 80, 60 * line + 40),
            line=6 * column + line,
            block=column,
        )
        for column in range(2)
        for line in range(6)
        for place in range(5)
    ]


def test_a_register_is_read_row_by_row() -> None:
    assert (
        text_of(in_reading_order(table_by_columns()))
        == "Diop Awa 1949\nFall Moussa 1951\nNdiaye Fatou 1950\nSow Ali 1948\n"
    )


def test_an_arabic_register_is_read_from_the_right() -> None:
    names = [("محمد", "سنة", "ولد")] * 4
    words = [
        word(
            row[column],
            (400 * column, 60 * number, 400 * column + 200, 60 * number + 40),
            line=4 * column + number,
            block=column,
        )
        for column in range(3)
        for number, row in enumerate(names)
    ]
    assert text_of(in_reading_order(words)).split("\n")[0] == "ولد سنة محمد"


def test_columns_of_text_stay_columns() -> None:
    words = columns_of_text()
    assert in_reading_order(words) == tuple(words)


def test_a_letter_stays_as_it_was_read() -> None:
    words = [word(f"mot{place}", (100 * place, 0, 100 * place + 80, 40)) for place in range(8)]
    assert in_reading_order(words) == tuple(words)
    assert in_reading_order([]) == ()


def test_no_word_is_lost_or_changed_but_in_its_place() -> None:
    before = sorted((each.text, each.box.left, each.confidence) for each in table_by_columns())
    after = sorted((each.text, each.box.left, each.confidence) for each in in_reading_order(table_by_columns()))
    assert before == after
