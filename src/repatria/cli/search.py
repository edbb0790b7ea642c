"""`search`, `show`: finding a page in archives, and giving it back."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, IdentityOption, ProfileOption, opened_chain
from repatria.cli.frame import command
from repatria.cli.output import Output, results_written, stdout_for_bytes
from repatria.errors import UsageError, worst
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.bundle.chain import Chain
    from repatria.ocr.search import Hit
    from repatria.ocr.show import Form, FoundPage
    from repatria.settings import Settings

DEFAULT_LIMIT = 20
_TELLING_ENDINGS = frozenset({"png", "pdf", "txt", "jpg", "jpeg", "tif", "tiff"})
"""Endings of file names that promise a form."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _register_search(app)
    _register_show(app)


def _register_search(app: typer.Typer) -> None:
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


def _register_show(app: typer.Typer) -> None:
    @command(app, "show", help=_("Give back a page that was found: its picture, its text, its document."))
    def show(
        out: Output,
        reference: Annotated[str, typer.Argument(metavar="REF", help=_("DATASET#COTE/PAGE, in quotes."))],
        identity: IdentityOption = None,
        output: Annotated[
            Path | None, typer.Option("-o", "--output", metavar="FILE", help=_("Write to this file, in clear."))
        ] = None,
        form: Annotated[
            str | None,
            typer.Option("--format", metavar="png|pdf|txt|original", help=_("Else as FILE ends, else png.")),
        ] = None,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.ocr_part import refuse_without_ocr
        from repatria.ocr.show import Form, Reference, find_page

        wanted = _form(form, output)
        _refuse_terminal(wanted, output)
        if output is not None:
            _refuse_taken(output)
        if wanted is Form.PNG:
            refuse_without_ocr()
        parsed = Reference.parse(reference)
        out.stdout = sys.stderr if output is None else out.stdout  # stdout is the page's alone
        with opened_chain(out, parsed.bundle, identity, endpoint=endpoint, profile=profile, logged_as="show") as (
            chain,
            code,
        ):
            page = find_page(chain, parsed)
            _deliver(out, _bytes_of(page, wanted), page, wanted, output)
        return code


def _form(text: str | None, output: Path | None) -> "Form":
    """Return the form that is asked for, by name or by how the file ends; UsageError if the two disagree."""
    from repatria.ocr.show import Form

    ending = output.suffix.removeprefix(".").lower() if output else ""
    wanted = text.lower() if text is not None else ending or Form.PNG
    choices = ", ".join(Form)
    if wanted not in set(Form):
        if text is not None:
            raise UsageError(
                _("There is no form {form}.").format(form=text),
                advice=_("Choose one of: {forms}.").format(forms=choices),
            )
        raise UsageError(
            _("{file} does not say in which form the page is wanted. Nothing was written.").format(file=output),
            advice=_("Let the name end in .png, .pdf or .txt, or add --format, one of: {forms}.").format(forms=choices),
        )
    if wanted != Form.ORIGINAL and ending in _TELLING_ENDINGS - {wanted}:
        raise UsageError(
            _("{file} would hold {form}, which its name contradicts. Nothing was written.").format(
                file=output, form=wanted
            ),
            advice=_("Give the file another name, or leave --format out: the form is then as the name ends."),
        )
    return Form(wanted)


def _refuse_taken(output: Path) -> None:
    """Refuse to replace a file; a device or a pipe may be written to."""
    if output.is_file() or output.is_dir():
        raise UsageError(
            _("{file} is there already; nothing was written over it.").format(file=output),
            advice=_("Choose another name with -o, or remove it first."),
        )


def _refuse_terminal(form: "Form", output: Path | None) -> None:
    from repatria.ocr.show import Form

    if output is None and form is not Form.TXT and sys.stdout.isatty():
        raise UsageError(
            _("A picture or document cannot be shown on a terminal."),
            advice=_("Write it to a file with -o FILE, or read the page's text with --format txt."),
        )


def _bytes_of(found: "FoundPage", form: "Form") -> bytes:
    from repatria.ocr.isolation import Child, IsolationError, Limits, preload
    from repatria.ocr.memory import SharedBytes
    from repatria.ocr.reading import reason_of
    from repatria.ocr.show import PICTURE_SECONDS, Form, PictureTask, draw

    if form is Form.TXT:
        return found.page.text.encode()
    data = found.read(form)
    if form is not Form.PNG:
        return data
    preload()
    child, shared = Child(Limits(PICTURE_SECONDS)), SharedBytes.of(data)
    try:
        return child.call(draw, PictureTask(shared, found.page.page, found.page.dpi))
    except IsolationError as error:
        raise UsageError(
            _("The page cannot be drawn. {reason}").format(reason=reason_of(error)),
            advice=_("Ask for the document itself: --format original."),
        ) from error
    finally:
        shared.close()
        child.stop()


def _deliver(out: Output, data: bytes, found: "FoundPage", form: "Form", output: Path | None) -> None:
    from repatria.cli.output_file import output_file
    from repatria.ocr.description import description_of

    if output is None:
        stdout = stdout_for_bytes()
        with results_written():
            stdout.write(data)
            stdout.flush()
        return
    with output_file(output) as file:
        file.write(data)
    out.say(_("Written in clear: {file}. Who can read it can read the page.").format(file=output))
    out.record(
        "shown",
        file=str(output),
        form=str(form),
        cote=found.document.cote,
        title=found.document.title,
        description=description_of(found.document),
        page=found.page.page,
        bytes=len(data),
    )
    out.summary(bundle=found.bundle.uri)
