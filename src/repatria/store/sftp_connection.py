"""SSH connections: where to, by whose configuration, and only to hosts whose keys are known."""

import getpass
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from repatria.errors import RefusedError, Role, StoreError, UsageError
from repatria.i18n import _
from repatria.store import failures
from repatria.store.known_hosts import HostKey, known_keys
from repatria.store.sftp_packet import ProtocolError
from repatria.store.sftp_session import Session

PATIENCE = 60.0
"""Seconds without one byte after which a connection counts as lost."""
WINDOW = 128 << 20
"""Bytes that the server may send ahead: paramiko's default of 2 MiB holds a long link at a fraction of its rate."""
REKEY_AFTER = 1 << 36
"""Bytes under one key: as many as OpenSSH allows AES (ssh_config(5), RekeyLimit); paramiko's default is 512 MiB."""
ATTEMPTS = 4
"""How often a handshake is tried: a busy sshd drops some of them (sshd_config(5), MaxStartups)."""
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")

BROKEN = (OSError, EOFError, paramiko.SSHException, ProtocolError)
"""What a connection that breaks raises."""

# Errors are told by our own sentences; without a handler, paramiko's log would go to stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Address:
    """One SSH server as the user's configuration describes it."""

    store: str
    """The public URI of the store there, as errors name it."""
    role: Role
    host: str
    port: int
    user: str
    identities: tuple[Path, ...]
    use_agent: bool
    known_hosts: tuple[Path, ...]


@dataclass(slots=True)
class Connection:
    """One SSH connection with one SFTP session on it."""

    session: Session
    transport: paramiko.Transport

    @property
    def alive(self) -> bool:
        """Whether it can be used again, as far as is known."""
        return self.transport.is_active()

    def close(self) -> None:
        """End it."""
        self.transport.close()


def address_of(store: str, role: Role, host: str, port: int | None, user: str | None) -> Address:
    """Return the address of a host as `~/.ssh/config` completes it; what is given goes before."""
    file = Path("~/.ssh/config").expanduser()
    try:
        config = paramiko.SSHConfig.from_path(str(file)) if file.is_file() else paramiko.SSHConfig()
        found = config.lookup(host)
    except paramiko.ConfigParseError as error:
        raise UsageError(
            _("{file} cannot be read.").format(file=file), advice=_("Correct it; try: ssh -G {host}").format(host=host)
        ) from error
    if found.get("proxyjump", "none") != "none" or found.get("proxycommand", "none") != "none":
        raise UsageError(
            _("The SSH configuration reaches {host} through another host, which is not supported.").format(host=host),
            advice=_("Open a tunnel (ssh -L 2222:{host}:22 ...) and name localhost:2222 in the uri.").format(host=host),
        )
    return Address(
        store=store,
        role=role,
        host=found.get("hostname", host),
        port=port or int(found.get("port", 22)),
        user=user or found.get("user") or getpass.getuser(),
        identities=_paths(found.get("identityfile", IDENTITIES)),
        use_agent=found.get("identitiesonly", "no") != "yes",
        known_hosts=_paths([*found.get("userknownhostsfile", "").split(), *KNOWN_HOSTS]),
    )


def _paths(names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names)


def connect(address: Address) -> Connection:
    """Return a new connection; UnreachableError if none can be had, RefusedError if it is not allowed, or not safe."""
    for attempt in range(1, ATTEMPTS + 1):
        with _told(address):
            transport = _reach(address)
            try:
                _handshake(transport, address)
                return _open_session(transport, address)
            except (EOFError, paramiko.SSHException, ConnectionError) as error:
                transport.close()
                if attempt == ATTEMPTS or isinstance(error, IncompatiblePeer):
                    raise
            except BaseException:
                transport.close()
                raise
        time.sleep(2.0 ** (attempt - 1))
    raise AssertionError("the last attempt returns or raises")


def _reach(address: Address) -> paramiko.Transport:
    connection = socket.create_connection((address.host, address.port), timeout=PATIENCE)
    transport = paramiko.Transport(connection, default_window_size=WINDOW)
    transport.packetizer.REKEY_BYTES = REKEY_AFTER
    return transport


