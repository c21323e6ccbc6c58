"""Measure cells: the classical features of each cell and each of its parts, a few hundred cells at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Batch, Cells
from mlscope_nb.features import neighbours
from mlscope_nb.features.columns import Family, Options, measure_region
from mlscope_nb.features.granularity import Openings
from mlscope_nb.features.levels import full_scale_of
from mlscope_nb.features.regions import Regions
from mlscope_nb.features.workers import in_order

COMPARTMENT_NAMES = {"nucleus": "Nuclei", "cytoplasm": "Cytoplasm", "cell": "Cells"}
FAMILIES: tuple[Family, ...] = get_args(Family)
DEFAULT: tuple[Family, ...] = ("shape", "intensity")


def families() -> tuple[str, ...]:
    """Return the names of the feature families.

    Examples
    --------
    >>> families()[:4]
    ('shape', 'moments', 'zernike', 'intensity')
    """
    return FAMILIES


def measure(
    cells: Cells,
    families: Sequence[Family] | Literal["all"] | None = None,
    *,
    objects: str = "Cells",
    texture_scales: Sequence[int] = (3,),
    full_scale: float | None = None,
    near_px: float = 50.0,
    device: Literal["auto", "cpu"] = "auto",
    batch_size: int = 250,
    workers: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure every cell, and every part of it that has a mask.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X) and masks (N, Y, X); only pixels with mask 1 count.
    families : sequence of str, "all" or None
        None is ("shape", "intensity"), which is quick. "all" adds moments, zernike, texture, granularity, radial,
        radial_zernike, correlation, neighbours (where ``obs`` has field_id, y_px, x_px) and location.
        Areas and lengths are in pixels, brightness in the grey levels of the images.
    objects : str
        What the masks hold, as the first word of the names ("Cells" or "Nuclei").
    texture_scales : sequence of int
        Distances in pixels between the two pixels of a pair, for "texture".
    full_scale : float, optional
        The grey value that becomes the highest of the 256 levels of "texture". Default: what the type of the images can
        hold (255, 65,535), 1 for fractions. For a 12-bit camera: 4095.
    near_px : float
        Within what distance other cells are counted, for "neighbours".
    device : "auto" or "cpu"
        Where to compute. There is no version for a graphics card yet, so both mean the processor.
    batch_size, workers : int
        Cells in memory at a time, and threads; the result depends on neither. Default: as many threads as cores, at
        most 4.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame (N, P)
        One column per feature, named as in CellProfiler (``Nuclei_Intensity_MeanIntensity_DNA``), NaN where it is not
        defined. ``attrs["history"]`` says what was done; ``attrs["problems"]`` lists cells with an empty mask, a mask
        of one pixel, or saturated pixels in the mask. `describe` says what a name means.

    Raises
    ------
    ValueError
        The cells have no images or no masks, there is no such family, or a family needs something that is missing.

    References
    ----------
    CellProfiler 4 (Stirling et al. 2021, 10.1186/s12859-021-04344-9), in the definitions of cp_measure; lengths as in
    scikit-image's ``regionprops``. ``studies/feature_agreement.py`` lists how far each column agrees.

    Examples
    --------
    >>> disc = (np.hypot(*np.mgrid[-8:8, -8:8]) < 6).astype("uint8")[None]
    >>> one = Cells(pd.DataFrame(index=["a"]), disc[:, None] * 100, masks=disc, channels=["DNA"])
    >>> float(measure(one).loc["a", "Cells_Intensity_MeanIntensity_DNA"])
    100.0
    """
    if device not in ("auto", "cpu"):
        raise ValueError(f"device is '{device}', but classical features run on the processor only: 'auto' or 'cpu'.")
    wanted = _wanted(cells, families)
    _check(cells, objects)
    scale = full_scale_of(cells.images, full_scale) if "texture" in wanted else 1.0
    options = Options(wanted, tuple(cells.channels), tuple(texture_scales), scale)
    found = list(
        in_order(
            lambda batch: _measure_batch(batch, options, objects),
            cells.batches(batch_size),
            workers=workers,
            total=-(-len(cells) // batch_size),
            progress="Measuring" if progress else None,
        )
    )
    table = pd.concat([part for part, _ in found]) if found else pd.DataFrame(index=cells.ids)
    problems = _problems([names for _, names in found])
    if "neighbours" in wanted:
        table = neighbours.completed(table, cells, objects, near_px)
    table.attrs["problems"] = problems
    table.attrs["history"] = [_step(table, wanted, problems, options)]
    return table


def _wanted(cells: Cells, families: Sequence[Family] | Literal["all"] | None) -> tuple[Family, ...]:
    """Return the families to measure, in their order."""
    if families is None:
        return DEFAULT
    if isinstance(families, str):
        if families != "all":
            raise ValueError(f"families is '{families}'. Give a list, such as ['{families}'], or 'all', or None.")
        return tuple(f for f in FAMILIES if f != "neighbours" or neighbours.known(cells))
    unknown = [f for f in families if f not in FAMILIES]
    if unknown:
        raise ValueError(f"No feature family {some(unknown)}. There are: {some(FAMILIES, 20)}.")
    if "neighbours" in families:
        neighbours.require(cells)
    return tuple(f for f in FAMILIES if f in families)


def _check(cells: Cells, objects: str) -> None:
    if cells.images is None or (cells.masks is None and not cells.compartments):
        raise ValueError(
            "Measuring needs images and masks, which say which pixels belong to the cell. Segment and crop fields, or "
            "let the crops be guessed: cells.with_masks(ms.features.foreground(cells))."
        )
    prefixes = [objects, *(COMPARTMENT_NAMES.get(n, n.capitalize()) for n in cells.compartments)]
    if len(set(prefixes)) < len(prefixes):
        raise ValueError(
            f"Two parts of the cell would have features of one name: {some(prefixes)}. Rename a compartment, or name "
            "what the masks hold with objects=…"
        )


def _measure_batch(batch: Batch, options: Options, objects: str) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    columns: dict[str, np.ndarray] = {}
    names: dict[str, list[str]] = {}
    openings = Openings(batch.images)
    for k, (part, mask) in enumerate(_parts(batch, objects)):
        regions = Regions(mask)
        for name, values in measure_region(openings, regions, options):
            columns[f"{part}_{name}"] = values
        if k == 0:
            names = _odd(batch, regions)
            if "neighbours" in options.families and batch.masks is not None:
                columns |= {f"{objects}_{k}": v for k, v in neighbours.touching(batch.masks, regions).items()}
    return pd.DataFrame(columns, index=batch.ids), names


def _parts(batch: Batch, objects: str) -> Iterator[tuple[str, np.ndarray]]:
    if batch.masks is not None:
        yield objects, batch.masks == 1
    for name, mask in batch.compartments.items():
        yield COMPARTMENT_NAMES.get(name, name.capitalize()), mask == 1


def _odd(batch: Batch, regions: Regions) -> dict[str, list[str]]:
    """Name the cells whose numbers need care."""
    images = batch.images
    saturated = np.zeros(len(regions), bool)
    if images.dtype.kind == "u":
        at_limit = (images == np.iinfo(images.dtype).max).any(1) & regions.mask
        saturated = at_limit.any((1, 2))
    found = {"empty": regions.size == 0, "one pixel": regions.size == 1, "saturated": saturated}
    return {what: [str(i) for i in batch.ids[rows]] for what, rows in found.items()}


def _problems(found: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    kinds = dict.fromkeys(kind for names in found for kind in names)
    merged = {kind: [i for names in found for i in names.get(kind, [])] for kind in kinds}
    return {kind: ids for kind, ids in merged.items() if ids}


def _step(
    table: pd.DataFrame, wanted: tuple[Family, ...], problems: dict[str, list[str]], options: Options
) -> dict[str, object]:
    step: dict[str, object] = {"step": "measure", "families": list(wanted), "n_features": table.shape[1]}
    if "texture" in wanted:
        step |= {"full_scale": options.full_scale, "texture_scales": list(options.texture_scales)}
    words = {"empty": "an empty mask", "one pixel": "a mask of one pixel", "saturated": "saturated pixels"}
    notes = [f"{count(len(ids), 'cell')} with {words[kind]}: {some(ids)}" for kind, ids in problems.items()]
    if notes:
        step["note"] = "; ".join(notes)
    return step
