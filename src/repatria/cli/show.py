"""`show`: giving back a page that was found."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, IdentityOption, ProfileOption, opened_chain
from repatria.cli.frame import command
from repatria.cli.output import Output, results_written, stdout_for_bytes
from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.ocr.show import Form, FoundPage

_TELLING_ENDINGS = frozenset({"png", "pdf", "txt", "jpg", "jpeg", "tif", "tiff"})
"""Endings of file names that promise a form."""


def register(app: typer.Typer) -> None:
    """Add the command."""

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
