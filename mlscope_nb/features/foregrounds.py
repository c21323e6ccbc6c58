"""Foreground: a guess at which pixels of a crop belong to the cell in its middle, for crops without masks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.features.workers import in_order
from mlscope_nb.io.foreground import is_only_noise, split_levels
from mlscope_nb.io.polarity import decide_polarity

Objects = Literal["auto", "bright", "dark"]
SMOOTH_PX = 1.0
# a neck this wide, as a share of the piece's own width, parts it in two
NECK = 0.65
NOISE_REACH = 2.0
# skew from which on objects count as bright or dark alone; bright field has both
ONE_SIDED = 0.6


def foreground(
    cells: Cells,
    channel: str | None = None,
    *,
    objects: Objects = "auto",
    batch_size: int = 250,
    workers: int | None = None,
    progress: bool = True,
) -> NDArray[np.uint8]:
    """Guess the central object of each crop: 1 where it is, 0 elsewhere.

    The commonest grey value of the crop is taken for background. What differs from it beyond Li's threshold is object;
    holes are filled, and the piece in the middle is kept, parted from neighbours at its necks. It is a guess: look at
    it (`ms.views.gallery`) before trusting numbers that follow from it, the more so where cells are crowded. Crops with
    nothing but noise give an empty mask.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X), fluorescence or bright field, one cell in the middle of each.
    channel : str, optional
        Where to look. Default: all channels together, each by how far it differs from its own background.
    objects : "auto", "bright" or "dark"
        Whether objects are brighter or darker than the background. "auto" decides for each crop and channel, and takes
        both where the grey values reach as far to either side, as in bright field.
    batch_size, workers : int
        Cells in memory at a time, and threads; the result depends on neither.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    uint8 array (N, Y, X)
        For ``cells.with_masks``.

    Raises
    ------
    ValueError
        The cells have no images, or there is no such channel or kind of objects.

    Examples
    --------
    >>> import pandas as pd
    >>> image = np.full((1, 1, 32, 32), 10, "uint8")
    >>> image[0, 0, 12:20, 12:20] = 200
    >>> cells = Cells(pd.DataFrame(index=["a"]), image, channels=["DNA"])
    >>> int(foreground(cells).sum())
    64
    """
    if objects not in ("auto", "bright", "dark"):
        raise ValueError(f"objects is '{objects}', expected 'auto', 'bright' or 'dark'.")
    if channel is not None and channel not in cells.channels:
        raise ValueError(f"No channel '{channel}'. There are: {some(cells.channels, 20)}.")
    chosen = slice(None) if channel is None else [cells.channels.index(channel)]

    def of_batch(images: NDArray[np.generic]) -> NDArray[np.uint8]:
        return np.stack([_central(image[chosen].astype(np.float64), objects) for image in images])

    batches = (batch.images for batch in cells.batches(batch_size))
    total = -(-len(cells) // batch_size)
    title = "Finding the cell in each crop" if progress else None
    found = list(in_order(of_batch, batches, workers=workers, total=total, progress=title))
    return np.concatenate(found) if found else np.zeros((0, *cells.images.shape[2:]), np.uint8)


def _central(image: NDArray[np.float64], objects: Objects) -> NDArray[np.uint8]:
    """Return the mask of one crop (C, Y, X)."""
    signal = np.zeros(image.shape[1:])
    for plane in image:
        away, noise = _away(plane, objects)
        inner = tuple(slice(side // 4, side - side // 4) for side in plane.shape)
        if away[inner].max() > NOISE_REACH * noise and not is_only_noise(plane):
            # neither a single spot nor a brighter neighbour shall decide what counts as bright
            signal += np.minimum(away / (np.percentile(away[inner], 95) or away[inner].max()), 1.0)
    if not signal.any():
        return np.zeros(signal.shape, np.uint8)
    first = signal > split_levels(signal / signal.max()) * signal.max()
    # the edge of a blurred object lies where the brightness is half of what it is inside
    half = (np.median(signal[first]) + np.median(signal[~first])) / 2 if first.any() and not first.all() else 0.0
    return _middle(ndimage.binary_fill_holes(signal > half))


def _away(plane: NDArray[np.float64], objects: Objects) -> tuple[NDArray[np.float64], float]:
    """Return how far each pixel is from the background, on the side where objects are, and how much that varies."""
    if objects == "auto":
        side, skew = decide_polarity(plane)
        objects = side if abs(skew) >= ONE_SIDED else "auto"
    smooth = ndimage.gaussian_filter(plane, SMOOTH_PX)
    values = np.sort(smooth, axis=None)
    half = len(values) // 2
    level, noise = _commonest({"auto": values, "bright": values[: half + 1], "dark": values[half:]}[objects])
    away = smooth - level
    return np.abs(away) if objects == "auto" else np.maximum(away if objects == "bright" else -away, 0), noise


def _commonest(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the middle of the shortest quarter of sorted values, and that quarter's length."""
    quarter = max(len(values) // 4, 1)
    spans = values[quarter:] - values[:-quarter]
    start = int(np.argmin(spans))
    return float(values[start + quarter // 2]), float(spans[start])


def _middle(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Keep the piece nearest to the middle; pieces joined by a neck two thirds as wide as they are count as two."""
    y, x = np.indices(mask.shape)
    away = np.hypot(y - (mask.shape[0] - 1) / 2, x - (mask.shape[1] - 1) / 2)
    whole, found = ndimage.label(mask)
    if not found:
        return np.zeros(mask.shape, np.uint8)
    piece = whole == _nearest(whole, found, away)
    if piece.all():
        return piece.astype(np.uint8)
    # the crop's edge is no edge of a cell: a neighbour cut by it is as deep as it looks
    depth = ndimage.distance_transform_edt(piece)
    cores, found = ndimage.label(depth > NECK * depth[away <= away[piece].min() + depth.max()].max())
    parts = watershed(-depth, cores, mask=piece)
    kept: NDArray[np.uint8] = (parts == _nearest(cores, found, away)).astype(np.uint8)
    return kept


def _nearest(labels: NDArray[np.integer], found: int, away: NDArray[np.float64]) -> int:
    return 1 + int(np.argmin(ndimage.minimum(away, labels, np.arange(1, found + 1))))
