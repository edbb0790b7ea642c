"""A new passphrase: typed twice, printed by a command, or made up here."""

import base64
import os
import secrets
from pathlib import Path

from repatria.cli.context import ask_passphrase
from repatria.errors import UsageError
from repatria.i18n import _

_GROUPS = 6
_GROUP_SIZE = 5
"""30 characters of 5 bits: 150 bits, beyond any guessing."""


def new_passphrase() -> str:
    """Return a passphrase to encrypt with.

    What `$REPATRIA_PASSPHRASE_COMMAND` prints is taken as it is; what is typed is asked for twice; nothing typed means
    that one is made up, and shown at the terminal alone: never in output, messages or logs.
    """
    if os.environ.get("REPATRIA_PASSPHRASE_COMMAND"):
        passphrase = ask_passphrase("")
        if not passphrase:
            raise UsageError(
                _("The command of REPATRIA_PASSPHRASE_COMMAND printed no passphrase."),
                advice=_("It must print the passphrase on one line."),
            )
        return passphrase
    passphrase = ask_passphrase(_("New passphrase (leave empty to have one made up):"))
    if not passphrase:
        return _made_up()
    if ask_passphrase(_("The same passphrase again:")) != passphrase:
        raise UsageError(_("The two passphrases differ; nothing was written."), advice=_("Run the command again."))
    return passphrase


def _made_up() -> str:
    letters = base64.b32encode(secrets.token_bytes(20)).decode("ascii").lower()
    size = _GROUPS * _GROUP_SIZE
    passphrase = "-".join(letters[start : start + _GROUP_SIZE] for start in range(0, size, _GROUP_SIZE))
    with Path("/dev/tty").open("w", encoding="utf-8") as terminal:
        terminal.write(_("The passphrase is: {passphrase}").format(passphrase=passphrase) + "\n")
        terminal.write(_("Write it down now: it is shown only once, and nothing opens the file without it.") + "\n")
    return passphrase
