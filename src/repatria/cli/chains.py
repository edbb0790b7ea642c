"""Opening a chain to read from it: the options that this takes, and what is said when its signer is in doubt."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from repatria.cli.output import Output
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.bundle.chain import Chain
    from repatria.settings import Settings
    from repatria.verify.report import Verdict
    from repatria.verify.trust import Trust

BundleArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help=_("URI, DATASET or DATASET@BUNDLE."))]
IdentityOption = Annotated[
    list[Path] | None, typer.Option("-i", "--identity", metavar="FILE", help=_("Private key; may be repeated."))
]
OnlyOption = Annotated[bool, typer.Option("--only", help=_("That bundle alone, not those it builds on."))]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", metavar="URL", help=_("S3 endpoint."))]
ProfileOption = Annotated[str | None, typer.Option("--profile", metavar="NAME", help=_("AWS profile."))]


class OpenedChain(NamedTuple):
    """A chain ready to be read."""

    chain: "Chain"
    code: int
    """0, or what the doubts about it ask for: 3 if nobody vouches for its signer."""


@contextmanager
def opened_chain(
    out: Output,
    bundle: str,
    identity: list[Path] | None,
    *,
    only: bool = False,
    endpoint: str | None = None,
    profile: str | None = None,
    logged_as: str | None = None,
) -> Iterator[OpenedChain]:
    """Open the chain that a BUNDLE argument means, and say what makes it doubtful; it is read all the same.

    With `logged_as`, a command's name, the audit log tells that this command read it.
    """
    from repatria.bundle.chain import Chain
    from repatria.cli.context import current_settings, identities, open_bundle
    from repatria.cli.runs import read_logged
    from repatria.verify.reading import doubts
    from repatria.verify.report import worst_code

    settings = current_settings()
    keys = identities(identity, settings)
    opened = open_bundle(bundle, settings, endpoint=endpoint, profile=profile)
    with ExitStack() as stack:
        facts = stack.enter_context(read_logged(settings, logged_as, opened.dataset_id)) if logged_as else {}
        chain = Chain.load(opened.store, opened.dataset_id, opened.bundle_id, keys, only=only)
        stack.callback(chain.close)
        found: list[Verdict] = []
        trust = trust_of(opened.dataset_id, settings)
        for verdict in doubts(chain, trust, whole=opened.bundle_id is None and not only):
            found.append(verdict)
            out.finding(verdict.finding)
        facts.update(code=worst_code(found), bundle=chain.head.bundle_id)
        yield OpenedChain(chain, worst_code(found))


def trust_of(dataset_id: str, settings: "Settings", signers: Path | None = None, *, own: Path | None = None) -> "Trust":
    """Return who may sign for a dataset; `signers`, a file named on the command line, alone counts.

    `own` is the key that this very command signs with.
    """
    from repatria.verify.trust import load_trust
    from repatria.work.state import StateFolder

    keys = [file for file in (settings.signer, own) if file]
    state = StateFolder(settings.state)
    return load_trust(state, dataset_id, signers=signers or settings.signers, own=keys, strict=signers is not None)
