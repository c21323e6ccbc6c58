"""Pages of crops: composites in channel colours whose contrast is the same for every cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlscope_nb import _pictures
from mlscope_nb._lazy import read_rows
from mlscope_nb._words import some
from mlscope_nb.cells import Cells

COLUMNS = 10
LARGEST = 96
Contrast = Mapping[str, tuple[float, float]]


class Crops:
    """Pictures of cells, made when they are asked for.

    Parameters
    ----------
    cells : Cells
        With images.
    channels : sequence of str, optional
        Which channels are shown; all by default.
    colours : mapping, optional
        Channel to "#rrggbb".
    contrast : mapping, optional
        Channel to (black, full colour) in grey values; otherwise percentiles of the whole set.

    Examples
    --------
    >>> import pandas as pd
    >>> cells = Cells(pd.DataFrame(index=["a", "b"]), np.zeros((2, 1, 8, 8), "uint8"), channels=["DNA"])
    >>> Crops(cells).pictures(np.array([1])).shape
    (1, 8, 8, 3)
    """

    def __init__(
        self,
        cells: Cells,
        *,
        channels: Sequence[str] | None = None,
        colours: Mapping[str, str] | None = None,
        contrast: Contrast | None = None,
    ) -> None:
        names = [channels] if isinstance(channels, str) else list(cells.channels if channels is None else channels)
        for what, given in (("channels", names), ("colours", colours or {}), ("contrast", contrast or {})):
            unknown = [c for c in given if c not in cells.channels]
            if unknown:
                raise KeyError(f"No channel {some(unknown)} ({what}). Channels: {some(cells.channels, 20)}.")
        if not names:
            raise ValueError(f"No channel to show. Channels: {some(cells.channels, 20)}.")
        self._images = cells.images
        self._which = [cells.channels.index(c) for c in names]
        self.channels = tuple(names)
        self.limits = _pictures.contrast_limits(cells)[self._which]
        self._own = bool(contrast)
        for i, name in enumerate(names):
            self.limits[i] = (contrast or {}).get(name, self.limits[i])
        defaults = _pictures.channel_colours(names)
        self.colours = tuple((colours or {}).get(n, c) for n, c in zip(names, defaults, strict=True))
        self.size = min(LARGEST, max(cells.images.shape[2:]))

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """Return composites uint8 (n, size, size, 3) of the cells at these positions."""
        if not len(rows):
            return np.zeros((0, self.size, self.size, 3), np.uint8)
        images = read_rows(self._images, np.asarray(rows))[:, self._which]
        return np.stack([_pictures.fit(p, self.size) for p in _pictures.composite(images, self.limits, self.colours)])

    def sheet(self, rows: np.ndarray) -> bytes:
        """Return the cells at these positions in one WEBP picture, ten a row."""
        return _pictures.webp(_pictures.sheet(self.pictures(rows), COLUMNS)) if len(rows) else b""

    def legend(self) -> dict[str, Any]:
        """Return the channels with colours and grey values, and how the contrast was chosen."""
        pairs = zip(self.channels, self.colours, self.limits, strict=True)
        chosen = "contrast as given" if self._own else "contrast fixed over all cells (0.5–99.8 %)"
        return {
            "channels": [{"colour": c, "text": f"{n} {low:,.4g}–{high:,.4g}"} for n, c, (low, high) in pairs],
            "contrast": f"{chosen}, the same for each crop",
        }
