"""Pages of crops: composites in channel colours whose contrast is the same for every cell, unless asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from mlscope_nb import _pictures
from mlscope_nb._lazy import read_rows
from mlscope_nb._words import some
from mlscope_nb.cells import Cells

COLUMNS = 10
LARGEST = 96
Contrast = Mapping[str, tuple[float, float]]
Mode = Literal["set", "crop"]


class Crops:
    """Pictures of cells, made when they are asked for.

    Parameters
    ----------
    cells : Cells
        With images.
    channels : sequence of str, optional
        Which channels are shown at first; all by default.
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
        self.channels = cells.channels
        names = [channels] if isinstance(channels, str) else list(self.channels if channels is None else channels)
        for what, given in (("channels", names), ("colours", colours or {}), ("contrast", contrast or {})):
            self._refuse_unknown(given, what)
        self._images = cells.images
        self._auto = _pictures.contrast_limits(cells)
        defaults = dict(zip(names, _pictures.channel_colours(names), strict=True)) if names else {}
        every = dict(zip(self.channels, _pictures.channel_colours(self.channels), strict=True))
        self.colours = tuple({**every, **defaults, **(colours or {})}[n] for n in self.channels)
        self.size = min(LARGEST, max(cells.images.shape[2:]))
        self.limits, self.mode, self._on = self._auto.copy(), "set", [True] * len(self.channels)
        self.change(channels=names, contrast=contrast)

    def change(
        self, *, channels: Sequence[str] | None = None, contrast: Contrast | None = None, mode: Mode | None = None
    ) -> None:
        """Change what the pictures show; a `mode` sets the contrast back to what it finds by itself."""
        if channels is not None:
            self._refuse_unknown(channels, "channels")
            if not len(channels):
                raise ValueError(f"No channel to show. Channels: {some(self.channels, 20)}.")
            self._on = [name in channels for name in self.channels]
        if mode is not None:
            if mode not in ("set", "crop"):
                raise ValueError(f"mode='{mode}', expected 'set' (the same for all cells) or 'crop' (each its own).")
            self.mode, self.limits = mode, self._auto.copy()
        for name, (low, high) in (contrast or {}).items():
            self._refuse_unknown([name], "contrast")
            if not (np.isfinite([low, high]).all() and low < high):
                raise ValueError(f"Contrast of {name}: {low} to {high}, expected two grey values, the lower first.")
            self.limits[self.channels.index(name)] = (low, high)

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the channels that are on."""
        return tuple(name for name, on in zip(self.channels, self._on, strict=True) if on)

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """Return composites uint8 (n, size, size, 3) of the cells at these positions."""
        if not len(rows):
            return np.zeros((0, self.size, self.size, 3), np.uint8)
        which = [i for i, on in enumerate(self._on) if on]
        images, colours = read_rows(self._images, np.asarray(rows))[:, which], [self.colours[i] for i in which]
        if self.mode == "set":
            made = _pictures.composite(images, self.limits[which], colours)
        else:
            made = np.concatenate([_pictures.composite(i[None], _own_limits(i), colours) for i in images])
        return np.stack([_pictures.fit(p, self.size) for p in made])

    def sheet(self, rows: np.ndarray) -> bytes:
        """Return the cells at these positions in one WEBP picture, ten a row."""
        return _pictures.webp(_pictures.sheet(self.pictures(rows), COLUMNS)) if len(rows) else b""

    def legend(self) -> dict[str, Any]:
        """Return the channels with colours, switches and grey values, and how the contrast was chosen."""
        rows = zip(self.channels, self.colours, self._on, self.limits.tolist(), self._auto.tolist(), strict=True)
        return {
            "channels": [
                {"name": n, "colour": c, "on": on, "low": a, "high": b, "auto": o} for n, c, on, (a, b), o in rows
            ],
            "contrast": self._contrast_words(),
            "contrast_mode": self.mode,
        }

    def _contrast_words(self) -> str:
        if self.mode == "crop":
            return "each crop has a contrast of its own: brightness cannot be compared"
        on = np.array(self._on)
        chosen = "contrast as given" if (self.limits != self._auto)[on].any() else "contrast fixed over all cells"
        return f"{chosen}, the same for each crop"

    def _refuse_unknown(self, given: Sequence[str] | Mapping[str, Any], what: str) -> None:
        unknown = [c for c in given if c not in self.channels]
        if unknown:
            raise KeyError(f"No channel {some(unknown)} ({what}). Channels: {some(self.channels, 20)}.")


def _own_limits(image: np.ndarray) -> np.ndarray:
    limits = np.percentile(image.reshape(len(image), -1), (0.5, 99.8), axis=1).T.astype(float)
    limits[:, 1] = np.maximum(limits[:, 1], limits[:, 0] + 1e-9)
    return limits
