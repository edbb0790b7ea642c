"""Compiles the message catalogues, .po to .mo: a build hook of hatchling, and a command of its own."""

import sys
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogues(root: Path) -> None:
    """Write each catalogue's .mo beside its .po, if it is absent or older."""
    for source in root.glob("src/repatria/locale/*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        with source.open("rb") as stream:
            catalogue = read_po(stream)
        with compiled.open("wb") as output:
            write_mo(output, catalogue)


class MessagesHook(BuildHookInterface[Any]):
    """Runs before a wheel or an editable install is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 -- hatchling's interface
        """Compile the catalogues."""
        compile_catalogues(Path(self.root))


if __name__ == "__main__":
    compile_catalogues(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
