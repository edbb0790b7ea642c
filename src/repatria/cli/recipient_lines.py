"""How commands show a recipient: its kind and its fingerprint, as a record or as two lines."""

from repatria.cli.output import Output
from repatria.crypt.recipient import Recipient, fingerprint
from repatria.i18n import _


def kind_shown(kind: str) -> str:
    """Return what a kind of key is, for people."""
    kinds = {"hybrid": _("post-quantum hybrid (age 1.3 or later)"), "classic": _("classical X25519 (any age)")}
    return kinds.get(kind, kind)


def show_recipient(out: Output, recipient: Recipient, **fields: object) -> None:
    """Write the recipient as a result; `fields` go into its JSON line."""
    out.record("recipient", kind=recipient.kind, fingerprint=fingerprint(recipient), recipient=str(recipient), **fields)
    out.text(_("Kind:        {kind}").format(kind=kind_shown(recipient.kind)))
    out.text(_("Fingerprint: {fingerprint}").format(fingerprint=fingerprint(recipient)))
