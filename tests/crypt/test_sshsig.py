"""SSH signatures: the same bytes as ssh-keygen's, and the same verdicts."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt.errors import (
    BadSignatureError,
    KeyFileError,
    KeyTextError,
    NamespaceError,
    PassphraseError,
    SignatureError,
    UnsupportedKeyError,
)
from repatria.crypt.key_files import write_key_pair
from repatria.crypt.sshsig import AllowedSigners, Signer, SigningKey, verify
from repatria.crypt.wire import string

needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed: apt-get install openssh-client"
)
SIGNER = Signer.generate()
MESSAGE = b'{"bundle":"20260101T000000Z-aaaaaa"}\n'


def ssh_keygen(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *arguments], input=given, capture_output=True, check=False)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Make a key with ssh-keygen."""
    file = tmp_path / "theirs"
    assert ssh_keygen("-q", "-t", "ed25519", "-N", "", "-C", "nom@ministere.sn", "-f", file).returncode == 0
    return file


@needs_ssh_keygen
@pytest.mark.parametrize("size", [0, 1, 1000, 1_000_000])
@pytest.mark.parametrize("namespace", ["repatria", "file", "a b@c"])
def test_signs_as_ssh_keygen_does_byte_for_byte(theirs: Path, size: int, namespace: str) -> None:
    message = os.urandom(size)
    signed = ssh_keygen("-Y", "sign", "-n", namespace, "-f", theirs, given=message)
    assert Signer.load(theirs).sign(message, namespace) == signed.stdout.decode()
    assert verify(signed.stdout.decode(), message, namespace) == Signer.load(theirs).key


@needs_ssh_keygen
def test_ssh_keygen_verifies_what_our_own_key_signed(tmp_path: Path) -> None:
    allowed, signature = tmp_path / "allowed", tmp_path / "signature"
    allowed.write_text(SIGNER.key.allowed_line("nom@ministere.sn") + "\n")
    signature.write_text(SIGNER.sign(MESSAGE))
    options = ("-Y", "verify", "-f", allowed, "-I", "nom@ministere.sn", "-s", signature)
    good = ssh_keygen(*options, "-n", "repatria", given=MESSAGE)
    assert good.returncode == 0, good.stderr
    assert SIGNER.fingerprint.encode() in good.stdout
    assert ssh_keygen(*options, "-n", "file", given=MESSAGE).returncode != 0
    assert ssh_keygen(*options, "-n", "repatria", given=MESSAGE + b" ").returncode != 0
    found = ssh_keygen("-Y", "find-principals", "-f", allowed, "-s", signature)
    principal = AllowedSigners.parse(allowed.read_text()).principal_of(SIGNER.key, "repatria")
    assert found.stdout.decode().strip() == principal == "nom@ministere.sn"


@needs_ssh_keygen
def test_fingerprints_and_public_lines_are_ssh_keygen_s(theirs: Path) -> None:
    signer = Signer.load(theirs)
    assert signer.public_line("nom@ministere.sn") == theirs.with_name("theirs.pub").read_text().strip()
    shown = ssh_keygen("-l", "-f", theirs).stdout.decode()
    assert shown.split()[1] == signer.fingerprint
    assert SigningKey.parse_line(signer.public_line("a comment")) == (signer.key, "a comment")


@needs_ssh_keygen
@pytest.mark.parametrize("passphrase", [None, "mot de passe"])
def test_ssh_keygen_reads_our_private_keys(tmp_path: Path, passphrase: str | None) -> None:
    file = tmp_path / "signer"
    write_key_pair(file, SIGNER.private_text(passphrase), SIGNER.public_line("nom") + "\n")
    shown = ssh_keygen("-y", "-P", passphrase or "", "-f", file)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.decode().split()[1] == SIGNER.public_line().split()[1]
    assert Signer.load(file, lambda _prompt: passphrase or "").fingerprint == SIGNER.fingerprint


@needs_ssh_keygen
def test_a_locked_key_is_opened_by_its_passphrase_alone(theirs: Path) -> None:
    fingerprint = Signer.load(theirs).fingerprint
    assert ssh_keygen("-p", "-P", "", "-N", "mot de passe", "-f", theirs).returncode == 0
    assert Signer.load(theirs, lambda _prompt: "mot de passe").fingerprint == fingerprint
    with pytest.raises(PassphraseError, match="does not open"):
        Signer.load(theirs, lambda _prompt: "mot")
    with pytest.raises(PassphraseError, match="nobody can be asked"):
        Signer.load(theirs)


