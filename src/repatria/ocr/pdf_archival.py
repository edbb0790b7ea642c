"""PDF/A-2b (ISO 19005-2) of a scan's pictures, their words invisible over them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    IndirectObject,
    NullObject,
    NumberObject,
    PdfObject,
    StreamObject,
    TextStringObject,
)

from repatria.ocr.colour_profiles import srgb
from repatria.ocr.encoding import Picture
from repatria.ocr.invisible_font import CharacterCodes
from repatria.ocr.memory import Piece, SharedBytes
from repatria.ocr.pdf_file import HeldStream
from repatria.ocr.pdf_objects import PRODUCER, add, dictionary, fill_font, name, new_font, stream, written
from repatria.ocr.text_layer import FONT_NAME, ToUserSpace, operators
from repatria.ocr.words import PageText

LARGEST_PAGE = 14_400.0
"""Points; ISO 19005-2, 6.1.13."""
SMALLEST_PAGE = 3.0


def image_pdf(
    pages: Sequence[tuple[PageText, Picture | None]], title: str, language: str | None, made: datetime
) -> list[Piece]:
    """Return, in pieces, a PDF/A-2b with a page for each picture and its words; a page without a picture is blank.

    `language` is a BCP 47 tag, `made` has a time zone.
    """
    writer = PdfWriter()
    writer.pdf_header = "%PDF-1.7"
    codes = CharacterCodes()
    font = new_font(writer)
    pictures = _Pictures(writer)
    for text, picture in pages:
        _add_page(writer, text, picture, codes, font, pictures)
    fill_font(writer, font, codes)
    _declare(writer, title, language, made.astimezone(UTC))
    return written(writer)


def _add_page(
    writer: PdfWriter,
    text: PageText,
    picture: Picture | None,
    codes: CharacterCodes,
    font: IndirectObject,
    pictures: "_Pictures",
) -> None:
    longest, shortest = max(text.width, text.height), min(text.width, text.height)
    dpi = min(max(text.dpi, 72 * longest / LARGEST_PAGE), 72 * shortest / SMALLEST_PAGE)
    width, height = text.width * 72 / dpi, text.height * 72 / dpi
    page = writer.add_blank_page(width, height)
    resources = DictionaryObject({name("Font"): DictionaryObject({name(FONT_NAME): font})})
    content = b""
    if picture is not None:
        resources[name("XObject")] = DictionaryObject({name("Picture"): pictures.drawn(picture)})
        content = _drawing(picture, width, height)
    content += operators(text, ToUserSpace.of_image(text.height, dpi), codes)
    page[name("Resources")] = resources
    page[name("Contents")] = add(writer, stream(content, compress=True))


def _drawing(picture: Picture, width: float, height: float) -> bytes:
    """Return the operators that draw a picture over the whole page.

    A PDF image fills the unit square with its first row above; placements count downwards.
    """
    a, b, c, d, e, f = picture.placement
    matrix = (a * width, -b * height, -c * width, d * height, (c + e) * width, (1 - d - f) * height)
    return f"q {' '.join(f'{value:.4f}' for value in matrix)} cm /Picture Do Q\n".encode("ascii")


class _Pictures:
    """A document's pictures and their colour profiles, each once."""

    def __init__(self, writer: PdfWriter) -> None:
        self._writer = writer
        self._images: dict[SharedBytes, IndirectObject] = {}
        self._profiles: dict[bytes, IndirectObject] = {}

    def drawn(self, picture: Picture) -> IndirectObject:
        """Return the image; the halves of a spread show one."""
        if picture.data not in self._images:
            self._images[picture.data] = add(self._writer, _image(picture, self._colour_space(picture)))
        return self._images[picture.data]

    def _colour_space(self, picture: Picture) -> PdfObject:
        if picture.colours == "CMYK":  # of the device's own, PDF/A allows one kind only: that of the output intent
            return ArrayObject([name("ICCBased"), self._profile(picture.profile)])
        if picture.colours == "Indexed":
            last = NumberObject(len(picture.palette) // 3 - 1)
            return ArrayObject([name("Indexed"), name("DeviceRGB"), last, ByteStringObject(picture.palette)])
        return name(picture.colours)

    def _profile(self, profile: bytes) -> IndirectObject:
        if profile not in self._profiles:
            self._profiles[profile] = add(self._writer, stream(profile, dictionary(N=4), compress=True))
        return self._profiles[profile]


def _image(picture: Picture, colour_space: PdfObject) -> StreamObject:
    entries = dictionary(
        Type="XObject",
        Subtype="Image",
        Width=picture.width,
        Height=picture.height,
        ColorSpace=colour_space,
        BitsPerComponent=picture.bits,
        Filter=picture.filter,
    )
    if picture.filter == "CCITTFaxDecode":
        entries[name("DecodeParms")] = dictionary(
            K=-1, Columns=picture.width, Rows=picture.height, BlackIs1=not picture.white_is_zero
        )
    elif picture.filter == "FlateDecode":
        colours = 3 if picture.colours == "DeviceRGB" else 1
        entries[name("DecodeParms")] = dictionary(
            Predictor=15, Colors=colours, BitsPerComponent=picture.bits, Columns=picture.width
        )
    if picture.inverted:
        entries[name("Decode")] = ArrayObject(map(NumberObject, (1, 0) * 4))
    if picture.deflated:
        for key, outer in (("Filter", name("FlateDecode")), ("DecodeParms", NullObject())):
            if name(key) in entries:
                entries[name(key)] = ArrayObject([outer, entries[name(key)]])
    return HeldStream(picture.data, entries)


def _declare(writer: PdfWriter, title: str, language: str | None, made: datetime) -> None:
    """Say what the file is, alike in the document information and in XMP, and what its colours mean."""
    moment = made.strftime("D:%Y%m%d%H%M%S+00'00'")
    writer.metadata = {"/Title": title, "/Producer": PRODUCER, "/CreationDate": moment}
    root = writer.root_object
    root[name("Metadata")] = add(writer, stream(_xmp(title, made), dictionary(Type="Metadata", Subtype="XML")))
    profile = add(writer, stream(srgb(), dictionary(N=3), compress=True))
    intent = dictionary(
        Type="OutputIntent",
        S="GTS_PDFA1",
        OutputConditionIdentifier=TextStringObject("sRGB"),
        Info=TextStringObject("sRGB IEC61966-2.1"),
        DestOutputProfile=profile,
    )
    root[name("OutputIntents")] = ArrayObject([add(writer, intent)])
    if language:
        root[name("Lang")] = TextStringObject(language)


def _xmp(title: str, made: datetime) -> bytes:
    moment = made.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    packet = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>
<pdf:Producer>{PRODUCER}</pdf:Producer><xmp:CreateDate>{moment}</xmp:CreateDate>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
    return packet.encode("utf-8")
