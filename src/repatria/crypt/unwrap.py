"""From a header and identities to the file key."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from repatria.crypt.errors import HeaderError, NoMatchError, WrongPassphraseError
from repatria.crypt.header import Header, Stanza
from repatria.crypt.recipient import Recipient
from repatria.crypt.stanzas import SCRYPT
from repatria.i18n import _


class Identity(Protocol):
    """Unwraps file keys; safe to use from several threads."""

    @property
    def recipient(self) -> Recipient:
        """Whom files must be encrypted to for this identity to open them."""

    def unwrap(self, offered: Sequence[Stanza]) -> bytes | None:
        """Return the file key of the first stanza that fits, None if none does; HeaderError for malformed ones."""

    def secret_text(self) -> str:
        """Return the line of an identity file; secret."""


def unwrap_file_key(header: Header, identities: Iterable[Identity]) -> bytes:
    """Return the file key of a header whose MAC it proves.

    HeaderError, HeaderMacError, or NoMatchError if no identity fits.
    """
    if len(header.stanzas) > 1 and any(stanza.type == SCRYPT for stanza in header.stanzas):
        raise HeaderError(
            _("The header of this encrypted file has a passphrase beside other recipients, which the format forbids."),
            advice=_("Check where this file comes from; do not trust it."),
        )
    for identity in identities:
        file_key = identity.unwrap(header.stanzas)
        if file_key is not None:
            header.verify(file_key)
            return file_key
    if header.stanzas[0].type == SCRYPT:
        raise WrongPassphraseError(
            _("This file is encrypted with a passphrase, and it was not opened."),
            advice=_("Check the passphrase; the file is unchanged."),
        )
    raise NoMatchError(
        _("This file is not encrypted to any of the given identities."),
        advice=_("Give the identity that belongs to one of its recipients with -i."),
    )
