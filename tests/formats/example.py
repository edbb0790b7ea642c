"""The bundles of docs/formats/example: made by the writer's own parts, from nothing that is random.

`repatria.crypt` gives nobody a way to choose its randomness. So the age files are put together here from the pieces
below it, as the specification says; that `age` opens them proves that it was done right.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from repatria.crypt.derive import encode_base64, hkdf_sha256
from repatria.crypt.header import Stanza, make_header
from repatria.crypt.identity import ClassicIdentity
from repatria.crypt.payload import PayloadCipher, sealed_size
from repatria.crypt.recipient import Recipient
from repatria.crypt.seal import Sealed
from repatria.crypt.sshsig import Signer
from repatria.store.base import Store
from tests.bundle.making import DatasetMaker, directory, file, symlink

DATASET = "exemple"
FIRST, SECOND = "20240130T200000Z-aaaaaa", "20240131T200000Z-aaaaab"
PRINCIPAL = "migration@exemple"
IDENTITY_SEED = bytes(range(32))
SIGNER_SEED = bytes(range(32, 64))
SOURCES = (
    file("reçu.txt", b"Bonjour\n", owner="fatou", group="archives"),
    file("../fuite.txt", b"Un nom qui sort du dossier.\n"),
    symlink("dernier", "reçu.txt"),
    directory("vide"),
)


def drawn(what: str, length: int) -> bytes:
    """Return what stands for random bytes: the beginning of the SHA-256 of a sentence."""
    return hashlib.sha256(what.encode()).digest()[:length]


@dataclass(frozen=True)
class AgeFile:
    """One age file of the example, with all that its writer knew."""

    file_key: bytes
    ephemeral: bytes
    shared_secret: bytes
    wrap_key: bytes
    stanza: Stanza
    header: bytes
    nonce: bytes
    payload: bytes
    data: bytes


@dataclass
class AgeFiles:
    """Seals files for one recipient, and keeps how."""

    recipient: bytes
    made: list[AgeFile] = field(default_factory=list)

    def seal(self, payload: memoryview | bytes, recipients: Sequence[Recipient]) -> Sealed:
        """Put one age file together; it is the n-th of the example."""
        assert len(recipients) == 1
        number = len(self.made) + 1
        file_key, nonce = drawn(f"file key {number}", 16), drawn(f"nonce {number}", 16)
        ephemeral = X25519PrivateKey.from_private_bytes(drawn(f"ephemeral {number}", 32))
        share = ephemeral.public_key().public_bytes_raw()
        shared_secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.recipient))
        wrap_key = hkdf_sha256(shared_secret, share + self.recipient, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(wrap_key).encrypt(bytes(12), file_key, None)
        stanza = Stanza("X25519", (encode_base64(share),), body)
        header = make_header(file_key, [stanza])
        head = header + nonce
        view = memoryview(payload).cast("B")
        data = bytearray(len(head) + sealed_size(len(view)))
        data[: len(head)] = head
        PayloadCipher(file_key, nonce).seal_into(view, 0, True, memoryview(data)[len(head) :])
        self.made.append(
            AgeFile(
                file_key,
                drawn(f"ephemeral {number}", 32),
                shared_secret,
                wrap_key,
                stanza,
                header,
                nonce,
                bytes(view),
                bytes(data),
            )
        )
        sha256 = [hashlib.sha256(each).digest() for each in (head, view, data)]
        return Sealed(memoryview(data), sha256[0], sha256[1], len(view), sha256[2])


@dataclass
class Example:
    """Both bundles, written to a store."""

    store: Store
    identity: ClassicIdentity = field(default_factory=lambda: ClassicIdentity(IDENTITY_SEED))
    signer: Signer = field(default_factory=lambda: Signer(Ed25519PrivateKey.from_private_bytes(SIGNER_SEED)))
    age_files: AgeFiles = field(init=False)

    def __post_init__(self) -> None:
        public = X25519PrivateKey.from_private_bytes(IDENTITY_SEED).public_key().public_bytes_raw()
        self.age_files = AgeFiles(public)
        salts = iter(range(1, 100))
        maker = DatasetMaker(
            self.store,
            DATASET,
            self.identity,
            self.signer,
            seal=self.age_files.seal,
            random=lambda length: drawn(f"salt {next(salts)}", length),
        )
        maker.bundle(SOURCES, bundle_id=FIRST)
        maker.started, maker.finished = "2024-01-31T20:00:00Z", "2024-01-31T20:00:09Z"
        maker.bundle([], gone=["dernier"], bundle_id=SECOND)

    @property
    def identity_text(self) -> str:
        """The identity file."""
        return f"# published with the format: for this example alone\n{self.identity.secret_text()}\n"

    @property
    def allowed_signers(self) -> str:
        """The allowed signers file."""
        return self.signer.key.allowed_line(PRINCIPAL) + "\n"
