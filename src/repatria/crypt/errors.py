"""What can be wrong with an age file, a key or a signature: one class for each thing that a caller may tell apart."""

from collections.abc import Sequence

from repatria.errors import CryptError


class HeaderError(CryptError):
    """The header of an age file breaks the format."""


class HeaderTooLargeError(HeaderError):
    """The header goes on beyond 1 MiB."""


class TooManyStanzasError(HeaderError):
    """The header has more stanzas than are ever tried."""


class WorkFactorError(HeaderError):
    """A passphrase stanza asks for more memory and time than is safe to spend on an unknown file."""


class UnsupportedVersionError(HeaderError):
    """An age file of a later version of the format."""


class HeaderMacError(CryptError):
    """The header was altered after it was written: its MAC under the file key is wrong."""


class HeadChangedError(CryptError):
    """The head is not the one that the signed digest names: another file stands in its place."""


class ArmorError(CryptError):
    """The ASCII armor breaks the strict PEM form."""


class PayloadError(CryptError):
    """A chunk of the payload is not what was written."""


class TruncatedError(PayloadError):
    """The file ends before its last chunk."""


class TrailingDataError(PayloadError):
    """Something follows the last chunk."""


class NoMatchError(CryptError):
    """The file is not encrypted to any of the identities."""


class WrongPassphraseError(NoMatchError):
    """The file is encrypted with another passphrase."""


class KeyTextError(CryptError):
    """A recipient, an identity or a file of them cannot be read as such."""


class UnsupportedKeyError(KeyTextError):
    """A key of a kind that Repatria does not use."""


class MixedRecipientsError(KeyTextError):
    """Recipients of different kinds for the same file: the weakest would decide."""


class KeyFileError(CryptError):
    """A key file is missing, unreadable, open to others, or in the way."""


class KeyInTheWayError(KeyFileError):
    """A key would be written where a file is already: another name is wanted, nothing is wrong with any key."""

    exit_code = 2


class PassphraseError(CryptError):
    """A passphrase is needed and none was given, or it is wrong."""


class ShareError(CryptError):
    """Something is wrong with a custodian's share, or with shares together."""


class SchemeError(ShareError):
    """No key can be split into so many shares, of which so many are needed."""

    exit_code = 2


class ShareWordError(ShareError):
    """Words of a share are wrong, missing or too many."""

    def __init__(self, message: str, *, advice: str = "", positions: Sequence[int] = ()) -> None:
        super().__init__(message, advice=advice)
        self.positions = tuple(positions)
        """The words to look at, counted from 1; empty where the checksum cannot tell."""


class ShareSetError(ShareError):
    """A share that does not belong to the others."""


class TooFewSharesError(ShareError):
    """Fewer shares than the threshold."""


class WrongKeyError(ShareError):
    """Shares give back a key, but not the one that was expected."""


class SignatureError(CryptError):
    """A signature cannot be read as an SSH signature."""


class BadSignatureError(SignatureError):
    """The signature was not made by its key over these bytes."""


class NamespaceError(SignatureError):
    """The signature was made for another purpose."""


class AllowedSignersError(CryptError):
    """A line of an allowed signers file cannot be read."""


class LocalSealError(CryptError):
    """A locally sealed row does not open: another key, another purpose, or altered."""


class HashStateError(CryptError):
    """A kept hash state cannot be taken up again."""
