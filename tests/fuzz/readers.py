"""Everything that reads bytes which a stranger may have written, with right ones to start from."""

import io
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repatria.bundle import bagit, layout, tar
from repatria.bundle.ahead import InMemory
from repatria.bundle.errors import MalformedError
from repatria.bundle.index import Index
from repatria.bundle.proof import make_proof, parse_proof
from repatria.bundle.reader import Bundle
from repatria.bundle.statement import parse_checkpoint, parse_statement
from repatria.crypt import sshsig
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.header import parse_header, read_head
from repatria.crypt.identity import PassphraseIdentity, generate, parse_identity_file
from repatria.crypt.key_files import identity_text
from repatria.crypt.recipient import PassphraseRecipient, load_recipients
from repatria.crypt.seal import decrypt_stream, encrypt_stream, seal
from repatria.crypt.seek import DecryptingReader
from repatria.crypt.share_words import read_share
from repatria.crypt.shares import split
from repatria.crypt.sshsig import Signer
from repatria.manifest import load_manifest
from repatria.store.memory import MemoryStore
from repatria.verify.proof import check_proof
from repatria.verify.trust import Trust
from repatria.work.lease_files import is_dead, leases_at, told_by
from tests.bundle.making import DatasetMaker, file
from tests.bundle.test_index import built
from tests.bundle.test_tar import GOOD

CLASSIC, HYBRID = generate(classic=True), generate()
KEYS = (CLASSIC, HYBRID, PassphraseIdentity(lambda: "mot de passe"))
SIGNER = Signer.generate()
PUBLIC = SIGNER.public_line("y")
DATASET = f"""
id = "fann"
sensitivity = "health"  # public, internal ...
timezone = "Africa/Dakar"
[[source]]
name = "exports"
uri = "s3://chu-fann/exports"
exclude = ["*.tmp"]
[target]
uri = "s3://coffre/sante"
[encryption]
recipients = ["{HYBRID.recipient}"]
[transfer]
bandwidth = "20mbit"
window = "Mon-Fri 20:00-06:00, Sat-Sun"
volume_size = "64MiB"
""".encode()


@dataclass(frozen=True)
class Reader:
    """One reader."""

    name: str
    seeds: Sequence[bytes]
    """Right bytes."""
    read: Callable[[bytes], object]

    def __str__(self) -> str:
        return self.name


def _streamed(armor: bool = False, passphrase: bool = False, payload: bytes = b"short" * 100) -> bytes:
    sink = io.BytesIO()
    recipient = PassphraseRecipient("mot de passe", work_factor=2) if passphrase else CLASSIC.recipient
    encrypt_stream(io.BytesIO(payload), sink, [recipient], armor)
    return sink.getvalue()


LARGE = bytes(seal(os.urandom(150_000), [CLASSIC.recipient]).data)
AGE_FILES = (
    LARGE,
    bytes(seal(b"short", [CLASSIC.recipient, generate(classic=True).recipient]).data),
    bytes(seal(b"short", [HYBRID.recipient]).data),
    _streamed(passphrase=True),
)


LOCKED = _streamed(armor=True, passphrase=True, payload=identity_text([CLASSIC]).encode())


def _decrypted(data: bytes) -> None:
    decrypt_stream(io.BytesIO(data), io.BytesIO(), KEYS)


def _header_of(data: bytes) -> bytes:
    return read_head(io.BytesIO(data).read)[0].header.raw


def _canonical_header(data: bytes) -> None:
    header = parse_header(data)
    lines = b"".join(stanza.serialise() for stanza in header.stanzas)
    assert data.startswith(b"age-encryption.org/v1\n" + lines + b"--- ")


def _by_ranges(data: bytes) -> None:
    reader = DecryptingReader(InMemory(data), KEYS)
    reader.read_at(70_000, 10)
    reader.seek(-5, os.SEEK_END)
    assert len(reader.readall()) == 5 or reader.payload_size < 5


def _made() -> tuple[MemoryStore, DatasetMaker]:
    maker = DatasetMaker(MemoryStore(), identity=CLASSIC, signer=SIGNER)
    for content in (b"hello", b"changed"):
        maker.bundle([file("a", content), file(f"b{len(maker.bundles)}", b"")])
    assert isinstance(maker.store, MemoryStore)
    return maker.store, maker


STORE, MAKER = _made()


def _fetched(path: str) -> bytes:
    with STORE.read(f"{MAKER.dataset_id}/{MAKER.bundles[1]}/{path}") as reading:
        return b"".join(reading.chunks)


def _proof() -> bytes:
    bundle = Bundle(STORE, MAKER.dataset_id, MAKER.bundles[1], [CLASSIC])
    return make_proof(bundle, bundle.find("a")[0]).encode()


def _index(data: bytes) -> None:
    index = Index(InMemory(data))
    for rows in (index.objects(), index.volumes(), index.tombstones(), index.documents(), index.pages(4)):
        list(rows)
    index.find("a/é")
    list(index.query("SELECT rowid FROM pages_text WHERE pages_text MATCH 'saint'"))
    list(index.query("SELECT rowid FROM pages_grams WHERE pages_grams MATCH '\"demi\"'"))
    index.check()
    index.close()


