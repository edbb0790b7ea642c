"""The folder of the demo: made anew for each run, never anything outside it."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from repatria.errors import FullError, UsageError
from repatria.i18n import _, language

MARK = ".repatria-demo"
"""Says that the folder is the demo's own, and may be emptied by the next run."""

NEEDED_BYTES = 1 << 30
"""The hospital's data and four copies of it (in the vault, damaged, restored twice), and the archive."""

KEPT_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TERM", "NO_COLOR", "COLUMNS", "TESSDATA_PREFIX")
"""What a command of the demo sees of the user's environment, beside the PATH: nothing that gives access to anything."""

SETTINGS = """\
# What holds for every command in this folder. State (locks, journals, the audit log) lies beside, in .repatria/.
[defaults]
# On a real site the identity is on the machine that restores and searches, never on the one that copies.
identity = "keys/ministere"
signers = "keys/allowed_signers"
search = ["archives"]
"""

HOSPITAL = """\
id = "hopital"
title = "Fichiers et base de l'hôpital régional de Ndiarème (inventé)"
owner = "Hôpital régional de Ndiarème"
hosted_in = "FR"
sensitivity = "health"
legal_basis = "Convention du 30 janvier 2024 (exemple)"
regulator = "SN-CDP"
timezone = "Africa/Dakar"

[[source]]
uri = "../abroad"

[target]
uri = "../vault"

[encryption]
recipients = ["../keys/ministere.pub", "../keys/secours.pub"]
signer = "../keys/signer"

[transfer]
volume_size = "16MiB"
"""

ARCHIVE = """\
id = "archives"
title = "Correspondance de la prévoyance sanitaire, 1949-1978 (inventée)"
owner = "Ministère de la Prévoyance sanitaire"
sensitivity = "personal"
timezone = "Africa/Dakar"

[[source]]
uri = "../scans"

[target]
uri = "../vault"

[encryption]
recipients = ["../keys/ministere.pub", "../keys/secours.pub"]
signer = "../keys/signer"

[archive]
fonds = "Prévoyance sanitaire"
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
    def keys(self) -> Path:
        """Keys that were made for this demo alone."""
        return self.folder / "keys"

    def environment(self) -> dict[str, str]:
        """Return what a command sees: a home, a state and temporary files in this folder, and no credentials."""
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            **kept,
            "PATH": programs,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "REPATRIA_STATE": str(self.folder / ".repatria"),
            "REPATRIA_LANG": language(),
        }


def empty_scene(folder: Path) -> Scene:
    """Return the folder, emptied if it is an earlier demo's; UsageError if it holds anything else."""
    if os.path.lexists(folder):
        _remove_earlier(folder)
    scene = Scene(folder)
    manifests = folder / "manifests"
    for part in (scene.abroad, scene.scans, scene.keys, manifests, folder / "home", folder / "tmp"):
        part.mkdir(parents=True)
    (folder / MARK).touch()
    (folder / "repatria.toml").write_text(SETTINGS, encoding="utf-8")
    (manifests / "hopital.toml").write_text(HOSPITAL, encoding="utf-8")
    (manifests / "archives.toml").write_text(ARCHIVE, encoding="utf-8")
    _refuse_small_disk(folder)
    return scene


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier demo made, and nothing else: the mark says so."""
    mine = folder.is_dir() and not folder.is_symlink() and (not any(folder.iterdir()) or (folder / MARK).is_file())
    if not mine:
        raise UsageError(
            _("{folder} was not made by a demo; it was not touched.").format(folder=folder),
            advice=_("Name another folder: ./run demo FOLDER"),
        )
    shutil.rmtree(folder)


def _refuse_small_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise FullError(
            _("The demo needs 1 GiB, and the disk of {folder} has {free} MiB left.").format(
                folder=folder, free=free >> 20
            ),
            advice=_("Free some space, or name a folder on another disk: ./run demo FOLDER"),
        )
