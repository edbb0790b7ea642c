"""`encrypt` and `decrypt`: single age files, with the habits of age(1).

As with age(1), input is a file or stdin, output is stdout or the file after `-o`, and an output file that is there
already is replaced. Unlike age, that happens only when the new one is whole: a failure leaves the old one, or nothing.
"""

import codecs
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.frame import command
from repatria.cli.output import Output, results_written, stdout_for_bytes
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.reasons import reason_of

if TYPE_CHECKING:
    from repatria.crypt.armor import Readable, Writable
    from repatria.crypt.identity import Identity
    from repatria.crypt.payload import Buffer
    from repatria.crypt.recipient import Recipient

Input = Annotated[
    Path | None, typer.Argument(metavar="INPUT", help=_("File to read; standard input without one, or with -."))
]
Result = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help=_("File to write; one that is there already is replaced.")),
]
IdentityFiles = Annotated[
    list[Path] | None, typer.Option("-i", "--identity", metavar="FILE", help=_("Identity file; may be repeated."))
]


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(app, "encrypt", help=_("Encrypt one file, as age does."))
    def encrypt(
        out: Output,
        source: Input = None,
        output: Result = None,
        recipient: Annotated[
            list[str] | None,
            typer.Option(
                "-r",
                "-R",
                "--recipient",
                metavar="RECIPIENT",
                help=_("Recipient (age1...), or a file of recipients; may be repeated."),
            ),
        ] = None,
        identity: IdentityFiles = None,
        armor: Annotated[bool, typer.Option("-a", "--armor", help=_("Write text (PEM) instead of binary."))] = False,
        passphrase: Annotated[bool, typer.Option("-p", "--passphrase", help=_("Encrypt with a passphrase."))] = False,
    ) -> None:
        from repatria.crypt.seal import encrypt_stream

        _refuse_json_on_stdout(out, output)
        if passphrase and (recipient or identity):
            raise UsageError(
                _("A passphrase must be the only recipient of a file."), advice=_("Give -p, or -r and -i, not both.")
            )
        if output is None and not armor and sys.stdout.isatty():
            raise UsageError(
                _("What is encrypted is binary, and would spoil the terminal."),
                advice=_("Give a file with -o FILE, or ask for text with -a; `-o -` writes to the terminal anyway."),
            )
        with _input(source, output) as plain:
            recipients = _new_passphrase() if passphrase else _recipients(recipient, identity)
            with _output(output) as sealed:
                encrypt_stream(plain, sealed, recipients, armor)

    @command(app, "decrypt", help=_("Decrypt one age file."))
    def decrypt(out: Output, source: Input = None, output: Result = None, identity: IdentityFiles = None) -> None:
        from repatria.cli.context import current_settings, identities
        from repatria.crypt.errors import NoMatchError, WrongPassphraseError
        from repatria.crypt.seal import decrypt_stream

        _refuse_json_on_stdout(out, output)
        settings = current_settings()
        known = identities(identity, settings) if identity or settings.identity else ()
        with _input(source, output) as sealed, _output(output) as plain:
            to_terminal = output is None and sys.stdout.isatty()
            try:
                decrypt_stream(sealed, _PlainText(plain) if to_terminal else plain, (_passphrase(), *known))
            except NoMatchError as error:
                if known or isinstance(error, WrongPassphraseError):
                    raise
                identities(None, settings)  # without any, its error says how to give one


def _refuse_json_on_stdout(out: Output, output: Path | None) -> None:
    if out.json and output in (None, Path("-")):
        raise UsageError(
            _("The file and JSON cannot both go to standard output."), advice=_("Give a file with -o FILE.")
        )


