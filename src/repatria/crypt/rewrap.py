"""Another header before the same payload: who can open a file changes, its encrypted bytes do not.

This is no revocation: the file key stays, and who has the old header and an old identity still reads the payload.
"""

import io
from collections.abc import Iterable, Sequence

from repatria.crypt.errors import HeadChangedError
from repatria.crypt.header import Head, make_header, read_head
from repatria.crypt.recipient import Recipient, check_recipients
from repatria.crypt.unwrap import Identity, unwrap_file_key
from repatria.i18n import _


def rewrapped_head(head: Head, identities: Iterable[Identity], recipients: Sequence[Recipient]) -> bytes:
    """Return the head of the same file for other recipients: a new header, the nonce as it was.

    HeaderError, HeaderMacError, or NoMatchError if no identity opens the file.
    """
    check_recipients(recipients)
    file_key = unwrap_file_key(head.header, identities)
    return make_header(file_key, [stanza for each in recipients for stanza in each.wrap(file_key)]) + head.nonce


def require_same_file(old: bytes, new: bytes, identities: Iterable[Identity]) -> None:
    """Require that `new` was made of the head `old` by somebody who could open the file: same file key, same nonce.

    HeaderError, HeaderMacError or HeadChangedError if not; NoMatchError if no identity opens the old one. For whom the
    new header is, only those can tell.
    """
    (before, after), (beyond_old, beyond_new) = zip(
        *(read_head(io.BytesIO(head).read) for head in (old, new)), strict=True
    )
    after.header.verify(unwrap_file_key(before.header, identities))
    if before.nonce != after.nonce or beyond_old or beyond_new:
        raise HeadChangedError(
            _("A header that was laid down for an encrypted file is not one of that file."),
            advice=_("Do not put it in place. Ask who has access to the store."),
        )
