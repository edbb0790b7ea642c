"""`new`: a commented manifest to fill in, in the user's language."""

import re
from pathlib import Path
from typing import Annotated

import typer

from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import UsageError
from repatria.i18n import _, language
from repatria.reasons import reason_of

EXAMPLES = Path(__file__).parents[1] / "manifests"
"""In an installed package; in the project itself `manifests/` at its top."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "new", help=_("Write a manifest to fill in."))
    def new(
        out: Output,
        dataset_id: Annotated[
            str, typer.Argument(metavar="ID", help=_("Id of the dataset: a-z, 0-9 and hyphens; names the file."))
        ],
        example: Annotated[
            str | None,
            typer.Option("--example", metavar="NAME", help=_("Example to start from; a wrong name lists all.")),
        ] = None,
    ) -> None:
        file = write_manifest(dataset_id, example or "folder", Path())
        out.record("manifest", id=dataset_id, file=str(file), example=example or "folder")
        out.text(str(file))
        out.say(_("Fill in {file}, then run: repatria doctor {id}").format(file=file, id=dataset_id))
        out.summary(next=f"repatria doctor {dataset_id}")


def write_manifest(dataset_id: str, example: str, folder: Path) -> Path:
    """Write `manifests/ID.toml` under `folder` from an example and return its path; never over another file."""
    from repatria.manifest_values import DATASET_ID

    if not DATASET_ID.fullmatch(dataset_id):
        raise UsageError(
            _("{id} cannot be the id of a dataset.").format(id=dataset_id),
            advice=_("It may hold a-z, 0-9 and hyphens, at most 63, and starts with a letter or digit."),
        )
    text = in_language(example_text(example), language()).replace("EXAMPLE-ID", dataset_id)
    file = folder / "manifests" / f"{dataset_id}.toml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(
            _("{file} is there already; it was not touched.").format(file=file),
            advice=_("Choose another id, or edit that file."),
        ) from error
    except OSError as error:
        raise UsageError(
            _("{file} cannot be written: {reason}.").format(file=file, reason=reason_of(error)),
            advice=_("Run the command in a folder that you may write to."),
        ) from error
    return file


def examples() -> dict[str, Path]:
    """Return the ready examples by name."""
    folder = EXAMPLES if EXAMPLES.is_dir() else Path(__file__).parents[3] / "manifests"
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def example_text(name: str) -> str:
    """Return one example's text, with the comments of all languages."""
    known = examples()
    if name not in known:
        raise UsageError(
            _("There is no example {name}.").format(name=name),
            advice=_("The examples are: {names}.").format(names=", ".join(known)),
        )
    return known[name].read_text(encoding="utf-8")


_COMMENT = re.compile(r"(?P<before>.*?)#(?P<language>[a-z]{2}): ?(?P<text>.*)")


def in_language(text: str, wanted: str) -> str:
    """Return an example with the comments of one language: those marked `#fr:` or `#en:` become `#`, or go."""
    lines = []
    for line in text.splitlines():
        comment = _COMMENT.fullmatch(line)
        if comment is None:
            lines.append(line)
        elif comment["language"] == wanted:
            lines.append(f"{comment['before']}# {comment['text']}".rstrip())
    return "\n".join(lines) + "\n"
