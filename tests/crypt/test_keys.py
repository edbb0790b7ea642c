"""Recipients and identities: their texts, their files, and what is refused."""

import io
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt import bech32, key_files
from repatria.crypt.errors import (
    KeyFileError,
    KeyTextError,
    MixedRecipientsError,
    PassphraseError,
    UnsupportedKeyError,
)
from repatria.crypt.identity import generate, load_identities, parse_identity
from repatria.crypt.key_files import identity_text, locked_with, public_path, write_key_pair
from repatria.crypt.recipient import (
    Kind,
    PassphraseRecipient,
    Recipient,
    fingerprint,
    load_recipients,
    parse_recipient,
)
from repatria.crypt.seal import encrypt_stream, seal

# From the specification, https://c2sp.org/age.
CLASSIC_SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
CLASSIC_RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
HYBRID_SECRET = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
HYBRID_RECIPIENT_START = "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6caq5aapdmwjj"
HYBRID_RECIPIENT_END = "53k2ykx3qheyty7saeq0d3fzv49zc0k"


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_the_specification_s_own_keys() -> None:
    classic = parse_identity(CLASSIC_SECRET)
    assert str(classic.recipient) == CLASSIC_RECIPIENT
    assert classic.secret_text() == CLASSIC_SECRET
    hybrid = parse_identity(HYBRID_SECRET)
    assert str(hybrid.recipient).startswith(HYBRID_RECIPIENT_START)
    assert str(hybrid.recipient).endswith(HYBRID_RECIPIENT_END)
    assert hybrid.secret_text() == HYBRID_SECRET


@pytest.mark.parametrize("classic", [True, False])
def test_a_generated_key_survives_its_texts(classic: bool) -> None:
    identity = generate(classic)
    assert parse_identity(identity.secret_text()).secret_text() == identity.secret_text()
    recipient = parse_recipient(str(identity.recipient))
    assert recipient == identity.recipient
    assert len({recipient, identity.recipient}) == 1
    assert recipient.kind is (Kind.CLASSIC if classic else Kind.HYBRID)


def test_no_secret_shows_in_a_representation() -> None:
    identity = generate()
    assert identity.secret_text()[20:40] not in repr(identity)


def test_a_fingerprint_can_be_made_with_stock_tools() -> None:
    # printf %s age1zvkyg... | sha256sum | cut -c1-32
    assert fingerprint(parse_recipient(CLASSIC_RECIPIENT)) == "6a80-4773-9828-40fa-7eae-3847-079a-53b0"


BAD_RECIPIENTS: dict[str, tuple[str, type[KeyTextError]]] = {
    "empty": ("", KeyTextError),
    "a character missing": (CLASSIC_RECIPIENT[:-1], KeyTextError),
    "upper case": (CLASSIC_RECIPIENT.upper(), KeyTextError),
    "too short a key": (bech32.encode("age", bytes(31)), KeyTextError),
    "a point of low order": (bech32.encode("age", bytes(32)), KeyTextError),
    "a hybrid key of the classical size": (bech32.encode("age1pq", bytes(32)), KeyTextError),
    "coefficients beyond the modulus": (bech32.encode("age1pq", b"\xff" * 1216), KeyTextError),
    "an identity": (CLASSIC_SECRET, KeyTextError),
    "a hardware key": ("age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e", UnsupportedKeyError),
    "a plugin": (bech32.encode("age1yubikey", bytes(33)), UnsupportedKeyError),
    "an SSH key": ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1VVv4V", UnsupportedKeyError),
}


@pytest.mark.parametrize("name", BAD_RECIPIENTS)
def test_refuses_as_a_recipient(name: str) -> None:
    text, kind = BAD_RECIPIENTS[name]
    with pytest.raises(kind) as caught:
        parse_recipient(text)
    assert caught.value.advice
    assert "SECRET" not in caught.value.message


@given(st.text(max_size=200))
def test_whatever_is_given_as_a_key_has_one_kind_of_error(text: str) -> None:
    for parse in (parse_recipient, parse_identity):
        with pytest.raises(KeyTextError):
            parse(text)


@pytest.mark.parametrize("change", [str.lower, str.title, lambda text: text[:-1], lambda text: text + "Q"])
def test_an_identity_that_is_not_exact_is_refused_and_not_repeated(change: Callable[[str], str]) -> None:
    for secret in (CLASSIC_SECRET, HYBRID_SECRET):
        with pytest.raises(KeyTextError) as caught:
            parse_identity(change(secret))
        assert secret[20:30].lower() not in str(caught.value).lower()


# Files of recipients.


def test_recipients_by_word_and_by_file(tmp_path: Path) -> None:
    one, two = generate().recipient, generate().recipient
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "two.pub").write_text(f"# the ministry\n\n{two}\r\n{one}\n")
    assert load_recipients([str(one), "keys/two.pub"], tmp_path) == (one, two)
    assert load_recipients([str(tmp_path / "keys" / "two.pub")], Path("/nowhere")) == (two, one)


def test_no_recipient_mixing_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyTextError, match="nobody"):
        load_recipients([], tmp_path)
    with pytest.raises(MixedRecipientsError):
        load_recipients([str(generate().recipient), str(generate(True).recipient)], tmp_path)
    with pytest.raises(KeyFileError, match="neither"):
        load_recipients(["missing.pub"], tmp_path)
    (tmp_path / "empty.pub").write_text("# nothing\n")
    with pytest.raises(KeyTextError, match="names no recipient"):
        load_recipients(["empty.pub"], tmp_path)


