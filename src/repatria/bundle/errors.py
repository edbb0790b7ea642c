"""What may be wrong with a bundle itself, whatever the store: code 6 where a command cannot go on, 3 for a chain."""

from repatria.errors import CryptError, NotFoundError, UnverifiableError


class BundleError(CryptError):
    """A bundle is not what it should be."""


class AlteredError(BundleError):
    """Bytes at the target are not those that the signed statement binds."""


class MalformedError(BundleError):
    """A statement, index or volume does not follow the format, though its signature or digests may be right."""


class BrokenChainError(UnverifiableError):
    """The bundles of a dataset do not form one line: a fork, a missing base, a bundle under a wrong name."""


class NoBundleError(NotFoundError):
    """There is no such finished bundle: what was asked for is wrong, the store is not."""

    @property
    def code(self) -> int:
        """2, as for any wrong argument."""
        return 2
