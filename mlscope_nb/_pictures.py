"""Pixels made visible: channels in colours, contrast shared by all cells, small pictures for pages."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlscope_nb._align import positions
from mlscope_nb._lazy import read_rows

if TYPE_CHECKING:
    from mlscope_nb.cells import Cells
    from mlscope_nb.fields import Fields

# Pairs and triples that stay apart for colour-blind readers; red beside green does not.
_COLOURS = {
    1: ("#ffffff",),
    2: ("#ff00ff", "#00ff00"),
    3: ("#00ffff", "#ff00ff", "#ffff00"),
}
_MORE = ("#00ffff", "#ff00ff", "#ffff00", "#ffffff", "#56b4e9", "#e69f00", "#009e73", "#cc79a7")
_PRIMARIES = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff"}
_SAMPLE_CELLS = 400
_SAMPLE_PIXELS = 200_000


def channel_colours(channels: Sequence[str]) -> tuple[str, ...]:
    """Return one colour per channel, as "#rrggbb", safe for colour-blind readers.

    Channels called red, green and blue (a colour photograph) keep these colours.

    Examples
    --------
    >>> channel_colours(["DNA", "actin"])
    ('#ff00ff', '#00ff00')
    """
    names = [str(c).lower() for c in channels]
    if set(names) == set(_PRIMARIES):
        return tuple(_PRIMARIES[name] for name in names)
    chosen = _COLOURS.get(len(names), _MORE)
    return tuple(chosen[i % len(chosen)] for i in range(len(names)))


def contrast_limits(source: Cells | Fields, *, low: float = 0.5, high: float = 99.8) -> np.ndarray:
    """Return the grey values shown as black and as full colour, one pair per channel, the same for all cells.

    Percentiles over an evenly spaced sample of the whole set, so that two pictures can be compared.

    Parameters
    ----------
    source : Cells or Fields
        With images.
    low, high : float
        Percentiles, 0 to 100.

    Returns
    -------
    numpy.ndarray
        Floats (C, 2), the second always larger than the first.

    Raises
    ------
    ValueError
        There are no images, or `low` is not below `high`.
    """
    if source.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to see them.")
    if not 0 <= low < high <= 100:
        raise ValueError(f"low={low} and high={high}, expected percentiles with 0 ≤ low < high ≤ 100.")
    photograph = {c.lower() for c in source.channels} == set(_PRIMARIES)
    pixels = _sample(source)
    if pixels[0].dtype == np.uint8 and photograph:
        return np.tile([0.0, 255.0], (len(pixels), 1))
    if pixels[0].dtype == bool:
        return np.tile([0.0, 1.0], (len(pixels), 1))
    limits = np.array([np.percentile(p, [low, high]) if p.size else (0.0, 1.0) for p in pixels], dtype=float)
    widest = [(float(p.min()), float(p.max())) if p.size else (0.0, 1.0) for p in pixels]
    for i, (bottom, top) in enumerate(widest):
        # Sparse signal can lie wholly above the percentile: then the full range is shown.
        if limits[i, 1] <= limits[i, 0]:
            limits[i] = (bottom, top if top > bottom else bottom + 1.0)
    return limits


def composite(images: np.ndarray, limits: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Add the channels in their colours, clipped to the contrast limits.

    Parameters
    ----------
    images : array (n, C, Y, X)
    limits : array (C, 2)
        Grey values shown as black and as full colour.
    colours : sequence of str
        One "#rrggbb" per channel; "#000000" leaves a channel out.

    Returns
    -------
    numpy.ndarray
        uint8 (n, Y, X, 3).

    Raises
    ------
    ValueError
        Images, limits and colours are not of the same number of channels.

    Examples
    --------
    >>> composite(np.full((1, 1, 1, 1), 50), np.array([[0, 100]]), ["#ffffff"]).tolist()
    [[[[128, 128, 128]]]]
    """
    images, limits = np.asarray(images), np.asarray(limits, dtype=float)
    if images.ndim != 4 or limits.shape != (images.shape[1], 2) or len(colours) != images.shape[1]:
        raise ValueError(
            f"Images {images.shape}, limits {limits.shape} and {len(colours)} colours do not fit, "
            "expected (n, C, Y, X), (C, 2) and C colours."
        )
    result = np.zeros((images.shape[0], *images.shape[2:], 3), np.float32)
    for i, ((bottom, top), colour) in enumerate(zip(limits, colours, strict=True)):
        gain = np.float32(1 / max(top - bottom, 1e-12))
        scaled = (images[:, i].astype(np.float32) - np.float32(bottom)) * gain
        np.clip(scaled, 0, 1, out=scaled)
        for k, part in enumerate(rgb(colour)):
            if part:
                result[..., k] += scaled * np.float32(part / 255)
    return np.asarray(np.clip(result * 255 + 0.5, 0, 255), np.uint8)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the red, green and blue of "#rrggbb", 0 to 255.

    Examples
    --------
    >>> rgb("#ff8000")
    (255, 128, 0)
    """
    text = colour.removeprefix("#")
    if len(text) != 6 or any(c not in "0123456789abcdefABCDEF" for c in text):
        raise ValueError(f"'{colour}' is not a colour written as '#rrggbb', such as '#00ffff'.")
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def thumbnails(
    cells: Cells,
    ids: Sequence[str] | None = None,
    *,
    size: int = 32,
    limits: np.ndarray | None = None,
    colours: Sequence[str] | None = None,
) -> np.ndarray:
    """Return small composites of cells, uint8 (n, size, size, 3), in the order of `ids` (default: all).

    Crops are scaled so that the longer side fits; what is left stays black.
    """
    rows = np.arange(len(cells)) if ids is None else positions(ids, cells.ids)
    limits = contrast_limits(cells) if limits is None else limits
    colours = channel_colours(cells.channels) if colours is None else colours
    result = np.zeros((len(rows), size, size, 3), np.uint8)
    for start in range(0, len(rows), 500):
        part = composite(read_rows(cells.images, rows[start : start + 500]), limits, colours)
        result[start : start + 500] = [fit(picture, size) for picture in part]
    return result


def fit(picture: np.ndarray, size: int) -> np.ndarray:
    """Scale one picture (Y, X, 3) into a square of `size` pixels, centred on black."""
    from PIL import Image

    height, width = picture.shape[:2]
    if (height, width) == (size, size):
        return picture
    scale = size / max(height, width)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    small = np.asarray(Image.fromarray(picture).resize(new, kind))
    square = np.zeros((size, size, 3), np.uint8)
    top, left = (size - new[1]) // 2, (size - new[0]) // 2
    square[top : top + new[1], left : left + new[0]] = small
    return square


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Lay pictures (n, Y, X, 3) out row by row in one picture, `columns` wide.

    Examples
    --------
    >>> sheet(np.zeros((3, 4, 5, 3), "uint8"), columns=2).shape
    (8, 10, 3)
    """
    n, height, width = pictures.shape[:3]
    rows = -(-n // columns)
    padded = np.zeros((rows * columns, height, width, 3), np.uint8)
    padded[:n] = pictures
    grid = padded.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, 3))


