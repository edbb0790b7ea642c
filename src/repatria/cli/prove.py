"""`prove`: that one object is in a bundle as it was signed, for somebody who may not see the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, IdentityOption, OnlyOption, ProfileOption, opened_chain, trust_of
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.cli.quantity import number_text
from repatria.errors import UsageError
from repatria.i18n import _, ngettext
from repatria.reasons import reason_of

if TYPE_CHECKING:
    from repatria.bundle.proof import Proof
    from repatria.verify.proof import ProofResult

_PIECE = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "prove", help=_("Prove that one object is in a bundle, without showing the others; check a proof."))
    def prove(  # noqa: PLR0913 -- its options are the command's
        out: Output,
        bundle: Annotated[
            str | None,
            typer.Argument(
                metavar="BUNDLE", help=_("URI, DATASET or DATASET@BUNDLE; with --check, the object's own file.")
            ),
        ] = None,
        path: Annotated[str | None, typer.Argument(metavar="PATH", help=_("The object's path, in full."))] = None,
        *,
        identity: IdentityOption = None,
        output: Annotated[
            Path | None, typer.Option("-o", "--output", metavar="FILE", help=_("The proof to write."))
        ] = None,
        check: Annotated[
            Path | None,
            typer.Option("--check", metavar="FILE", help=_("Check this proof; needs neither bundle nor key.")),
        ] = None,
        signers: Annotated[
            Path | None, typer.Option("--signers", metavar="FILE", help=_("Allowed signers: these keys and no others."))
        ] = None,
        only: OnlyOption = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        if check is not None:
            if path is not None or output is not None:
                raise UsageError(
                    _("With --check there is one proof, and at most one file to compare it with."),
                    advice=_("Write: repatria prove --check PROOF [OBJECT_FILE] [--signers FILE]."),
                )
            return _check(out, check, Path(bundle) if bundle is not None else None, signers)
        if bundle is None or path is None or output is None or signers is not None:
            raise UsageError(
                _("To make a proof, BUNDLE, PATH and -o FILE are needed, and no --signers."),
                advice=_("Write: repatria prove BUNDLE PATH -i KEY -o PROOF, or repatria prove --check PROOF."),
            )
        with opened_chain(out, bundle, identity, only=only, endpoint=endpoint, profile=profile) as (chain, code):
            found = chain.find(path)
            if found is None:
                raise UsageError(
                    _("There is no such object in this bundle."),
                    advice=_("`repatria ls` lists the objects; a path is given in full."),
                )
            from repatria.bundle.proof import make_proof

            holder, row = found
            proof = make_proof(holder, row)
        _write(output, proof)
        _tell_made(out, output, proof, holder.uri, row.number)
        return code


def _write(output: Path, proof: "Proof") -> None:
    from repatria.cli.output_file import output_file

    with output_file(output) as file:
        file.write(proof.encode())


def _tell_made(out: Output, output: Path, proof: "Proof", uri: str, number: int) -> None:
    out.record(
        "proof",
        file=str(output),
        dataset=proof.dataset,
        bundle=proof.bundle,
        number=number,
        size=proof.object.size,
        sha256=proof.object.sha256,
        objects=proof.tree_size,
    )
    out.text(
        _("Proof of object {number}, one of {count} in the bundle {bundle}: {file}").format(
            number=number, count=number_text(proof.tree_size), bundle=proof.bundle, file=output
        )
    )
    out.say(_("The file names this object in clear, and no other. Who has it checks it with: repatria prove --check"))
    out.summary(bundle=uri, next=f"repatria prove --check {output}")


def _check(out: Output, file: Path, object_file: Path | None, signers: Path | None) -> int:
    from repatria.bundle.proof import MAX_PROOF, parse_proof
    from repatria.cli.context import current_settings
    from repatria.verify.proof import check_object, check_proof

    proof = parse_proof(b"".join(_read(file, limit=MAX_PROOF + 1)))
    result = check_proof(proof, trust_of(proof.dataset, current_settings(), signers))
    if object_file is not None:
        wrong = check_object(proof, _read(object_file))
        result.verdicts += [wrong] if wrong else []
    for verdict in result.verdicts:
        out.finding(verdict.finding)
    _tell_checked(out, proof, result, compared=object_file is not None)
    return result.code


def _read(file: Path, limit: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file that a person named, at most `limit`."""
    left = limit
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_PIECE if left is None else min(_PIECE, left)):
                yield chunk
                left = None if left is None else left - len(chunk)
    except OSError as error:
        raise UsageError(
            _("{file} cannot be read: {reason}.").format(file=file, reason=reason_of(error)),
            advice=_("Give a file that is there and may be read."),
        ) from error


def _tell_checked(out: Output, proof: "Proof", result: "ProofResult", *, compared: bool) -> None:
    statement, key = result.seen.genuine, result.seen.key
    signer = key.fingerprint if key else ""
    finished = statement.finished if statement else ""
    out.record(
        "proof",
        dataset=proof.dataset,
        bundle=proof.bundle,
        path=proof.object.name,
        size=proof.object.size,
        sha256=proof.object.sha256,
        finished=finished or None,
        signer=signer or None,
        vouched_by=result.voucher,
        statement_sha256=result.seen.statement_sha256,
        bytes_compared=compared,
        result=result.verdicts[0].finding.kind if result.verdicts else "intact",
        code=result.code,
    )
    size = ngettext("{count} byte", "{count} bytes", proof.object.size).format(count=number_text(proof.object.size))
    out.text(_("Object:    {path}").format(path=proof.object.name))
    out.text(_("Size:      {size}").format(size=size))
    out.text(_("SHA-256:   {sha256}").format(sha256=proof.object.sha256))
    out.text(_("Bundle:    {dataset}, {bundle}").format(dataset=proof.dataset, bundle=proof.bundle))
    out.text(_("Signed by: {signer}").format(signer=result.voucher or signer or "?"))
    out.text(_sentence(result, finished, compared=compared))
    out.summary(next=None if result.code == 0 else _advice(result.code))
    if result.code != 0:
        out.say(_advice(result.code))


def _sentence(result: "ProofResult", finished: str, *, compared: bool) -> str:
    if result.code == 3:
        return _("The proof agrees with itself, but nobody vouches for who signed it: this proves nothing yet.")
    if result.code != 0:
        return _("NOT PROVEN.")
    if compared:
        return _("Proven: the file given is, under this name, in the bundle that was signed on {time}.").format(
            time=finished
        )
    return _(
        "Proven: an object of this name, size and SHA-256 is in the bundle that was signed on {time}. "
        "No file was given to compare it with."
    ).format(time=finished)


def _advice(code: int) -> str:
    if code == 3:
        return _("Get the signer's line from the signer, by another way, and check again with --signers FILE.")
    return _("Do not rely on it. Ask whoever made the proof for another, and compare the object's SHA-256.")
