"""One sentence for each way in which any store fails.

`store` is always the store's public URI. A message that names an object is not public: names may be patients' names.
"""

import errno

from repatria.errors import (
    AlreadyExistsError,
    ChangedError,
    FailingError,
    FullError,
    LateError,
    NotFoundError,
    RefusedError,
    Role,
    StoreError,
    UnreachableError,
)
from repatria.i18n import _
from repatria.reasons import reason_of
from repatria.store.paths import UnholdableNameError


def not_found(path: str, store: str, role: Role) -> NotFoundError:
    """Tell that nothing is under that path."""
    message = _("{path} is not there in {store}.").format(path=path, store=store)
    return NotFoundError(message, public=False, role=role)


def already_exists(path: str, store: str, role: Role) -> AlreadyExistsError:
    """Tell that a put found its path taken."""
    message = _("{path} is already there in {store}; it was left as it is.").format(path=path, store=store)
    return AlreadyExistsError(message, public=False, role=role)


def changed(path: str, store: str, role: Role) -> ChangedError:
    """Tell that the object is of another version, or shorter, than the one asked for."""
    message = _("{path} in {store} changed since it was listed, or while it was read.").format(path=path, store=store)
    return ChangedError(message, public=False, role=role)


def special(path: str, store: str, role: Role) -> RefusedError:
    """Tell that a device was asked for its bytes."""
    message = _("{path} in {store} is a device, socket or pipe; these are never read.").format(path=path, store=store)
    return RefusedError(message, public=False, role=role)


def unholdable(path: str, store: str, role: Role, reason: str) -> UnholdableNameError:
    """Tell that the store has no place for an object of this name or kind."""
    message = _("{store} cannot hold an object named {path}: {reason}.").format(path=path, store=store, reason=reason)
    return UnholdableNameError(message, public=False, role=role)


def no_root(store: str, role: Role) -> NotFoundError:
    """Tell that the folder that is a source is not there."""
    return NotFoundError(
        _("The folder {store} is not there.").format(store=store),
        advice=_("Correct the uri in the manifest, or mount the disk that holds it."),
        role=role,
    )


def no_folder(store: str, role: Role) -> RefusedError:
    """Tell that a file stands where the folder should be that is the store."""
    return RefusedError(
        _("{store} is a file, where a folder is needed.").format(store=store),
        advice=_("Correct the uri in the manifest."),
        role=role,
    )


def refused(path: str, store: str, role: Role, reason: str) -> RefusedError:
    """Tell that this user may not do this with the object."""
    if role is Role.SOURCE:
        advice = _(
            "Give this user the right to read it, or leave its folder out with exclude in the manifest. "
            "Run the command in a terminal to see its name."
        )
    else:
        advice = _("Give this user the right to it, or run as a user who has it.")
    return RefusedError(
        _("{path} in {store} may not be used: {reason}.").format(path=path, store=store, reason=reason),
        advice=advice,
        public=False,
        role=role,
    )


def read_only(store: str, role: Role) -> RefusedError:
    """Tell that the whole file system refuses writes."""
    return RefusedError(
        _("{store} is mounted read-only; nothing was written.").format(store=store),
        advice=_("Mount it for writing, then run the same command again."),
        role=role,
    )


def not_kept(store: str, role: Role) -> RefusedError:
    """Tell that what was written aside came back altered."""
    return RefusedError(
        _(
            "{store} does not keep what it is given: new bytes came back altered. The file in their place is untouched."
        ).format(store=store),
        advice=_("Have the disks and memory there checked, then run the same command again."),
        role=role,
    )


def locked(path: str, store: str, role: Role) -> RefusedError:
    """Tell that the store keeps an object as it is for a time, or for good."""
    return RefusedError(
        _("{path} in {store} is locked (Object Lock): it cannot be replaced.").format(path=path, store=store),
        advice=_("Wait until its retention is over, or copy the dataset anew to a target without a lock."),
        public=False,
        role=role,
    )


def irreplaceable(store: str, role: Role) -> RefusedError:
    """Tell that the store cannot put one file in the place of another at one stroke."""
    return RefusedError(
        _("{store} cannot replace a file at one stroke; nothing was changed.").format(store=store),
        advice=_("Use a server that knows posix-rename@openssh.com, as OpenSSH does."),
        role=role,
    )


def full(store: str, role: Role) -> FullError:
    """Tell that no room is left."""
    return FullError(
        _("{store} is full; what was written before is safe.").format(store=store),
        advice=_("Make room there, then run the same command again."),
        role=role,
    )


def unreachable(store: str, role: Role, reason: str, advice: str = "") -> UnreachableError:
    """Tell that no answer came, or the connection broke."""
    return UnreachableError(
        _("{store} does not answer: {reason}.").format(store=store, reason=reason), advice=advice, role=role
    )


def late(store: str, role: Role) -> LateError:
    """Tell that the connection stands, and no answer comes over it."""
    return LateError(
        _("{store} does not answer in time; its service may have too much to do.").format(store=store),
        advice=_("Run the same command again later, or with fewer --workers."),
        role=role,
    )


def failing(store: str, role: Role, reason: str) -> FailingError:
    """Tell that the answer was a failure of the service's own."""
    return FailingError(
        _("The service of {store} fails: {reason}.").format(store=store, reason=reason),
        advice=_("Run the same command again later; if it goes on, tell who runs the service."),
        role=role,
    )


_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNHOLDABLE = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP, errno.EISDIR}
_AWAY = {errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.EIO}


def of_object(error: OSError, path: str, store: str, role: Role) -> StoreError:
    """Return what the operating system's error means for one object."""
    reason = reason_of(error)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return not_found(path, store, role)
    if error.errno == errno.EEXIST:
        return already_exists(path, store, role)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return refused(path, store, role, reason)
    if error.errno in _UNHOLDABLE:
        return unholdable(path, store, role, reason)
    return of_whole(error, path, store, role)


def of_whole(error: OSError, path: str, store: str, role: Role) -> StoreError:
    """Return what the error means where it says more of the file system than of the object."""
    reason = reason_of(error)
    if error.errno in _FULL:
        return full(store, role)
    if error.errno == errno.EROFS:
        return read_only(store, role)
    if error.errno in _AWAY:
        advice = _("See that the disk is connected and mounted, then run the same command again.")
        return unreachable(store, role, reason, advice)
    message = _("{path} in {store} failed: {reason}.").format(path=path, store=store, reason=reason)
    return StoreError(message, public=False, role=role)
