"""The few PDF objects that both kinds of searchable PDF are made of."""

from collections.abc import Mapping

from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    PdfObject,
    StreamObject,
    TextStringObject,
)

from repatria import __version__
from repatria.ocr import invisible_font
from repatria.ocr.memory import Piece
from repatria.ocr.pdf_file import pieces_of

PRODUCER = f"Repatria {__version__}"


def add(writer: PdfWriter, made: PdfObject) -> IndirectObject:
    """Add an object and return the reference to it; pypdf has no public name for this."""
    return writer._add_object(made)


def name(text: str) -> NameObject:
    """Return `/text`."""
    return NameObject(f"/{text}")


def dictionary(**entries: PdfObject | int | bool | str) -> DictionaryObject:
    """Return a dictionary; whole numbers and booleans as such, text as a name."""
    return DictionaryObject({name(key): _value(value) for key, value in entries.items()})


def stream(
    data: bytes, entries: Mapping[NameObject, PdfObject] | None = None, *, compress: bool = False
) -> StreamObject:
    """Return a stream of `data`, encoded already as its entries say, or compressed here."""
    made = StreamObject()
    made.update(entries or {})
    made.set_data(data)
    return made.flate_encode() if compress else made


def new_font(writer: PdfWriter) -> IndirectObject:
    """Return a reference to the invisible font; `fill_font` completes it once all words have codes."""
    return add(writer, DictionaryObject())


def fill_font(writer: PdfWriter, font: IndirectObject, codes: invisible_font.CharacterCodes) -> None:
    """Complete the font for the codes that the document's words use."""
    program = invisible_font.font_program()
    ascent, descent = NumberObject(invisible_font.ASCENT), NumberObject(invisible_font.DESCENT)
    descriptor = dictionary(
        Type="FontDescriptor",
        FontName=invisible_font.NAME,
        Flags=4,
        FontBBox=ArrayObject([NumberObject(0), descent, NumberObject(invisible_font.ADVANCE), ascent]),
        ItalicAngle=0,
        Ascent=ascent,
        Descent=descent,
        CapHeight=ascent,
        StemV=80,
        FontFile2=add(writer, stream(program, dictionary(Length1=len(program)), compress=True)),
    )
    descendant = dictionary(
        Type="Font",
        Subtype="CIDFontType2",
        BaseFont=invisible_font.NAME,
        CIDSystemInfo=_characters(),
        FontDescriptor=add(writer, descriptor),
        DW=invisible_font.ADVANCE,
        CIDToGIDMap=add(writer, stream(codes.glyph_map(), compress=True)),
    )
    made = font.get_object()
    assert isinstance(made, DictionaryObject)  # noqa: S101 -- as new_font made it
    made.update(
        dictionary(
            Type="Font",
            Subtype="Type0",
            BaseFont=invisible_font.NAME,
            Encoding=add(writer, stream(codes.code_map(), _code_map_entries(), compress=True)),
            DescendantFonts=ArrayObject([add(writer, descendant)]),
            ToUnicode=add(writer, stream(codes.to_unicode(), compress=True)),
        )
    )


def _code_map_entries() -> DictionaryObject:
    return dictionary(Type="CMap", CMapName=invisible_font.CODE_MAP_NAME, CIDSystemInfo=_characters())


def _characters() -> DictionaryObject:
    """Return what the font and its map of codes must say alike of what numbers mean (ISO 19005-2, 6.2.11.3.1)."""
    return dictionary(Registry=TextStringObject("Adobe"), Ordering=TextStringObject("Identity"), Supplement=0)


def written(writer: PdfWriter) -> list[Piece]:
    """Return the file, in pieces."""
    writer.generate_file_identifiers()
    return pieces_of(writer)


def _value(value: PdfObject | int | bool | str) -> PdfObject:
    if isinstance(value, PdfObject):
        return value
    if isinstance(value, bool):
        return BooleanObject(value)
    return NumberObject(value) if isinstance(value, int) else name(value)
