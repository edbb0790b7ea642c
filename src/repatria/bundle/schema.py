"""The tables of an index (docs/formats/index.md), and what a row of each must look like when it is read."""

from types import NoneType, UnionType
from typing import Final

APPLICATION_ID: Final = 0x52505254
USER_VERSION: Final = 1
FORMAT: Final = "1"

TABLES: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects(
  number INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  path NOT NULL,
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  salt BLOB NOT NULL,
  mtime_ns INTEGER, mode INTEGER, owner TEXT, "group" TEXT,
  link_target,
  content_type TEXT, metadata TEXT, tags TEXT,
  version TEXT,
  checksum TEXT,
  recognised TEXT
);
CREATE TABLE volumes(
  number INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  head_sha256 BLOB NOT NULL,
  payload_size INTEGER NOT NULL,
  payload_sha256 BLOB NOT NULL
);
CREATE TABLE members(
  volume INTEGER NOT NULL, offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  object INTEGER NOT NULL, part INTEGER NOT NULL,
  start INTEGER NOT NULL,
  PRIMARY KEY(volume, offset, object)
) WITHOUT ROWID;
CREATE TABLE tombstones(object INTEGER PRIMARY KEY, seen_gone TEXT NOT NULL);
CREATE TABLE documents(
  number INTEGER PRIMARY KEY,
  cote TEXT NOT NULL,
  dossier TEXT NOT NULL,
  title TEXT, dates TEXT, description TEXT,
  original INTEGER, pdf INTEGER, text INTEGER, alto INTEGER,
  pages INTEGER NOT NULL, languages TEXT NOT NULL, confidence REAL,
  reference TEXT
);
CREATE TABLE pages(
  document INTEGER NOT NULL, page INTEGER NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, dpi REAL NOT NULL,
  rotation INTEGER NOT NULL,
  words INTEGER NOT NULL, confidence REAL,
  flags TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY(document, page)
) WITHOUT ROWID;
CREATE TABLE descriptions(
  number INTEGER PRIMARY KEY,
  folder TEXT NOT NULL,
  cote TEXT NOT NULL,
  description TEXT NOT NULL
);
CREATE VIRTUAL TABLE pages_text USING fts5(
  text, stems,
  content='', tokenize="unicode61 remove_diacritics 2");
CREATE VIRTUAL TABLE pages_grams USING fts5(text, content='', tokenize="trigram");
"""
INDEXES: Final = """
CREATE INDEX objects_path ON objects(path);
CREATE INDEX members_object ON members(object, part, length, start);
CREATE INDEX documents_cote ON documents(cote);
CREATE INDEX documents_reference ON documents(reference) WHERE reference IS NOT NULL;
CREATE INDEX descriptions_folder ON descriptions(folder);
CREATE INDEX descriptions_cote ON descriptions(cote);
"""
"""Made after the rows are in, so that each lies in one piece. The members' holds all that a lookup asks."""
FULL_TEXT: Final = frozenset({"pages_text", "pages_grams"})

_text, _whole, _number, _bytes = str | NoneType, int | NoneType, float | NoneType, str | bytes | NoneType
Shape = tuple[type | UnionType, ...]

OBJECT: Final[Shape] = (
    *(int, str, str | bytes, str, int, bytes, bytes),
    *(_whole, _whole, _text, _text, _bytes, _text, _text, _text, _text, _text, _text),
)
VOLUME: Final[Shape] = (int, int, bytes, bytes, int, bytes)
MEMBER: Final[Shape] = (int, int, int, int, int, int)
TOMBSTONE: Final[Shape] = (int, str)
DOCUMENT: Final[Shape] = (int, str, str, _text, _text, _text, _whole, _whole, _whole, _whole, int, str, _number, _text)
PAGE: Final[Shape] = (int, int, int, int, float, int, int, _number, str, str)
DESCRIPTION: Final[Shape] = (int, str, str, str)

COLUMNS: Final = {
    "meta": ("key", "value"),
    "objects": (
        *("number", "source", "path", "kind", "size", "sha256", "salt", "mtime_ns", "mode", "owner", "group"),
        *("link_target", "content_type", "metadata", "tags", "version", "checksum", "recognised"),
    ),
    "volumes": ("number", "size", "sha256", "head_sha256", "payload_size", "payload_sha256"),
    "members": ("volume", "offset", "length", "object", "part", "start"),
    "tombstones": ("object", "seen_gone"),
    "documents": (
        *("number", "cote", "dossier", "title", "dates", "description", "original", "pdf", "text", "alto"),
        *("pages", "languages", "confidence", "reference"),
    ),
    "pages": (*("document", "page", "width", "height", "dpi", "rotation", "words", "confidence", "flags", "text"),),
    "descriptions": ("number", "folder", "cote", "description"),
}
"""The columns of every table, in the order of the rows in `repatria.bundle.rows`."""
ADDED: Final = {"documents": frozenset({"reference"})}
"""Columns that indexes written before them lack: read as NULL there."""
ADDED_TABLES: Final = frozenset({"descriptions"})
"""Tables that indexes written before them lack: read as empty there."""
