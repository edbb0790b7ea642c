"""A scan's bytes, read by the processes that work its pages without any file and without travelling with each page."""

import os
from dataclasses import dataclass, field
from typing import Self

_COPY_BELOW = 64 * 1024


@dataclass(frozen=True, slots=True)
class SharedBytes:
    """Bytes that travel to another process of this machine by reference where the system can (Linux), else by copy.

    The reference is an anonymous memory file (memfd_create(2)): it has no name, and the kernel drops it when the last
    process that holds it ends, however it ends. It lives until `close`; `read` works in any process until then.
    """

    size: int
    content: bytes = field(repr=False)
    """The bytes themselves where they travel by copy."""
    process: int = 0
    descriptor: int = -1

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Hold `data`."""
        if len(data) < _COPY_BELOW or not hasattr(os, "memfd_create"):
            return cls(len(data), data)
        descriptor = os.memfd_create("scan", os.MFD_CLOEXEC)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        return cls(len(data), b"", os.getpid(), descriptor)

    def read(self) -> bytes:
        """Return the bytes."""
        if self.descriptor < 0:
            return self.content
        with open(f"/proc/{self.process}/fd/{self.descriptor}", "rb") as held:  # noqa: PTH123 -- memory, not a path
            return held.read()

    def close(self) -> None:
        """Let the bytes go; only the process that made them may, once."""
        if self.descriptor >= 0 and self.process == os.getpid():
            os.close(self.descriptor)
