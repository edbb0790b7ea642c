"""`search`: finding pages in archives."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, IdentityOption, ProfileOption, opened_chain
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import UsageError, worst
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.bundle.chain import Chain
    from repatria.ocr.search import Hit
    from repatria.settings import Settings

DEFAULT_LIMIT = 20


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "search",
        help=_(
            "Find pages in archives, and dossiers by what is said of them, whatever the accents, endings and misread"
            " letters. All words must stand on one page, or in what is said of it."
        ),
    )
    def search(
        out: Output,
        query: Annotated[
            str,
            typer.Argument(
                metavar="QUERY",
                help=_('Words in quotes, all of which must match; "a phrase" in its own quotes; begin*.'),
            ),
        ],
        bundles: Annotated[
            list[str] | None, typer.Argument(metavar="BUNDLE", help=_("Archives; else those of repatria.toml."))
        ] = None,
        *,
        identity: IdentityOption = None,
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=1000, metavar="N", help=_("At most so many pages."))
        ] = DEFAULT_LIMIT,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.context import current_settings
        from repatria.ocr.query import parse_query
        from repatria.ocr.search import search as search_chains
        from repatria.ocr.search import terms_found

        parsed = parse_query(query)
        settings = current_settings()
        with ExitStack() as stack:
            opened = [
                stack.enter_context(
                    opened_chain(out, bundle, identity, endpoint=endpoint, profile=profile, logged_as="search")
                )
                for bundle in _bundles(query, bundles or (), settings)
            ]
            chains = [each.chain for each in opened]
            hits = search_chains(chains, parsed, limit)
            alone = terms_found(chains, parsed) if not hits and len(parsed.terms) > 1 else {}
            archives = 0
            for each in opened:
                _remember(each.chain, settings, endpoint, profile)
                archives += _is_archive(out, each.chain)
            code = worst(each.code for each in opened)
        _show_hits(out, hits)
        _say(out, hits, limit, alone, said=archives > 0)
        return code


def _bundles(query: str, bundles: Sequence[str], settings: "Settings") -> Sequence[str]:
    """Return the archives to search; UsageError if there are none, or if they are words of the query."""
    if not bundles:
        if settings.search:
            return settings.search
        raise UsageError(
            _("It is not said which archive to search."),
            advice=_("Name it after the query, or set [defaults] search in repatria.toml."),
        )
    if any(_is_word(bundle, settings) for bundle in bundles):
        raise UsageError(
            _("What follows the query must be archives, and one of these words is none."),
            advice=_('To search for several words, put quotes around them: repatria search "{words}"').format(
                words=" ".join([query, *bundles])
            ),
        )
    return bundles


def _is_word(bundle: str, settings: "Settings") -> bool:
    """Tell whether an argument can only be a word that was left without quotes."""
    from repatria.cli.context import find_manifest
    from repatria.cli.places import remembered

    if set("/:@") & set(bundle) or Path(bundle).exists() or remembered(settings.state, bundle):
        return False
    with suppress(UsageError):
        find_manifest(bundle, settings)
        return False
    return True


def _remember(chain: "Chain", settings: "Settings", endpoint: str | None, profile: str | None) -> None:
    """Keep where an archive lies that was given by its place, so that `show` finds the references printed."""
    from repatria.cli.places import RememberedPlace, remember, remembered

    dataset = chain.head.dataset_id
    if remembered(settings.state, dataset) is None:
        remember(settings.state, dataset, RememberedPlace(chain.head.store.uri, endpoint, profile, None))


def _is_archive(out: Output, chain: "Chain") -> bool:
    """Tell whether a chain holds documents, and say so if it does not: there is no page in it to be found."""
    documents = chain.head.statement.documents
    if documents.next > 1:
        return True
    out.warn(
        _("{dataset} holds no pages to search: it is no archive made by `repatria ocr`.").format(
            dataset=chain.head.dataset_id
        )
    )
    return False


def _show_hits(out: Output, hits: "Sequence[Hit]") -> None:
    for hit in hits:
        out.record(
            "hit",
            reference=hit.reference,
            dataset=hit.dataset,
            bundle=hit.bundle,
            cote=hit.cote,
            dossier=hit.dossier,
            title=hit.title,
            description=hit.description,
            page=hit.page or None,
            digitised=hit.is_digitised,
            where=list(hit.where),
            confidence=None if hit.confidence is None else round(hit.confidence, 1),
            snippet=hit.snippet,
            score=round(hit.score, 3),
            nearly=hit.nearly,
        )
        facts = [
            *_called(hit),
            *_where(hit),
            _("misread letters") if hit.nearly else "",
            "" if hit.is_digitised else _("not digitised"),
        ]
        out.text(hit.reference, whole=True)
        out.text(f"    {', '.join(fact for fact in facts if fact)}")
        out.text(f"    {hit.snippet}")


def _say(out: Output, hits: "Sequence[Hit]", limit: int, alone: Mapping[str, bool], *, said: bool) -> None:
    """Say how many were found, where there was something to search; of several words, which would be found alone."""
    from repatria.cli.quantity import number_text

    found = ngettext("{count} result.", "{count} results.", len(hits)).format(count=number_text(len(hits)))
    if len(hits) == limit:
        found += " " + _("There may be more: --limit N shows more of them.")
    if said:
        out.say(found)
        if alone:
            out.say(_hint(alone))
    facts = {"alone": dict(alone)} if alone else {}
    shown = next((hit.reference for hit in hits if hit.is_digitised), None)
    out.summary(hits=len(hits), next=f"repatria show '{shown}'" if shown else None, **facts)


def _hint(alone: Mapping[str, bool]) -> str:
    """Return what each word of a query would find without the others."""
    found = ", ".join(word for word, finds in alone.items() if finds)
    lacking = ", ".join(word for word, finds in alone.items() if not finds)
    if not found:
        return _("None of these words is found alone either: {words}.").format(words=lacking)
    if not lacking:
        return _("Each of these words is found, but not all of them together: {words}. Search for fewer.").format(
            words=found
        )
    return _("All words must match. Found alone: {found}; not found: {lacking}.").format(found=found, lacking=lacking)


def _called(hit: "Hit") -> list[str]:
    """Return how people call the dossier: by the archivist's cote, title and dates, else by its folder."""
    reference = str(hit.description.get("reference", ""))
    if not reference:
        return [hit.dossier]
    return [f"{reference} {hit.title}", str(hit.description.get("dates", ""))]


def _where(hit: "Hit") -> list[str]:
    """Return where the words stand: on a page, with how sure it was read, or in what is said of the dossier."""
    from repatria.cli.element_words import element_text
    from repatria.ocr.search import IN_PAGE

    page = []
    if IN_PAGE in hit.where:
        sure = "" if hit.confidence is None else _("confidence {percent} %").format(percent=round(hit.confidence))
        page = [_page(hit), sure]
    said = ", ".join(element_text(name) for name in hit.where if name != IN_PAGE)
    return [*page, _("found in: {elements}").format(elements=said) if said else ""]


def _page(hit: "Hit") -> str:
    """Return which page it is: beside a dossier's cote and title, also of which of its scans."""
    if not hit.description.get("reference"):
        return _("page {page}").format(page=hit.page)
    return _("page {page} of {scan}").format(page=hit.page, scan=hit.cote.rpartition("/")[2])
