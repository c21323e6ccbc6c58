"""Pixels and labels of a field on their way to the browser: the whole field thinned, or a part of it in full."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlscope_nb import _pictures
from mlscope_nb.views._outlines import outlines

# Longer side of what is sent at once, in pixels, and the largest picture of it, in bytes.
MOST_SIDE = 1400
MOST_BYTES = 1_600_000
# Below this many bytes before encoding a picture is sent without loss.
_EXACT_BYTES = 3_000_000
_QUALITIES = (92, 75, 50)
# WEBP ends at 16,383 pixels a side.
_TALLEST = 16_000
_STILL_SIDE = 480


@dataclass(frozen=True)
class Box:
    """A part of a field in pixels: rows top to bottom, columns left to right, every `step`-th of them."""

    top: int
    bottom: int
    left: int
    right: int
    step: int = 1

    def cut(self, array: np.ndarray) -> np.ndarray:
        """Return this part of an array (…, Y, X)."""
        return array[..., self.top : self.bottom : self.step, self.left : self.right : self.step]


def whole(height: int, width: int) -> Box:
    """Return the box of a whole field, thinned as far as it has to be.

    Examples
    --------
    >>> whole(3000, 10).step
    3
    """
    return Box(0, height, 0, width, -(-max(height, width) // MOST_SIDE))


def part(wanted: Box, height: int, width: int) -> Box:
    """Return a wanted box held to the field and to what may be sent at once.

    Examples
    --------
    >>> part(Box(-5, 3000, 20, 90), 2000, 80)
    Box(top=0, bottom=2000, left=20, right=80, step=2)
    """
    top, left = np.clip(wanted.top, 0, height - 1), np.clip(wanted.left, 0, width - 1)
    bottom, right = np.clip(wanted.bottom, top + 1, height), np.clip(wanted.right, left + 1, width)
    step = max(1, wanted.step, -(-max(bottom - top, right - left) // MOST_SIDE))
    return Box(int(top), int(bottom), int(left), int(right), int(step))


def encoded(image: np.ndarray, box: Box, *, exact: bool = False) -> tuple[dict[str, Any], bytes]:
    """Encode a part of an image (C, Y, X): one byte a pixel, finer where it is dark, all channels in one grey picture.

    The grey value of byte b is low + (b / 255)² · (high − low), with the channel's (low, high) in "ranges".
    Channel i stands at row ``i % per_column`` and column ``i // per_column`` of the picture. Where the picture would
    be too large (many channels of noise) it is thinned further; "step" says how far.
    """
    shown = box.cut(image)
    planes, ranges = [], []
    for channel in shown:
        known = channel if channel.dtype.kind != "f" else channel[np.isfinite(channel)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        high = high if high > low else low + 1
        # Pixels that are no number (a damaged file) are shown as the darkest.
        values = np.nan_to_num(channel.astype(np.float32), nan=low, posinf=high, neginf=low)
        place = (values - np.float32(low)) / np.float32(high - low)
        planes.append((np.sqrt(np.maximum(place, 0)) * 255 + 0.5).astype(np.uint8))
        ranges.append([low, high])
    height, width = shown.shape[1:]
    per_column = max(1, min(len(planes), _TALLEST // height))
    picture = _picture(_stacked(planes, per_column), exact)
    if len(picture) > MOST_BYTES:
        return encoded(image, replace(box, step=2 * box.step))
    words = {"y": box.top, "x": box.left, "step": box.step, "height": height, "width": width}
    return {**words, "ranges": ranges, "per_column": per_column}, picture


def encoded_labels(ranks: np.ndarray, box: Box) -> bytes:
    """Encode a part of a label image without loss, as red + 256 · green + 65,536 · blue."""
    shown = np.ascontiguousarray(box.cut(ranks)).astype("<u4")
    return _pictures.png(shown.view(np.uint8).reshape(*shown.shape, 4)[..., :3])


def ranked(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a label mask with its objects numbered 1 … n in the order of their labels, and these labels.

    Examples
    --------
    >>> ranks, labels = ranked(np.array([[0, 70], [9, 70]]))
    >>> ranks.tolist(), labels.tolist()
    ([[0, 2], [1, 2]], [9, 70])
    """
    largest = int(mask.max(initial=0))
    # Counting needs no sorting, but room for the largest label.
    few = largest <= 4 * mask.size
    labels = np.flatnonzero(np.bincount(mask.ravel(), minlength=1)) if few else np.unique(mask)
    labels = labels[labels > 0]
    if len(labels) == largest:
        return np.asarray(mask, np.int32), labels
    ranks = np.where(mask > 0, np.searchsorted(labels, mask) + 1, 0)
    return ranks.astype(np.int32), labels


def still(image: np.ndarray, ranks: np.ndarray | None, limits: np.ndarray, colours: list[str]) -> np.ndarray:
    """Return a small picture (Y, X, 3) of an image (C, Y, X) with its objects outlined, for a saved notebook."""
    step = -(-max(image.shape[1:]) // _STILL_SIDE)
    picture = _pictures.composite(image[None, :, ::step, ::step], limits, colours)[0]
    if ranks is not None:
        picture[outlines(ranks[::step, ::step]) > 0] = 255
    return picture


def _stacked(planes: list[np.ndarray], per_column: int) -> np.ndarray:
    height, width = planes[0].shape
    columns = -(-len(planes) // per_column)
    sheet = np.zeros((per_column * height, columns * width), np.uint8)
    for i, plane in enumerate(planes):
        y, x = i % per_column * height, i // per_column * width
        sheet[y : y + height, x : x + width] = plane
    return sheet


def _picture(sheet: np.ndarray, exact: bool) -> bytes:
    from PIL import Image

    grey = Image.fromarray(sheet).convert("RGB")

    def written(**options: Any) -> bytes:
        buffer = io.BytesIO()
        grey.save(buffer, "WEBP", method=0, **options)
        return buffer.getvalue()

    if exact and sheet.size <= _EXACT_BYTES:
        data = written(lossless=True, quality=20)
        if len(data) <= MOST_BYTES:
            return data
    data = b""
    for quality in _QUALITIES:
        data = written(quality=quality)
        if len(data) <= MOST_BYTES:
            break
    return data
