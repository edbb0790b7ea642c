"""The payload of an age file: chunks of 64 KiB, each sealed under a counter and a final flag (STREAM)."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from repatria.crypt.derive import TAG_SIZE, hkdf_sha256
from repatria.crypt.errors import PayloadError, TrailingDataError, TruncatedError
from repatria.i18n import _

CHUNK_SIZE: Final = 64 * 1024
SEALED_CHUNK_SIZE: Final = CHUNK_SIZE + TAG_SIZE

Buffer = bytes | bytearray | memoryview


def chunk_count(payload_size: int) -> int:
    """Return how many chunks hold a payload: one even for an empty one."""
    return max(1, -(-payload_size // CHUNK_SIZE))


def sealed_size(payload_size: int) -> int:
    """Return the bytes of all chunks of a payload."""
    return payload_size + TAG_SIZE * chunk_count(payload_size)


def payload_size_of(sealed: int) -> int:
    """Return the payload's size that `sealed` bytes of chunks claim; TruncatedError if no payload has such chunks.

    A claim only: whoever cut the file at a chunk made the claim too, until the last chunk is opened as the last.
    """
    count = -(-sealed // SEALED_CHUNK_SIZE)
    last = sealed - (count - 1) * SEALED_CHUNK_SIZE
    if count == 0 or last < TAG_SIZE or (last == TAG_SIZE and count > 1):
        raise truncated()
    return sealed - TAG_SIZE * count


def _nonce(number: int, last: bool) -> bytes:
    """Return the chunk's number in 11 bytes and the final flag in one."""
    return (number << 8 | last).to_bytes(12, "big")


class PayloadCipher:
    """Seals and opens the chunks of one file."""

    __slots__ = ("_aead",)

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._aead = ChaCha20Poly1305(hkdf_sha256(file_key, nonce, b"payload"))

    def seal_into(self, payload: memoryview, number: int, last: bool, sealed: memoryview) -> int:
        """Seal `payload` as the chunks from `number` on into `sealed`; return the bytes written.

        All but the last chunk of a file are full, so `payload` is whole chunks unless it is the `last` run.
        """
        encrypt_into = self._aead.encrypt_into
        final = chunk_count(len(payload)) - 1
        position = 0
        for index in range(final + 1):
            chunk = payload[index * CHUNK_SIZE : (index + 1) * CHUNK_SIZE]
            end = position + len(chunk) + TAG_SIZE
            encrypt_into(_nonce(number + index, last and index == final), chunk, None, sealed[position:end])
            position = end
        return position

    def open_chunk(self, sealed: Buffer, number: int, last: bool) -> bytes:
        """Return one chunk's plaintext; PayloadError if it is not this very chunk of this file."""
        try:
            payload = self._aead.decrypt(_nonce(number, last), sealed, None)
        except InvalidTag:
            raise self._diagnose(sealed, number, last) from None
        if not payload and number > 0:
            raise PayloadError(
                _("The encrypted file has an empty last chunk, which the format forbids."), advice=_advice()
            )
        return payload

    def _diagnose(self, sealed: Buffer, number: int, last: bool) -> PayloadError:
        """Tell a cut or lengthened file from an altered one: the chunk may be right but in the wrong place."""
        try:
            self._aead.decrypt(_nonce(number, not last), sealed, None)
        except InvalidTag:
            return PayloadError(
                _("The encrypted file is altered: chunk {number} does not authenticate.").format(number=number + 1),
                advice=_advice(),
            )
        return truncated() if last else trailing()


def truncated() -> TruncatedError:
    """Return the error of a file that ends too soon."""
    return TruncatedError(_("The encrypted file is cut short: its last chunk is missing."), advice=_advice())


def trailing() -> TrailingDataError:
    """Return the error of a file that goes on."""
    return TrailingDataError(_("The encrypted file goes on after its last chunk."), advice=_advice())


def _advice() -> str:
    return _("Fetch the file again from where it was made; do not trust this copy.")
