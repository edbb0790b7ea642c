"""What OpenSSH's client says, and what is made of it."""

import pytest

from repatria.errors import RefusedError, RepatriaError, Role, UnreachableError, UsageError
from repatria.store.sftp_program import Ssh, fastest_first
from repatria.store.sftp_refusals import Refusal, refusal_of, shown_key, told

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Host key for [127.0.0.1]:2222 has changed and you have requested strict checking.
Host key verification failed.
"""
UNKNOWN = """\
No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.
Host key verification failed.
"""
OLD = (
    "Unable to negotiate with 10.0.0.1 port 22: no matching key exchange method found. "
    "Their offer: diffie-hellman-group1-sha1\n"
)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        (UNKNOWN, Refusal.UNKNOWN_HOST_KEY),
        (CHANGED, Refusal.OTHER_HOST_KEY),
        ("depot@10.0.0.1: Permission denied (publickey,password).\n", Refusal.NO_KEY_ACCEPTED),
        ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n", Refusal.NO_KEY_ACCEPTED),
        (OLD, Refusal.OLD_ALGORITHMS),
        ("subsystem request failed on channel 0\n", Refusal.NO_SFTP),
        ("/home/a/.ssh/config: terminating, 1 bad configuration options\n", Refusal.CONFIGURATION),
        ("Bad owner or permissions on /home/a/.ssh/config\n", Refusal.CONFIGURATION),
        ("ssh: Could not resolve hostname depot: Name or service not known\n", Refusal.NO_SUCH_HOST),
        ("ssh: connect to host 10.0.0.1 port 22: Connection refused\n", Refusal.NO_ANSWER),
        ("ssh: connect to host 10.0.0.1 port 22: Connection timed out\n", Refusal.NO_ANSWER),
        ("kex_exchange_identification: Connection closed by remote host\n", Refusal.BROKEN),
        ("kex_exchange_identification: read: Connection reset by peer\n", Refusal.BROKEN),
        ("Timeout, server 10.0.0.1 not responding.\n", Refusal.BROKEN),
        ("", Refusal.BROKEN),
    ],
)
def test_what_ssh_says_has_a_meaning(said: str, refusal: Refusal) -> None:
    assert refusal_of(said) is refusal


def test_the_shown_key_is_found_in_the_account_of_a_handshake() -> None:
    account = "debug1: SSH2_MSG_KEX_ECDH_REPLY received\ndebug1: Server host key: ssh-ed25519 SHA256:abc+/1\n"
    assert shown_key(account) == ("ssh-ed25519", "SHA256:abc+/1")
    assert shown_key("nothing of it")[1] == "?"


@pytest.mark.parametrize(
    ("refusal", "kind", "sentence"),
    [
        (Refusal.OLD_ALGORITHMS, RefusedError, "no longer safe"),
        (Refusal.NO_SFTP, RefusedError, "offers no SFTP"),
        (Refusal.CONFIGURATION, UsageError, "does not take its configuration: a b"),
        (Refusal.NO_SUCH_HOST, UnreachableError, "no such host as depot"),
        (Refusal.NO_ANSWER, UnreachableError, "no SSH connection"),
        (Refusal.BROKEN, UnreachableError, "no SSH connection"),
    ],
)
def test_each_has_its_sentence(refusal: Refusal, kind: type[RepatriaError], sentence: str) -> None:
    error = told(refusal, "first\na\x1b b.\n", Ssh("depot", None, None), "sftp://depot/x", Role.TARGET)
    assert isinstance(error, kind)
    assert sentence in error.message
    assert error.advice


def test_only_ciphers_that_are_allowed_are_offered_the_fastest_first() -> None:
    assert fastest_first("chacha20-poly1305@openssh.com,aes128-ctr,aes256-gcm@openssh.com") == (
        "aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr"
    )
    assert fastest_first("aes256-ctr") == "aes256-ctr"
