"""Where a Dask scheduler listens, and what of a cluster other machines can reach."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from repatria.errors import UsageError
from repatria.i18n import _

DEFAULT_PORT = 8786
_ADDRESS = re.compile(r"dask://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#\[\]@]+)(?::(?P<port>\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Where a Dask scheduler listens."""

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return f"dask://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether nothing that is said to it leaves this machine."""
        return _is_loopback(self.host)


def parse_address(text: str) -> ClusterAddress:
    """Return the address of `dask://HOST:PORT`; UsageError for anything else."""
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if match is None or not 0 < port < 1 << 16:
        raise UsageError(
            _("{text} is no address of a Dask scheduler.").format(text=text),
            advice=_("Give it as dask://HOST:PORT, for example dask://10.0.0.5:8786."),
        )
    return ClusterAddress(match["host"].strip("[]"), port)


def exposed(addresses: Iterable[str]) -> list[str]:
    """Return those addresses, as Dask writes them (`tcp://127.0.0.1:8786`), that lie beyond this machine."""
    return [address for address in addresses if not _is_loopback(urlsplit(address).hostname or "")]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
