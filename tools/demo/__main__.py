"""`./run demo [FOLDER]`: the whole main job, in a few commands and under two minutes."""

import argparse
import os
import sys
import time
from pathlib import Path

from demo.compare import differences
from demo.hospital import build_hospital
from demo.letters import draw_letters
from demo.play import StepFailedError, heading, run, run_program, tell
from demo.scene import Scene, empty_scene
from repatria import i18n
from repatria.errors import RepatriaError
from repatria.i18n import _


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
        make_inputs(scene)
        bring_home(scene)
        check_and_restore(scene)
        digitise(scene)
    except RepatriaError as error:
        tell()
        tell(error.message)
        tell(error.advice)
        return error.code
    conclude(scene, time.monotonic() - begun)
    return 0


def make_inputs(scene: Scene) -> None:
    """Make keys, the hospital's files, and the scans."""
    heading(_("1. Keys: the ministry's, which opens bundles, and a signer's, which says who made them"))
    run(scene, "keys", "new", "-o", "keys/ministere")
    run(scene, "keys", "signer", "-o", "keys/signer", "--name", "migration@ministere")
    heading(_("2. A hospital's files abroad, and its database dump; a stack of scanned letters (all invented)"))
    build_hospital(scene.abroad)
    draw_letters(scene.scans)
    for folder in (scene.abroad, scene.scans):
        files = [file for file in folder.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files) / 1e6
        tell(_("  {folder}: {count} files, {size:.0f} MB").format(folder=folder, count=len(files), size=size))


def bring_home(scene: Scene) -> None:
    """Look, plan, copy; then copy again after the hospital has gone on working."""
    heading(_("3. What is abroad, and how many nights it takes over a link of 20 Mbit/s"))
    run(scene, "inventory", "hopital")
    run(scene, "plan", "hopital", "--link", "20mbit", "--window", "20:00-06:00")
    heading(_("4. Copy, encrypted; the same command again finds nothing new"))
    run(scene, "copy", "hopital")
    run(scene, "copy", "hopital")
    heading(_("5. The hospital goes on working: one file changes, one goes; the next bundle holds just that"))
    (scene.abroad / "laboratoire" / "ADT-0001.hl7").write_text("MSH|^~\\&|LABO|CORRECTION\r", encoding="utf-8")
    (scene.abroad / "laboratoire" / "ADT-0002.hl7").unlink()
    run(scene, "copy", "hopital")
    run(scene, "bundles", "hopital")


def check_and_restore(scene: Scene) -> None:
    """Verify with and without a key, restore, and compare with the source."""
    heading(_("6. Verify: without any key, by Repatria and by sha256sum; then every object, with the key"))
    run(scene, "verify", "hopital")
    bundle = sorted((scene.vault / "hopital").glob("*T*"))[0]
    run_program(scene, ["sh", "-c", f"cd '{bundle.relative_to(scene.folder)}' && sha256sum -c manifest-sha256.txt"])
    run(scene, "verify", "hopital", "--deep", "-i", "keys/ministere")
    heading(_("7. Restore, and compare with the source byte for byte"))
    run(scene, "restore", "hopital", "restored", "-i", "keys/ministere")
    different = list(differences(scene.abroad, scene.folder / "restored"))
    if different:
        raise StepFailedError(
            _("Restored and source differ in {count} places, first: {name}").format(
                count=len(different), name=repr(different[0])
            ),
            advice=_("This is a defect of Repatria: please report it."),
        )
    tell(_("  Every file, link and folder is the same as at the source."))


def digitise(scene: Scene) -> None:
    """Read the letters, and find pages in the encrypted archive."""
    heading(_("8. Paper: the letters are read, encrypted, and can be searched"))
    run(scene, "ocr", "archives")
    run(scene, "search", "maternité Khombole", "archives", "-i", "keys/ministere")
    run(scene, "search", "vaccin*", "archives", "-i", "keys/ministere")
    run(scene, "verify", "archives")


def conclude(scene: Scene, seconds: float) -> None:
    """Say where the results lie, and what to try next."""
    heading(_("Done in {seconds:.0f} s. Everything is in {folder}:").format(seconds=seconds, folder=scene.folder))
    tell(_("  abroad/ scans/     what was copied and read"))
    tell(_("  vault/             the encrypted bundles; README.txt in each says how to open it without Repatria"))
    tell(_("  restored/          the hospital's files again"))
    tell(_("  keys/ manifests/   keys and descriptions, as on a real site (there the private key is elsewhere)"))
    heading(_("Next, try:"))
    program = Path(__file__).parents[2] / "run"
    tell(f"  cd {scene.folder}")
    for arguments in (
        "status",
        "ls hopital 'dossiers/2023/**'",
        "cat hopital 'divers/reçu n° 5 – été.txt'",
        "search eau archives",
        "doctor hopital",
        "new mon-projet --example s3",
    ):
        tell(f"  {program} repatria {arguments}")


if __name__ == "__main__":
    sys.exit(main())