def _handshake(transport: paramiko.Transport, address: Address) -> None:
    """Agree on keys with the host, and make sure that it is the one that is known."""
    known = known_keys(_lines(address.known_hosts), address.host, address.port)
    options = transport.get_security_options()
    options.ciphers = CIPHERS
    asked = {"rsa-sha2-512", "rsa-sha2-256", *known.kinds} if "ssh-rsa" in known.kinds else known.kinds
    if asked:
        options.key_types = tuple(kind for kind in options.key_types if kind in asked) or options.key_types
    transport.start_client(timeout=PATIENCE)
    shown = transport.get_remote_server_key()
    key = HostKey(shown.get_name(), shown.asbytes())
    if known.trusts(key):
        return
    if known.trusted or key in known.revoked:
        raise RefusedError(
            _("{host} shows another host key than the one that is known; nothing was sent.").format(host=address.host),
            advice=_(
                "Someone may be in between. Ask its operator whether its key is now {fingerprint}; only then replace "
                "the old one: ssh-keygen -R '[{host}]:{port}' (or ssh-keygen -R {host} for port 22)."
            ).format(host=address.host, port=address.port, fingerprint=key.fingerprint),
            role=address.role,
        )
    raise RefusedError(
        _("The host key of {host} is not known; nothing was sent.").format(host=address.host),
        advice=_(
            "Ask its operator for its fingerprint. Only if that is {fingerprint}, run: "
            "ssh-keyscan -t {kind} -p {port} {host} >> ~/.ssh/known_hosts"
        ).format(host=address.host, port=address.port, fingerprint=key.fingerprint, kind=key.kind.removeprefix("ssh-")),
        role=address.role,
    )


def _lines(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        if file.is_file():
            yield from file.read_text("utf-8", "replace").splitlines()


def _open_session(transport: paramiko.Transport, address: Address) -> Connection:
    _authenticate(transport, address)
    transport.set_keepalive(30)
    channel = transport.open_session(window_size=WINDOW, timeout=PATIENCE)
    channel.settimeout(PATIENCE)
    channel.invoke_subsystem("sftp")
    return Connection(Session(channel), transport)


def _authenticate(transport: paramiko.Transport, address: Address) -> None:
    """Offer the keys of the configuration, then the agent's, one by one; passwords are never used."""
    locked: list[Path] = []
    for key in _keys(address, locked):
        try:
            if not transport.auth_publickey(address.user, key):
                return
        except paramiko.BadAuthenticationType:
            break
        except paramiko.AuthenticationException:
            continue
    if locked:
        advice = _("{file} has a passphrase: run ssh-add {file}, then the same command again.").format(file=locked[0])
    else:
        advice = _(
            "Have a public key of yours put into authorized_keys there; try: ssh -p {port} {user}@{host}"
        ).format(port=address.port, user=address.user, host=address.host)
    raise RefusedError(
        _("{store} does not accept any SSH key for the user {user}.").format(store=address.store, user=address.user),
        advice=advice,
        role=address.role,
    )


def _keys(address: Address, locked: list[Path]) -> Iterator[paramiko.PKey]:
    """Yield the keys to offer; put files that cannot be opened without a passphrase into `locked`."""
    for file in address.identities:
        if not file.is_file():
            continue
        try:
            yield paramiko.PKey.from_path(file)
        except (paramiko.PasswordRequiredException, TypeError):
            locked.append(file)
        except (paramiko.SSHException, OSError, ValueError):
            continue
    if address.use_agent and os.environ.get("SSH_AUTH_SOCK"):
        agent = paramiko.Agent()
        try:
            yield from agent.get_keys()
        finally:
            agent.close()


@contextmanager
def _told(address: Address) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except socket.gaierror as error:
        advice = _("Correct the uri or the network's names, then run the same command again.")
        raise failures.unreachable(
            address.store, address.role, _("no such host as {host}").format(host=address.host), advice
        ) from error
    except IncompatiblePeer as error:
        raise RefusedError(
            _("{store} speaks only SSH algorithms that are no longer safe; nothing was sent.").format(
                store=address.store
            ),
            advice=_("Have the server updated."),
            role=address.role,
        ) from error
    except BROKEN as error:
        advice = _("Check the address, the network and the firewall, then run the same command again.")
        raise failures.unreachable(address.store, address.role, _("no SSH connection"), advice) from error
