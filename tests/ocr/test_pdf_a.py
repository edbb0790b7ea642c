"""Points of ISO 19005-2 (PDF/A-2b) that a file of ours could miss, each looked up in the file.

No validator of PDF/A is in Debian or on the registries of Python and Node: this is not one, and its list not whole.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, StreamObject

from repatria.ocr.memory import joined
from repatria.ocr.pdf_archival import image_pdf
from repatria.ocr.picture import decoded, picture_of
from repatria.ocr.words import PageText
from tests.ocr.making import encoded, page, word

MADE = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
WORDS = (word("Épidémie", (100, 100, 300, 140)), word("مستشفى", (400, 100, 560, 140), line=1))
FILES = {
    "JPEG": encoded(page().convert("RGB"), "JPEG"),
    "fax": encoded(page().convert("1"), "TIFF", compression="group4"),
    "PNG": encoded(page(), "PNG"),
    "palette": encoded(page().convert("RGB").quantize(8), "PNG"),
    "alpha": encoded(page().convert("RGBA"), "PNG"),
    "JPEG 2000": encoded(page().convert("L"), "JPEG2000"),
    "CMYK": encoded(Image.new("CMYK", (600, 400)), "JPEG"),
}
PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
DC = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@pytest.fixture(scope="module", params=FILES)
def pdf(request: pytest.FixtureRequest) -> bytes:
    picture = picture_of(decoded(FILES[request.param], 0))
    text = PageText(1, 1240, 620, 150.0, words=WORDS)
    return joined(image_pdf([(text, picture), (PageText(2, 1240, 620, 150.0), None)], "Registre (1949)", "fr", MADE))


def objects(pdf: bytes) -> Iterator[Any]:
    """Yield every object, and what stands in it directly."""
    reader = PdfReader(io.BytesIO(pdf))
    numbers = {*reader.xref[0], *reader.xref_objStm}
    waiting: list[Any] = [reader.get_object(number) for number in sorted(numbers)]
    waiting.append(reader.trailer)
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, DictionaryObject):
            waiting += [value for value in found.values() if isinstance(value, (DictionaryObject, ArrayObject))]
        elif isinstance(found, ArrayObject):
            waiting += [value for value in found if isinstance(value, (DictionaryObject, ArrayObject))]


def dictionaries(pdf: bytes) -> list[DictionaryObject]:
    return [found for found in objects(pdf) if isinstance(found, DictionaryObject)]


def test_head_and_tail(pdf: bytes) -> None:
    """6.1.2: a header, a comment of at least four bytes above 127; 6.1.3: /ID, no /Encrypt, nothing after the end."""
    lines = pdf.split(b"\n", 2)
    assert re.fullmatch(rb"%PDF-1\.[0-7]", lines[0])
    assert lines[1].startswith(b"%")
    assert all(byte > 127 for byte in lines[1][1:5])
    assert re.search(rb"%%EOF\r?\n?\Z", pdf)
    trailer = PdfReader(io.BytesIO(pdf)).trailer
    assert len(trailer["/ID"]) == 2  # type: ignore[arg-type]  # pypdf's objects are untyped
    assert "/Encrypt" not in trailer


def test_colours_are_told_by_an_output_intent(pdf: bytes) -> None:
    """6.2.3 and 6.2.4.3: device colours need one, an ICC profile of version 4 or less; no CMYK."""
    root = PdfReader(io.BytesIO(pdf)).root_object
    (intent,) = (each.get_object() for each in root["/OutputIntents"])  # type: ignore[attr-defined]  # see above
    assert intent["/S"] == "/GTS_PDFA1"
    profile = intent["/DestOutputProfile"]
    data = profile.get_data()
    assert (profile["/N"], data[16:20], data[12:16], data[36:40]) == (3, b"RGB ", b"mntr", b"acsp")
    assert data[8] <= 4
    assert b"DeviceCMYK" not in pdf


def test_nothing_is_transparent(pdf: bytes) -> None:
    """6.2.10 wants colour spaces for blending; there is nothing to blend."""
    for each in dictionaries(pdf):
        assert not {"/SMask", "/Group", "/ExtGState", "/CA", "/ca"} & set(each)


def test_metadata_and_document_information_agree(pdf: bytes) -> None:
    """6.6: XMP of part 2, level B; no filter, so that it is found without a reader of PDF."""
    reader = PdfReader(io.BytesIO(pdf))
    stream = reader.root_object["/Metadata"]
    assert (stream["/Type"], stream["/Subtype"]) == ("/Metadata", "/XML")  # type: ignore[index]  # see above
    assert "/Filter" not in stream  # type: ignore[operator]  # see above
    xmp = ElementTree.fromstring(stream.get_data())  # type: ignore[attr-defined]  # noqa: S314 -- ours; see above
    told = {element.tag: (element.text or "").strip() for element in xmp.iter()}
    assert (told[f"{PDFAID}part"], told[f"{PDFAID}conformance"]) == ("2", "B")
    assert reader.metadata is not None
    assert [each.text for each in xmp.iter(f"{RDF}li")] == [reader.metadata.title]
    assert told["{http://ns.adobe.com/pdf/1.3/}Producer"] == reader.metadata.producer
    created = reader.metadata.creation_date
    assert created is not None
    assert datetime.fromisoformat(told["{http://ns.adobe.com/xap/1.0/}CreateDate"]) == created
    assert set(reader.metadata) == {"/Title", "/Producer", "/CreationDate"}


def test_fonts_are_embedded_and_lead_back_to_unicode(pdf: bytes) -> None:
    """6.2.11: embedded, as is the map of codes; CIDToGIDMap, no CIDSet that is not whole; no .notdef."""
    fonts = [each for each in dictionaries(pdf) if each.get("/Type") == "/Font"]
    assert {str(font["/Subtype"]) for font in fonts} == {"/Type0", "/CIDFontType2"}
    for font in fonts:
        if str(font["/Subtype"]) == "/CIDFontType2":
            assert "/FontFile2" in font["/FontDescriptor"]  # type: ignore[operator]  # see above
            assert "/CIDToGIDMap" in font
            assert "/CIDSet" not in font["/FontDescriptor"]  # type: ignore[operator]  # see above
        else:
            told, map_of_codes = font["/DescendantFonts"][0]["/CIDSystemInfo"], font["/Encoding"]  # type: ignore[index]  # see above
            assert (map_of_codes["/Type"], map_of_codes["/CIDSystemInfo"]) == ("/CMap", told)  # type: ignore[index]  # see above
            assert b"/Registry (Adobe) /Ordering (Identity)" in map_of_codes.get_data()  # type: ignore[attr-defined]  # see above
            assert "/ToUnicode" in font


def test_nothing_acts_and_nothing_lies_outside(pdf: bytes) -> None:
    """6.1.7, 6.5, 6.8, 6.9: no external streams, no LZW, no actions, scripts, forms or attachments."""
    for each in dictionaries(pdf):
        assert not {"/F", "/FFilter", "/AA", "/OpenAction", "/JavaScript", "/AcroForm", "/EmbeddedFiles"} & set(each)
        assert each.get("/Filter") != "/LZWDecode"
        assert each.get("/Subtype") != "/PS"


def test_pictures_are_as_the_standard_wants_them(pdf: bytes) -> None:
    """6.2.8: no alternates, no OPI, no interpolation; bits of a component are 1, 2, 4 or 8."""
    pictures = [
        each for each in dictionaries(pdf) if isinstance(each, StreamObject) and each.get("/Subtype") == "/Image"
    ]
    assert len(pictures) == 1
    for each in pictures:
        assert not {"/Alternates", "/OPI", "/Interpolate"} & set(each)
        assert int(str(each["/BitsPerComponent"])) in {1, 2, 4, 8}


def test_lengths_are_true(pdf: bytes) -> None:
    """6.1.7.1: each stream is as long as it says, its keywords on lines of their own."""
    for found in re.finditer(rb"/Length (\d+)[^>]*>>\s*stream(\r?\n)", pdf):
        end = found.end() + int(found[1])
        assert re.match(rb"\r?\nendstream", pdf[end : end + 12])


@pytest.mark.skipif(not shutil.which("qpdf"), reason="qpdf is not installed")
def test_qpdf_finds_nothing_wrong(pdf: bytes, tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(pdf)
    subprocess.run(["qpdf", "--check", file], check=True, capture_output=True)
