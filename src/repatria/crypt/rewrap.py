"""Another header before the same payload: who can open a file changes, its encrypted bytes do not.

This is no revocation: the file key stays, and who has the old header and an old identity still reads the payload.
"""

from collections.abc import Iterable, Sequence

from repatria.crypt.header import Head, make_header
from repatria.crypt.recipient import Recipient, check_recipients
from repatria.crypt.unwrap import Identity, unwrap_file_key


def rewrapped_head(head: Head, identities: Iterable[Identity], recipients: Sequence[Recipient]) -> bytes:
    """Return the head of the same file for other recipients: a new header, the nonce as it was.

    HeaderError, HeaderMacError, or NoMatchError if no identity opens the file.
    """
    check_recipients(recipients)
    file_key = unwrap_file_key(head.header, identities)
    return make_header(file_key, [stanza for each in recipients for stanza in each.wrap(file_key)]) + head.nonce
