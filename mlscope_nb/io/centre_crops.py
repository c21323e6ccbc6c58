"""Windows around given centres: crops from images that another program segmented, in memory or read when needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count, percent
from mlscope_nb.io.crops import MAX_CODE
from mlscope_nb.io.image_sets import ImageFile
from mlscope_nb.io.listing import Problem, odd_ones
from mlscope_nb.io.pixels import read_image

LEAST_AGREEMENT = 0.5


class CentreCrops:
    """Crops (N, C, size, size) that are cut from the files of their fields when they are asked for.

    The last field is kept, so that cells in the order of their fields read every file once.

    Parameters
    ----------
    files : list of lists of ImageFile
        For every field one file a channel.
    field : integer array (N)
        Which field each cell is from.
    tops : integer array (N, 2)
        Top left corner of each window; it may reach beyond the field, and holds the field's median there.
    size : int
        Pixels, width and height.
    dtype : numpy type
    """

    ndim = 4

    def __init__(
        self, files: Sequence[Sequence[ImageFile]], field: np.ndarray, tops: np.ndarray, size: int, dtype: Any
    ) -> None:
        self._files, self._field, self._tops, self._size = files, np.asarray(field), np.asarray(tops), size
        self.dtype = np.dtype(dtype)
        self.shape = (len(self._field), len(files[0]) if len(files) else 0, size, size)
        self._last: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        rows = np.arange(len(self))[first]
        if np.ndim(rows) == 0:
            return self._cut(np.array([rows]))[0][rest]
        return self._cut(rows)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def _cut(self, rows: np.ndarray) -> np.ndarray:
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for field in pd.unique(self._field[rows]):
            here = np.flatnonzero(self._field[rows] == field)
            result[here] = windows(self._image(int(field)), self._tops[rows[here]], self._size)
        return result

    def _image(self, field: int) -> np.ndarray:
        if self._last is None or self._last[0] != field:
            try:
                self._last = (field, read_field(self._files[field]))
            except ValueError as error:
                raise ValueError(
                    f"'{self._files[field][0].file}': {error}. Was it moved since it was listed?"
                ) from error
        return self._last[1]


def read_field(files: Sequence[ImageFile]) -> np.ndarray:
    """Return the channels (C, Y, X) of a field; all must be of one size and type.

    Raises
    ------
    ValueError, OSError
        A file cannot be read, has several channels without saying which is meant, or differs from the first.
    """
    channels = [_channel(f) for f in files]
    for file, channel in zip(files, channels, strict=True):
        if channel.shape != channels[0].shape or channel.dtype != channels[0].dtype:
            raise ValueError(
                f"{file.file.name} is {channel.shape} {channel.dtype}, {files[0].file.name} is {channels[0].shape} "
                f"{channels[0].dtype}; channels of one image must be alike"
            )
    return np.stack(channels)


def windows(image: np.ndarray, tops: np.ndarray, size: int, fill: Any = None) -> np.ndarray:
    """Cut windows (n, C, size, size) out of (C, Y, X); beyond it lies `fill`, default the channel's median.

    Examples
    --------
    >>> windows(np.arange(16).reshape(1, 4, 4), np.array([[1, 1]]), 2)[0, 0].tolist()
    [[5, 6], [9, 10]]
    """
    height, width = image.shape[1:]
    result = np.empty((len(tops), len(image), size, size), image.dtype)
    beyond = ((tops < 0) | (tops + size > [height, width])).any(axis=1)
    if beyond.any():
        ground = np.array([np.median(c) for c in image] if fill is None else [fill] * len(image))
        result[beyond] = ground.astype(image.dtype)[None, :, None, None]
    for window, (top, left) in zip(result, tops, strict=True):
        y0, y1 = max(top, 0), min(top + size, height)
        x0, x1 = max(left, 0), min(left + size, width)
        if y0 < y1 and x0 < x1:
            window[:, y0 - top : y1 - top, x0 - left : x1 - left] = image[:, y0:y1, x0:x1]
    return result


def check_fields(
    files: Mapping[Any, Sequence[ImageFile]],
) -> Iterator[tuple[Any, np.ndarray | None, Problem | None]]:
    """Read every field once: yield its key with its image, or with the reason why it cannot be used."""
    for key, channels in tqdm(files.items(), desc="Reading images", unit="field", delay=2, leave=False):
        try:
            yield key, read_field(channels), None
        except (ValueError, OSError) as error:
            yield key, None, {"file": str(channels[0].file), "problem": str(error)}


def odd_types(types: Mapping[Any, np.dtype]) -> dict[Any, str]:
    """Name the fields whose pixels have another type than those of most."""
    return odd_ones({key: kind.name for key, kind in types.items()}, "the type")


def object_codes(labels: np.ndarray, numbers: np.ndarray, tops: np.ndarray, size: int) -> np.ndarray:
    """Cut masks (n, size, size) out of a label image: 1 the object with the number, 2, 3, … the others.

    Examples
    --------
    >>> object_codes(np.array([[7, 7], [9, 0]]), np.array([9]), np.array([[0, 0]]), 2)[0].tolist()
    [[2, 2], [1, 0]]
    """
    codes = np.zeros((len(tops), size, size), np.uint8)
    for code, number, window in zip(codes, numbers, windows(labels[None], tops, size, 0)[:, 0], strict=True):
        values, inverse = np.unique(window, return_inverse=True)
        others = (values != 0) & (values != number)
        new = np.where(others, np.minimum(1 + np.cumsum(others), MAX_CODE), (values == number).astype(int))
        code[:] = new[inverse].reshape(window.shape)
    return codes


def label_image(file: Path, numbers: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Read a label image with its numbers as they are, and see that they are those of the objects.

    Raises
    ------
    ValueError
        It is in colour, or at the centres of most objects stands another number.
    """
    pixels = read_image(file, indexed=True).pixels
    if len(pixels) > 1 and not (pixels == pixels[:1]).all():
        raise ValueError(f"has {len(pixels)} channels, expected one number per pixel")
    labels = pixels[0]
    rows = np.clip(np.round(centres).astype(int), 0, np.array(labels.shape) - 1)
    agree = float(np.mean(labels[rows[:, 0], rows[:, 1]] == numbers)) if len(numbers) else 1.0
    if agree < LEAST_AGREEMENT:
        raise ValueError(
            "holds other numbers than the table: they agree at the centres of "
            f"{percent(agree)} of {count(len(numbers), 'object')}"
        )
    return labels


def _channel(image: ImageFile) -> np.ndarray:
    pixels = read_image(image.file).pixels
    if len(pixels) == 1:
        return pixels[0]
    if 0 <= image.plane < len(pixels):
        return pixels[image.plane]
    if (pixels == pixels[:1]).all():
        return pixels[0]
    raise ValueError(f"has {len(pixels)} channels, and the table does not say which one is meant (Channel_…)")
