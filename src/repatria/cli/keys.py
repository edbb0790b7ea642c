"""`keys`: making keys, showing what they are, and checking that they open a bundle; shares are in `key_shares`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.frame import command
from repatria.cli.key_shares import register_shares
from repatria.cli.output import Column, Output
from repatria.cli.spoken import SpokenGroup
from repatria.errors import UsageError, worst
from repatria.i18n import _
from repatria.reasons import reason_of

if TYPE_CHECKING:
    from repatria.crypt.sshsig import SigningKey

_PRINCIPAL = re.compile(r'[^\s",#*?!][^\s",*?]*')

NewFile = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help=_("Private key to write; never over another."))
]
Locked = Annotated[bool, typer.Option("--passphrase", help=_("Encrypt the private key with a passphrase."))]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(cls=SpokenGroup, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(
        keys, name="keys", help=_("Make keys, show them, check that they open a bundle, split them into shares.")
    )
    _register_new(keys)
    _register_signer(keys)
    _register_show(keys)
    _register_check(keys)
    register_shares(keys)


def _register_new(keys: typer.Typer) -> None:
    @command(keys, "new", help=_("Make a key pair to encrypt to and decrypt with."))
    def new(
        out: Output,
        output: NewFile,
        classic: Annotated[
            bool, typer.Option("--classic", help=_("X25519 alone, for readers whose age is older than 1.3."))
        ] = False,
        passphrase: Locked = False,
    ) -> None:
        from repatria.cli.recipient_lines import show_recipient
        from repatria.crypt.identity import generate
        from repatria.crypt.key_files import identity_text, locked_with, public_path, write_key_pair

        identity = generate(classic)
        text = identity_text([identity])
        if passphrase:
            text = locked_with(_new_passphrase(), text)
        write_key_pair(output, text, f"{identity.recipient}\n")
        show_recipient(out, identity.recipient, identity=str(output), recipient_file=str(public_path(output)))
        out.text(_("Private key: {file}").format(file=output))
        out.text(_("Recipient:   {file}").format(file=public_path(output)))
        out.say(_("Whoever has the private key opens every bundle; without it nobody does, not even its makers."))
        out.say(_("Keep it away from the machine that copies, in two places: an offline disk and a sealed printout."))
        if not classic:
            out.say(
                _("To open bundles without Repatria, this key needs age 1.3 or later (Debian 12 has an older one).")
            )
            out.say(_("A key made with --classic opens with any age, but a quantum computer may break it one day."))
        out.summary(next=f"repatria keys show {output}")


def _new_passphrase() -> str:
    from repatria.cli.passphrase import new_passphrase

    return new_passphrase()


def _register_signer(keys: typer.Typer) -> None:
    @command(keys, "signer", help=_("Make a key that signs bundles."))
    def signer(
        out: Output,
        output: NewFile,
        name: Annotated[
            str | None,
            typer.Option("--name", metavar="PRINCIPAL", help=_("Who signs; USER@HOST unless given.")),
        ] = None,
        passphrase: Locked = False,
    ) -> None:
        from repatria.crypt.key_files import write_key_pair
        from repatria.crypt.sshsig import Signer

        principal = _principal(name)
        key = Signer.generate()
        secret = _new_passphrase() if passphrase else None
        write_key_pair(output, key.private_text(secret), key.public_line(principal) + "\n")
        _show_signer(out, key.key, principal, file=str(output))
        out.say(_("Fingerprint: {fingerprint}").format(fingerprint=key.fingerprint))
        out.say(_("Give the line above to whoever verifies: it belongs in their allowed signers file (--signers)."))


def _principal(name: str | None) -> str:
    import getpass
    import socket

    principal = name or f"{getpass.getuser()}@{socket.gethostname()}"
    if not _PRINCIPAL.fullmatch(principal):
        raise UsageError(
            _("{name} cannot name a signer.").format(name=principal),
            advice=_("Use an address such as nom@ministere.sn: no spaces, quotes, commas or wildcards."),
        )
    return principal


def _show_signer(out: Output, key: "SigningKey", principal: str, **fields: str) -> None:
    line = key.allowed_line(principal)
    out.record("signer", fingerprint=key.fingerprint, principal=principal, allowed_signers=line, **fields)
    out.text(line, whole=True)


def _register_show(keys: typer.Typer) -> None:
    @command(keys, "show", help=_("Show what a key file is: kind, fingerprint, recipient."))
    def show(
        out: Output, file: Annotated[Path, typer.Argument(metavar="FILE", help=_("Key file or .pub file."))]
    ) -> None:
        beginning = _beginning(file)
        if beginning.startswith(b"-----BEGIN OPENSSH PRIVATE KEY") or beginning.startswith(b"ssh-"):
            _show_signer_file(out, file, beginning)
        else:
            _show_age_file(out, file, beginning)


def _beginning(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(64 * 1024)
    except OSError as error:
        raise UsageError(
            _("{file} cannot be read: {reason}.").format(file=file, reason=reason_of(error)),
            advice=_("Give the path of a key file."),
        ) from error


def _show_signer_file(out: Output, file: Path, beginning: bytes) -> None:
    from repatria.cli.context import ask_passphrase
    from repatria.crypt.sshsig import Signer, SigningKey

    if beginning.startswith(b"ssh-"):
        key, principal = SigningKey.parse_line(beginning.decode("utf-8", "replace"))
    else:
        key = Signer.load(file, ask_passphrase).key
        principal = key.name_beside(file)
    out.text(_("Kind:        {kind}").format(kind=_("signing key (Ed25519)")))
    out.text(_("Fingerprint: {fingerprint}").format(fingerprint=key.fingerprint))
    _show_signer(out, key, principal if _PRINCIPAL.fullmatch(principal) else _principal(None), file=str(file))


def _show_age_file(out: Output, file: Path, beginning: bytes) -> None:
    from repatria.cli.context import ask_passphrase
    from repatria.cli.recipient_lines import show_recipient
    from repatria.crypt.identity import load_identities
    from repatria.crypt.recipient import load_recipients
    from repatria.crypt.seal import is_encrypted

    if is_encrypted(beginning) or b"AGE-SECRET-KEY-" in beginning:
        recipients = tuple(identity.recipient for identity in load_identities(file, ask_passphrase))
    else:
        recipients = load_recipients([str(file)], Path())
    for recipient in recipients:
        show_recipient(out, recipient, file=str(file))
        out.text(_("Recipient:   {recipient}").format(recipient=recipient))


def _register_check(keys: typer.Typer) -> None:
    @command(keys, "check", help=_("Check that a key opens every file of a bundle, finished or not."))
    def check(
        out: Output,
        bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help=_("Bundle, with all before it in its chain."))],
        identity: Annotated[
            list[Path] | None,
            typer.Option("-i", "--identity", metavar="FILE", help=_("Identity file; may be repeated.")),
        ] = None,
        only: Annotated[bool, typer.Option("--only", help=_("This bundle alone, not those before it."))] = False,
        endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="URL", help=_("S3 endpoint."))] = None,
        profile: Annotated[str | None, typer.Option("--profile", metavar="NAME", help=_("AWS profile."))] = None,
    ) -> int:
        from repatria.cli.context import current_settings, identities, open_bundle
        from repatria.cli.key_check import encrypted_files, try_files

        settings = current_settings()
        known = identities(identity, settings)
        store, dataset, bundle_id = open_bundle(bundle, settings, endpoint=endpoint, profile=profile)
        files = encrypted_files(store, dataset, bundle_id, only=only)
        failed = 0
        code = 0
        columns = [Column("file", _("File")), Column("problem", _("Problem"), wraps=True)]
        with out.table("key-check", columns) as table:
            for file, error in try_files(store, files, known):
                if error is not None:
                    failed += 1
                    code = worst((code, error.code))
                    table.add([file.path, error.message], file=file.path, opens=False, problem=error.message)
                else:
                    out.record("key-check", file=file.path, opens=True, problem=None)
        opened = len(files) - failed
        out.text(_("opens {opened} of {count}").format(opened=opened, count=len(files)))
        out.summary(opened=opened, files=len(files))
        return code
