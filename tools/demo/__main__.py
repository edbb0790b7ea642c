"""`./run demo [FOLDER]`: the whole main job, in a few commands and under two minutes."""

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

from demo import archive, migration
from demo.play import heading, tell
from demo.scene import Scene, empty_scene
from repatria import i18n
from repatria.errors import RepatriaError
from repatria.i18n import _

STEPS = (
    migration.make_keys,
    migration.fill_hospital,
    migration.bring_home,
    migration.verify,
    migration.restore,
    migration.copy_again,
    migration.damage,
    archive.fill_scanner,
    archive.digitise,
    archive.find,
    archive.restore,
    migration.status,
)
"""What the demo does, in order."""


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(prog="./run demo")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo-output"))
    parser.add_argument("--lang", choices=i18n.LANGUAGES)
    arguments = parser.parse_args()
    i18n.use(arguments.lang or os.environ.get("REPATRIA_LANG"))
    begun = time.monotonic()
    try:
        scene = empty_scene(arguments.folder.absolute())
        for step in STEPS:
            step(scene)
    except RepatriaError as error:
        tell()
        tell(error.message)
        tell(error.advice)
        return error.code
    except KeyboardInterrupt:
        tell(_("Interrupted."))
        return 130
    conclude(scene, time.monotonic() - begun)
    return 0


def conclude(scene: Scene, seconds: float) -> None:
    """Say where the results lie, and what to try next."""
    heading(
        _("All of it worked, in {seconds:.0f} s. Where things are, in {folder}:").format(
            seconds=seconds, folder=scene.folder
        )
    )
    for place, meaning in (
        ("abroad/ scans/", _("what was copied, and what was read")),
        ("vault/", _("the encrypted bundles; README.txt in each says how to open it without Repatria")),
        ("restored*/", _("the hospital's files and the archive, in clear")),
        ("found.png", _("the page that the last search found")),
        ("damaged/", _("the copy with the flipped byte")),
        ("keys/ manifests/", _("keys and manifests, as on a real site (there the private key is on another machine)")),
        (".repatria/", _("state: journals, the audit log, whose signatures were seen")),
    ):
        tell(f"    {place:<18}{meaning}")
    heading(_("Try next:"))
    tell(f"    cd {shlex.quote(str(scene.folder))}")
    tell(f'    export PATH="{Path(sys.executable).parent}:$PATH"')
    for command in (
        "repatria ls hopital 'dossiers/2023/**'",
        "repatria cat hopital 'patients/registre des patients.csv'",
        "repatria search 'sages-femmes'",
        "repatria show 'archives#1965-fievre-jaune/rapport-0142/1' -o rapport.pdf",
        "repatria keys check hopital",
        "repatria verify damaged/hopital",
        "repatria doctor hopital",
        "repatria new mon-hopital --example s3",
    ):
        tell(f"    {command}")


if __name__ == "__main__":
    sys.exit(main())
