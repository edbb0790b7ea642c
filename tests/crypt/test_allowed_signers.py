"""Allowed signers files: the same verdicts as ssh-keygen."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt.allowed_signers import AllowedSigners, matches
from repatria.crypt.errors import AllowedSignersError
from repatria.crypt.sshsig import Signer
from tests.crypt.test_sshsig import needs_ssh_keygen

SIGNER = Signer.generate()
OTHER = Signer.generate()
KEY = SIGNER.public_line()
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 old@host"

LINES = {
    "plain": (f"nom@ministere.sn {KEY}", "nom@ministere.sn"),
    "comment after the key": (f"nom@ministere.sn {KEY} any words here", "nom@ministere.sn"),
    "namespace": (f'nom namespaces="repatria" {KEY}', "nom"),
    "several namespaces": (f'nom namespaces="git,repatria" {KEY}', "nom"),
    "namespace by pattern": (f'nom namespaces="rep*" {KEY}', "nom"),
    "another namespace": (f'nom namespaces="git" {KEY}', None),
    "a namespace excluded": (f'nom namespaces="*,!repatria" {KEY}', None),
    "options in capitals": (f'nom NAMESPACES="repatria" {KEY}', "nom"),
    "several principals": (f"nom@ministere.sn,autre@ministere.sn {KEY}", "nom@ministere.sn,autre@ministere.sn"),
    "principals in quotes": (f'"nom@ministere.sn" {KEY}', "nom@ministere.sn"),
    "tabs": (f'nom\tnamespaces="repatria"\t{KEY}', "nom"),
    "not yet valid": (f'nom valid-after="20990101" {KEY}', None),
    "no longer valid": (f'nom valid-before="20010101Z" {KEY}', None),
    "valid now": (f'nom valid-after="20010101",valid-before="20990101235959Z" {KEY}', "nom"),
    "an authority": (f"nom cert-authority {KEY}", None),
    "another key": (f"nom {OTHER.public_line()}", None),
    "comments and others": (f"# header\n\nold {OTHER.public_line()}\nnom {KEY}\n", "nom"),
}


@pytest.mark.parametrize("name", LINES)
def test_who_is_allowed(name: str) -> None:
    text, principal = LINES[name]
    assert AllowedSigners.parse(text).principal_of(SIGNER.key, "repatria") == principal


@needs_ssh_keygen
@pytest.mark.parametrize("name", [name for name in LINES if name != "tabs"])
def test_ssh_keygen_is_of_the_same_mind(name: str, tmp_path: Path) -> None:
    text, principal = LINES[name]
    allowed, signature = tmp_path / "allowed", tmp_path / "signature"
    allowed.write_text(text + "\n")
    signature.write_text(SIGNER.sign(b"x"))
    identity = (principal or "nom").split(",")[0]
    options = ["-n", "repatria", "-I", identity, "-f", str(allowed), "-s", str(signature)]
    command = ["ssh-keygen", "-Y", "verify", *options]
    done = subprocess.run(command, input=b"x", capture_output=True, check=False)
    assert (done.returncode == 0) == (principal is not None), done.stderr


def test_validity_is_judged_at_the_time_asked_for() -> None:
    text = f'nom valid-after="20240101Z",valid-before="202501010000Z" {KEY}'
    signers = AllowedSigners.parse(text)
    for year, principal in ((2023, None), (2024, "nom"), (2026, None)):
        assert signers.principal_of(SIGNER.key, "repatria", datetime(year, 6, 1, tzinfo=UTC)) == principal


BAD_LINES = {
    "no key": "nom",
    "no key after options": 'nom namespaces="repatria"',
    "key of another type": f"nom ssh-rsa {KEY.split()[1]}",
    "key cut short": f"nom {KEY[:-20]}",
    "no base64": "nom ssh-ed25519 !!!!",
    "unknown option": f'nom surprise="x" {KEY}',
    "option twice": f'nom namespaces="a",namespaces="b" {KEY}',
    "option without its value": f"nom namespaces {KEY}",
    "option without quotes": f"nom namespaces=repatria {KEY}",
    "open quotes": f'nom namespaces="repatria {KEY}',
    "open principal": f'"nom {KEY}',
    "a time that is none": f'nom valid-after="yesterday" {KEY}',
    "a day that is none": f'nom valid-after="20240231" {KEY}',
    "a day outside of all calendars": f'nom valid-after="00010101" {KEY}',
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_trusted(name: str) -> None:
    with pytest.raises(AllowedSignersError, match="Line 2"):
        AllowedSigners.parse(f"nom {KEY}\n{BAD_LINES[name]}\n")


@given(st.text(max_size=200))
def test_survives_anything(text: str) -> None:
    try:
        signers = AllowedSigners.parse(text)
    except AllowedSignersError:
        return
    assert signers.principal_of(SIGNER.key) is None


@pytest.mark.parametrize(
    ("text", "patterns", "expected"),
    [
        ("repatria", "repatria", True),
        ("repatria", "repatri", False),
        ("repatria", "repatria2", False),
        ("repatria", "*", True),
        ("repatria", "rep?tria", True),
        ("repatria", "rep?", False),
        ("rep.tria", "repatria", False),
        ("repatria", "rep.tria", False),
        ("repatria", "!repatria", False),
        ("repatria", "!other", False),
        ("repatria", "*,!rep*", False),
        ("", "", True),
    ],
)
def test_patterns(text: str, patterns: str, expected: bool) -> None:
    assert matches(text, patterns) is expected
