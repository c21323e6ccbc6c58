"""Quality: scores for what can go wrong with the picture of one cell or one field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mlscope_nb._align import step
from mlscope_nb.cells import Batch, Cells
from mlscope_nb.curate.debris import brightest, oddness
from mlscope_nb.curate.exposure import gradient, light, peaks, raised, ratio, saturation
from mlscope_nb.curate.field_quality import score_fields
from mlscope_nb.curate.focus import Bands, bands, fine_share, pooled_focus
from mlscope_nb.curate.illumination import lit
from mlscope_nb.curate.outlines import area, cut_share, pinch
from mlscope_nb.curate.pictures import Pictures, grown, mean_over, pictures
from mlscope_nb.curate.thresholds import controls_or_all, evidence, limits, plates_of
from mlscope_nb.fields import Fields

Floats = NDArray[np.floating]
SMALLEST = 8
# Edges reach beyond a mask by the width of the blur.
_EDGE_PX = 4
# What lies around a cell counts a little, so that a cell without structure takes the focus of its neighbourhood.
_AROUND = 0.05
# Cells of one type differ in area by half a doubling and more; two in one mask by a whole one.
_USUAL_SIZES = 0.5


def score_quality(data: Cells | Fields, *, batch_size: int = 64, progress: bool = True) -> pd.DataFrame:
    """Score each cell, or each field, for what can be wrong with its picture.

    Parameters
    ----------
    data : Cells or Fields
        Cells with images (N, C, Y, X), of 8 × 8 pixels or more, any number of channels; masks are used where there are
        any, and otherwise the object in the middle is guessed from the image. Or whole fields.
    batch_size : int
        Cells in memory at a time; the scores do not depend on it.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame
        One row per cell (or field), numbers only.

        - ``focus``: share of the edges' energy in fine detail, 0 (blurred) to 1, mean of the channels; and one
          ``focus_<channel>`` each. Gain and offset of the camera and its noise do not change it. Where nothing can be
          seen it is NaN in the channel, and ``focus`` takes the median of all.
        - ``saturation``: share of pixels at the end of the scale, in the worst channel.
        - ``signal_to_noise``: of the best channel.
        - ``background``: how much brighter than the median of its plate, in units of the light of the plate's median
          cell (mean of the channels, 0 is usual).
        - ``background_gradient``: rise of the background across the picture, in units of its noise.
        - ``empty``: ``1 / (1 + signal_to_noise)``: 1 where nothing rises above the background.
        - ``cut``: how much of the object lies along the edge of the picture, in diameters; 1 where ``at_edge``.
        - ``touching``: how far the object is pinched in two, plus half the doublings of area beyond a half.
        - ``debris``: brightness where cells of its plate have none, unless all channels see it, in doublings.
        - ``illumination``: how brightly its place in the field is lit (1: as the middle of the plate's range), NaN
          without places.
        - ``size``: doublings of its area against the median of its plate.
        - ``any_fault``: the score that is nearest to its default threshold (`flag_quality`), 1 and more is flagged.

        For fields without ``cut``, ``size`` and ``illumination``; ``objects`` is their number where there are masks.

    Raises
    ------
    ValueError, TypeError
        There are no images, they are smaller than 8 × 8 pixels or hold NaN, or something else was given.

    Notes
    -----
    Scores of saturation, background, size, touching, debris and the combined one look at the other cells of the plate
    (the declared ``batch``; all cells where none is declared), so score a plate as a whole.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> cells, truth = ms.datasets.simulate(1, 2, 10, seed=1)
    >>> scores = score_quality(cells)
    >>> len(scores), bool(scores["focus"].between(0, 1).all())
    (20, True)
    """
    if isinstance(data, Fields):
        scores = score_fields(data, progress=progress)
        groups = plates_of(data)
        reference = pd.Series(True, index=scores.index)
    elif isinstance(data, Cells):
        _refuse(data)
        scores = _score_cells(data, batch_size, progress)
        groups = plates_of(data)
        reference = controls_or_all(data)
    else:
        raise TypeError(f"score_quality got {type(data).__name__}, expected Cells or Fields.")
    found = limits(scores, groups, reference)
    scores["any_fault"] = evidence(scores, groups, found).max(axis=1) if len(scores) else np.zeros(0)
    scores.attrs["history"] = [step("score_quality", masks=getattr(data, "masks", None) is not None)]
    return scores


def _refuse(cells: Cells) -> None:
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to score their quality.")
    shape = cells.images.shape
    if min(shape[2:]) < SMALLEST:
        raise ValueError(f"Crops of {shape[2]} × {shape[3]} pixels, expected at least {SMALLEST} × {SMALLEST}.")
    if shape[1] == 0:
        raise ValueError("Images without channels, expected at least one.")


def _score_cells(cells: Cells, batch_size: int, progress: bool) -> pd.DataFrame:
    total = -(-len(cells) // batch_size)
    batches = tqdm(
        cells.batches(batch_size), total=total, desc="Scoring quality", delay=2, leave=False, disable=not progress
    )
    rows = [_measured(batch, cells.channels) for batch in batches]
    raw = pd.concat(rows) if rows else _measured_none(cells)
    plates = pd.factorize(plates_of(cells))[0]
    return _combined(raw, cells, plates)


def _measured_none(cells: Cells) -> pd.DataFrame:
    shape = cells.images.shape
    empty = Batch(cells.ids, np.zeros((1, *shape[1:]), np.float32), None, {})
    return _measured(empty._replace(ids=pd.Index(["none"], name="cell_id")), cells.channels).iloc[:0]


def _measured(batch: Batch, channels: Sequence[str]) -> pd.DataFrame:
    """Measure a few cells; what needs the other cells of the plate comes later."""
    seen = pictures(batch)
    bands_ = bands(seen.images)
    lights = light(seen, bands_)
    share, _ = _focus(seen, bands_)
    per_channel: dict[str, Floats] = {
        "focus": share,
        "snr": ratio(lights["signals"], lights["noises"]),
        "signal": lights["signals"],
        "level": seen.level,
        "rise": gradient(seen) / np.maximum(lights["noises"], 1 / np.sqrt(12)),
        **peaks(seen),
        **brightest(seen),
    }
    columns = {f"{k}_{c}": v[:, i] for k, v in per_channel.items() for i, c in enumerate(channels)}
    columns |= {
        "cut": cut_share(seen.own, seen.real, border=seen.has_masks),
        "pinch": pinch(seen.own),
        "area": area(seen.own),
    }
    return pd.DataFrame(columns, index=batch.ids)


def _focus(seen: Pictures, found: Bands) -> tuple[Floats, Floats]:
    near = grown(seen.own, _EDGE_PX) & seen.real
    weight = np.where(near, 1.0, np.where(seen.real, _AROUND, 0.0)).astype(np.float32)
    height, width = found.coarse.shape[-2:]
    half = weight[:, : 2 * height : 2, : 2 * width : 2]
    pixels = (weight.sum((1, 2)) ** 2 / np.maximum((weight**2).sum((1, 2)), 1e-9))[:, None]
    return fine_share(
        mean_over(found.fine, weight), mean_over(found.coarse, half), mean_over(found.noise, weight), pixels
    )


def _combined(raw: pd.DataFrame, cells: Cells, plates: NDArray[np.integer]) -> pd.DataFrame:
    channels = cells.channels

    def of(name: str) -> Floats:
        return raw[[f"{name}_{c}" for c in channels]].to_numpy(float)

    areas = raw["area"].to_numpy(float)
    size = np.log2(np.maximum(areas, 1) / np.maximum(_plate_median(np.where(areas > 0, areas, np.nan), plates), 1))
    signal = of("snr").max(1) if len(raw) else np.zeros(0)
    level = of("level")
    cut = raw["cut"].to_numpy(float)
    if "at_edge" in cells.obs:
        cut = np.maximum(cut, cells.obs["at_edge"].fillna(False).to_numpy(bool))
    out = {
        "focus": pooled_focus(of("focus")),
        "saturation": saturation(raw, channels, np.dtype(cells.images.dtype)) if len(raw) else signal,
        "signal_to_noise": signal,
        "background": raised(level, of("signal"), plates),
        "background_gradient": _largest(of("rise")),
        "empty": 1 / (1 + signal),
        "cut": cut,
        "touching": np.where(areas > 0, raw["pinch"] + np.maximum(size - _USUAL_SIZES, 0) / 2, 0.0),
        "debris": np.log2(1 + oddness(raw, channels, plates)) if len(raw) else signal,
        "illumination": lit(cells.obs, level, plates),
        "size": np.where(areas > 0, size, np.nan),
    }
    out |= {f"focus_{c}": raw[f"focus_{c}"].to_numpy(float) for c in channels} if len(channels) > 1 else {}
    return pd.DataFrame(out, index=cells.ids)


def _plate_median(values: Floats, plates: NDArray[np.integer]) -> Floats:
    out: Floats = pd.Series(values).groupby(plates).transform("median").fillna(0).to_numpy()
    return out


def _largest(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.where(known.any(1), np.where(known, values, -np.inf).max(1, initial=-np.inf), np.nan)
