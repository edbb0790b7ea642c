"""`export`: what an archival system, or the person who signs for a transfer, takes from an archive."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import BundleArgument, EndpointOption, IdentityOption, ProfileOption, opened_chain
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import UsageError
from repatria.i18n import _, ngettext, speaker

if TYPE_CHECKING:
    from repatria.bundle.chain import Chain
    from repatria.ocr.export import Fonds

FORMATS = {"atom-csv": "csv", "bordereau": "pdf"}
"""What can be exported, with the ending of the file."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "export", help=_("Describe an archive to an archival system (AtoM), or print its transfer list."))
    def export(
        out: Output,
        bundle: BundleArgument,
        destination: Annotated[
            Path, typer.Argument(metavar="DEST", help=_("The file to write, or a folder for it; in clear."))
        ],
        *,
        form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help=_("What to write."))],
        objects: Annotated[
            str | None,
            typer.Option(
                "--objects",
                metavar="PATH",
                help=_("With atom-csv: the folder on AtoM's machine into which the archive was restored."),
            ),
        ] = None,
        identity: IdentityOption = None,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.output_file import output_file

        _refuse_unknown(form, objects)
        with opened_chain(out, bundle, identity, endpoint=endpoint, profile=profile, logged_as="export") as opened:
            from repatria.ocr.export import fonds_of

            file = _file_at(destination, opened.chain.head.dataset_id, form)
            fonds = fonds_of(opened.chain)
            if not fonds:
                raise UsageError(
                    _("{dataset} holds no documents to export.").format(dataset=opened.chain.head.dataset_id),
                    advice=_("Only archives made by `repatria ocr` hold documents. Nothing was written."),
                )
            with output_file(file, private=True) as target:
                for piece in _pieces(opened.chain, fonds, form, objects):
                    target.write(piece)
            _say(out, opened.chain, fonds, form, file)
        return opened.code


def _refuse_unknown(form: str, objects: str | None) -> None:
    if form not in FORMATS:
        raise UsageError(
            _("There is no form {form}.").format(form=form),
            advice=_("Choose one of: {forms}.").format(forms=", ".join(FORMATS)),
        )
    if objects is not None and form != "atom-csv":
        raise UsageError(
            _("--objects goes with --format atom-csv only. Nothing was written."),
            advice=_("Leave it out."),
        )


def _file_at(destination: Path, dataset: str, form: str) -> Path:
    """Return the file to write; UsageError if it is there already."""
    file = destination / f"{dataset}-{form}.{FORMATS[form]}" if destination.is_dir() else destination
    if file.exists():
        raise UsageError(
            _("{file} is there already; nothing was written over it.").format(file=file),
            advice=_("Choose another name, or remove it first."),
        )
    return file


def _pieces(chain: "Chain", fonds: "Sequence[Fonds]", form: str, objects: str | None) -> Iterable[bytes]:
    if form == "atom-csv":
        from repatria.ocr.export_atom import atom_csv

        return atom_csv(chain.head.dataset_id, fonds, objects)
    return [_transfer_slip(chain, fonds)]


def _transfer_slip(chain: "Chain", fonds: "Sequence[Fonds]") -> bytes:
    from repatria.ocr.export import most_common
    from repatria.paper.transfer_slip import SlipRow, TransferSlip, draw_transfer_slip

    _ = speaker("fr")
    head, loose = chain.head, _("Scans in no folder")
    dossiers = [dossier for each in fonds for dossier in each.dossiers]
    service = most_common(dossier.element("creator") for dossier in dossiers)
    rows = [
        SlipRow(
            reference=dossier.name,
            title=dossier.title or loose,
            dates=dossier.element("dates"),
            documents=len(dossier.documents),
            pages=dossier.pages,
            access=dossier.element("access"),
        )
        for dossier in dossiers
        if not dossier.is_context
    ]
    return draw_transfer_slip(
        TransferSlip(
            service=service or head.statement.dataset.owner,
            fonds=" ; ".join(each.title for each in fonds),
            dataset=head.dataset_id,
            bundle=head.bundle_id,
            statement_sha256=head.statement_sha256,
            made=datetime.now(UTC),
            rows=rows,
        )
    )


def _say(out: Output, chain: "Chain", fonds: "Sequence[Fonds]", form: str, file: Path) -> None:
    from repatria.cli.quantity import number_text, quantity_text
    from repatria.progress import Unit

    every = [dossier for each in fonds for dossier in each.dossiers if not dossier.is_context]
    dossiers, undigitised = len(every), sum(not dossier.is_digitised for dossier in every)
    documents, pages = sum(each.documents for each in fonds), sum(each.pages for each in fonds)
    out.say(
        ngettext(
            "{count} dossier, {documents} documents, {pages}.",
            "{count} dossiers, {documents} documents, {pages}.",
            dossiers,
        ).format(count=number_text(dossiers), documents=number_text(documents), pages=quantity_text(pages, Unit.PAGES))
    )
    if undigitised:
        out.say(
            ngettext(
                "{count} of them is described and not digitised.",
                "{count} of them are described and not digitised.",
                undigitised,
            ).format(count=number_text(undigitised))
        )
    out.say(_("Written in clear: {file}. It describes the archive; it holds none of its pages.").format(file=file))
    out.record(
        "exported",
        file=str(file),
        format=form,
        fonds=[each.title for each in fonds],
        dossiers=dossiers,
        undigitised=undigitised,
        documents=documents,
        pages=pages,
    )
    out.summary(bundle=chain.head.uri)
