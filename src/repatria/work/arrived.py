"""How much of a bundle is at the target."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrived:
    """How much of a bundle is safe at the target."""

    objects: int = 0
    """Those that are there whole."""
    bytes: int = 0
    """Of these objects, as at the source."""
    volumes: int = 0
    in_parts: int = 0
    """Bytes of further objects, of which only the first parts are there."""

    @property
    def all_bytes(self) -> int:
        """Bytes of objects that are there, whole or in part."""
        return self.bytes + self.in_parts
