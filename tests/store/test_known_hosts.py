"""OpenSSH's known_hosts: who is trusted, and who is not."""

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.store.known_hosts import HostKey, KnownKeys, known_keys

KEY = HostKey("ssh-ed25519", b"key")
OTHER = HostKey("ssh-rsa", b"other")


def line(hosts: str, key: HostKey = KEY, marker: str = "") -> str:
    return f"{marker} {hosts} {key.kind} {base64.b64encode(key.blob).decode()} a comment".strip()


def trusted(*lines: str, host: str = "depot.sn", port: int = 22) -> bool:
    return known_keys(lines, host, port).trusts(KEY)


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("depot.sn", "depot.sn", 22),
        ("depot.sn", "DEPOT.sn", 22),
        ("10.0.0.1,depot.sn", "depot.sn", 22),
        ("[depot.sn]:2222", "depot.sn", 2222),
        ("*.sn", "depot.sn", 22),
        ("[depot.sn]:*", "depot.sn", 2222),
        ("dep?t.sn", "depot.sn", 22),
        ("!x.sn,*.sn", "depot.sn", 22),
    ],
)
def test_lines_that_name_a_host(hosts: str, host: str, port: int) -> None:
    assert trusted(line(hosts), host=host, port=port)


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("depot.sn", "depot.sn", 2222),
        ("[depot.sn]:2222", "depot.sn", 22),
        ("depot.sn.evil.org", "depot.sn", 22),
        ("*.sn,!depot.sn", "depot.sn", 22),
        ("#depot.sn", "depot.sn", 22),
        ("|1|AAAA|AAAA", "depot.sn", 22),
        ("|1|not base64", "depot.sn", 22),
    ],
)
def test_lines_that_do_not(hosts: str, host: str, port: int) -> None:
    assert not trusted(line(hosts), host=host, port=port)


def test_another_key_of_the_host_is_not_trusted() -> None:
    known = known_keys([line("depot.sn", OTHER)], "depot.sn", 22)
    assert not known.trusts(KEY)
    assert known.kinds == {"ssh-rsa"}


def test_a_revoked_key_is_never_trusted() -> None:
    assert not trusted(line("depot.sn"), line("*", marker="@revoked"))


def test_an_authority_is_no_host_key() -> None:
    assert not trusted(line("*.sn", marker="@cert-authority"))


def test_hashed_names_as_ssh_keygen_makes_them(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    kind, blob = (tmp_path / "key.pub").read_text().split()[:2]
    (tmp_path / "known").write_text(f"depot.sn {kind} {blob}\n[depot.sn]:2222 {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "known"], check=True, capture_output=True)
    lines = (tmp_path / "known").read_text().splitlines()
    assert all(each.startswith("|1|") for each in lines)
    key = HostKey(kind, base64.b64decode(blob))
    for port in (22, 2222):
        assert known_keys(lines, "depot.sn", port) == KnownKeys(frozenset({key}), frozenset())
    shown = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], check=True, capture_output=True, text=True)
    assert key.fingerprint == shown.stdout.split()[1]


@given(st.lists(st.text()))
def test_any_text_is_read(lines: list[str]) -> None:
    assert not known_keys(lines, "depot.sn", 22).trusts(KEY)
