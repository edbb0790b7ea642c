"""The first act: a hospital's data comes home over a thin link, is proven, and is there again as it was."""

import os
import shutil
from pathlib import Path

from demo.compare import differences, names
from demo.hospital import build_hospital, go_on_working
from demo.play import check, heading, run, run_and_kill, run_program, tell
from demo.scene import Scene
from repatria.i18n import _

KEY = ("-i", "keys/ministere")


def make_keys(scene: Scene) -> None:
    """Make two key pairs that open, a signer, and the list of signers that a verifier trusts."""
    heading(_("Keys: the ministry's and a spare one, which open bundles; a signer's, which says who made them"))
    run(scene, "keys", "new", "-o", "keys/ministere")
    run(scene, "keys", "new", "-o", "keys/secours", "-q")
    line = run(scene, "keys", "signer", "-o", "keys/signer", "--name", "migration@ministere.example")
    (scene.keys / "allowed_signers").write_text("\n".join(line) + "\n", encoding="utf-8")
    tell(_("    (that line is now in keys/allowed_signers)"))


def fill_hospital(scene: Scene) -> None:
    """Make the data that is to come home."""
    heading(_("A hospital's files and its database dump, hosted abroad (all invented)"))
    build_hospital(scene.abroad)
    files = [path for path in scene.abroad.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(file.stat().st_size for file in files) / 1e6
    tell(_("    abroad/: {count} files, {size:.0f} MB").format(count=len(files), size=size))


def bring_home(scene: Scene) -> None:
    """Look, plan, copy; the power goes in the middle, and the copy goes on."""
    heading(_("What is there, and how many nights it takes over a link of 2 Mbit/s"))
    run(scene, "inventory", "hopital")
    run(scene, "plan", "hopital", "--link", "2mbit", "--window", "20:00-06:00")
    heading(_("The copy: encrypted before it leaves, read back after it arrived. The power goes in the middle"))
    run_and_kill(scene, "copy", "hopital", "--bandwidth", "200mbit", when=lambda: len(_volumes(scene)) >= 3)
    arrived = {volume: volume.stat().st_mtime_ns for volume in _volumes(scene)}
    tell(_("    {count} volumes had arrived. The same command goes on:").format(count=len(arrived)))
    run(scene, "copy", "hopital")
    untouched = all(volume.stat().st_mtime_ns == moment for volume, moment in arrived.items())
    check(scene, untouched, _("What had arrived before the cut was not sent again."))
    check(scene, len(bundles(scene)) == 1, _("Both runs made one bundle."))


def verify(scene: Scene) -> None:
    """Verify without a key, with stock tools, then every object with the key."""
    heading(_("Verification: by anyone, without a key; with stock tools; then every object, with the key"))
    run(scene, "verify", "hopital")
    folder = bundles(scene)[0].relative_to(scene.folder)
    run_program(scene, ["sh", "-c", f"cd {folder} && sha256sum -c manifest-sha256.txt"])
    if shutil.which("ssh-keygen"):
        signed = "-I migration@ministere.example -n repatria -s statement.json.sig < statement.json"
        run_program(
            scene, ["sh", "-c", f"cd {folder} && ssh-keygen -Y verify -f ../../../keys/allowed_signers {signed}"]
        )
    run(scene, "verify", "hopital", "--deep", *KEY)


def restore(scene: Scene) -> None:
    """Restore into an empty folder and compare with the source."""
    heading(_("Restore, and compare with the source"))
    run(scene, "ls", "hopital", *KEY, "divers/")
    run(scene, "restore", "hopital", "restored", *KEY)
    compare(scene, scene.abroad, scene.folder / "restored", _("Restored and source are the same, byte for byte"))


def copy_again(scene: Scene) -> None:
    """Copy when nothing is new; then when the hospital has gone on working; then the dataset as it was."""
    heading(_("The same command the next night: nothing is new, no bundle is made"))
    run(scene, "copy", "hopital")
    check(scene, len(bundles(scene)) == 1, _("There is still one bundle."))
    heading(_("The hospital goes on working: one file changes, one goes, one comes"))
    go_on_working(scene.abroad)
    run(scene, "copy", "hopital")
    first, second = bundles(scene)
    sizes = [sum(file.stat().st_size for file in (bundle / "data").iterdir()) for bundle in (first, second)]
    claim = _("The second bundle holds only what is new: {second} kB after {first} kB.")
    check(scene, sizes[1] < sizes[0] // 100, claim.format(first=sizes[0] // 1000, second=sizes[1] // 1000))
    run(scene, "bundles", "hopital")
    run(scene, "verify", "hopital")
    heading(_("The hospital as it was at the first bundle, and as it is now"))
    run(scene, "restore", f"hopital@{first.name}", "restored-then", *KEY)
    then = scene.folder / "restored-then"
    compare(scene, scene.folder / "restored", then, _("The first bundle still gives the dataset as it was"))
    run(scene, "restore", "hopital", "restored-now", *KEY, "laboratoire/")
    now = scene.folder / "restored-now" / "laboratoire"
    compare(scene, scene.abroad / "laboratoire", now, _("The second gives its laboratory as it is now"))


def damage(scene: Scene) -> None:
    """Flip one bit of one byte in a copy of the bundle: it must be found, and named."""
    heading(_("One byte of one volume is flipped, in a copy of the vault"))
    damaged = scene.folder / "damaged"
    shutil.copytree(scene.vault / "hopital", damaged / "hopital")
    volume = sorted((damaged / "hopital" / bundles(scene)[0].name / "data").glob("vol-*"))[1]
    flip_a_bit(volume)
    tell(f"    {volume.relative_to(scene.folder)}")
    run(scene, "verify", "damaged/hopital", expected=1)


def status(scene: Scene) -> None:
    """Show what a director asks for."""
    heading(_("How everything stands"))
    run(scene, "status")


def flip_a_bit(file: Path) -> None:
    """Change one bit in the middle of a file."""
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))


def compare(scene: Scene, left: Path, right: Path, claim: str) -> None:
    """Compare two trees and say how much was compared."""
    different = list(differences(left, right))
    first = repr(different[0]) if different else ""
    counted = _("{claim}: {count} files, folders and links; their names, bytes, times and rights.").format(
        claim=claim, count=len(names(left))
    )
    check(scene, not different, f"{counted} {first}".rstrip())


def bundles(scene: Scene) -> list[Path]:
    """Return the folders of the hospital's bundles, the oldest first."""
    return sorted((scene.vault / "hopital").glob("????????T??????Z-??????"))


def _volumes(scene: Scene) -> list[Path]:
    return [volume for bundle in bundles(scene) for volume in (bundle / "data").glob("vol-*.age")]
