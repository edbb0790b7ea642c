"""`verify` on bags from elsewhere: which arguments mean one, and which never do."""

import shutil

from tests.cli.test_bundles import VAULT, Place, place, trusting

__all__ = ["place"]

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"


def lay_bag(place: Place, name: str) -> None:
    folder = place.folder / name
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data/Diop Awa.txt").write_bytes(b"")
    (folder / "bagit.txt").write_text("BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n")
    (folder / "manifest-md5.txt").write_text(f"{EMPTY}  data/Diop Awa.txt\n")


def test_any_folder_and_uri_may_be_a_bag(place: Place) -> None:
    lay_bag(place, "Mon Sac")
    for argument in ("Mon Sac", "./Mon Sac/", (place.folder / "Mon Sac").as_uri()):
        assert "Nobody signed it" in place.run("verify", argument).stderr
    assert place.run("verify", "Mon Sac", "--json").json[0]["weak"] == 1


def test_names_are_told_in_json_alone_where_nobody_watches(place: Place) -> None:
    lay_bag(place, "sac")
    (place.folder / "sac/data/Diop Awa.txt").write_bytes(b"x")
    (place.folder / "sac/data/Fall Issa.txt").write_bytes(b"x")
    said = place.run("verify", "sac", "--log-file", "log", code=1)
    written = said.text + said.stderr + (place.folder / "log").read_text()
    assert "Diop" not in written
    assert "Fall" not in written
    told = {each["path"] for each in place.run("verify", "sac", "--json", code=1).json if each["type"] == "finding"}
    assert told == {"data/Diop Awa.txt", "data/Fall Issa.txt"}


def test_a_dataset_seen_before_is_never_taken_for_a_bag(place: Place) -> None:
    place.run("verify", VAULT, "--signers", "signers")
    for bundle in place.maker.bundles:
        shutil.rmtree(place.folder / VAULT / bundle)
    lay_bag(place, VAULT)
    said = place.run("verify", VAULT, code=2)
    assert "There is no finished bundle" in said.stderr


def test_a_bundle_is_never_taken_for_a_bag(place: Place) -> None:
    trusting(place)
    bundle = place.folder / VAULT / place.maker.bundles[0]
    (bundle / "statement.json").unlink()
    place.run("verify", f"{VAULT}/{bundle.name}", code=1)
    lay_bag(place, f"vault/other/{bundle.name}")
    place.run("verify", f"vault/other/{bundle.name}", code=2)
