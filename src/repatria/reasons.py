"""Why the operating system refused, in the user's language; its own words are those of another locale."""

import errno

from repatria.i18n import _


def reason_of(error: OSError) -> str:
    """Return why, as it stands after a colon: `permission denied`; the system's own words for what is rare."""
    return _reasons().get(error.errno or 0) or error.strerror or type(error).__name__


def _reasons() -> dict[int, str]:
    return {
        errno.ENOENT: _("there is no such file or folder"),
        errno.EACCES: _("permission denied"),
        errno.EPERM: _("permission denied"),
        errno.EEXIST: _("it is there already"),
        errno.EISDIR: _("it is a folder"),
        errno.ENOTDIR: _("a part of the path is no folder"),
        errno.ENOTEMPTY: _("the folder is not empty"),
        errno.ENOSPC: _("the disk is full"),
        errno.EDQUOT: _("the quota is used up"),
        errno.EFBIG: _("it is larger than the file system or a limit allows"),
        errno.EROFS: _("the disk is mounted read-only"),
        errno.EIO: _("the disk fails"),
        errno.ENAMETOOLONG: _("the name is too long"),
        errno.ELOOP: _("its links lead in a circle"),
        errno.EMFILE: _("too many files are open"),
        errno.ENFILE: _("too many files are open"),
        errno.ENOMEM: _("there is not enough memory"),
        errno.ENODEV: _("the device is gone"),
        errno.ENXIO: _("the device is gone"),
        errno.ESTALE: _("the network share is gone"),
        errno.ECONNREFUSED: _("the connection was refused"),
        errno.ECONNRESET: _("the connection broke"),
        errno.EPIPE: _("the connection broke"),
        errno.ETIMEDOUT: _("there was no answer in time"),
        errno.EHOSTUNREACH: _("there is no way to that host"),
        errno.ENETUNREACH: _("there is no network"),
    }
