"""ALTO 4.4: words, where they stand and how sure the engine was, as libraries and archives exchange it.

https://www.loc.gov/standards/alto/ ; one file for all pages of a scan, coordinates in pixels of the page as shown.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from xml.etree import ElementTree

from repatria import __version__
from repatria.ocr.words import Box, PageText, Word, hull

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
VERSION = "4.4"
LANGUAGE_TAGS = {"fra": "fr", "ara": "ar", "eng": "en", "por": "pt", "spa": "es", "deu": "de", "ita": "it"}
"""BCP 47 tags for the languages met in practice; others are left out."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PROCESSING = "processing_1"


def alto(pages: Sequence[PageText], file_name: str, engine: str, languages: Sequence[str], made: datetime) -> bytes:
    """Return the ALTO file of a scan's pages; `engine` is the name of what read them, `made` has a time zone."""
    root = ElementTree.Element(
        "alto",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
            "SCHEMAVERSION": VERSION,
        },
    )
    _describe(ElementTree.SubElement(root, "Description"), file_name, engine, languages, made)
    layout = ElementTree.SubElement(root, "Layout")
    for page in pages:
        _add_page(layout, page, languages)
    ElementTree.indent(root)
    file: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return file + b"\n"


def language_tag(languages: Sequence[str]) -> str | None:
    """Return the BCP 47 tag of a page's language; None if it has several or one without a tag here."""
    return LANGUAGE_TAGS.get(languages[0]) if len(languages) == 1 else None


def _describe(
    description: ElementTree.Element, file_name: str, engine: str, languages: Sequence[str], made: datetime
) -> None:
    _text(description, "MeasurementUnit", "pixel")
    _text(ElementTree.SubElement(description, "sourceImageInformation"), "fileName", file_name)
    step = ElementTree.SubElement(description, "Processing", ID=_PROCESSING)
    _text(step, "processingCategory", "contentGeneration")
    _text(step, "processingDateTime", made.isoformat(timespec="seconds"))
    _text(step, "processingStepSettings", f"engine: {engine}; languages: {'+'.join(languages)}")
    software = ElementTree.SubElement(step, "processingSoftware")
    _text(software, "softwareName", "Repatria")
    _text(software, "softwareVersion", __version__)


def _add_page(layout: ElementTree.Element, page: PageText, languages: Sequence[str]) -> None:
    attributes = {
        "ID": f"page_{page.number}",
        "PHYSICAL_IMG_NR": str(page.number),
        "WIDTH": str(page.width),
        "HEIGHT": str(page.height),
        "PROCESSINGREFS": _PROCESSING,
    }
    if page.confidence is not None:
        attributes["PC"] = _share(page.confidence)
    if page.skew:
        attributes["ROTATION"] = f"{-page.skew:g}"  # counter-clockwise
    if tag := language_tag(languages):
        attributes["LANG"] = tag
    element = ElementTree.SubElement(layout, "Page", attributes)
    space = ElementTree.SubElement(element, "PrintSpace", _place(Box(0, 0, page.width, page.height)))
    line_number = 0
    for block_number, block in enumerate(page.blocks()):
        inner = hull(page.shown_box(word.box) for line in block for word in line)
        block_id = f"page_{page.number}_block_{block_number}"
        block_element = ElementTree.SubElement(space, "TextBlock", {"ID": block_id, **_place(inner)})
        for line in block:
            _add_line(block_element, page, line, f"page_{page.number}_line_{line_number}")
            line_number += 1


def _add_line(block: ElementTree.Element, page: PageText, line: Sequence[Word], identifier: str) -> None:
    boxes = [page.shown_box(word.box) for word in line]
    element = ElementTree.SubElement(block, "TextLine", {"ID": identifier, **_place(hull(boxes))})
    gaps = [_gap(before, after) for before, after in pairwise(boxes)]
    for word, box, gap in zip(line, boxes, [*gaps, None], strict=True):
        attributes = {"CONTENT": _NOT_XML.sub("\ufffd", word.text), **_place(box)}
        if word.confidence is not None:
            attributes["WC"] = _share(word.confidence)
        ElementTree.SubElement(element, "String", attributes)
        if gap is not None:
            ElementTree.SubElement(element, "SP", _place(gap))


def _gap(before: Box, after: Box) -> Box:
    """Return the white space between two neighbours, whichever direction the line is written in."""
    left, right = sorted((before, after), key=lambda box: box.left)
    return Box(left.right, min(left.top, right.top), max(left.right, right.left), max(left.bottom, right.bottom))


def _place(box: Box) -> dict[str, str]:
    left, top = round(box.left), round(box.top)
    return {
        "HPOS": str(left),
        "VPOS": str(top),
        "WIDTH": str(max(0, round(box.right) - left)),
        "HEIGHT": str(max(0, round(box.bottom) - top)),
    }


def _share(confidence: float) -> str:
    return f"{abs(min(max(confidence / 100, 0.0), 1.0)):.4f}"  # ALTO knows no minus, not even before 0


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = _NOT_XML.sub("\ufffd", text)
