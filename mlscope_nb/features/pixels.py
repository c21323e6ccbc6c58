"""Pixels on one scale: what normalisation does for features, done to the images that networks see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features.reference import Control, batch_of, reference, warn_if_few
from mlscope_nb.features.scaling import Floats

PixelMethod = Literal["standardize", "robust"]
LOW, HIGH = 1.0, 99.0


@dataclass(frozen=True, eq=False)
class _Scale:
    """Darkness and span of each channel in one batch."""

    low: Floats
    span: Floats


class PixelNormalizer:
    """Learn background and brightness of each channel from the control crops of each batch, and take them out.

    Parameters
    ----------
    method : {"robust", "standardize"}
        "robust": the median background of the control crops becomes 0, their median bright end (99th percentile of a
        crop) becomes 1. "standardize": mean 0 and deviation 1 of all pixels of control crops.
    by, control, force
        As in `Normalizer`: the batch, the cells fitted on, and whether controls may be defined by the label.

    Examples
    --------
    >>> import pandas as pd, warnings
    >>> obs = pd.DataFrame({"plate": ["1", "2"], "drug": ["DMSO", "DMSO"]}, index=["a", "b"])
    >>> dim = np.arange(16).reshape(1, 4, 4)
    >>> cells = Cells(obs, np.stack([dim, dim * 3 + 100]), batch="plate", control={"drug": "DMSO"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # one cell per plate is few
    ...     a, b = PixelNormalizer().fit(cells).transform(cells).images
    >>> bool(np.allclose(a, b, atol=1e-6))
    True
    """

    def __init__(
        self,
        method: PixelMethod = "robust",
        *,
        by: Columns = None,
        control: Control = None,
        force: bool = False,
    ) -> None:
        if method not in ("robust", "standardize"):
            raise ValueError(f"method is {method!r}, expected 'robust' or 'standardize'.")
        self.method, self.by, self.control, self.force = method, by, control, force
        self._scales: dict[str, _Scale] | None = None
        self._channels: tuple[str, ...] = ()
        self._notes: list[str] = []

    def fit(self, cells: Cells) -> PixelNormalizer:
        """Learn the scale of each batch from its control crops.

        Raises
        ------
        ValueError
            No images, a batch without controls, or controls that are defined by the label.
        """
        found = reference(cells, self.by, self.control, force=self.force)
        missing = found.without()
        if missing:
            raise ValueError(
                f"No control cell in {count(len(missing), 'batch', 'batches')}: {some(missing)}. "
                "Leave these batches out, or declare a control that they have."
            )
        few = warn_if_few(found, found.batches)
        self._channels, self._notes = cells.channels, [note for note in (found.note, few) if note]
        self._scales = self._learn(cells.subset(found.rows), found.batch[found.rows])
        return self

    def transform(self, cells: Cells) -> Cells:
        """Return the cells with 32-bit images on the common scale; all of them are in memory.

        Raises
        ------
        ValueError
            Nothing was fitted, other channels, or a new batch has no controls of its own.
        """
        known = self._checked(cells)
        images = np.empty(tuple(cells.images.shape), np.float32)
        start = 0
        for part in self.batches(cells):
            images[start : start + len(part.ids)] = part.images
            start += len(part.ids)
        batch, by = batch_of(cells, self.by)
        step = _align.step(
            "normalize_pixels", method=self.method, by=list(by),
            own_controls=sorted(set(batch) - set(known)) or None, note="; ".join(self._notes) or None,
        )  # fmt: skip
        return _with_images(cells, images, step)

    def batches(self, cells: Cells, size: int = 500) -> Iterator[Batch]:
        """Yield the cells a few at a time with 32-bit images on the common scale, so that not all are in memory."""
        scales = self._checked(cells)
        batch, _ = batch_of(cells, self.by)
        scales = {**scales, **self._own(cells, sorted(set(batch) - set(scales)))}
        start = 0
        for part in cells.batches(size):
            rows = batch[start : start + len(part.ids)]
            low, span = (np.stack([getattr(scales[b], k) for b in rows])[..., None, None] for k in ("low", "span"))
            yield part._replace(images=((part.images - low) / span).astype(np.float32))
            start += len(part.ids)

    def to_dict(self) -> dict[str, Any]:
        """Return options and what was learned as plain values, for a file."""
        control = self.control if self.control is None or isinstance(self.control, str) else dict(self.control)
        return {
            "method": self.method, "by": list(self.by) if isinstance(self.by, tuple) else self.by, "control": control,
            "force": self.force, "channels": list(self._channels), "notes": list(self._notes),
            "scales": {b: [s.low.tolist(), s.span.tolist()] for b, s in (self._scales or {}).items()},
        }  # fmt: skip

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> PixelNormalizer:
        """Return the normaliser that `to_dict` has described."""
        made = cls(found["method"], by=found["by"], control=found["control"], force=found["force"])
        made._channels, made._notes = tuple(found["channels"]), list(found["notes"])
        made._scales = {b: _Scale(np.array(low), np.array(span)) for b, (low, span) in found["scales"].items()} or None
        return made

    def _checked(self, cells: Cells) -> dict[str, _Scale]:
        if self._scales is None:
            raise ValueError("This normaliser was not fitted yet. Use PixelNormalizer().fit(cells).transform(cells).")
        if cells.channels != self._channels:
            raise ValueError(f"The channels are {cells.channels}, expected {self._channels} as in the cells fitted on.")
        return self._scales

    def _own(self, cells: Cells, new: list[str]) -> dict[str, _Scale]:
        """Return the scales of batches that were not fitted on, from their own controls."""
        if not new:
            return {}
        names = f"{count(len(new), 'batch', 'batches')} that the normaliser was not fitted on: {some(new)}."
        if self.control is None and cells.design.control is None:
            raise ValueError(f"{names} Without declared controls their scale is not known. Declare control={{…}}.")
        try:
            found = reference(cells, self.by, self.control, force=self.force)
        except ValueError as error:
            raise ValueError(f"{names} {error}") from error
        lacking = sorted(set(new) & set(found.without()))
        if lacking:
            raise ValueError(f"{names} No control cell in {some(lacking)}: leave these batches out, or fit on them.")
        warn_if_few(found, new)
        use = found.rows & np.isin(found.batch, new)
        return self._learn(cells.subset(use), found.batch[use])

    def _learn(self, controls: Cells, batch: NDArray[Any]) -> dict[str, _Scale]:
        parts = [self._describe(part) for part in controls.batches(500)]
        table = np.concatenate(parts)
        return {str(b): self._scale(table[batch == b]) for b in sorted(set(batch))}

    def _describe(self, part: Batch) -> Floats:
        """Return two numbers per crop and channel, (n, C, 2): its ends, or its mean and mean square."""
        pixels = part.images.reshape(*part.images.shape[:2], -1).astype(np.float64)
        if self.method == "robust":
            found: Floats = np.moveaxis(np.percentile(pixels, [LOW, HIGH], axis=-1), 0, -1)
            return found
        return np.stack([pixels.mean(axis=-1), np.square(pixels).mean(axis=-1)], axis=-1)

    def _scale(self, table: Floats) -> _Scale:
        if self.method == "robust":
            low, high = np.median(table, axis=0).T
            span = high - low
        else:
            low, square = table.mean(axis=0).T
            span = np.sqrt(np.maximum(square - low**2, 0))
        return _Scale(low, np.where(span > 0, span, 1.0))


def normalize_pixels(
    cells: Cells,
    method: PixelMethod = "robust",
    by: Columns = None,
    *,
    control: Control = None,
    force: bool = False,
) -> Cells:
    """Put the images of all batches on the scale of their control crops, for networks.

    Inside a fold: ``PixelNormalizer(…).fit(train)``, then ``transform`` both. A batch that was not fitted on is put on
    the scale of its own controls, which is recorded.

    Parameters
    ----------
    cells : Cells
        With images, and declared batch and control.
    method, by, control, force
        As in `PixelNormalizer`.

    Returns
    -------
    Cells
        With 32-bit float images and an entry in the history.

    Raises
    ------
    ValueError
        No images, a batch without controls, or controls that are defined by the label.
    """
    return PixelNormalizer(method, by=by, control=control, force=force).fit(cells).transform(cells)


def _with_images(cells: Cells, images: NDArray[np.float32], step: dict[str, Any]) -> Cells:
    roles = {k: getattr(cells.design, k) for k in ("label", "unit", "batch", "control", "treatment")}
    return Cells(
        cells.obs, images, masks=cells.masks, compartments=cells.compartments, features=cells.features,
        embeddings=cells.embeddings, channels=cells.channels, pixel_size_um=cells.pixel_size_um,
        history=[*cells.history, step], **roles,
    )  # fmt: skip
