"""Why ssh ended before there was a session, and what the user is told of it.

ssh exits with 255 for every reason (ssh(1), EXIT STATUS) and says which in words, never translated. Nothing that is
read from them makes a connection safe: there is none by then. They decide what is advised, and whether trying again
may help.
"""

import re
from enum import Enum, auto

from repatria.errors import RefusedError, RepatriaError, Role, UsageError
from repatria.i18n import _
from repatria.store import failures
from repatria.store.sftp_program import Ssh

_LONGEST = 200
"""Characters of ssh's words that are passed on."""


class Refusal(Enum):
    """Why there is no session."""

    UNKNOWN_HOST_KEY = auto()
    OTHER_HOST_KEY = auto()
    """Not the one that is known, or a revoked one."""
    NO_KEY_ACCEPTED = auto()
    OLD_ALGORITHMS = auto()
    NO_SFTP = auto()
    CONFIGURATION = auto()
    NO_SUCH_HOST = auto()
    NO_ANSWER = auto()
    BROKEN = auto()
    """The connection was made, and ended: a busy server drops some (sshd_config(5), MaxStartups)."""


_SAYINGS = (
    ("host key is known for", Refusal.UNKNOWN_HOST_KEY),
    ("Host key verification failed", Refusal.OTHER_HOST_KEY),
    ("Permission denied (", Refusal.NO_KEY_ACCEPTED),
    ("Too many authentication failures", Refusal.NO_KEY_ACCEPTED),
    ("Unable to negotiate with", Refusal.OLD_ALGORITHMS),
    ("subsystem request failed", Refusal.NO_SFTP),
    ("bad configuration option", Refusal.CONFIGURATION),
    ("Bad owner or permissions on", Refusal.CONFIGURATION),
    ("Could not resolve hostname", Refusal.NO_SUCH_HOST),
    ("ssh: connect to host", Refusal.NO_ANSWER),
)


def refusal_of(said: str) -> Refusal:
    """Return what ssh's messages mean, the gravest thing that is in them."""
    return next((refusal for words, refusal in _SAYINGS if words in said), Refusal.BROKEN)


def shown_key(account: str) -> tuple[str, str]:
    """Return kind and fingerprint of the host's key as ssh's account of a handshake tells them."""
    found = re.search(r"Server host key: ([\w@.-]+) (SHA256:[\w+/=]+)", account)
    return (found[1], found[2]) if found else ("ed25519", "?")


def told(refusal: Refusal, said: str, ssh: Ssh, store: str, role: Role) -> RepatriaError:
    """Return the error that tells the user of a refusal; `store` is the public URI."""
    if refusal is Refusal.CONFIGURATION:
        return UsageError(
            _("ssh does not take its configuration: {reason}.").format(reason=_last_words(said)),
            advice=_("Correct it; try: ssh -G {host}").format(host=ssh.host),
        )
    if refusal in _REFUSED:
        return _REFUSED[refusal](ssh, store, role)
    if refusal is Refusal.NO_SUCH_HOST:
        reason = _("no such host as {host}").format(host=ssh.host)
        advice = _("Correct the uri or the network's names, then run the same command again.")
    else:
        reason = _("no SSH connection")
        advice = _("Check the address, the network and the firewall, then run the same command again.")
    return failures.unreachable(store, role, reason, advice)


def _unknown_host_key(ssh: Ssh, _store: str, role: Role) -> RefusedError:
    kind, fingerprint = shown_key(ssh.account())
    host, port = _place(ssh)
    return RefusedError(
        _("The host key of {host} is not known; nothing was sent.").format(host=host),
        advice=_(
            "Ask its operator for its fingerprint. Only if that is {fingerprint}, run: "
            "ssh-keyscan -t {kind} -p {port} {host} >> ~/.ssh/known_hosts"
        ).format(host=host, port=port, fingerprint=fingerprint, kind=kind.removeprefix("ssh-")),
        role=role,
    )


def _other_host_key(ssh: Ssh, _store: str, role: Role) -> RefusedError:
    _kind, fingerprint = shown_key(ssh.account())
    host, port = _place(ssh)
    return RefusedError(
        _("{host} shows another host key than the one that is known; nothing was sent.").format(host=host),
        advice=_(
            "Someone may be in between. Ask its operator whether its key is now {fingerprint}; only then replace "
            "the old one: ssh-keygen -R '[{host}]:{port}' (or ssh-keygen -R {host} for port 22)."
        ).format(host=host, port=port, fingerprint=fingerprint),
        role=role,
    )


def _no_key_accepted(ssh: Ssh, store: str, role: Role) -> RefusedError:
    user, locked = ssh.settings["user"][0], ssh.locked_key()
    host, port = _place(ssh)
    if locked is not None:
        advice = _("{file} has a passphrase: run ssh-add {file}, then the same command again.").format(file=locked)
    else:
        advice = _(
            "Have a public key of yours put into authorized_keys there; try: ssh -p {port} {user}@{host}"
        ).format(port=port, user=user, host=host)
    return RefusedError(
        _("{store} does not accept any SSH key for the user {user}.").format(store=store, user=user),
        advice=advice,
        role=role,
    )


def _old_algorithms(_ssh: Ssh, store: str, role: Role) -> RefusedError:
    return RefusedError(
        _("{store} speaks only SSH algorithms that are no longer safe; nothing was sent.").format(store=store),
        advice=_("Have the server updated."),
        role=role,
    )


def _no_sftp(ssh: Ssh, store: str, role: Role) -> RefusedError:
    return RefusedError(
        _("{store} offers no SFTP to this user.").format(store=store),
        advice=_("Have it allowed there; try: sftp {host}").format(host=ssh.host),
        role=role,
    )


_REFUSED = {
    Refusal.UNKNOWN_HOST_KEY: _unknown_host_key,
    Refusal.OTHER_HOST_KEY: _other_host_key,
    Refusal.NO_KEY_ACCEPTED: _no_key_accepted,
    Refusal.OLD_ALGORITHMS: _old_algorithms,
    Refusal.NO_SFTP: _no_sftp,
}


def _place(ssh: Ssh) -> tuple[str, str]:
    return ssh.settings["hostname"][0], ssh.settings["port"][0]


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    words = "".join(letter for letter in lines[-1] if letter.isprintable()) if lines else ""
    return words.rstrip(".")[:_LONGEST]
