"""What may be wrong with a bundle itself, whatever the store: all are code 6 where a command cannot go on."""

from repatria.errors import CryptError


class BundleError(CryptError):
    """A bundle is not what it should be."""


class AlteredError(BundleError):
    """Bytes at the target are not those that the signed statement binds."""


class MalformedError(BundleError):
    """A statement, index or volume does not follow the format, though its signature or digests may be right."""


class BrokenChainError(BundleError):
    """The bundles of a dataset do not form one line: a fork, a missing base, a bundle under a wrong name."""