def test_a_wrong_line_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pub").write_text(f"{CLASSIC_RECIPIENT}\nage1nonsense\n")
    with pytest.raises(KeyTextError, match=r"bad\.pub, line 2"):
        load_recipients(["bad.pub"], tmp_path)
    private(tmp_path / "secret", identity_text([generate()]))
    with pytest.raises(KeyTextError, match="secret") as caught:
        load_recipients(["secret"], tmp_path)
    assert "AGE-SECRET" not in caught.value.message


# Identity files.


def test_an_identity_file_holds_several_and_comments(tmp_path: Path) -> None:
    one, two = generate(), generate(True)
    file = private(tmp_path / "keys", identity_text([one, two]) + "\n# end\n")
    loaded = load_identities(file, None)
    assert [identity.secret_text() for identity in loaded] == [one.secret_text(), two.secret_text()]
    assert file.read_text().splitlines()[1] == f"# public key: {one.recipient}"


@pytest.mark.parametrize("armor", [True, False])
def test_an_identity_file_may_be_locked(tmp_path: Path, armor: bool) -> None:
    identity = generate()
    file = tmp_path / "locked"
    with file.open("wb") as sink:
        text = identity_text([identity]).encode()
        encrypt_stream(io.BytesIO(text), sink, [PassphraseRecipient("four words", 2)], armor)
    file.chmod(0o600)
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "four words"

    (loaded,) = load_identities(file, ask)
    assert loaded.secret_text() == identity.secret_text()
    assert prompts == [f"Passphrase of {file}:"]
    with pytest.raises(PassphraseError, match="does not open"):
        load_identities(file, lambda _prompt: "three words")
    with pytest.raises(PassphraseError, match="nobody can be asked"):
        load_identities(file, None)


def test_locked_text_is_what_age_reads(tmp_path: Path) -> None:
    identity = generate(True)
    locked = locked_with("four words", identity_text([identity]))
    assert locked.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert identity.secret_text() not in locked
    (loaded,) = load_identities(private(tmp_path / "locked", locked), lambda _prompt: "four words")
    assert loaded.secret_text() == identity.secret_text()


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o777])
def test_a_private_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "key", identity_text([generate()]))
    file.chmod(mode)
    with pytest.raises(KeyFileError, match="Others may read") as caught:
        load_identities(file, None)
    assert "chmod 600" in caught.value.advice
    file.chmod(0o640)
    assert load_identities(file, None)


def test_an_identity_may_come_through_a_pipe() -> None:
    identity = generate()
    reading, writing = os.pipe()
    os.write(writing, identity_text([identity]).encode())
    os.close(writing)
    try:
        (loaded,) = load_identities(Path(f"/dev/fd/{reading}"), None)
    finally:
        os.close(reading)
    assert loaded.secret_text() == identity.secret_text()


def test_what_is_no_identity_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_identities(tmp_path / "missing", None)
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_identities(tmp_path, None)
    with pytest.raises(KeyTextError, match="holds no identity"):
        load_identities(private(tmp_path / "empty", "# nothing\n"), None)
    sealed = seal(b"", [generate().recipient]).data
    (tmp_path / "sealed").write_bytes(sealed)
    (tmp_path / "sealed").chmod(0o600)
    with pytest.raises(KeyTextError, match="encrypted to a key"):
        load_identities(tmp_path / "sealed", lambda _prompt: pytest.fail("asked for a passphrase"))
    with pytest.raises(KeyTextError, match="line 2") as caught:
        load_identities(private(tmp_path / "wrong", f"\n{CLASSIC_SECRET}Q\n"), None)
    assert CLASSIC_SECRET[20:40] not in caught.value.message


def test_a_key_pair_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_key_pair(file, "private\n", "public\n")
    assert (file.read_text(), public_path(file).read_text()) == ("private\n", "public\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key", "key.pub"]
    for taken in (file, public_path(file)):
        with pytest.raises(KeyFileError, match=f"{taken.name} is there already"):
            write_key_pair(file, "other\n", "other\n")
        taken.unlink()
        assert all(each.read_text() != "other\n" for each in tmp_path.iterdir())
    file.write_text("no folder", encoding="utf-8")
    with pytest.raises(KeyFileError, match="cannot be written"):
        write_key_pair(file / "key", "private\n", "public\n")


@pytest.mark.parametrize("at", ["fsync", "link"])
def test_a_key_is_nowhere_before_it_is_whole(tmp_path: Path, at: str) -> None:
    """Killed while it is written: no part of a private key stays behind under another name."""
    program = (
        "import os, sys; from pathlib import Path; from repatria.crypt.key_files import write_private_files;"
        f"os.{at} = lambda *given, **more: os.kill(os.getpid(), 9);"
        "write_private_files({Path('share-1'): b'secret', Path('share-2'): b'secret'})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_written_once_where_no_file_can_be_nameless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_files, "open_nameless", lambda _folder, _mode: None)
    test_a_key_pair_is_written_once(tmp_path)


def test_a_recipient_is_an_ordinary_value() -> None:
    recipient: Recipient = generate().recipient
    assert recipient != generate().recipient
    assert str(PassphraseRecipient("secret")) == "a passphrase"
