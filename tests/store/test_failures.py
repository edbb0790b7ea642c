"""What the operating system's errors mean for a store."""

import errno
import os

import pytest

from repatria.errors import (
    AlreadyExistsError,
    FullError,
    NotFoundError,
    RefusedError,
    Role,
    StoreError,
    UnreachableError,
)
from repatria.store.failures import of_object
from repatria.store.paths import UnholdableNameError


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, NotFoundError),
        (errno.ENOTDIR, NotFoundError),
        (errno.EEXIST, AlreadyExistsError),
        (errno.EACCES, RefusedError),
        (errno.EPERM, RefusedError),
        (errno.EROFS, RefusedError),
        (errno.ENOSPC, FullError),
        (errno.EDQUOT, FullError),
        (errno.ENAMETOOLONG, UnholdableNameError),
        (errno.EILSEQ, UnholdableNameError),
        (errno.ELOOP, UnholdableNameError),
        (errno.ESTALE, UnreachableError),
        (errno.EIO, UnreachableError),
        (errno.EMFILE, StoreError),
    ],
)
@pytest.mark.parametrize("role", Role)
def test_errors_of_the_system(number: int, kind: type[StoreError], role: Role) -> None:
    error = of_object(OSError(number, os.strerror(number)), "Diop Awa.pdf", "file:///srv", role)
    assert type(error) is kind
    assert error.code == (4 if role is Role.SOURCE else 5)
    assert error.public == ("Diop" not in error.message)
