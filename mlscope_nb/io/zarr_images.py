"""One image or label image of an OME-Zarr store, read when it is asked for."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from mlscope_nb.io.ngff import Level, open_array
from mlscope_nb.io.stacks import one_image

# What zarr and its codecs raise for bytes that are not what was written.
DAMAGE = (
    OSError, ValueError, TypeError, KeyError, RuntimeError, zlib.error, EOFError, IndexError, OverflowError,
    MemoryError,
)  # fmt: skip


@dataclass(frozen=True)
class ZarrImage:
    """One image of a store, read when it is called; small enough to be sent to a worker.

    Parameters
    ----------
    level : Level
        Where it lies and what its axes are.
    projection, frame
        As in `read_omezarr`.
    channels : tuple of int, optional
        Only these, in this order.
    labels : bool
        Whether it is a label image: (Y, X) of int32 instead of (C, Y, X).
    renumber : bool
        Whether labels become 1 … n, for other tools leave gaps.
    """

    level: Level
    projection: str | None = None
    frame: int | None = None
    channels: tuple[int, ...] | None = None
    labels: bool = False
    renumber: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what is read."""
        sizes = dict(zip(self.level.axes, self.level.shape, strict=True))
        n_channels = sizes.get("C", 1) if self.channels is None else len(self.channels)
        return (*(() if self.labels else (n_channels,)), sizes["Y"], sizes["X"])

    def __call__(self) -> np.ndarray:
        """Read it.

        Raises
        ------
        ValueError
            A piece is damaged; the message names the store.
        """
        where = f"'{self.level.store}/{self.level.path}'"
        try:
            array = open_array(self.level.store, self.level.path)
            if tuple(array.shape) != self.level.shape:
                raise ValueError("its shape has changed since it was opened")
            pixels = one_image(array, self.level.axes, self.projection, self.frame)
        except DAMAGE as error:
            raise ValueError(f"{where} cannot be read: {str(error)[:300] or type(error).__name__}") from error
        if self.labels:
            return _labels(pixels[0], where, renumber=self.renumber)
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise ValueError(f"{where} holds NaN or infinite pixels; replace them with numpy.nan_to_num before saving")
        return pixels if self.channels is None else pixels[list(self.channels)]


def _labels(mask: np.ndarray, where: str, *, renumber: bool) -> np.ndarray:
    """Return labels as int32."""
    if mask.dtype.kind == "i" and mask.min(initial=0) < 0:
        raise ValueError(f"{where} holds negative labels, expected 0 background, 1 … n objects")
    if not renumber and mask.max(initial=0) <= np.iinfo(np.int32).max:
        return np.asarray(mask, np.int32)
    values = np.unique(mask)
    return np.asarray(np.where(mask > 0, np.searchsorted(values[values > 0], mask) + 1, 0), np.int32)