def webp(picture: np.ndarray, *, quality: int = 80) -> bytes:
    """Encode a picture (Y, X, 3) as WEBP: the smallest that browsers draw."""
    return _encoded(picture, "WEBP", quality=quality, method=0)


def png(picture: np.ndarray) -> bytes:
    """Encode a picture (Y, X, 3) as PNG, without loss."""
    return _encoded(picture, "PNG", compress_level=6)


def webp_data_uri(picture: np.ndarray, *, quality: int = 80) -> str:
    """Return a picture as a ``data:`` address with WEBP."""
    return "data:image/webp;base64," + base64.b64encode(webp(picture, quality=quality)).decode("ascii")


def png_data_uri(picture: np.ndarray) -> str:
    """Return a picture as a ``data:`` address with PNG."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


def _encoded(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture, dtype=np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def _sample(source: Cells | Fields) -> list[np.ndarray]:
    """Return pixels of each channel, evenly spaced over the whole set."""
    n, chosen = len(source), min(len(source), _SAMPLE_CELLS)
    rows = np.unique(np.linspace(0, max(n - 1, 0), chosen).astype(int))
    if hasattr(source.images, "shape"):
        stacks = [read_rows(source.images, rows)] if n else [np.zeros((0, *source.images.shape[1:]))]
        images = [stack.swapaxes(0, 1).reshape(stack.shape[1], -1) for stack in stacks]
        every = max(1, sum(i.shape[1] for i in images) // _SAMPLE_PIXELS)
        thinned = [image[:, ::every] for image in images]
    else:
        # One field in memory at a time: a few hundred whole ones are gigabytes.
        every = max(1, sum(int(np.prod(source.images.shapes[r][1:])) for r in rows[:n]) // _SAMPLE_PIXELS)
        read = (np.asarray(source.images[int(r)]) for r in rows[:n])
        thinned = [image.reshape(len(image), -1)[:, ::every].copy() for image in read]
    if not thinned:
        return [np.zeros(0) for _ in source.channels]
    return [np.concatenate([image[c] for image in thinned]) for c in range(len(thinned[0]))]
