"""Fills example.template.md from the example's bytes: every figure is taken from them, or computed anew."""

import base64
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.formats.example import DATASET, FIRST, PRINCIPAL, SECOND, AgeFile, Example

TEMPLATE = Path(__file__).with_name("example.template.md")
USTAR = (
    *(("name", 0, 100), ("mode", 100, 8), ("uid", 108, 8), ("gid", 116, 8), ("size", 124, 12), ("mtime", 136, 12)),
    *(("checksum", 148, 8), ("type", 156, 1), ("link target", 157, 100), ("magic, version", 257, 8)),
    *(("user name", 265, 32), ("group name", 297, 32), ("device", 329, 16), ("prefix", 345, 155)),
)
"""POSIX.1-2017, pax, ustar interchange format."""
Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class Document:
    """What the document is written from."""

    example: Example
    files: Mapping[str, bytes]
    """Every file of both bundles, by path under the target."""

    def text(self) -> str:
        """Return the whole document."""
        volume, index, second_index = self.example.age_files.made
        parts = {
            "identity": fenced(self.example.identity_text),
            "allowed_signers": fenced(self.example.allowed_signers),
            "files": table(
                "file | bytes", [(code(path), f"{len(data):,}") for path, data in sorted(self.files.items())]
            ),
            "index_size": f"{len(index.data):,}",
            "index_payload_size": f"{len(index.payload):,}",
            "sqlite_header": _sqlite_header(index.payload),
            "index_rows": fenced(_rows(index.payload)),
            "second_rows": fenced(_rows(second_index.payload)),
            "tag_files": _tag_files(self),
            "dataset": DATASET,
            "first": FIRST,
            "second": SECOND,
            "second_statement": _second_statement(self),
            "whole": fenced(WHOLE.format(principal=PRINCIPAL), "sh"),
            "digests": fenced(_digests(self), "sh"),
        }
        parts |= _age(volume) | _tar(volume.payload) | _merkle(index.payload) | _statement(self) | _signature(self)
        return TEMPLATE.read_text(encoding="utf-8").format(**parts)

    def file(self, path: str, bundle: str = FIRST) -> bytes:
        """Return a file of one of the bundles."""
        return self.files[f"{DATASET}/{bundle}/{path}"]


def fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def table(head: str, rows: Iterable[tuple[object, ...]]) -> str:
    rule = "|" + " --- |" * (head.count("|") + 1)
    return "\n".join([f"| {head} |", rule, *("| " + " | ".join(map(str, row)) + " |" for row in rows)]) + "\n"


def code(data: bytes | str) -> str:
    return f"`{data.hex() if isinstance(data, bytes) else data}`"


def _hkdf(key_material: bytes, salt: bytes, info: bytes) -> bytes:
    """Return HKDF-SHA-256 (RFC 5869), 32 bytes."""
    return hmac.digest(hmac.digest(salt or bytes(32), key_material, "sha256"), info + b"\x01", "sha256")


