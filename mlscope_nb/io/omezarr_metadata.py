"""What OME-Zarr writes beside the pixels: axes, scales, channels, plates and wells, in the words of 0.4 and 0.5.

Source: the specifications at https://ngff.openmicroscopy.org (0.4 and 0.5). Dictionaries in, dictionaries out: nothing
here knows a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Version = Literal["0.4", "0.5"]
VERSIONS: tuple[Version, ...] = ("0.4", "0.5")
ZARR_FORMATS: dict[Version, Literal[2, 3]] = {"0.4": 2, "0.5": 3}
Json = dict[str, Any]
_KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def attributes(version: Version, parts: Json) -> Json:
    """Return the attributes of a group: under the key "ome" since 0.5, each with its own version before.

    Examples
    --------
    >>> attributes("0.5", {"labels": ["masks"]})
    {'ome': {'version': '0.5', 'labels': ['masks']}}
    >>> attributes("0.4", {"well": {"images": []}})
    {'well': {'images': [], 'version': '0.4'}}
    """
    if version != "0.4":
        if "plate" in parts:  # the text of 0.5 still wants a version here, though its examples have none
            parts = {**parts, "plate": {**parts["plate"], "version": version}}
        return {"ome": {"version": version, **parts}}
    return {name: _with_version(part) for name, part in parts.items()}


def multiscales(name: str, axes: str, n_levels: int, pixel_size_um: float | None, *, mean: bool) -> list[Json]:
    """Describe an image and its smaller copies, each half the size of the one before.

    Parameters
    ----------
    name : str
    axes : str
        One letter for each axis, such as "cyx".
    n_levels : int
        How many copies there are, the full size included.
    pixel_size_um : float or None
        Micrometres per pixel; None writes a scale of 1 and no unit.
    mean : bool
        Whether smaller copies are means of 2 × 2 pixels, whose middle lies half a pixel further, or every second pixel.
    """
    pixel = 1.0 if pixel_size_um is None else pixel_size_um
    unit = {} if pixel_size_um is None else {"unit": "micrometer"}
    described = [{"name": a, "type": _KINDS[a], **(unit if _KINDS[a] == "space" else {})} for a in axes]
    datasets = [
        {"path": str(i), "coordinateTransformations": _transformations(axes, pixel, 2**i, mean=mean)}
        for i in range(n_levels)
    ]
    return [{"name": name, "axes": described, "datasets": datasets, "type": "mean" if mean else "nearest"}]


def omero(channels: Sequence[str], colours: Sequence[str], limits: np.ndarray, dtype: np.dtype) -> Json:
    """Describe how channels are shown: name, colour, and the grey values that are black and full colour.

    Parameters
    ----------
    channels : sequence of str
    colours : sequence of str
        "#rrggbb", one for each channel.
    limits : array (C, 2)
        Grey values shown as black and as full colour.
    dtype : numpy.dtype
        Of the pixels: whole numbers have a smallest and a largest value.
    """
    widest = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "ui" else None
    shown = [
        {
            "label": name,
            "color": colour.removeprefix("#").upper(),
            "active": True,
            "coefficient": 1,
            "family": "linear",
            "inverted": False,
            "window": _window(float(low), float(high), widest),
        }
        for name, colour, (low, high) in zip(channels, colours, limits, strict=True)
    ]
    return {"channels": shown, "rdefs": {"model": "color", "defaultT": 0, "defaultZ": 0}}


def image_label() -> Json:
    """Say of a label image which image it belongs to."""
    return {"source": {"image": "../../"}}


def plate(name: str, wells: Sequence[tuple[str, str]], n_fields: int) -> Json:
    """Describe a plate by its wells, each a row and a column; `n_fields` is the most that one well holds.

    Examples
    --------
    >>> plate("p1", [("B", "2"), ("A", "2")], 1)["wells"][0]
    {'path': 'B/2', 'rowIndex': 1, 'columnIndex': 0}
    """
    rows = sorted({row for row, _ in wells}, key=lambda r: (len(r), r))
    columns = sorted({column for _, column in wells}, key=lambda c: (int(c), c))
    return {
        "name": name,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for row, column in wells
        ],
        "field_count": n_fields,
    }


def well(images: Sequence[str]) -> Json:
    """Describe a well by the names of its images."""
    return {"images": [{"path": name} for name in images]}


def _with_version(part: Any) -> Any:
    # Lists of names have no version; multiscales are a list of things that do.
    if isinstance(part, list):
        return [_with_version(item) if isinstance(item, dict) else item for item in part]
    return {**part, "version": "0.4"} if isinstance(part, dict) else part


def _transformations(axes: str, pixel: float, factor: int, *, mean: bool) -> list[Json]:
    inside = [_KINDS[axis] == "space" for axis in axes]
    scale = [{"type": "scale", "scale": [pixel * factor if space else 1.0 for space in inside]}]
    shift = (factor - 1) / 2 * pixel
    if not mean or factor == 1:
        return scale
    return [*scale, {"type": "translation", "translation": [shift if space else 0.0 for space in inside]}]


def _window(low: float, high: float, widest: tuple[int, int] | None) -> Json:
    least, most = (min(0.0, low), high) if widest is None else widest
    return {"min": float(least), "max": float(most), "start": low, "end": high}
