"""The sheet of pages that need an eye: it loads nothing, runs nothing, and can be read by ear and by keyboard."""

from html.parser import HTMLParser

from repatria import i18n
from repatria.paper.review_sheet import ReviewHeading, ShownConcern, ShownPage, review_html

HOSTILE = '"><script>alert(1)</script>&'
HEADING = ReviewHeading("fonds", "20260101T000000Z-aaaaaa", [("Pages", "2")], [("blank", "1")])
PAGE = ShownPage(
    f"fonds#{HOSTILE}/1",
    HOSTILE,
    [ShownConcern("unreadable", grave=True), ShownConcern(HOSTILE, grave=False)],
    41.6,
    [[("Épidémie", 90.0), (HOSTILE, 12.0)]],
    b"\xff\xd8\xff",
    (300, 420),
)
PLAIN = ShownPage("fonds#b/1", "b, page 1", [ShownConcern("blank", grave=False)], None)


class Parsed(HTMLParser):
    """Notes tags with their attributes, and refuses what does not close in order."""

    EMPTY = frozenset({"meta", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def sheet() -> str:
    return "".join(review_html(HEADING, [("boite 1", PAGE), ("boite 1", PLAIN), (HOSTILE, PLAIN)]))


def test_what_names_and_words_hold_is_text() -> None:
    parsed = Parsed(sheet())
    assert parsed.all("script") == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in sheet()


def test_it_loads_nothing() -> None:
    parsed = Parsed(sheet())
    policies = [meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in parsed.all("img"))
    assert "http://" not in sheet()
    assert "https://" not in sheet()


def test_it_can_be_read_by_ear_and_by_keyboard() -> None:
    parsed = Parsed(sheet())
    assert [page["lang"] for page in parsed.all("html")] == ["en"]
    assert all(image["alt"] for image in parsed.all("img"))
    identifiers = [attributes["id"] for _tag, attributes in parsed.tags if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    assert {label["for"] for label in parsed.all("label")} == {box["id"] for box in parsed.all("input")}
    assert all(article["aria-labelledby"] in identifiers for article in parsed.all("article"))
    assert parsed.all("a")[0]["href"] == "#pages"
    assert len(parsed.all("section")) == 2


def test_it_speaks_french() -> None:
    i18n.use("fr")
    try:
        assert '<html lang="fr">' in sheet()
    finally:
        i18n.use("en")


def test_a_sheet_without_pages_is_whole() -> None:
    assert Parsed("".join(review_html(HEADING, []))).all("article") == []
