"""Several images in one OME-Zarr store: the OME-XML that lists them, without which viewers do not find them.

Source: the transitional layout "bioformats2raw.layout" of OME-NGFF 0.4 and 0.5, and the OME schema 2016-06.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

FILE = "METADATA.ome.xml"
_SPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_TYPES = {"bool": "bit", "float32": "float", "float64": "double"}
_TYPES |= {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32)}
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def ome_xml(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    dtype: np.dtype,
    channels: Sequence[str],
    pixel_size_um: float | None,
) -> bytes:
    """Return the list of images (C, Y, X) as OME-XML, in UTF-8.

    Types that OME does not know (whole numbers of 64 bit) are listed by name alone.

    Examples
    --------
    >>> b'Name="f1"' in ome_xml(["f1"], [(1, 4, 6)], np.dtype("uint16"), ["DNA"], 0.5)
    True
    """
    root = ElementTree.Element(f"{{{_SPACE}}}OME")
    for number, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        image = ElementTree.SubElement(root, f"{{{_SPACE}}}Image", ID=f"Image:{number}", Name=_printable(name))
        kind = _TYPES.get(dtype.name)
        if kind is None:
            continue
        sizes = {f"Size{axis}": str(n) for axis, n in zip("TZCYX", (1, 1, *shape), strict=True)}
        pixel = {} if pixel_size_um is None else {f"PhysicalSize{a}": str(pixel_size_um) for a in "XY"}
        about = {"ID": f"Pixels:{number}", "DimensionOrder": "XYZCT", "Type": kind, **sizes, **pixel}
        pixels = ElementTree.SubElement(image, f"{{{_SPACE}}}Pixels", about)
        for i, channel in enumerate(channels):
            named = {"ID": f"Channel:{number}:{i}", "Name": _printable(channel), "SamplesPerPixel": "1"}
            ElementTree.SubElement(pixels, f"{{{_SPACE}}}Channel", named)
        ElementTree.SubElement(pixels, f"{{{_SPACE}}}MetadataOnly")
    ElementTree.register_namespace("", _SPACE)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("", text)
