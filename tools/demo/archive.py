"""The second act: a stack of scanned letters is read, sealed, and any page of it found again."""

from demo.letters import LETTERS
from demo.migration import KEY, compare
from demo.play import check, heading, run, tell
from demo.scans import write_scans
from demo.scene import Scene
from repatria.i18n import _


def fill_scanner(scene: Scene) -> None:
    """Draw the letters, as old paper looks on a scanner."""
    heading(_("A stack of typed letters, 1949 to 1978, on a scanner (all invented, drawn and worn by the demo)"))
    write_scans(scene.scans)
    for letter in LETTERS:
        tell(f"    scans/{letter.file}")


def digitise(scene: Scene) -> None:
    """Read every page, and make an encrypted bundle of originals, searchable PDFs and texts."""
    heading(_("Every page is read; originals, searchable PDFs and texts go into an encrypted bundle"))
    run(scene, "ocr", "archives")
    run(scene, "verify", "archives")


SEARCHES = (
    ("epidemie fievre jaune", "1965-fievre-jaune/rapport-0142"),
    ("maternité Khombole", "1963-maternite/lettre-0047"),
    ('"chloramphénicol huileux"', "1969-meningite/circulaire-0009"),
    ("chloroquine", "1971-paludisme/note-de-service-0230"),
    ("glace autorail", "1965-fievre-jaune/telegramme-031"),
)
"""What is looked for, without accents, as a phrase, on a page that lay on its side, on one that is nearly too dark;
and the letter where it must be found."""


def find(scene: Scene) -> None:
    """Find pages by their words, and give one back."""
    heading(_("Any page is found again, inside the encrypted bundle"))
    for words, letter in SEARCHES:
        hits = run(scene, "search", words, "archives", *KEY)
        found = any(letter in line for line in hits)
        check(scene, found, _("The right letter is among the hits: {letter}.").format(letter=letter))
    run(scene, "show", f"archives#{scene.scans.name}/{SEARCHES[-1][1]}/1", *KEY, "-o", "found.png")


def restore(scene: Scene) -> None:
    """Restore the archive and compare its originals with the scans."""
    heading(_("The archive restored: originals as they were scanned, searchable PDFs and texts beside them"))
    run(scene, "restore", "archives", "restored-archive", *KEY)
    originals = scene.folder / "restored-archive" / "originals" / scene.scans.name
    compare(scene, scene.scans, originals, _("Originals and scans are the same, byte for byte"))
