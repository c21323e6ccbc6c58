"""The result of estimating a flat field: the light of each batch and channel, and how far it can be trusted."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import count, percent, some
from mlscope_nb.study._result import plain

ENOUGH_FIELDS = 8
MOST_ERROR = 0.035
"""An estimate whose halves say less than this is called trustworthy (3.5 %; less than the light itself is uneven)."""


@dataclass(frozen=True, eq=False)
class FlatfieldOfBatch:
    """The flat field of one batch.

    Parameters
    ----------
    flat : array (C, Y, X)
        Relative brightness, mean 1 in each channel.
    dark : array (C,)
        Grey value without light.
    error : array (C,)
        Relative error (RMS) expected from how far estimates of two halves of the fields differ; NaN where there are
        too few fields. What misleads both halves alike (a dark level taken as 0) is not in it.
    n_fields : int
        Fields that it was estimated from.
    notes : tuple of str
        What a reader has to know.
    """

    flat: np.ndarray
    dark: np.ndarray
    error: np.ndarray
    n_fields: int
    notes: tuple[str, ...] = ()

    @property
    def uneven(self) -> np.ndarray:
        """RMS deviation of the flat field from 1, per channel: what is wrong without a correction."""
        return np.asarray(self.flat.std(axis=(1, 2), dtype=np.float64))

    @property
    def trusted(self) -> np.ndarray:
        """True for channels whose estimate is better than none, with fields enough to say so."""
        small = (self.error <= MOST_ERROR) & ((self.error <= self.uneven / 2) | (self.error <= 0.01))
        return np.asarray(small & (self.n_fields >= ENOUGH_FIELDS))


class Flatfield:
    """Uneven illumination, one estimate for each batch (plate, day) and channel.

    With one batch `flat`, `dark` and `error` are those of that batch; with several, ask for one: ``flatfield["P1"]``.
    ``numpy.asarray(flatfield)`` is `flat`.

    Parameters
    ----------
    batches : mapping
        Name of the batch → what was estimated. The name "" means all fields.
    channels : tuple of str
        Names of the channels.
    """

    def __init__(self, batches: Mapping[str, FlatfieldOfBatch], channels: Sequence[str]) -> None:
        self.batches, self.channels = dict(batches), tuple(channels)

    @classmethod
    def measured(
        cls, flat: np.ndarray, dark: float | Sequence[float] = 0.0, *, channels: Sequence[str] = ()
    ) -> Flatfield:
        """Return a flat field (C, Y, X) or (Y, X) that was measured, as with a fluorescent slide; made to mean 1."""
        pixels = np.asarray(flat, np.float64)
        pixels = pixels[None] if pixels.ndim == 2 else pixels
        if pixels.ndim != 3 or not np.isfinite(pixels).all() or not (pixels > 0).all():
            raise ValueError(f"flat is {pixels.shape}, expected positive numbers (Y, X) or (C, Y, X).")
        even = _align.read_only((pixels / pixels.mean(axis=(1, 2), keepdims=True)).astype(np.float32))
        levels = np.array(dark_levels(dark, len(even)), float)
        made = FlatfieldOfBatch(even, levels, np.zeros(len(even)), 0, ("Measured, not estimated.",))
        return cls({"": made}, channels or [f"channel{c}" for c in range(len(even))])

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, batch: str) -> Flatfield:
        return Flatfield({batch: self.of(batch)}, self.channels)

    def of(self, batch: str) -> FlatfieldOfBatch:
        """Return the estimate that belongs to a batch.

        Raises
        ------
        KeyError
            Nothing was estimated for this batch.
        """
        if "" in self.batches:
            return self.batches[""]
        if batch not in self.batches:
            raise KeyError(
                f"No flat field of '{batch}'. There are: {some(self.batches, 20)}. Estimate it from its fields."
            )
        return self.batches[batch]

    @property
    def flat(self) -> np.ndarray:
        """Relative brightness (C, Y, X), mean 1 in each channel."""
        return self._only.flat

    @property
    def dark(self) -> np.ndarray:
        """Grey value without light, per channel."""
        return self._only.dark

    @property
    def error(self) -> np.ndarray:
        """Relative error expected from split halves, per channel."""
        return self._only.error

    @property
    def trusted(self) -> bool:
        """True when the estimates of all batches and channels can be trusted."""
        return all(bool(found.trusted.all()) for found in self.batches.values())

    @property
    def table(self) -> pd.DataFrame:
        """One row per batch and channel: fields, unevenness, error, dark level, and whether it can be trusted."""
        rows = [
            {
                "batch": name or "all fields",
                "channel": channel,
                "n_fields": found.n_fields,
                "uneven": float(found.uneven[c]),
                "error": float(found.error[c]),
                "dark": float(found.dark[c]),
                "trusted": bool(found.trusted[c]),
            }
            for name, found in self.batches.items()
            for c, channel in enumerate(self.channels)
        ]
        return pd.DataFrame(rows)

    def apply(self, image: np.ndarray, batch: str = "", *, subtract_dark: bool = False) -> np.ndarray:
        """Return an image (C, Y, X) or (Y, X) with even illumination, as float32.

        Parameters
        ----------
        image : array
            As it was taken.
        batch : str
            Which estimate to use, where there are several.
        subtract_dark : bool
            False keeps the dark level as an offset, so that nothing falls below zero.

        Raises
        ------
        ValueError
            The image has another size or number of channels than the flat field.
        """
        found = self._only if not batch and len(self.batches) == 1 else self.of(batch)
        pixels = np.asarray(image)
        wanted = found.flat.shape
        if pixels.shape not in (wanted, wanted[1:] if wanted[0] == 1 else wanted):
            raise ValueError(f"The image is {pixels.shape} and the flat field {wanted} (C, Y, X), expected the same.")
        dark = found.dark[:, None, None].astype(np.float32)
        even = (pixels.astype(np.float32) - dark) / found.flat
        return np.asarray(even if subtract_dark else even + dark).reshape(pixels.shape)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures as plain numbers and text."""
        table = [plain(row) for row in self.table.to_dict(orient="records")]
        return {"table": table, "notes": {name or "all fields": list(f.notes) for name, f in self.batches.items()}}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.flat, dtype=dtype)

    def __str__(self) -> str:
        lines = []
        for name, found in self.batches.items():
            lines.append(f"{name or 'All fields'}, {count(found.n_fields, 'field')}:")
            lines += [f"  {channel}: {_words(found, c)}" for c, channel in enumerate(self.channels)]
            lines += [f"  Note: {note}" for note in found.notes]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = self.table.to_html(index=False, float_format="{:.3f}".format, na_rep="–", border=0)
        notes = [f"{name}: {note}" if name else note for name, f in self.batches.items() for note in f.notes]
        return shown + "".join(f"<p>{html.escape(note)}</p>" for note in notes)

    @property
    def _only(self) -> FlatfieldOfBatch:
        if len(self.batches) != 1:
            raise ValueError(
                f"{count(len(self.batches), 'batch', 'batches')}, each with its own flat field: "
                f"{some(self.batches)}. Ask for one: flatfield['{next(iter(self.batches), '')}'].flat."
            )
        return next(iter(self.batches.values()))


def dark_levels(dark: float | Sequence[float] | None, n_channels: int) -> list[float | None]:
    """Return one dark level per channel, or None where it is to be estimated."""
    levels = list(np.atleast_1d(np.asarray(dark, float))) if dark is not None else [None] * n_channels
    levels = levels * n_channels if len(levels) == 1 else levels
    if len(levels) != n_channels or any(v is not None and not math.isfinite(v) for v in levels):
        raise ValueError(f"dark is {dark!r}, expected one grey value, or one for each of {n_channels} channels.")
    return [None if v is None else float(v) for v in levels]


def _words(found: FlatfieldOfBatch, c: int) -> str:
    error = found.error[c]
    if found.n_fields == 0:
        return f"uneven by {percent(found.uneven[c], 1)} (RMS), as measured"
    known = "error not known, too few fields to split"
    if math.isfinite(error):
        known = f"split-half error {percent(error, 1)}"
    trust = "" if found.trusted[c] else "; not to be trusted"
    return f"uneven by {percent(found.uneven[c], 1)} (RMS), {known}{trust}; dark level {found.dark[c]:.0f}"
