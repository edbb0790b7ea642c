"""What commands that write bundles do around their work: log how it ended, open the bundle."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from repatria.cli.output import Output
from repatria.cli.termination import Terminated
from repatria.errors import RepatriaError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.bundle.statement import DatasetFacts, SourceFacts
    from repatria.crypt.recipient import Recipient
    from repatria.settings import Settings
    from repatria.store.base import Store
    from repatria.work.bundling import BundleRun
    from repatria.work.patience import Patience
    from repatria.work.state import StateFolder


@contextmanager
def opened_run(  # noqa: PLR0913 -- a bundle is made of these
    out: Output,
    facts: "DatasetFacts",
    target: "Store",
    *,
    recipients: "Sequence[Recipient]",
    signer: Path | None,
    state: "StateFolder",
    sources: "Sequence[SourceFacts]",
    volume_size: int,
    patience: "Patience",
    first_contact: Callable[[], None] = lambda: None,
) -> "Iterator[BundleRun]":
    """Open the dataset's bundle in the making under a lease at the target; warn of what may be regretted.

    A key that signs is made only once `first_contact` and the target raised nothing: a wrong manifest leaves none.
    """
    from repatria.cli.context import ask_passphrase
    from repatria.work.bundling import BundleRun
    from repatria.work.lease import Lease
    from repatria.work.signing import find_signer, make_signer

    def asked(prompt: str) -> str:
        with patience.stop.asking():
            return ask_passphrase(prompt)

    try:
        if len(recipients) == 1:
            out.warn(
                _("There is one recipient: if that key is lost, all is lost. Name a second, kept by someone else.")
            )
        found = find_signer(signer, state, asked)
        if found is None:
            first_contact()
        with ExitStack() as stack:
            stack.enter_context(Lease(target, facts.id, state, patience.stop))
            chosen = found or make_signer(state)
            if chosen.made:
                out.say(_("A key that signs was made: {file}. For those who verify:").format(file=chosen.file))
                out.say(chosen.allowed_line, whole=True)
            run = stack.enter_context(
                BundleRun.open(
                    facts,
                    target,
                    recipients=recipients,
                    signer=chosen.signer,
                    state=state,
                    sources=sources,
                    volume_size=volume_size,
                    patience=patience,
                )
            )
            for before, now in run.moved_sources:
                out.warn(
                    _(
                        "The source was {before} and is {now} now. What is not there counts as gone;"
                        " earlier bundles keep it."
                    ).format(before=before, now=now)
                )
            yield run
    finally:
        target.close()


@contextmanager
def audited(
    out: Output, settings: "Settings", command: str, dataset_id: str, *, long: bool = False
) -> "Iterator[dict[str, str | int]]":
    """Append to the audit log how the run ended, whatever ended it; the body fills in what it did.

    A `long` run says there that it began, too: of one that is killed, nothing else would be known.
    """
    from repatria.work.audit import record_beginning
    from repatria.work.state import StateFolder

    out.outlives_reader = True  # `repatria verify ... | head -1` must not end early, as if all were well
    if long:
        with suppress(RepatriaError):  # what is wrong with the log is said once, at the end
            record_beginning(StateFolder(settings.state), command, dataset_id)
    with _logged(settings, command, dataset_id, out.warn) as facts:
        yield facts


@contextmanager
def read_logged(settings: "Settings", command: str, dataset_id: str) -> "Iterator[dict[str, str | int]]":
    """Append to the audit log that a bundle was read in clear, where this user may write to it: no name, no query."""
    with _logged(settings, command, dataset_id, lambda _message: None) as facts:
        yield facts


@contextmanager
def _logged(
    settings: "Settings", command: str, dataset_id: str, warn: "Callable[[str], None]"
) -> "Iterator[dict[str, str | int]]":
    from repatria.work.audit import record
    from repatria.work.state import StateFolder

    facts: dict[str, str | int] = {"code": 70}
    try:
        yield facts
    except RepatriaError as error:
        facts["code"] = error.code
        raise
    except Terminated:
        facts["code"] = 8
        raise
    except KeyboardInterrupt:
        facts["code"] = 130
        raise
    except BrokenPipeError:  # the reader of our stdout has what it wanted
        raise
    except Exception:
        facts["code"] = 70
        raise
    finally:
        code = int(facts.pop("code"))
        try:
            record(StateFolder(settings.state), command, dataset_id, code, **facts)
        except RepatriaError as error:
            warn(error.message)
