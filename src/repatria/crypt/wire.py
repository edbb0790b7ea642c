"""SSH's binary form of strings and Ed25519 keys (RFC 4251 section 5, RFC 8709)."""

from typing import Final

_ED25519: Final = b"ssh-ed25519"
_ED25519_SIZE: Final = 32


def string(data: bytes) -> bytes:
    """Return bytes with their length before them."""
    return len(data).to_bytes(4, "big") + data


class WireReader:
    """Takes fields off a blob; ValueError where it ends too soon or goes on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        data = self._data[self._position : self._position + size]
        if len(data) != size:
            raise ValueError("the blob ends within a field")
        self._position += size
        return data

    def uint32(self) -> int:
        """Return the next number."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Return the next string."""
        return self.take(self.uint32())

    def finish(self) -> None:
        """Require that nothing is left."""
        if self._position != len(self._data):
            raise ValueError("the blob goes on after its last field")


def ed25519_blob(public: bytes) -> bytes:
    """Return an Ed25519 public key as SSH sends it."""
    return string(_ED25519) + string(public)


def parse_ed25519_blob(blob: bytes) -> bytes | None:
    """Return the 32 bytes of an Ed25519 key, None for a key of another type; ValueError if malformed."""
    reader = WireReader(blob)
    if reader.string() != _ED25519:
        return None
    public = reader.string()
    reader.finish()
    if len(public) != _ED25519_SIZE:
        raise ValueError("an Ed25519 key has 32 bytes")
    return public
