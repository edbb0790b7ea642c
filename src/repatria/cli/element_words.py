"""What people call the elements of a description, and the names of a scan."""

from repatria.i18n import _


def element_text(name: str) -> str:
    """Return how an element is called; a header of the bordereau that is no element of ISAD(G) stands for itself."""
    return {
        "name": _("name of the scan"),
        "folder": _("folder"),
        "reference": _("cote"),
        "title": _("intitulé"),
        "dates": _("dates"),
        "level": _("level"),
        "extent": _("extent"),
        "creator": _("producer"),
        "scope": _("content"),
        "access": _("conditions of access"),
        "language": _("language"),
        "notes": _("notes"),
    }.get(name, name)
