"""Comparing an object's bytes with the checksum that its source keeps."""

from repatria.errors import StoreError
from repatria.i18n import _
from repatria.migrate.etags import Etags
from repatria.migrate.fetching import Digest
from repatria.migrate.plan import Planned


class WrongChecksumError(StoreError):
    """An object's bytes do not have the checksum that the source itself keeps of it."""


def compare_checksum(digest: Digest, planned: Planned, etags: Etags) -> None:
    """Compare, once all bytes have come; WrongChecksumError if they are not those that the source keeps."""
    try:
        if digest.compared() is not None and digest.is_by_etag:
            etags.agreed(planned.source)
    except ValueError as error:
        if digest.is_by_etag and not etags.speak_against(planned.source, planned.object.size):
            digest.compare_nothing()
            return
        raise WrongChecksumError(
            _("Its bytes do not have the {algorithm} checksum that the source keeps of it.").format(algorithm=error)
        ) from error