def _age(made: AgeFile) -> dict[str, str]:
    version, stanza, body, mac = made.header.decode().splitlines(keepends=True)
    start = len(made.header) + 16
    sealed = made.data[start:]
    layout: Rows = [
        (0, code(version.rstrip()), "version line"),
        (len(version), code(stanza.rstrip()), "stanza: type, the writer's share"),
        (len(version + stanza), code(body.rstrip()), "stanza: body, the file key encrypted"),
        (len(version + stanza + body), code(mac.rstrip()), "MAC; with its line feed the header ends"),
        (len(made.header), code(made.nonce), "nonce; the *head* ends"),
        (start, code(sealed[:16]) + " ...", "chunk 0, ciphertext"),
        (len(made.data) - 16, code(sealed[-16:]), "chunk 0, authentication tag; the file ends"),
    ]
    mac_key = _hkdf(made.file_key, b"", b"header")
    mac_of = made.header[: made.header.rindex(b"---") + 3]
    wrapping = "HKDF-SHA-256(shared secret, salt = share and recipient, info = `age-encryption.org/v1/X25519`)"
    payload_key = _hkdf(made.file_key, made.nonce, b"payload")
    steps: Rows = [
        ("file key", code(made.file_key), "16 random bytes"),
        ("ephemeral secret", code(made.ephemeral), "32 random bytes; the share is its X25519 public key"),
        ("shared secret", code(made.shared_secret), "X25519(ephemeral secret, recipient)"),
        ("wrap key", code(made.wrap_key), wrapping),
        ("body", code(base64.b64decode(body.strip() + "=")), "ChaCha20-Poly1305(wrap key, nonce 0, file key)"),
        ("MAC key", code(mac_key), "HKDF-SHA-256(file key, no salt, info = `header`)"),
        ("MAC", code(hmac.digest(mac_key, mac_of, "sha256")), "HMAC-SHA-256(MAC key, header up to and with `---`)"),
        ("payload key", code(payload_key), "HKDF-SHA-256(file key, salt = nonce, info = `payload`)"),
        ("chunk nonce", code(bytes(11) + b"\x01"), "the chunk's number in 11 bytes; 01 for the last, else 00"),
    ]
    return {
        "file_key": code(made.file_key),
        "volume_size": f"{len(made.data):,}",
        "payload_size": f"{len(made.payload):,}",
        "age_layout": table("offset | bytes | what", layout),
        "age_steps": table("value | bytes | from", steps),
    }


