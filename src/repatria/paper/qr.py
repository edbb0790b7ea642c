"""QR codes (ISO/IEC 18004) to be printed, as modules: rows of dark and light."""

import zxingcpp

QUIET = 4
"""Modules of white around a code."""


def qr_modules(text: str) -> list[list[bool]]:
    """Return a code's modules, dark ones True, without the white around it; a quarter of it may be damaged."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="Q")
    picture = memoryview(code.to_image(scale=1, add_quiet_zones=False))  # type: ignore[arg-type]  # it is a buffer
    rows, columns = picture.shape or (0, 0)
    return [[picture[row, column] == 0 for column in range(columns)] for row in range(rows)]
