"""The folder of the demo: made anew for each run, never anything outside it."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from repatria.errors import UsageError
from repatria.i18n import _, language

MARK = ".repatria-demo"
"""Says that the folder is the demo's own, and may be emptied by the next run."""

SETTINGS = """\
[defaults]
identity = "keys/ministere"
signer = "keys/signer"
recipients = ["keys/ministere.pub"]
state = "state"
"""

HOSPITAL = """\
id = "hopital"
title = "Fichiers et base de l'hôpital"
owner = "Hôpital régional (exemple)"
hosted_in = "FR"
sensitivity = "health"
legal_basis = "Convention du 30 janvier 2024 (exemple)"
regulator = "SN-CDP"
timezone = "Africa/Dakar"

[[source]]
uri = "../abroad"

[target]
uri = "../vault"
"""

ARCHIVE = """\
id = "archives"
title = "Correspondance, 1949-1971"
owner = "Direction régionale de la Santé (exemple)"
sensitivity = "personal"
timezone = "Africa/Dakar"

[[source]]
uri = "../scans"

[target]
uri = "../vault"

[archive]
fonds = "Direction régionale de la Santé"
ocr_lang = "fra"
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The demo's folder."""

    folder: Path

    @property
    def abroad(self) -> Path:
        """The hospital's data, as if hosted abroad."""
        return self.folder / "abroad"

    @property
    def scans(self) -> Path:
        """Where the scanner puts its files."""
        return self.folder / "scans"

    @property
    def vault(self) -> Path:
        """Where encrypted bundles go."""
        return self.folder / "vault"

    @property
    def identity(self) -> Path:
        """The ministry's private key; on a real site it is not on the machine that copies."""
        return self.folder / "keys" / "ministere"

    def environment(self) -> dict[str, str]:
        """Return what the program sees: this folder's keys and state, none of the user's own."""
        foreign = ("REPATRIA_", "AWS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return {**kept, "PATH": programs, "REPATRIA_STATE": str(self.folder / "state"), "REPATRIA_LANG": language()}


def empty_scene(folder: Path) -> Scene:
    """Return the folder, emptied if it is an earlier demo's; UsageError if it holds anything else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UsageError(
            _("{folder} holds files that are not the demo's; they were not touched.").format(folder=folder),
            advice=_("Name another folder: ./run demo FOLDER"),
        )
    if folder.exists():
        shutil.rmtree(folder)
    scene = Scene(folder)
    for part in (scene.abroad, scene.scans, scene.identity.parent, folder / "manifests"):
        part.mkdir(parents=True)
    (folder / MARK).touch()
    (folder / "repatria.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "manifests" / "hopital.toml").write_text(HOSPITAL, encoding="utf-8")
    (folder / "manifests" / "archives.toml").write_text(ARCHIVE, encoding="utf-8")
    return scene
