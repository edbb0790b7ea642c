"""Shell completion: of commands and options by typer, of datasets and bundles from manifests and the state folder."""

from pathlib import Path
from typing import Any

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script, install

from repatria.errors import RepatriaError, UsageError
from repatria.i18n import _

__all__ = ["SHELLS", "completed", "completion_init", "dataset_names", "install_script", "show_script"]

SHELLS = ("bash", "zsh", "fish")


def _known(shell: str) -> str:
    if shell not in SHELLS:
        raise UsageError(
            _("There is no completion for {shell}.").format(shell=shell),
            advice=_("It may be one of {shells}.").format(shells=", ".join(SHELLS)),
        )
    return shell


def show_script(ctx: typer.Context, shell: str | None) -> None:
    """Print the script that makes `shell` complete, and end."""
    if shell is None or ctx.resilient_parsing:
        return
    typer.echo(get_completion_script(prog_name="repatria", complete_var="_REPATRIA_COMPLETE", shell=_known(shell)))
    raise typer.Exit


def install_script(ctx: typer.Context, shell: str | None) -> None:
    """Put the script where `shell` finds it, and end."""
    if shell is None or ctx.resilient_parsing:
        return
    _shell, file = install(shell=_known(shell), prog_name="repatria")
    typer.echo(_("Completion for {shell} is in {file}; open a new shell to use it.").format(shell=shell, file=file))
    raise typer.Exit


def dataset_names(incomplete: str) -> list[str]:
    """Return the datasets whose id starts with `incomplete`: those with a manifest here, and those seen earlier."""
    from repatria.cli.context import current_settings
    from repatria.cli.places import remembered_datasets

    try:
        settings = current_settings()
    except RepatriaError:  # a shell waits for words: what is wrong is told by the command itself
        return []
    folders = [Path(), *([settings.file.parent] if settings.file else [])]
    found = {file.stem for folder in folders for file in (folder / "manifests").glob("*.toml")}
    found.update(remembered_datasets(settings.state))
    return sorted(name for name in found if name.startswith(incomplete))


def completed(annotation: Any, name: str) -> Any:
    """Let an argument that means a dataset complete its name, unless it completes already."""
    if name in {"manifest", "manifests", "bundle", "bundles", "dataset"}:
        for extra in getattr(annotation, "__metadata__", ()):
            if isinstance(extra, typer.models.ArgumentInfo) and extra.autocompletion is None:
                extra.autocompletion = dataset_names
    return annotation
