"""Quality of whole fields: the same questions as of cells, asked of the picture as a whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from tqdm.auto import tqdm

from mlscope_nb.curate.exposure import CEILINGS, PLATEAU, raised
from mlscope_nb.curate.focus import bands, fine_share, noise_gains, pooled_focus
from mlscope_nb.curate.thresholds import plates_of
from mlscope_nb.fields import Fields

Floats = NDArray[np.floating]
TILE = 32
HALO_PX = 5
SMALLEST = 16


def score_fields(fields: Fields, *, progress: bool = True) -> pd.DataFrame:
    """Return quality scores of each field, read one at a time; see `score_quality`."""
    small = [f"{i} {s[1:]}" for i, s in zip(fields.ids, fields.images.shapes, strict=True) if min(s[1:]) < SMALLEST]
    if small:
        raise ValueError(
            f"Fields smaller than {SMALLEST} × {SMALLEST} pixels cannot be scored: {', '.join(small[:5])}. "
            "Leave them out: fields.subset(ids)."
        )
    rows = []
    bar = tqdm(range(len(fields)), desc="Scoring fields", delay=2, leave=False, disable=not progress)
    for row in bar:
        image = np.asarray(fields.images[row])
        if not np.isfinite(image).all():
            raise ValueError(
                f"Field '{fields.ids[row]}' has NaN or infinite pixels. Use numpy.nan_to_num or leave it out."
            )
        mask = None if fields.masks is None else np.asarray(fields.masks[row])
        rows.append(_one(image, mask))
    return _combined(pd.DataFrame(rows, index=fields.ids), fields)


def _one(image: NDArray[np.generic], mask: NDArray[np.integer] | None) -> dict[str, float]:
    pixels = image.astype(np.float32)
    # where masks say which pixels are cells, debris is looked for elsewhere
    free = None if mask is None else ndimage.distance_transform_cdt(mask == 0, "chessboard") > HALO_PX
    found = [_channel(plane, raw, free) for plane, raw in zip(pixels, image, strict=True)]
    out = {f"{name}_{c}": value for c, one in enumerate(found) for name, value in one.items()}
    if mask is not None:
        numbers = np.unique(mask)
        out["objects"] = float((numbers > 0).sum())
    return out


def _channel(plane: Floats, raw: NDArray[np.generic], free: NDArray[np.bool_] | None) -> dict[str, float]:
    seen = bands(plane)
    fine, noise = _tiles(seen.fine, TILE), _tiles(seen.noise, TILE)
    coarse = _tiles(seen.coarse, TILE // 2)
    level, spread = _background(plane)
    local = _tiles(plane, TILE)
    # objects may be dark, as in bright field
    signal = float(np.abs(np.quantile(_tiles(plane, 4), [0.001, 0.999]) - level).max())
    sd = max(float(np.sqrt(np.median(noise))), spread, 1 / np.sqrt(12))
    top = float(raw.max())
    return {
        "focus": tile_focus(fine, coarse, noise),
        "at_end": _at_end(raw, top),
        "signal": signal,
        "snr": signal / sd,
        "level": level,
        "rise": _rise(local) / sd,
        "spot": _spot(plane, free) - level,
        "usual_spot": float(np.quantile(_tiles(plane, 2), 0.995) - level),
    }


def tile_focus(fine: Floats, coarse: Floats, noise: Floats) -> float:
    """Return the focus of one picture from gradient energies of its tiles (same shape); NaN where nothing is seen.

    Each tile with structure counts by the square root of its energy, that is by its contrast: bright dirt and the
    brightest cell say no more than others, and empty places say nothing, however many there are.
    """
    gain_fine, gain_coarse = noise_gains()
    _, significance = fine_share(fine, coarse, noise, np.asarray(TILE * TILE))
    use = significance > 8
    if not use.any():
        whole, _ = fine_share(fine.mean(), coarse.mean(), noise.mean(), np.asarray(fine.size * TILE * TILE))
        return float(whole)
    signal = (fine - gain_fine * noise)[use]
    weight = 1 / np.sqrt(signal)
    smooth = (coarse - gain_coarse * noise)[use]
    return float(np.clip(1 - (weight * smooth).sum() / (weight * signal).sum(), 0, 1))


def _combined(raw: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    channels = range(len(fields.channels))

    def of(name: str) -> Floats:
        return raw[[f"{name}_{c}" for c in channels]].to_numpy(float)

    plates = plates_of(fields)
    focus = of("focus")
    signal = of("snr").max(1)
    out = pd.DataFrame({"focus": pooled_focus(focus)}, index=raw.index)
    out["saturation"] = of("at_end").max(1)
    out["signal_to_noise"] = signal
    out["background"] = raised(of("level"), of("signal"), pd.factorize(plates)[0])
    out["background_gradient"] = of("rise").max(1)
    out["empty"] = 1 / (1 + signal)
    out["debris"] = _odd_spots(of("spot"), of("usual_spot"))
    if "objects" in raw:
        out["objects"] = raw["objects"]
    if len(fields.channels) > 1:
        for c, name in enumerate(fields.channels):
            out[f"focus_{name}"] = focus[:, c]
    return out


def _odd_spots(spot: Floats, usual: Floats) -> Floats:
    """Return how far the brightest place exceeds the bright places of its field, unless all channels see it."""
    ratio = np.log2(np.maximum(spot, 1e-9) / np.maximum(usual, 1e-9))
    ratio = np.where((spot > 0) & (usual > 0), ratio, 0.0)
    out: Floats = ratio.max(1) - (ratio.min(1) if ratio.shape[1] > 1 else 0.0)
    return np.maximum(out, 0)


def _spot(plane: Floats, free: NDArray[np.bool_] | None) -> float:
    smooth = ndimage.uniform_filter(plane, 3, mode="nearest")
    # light of cells beyond the field falls on its border
    inside = smooth[2:-2, 2:-2] if free is None else smooth[2:-2, 2:-2][free[2:-2, 2:-2]]
    return float(inside.max()) if inside.size else float(plane.min())


def _background(plane: Floats) -> tuple[float, float]:
    """Return the commonest grey value (middle of the shortest quarter) and the spread below it."""
    step = max(1, int(np.sqrt(plane.size / 60_000)))
    values = np.sort(plane[::step, ::step], axis=None)
    quarter = max(len(values) // 4, 1)
    spans = values[quarter:] - values[:-quarter]
    start = int(np.argmin(spans)) if len(spans) else 0
    return float(values[min(start + quarter // 2, len(values) - 1)]), float(spans[start]) / 0.637 if len(spans) else 0.0


def _rise(local: Floats) -> float:
    """Return the difference between the darkest and the brightest quarter of the field's background, tile by tile."""
    floor = ndimage.minimum_filter(local, 3, mode="nearest")
    return float(np.quantile(floor, 0.9) - np.quantile(floor, 0.1))


def _at_end(raw: NDArray[np.generic], top: float) -> float:
    """Return the share of pixels at the end of the scale; without any, less than one pixel's share."""
    share = float((raw == top).mean())
    highest = float(np.iinfo(raw.dtype.name).max) if raw.dtype.kind in "ui" else top
    if top > raw.min() and (top in CEILINGS or top == highest) and share * raw.size >= PLATEAU:
        return share
    end = next((c for c in (*CEILINGS, highest) if c > top), highest)
    return 0.99 * max(top, 0.0) / max(end, 1e-9) / raw.size


def _tiles(plane: Floats, size: int) -> Floats:
    """Return means over square tiles; what does not fill a tile at the end is left out."""
    size = min(size, *plane.shape)
    height, width = (s // size for s in plane.shape)
    cut = plane[: height * size, : width * size]
    out: Floats = cut.reshape(height, size, width, size).mean((1, 3))
    return out
