"""`ls`, `cat`: what a bundle holds, and one object of it."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import (
    BundleArgument,
    EndpointOption,
    IdentityOption,
    OnlyOption,
    ProfileOption,
    opened_chain,
)
from repatria.cli.frame import command
from repatria.cli.output import Column, Output, results_written, stdout_for_bytes
from repatria.cli.quantity import number_text, quantity_text, size_text
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.progress import Unit

if TYPE_CHECKING:
    from repatria.bundle.chain import Chain, Fate
    from repatria.bundle.reader import Bundle
    from repatria.bundle.rows import DocumentRow, ObjectRow


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _register_ls(app)
    _register_cat(app)


def _register_ls(app: typer.Typer) -> None:
    @command(app, "ls", help=_("List the objects of a bundle: the dataset as it stood then."))
    def ls(  # noqa: PLR0913 -- its options are the command's
        out: Output,
        bundle: BundleArgument,
        pattern: Annotated[
            str | None,
            typer.Argument(
                metavar="PATTERN", help=_("As in .gitignore: scans, *.dcm; a/b from the top; **/a/b anywhere.")
            ),
        ] = None,
        *,
        identity: IdentityOption = None,
        with_gone: Annotated[
            bool, typer.Option("--with-gone", help=_("Also objects that vanished or were replaced."))
        ] = False,
        number: Annotated[
            int | None, typer.Option("--number", metavar="N", help=_("The object that messages call by this number."))
        ] = None,
        only: OnlyOption = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        with opened_chain(out, bundle, identity, only=only, endpoint=endpoint, profile=profile, logged_as="ls") as (
            chain,
            code,
        ):
            found = size = 0
            with out.table("object", _object_columns(with_gone)) as table:
                documents = _Documents(chain)
                for owner, row, fate in _chosen(chain, pattern, number, with_gone):
                    found += 1
                    size += row.size
                    document = documents.of(owner, row) if out.json else {}
                    table.add(_object_cells(row, fate, with_gone), **_object_fields(row, fate), **document)
        if not found and (pattern is not None or number is not None):
            raise UsageError(
                _("No object of this bundle is meant by that."),
                advice=_("Patterns are those of .gitignore; quote them. `repatria ls` without one lists everything."),
            )
        out.say(f"{quantity_text(found, Unit.OBJECTS)}, {size_text(size)}")
        out.summary(bundle=chain.head.uri, objects=found, bytes=size)
        return code


def _chosen(
    chain: "Chain", pattern: str | None, number: int | None, with_gone: bool
) -> "Iterator[tuple[Bundle, ObjectRow, Fate | None]]":
    from repatria.bundle.pattern import path_filter

    if number is not None:
        found = chain.by_number(number)
        if found is not None:
            yield (*found, None)
        return
    is_meant = path_filter(pattern, [source.name for source in chain.head.statement.sources])
    if with_gone:
        yield from ((bundle, row, fate) for bundle, row, fate in chain.history() if is_meant(row.path))
    else:
        yield from ((bundle, row, None) for bundle, row in chain.objects() if is_meant(row.path))


class _Documents:
    """The documents of one bundle after another, by the objects that they consist of."""

    def __init__(self, chain: "Chain") -> None:
        from repatria.ocr.descriptions import Descriptions

        self._descriptions = Descriptions(chain)
        self._bundle: Bundle | None = None
        self._by_object: dict[int | None, DocumentRow] = {}

    def of(self, bundle: "Bundle", row: "ObjectRow") -> dict[str, object]:
        """Return what is told of the document that an object belongs to; nothing if it belongs to none."""
        from repatria.ocr.description import description_of

        if bundle is not self._bundle:
            self._bundle = bundle
            documents = [document for index in bundle.indexes() for document in index.documents()]
            self._by_object = {number: document for document in documents for number in document.objects}
        document = self._by_object.get(row.number)
        if document is None:
            return {}
        document = self._descriptions.newest(document)
        return {"cote": document.cote, "title": document.title, "description": description_of(document)}


def _object_columns(with_gone: bool) -> tuple[Column, ...]:
    columns = (
        Column("number", _("Number"), "right"),
        Column("size", _("Size"), "right"),
        Column("modified", _("Modified")),
        Column("path", _("Path")),
    )
    return (*columns, Column("gone", _("Gone"))) if with_gone else columns


def _object_cells(row: "ObjectRow", fate: "Fate | None", with_gone: bool) -> tuple[str, ...]:
    path = f"{row.path} -> {row.link_target}" if row.link_target is not None else row.path
    cells = (str(row.number), number_text(row.size), _moment(row.mtime_ns), path)
    if not with_gone:
        return cells
    gone = "" if fate is None or fate.stands else fate.gone_since or _("replaced")
    return (*cells, gone)


def _object_fields(row: "ObjectRow", fate: "Fate | None") -> dict[str, object]:
    return {
        "number": row.number,
        "path": row.path,
        "kind": row.kind,
        "size": row.size,
        "sha256": row.sha256.hex(),
        "modified": _moment(row.mtime_ns) or None,
        "link_target": row.link_target,
        "content_type": row.content_type,
        "source": row.source,
        "recognised": row.recognised,
        "stands": None if fate is None else fate.stands,
        "gone_since": None if fate is None else fate.gone_since,
    }


def _moment(mtime_ns: int | None) -> str:
    if mtime_ns is None:
        return ""
    try:
        return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "?"  # a source may claim any time


def _register_cat(app: typer.Typer) -> None:
    @command(app, "cat", help=_("Write one object of a bundle to stdout, in clear."))
    def cat(
        out: Output,
        bundle: BundleArgument,
        path: Annotated[str, typer.Argument(metavar="PATH", help=_("The object's path, in full."))],
        identity: IdentityOption = None,
        only: OnlyOption = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        stdout = stdout_for_bytes()
        out.stdout = sys.stderr  # stdout is the object's alone
        with opened_chain(out, bundle, identity, only=only, endpoint=endpoint, profile=profile, logged_as="cat") as (
            chain,
            code,
        ):
            found = chain.find(path)
            if found is None or found[1].kind == "directory":
                raise UsageError(
                    _("There is no such object in this bundle."),
                    advice=_("`repatria ls` lists the objects; a path is given in full."),
                )
            holder, row = found
            for chunk in holder.read_object(row):
                with results_written():
                    stdout.write(chunk)
            with results_written():
                stdout.flush()
        out.summary(bundle=holder.uri, number=row.number, size=row.size, sha256=row.sha256.hex())
        return code
