"""OpenSSH's allowed signers file (ssh-keygen(1), ALLOWED SIGNERS): which principal holds which key."""

import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from repatria.crypt.errors import AllowedSignersError
from repatria.crypt.wire import WireReader, parse_ed25519_blob
from repatria.i18n import _

_TIMESTAMP: Final = re.compile(r"\d{8}(?:\d{4}(?:\d{2})?)?Z?")
_FORMATS: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_KEY_TYPE: Final = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+")
_OPTION: Final = re.compile(r'([A-Za-z-]+)(?:="([^"]*)")?')


class PublicKey(Protocol):
    """A key by the form in which SSH sends it."""

    @property
    def blob(self) -> bytes:
        """The key as SSH sends it."""


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line of the file."""

    principals: str
    """Comma-separated patterns."""
    blob: bytes
    namespaces: str | None = None
    """Comma-separated patterns; None allows every namespace."""
    valid_after: datetime | None = None
    valid_before: datetime | None = None
    authority: bool = False
    """The key signs certificates, not files; such a line vouches for no signature here."""

    def allows(self, namespace: str, at: datetime) -> bool:
        """Tell whether the key may sign in `namespace` at that time."""
        if self.authority or (self.namespaces is not None and not matches(namespace, self.namespaces)):
            return False
        return (self.valid_after is None or at >= self.valid_after) and (
            self.valid_before is None or at <= self.valid_before
        )


class AllowedSigners:
    """The lines of an allowed signers file."""

    def __init__(self, signers: tuple[AllowedSigner, ...]) -> None:
        self.signers = signers

    @classmethod
    def parse(cls, text: str) -> "AllowedSigners":
        """Read the file's text; AllowedSignersError names the line that cannot be read, and nothing is trusted."""
        signers = []
        for number, line in enumerate(text.splitlines(), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                try:
                    signers.append(_parse_line(stripped))
                except ValueError as error:
                    raise AllowedSignersError(
                        _("Line {line} of the allowed signers cannot be read: {reason}.").format(
                            line=number, reason=error
                        ),
                        advice=_('A line is: PRINCIPAL namespaces="repatria" ssh-ed25519 AAAA...'),
                    ) from error
        return cls(tuple(signers))

    def principal_of(self, key: PublicKey, namespace: str = "repatria", at: datetime | None = None) -> str | None:
        """Return who is allowed to sign with `key` in `namespace` at that time (now, unless given), or None."""
        moment = at or datetime.now(UTC)
        for signer in self.signers:
            if signer.blob == key.blob and signer.allows(namespace, moment):
                return signer.principals
        return None


def matches(text: str, patterns: str) -> bool:
    """Tell whether `text` fits one of the comma-separated patterns (`*`, `?`) and none that starts with `!`."""
    found = False
    for pattern in patterns.split(","):
        wanted = pattern.removeprefix("!")
        expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in wanted)
        if re.fullmatch(expression, text, re.DOTALL):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _parse_line(line: str) -> AllowedSigner:
    principals, rest = _first_word(line)
    options, rest = _options(rest)
    kind, _space, rest = rest.partition(" ")
    encoded = rest.split(None, 1)[0] if rest.split() else ""
    try:
        blob = binascii.a2b_base64(encoded, strict_mode=True)
        inner = WireReader(blob).string().decode("latin-1")
        parse_ed25519_blob(blob)
    except ValueError as error:
        raise ValueError(_("the key is not base64 or cut short")) from error
    if not _KEY_TYPE.fullmatch(kind) or inner != kind:
        raise ValueError(_("the key is not of the type it is said to be"))
    return AllowedSigner(
        principals,
        blob,
        options.get("namespaces"),
        _timestamp(options.get("valid-after")),
        _timestamp(options.get("valid-before")),
        "cert-authority" in options,
    )


def _first_word(line: str) -> tuple[str, str]:
    if line.startswith('"'):
        word, quote, rest = line[1:].partition('"')
        if not quote:
            raise ValueError(_("a quotation mark is not closed"))
    else:
        word, _space, rest = line.replace("\t", " ").partition(" ")
    if not word:
        raise ValueError(_("there is no principal"))
    return word, rest.strip().replace("\t", " ")


def _options(text: str) -> tuple[dict[str, str], str]:
    """Return the options before the key type, and the rest from the key type on."""
    options: dict[str, str] = {}
    if _KEY_TYPE.fullmatch(text.partition(" ")[0]):
        return options, text
    position = 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if match is None:
            break
        name = match[1].lower()
        if name not in {"namespaces", "valid-after", "valid-before", "cert-authority"} or name in options:
            raise ValueError(_("an option is unknown or given twice"))
        if (match[2] is None) != (name == "cert-authority"):
            raise ValueError(_("an option lacks its value in quotation marks"))
        options[name] = match[2] or ""
        position = match.end()
        if text[position : position + 1] != ",":
            break
        position += 1
    if text[position : position + 1] != " ":
        raise ValueError(_("the options cannot be read"))
    return options, text[position:].strip()


def _timestamp(text: str | None) -> datetime | None:
    """Return a time given as YYYYMMDD[HHMM[SS]][Z]; without Z it is this machine's local time, as OpenSSH has it."""
    if text is None:
        return None
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(_("a time is not YYYYMMDD[HHMM[SS]][Z]"))
    digits = text.removesuffix("Z")
    try:
        moment = datetime.strptime(digits, _FORMATS[len(digits)])
        return moment.replace(tzinfo=UTC) if text.endswith("Z") else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_("a time is not one of the years 1 to 9999")) from error