@contextmanager
def _input(path: Path | None, output: Path | None) -> "Iterator[Readable]":
    if path is None or path == Path("-"):
        if sys.__stdin__ is None:  # closed (`<&-`): that is not the same as empty
            raise UsageError(
                _("Standard input is closed: there is nothing to read from. Nothing was done."),
                advice=_("Name the file to read, or send it through a pipe."),
            )
        yield _Input(io.FileIO(sys.stdin.fileno(), closefd=False), _("standard input"))
        return
    try:
        file = io.FileIO(path)
        same = output is not None and output.exists() and os.path.samestat(os.fstat(file.fileno()), output.stat())
    except OSError as error:
        raise UsageError(
            _("{file} cannot be read: {reason}.").format(file=path, reason=reason_of(error)),
            advice=_("Check the path; nothing was written."),
        ) from error
    with file:
        if same:
            raise UsageError(
                _("Input and output are the same file, {file}; it was not touched.").format(file=path),
                advice=_("Choose another name with -o."),
            )
        yield _Input(file, str(path))


class _Input:
    """Gives bytes as they come; what the system says when it fails becomes an error that says what to do.

    There is no buffer: filling one would keep a signal waiting for as long as the other end of a pipe is silent.
    """

    def __init__(self, file: io.FileIO, name: str) -> None:
        self._file = file
        self._name = name

    def read(self, size: int, /) -> bytes:
        try:
            while (data := self._file.read(size)) is None:  # a pipe that was set not to block
                select.select([self._file], [], [])
        except OSError as error:
            raise UsageError(
                _("{file} cannot be read: {reason}.").format(file=self._name, reason=reason_of(error)),
                advice=_("Check where the input comes from; nothing was kept of what was written."),
            ) from error
        return data


class _StandardOutput:
    """Takes bytes for stdout."""

    def __init__(self) -> None:
        self._file = stdout_for_bytes()

    def write(self, data: "Buffer") -> None:
        with results_written():
            self._file.write(data)

    def flush(self) -> None:
        with results_written():
            self._file.flush()


@contextmanager
def _output(path: Path | None) -> "Iterator[Writable]":
    from repatria.cli.output_file import output_file

    if path is not None and path != Path("-"):
        with output_file(path) as file:
            yield file
        return
    stdout = _StandardOutput()
    if sys.stdout.isatty() and sys.stdin.isatty():
        # What is typed and what is shown do not mix.
        held = io.BytesIO()
        yield held
        stdout.write(held.getvalue())
    else:
        yield stdout
    stdout.flush()


class _PlainText:
    """Passes text on to a terminal; anything else, which could take the terminal over, is refused."""

    def __init__(self, sink: "Writable") -> None:
        self._sink = sink
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def write(self, data: "Buffer") -> None:
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError as error:
            raise self._refusal() from error
        if not all(character.isprintable() or character in "\n\t\r" for character in text):
            raise self._refusal()
        self._sink.write(data)

    def _refusal(self) -> UsageError:
        return UsageError(
            _("What was decrypted is not plain text, and would spoil the terminal."),
            advice=_("Give a file with -o FILE; `-o -` writes to the terminal anyway."),
        )


def _new_passphrase() -> "tuple[Recipient, ...]":
    from repatria.cli.passphrase import new_passphrase
    from repatria.crypt.recipient import PassphraseRecipient

    return (PassphraseRecipient(new_passphrase()),)


def _recipients(words: list[str] | None, identity_files: list[Path] | None) -> "tuple[Recipient, ...]":
    """Return the recipients given, those of the identities given, else those of repatria.toml."""
    from repatria.cli.context import current_settings, identities
    from repatria.crypt.recipient import check_recipients, load_recipients

    settings = current_settings()
    own = tuple(identity.recipient for identity in identities(identity_files, settings)) if identity_files else ()
    chosen = words or (() if own else settings.recipients)
    if not chosen and not own:
        raise UsageError(
            _("No recipient was given: nobody could open what would be written."),
            advice=_("Add -r RECIPIENT (age1... or a .pub file), or -p for a passphrase."),
        )
    recipients = (load_recipients(chosen, Path()) if chosen else ()) + own
    check_recipients(recipients)
    return recipients


def _passphrase() -> "Identity":
    """Return a passphrase that is asked for only if the file needs one."""
    from repatria.cli.context import ask_passphrase
    from repatria.crypt.identity import PassphraseIdentity

    return PassphraseIdentity(lambda: ask_passphrase(_("Passphrase:")))
