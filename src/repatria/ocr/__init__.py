"""From scans to a searchable bundle.

scan          one file as the scanner or a colleague left it: an image, a multi-page TIFF, a PDF
page          one side of paper in a scan; worked on its own, in a child process under limits
task          the frozen, picklable context from which a page can be worked anywhere
prepared      a grey picture of a page made ready for an engine, with the way back to the page
look          one reading of one prepared picture; a page may get a second look, the better one is kept
shown         the page as a person sees it: upright by its tags and by its text; boxes are in its pixels
straight      the shown page turned by its skew, so that text lines are level
word          a recognised word: text, box, confidence 0..100, line, block
side          what is read on one side of paper: a page, half of a spread, or a separator sheet
separator     a sheet between two documents of a stack, known by its QR code or its bars (Patch T)
document      what is kept of a scan, or of a part of it: searchable PDF, plain text, ALTO, beside the original
bordereau     the archivist's table; a row describes a dossier or document
share         a folder with inbox, done and problems, which is watched
dossier       the folder that a scan came from; cote: its reference in the fonds
"""
