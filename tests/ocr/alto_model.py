"""What ALTO 4.4 allows where we write, after its schema's types: elements in their order, attributes with their forms.

The schema itself is not at hand in any package; this is no validation against it, but each rule below is one of its.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from xml.etree import ElementTree

from repatria.ocr.alto import NAMESPACE

_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_SHARE = re.compile(r"0(\.[0-9]+)?|1(\.0+)?")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_ANY = re.compile(r".*", re.DOTALL)
_PLACE = {"HPOS": _FLOAT, "VPOS": _FLOAT, "WIDTH": _FLOAT, "HEIGHT": _FLOAT}

CHILDREN = {
    "alto": r"(Description )?(Styles )?(Tags )?(ReadingOrder )?Layout ",
    "Description": r"MeasurementUnit (sourceImageInformation )?(OCRProcessing )*(Processing )*",
    "sourceImageInformation": r"(fileName )?(fileIdentifier )*(documentIdentifier )*",
    "Processing": r"(processingCategory )?(processingDateTime )?(processingAgency )?(processingStepDescription )*"
    r"(processingStepSettings )?(processingSoftware )?",
    "processingSoftware": r"(softwareCreator )?(softwareName )?(softwareVersion )?(applicationDescription )?",
    "Layout": r"(Page )+",
    "Page": r"(TopMargin )?(LeftMargin )?(RightMargin )?(BottomMargin )?(PrintSpace )?",
    "PrintSpace": r"(Shape )?((TextBlock|Illustration|GraphicalElement|ComposedBlock) )*",
    "TextBlock": r"(Shape )?((TextLine )+)?",
    "TextLine": r"(Shape )?(String (SP )?)+(HYP )?",
    "String": r"(Shape )?(ALTERNATIVE )*(Glyph )*",
}
"""Content models as regular expressions over the names of children; an element that is not here has none."""

ATTRIBUTES = {
    "alto": {"SCHEMAVERSION": _ANY},
    "Processing": {"ID": _ID},
    "Page": {
        **{"ID": _ID, "PHYSICAL_IMG_NR": re.compile(r"[0-9]+"), "PROCESSINGREFS": _ID, "PC": _SHARE},
        **{"ROTATION": _FLOAT, "LANG": _LANGUAGE, "WIDTH": _FLOAT, "HEIGHT": _FLOAT},
    },
    "PrintSpace": {"ID": _ID, **_PLACE},
    "TextBlock": {"ID": _ID, "ROTATION": _FLOAT, **_PLACE},
    "TextLine": {"ID": _ID, **_PLACE},
    "String": {"ID": _ID, "CONTENT": _ANY, "WC": _SHARE, **_PLACE},
    "SP": {"ID": _ID, **_PLACE},
}
REQUIRED = {
    "Processing": {"ID"},
    "Page": {"ID", "PHYSICAL_IMG_NR"},
    "TextBlock": {"ID"},
    "String": {"CONTENT"},
}
_TEXTS = {
    "MeasurementUnit": re.compile("pixel|mm10|inch1200"),
    "processingCategory": re.compile("contentGeneration|contentModification|preOperation|postOperation|other"),
}
_SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


def faults_of(file: bytes) -> list[str]:
    """Return what is wrong with an ALTO file."""
    root = ElementTree.fromstring(file)  # noqa: S314 -- written by the code under test
    faults = [] if root.tag == f"{{{NAMESPACE}}}alto" else [f"the root is {root.tag}"]
    for element in root.iter():
        faults += _faults(element)
    identifiers = [element.get("ID") for element in root.iter() if element.get("ID")]
    if len(set(identifiers)) != len(identifiers):
        faults.append("an ID stands twice")
    references = {element.get("PROCESSINGREFS") for element in root.iter()} - {None}
    if not references <= set(identifiers):
        faults.append("PROCESSINGREFS refers to nothing")
    return faults


def _faults(element: ElementTree.Element) -> Iterator[str]:
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    children = "".join(f"{child.tag.removeprefix(f'{{{NAMESPACE}}}')} " for child in element)
    if not re.fullmatch(CHILDREN.get(name, ""), children):
        yield f"{name} holds {children[:80]}"
    told = {key: value for key, value in element.attrib.items() if key != _SCHEMA_LOCATION}
    if missing := REQUIRED.get(name, set()) - set(told):
        yield f"{name} lacks {missing}"
    for key, value in told.items():
        form = ATTRIBUTES.get(name, {}).get(key)
        if form is None or not form.fullmatch(value):
            yield f"{name} {key}={value!r}"
    text = (element.text or "").strip()
    if name in _TEXTS and not _TEXTS[name].fullmatch(text):
        yield f"{name} is {text!r}"
    if name == "processingDateTime":
        datetime.fromisoformat(text)
