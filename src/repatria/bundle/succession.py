"""The statements of one bundle, each in the place of the one before: who could open it changed, what it holds did not.

A bundle whose recipients were changed has a new statement that names, in `replaces`, the one before; that one is kept
in `statements/`. So whatever named the old one (a later bundle, a state folder, an attestation) still finds its bundle.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from repatria.bundle import layout
from repatria.bundle.errors import AlteredError
from repatria.bundle.files import BundleFolder
from repatria.bundle.statement import NAMESPACE, Statement, parse_statement
from repatria.crypt import sshsig
from repatria.crypt.sshsig import SigningKey
from repatria.errors import CryptError, NotFoundError
from repatria.i18n import _

SIGNATURE_LIMIT = 64 << 10
"""Bytes that a signature may have; an Ed25519 one has under 500."""


def kept_paths(statement: Statement) -> list[str]:
    """Return where the statements that this one replaced lie, each before its signature, the latest first."""
    count = statement.replaces.number if statement.replaces else 0
    paths = (layout.kept_path(number) for number in range(count, 0, -1))
    return [name for path in paths for name in (path, layout.signature_path(path))]


def replaced_by(statement: Statement, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the SHA-256 of each statement that this one replaced, the latest first.

    `files` are those of `kept_paths`. AlteredError, or another CryptError, unless each is signed, is the one named, and
    tells of the very same objects: only recipients, and the digests of files that change with them, may differ.
    """
    found: list[str] = []
    newer = statement
    while newer.replaces is not None:
        path = layout.kept_path(newer.replaces.number)
        data = files.get(path, b"")
        older_sha256 = hashlib.sha256(data).hexdigest()
        if older_sha256 != newer.replaces.sha256:
            raise AlteredError(_("{path} is not the statement that was replaced.").format(path=path))
        sshsig.verify(files.get(layout.signature_path(path), b"").decode("ascii", "replace"), data, NAMESPACE)
        older = parse_statement(data)
        if not tells_the_same(newer, older) or newer.replaces.number != kept_number(older):
            raise AlteredError(_("{path} tells of something else than the statement in its place.").format(path=path))
        found.append(older_sha256)
        newer = older
    return tuple(found)


def kept_number(statement: Statement) -> int:
    """Return the number under which a statement is kept when it is replaced."""
    return statement.replaces.number + 1 if statement.replaces else 1


def tells_the_same(newer: Statement, older: Statement) -> bool:
    """Return whether two statements tell of the same bundle, whoever can open it."""
    return _lasting(newer) == _lasting(older)


def _lasting(statement: Statement) -> dict[str, Any]:
    """Return what a change of recipients leaves as it was."""
    told = statement.model_dump(mode="json", exclude={"recipients", "replaces", "files", "tool"})
    told["previous"] = statement.previous.bundle if statement.previous else None
    told["indexes"] = [(each.name, each.first_volume, each.last_volume) for each in statement.indexes]
    told["volumes"] = statement.volumes.count
    return told


def signing_key(folder: BundleFolder, statement: bytes, signature: bytes) -> SigningKey:
    """Return the key that signed a bundle's statement; CryptError if the signature is not right.

    Two files cannot change at one stroke. Between the new statement and its signature, the latter lies with what the
    change of recipients has prepared (`layout.REWRAP_FOLDER`); it is as good there.
    """
    try:
        return sshsig.verify(signature[:SIGNATURE_LIMIT].decode("ascii", "replace"), statement, NAMESPACE)
    except CryptError:
        with suppress(NotFoundError, CryptError):
            prepared = staged_folder(folder).fetch(layout.STATEMENT_SIGNATURE, SIGNATURE_LIMIT)
            return sshsig.verify(prepared.decode("ascii", "replace"), statement, NAMESPACE)
        raise


def staged_folder(folder: BundleFolder) -> BundleFolder:
    """Return where the new files of a bundle lie while its recipients are changed, under the same paths as in it."""
    return BundleFolder(folder.store, f"{folder.dataset_id}/{layout.REWRAP_FOLDER}{folder.bundle_id}", "new")
