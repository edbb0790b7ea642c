"""`search`: finding pages in archives."""

from collections.abc import Sequence
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

    @command(app, "search", help=_("Find pages in archives, whatever their accents, endings and misread letters."))
    def search(
        out: Output,
        query: Annotated[
            str, typer.Argument(metavar="QUERY", help=_('Words in quotes; "a phrase" in quotes of its own; begin*.'))
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

        parsed = parse_query(query)
        settings = current_settings()
        with ExitStack() as stack:
            opened = [
                stack.enter_context(
                    opened_chain(out, bundle, identity, endpoint=endpoint, profile=profile, logged_as="search")
                )
                for bundle in _bundles(query, bundles or (), settings)
            ]
            hits = search_chains([each.chain for each in opened], parsed, limit)
            archives = 0
            for each in opened:
                _remember(each.chain, settings, endpoint, profile)
                archives += _is_archive(out, each.chain)
            code = worst(each.code for each in opened)
        _show_hits(out, hits, limit, said=archives > 0)
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


def _show_hits(out: Output, hits: "Sequence[Hit]", limit: int, *, said: bool) -> None:
    """Show what was found; the count is `said` where there was something to search."""
    from repatria.cli.quantity import number_text

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
            page=hit.page,
            confidence=None if hit.confidence is None else round(hit.confidence, 1),
            snippet=hit.snippet,
            score=round(hit.score, 3),
            nearly=hit.nearly,
        )
        sure = "" if hit.confidence is None else _("confidence {percent} %").format(percent=round(hit.confidence))
        facts = [
            *_called(hit),
            _("page {page}").format(page=hit.page),
            sure,
            _("misread letters") if hit.nearly else "",
        ]
        out.text(f"{hit.reference}   {', '.join(fact for fact in facts if fact)}")
        out.text(f"    {hit.snippet}")
    found = ngettext("{count} page found.", "{count} pages found.", len(hits)).format(count=number_text(len(hits)))
    if len(hits) == limit:
        found += " " + _("There may be more: --limit N shows more of them.")
    if said:
        out.say(found)
    out.summary(hits=len(hits), next=f"repatria show '{hits[0].reference}'" if hits else None)


def _called(hit: "Hit") -> list[str]:
    """Return how people call the dossier: by the archivist's cote, title and dates, else by its folder."""
    reference = str(hit.description.get("reference", ""))
    if not reference:
        return [hit.dossier]
    return [f"{reference} {hit.title}", str(hit.description.get("dates", ""))]
