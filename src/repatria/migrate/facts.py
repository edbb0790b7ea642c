"""What a manifest says, as a statement holds it."""

from collections.abc import Iterable

from repatria.bundle.statement import DatasetFacts, SourceFacts
from repatria.manifest import Manifest
from repatria.source.base import ObjectSource


def dataset_facts(manifest: Manifest) -> DatasetFacts:
    """Return the facts of a dataset."""
    return DatasetFacts(
        id=manifest.id,
        title=manifest.title,
        owner=manifest.owner,
        hosted_in=manifest.hosted_in,
        sensitivity=manifest.sensitivity,
        legal_basis=manifest.legal_basis,
        regulator=manifest.regulator,
    )


def source_facts(sources: Iterable[ObjectSource]) -> list[SourceFacts]:
    """Return the facts of its sources, without secrets."""
    return [SourceFacts(name=source.name, uri=source.public_uri) for source in sources]