@needs_ssh_keygen
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys_are_told_as_such(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "other"
    assert ssh_keygen("-q", "-t", kind, "-N", "", "-f", file).returncode == 0
    with pytest.raises(UnsupportedKeyError, match="not an Ed25519 key"):
        Signer.load(file)
    with pytest.raises(UnsupportedKeyError):
        SigningKey.parse_line(file.with_name("other.pub").read_text())
    signed = ssh_keygen("-Y", "sign", "-n", "repatria", "-f", file, given=MESSAGE)
    with pytest.raises(UnsupportedKeyError, match="not Ed25519"):
        verify(signed.stdout.decode(), MESSAGE)


def test_what_is_no_private_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for text in ("", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(KeyTextError, match="not an OpenSSH private key"):
            Signer.load(file)
    file.write_text(SIGNER.private_text())
    file.chmod(0o644)
    with pytest.raises(KeyFileError, match="Others may read"):
        Signer.load(file)
    with pytest.raises(KeyFileError, match="cannot be read"):
        Signer.load(tmp_path / "missing")
    with pytest.raises(KeyTextError):
        SigningKey.parse_line("ssh-ed25519")


def test_the_same_message_has_the_same_signature() -> None:
    assert SIGNER.sign(MESSAGE) == SIGNER.sign(MESSAGE)
    assert verify(SIGNER.sign(MESSAGE), MESSAGE) == SIGNER.key


def test_a_signature_is_good_for_its_bytes_and_its_namespace_only() -> None:
    with pytest.raises(BadSignatureError):
        verify(SIGNER.sign(MESSAGE), MESSAGE + b"\n")
    with pytest.raises(NamespaceError, match="file"):
        verify(SIGNER.sign(MESSAGE), MESSAGE, "file")


def reassembled(fields: list[bytes], *, magic: bytes = b"SSHSIG", version: int = 1, extra: bytes = b"") -> str:
    blob = magic + version.to_bytes(4, "big") + b"".join(string(field) for field in fields) + extra
    text = base64.b64encode(blob).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n"


def fields_of(armored: str) -> list[bytes]:
    blob = base64.b64decode("".join(armored.splitlines()[1:-1]))[10:]
    fields = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


def test_a_key_put_in_place_of_the_signer_s_is_found() -> None:
    fields = fields_of(SIGNER.sign(MESSAGE))
    assert verify(reassembled(fields), MESSAGE) == SIGNER.key
    fields[0] = Signer.generate().key.blob
    with pytest.raises(BadSignatureError):
        verify(reassembled(fields), MESSAGE)


def test_malformed_signatures_are_refused() -> None:
    key, namespace, reserved, hash_name, signature = fields_of(SIGNER.sign(MESSAGE))
    good = [key, namespace, reserved, hash_name, signature]
    for text in (
        "",
        "nonsense",
        "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        SIGNER.sign(MESSAGE).replace("SSH", "PGP"),
        SIGNER.sign(MESSAGE)[:-40],
        SIGNER.sign(MESSAGE).replace("\n", " "),
        reassembled(good, magic=b"SSHSIH"),
        reassembled(good, version=2),
        reassembled(good, extra=b"\0"),
        reassembled(good[:4]),
        reassembled([b"", namespace, reserved, hash_name, signature]),
        reassembled([key + b"\0", namespace, reserved, hash_name, signature]),
        reassembled([string(b"ssh-ed25519") + string(bytes(31)), namespace, reserved, hash_name, signature]),
        reassembled([key, namespace, reserved, b"md5", signature]),
        reassembled([key, namespace, reserved, b"\xff", signature]),
        reassembled([key, namespace, reserved, hash_name, signature + b"\0"]),
        reassembled([key, namespace, reserved, hash_name, signature[:-1]]),
        reassembled([key, namespace, b"x", hash_name, signature]),
        reassembled([key, namespace, reserved, hash_name, string(b"ssh-ed25519") + string(bytes(63))]),
    ):
        with pytest.raises(SignatureError):
            verify(text, MESSAGE)


@given(st.data())
def test_no_changed_byte_goes_unnoticed(draw: st.DataObject) -> None:
    fields = fields_of(SIGNER.sign(MESSAGE))
    which = draw.draw(st.integers(0, len(fields) - 1).filter(lambda index: fields[index]))
    position = draw.draw(st.integers(0, len(fields[which]) - 1))
    changed = bytearray(fields[which])
    changed[position] ^= draw.draw(st.integers(1, 255))
    fields[which] = bytes(changed)
    with pytest.raises((SignatureError, UnsupportedKeyError)):
        verify(reassembled(fields), MESSAGE)


@given(st.text(max_size=300), st.binary(max_size=300))
def test_survives_anything(text: str, blob: bytes) -> None:
    inside = base64.b64encode(b"SSHSIG\0\0\0\1" + blob).decode()
    for armored in (text, f"-----BEGIN SSH SIGNATURE-----\n{inside}\n-----END SSH SIGNATURE-----"):
        with pytest.raises((SignatureError, UnsupportedKeyError)):
            verify(armored, MESSAGE)