def _tar(payload: bytes) -> dict[str, str]:
    headers = list(_tar_headers(payload))
    last, length, _rows_of_last = headers[-1]
    end = last + 512 + -(-length // 512) * 512
    used = end + 1024
    exponent = used.bit_length() - 1
    width = exponent.bit_length()
    unit = 1 << (exponent - width)
    padme = (
        f"E = floor(log2 {used}) = {exponent}, S = floor(log2 {exponent}) + 1 = {width}; so the last {exponent - width}"
        f" bits become zero, a multiple of {unit}: {-(-used // unit) * unit}; up to a multiple of 512: {len(payload)}"
    )
    members = [f"**Offset {at}**\n\n{table('offset | field | value', rows)}" for at, _length, rows in headers]
    return {"tar_members": "\n".join(members), "tar_end": str(end), "tar_used": str(used), "padme": padme}


def _tar_headers(payload: bytes) -> Iterator[tuple[int, int, Rows]]:
    """Yield offset, length of the data and rows of every header, read by the standard's own table."""
    at = 0
    while any(payload[at : at + 512]):
        block = payload[at : at + 512]
        length = int(block[124:135], 8)
        rows: Rows = []
        for name, start, width in USTAR:
            value = block[start : start + width].rstrip(b"\x00 ")
            if value.strip(b"0\x00 ") or name == "type":
                rows.append((at + start, name, code(value.replace(b"\x00", b" ").decode())))
        if length:
            rows.append((at + 512, f"{length} bytes", code(repr(payload[at + 512 : at + 512 + length].decode()))))
        yield at, length, rows
        at += 512 + -(-length // 512) * 512


def _sqlite_header(payload: bytes) -> str:
    rows: Rows = [
        (0, code(payload[:16]), "`SQLite format 3` and a zero"),
        (16, code(payload[16:18]), "page size, 4096"),
        (18, code(payload[18:20]), "no WAL"),
        (56, code(payload[56:60]), "UTF-8"),
        (60, code(payload[60:64]), "user version: the schema, 1"),
        (68, code(payload[68:72]), "application id, `RPRT`"),
        (96, code(payload[96:100]), "the version of SQLite that wrote it: none, it was made in memory"),
    ]
    return table("offset | bytes | what", rows)


def _opened(payload: bytes) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.deserialize(payload)
    return database


def _rows(payload: bytes) -> str:
    database = _opened(payload)
    lines = []
    for name in ("meta", "objects", "volumes", "members", "tombstones"):
        cursor = database.execute(f'SELECT * FROM "{name}"')  # noqa: S608 -- the names above
        columns = [description[0] for description in cursor.description]
        for row in cursor:
            cells = [(column, cell) for column, cell in zip(columns, row, strict=True) if cell is not None]
            lines += [f"{name}:", *(f"    {column} = {_literal(cell)}" for column, cell in cells)]
    database.close()
    return "\n".join(lines)


def _literal(value: object) -> str:
    return f"x'{value.hex()}'" if isinstance(value, bytes) else repr(value)


def _leaves(payload: bytes) -> list[tuple[str, tuple[bytes, ...]]]:
    """Return path and pieces of what is hashed for every leaf, in order of the objects' numbers."""
    database = _opened(payload)
    rows = list(database.execute("SELECT path, size, sha256, salt FROM objects ORDER BY number"))
    database.close()
    named = [(path, path.encode(), size, sha256, salt) for path, size, sha256, salt in rows]
    return [
        (path, (b"\x00", salt, len(raw).to_bytes(8, "big"), raw, size.to_bytes(8, "big"), sha256))
        for path, raw, size, sha256, salt in named
    ]


def _tree(payload: bytes) -> list[bytes]:
    """Return the four leaves, both nodes above them, and the root."""
    leaves = [hashlib.sha256(b"".join(pieces)).digest() for _path, pieces in _leaves(payload)]
    left, right = (hashlib.sha256(b"\x01" + leaves[at] + leaves[at + 1]).digest() for at in (0, 2))
    return [*leaves, left, right, hashlib.sha256(b"\x01" + left + right).digest()]


def _merkle(payload: bytes) -> dict[str, str]:
    *leaves, left, right, root = _tree(payload)
    rows: Rows = [
        (number, " ".join(map(code, pieces)), code(leaf))
        for number, ((_path, pieces), leaf) in enumerate(zip(_leaves(payload), leaves, strict=True), 1)
    ]
    nodes: Rows = [
        ("left", "`01`, leaf 1, leaf 2", code(left)),
        ("right", "`01`, leaf 3, leaf 4", code(right)),
        ("root", "`01`, left, right", code(root)),
    ]
    return {
        "merkle_leaves": table("object | hashed | leaf", rows),
        "merkle_nodes": table("node | hashed | SHA-256", nodes),
    }


def _tag_files(document: Document) -> str:
    names = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")
    return "\n".join(f"`{name}`:\n\n{fenced(document.file(name).decode())}" for name in names)


def _pretty(data: bytes) -> str:
    return fenced(json.dumps(json.loads(data), ensure_ascii=False, indent=1, sort_keys=True), "json")


def _statement(document: Document) -> dict[str, str]:
    data = document.file("statement.json")
    return {
        "statement_size": f"{len(data):,}",
        "statement_beginning": code(data[:41].decode()),
        "statement": _pretty(data),
        "checkpoint": _pretty(document.file("checkpoints/0001.json")),
    }


def _second_statement(document: Document) -> str:
    data = json.loads(document.file("statement.json", SECOND))
    wanted = ("bundle", "kind", "merkle_root", "objects", "previous", "tombstones", "totals", "volumes")
    return _pretty(json.dumps({key: data[key] for key in wanted}).encode())


def _signature(document: Document) -> dict[str, str]:
    armored = document.file("statement.json.sig").decode()
    blob = base64.b64decode("".join(armored.splitlines()[1:-1]))
    rows: Rows = [(0, code(blob[:6]), "`SSHSIG`"), (6, code(blob[6:10]), "version 1")]
    fields, at = {}, 10
    for name in ("public key", "namespace", "reserved", "hash", "signature"):
        length = int.from_bytes(blob[at : at + 4], "big")
        fields[name] = blob[at : at + 4 + length]
        meaning = f" `{fields[name][4:].decode()}`" if name in {"namespace", "hash"} else ""
        rows.append((at, code(fields[name]), f"{name}{meaning}, its length before it"))
        at += 4 + length
    digest = hashlib.sha512(document.file("statement.json")).digest()
    signed = b"SSHSIG" + fields["namespace"] + bytes(4) + fields["hash"] + len(digest).to_bytes(4, "big") + digest
    return {
        "signature": fenced(armored),
        "signature_size": str(len(blob)),
        "signature_layout": table("offset | bytes | what", rows),
        "signed": fenced(signed.hex()),
    }


WHOLE = """\
sha256sum -c --strict manifest-sha256.txt tagmanifest-sha256.txt
for signed in statement.json checkpoints/0001.json; do
  ssh-keygen -Y verify -f ../../allowed_signers -I {principal} -n repatria -s $signed.sig < $signed
done
age -d -i ../../identity data/index-0001.db.age > ../../index.db
sqlite3 ../../index.db 'PRAGMA integrity_check'
"""
_LEAF = (
    "sqlite3 ../../index.db \"SELECT '00' || hex(salt) || printf('%016X', length(CAST(path AS BLOB))) || hex(path) ||"
    " printf('%016X', size) || hex(sha256) FROM objects WHERE number = {}\" | basenc --base16 -d | sha256sum"
)
_MEMBER = "age -d -i ../../identity data/vol-000001.tar.age | tar -xiO {} 2>/dev/null | sha256sum"


def _digests(document: Document) -> str:
    """Return, for every digest on the page, what it is, the command that gives it, and the digest."""
    volume, index, second_index = document.example.age_files.made
    *leaves, left, right, root = _tree(index.payload)
    name = hashlib.sha256(b"../fuite.txt")
    objects = [pieces[-1] for _path, pieces in _leaves(index.payload)]
    statement = document.file("statement.json")
    steps = [
        *_of_age_file("data/vol-000001.tar.age", volume, "volumes of the index"),
        *_of_age_file("data/index-0001.db.age", index, "indexes of the statement"),
        ("object 1", _MEMBER.format("reçu.txt"), objects[0]),
        ("the name under which object 2 is stored", "printf ../fuite.txt | sha256sum", name.digest()),
        ("object 2", _MEMBER.format(f"_names/{name.hexdigest()}"), objects[1]),
        ("object 3, a symlink: its target", "printf reçu.txt | sha256sum", objects[2]),
        ("object 4, a folder: nothing", "printf '' | sha256sum", objects[3]),
        *((f"leaf {number}", _LEAF.format(number), leaf) for number, leaf in enumerate(leaves, 1)),
        ("left", _joined(leaves[0], leaves[1]), left),
        ("right", _joined(leaves[2], leaves[3]), right),
        ("merkle_root of the statement", _joined(left, right), root),
        *(
            (f"files of the statement, {path}", f"sha256sum {path}", hashlib.sha256(document.file(path)).digest())
            for path in ("manifest-sha256.txt", "bagit.txt", "bag-info.txt", "README.txt")
        ),
        ("previous of the next statement", "sha256sum statement.json", hashlib.sha256(statement).digest()),
        ("in what is signed", "sha512sum statement.json", hashlib.sha512(statement).digest()),
        *_of_age_file(f"../{SECOND}/data/index-0001.db.age", second_index, "indexes of the next statement")[:1],
    ]
    return "\n\n".join(f"# {what}\n{command}\n#=> {digest.hex()}" for what, command, digest in steps)


def _joined(left: bytes, right: bytes) -> str:
    return f"echo 01{left.hex().upper()}{right.hex().upper()} | basenc --base16 -d | sha256sum"


def _of_age_file(path: str, made: AgeFile, where: str) -> list[tuple[str, str, bytes]]:
    head = made.header + made.nonce
    opened = f"age -d -i ../../identity {path} | sha256sum"
    return [
        (f"sha256 in {where}; manifest", f"sha256sum {path}", hashlib.sha256(made.data).digest()),
        (f"head_sha256 in {where}", f"head -c {len(head)} {path} | sha256sum", hashlib.sha256(head).digest()),
        (f"payload_sha256 in {where}", opened, hashlib.sha256(made.payload).digest()),
    ]
