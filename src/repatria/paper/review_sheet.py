"""The sheet of pages that need an eye: one HTML file without scripts, for a screen or a printer.

It holds all that it shows (thumbnails as data), loads nothing and forbids loading, and can be read by ear and by
keyboard: one heading a dossier and a page, text beside every colour, a skip link, a label for each box to tick.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from repatria import __version__, i18n
from repatria.i18n import _, ngettext

_STYLE = """\
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 2px solid #1b1b1b; }
h3 { font-size: 1rem; margin: 0 0 .35rem; overflow-wrap: anywhere; }
.skip { position: absolute; left: -100vw; } .skip:focus { position: static; }
a { color: #003c8f; } :focus-visible { outline: 3px solid #003c8f; outline-offset: 2px; }
.warning { border: 2px solid #8a1c1c; color: #8a1c1c; padding: .5rem .8rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #767676; }
td.count { text-align: right; }
.pages { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1rem; }
article { border: 1px solid #767676; padding: .8rem; display: grid; grid-template-columns: 8.5rem 1fr; gap: .9rem; }
figure { margin: 0; } img { max-width: 100%; height: auto; border: 1px solid #767676; background: #fff; }
.none { border: 1px dashed #767676; padding: 1.5rem .5rem; text-align: center; font-size: .85rem; }
.concerns { list-style: none; margin: 0 0 .4rem; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem; }
.concerns li { border: 1px solid #1b1b1b; padding: 0 .45rem; font-size: .875rem; font-weight: 600; }
.concerns li.grave { background: #8a1c1c; border-color: #8a1c1c; color: #fff; }
p { margin: .2rem 0; } code { overflow-wrap: anywhere; }
.lines { margin: .3rem 0 .4rem; padding-left: 1.1rem; font-size: .9rem; }
.unsure { text-decoration: underline wavy #8a1c1c; }
label { font-size: .9rem; } footer { margin-top: 3rem; font-size: .875rem; }
@media print { article { break-inside: avoid; } .skip, nav { display: none; } body { max-width: none; padding: 0; } }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_UNSURE_WORD = 60.0
"""Confidence below which a word is underlined."""


@dataclass(frozen=True, slots=True)
class ShownConcern:
    """Why a page is on the sheet."""

    text: str
    """Translated."""
    grave: bool


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page on the sheet."""

    reference: str
    """What `repatria show` takes."""
    name: str
    """What people call it: document and page."""
    concerns: Sequence[ShownConcern]
    confidence: float | None
    """0..100."""
    lines: Sequence[Sequence[tuple[str, float]]] = ()
    """The least sure lines: words with their confidence."""
    thumbnail: bytes | None = field(repr=False, default=None)
    """JPEG."""
    size: tuple[int, int] = (0, 0)
    """Of the thumbnail, in pixels."""


@dataclass(frozen=True, slots=True)
class ReviewHeading:
    """What stands above the pages."""

    dataset: str
    bundle: str
    facts: Sequence[tuple[str, str]]
    counts: Sequence[tuple[str, str]]
    """Each concern, with how many pages have it."""


def review_html(heading: ReviewHeading, pages: Iterable[tuple[str, ShownPage]]) -> Iterator[str]:
    """Yield the sheet in pieces, in the language spoken now; each page comes with its dossier, in order."""
    yield from _head(heading)
    section: str | None = None
    for number, (dossier, page) in enumerate(pages, 1):
        if dossier != section:
            if section is not None:
                yield "</div></section>\n"
            section = dossier
            name = escape(dossier or _("without a folder"))
            yield f'<section><h2>{name}</h2>\n<div class="pages">\n'
        yield from _page(number, page)
    if section is not None:
        yield "</div></section>\n"
    yield f"</main>\n<footer><p>Repatria {escape(__version__)}</p></footer>\n</body>\n</html>\n"


def _head(heading: ReviewHeading) -> Iterator[str]:
    title = escape(_("Pages to look at: {dataset}").format(dataset=heading.dataset))
    clear = escape(
        _("In clear: this file shows pages of the archive. Keep it as the originals are kept; then delete it.")
    )
    yield (
        f'<!DOCTYPE html>\n<html lang="{i18n.language()}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#pages">{escape(_("To the pages"))}</a>\n'
        f'<header><h1>{title}</h1>\n<p class="warning">{clear}</p>\n</header>\n'
    )
    yield from _table(_("The archive"), [(_("Bundle"), heading.bundle), *heading.facts])
    yield from _table(_("Why, on how many pages"), heading.counts)
    yield '<main id="pages">\n'


def _table(caption: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"<h2>{escape(caption)}</h2>\n<table>\n"
    for name, value in rows:
        yield f'<tr><th scope="row">{escape(name)}</th><td class="count">{escape(value)}</td></tr>\n'
    yield "</table>\n"


def _page(number: int, page: ShownPage) -> Iterator[str]:
    yield f'<article aria-labelledby="p{number}">\n<figure>{_picture(page)}</figure>\n<div>\n'
    yield f'<h3 id="p{number}">{escape(page.name)}</h3>\n<ul class="concerns">'
    for concern in page.concerns:
        grave = ' class="grave"' if concern.grave else ""
        yield f"<li{grave}>{escape(concern.text)}</li>"
    yield "</ul>\n"
    if page.confidence is not None:
        yield f"<p>{escape(_('confidence {percent} %').format(percent=round(page.confidence)))}</p>\n"
    if page.lines:
        told = ngettext(
            "The line read with the least confidence:", "The lines read with the least confidence:", len(page.lines)
        )
        yield f'<p>{escape(told)}</p>\n<ul class="lines">'
        for line in page.lines:
            yield f"<li>{' '.join(_word(text, sure) for text, sure in line)}</li>"
        yield "</ul>\n"
    yield f"<p><code>{escape(page.reference)}</code></p>\n"
    yield f'<input type="checkbox" id="s{number}"> <label for="s{number}">{escape(_("Looked at"))}</label>\n'
    yield "</div>\n</article>\n"


def _picture(page: ShownPage) -> str:
    if page.thumbnail is None:
        return f'<p class="none">{escape(_("no picture"))}</p>'
    width, height = page.size
    alt = escape(_("Thumbnail of {page}").format(page=page.name), quote=True)
    data = b64encode(page.thumbnail).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" width="{width}" height="{height}" loading="lazy">'


def _word(text: str, confidence: float) -> str:
    if confidence >= _UNSURE_WORD:
        return escape(text)
    told = escape(_("confidence {percent} %").format(percent=round(confidence)), quote=True)
    return f'<span class="unsure" title="{told}">{escape(text)}</span>'
