"""Where everything of a bundle lies, and the BagIt files around it (docs/formats/bundle.md, RFC 8493)."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from repatria import __version__
from repatria.bundle.errors import MalformedError
from repatria.i18n import _

BAGIT = "bagit.txt"
BAG_INFO = "bag-info.txt"
README = "README.txt"
MANIFEST = "manifest-sha256.txt"
TAGMANIFEST = "tagmanifest-sha256.txt"
STATEMENT = "statement.json"
STATEMENT_SIGNATURE = "statement.json.sig"
PAYLOAD_FOLDER = "data/"
CHECKPOINT_FOLDER = "checkpoints/"
KEPT_FOLDER = "statements/"
"""The statements of a bundle that newer ones replaced."""
RECORDS = "records"
"""The folder of signed records beside the bundles of a dataset."""
REWRAP = f"{RECORDS}/rewrap.json"
"""There while the recipients of a dataset are changed; its signature last to come and first to go."""
REWRAP_FOLDER = f"{RECORDS}/rewrap/"
LEASES = "leases"
"""The folder of what says who works on a dataset, beside its bundles."""
BAGIT_TEXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
TOOL = f"repatria {__version__}"

DATASET_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
BUNDLE_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z2-7]{6}\Z")
VOLUME = re.compile(r"data/vol-([0-9]{6,})\.tar\.age\Z")
INDEX = re.compile(r"data/index-([0-9]{4,})\.db\.age\Z")
CHECKPOINT = re.compile(r"checkpoints/([0-9]{4,})\.json(\.sig)?\Z")
KEPT = re.compile(r"statements/([0-9]{4,})\.json(\.sig)?\Z")
_MANIFEST_LINE = re.compile(r"([0-9a-f]{64})  ([!-~]+)\Z")
_STAMP = "%Y%m%dT%H%M%SZ"
_RANDOM_CHARACTERS = "abcdefghijklmnopqrstuvwxyz234567"


def new_bundle_id(now: datetime, after: str | None = None) -> str:
    """Return an id for a bundle begun `now`, which sorts after that of the bundle before it."""
    stamp = now.astimezone(UTC).strftime(_STAMP)
    if after is not None and stamp <= after[:16]:
        earlier = datetime.strptime(after[:16], _STAMP).replace(tzinfo=UTC)
        stamp = (earlier + timedelta(seconds=1)).strftime(_STAMP)
    return f"{stamp}-{''.join(secrets.choice(_RANDOM_CHARACTERS) for _place in range(6))}"


def rfc3339(moment: datetime) -> str:
    """Return a moment as statements write it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def volume_path(number: int) -> str:
    """Return a volume's path within its bundle."""
    return f"data/vol-{number:06d}.tar.age"


def index_path(number: int) -> str:
    """Return an index's path within its bundle."""
    return f"data/index-{number:04d}.db.age"


def checkpoint_path(number: int) -> str:
    """Return the path of the checkpoint that signs the publication of index `number`."""
    return f"checkpoints/{number:04d}.json"


def kept_path(number: int) -> str:
    """Return where the statement `number` of a bundle lies, counted from 1, once a newer one replaced it."""
    return f"{KEPT_FOLDER}{number:04d}.json"


def signature_path(path: str) -> str:
    """Return where the signature of a signed file lies."""
    return f"{path}.sig"


def render_manifest(digests: Mapping[str, bytes]) -> bytes:
    """Return a BagIt manifest that `sha256sum -c` reads: lines sorted by path."""
    return "".join(f"{digests[path].hex()}  {path}\n" for path in sorted(digests)).encode()


def parse_manifest(data: bytes) -> dict[str, bytes]:
    """Return path -> SHA-256 of a manifest as this writer makes them; MalformedError for any other."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError(_("The manifest is not plain text.")) from error
    if lines.pop() != "":
        raise MalformedError(_("The manifest's last line is cut off."))
    digests: dict[str, bytes] = {}
    for line in lines:
        match = _MANIFEST_LINE.match(line)
        if match is None or match[2] in digests:
            raise MalformedError(_("A line of the manifest is not right."))
        digests[match[2]] = bytes.fromhex(match[1])
    return digests


def bag_info(fields: Mapping[str, str]) -> bytes:
    """Return `bag-info.txt`; every value on one line, empty ones left out."""
    lines = ((label, " ".join(value.split())) for label, value in fields.items())
    return "".join(f"{label}: {value}\n" for label, value in lines if value).encode()


def human_size(size: int) -> str:
    """Return a size for BagIt's `Bag-Size`, in powers of 1000."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} PB"
