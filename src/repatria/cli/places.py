"""Where each dataset was seen last: its manifest and target, kept in the state folder so that its id is enough."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repatria.errors import UsageError

FILE_NAME = "place.json"


@dataclass(frozen=True, slots=True)
class RememberedPlace:
    """A dataset's target, and the manifest that named it; no secret."""

    uri: str
    endpoint: str | None
    profile: str | None
    manifest: Path | None
    """None for an archive that was made without a manifest."""


def remember(state: Path, dataset_id: str, place: RememberedPlace) -> None:
    """Keep a dataset's place; a state folder that cannot be written to is no error, the id is then not enough."""
    from repatria.work.state import StateFolder, write_whole

    if remembered(state, dataset_id) == place:
        return
    manifest = str(place.manifest) if place.manifest else None
    fields = {"uri": place.uri, "endpoint": place.endpoint, "profile": place.profile, "manifest": manifest}
    with contextlib.suppress(UsageError):
        write_whole(StateFolder(state).dataset(dataset_id) / FILE_NAME, json.dumps(fields).encode() + b"\n")


def remembered(state: Path, dataset_id: str) -> RememberedPlace | None:
    """Return the place of a dataset, None if no run has seen it (or what it wrote is damaged)."""
    try:
        fields: dict[str, Any] = json.loads((state / "datasets" / dataset_id / FILE_NAME).read_text("utf-8"))
        manifest = Path(fields["manifest"]) if fields["manifest"] else None
        return RememberedPlace(fields["uri"], fields["endpoint"], fields["profile"], manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remembered_datasets(state: Path) -> list[str]:
    """Return the ids of all datasets that earlier runs have seen, sorted."""
    with contextlib.suppress(OSError):
        return sorted(file.parent.name for file in (state / "datasets").glob(f"*/{FILE_NAME}"))
    return []


def remembered_places(state: Path) -> Iterator[RememberedPlace]:
    """Yield the places of all datasets seen."""
    for dataset_id in remembered_datasets(state):
        if place := remembered(state, dataset_id):
            yield place
