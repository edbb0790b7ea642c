"""`keys split` and `keys join`: a private key as custodians' shares on paper, and back again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.crypt.share_words import Share
    from repatria.crypt.unwrap import Identity

_MAX_PURPOSE = 120
_MAX_TYPED = 1024 * 1024
_Kind = Literal["hybrid", "classic"]


def register_shares(keys: typer.Typer) -> None:
    """Add the commands to `keys`."""
    _register_split(keys)
    _register_join(keys)


def _register_split(keys: typer.Typer) -> None:
    @command(keys, "split", help=_("Split a private key into custodians' shares, each one page to print."))
    def split(
        out: Output,
        identity: Annotated[Path, typer.Argument(metavar="IDENTITY", help=_("Identity file to split."))],
        shares: Annotated[int, typer.Option("--shares", metavar="N", help=_("How many shares are made."))],
        threshold: Annotated[
            int, typer.Option("--threshold", metavar="K", help=_("How many of them give the key back."))
        ],
        output: Annotated[
            Path, typer.Option("-o", "--output", metavar="FOLDER", help=_("Where the pages are written."))
        ] = Path(),
        purpose: Annotated[
            str, typer.Option("--for", metavar="TEXT", help=_("What the key opens, in your words; it is printed."))
        ] = "",
    ) -> None:
        from repatria.crypt.key_files import refuse_taken, write_private_files
        from repatria.crypt.recipient import fingerprint
        from repatria.crypt.shares import check_scheme
        from repatria.crypt.shares import split as split_key

        check_scheme(shares, threshold)
        _check_purpose(purpose)
        files = [output / f"{identity.name}-share-{number}-of-{shares}.pdf" for number in range(1, shares + 1)]
        refuse_taken(files)
        key = _only_identity(identity)
        made = split_key(key, shares, threshold)
        pages = [_page(key, share, shares, purpose) for share in made]
        _make_folder(output)
        write_private_files(dict(zip(files, pages, strict=True)))
        mark = fingerprint(key.recipient)
        columns = [Column("share", _("Share"), "right"), Column("file", _("Page to print"))]
        with out.table("share", columns) as table:
            for share, file in zip(made, files, strict=True):
                table.add(
                    [share.number, file],
                    number=share.number,
                    shares=shares,
                    threshold=threshold,
                    set=share.identifier,
                    fingerprint=mark,
                    file=str(file),
                )
        out.text(_("Set:         {set}").format(set=made[0].identifier))
        out.text(_("Fingerprint: {fingerprint}").format(fingerprint=mark))
        _say_what_was_written(out, shares, threshold)
        out.summary(set=made[0].identifier, shares=shares, threshold=threshold, next="repatria keys join --check")


def _say_what_was_written(out: Output, shares: int, threshold: int) -> None:
    out.warn(_("These pages hold the shares in clear: any {threshold} files are the key.").format(threshold=threshold))
    out.say(_("Print each one once, on a printer cabled to this machine, then destroy the files (shred -u)."))
    out.say(_("Before the pages are sealed, prove them: repatria keys join --check, typed from the paper."))
    if threshold == shares:
        out.warn(_("All shares are needed: whoever loses one page loses the key for everyone."))


def _check_purpose(purpose: str) -> None:
    if len(purpose) > _MAX_PURPOSE:
        raise UsageError(
            _("The text of --for is too long for the page: {count} characters of at most {most}.").format(
                count=len(purpose), most=_MAX_PURPOSE
            ),
            advice=_("Name the dataset or the institution in a few words."),
        )


def _only_identity(path: Path) -> "Identity":
    from repatria.cli.context import ask_passphrase
    from repatria.crypt.identity import load_identities

    identities = load_identities(path, ask_passphrase)
    if len(identities) > 1:
        raise UsageError(
            _("{file} holds {count} identities, and a share belongs to one.").format(file=path, count=len(identities)),
            advice=_("Put each identity into a file of its own (mode 0600), and split them one by one."),
        )
    return identities[0]


def _page(key: "Identity", share: "Share", shares: int, purpose: str) -> bytes:
    from datetime import UTC, datetime

    from repatria.cli.recipient_lines import kind_shown
    from repatria.crypt.recipient import fingerprint
    from repatria.paper.share_page import SharePage, draw_share

    page = SharePage(
        words=share.words,
        number=share.number,
        shares=shares,
        threshold=share.threshold,
        set_number=share.identifier,
        fingerprint=fingerprint(key.recipient),
        kind=kind_shown(key.recipient.kind),
        purpose=purpose,
        made=datetime.now(UTC),
    )
    return draw_share(page)


def _make_folder(folder: Path) -> None:
    from repatria.reasons import reason_of

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            _("The folder {folder} cannot be made: {reason}.").format(folder=folder, reason=reason_of(error)),
            advice=_("Choose another folder with -o; nothing was written."),
        ) from error


def _register_join(keys: typer.Typer) -> None:
    @command(keys, "join", help=_("Join custodians' shares to the private key again, or prove that they would."))
    def join(
        out: Output,
        shares: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="SHARES", help=_("Text files with words; without them the terminal, or a pipe, is read.")
            ),
        ] = None,
        output: Annotated[
            Path | None,
            typer.Option("-o", "--output", metavar="FILE", help=_("Private key to write; never over another.")),
        ] = None,
        check: Annotated[
            bool, typer.Option("--check", help=_("Prove that the shares give the key back; write nothing."))
        ] = False,
        recipient: Annotated[
            str | None,
            typer.Option("-r", "--recipient", help=_("Recipient (age1...) or .pub file the key belongs to.")),
        ] = None,
        fingerprint: Annotated[
            str | None, typer.Option("--fingerprint", metavar="TEXT", help=_("Fingerprint on the pages."))
        ] = None,
        kind: Annotated[
            _Kind | None, typer.Option("--kind", help=_("Kind of the key, where its fingerprint is lost."))
        ] = None,
        passphrase: Annotated[
            bool, typer.Option("--passphrase", help=_("Encrypt the private key with a passphrase."))
        ] = False,
    ) -> None:
        from repatria.crypt.shares import join as join_shares

        _check_destination(output, check)
        expected = _expected(recipient, fingerprint)
        locked_by = _new_passphrase() if passphrase and output is not None else None
        given, marked = _gather(out, shares or [])
        secret = join_shares(given)
        key = _key(out, secret, expected or marked, kind, at_terminal=not shares and out.interactive)
        _finish_join(out, key, output, locked_by)
        out.summary(shares=sorted(share.number for share in given), set=given[0].identifier)


def _check_destination(output: Path | None, check: bool) -> None:
    """Find out what stands in the way before anybody types a hundred words."""
    from repatria.crypt.key_files import public_path, refuse_taken

    if check == (output is not None):
        raise UsageError(
            _("Say either where the key is to be written, or that it is not."), advice=_("Give -o FILE or --check.")
        )
    if output is not None:
        refuse_taken([output, public_path(output)])
        if not output.absolute().parent.is_dir():
            raise UsageError(
                _("The folder of {file} does not exist.").format(file=output), advice=_("Choose another place with -o.")
            )


def _new_passphrase() -> str:
    """Ask before the words are typed: a passphrase mistyped afterwards would lose them."""
    from repatria.cli.passphrase import new_passphrase

    return new_passphrase()


def _expected(recipient: str | None, given: str | None) -> str | None:
    """Return the fingerprint that the options ask for."""
    from repatria.crypt.recipient import fingerprint, load_recipients
    from repatria.crypt.shares import parse_fingerprint

    found = [] if given is None else [parse_fingerprint(given)]
    if recipient is not None:
        found += [fingerprint(one) for one in load_recipients([recipient], Path())]
    if len(set(found)) > 1:
        raise UsageError(
            _("--recipient and --fingerprint must name one key, the same."), advice=_("Give one of the two.")
        )
    return found[0] if found else None


def _gather(out: Output, files: list[Path]) -> tuple[list["Share"], str | None]:
    """Return the shares of files, terminal or pipe, and the fingerprint that stands beside them."""
    from repatria.cli.share_dialogue import ask_for_shares
    from repatria.cli.share_text import fingerprint_in, shares_in, text_of_file

    if not files and out.interactive:
        return list(ask_for_shares(out).shares), None
    if files:
        texts = {str(file): text_of_file(file) for file in files}
    else:
        typed = sys.stdin.buffer.read(_MAX_TYPED).decode("utf-8", "replace")
        texts = {_("standard input"): typed}
    return [share for place, text in texts.items() for share in shares_in(text, place)], fingerprint_in(texts.values())


def _key(out: Output, secret: bytes, expected: str | None, kind: _Kind | None, *, at_terminal: bool) -> "Identity":
    """Return the key that the secret is, by its fingerprint, or by its kind where nothing can be compared."""
    from repatria.crypt.recipient import Kind
    from repatria.crypt.shares import identity_of_kind, identity_with

    if expected is not None:
        return identity_with(secret, expected)
    if kind is not None:
        out.warn(_("No fingerprint was compared: try the key on a bundle with repatria keys check."))
        return identity_of_kind(secret, Kind(kind))
    if at_terminal:
        return _asked_key(out, secret)
    raise UsageError(
        _("Nothing says which key this is: shares alone do not know whether it is hybrid or classical."),
        advice=_("Give the fingerprint on the pages with --fingerprint, or the .pub file with --recipient."),
    )


def _asked_key(out: Output, secret: bytes) -> "Identity":
    from repatria.cli.share_dialogue import ask
    from repatria.crypt.errors import KeyTextError, WrongKeyError
    from repatria.crypt.shares import identity_with, parse_fingerprint

    while (typed := ask(out, _("Fingerprint on the pages:"))) is not None:
        try:
            return identity_with(secret, parse_fingerprint(typed))
        except (KeyTextError, WrongKeyError) as error:
            out.stderr.write(f"{error.message} {error.advice}\n")
    raise UsageError(
        _("No fingerprint was given; nothing was written."),
        advice=_("Where it is lost on every page, run the command again with --kind hybrid, then --kind classic."),
    )


def _finish_join(out: Output, key: "Identity", output: Path | None, passphrase: str | None) -> None:
    from repatria.cli.recipient_lines import show_recipient
    from repatria.crypt.key_files import identity_text, locked_with, public_path, write_key_pair

    if output is None:
        show_recipient(out, key.recipient, identity=None, recipient_file=None)
        out.text(_("The shares give this key back. Nothing was written."))
        return
    text = identity_text([key])
    if passphrase is not None:
        text = locked_with(passphrase, text)
    write_key_pair(output, text, f"{key.recipient}\n")
    show_recipient(out, key.recipient, identity=str(output), recipient_file=str(public_path(output)))
    out.text(_("Private key: {file}").format(file=output))
    out.text(_("Recipient:   {file}").format(file=public_path(output)))
    if passphrase is None:
        out.warn(
            _("{file} is the whole key, in clear: destroy it when the work is done (shred -u).").format(file=output)
        )
