"""A SHA-256 whose state can be kept, so that a long object's digest survives an interruption.

hashlib exports no state. libcrypto's `SHA256_CTX` is plain memory with a layout that has not changed since OpenSSL
0.9.8 (sha.h: eight 32-bit words of hash, the bit count in two, 64 bytes of buffer, the buffer's fill, the digest's
length). It is checked against hashlib before it is trusted; where it is missing, no state can be kept.
"""

import ctypes
import functools
import hashlib
import struct
from typing import Final

from repatria.crypt.errors import HashStateError
from repatria.i18n import _

BLOCK_SIZE: Final = 64
_STATE: Final = struct.Struct(">8IQ")
_LIBRARIES: Final = ("libcrypto.so.3", "libcrypto.so.4", "libcrypto.so.1.1", "libcrypto.so", "libcrypto.dylib")
_COPIED_SLICE: Final = 1024 * 1024

Buffer = bytes | bytearray | memoryview


class _Context(ctypes.Structure):
    _fields_ = (
        ("hash", ctypes.c_uint32 * 8),
        ("bits_low", ctypes.c_uint32),
        ("bits_high", ctypes.c_uint32),
        ("buffer", ctypes.c_uint8 * BLOCK_SIZE),
        ("fill", ctypes.c_uint32),
        ("digest_size", ctypes.c_uint32),
    )


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Return a libcrypto that behaves as expected, None if there is none."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            library.SHA256_Init.argtypes = (ctypes.POINTER(_Context),)
            library.SHA256_Update.argtypes = (ctypes.POINTER(_Context), ctypes.c_void_p, ctypes.c_size_t)
            library.SHA256_Final.argtypes = (ctypes.c_char_p, ctypes.POINTER(_Context))
        except (OSError, AttributeError):
            continue
        if _behaves(library):
            return library
    return None


def _behaves(library: ctypes.CDLL) -> bool:
    """Interrupt a digest and compare with hashlib: catches another layout or another byte order."""
    message = bytes(range(256)) * 3
    first = _Libcrypto(library)
    first.update(message[:512])
    state = first.state()
    if state is None or state[-8:] != (512).to_bytes(8, "big"):
        return False
    second = _Libcrypto(library, state)
    second.update(message[512:])
    return second.digest() == hashlib.sha256(message).digest()


class _Libcrypto:
    """One running digest in libcrypto's own structure."""

    def __init__(self, library: ctypes.CDLL, state: bytes | None = None) -> None:
        self._library = library
        self._context = _Context()
        library.SHA256_Init(ctypes.byref(self._context))
        if state is not None:
            *words, count = _STATE.unpack(state)
            self._context.hash[:] = words
            self._context.bits_low = count * 8 & 0xFFFFFFFF
            self._context.bits_high = count * 8 >> 32

    def update(self, data: Buffer) -> None:
        if isinstance(data, bytes):
            self._library.SHA256_Update(ctypes.byref(self._context), data, len(data))
            return
        view = memoryview(data).cast("B")
        if not view.readonly:
            if len(view):
                pointer = (ctypes.c_char * len(view)).from_buffer(view)
                self._library.SHA256_Update(ctypes.byref(self._context), pointer, len(view))
            return
        for start in range(0, len(view), _COPIED_SLICE):  # ctypes gives no pointer into a read-only view
            self.update(bytes(view[start : start + _COPIED_SLICE]))

    def digest(self) -> bytes:
        copy = _Context.from_buffer_copy(self._context)
        result = ctypes.create_string_buffer(32)
        self._library.SHA256_Final(result, ctypes.byref(copy))
        return result.raw

    def state(self) -> bytes | None:
        context = self._context
        if context.fill:
            return None
        return _STATE.pack(*context.hash, (context.bits_high << 32 | context.bits_low) // 8)


class ResumableSha256:
    """SHA-256, equal to `hashlib.sha256`, with a state to keep. Not for several threads at once."""

    def __init__(self) -> None:
        library = _library()
        self._digest = hashlib.sha256() if library is None else _Libcrypto(library)

    def update(self, data: Buffer) -> None:
        """Add bytes; other Python threads run meanwhile."""
        self._digest.update(data)

    def digest(self) -> bytes:
        """Return the 32-byte digest of what was added so far; more may follow."""
        return self._digest.digest()

    def state(self) -> bytes | None:
        """Return 40 bytes to go on from, the same on every machine; they hold no byte of the data.

        None unless a multiple of 64 bytes was added so far, or where libcrypto is missing.
        """
        return self._digest.state() if isinstance(self._digest, _Libcrypto) else None

    @classmethod
    def from_state(cls, state: bytes) -> "ResumableSha256":
        """Go on from a kept state; HashStateError if it is none, or this machine cannot."""
        library = _library()
        if library is None or len(state) != _STATE.size or int.from_bytes(state[-8:], "big") % BLOCK_SIZE:
            raise HashStateError(
                _("The kept state of an interrupted digest cannot be used on this machine."),
                advice=_("Nothing is lost: the object will be read again from its start."),
            )
        resumed = cls()
        resumed._digest = _Libcrypto(library, state)
        return resumed
