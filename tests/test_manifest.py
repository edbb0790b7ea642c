"""A manifest says what is wrong with it all at once; what it says right comes out typed and absolute."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.cli.new import example_text, examples, in_language
from repatria.errors import ManifestError
from repatria.manifest import Manifest, StoreTable, load_manifest
from repatria.manifest_values import parse_rate, parse_size, parse_time

WHOLE = """
id = "fichiers-chu"
title = "Fichiers du CHU"
hosted_in = "FR"
sensitivity = "health"
timezone = "Africa/Dakar"

[[source]]
name = "exports"
uri = "s3://chu/exports"
endpoint = "https://s3.example.org"
profile = "abroad"
exclude = ["*.tmp"]

[[source]]
name = "images"
uri = "images"

[target]
uri = "sftp://depot@coffre.example.sn/sante"

[encryption]
recipients = ["age1abc", "keys/ministere.pub"]
signer = "keys/signer"

[transfer]
bandwidth = "20mbit"
window = "Mon-Fri 20:00-06:00, Sat-Sun"
volume_size = "16MiB"
"""

SMALL = """
id = "petit"
[[source]]
uri = "in"
[target]
uri = "out"
[encryption]
recipients = ["age1abc"]
"""


def load(folder: Path, text: str, **settings: object) -> Manifest:
    file = folder / "manifest.toml"
    file.write_text(text, encoding="utf-8")
    return load_manifest(file, **settings)  # type: ignore[arg-type]  # the settings of each test


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load(folder, text)
    return list(caught.value.details) or [caught.value.message.partition(": ")[2]]


def test_a_whole_manifest(tmp_path: Path) -> None:
    manifest = load(tmp_path, WHOLE)
    assert (manifest.id, manifest.hosted_in, manifest.timezone) == ("fichiers-chu", "FR", "Africa/Dakar")
    exports, images = manifest.sources
    assert (exports.uri, exports.endpoint, exports.profile) == ("s3://chu/exports", "https://s3.example.org", "abroad")
    assert exports.exclude == ("*.tmp",)
    assert images.uri == f"file://{tmp_path}/images"
    assert manifest.target.uri == "sftp://depot@coffre.example.sn/sante"
    assert manifest.encryption.recipients == ("age1abc", "keys/ministere.pub")
    assert manifest.encryption.signer == tmp_path / "keys/signer"
    assert (manifest.transfer.bandwidth, manifest.transfer.volume_size) == (20_000_000, 16 << 20)
    assert manifest.file == tmp_path / "manifest.toml"


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    manifest = load(tmp_path, SMALL)
    assert (manifest.title, manifest.sensitivity, manifest.timezone) == ("", "unknown", "UTC")
    assert manifest.sources[0].name == ""
    assert manifest.transfer.bandwidth is None
    assert manifest.transfer.window is None
    assert manifest.transfer.volume_size == 64 << 20
    assert manifest.transfer.patience == 6 * 3600
    assert manifest.archive is None


def test_an_archive_table_makes_it_an_archive(tmp_path: Path) -> None:
    archive = load(tmp_path, SMALL + '[archive]\nfonds = "Santé"\nbordereau = "b.csv"\n').archive
    assert archive is not None
    assert (archive.fonds, archive.bordereau, archive.ocr_lang) == ("Santé", tmp_path / "b.csv", "fra")


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """id = "Fichiers"
hosted_inn = "FR"
[[source]]
name = "a"
uri = "ftp://host/x"
[[source]]
url = "s3://bucket/p"
[target]
uri = "coffre"
[transfer]
bandwidth = 20
window = "8pm"
"""
    assert [fault.partition(":")[0] for fault in faults(tmp_path, text)] == [
        "encryption.recipients",
        "line 1, id",
        "line 2, hosted_inn",
        "line 5, source.uri",
        "line 6, source[2].uri",
        "line 7, source[2].url",
        "line 11, transfer.bandwidth",
        "line 12, transfer.window",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('id = "petit"', 'id = "Petit"', "may hold a-z"),
        ('id = "petit"', 'id = "petit"\nhosted_in = "France"', "ISO 3166-1"),
        ('id = "petit"', 'id = "petit"\nsensitivity = "secret"', "must be one of"),
        ('id = "petit"', 'id = "petit"\ntimezone = "Africa/Dakat"', "is not a known time zone"),
        ('id = "petit"', 'id = "petit"\nowners = "x"', "did you mean owner?"),
        ('id = "petit"', 'id = "petit"\nzzz = "x"', "the keys here are: id, title"),
        ('id = "petit"', 'id = "petit"\nfile = "x"', "is unknown"),
        ('id = "petit"', "id = 5", "between quotes"),
        ('id = "petit"', 'id = "petit"\ntitle = "a\\u001b[2J"', "one line without control characters"),
        ('uri = "in"', 'uri = ""', "is empty"),
        ('uri = "in"', 'uri = "s3:///x"', "names no host or bucket"),
        ('uri = "in"', 'uri = "sftp://u:secret@host/x"', "holds a password"),
        ('uri = "in"', 'uri = "cofre:x"', "no [stores.cofre]"),
        ('uri = "in"', 'uri = "in"\ninclude = "*.csv"', "must be a list"),
        ('uri = "out"', 'uri = "in/out"', "lies in the target, or the target in it"),
        ('uri = "out"', 'uri = "./in/"', "lies in the target, or the target in it"),
        ('["age1abc"]', "[]", "name who can open the bundles"),
        ('["age1abc"]', '["age1abc"]\n[transfer]\nbandwidth = "20"', "with its unit"),
        ('["age1abc"]', '["age1abc"]\n[transfer]\nvolume_size = "65MiB1"', "with its unit"),
        ('["age1abc"]', '["age1abc"]\n[transfer]\nvolume_size = "100KiB"', "multiple of 64KiB"),
        ('["age1abc"]', '["age1abc"]\n[transfer]\nwindow = "20:00-25:00"', "must be hours"),
        ('["age1abc"]', '["age1abc"]\n[transfer]\npatience = 6', "must be text"),
        ('["age1abc"]', '["age1abc"]\n[transfer]\npatience = "6"', "time with its unit"),
        ("[target]", "[[target]]", "must be a table"),
    ],
)
def test_each_fault_says_how_to_mend_it(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert said in faults(tmp_path, SMALL.replace(before, after))[0]


def test_several_sources_need_names_of_their_own(tmp_path: Path) -> None:
    two = SMALL.replace('uri = "in"', 'name = "a"\nuri = "in"\n[[source]]\nname = "a"\nuri = "in2"')
    assert "give each its own" in faults(tmp_path, two)[0]
    assert "each needs one" in faults(tmp_path, two.replace('name = "a"\nuri = "in"\n', 'uri = "in"\n'))[0]


def test_a_password_in_a_uri_is_never_repeated(tmp_path: Path) -> None:
    told = faults(tmp_path, SMALL.replace('"in"', '"sftp://u:secret@host/x"'))
    assert "secret" not in "".join(told)


@pytest.mark.parametrize("text", ["id = petit", "id = 'a'\nid = 'b'", "[source", "\x00"])
def test_what_is_not_toml_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(ManifestError, match="is not valid TOML"):
        load(tmp_path, text)


def test_files_that_are_no_manifests(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('titre = "été"'.encode("latin-1"))
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    for name, said in (("latin", "not UTF-8"), ("large", "too large"), ("absent", "cannot be read")):
        with pytest.raises(ManifestError, match=said):
            load_manifest(tmp_path / f"{name}.toml")


def test_defaults_come_from_repatria_toml_where_the_manifest_is_silent(tmp_path: Path) -> None:
    silent = SMALL.replace('[encryption]\nrecipients = ["age1abc"]\n', "")
    manifest = load(tmp_path, silent, recipients=["/keys/m.pub"], signer=Path("/keys/signer"))
    assert manifest.encryption.recipients == ("/keys/m.pub",)
    assert manifest.encryption.signer == Path("/keys/signer")
    assert load(tmp_path, SMALL, recipients=["/keys/m.pub"]).encryption.recipients == ("age1abc",)


def test_a_store_of_repatria_toml_gives_uri_endpoint_and_profile(tmp_path: Path) -> None:
    stores = {"coffre": StoreTable(uri="s3://coffre/sante", endpoint="https://s3.sn", profile="home")}
    target = load(tmp_path, SMALL.replace('"out"', '"coffre:2024"'), stores=stores).target
    assert (target.uri, target.endpoint, target.profile) == ("s3://coffre/sante/2024", "https://s3.sn", "home")
    other = SMALL.replace('"out"', '"coffre:2024"\nprofile = "other"')
    assert load(tmp_path, other, stores=stores).target.profile == "other"


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", list(examples()))
def test_every_example_is_a_manifest_in_each_language(tmp_path: Path, name: str, language: str) -> None:
    text = in_language(example_text(name), language).replace("EXAMPLE-ID", "exemple")
    manifest = load(tmp_path, text)
    assert manifest.id == "exemple"
    assert (manifest.archive is not None) == (name == "archive")


@pytest.mark.parametrize(
    ("text", "bits"),
    [("20mbit", 20_000_000), ("512 kbit", 512_000), ("1.5Mbit", 1_500_000), ("1gbit", 10**9), ("9600bit", 9600)],
)
def test_rates_are_in_bits(text: str, bits: int) -> None:
    assert parse_rate(text) == bits


@pytest.mark.parametrize("text", ["20", "20m", "20MB", "mbit", "-1mbit", "0mbit", "1e3mbit", ""])
def test_a_rate_without_its_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate with its unit"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90min", 5_400), ("90m", 5_400), ("6h", 21_600), ("2 d", 172_800), ("1.5h", 5_400), ("45s", 45)],
)
def test_times_have_units(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds


@given(st.integers(1, 4096), st.sampled_from([("B", 1), ("KiB", 1024), ("MiB", 1 << 20), ("GB", 10**9)]))
def test_sizes_have_binary_and_decimal_units(amount: int, unit: tuple[str, int]) -> None:
    assert parse_size(f"{amount}{unit[0]}") == amount * unit[1]
