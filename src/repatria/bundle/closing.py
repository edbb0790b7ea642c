"""The files that finish a bundle, made in memory from what its volumes and indexes are: pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.readme import readme_text
from repatria.bundle.statement import BOUND_FILES, NAMESPACE, Statement
from repatria.crypt.sshsig import Signer

CLOSING_ORDER = (
    layout.BAGIT,
    layout.BAG_INFO,
    layout.README,
    layout.MANIFEST,
    layout.STATEMENT,
    layout.STATEMENT_SIGNATURE,
    layout.TAGMANIFEST,
)
"""The files that finish a bundle, as they are put; with the last one it is finished."""


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """One file under `data/`: a volume or an index as it lies at the target."""

    path: str
    size: int
    sha256: bytes


def closing_files(
    draft: Statement, payload: Iterable[PayloadFile], tag_files: Mapping[str, bytes], signer: Signer
) -> dict[str, bytes]:
    """Return the files that finish a bundle, in the order in which they are to be put (`CLOSING_ORDER`).

    `draft` is the statement with `files` empty; `tag_files` gives, by path within the bundle, the SHA-256 of every
    checkpoint and checkpoint's signature. The same input always gives the same bytes.
    """
    lying = list(payload)
    files = {
        layout.BAGIT: layout.BAGIT_TEXT,
        layout.BAG_INFO: _bag_info(draft, lying),
        layout.README: readme_text(draft, signer.fingerprint),
        layout.MANIFEST: layout.render_manifest({file.path: file.sha256 for file in lying}),
    }
    bound = {path: hashlib.sha256(files[path]).hexdigest() for path in BOUND_FILES}
    files[layout.STATEMENT] = draft.model_copy(update={"files": bound}).encode()
    files[layout.STATEMENT_SIGNATURE] = signer.sign(files[layout.STATEMENT], NAMESPACE).encode()
    digests = {path: hashlib.sha256(data).digest() for path, data in files.items()}
    files[layout.TAGMANIFEST] = layout.render_manifest(digests | dict(tag_files))
    return files


def _bag_info(draft: Statement, lying: list[PayloadFile]) -> bytes:
    size = sum(file.size for file in lying)
    return layout.bag_info(
        {
            "Bagging-Date": draft.finished[:10],
            "Bagging-Software": f"Repatria {draft.tool.removeprefix('repatria ')}",
            "Payload-Oxum": f"{size}.{len(lying)}",
            "Bag-Size": layout.human_size(size),
            "External-Identifier": f"{draft.dataset.id}/{draft.bundle}",
            "Source-Organization": draft.dataset.owner,
            "External-Description": draft.dataset.title,
        }
    )