def _tar(data: bytes) -> None:
    walk = tar.TarWalk(io.BytesIO(data))
    for _entry in walk.entries():
        for _chunk in walk.data():
            pass


def _statement(data: bytes) -> None:
    assert parse_statement(data).encode() == data


def _checkpoint(data: bytes) -> None:
    assert parse_checkpoint(data).encode() == data


def _signature(data: bytes) -> None:
    assert sshsig.verify(data.decode("ascii", "replace"), _fetched(layout.STATEMENT)) == SIGNER.key


def _checked_proof(data: bytes) -> None:
    check_proof(parse_proof(data), Trust())


def _of_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Let bytes be read by what reads files."""

    def of_bytes(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "file")
            path.write_bytes(data)
            read(path)

    return of_bytes


def _signing_key(path: Path) -> None:
    path.chmod(0o600)
    Signer.load(path, lambda _prompt: "mot de passe")


MANIFEST = (
    b"3a52ce780950d4d969792a2559cd519d7ee8c727bbb0f2c8a1c6f5b1bd6cb9d4  data/re\xc3\xa7u%0A.txt\n"
    b"5D41402ABC4B2A76B9719D911017C592 *./data/b c\r\n"
)


def _bag_texts(data: bytes) -> None:
    """Read the text as each of BagIt's files, in each encoding: nothing but `faults` may come of it."""
    bagit.parse_declaration(data)
    for encoding in ("utf-8", "utf-16", "iso8859-1"):
        try:
            text = bagit.decoded(data, encoding)
        except MalformedError:
            continue
        bagit.parse_manifest("manifest-md5.txt", text, {"data/b c": None})
        bagit.parse_manifest("tagmanifest-sha256.txt", text, {})
        bagit.parse_fetch(text)
        bagit.parse_oxum(text)


LEASE_FILE = f"d/leases/20260131T200000Z-{'a' * 16}-0002.json"
LEASES = (
    b'{"process": 12, "user": "a", "host": "b", "since": "2026-01-31T20:00:00Z"}',
    b'{"process": 12, "user": "a", "host": "b", "since": "c", "boot": "d", "started": 4}',
    b'{"process": 1e999, "user": "a", "host": "b", "since": "c", "boot": "d", "started": 1e999}',
    b"[" * 4096,
)


def _lease(data: bytes) -> None:
    store = MemoryStore()
    store.put(LEASE_FILE, [data], len(data))
    (lease,) = leases_at(store, "d").values()
    holder = told_by(store, lease).holder
    assert f"{holder.user}{holder.host}{holder.pid:d}{holder.since}".isprintable()
    is_dead(store, lease)


READERS = (
    Reader("age header", [_header_of(data) for data in AGE_FILES], _canonical_header),
    Reader("age head in a stream", AGE_FILES, lambda data: read_head(io.BytesIO(data).read)),
    Reader("age file", AGE_FILES, _decrypted),
    Reader("age file by ranges", AGE_FILES, _by_ranges),
    Reader("armored age file", (_streamed(armor=True),), _decrypted),
    Reader("signature", (_fetched(layout.STATEMENT_SIGNATURE),), _signature),
    Reader(
        "allowed signers",
        (
            SIGNER.key.allowed_line("a@b,*@c").encode(),
            f'x valid-before="20240101Z" {SIGNER.public_line("y")}\n# z\n'.encode(),
        ),
        lambda data: AllowedSigners.parse(data.decode("utf-8", "replace")),
    ),
    Reader("statement", (_fetched(layout.STATEMENT),), _statement),
    Reader("checkpoint", (_fetched("checkpoints/0001.json"),), _checkpoint),
    Reader("manifest of a bundle", (_fetched(layout.MANIFEST), _fetched(layout.TAGMANIFEST)), layout.parse_manifest),
    Reader("texts of a bag", (MANIFEST, layout.BAGIT_TEXT, b"http://x 12 data/a\nPayload-Oxum: 1.2\n"), _bag_texts),
    Reader("index", (built(),), _index),
    Reader("tar in a volume", (GOOD,), _tar),
    Reader("proof", (_proof(),), _checked_proof),
    Reader(
        "identity file",
        (identity_text([CLASSIC, HYBRID]).encode(), LOCKED),
        lambda data: parse_identity_file(data, Path("key"), lambda _prompt: "mot de passe"),
    ),
    Reader(
        "file of recipients",
        (f"# one\n{CLASSIC.recipient}\n".encode(), f"{HYBRID.recipient}\n{HYBRID.recipient}".encode()),
        _of_file(lambda path: load_recipients([str(path)], path.parent)),
    ),
    Reader(
        "signing key",
        (SIGNER.private_text().encode(), SIGNER.private_text("mot de passe").encode()),
        _of_file(_signing_key),
    ),
    Reader(
        "share of a key",
        [" ".join(share.words).encode() for share in split(CLASSIC, 3, 2)],
        lambda data: read_share(data.decode("utf-8", "replace").split()),
    ),
    Reader("lease", LEASES, _lease),
    Reader("manifest of a dataset", (DATASET,), _of_file(load_manifest)),
)
