"""Measure cells: the classical features of each cell and each of its parts, a few hundred cells at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features.intensity import intensity
from mlscope_nb.features.shape import shape

COMPARTMENT_NAMES = {"nucleus": "Nuclei", "cytoplasm": "Cytoplasm", "cell": "Cells"}
FAMILIES = ("shape", "intensity")


def families() -> tuple[str, ...]:
    """Return the names of the feature families.

    Examples
    --------
    >>> families()
    ('shape', 'intensity')
    """
    return FAMILIES


def measure(
    cells: Cells, families: Sequence[str] = FAMILIES, *, objects: str = "Cells", batch_size: int = 500
) -> pd.DataFrame:
    """Measure every cell, and every part of it that has a mask.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X) and masks (N, Y, X); only pixels with mask 1 count.
    families : sequence of str
        "shape" (areas in pixels, lengths in pixels) and "intensity" (in the grey levels of the images).
    objects : str
        What the masks hold, as the first word of the names ("Cells" or "Nuclei").
    batch_size : int
        Cells in memory at a time; the result does not depend on it.

    Returns
    -------
    DataFrame (N, P)
        One column per feature, named as in CellProfiler (``Nuclei_Intensity_MeanIntensity_DNA``), NaN where a part is
        empty. ``attrs["history"]`` says what was done and which cells have empty masks.

    Raises
    ------
    ValueError
        The cells have no images or no masks, or there is no such family.

    References
    ----------
    CellProfiler's MeasureObjectSizeShape and MeasureObjectIntensity; lengths as in scikit-image's ``regionprops``.

    Examples
    --------
    >>> disc = (np.hypot(*np.mgrid[-8:8, -8:8]) < 6).astype("uint8")[None]
    >>> one = Cells(pd.DataFrame(index=["a"]), disc[:, None] * 100, masks=disc, channels=["DNA"])
    >>> float(measure(one).loc["a", "Cells_Intensity_MeanIntensity_DNA"])
    100.0
    """
    unknown = [f for f in families if f not in FAMILIES]
    if unknown:
        raise ValueError(f"No feature family {some(unknown)}. There are: {some(FAMILIES)}.")
    if cells.images is None or cells.masks is None:
        raise ValueError("Measuring needs images and masks. Segment and crop fields, or add masks with with_masks.")
    prefixes = [objects, *(COMPARTMENT_NAMES.get(n, n.capitalize()) for n in cells.compartments)]
    if len(set(prefixes)) < len(prefixes):
        raise ValueError(
            f"Two parts of the cell would have features of one name: {some(prefixes)}. Rename a compartment, or name "
            "what the masks hold with objects=…"
        )
    parts = [_measure_batch(batch, cells.channels, families, objects) for batch in cells.batches(batch_size)]
    table = pd.concat(parts) if parts else pd.DataFrame(index=cells.ids)
    own = [c for c in table.columns if c.startswith(f"{objects}_") and not c.endswith("_Area")]
    empty = list(table.index[table[own].isna().all(axis=1)])
    step = {"step": "measure", "families": list(families), "n_features": table.shape[1]}
    if empty:
        step["note"] = f"{count(len(empty), 'cell')} with an empty mask: {some(empty)}"
    table.attrs["history"] = [step]
    return table


def _measure_batch(batch: Batch, channels: Sequence[str], families: Sequence[str], objects: str) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for part, mask in _parts(batch, objects):
        if "shape" in families:
            columns.update({f"{part}_AreaShape_{k}": v for k, v in shape(mask).items()})
        if "intensity" in families:
            for channel, found in zip(channels, intensity(batch.images, mask), strict=True):
                columns.update({f"{part}_Intensity_{k}_{channel}": v for k, v in found.items()})
    return pd.DataFrame(columns, index=batch.ids)


def _parts(batch: Batch, objects: str) -> Iterator[tuple[str, np.ndarray]]:
    if batch.masks is not None:
        yield objects, batch.masks == 1
    for name, mask in batch.compartments.items():
        yield COMPARTMENT_NAMES.get(name, name.capitalize()), mask == 1
