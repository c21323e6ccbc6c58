"""Grades of maps: are they right about the cue, where the network really uses it, and better than trivial maps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.grade_words import note, verdict
from mlscope_nb.explain.hits import Bools, Sign, hits, strengths
from mlscope_nb.explain.infill import deletion
from mlscope_nb.explain.pointed import Asked, blank, brightest, smoothed
from mlscope_nb.explain.trivial import SMOOTHED_PX, TRIVIAL, Floats, trivial_maps
from mlscope_nb.predict.network import Network
from mlscope_nb.study.bootstrap import bootstrap_interval
from mlscope_nb.study.intervals import Interval

Units = Cells | pd.Series | NDArray[Any] | None
OF_ANY_SIGN = ("gradient", "gradients", "smoothgrad")
NAMELESS = (
    " Only what speaks for the class was counted, for these maps have no name. If they are gradients, whose sign means "
    "something else, name them, {'gradient': maps}, or say sign='absolute'."
)
GRADES = ("pointing", "pointing_unsmoothed", "mass", "top", "forgotten")
BOUNDS = {**dict.fromkeys(GRADES, (0.0, 1.0)), **dict.fromkeys(("above_trivial", "learned"), (-1.0, 1.0))}


def grade(
    maps: NDArray[Any] | Mapping[str, NDArray[Any]],
    evidence: NDArray[Any],
    images: Cells | NDArray[Any],
    *,
    effect: pd.Series | pd.DataFrame | NDArray[Any] | None = None,
    least_effect: float = 1.0,
    units: Units = None,
    within: NDArray[Any] | None = None,
    sign: Sign | Literal["auto"] = "auto",
    smooth_px: float = SMOOTHED_PX,
    forgotten: Mapping[str, NDArray[Any]] | None = None,
    network: Network | None = None,
    target: Any = None,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how right maps are about the pixels that carry the cue, beside maps that know no network.

    A map can only be wrong about a cue that the network uses. With `effect` (from `causal_effect`) those cells are
    graded whose logit falls by at least `least_effect` when the cue is rendered away; how many is part of the result.

    Parameters
    ----------
    maps : dict of arrays (N, Y, X) by name, or one array
        From `attribute`, for the class whose `effect` is given: ``target=effect["class"]``. Name them by their method,
        ``{"gradient": maps}``: an array alone does not tell what its sign means (see `sign`), and the note says so.
    evidence : bool array (N, Y, X)
        Pixels that carry the cue: ``truth.cues``, or ``truth.cue_reach(cells.ids)`` as wide as the microscope makes it.
    images : Cells or array (N, C, Y, X)
        The crops, for trivial maps: brightness, edges, nearness to the middle. Cells bring units and masks along.
    effect : Series, DataFrame or array (N,), optional
        What `causal_effect` returned. None: all cells with evidence are graded, used by the network or not.
    least_effect : float
        In logits.
    units : Cells, Series or array (N,), optional
        The unit of each cell, for intervals. Default: the declared unit, where `images` is `Cells`.
    within : bool array (N, Y, X), optional
        Where maps may point, and of which area the evidence is a share. Default: the cell's mask and its evidence,
        where there are masks; otherwise the whole crop.
    sign : {"auto", "positive", "absolute"}
        What of a map counts: pixels that speak for the class, or any. "auto": any for maps named "gradient" or
        "smoothgrad", in any spelling (the sign of a gradient says whether light would help, not whether it did), and
        what speaks for the class otherwise. The column `sign` says which it was.
    smooth_px : float
        How far maps are smoothed (deviation) before their strongest pixel is looked for: as far as trivial maps always
        are, which is about what a microscope resolves. Gradients through strides are grainy from pixel to pixel, and
        patches are alike over several pixels. 0: as they are, which `pointing_unsmoothed` says in any case.
    forgotten : dict of arrays (N, Y, X) or (K, N, Y, X), optional
        By the names of `maps`: maps by the same method of a network, or of K networks, that have forgotten
        (`mix_weights`). How often these point right is no merit of learning.
    network : Network, optional
        With it and with `Cells`: deletion and insertion, with pixels filled in from their neighbours.
    target : optional
        The class in question for these, as in `attribute`. Default: ``effect["class"]``, where `effect` is a table.
    level : float
        Confidence level.
    seed : int
        Of bootstrap and infill.

    Returns
    -------
    DataFrame
        One row per map, trivial ones last: `kind`; `sign`; `pointing`, `mass` and `top` (see `hits`), each with `_low`
        and `_high` over units; `pointing_unsmoothed`; `chance` (the evidence's share of the area); `above_trivial` with
        `_low` and `_high` (pointing minus that of the best trivial map, of the same cells); `rank` among the trivial
        ones (1: points better than all of them); where asked for, `forgotten` (pointing of these) and `learned`
        (pointing minus that of the forgotten, of the same cells) with `_low` and `_high`, and `deletion`, `insertion`
        (in logits); `n_cells`, `n_units`, `graded` (the fraction of the cells with evidence), `verdict`.
        ``.attrs["note"]`` says it in words, ``.attrs["brightest"]`` how often the brightest place of each channel alone
        is right: whoever knows the channel needs no network then.

    Raises
    ------
    ValueError
        Shapes do not fit, or no cell can be graded.

    References
    ----------
    Hedström et al. 2023, arXiv 2202.06861 (Quantus); sources of the grades are with `hits` and `infilled`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> evidence = np.zeros((12, 8, 8), bool); evidence[:, 2:4, 2:4] = True
    >>> images, wells = rng.random((12, 1, 8, 8)), np.repeat(list("ABCDEF"), 2)
    >>> table = grade({"perfect": evidence * 1.0}, evidence, images, units=wells)
    >>> table["pointing"].round(2).to_dict()["perfect"], int(table["n_units"].iloc[0])
    (1.0, 6)
    """
    named = _named(maps)
    given, where, keys = _checked(named, evidence, images, units, within)
    falls, classes = _effects(effect, len(given), images)
    forgetful = blank(forgotten or {}, named)
    carries: Bools = np.asarray((given & where).any(axis=(1, 2)))
    used: Bools = carries if falls is None else carries & (falls >= least_effect)
    _refuse_none(used, carries, falls, least_effect)
    rows = np.flatnonzero(used)
    pixels = _pixels(images, rows)
    asked_of = Asked(given[rows], where[rows])
    strong = {name: strengths(m[rows], _sign(sign, name), asked_of.where) for name, m in named.items()}
    strong |= {name: strengths(m, "positive", asked_of.where) for name, m in trivial_maps(pixels).items()}
    tables = {name: hits(one, *asked_of) for name, one in strong.items()}
    for name, m in named.items():
        without = [other[rows] for other in forgetful.get(name, ())]
        tables[name] = smoothed(tables[name], m[rows], without, _sign(sign, name), smooth_px, asked_of)
    if network is not None:
        ids, asked = _ids(images, rows), classes if target is None else target
        for name, table in tables.items():
            table[["deletion", "insertion"]] = deletion(
                network, _cells(images), strong[name], ids, asked, seed
            ).to_numpy()
    chosen = None if keys is None else keys[rows]
    result = _compared(tables, chosen, level, seed).assign(n_cells=len(rows), graded=len(rows) / max(carries.sum(), 1))
    bright = brightest(pixels, images, asked_of, chosen)
    signs = {name: _sign(sign, name) for name in named}
    result.insert(1, "sign", [signs.get(str(name), "positive") for name in result.index])
    result["verdict"] = [verdict(result, name, bright) for name in result.index]
    result.attrs["note"] = note(
        result, bright, least_effect if falls is not None else None, int(carries.sum()), units=keys is not None
    )
    if sign == "auto" and not isinstance(maps, Mapping):
        result.attrs["note"] += NAMELESS
    result.attrs["brightest"] = bright
    result.attrs["history"] = [_align.step("grade", least_effect=least_effect, n_cells=len(rows), sign=sign, seed=seed)]
    return result


def _named(maps: NDArray[Any] | Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    named = {str(k): np.asarray(v) for k, v in maps.items()} if isinstance(maps, Mapping) else {"map": np.asarray(maps)}
    taken = sorted(set(named) & set(TRIVIAL))
    if taken or not named:
        raise ValueError(f"maps are named {some(named)}, expected at least one, and none called {some(TRIVIAL)}.")
    return named


def _checked(
    named: Mapping[str, NDArray[Any]], evidence: NDArray[Any], images: Cells | NDArray[Any], units: Units, within: Any
) -> tuple[Bools, Bools, NDArray[Any] | None]:
    """Return evidence and region (N, Y, X), and the unit of each cell where units are known."""
    given = np.asarray(evidence).astype(bool)
    pictures = images.images if isinstance(images, Cells) else np.asarray(images)
    if pictures is None or pictures.ndim != 4 or given.shape != (pictures.shape[0], *pictures.shape[2:]):
        raise ValueError(
            f"evidence has the shape {given.shape} and images {getattr(pictures, 'shape', None)}, expected (N, Y, X) "
            "and (N, C, Y, X) of the same cells."
        )
    for name, values in named.items():
        if values.shape != given.shape:
            raise ValueError(f"The map '{name}' has the shape {values.shape}, expected {given.shape}.")
        gaps = ~np.isfinite(values).all(axis=(1, 2))
        if gaps.any():
            raise ValueError(
                f"The map '{name}' holds NaN or inf in {count(int(gaps.sum()), 'cell')}, the first in row "
                f"{int(gaps.argmax())}. Expected finite numbers: leave these cells out of maps, evidence and images."
            )
    where = np.ones(given.shape, bool) if within is None else np.asarray(within).astype(bool)
    if within is None and isinstance(images, Cells) and images.masks is not None:
        where = np.concatenate([b.masks == 1 for b in images.batches(500) if b.masks is not None]) | given
    if where.shape != given.shape:
        raise ValueError(f"within has the shape {where.shape}, expected {given.shape}.")
    return given, where, _keys(images, units, len(given))


def _keys(images: Cells | NDArray[Any], units: Units, n: int) -> NDArray[Any] | None:
    source = images if units is None and isinstance(images, Cells) and images.design.unit else units
    if source is None:
        return None
    keys = source.units.to_numpy() if isinstance(source, Cells) else source
    if isinstance(keys, pd.Series):
        keys = keys.loc[images.ids].to_numpy() if isinstance(images, Cells) else keys.to_numpy()
    if len(keys) != n:
        raise ValueError(f"{len(keys):,} units for {n:,} cells, expected one for each.")
    return np.asarray(keys)


def _effects(
    effect: pd.Series | pd.DataFrame | NDArray[Any] | None, n: int, images: Cells | NDArray[Any]
) -> tuple[Floats | None, pd.Series | None]:
    if effect is None:
        return None, None
    if isinstance(effect, pd.DataFrame | pd.Series) and isinstance(images, Cells):
        lacking = images.ids.difference(effect.index, sort=False)
        if len(lacking):
            raise ValueError(f"effect says nothing about {count(len(lacking), 'cell')}: {some(lacking)}.")
        effect = effect.loc[images.ids]
    classes = effect["class"] if isinstance(effect, pd.DataFrame) and "class" in effect else None
    values = effect["effect"] if isinstance(effect, pd.DataFrame) else effect
    if len(values) != n:
        raise ValueError(f"{len(values):,} effects for {n:,} cells, expected one for each.")
    return np.asarray(values, dtype=np.float64), classes


def _refuse_none(used: Bools, carries: Bools, falls: Floats | None, least: float) -> None:
    if used.any():
        return
    if falls is None or not carries.any():
        raise ValueError("No cell has evidence where maps may point: there is nothing to grade.")
    unit = "logit" if least == 1 else "logits"
    raise ValueError(
        f"Of {count(int(carries.sum()), 'cell')} with evidence none loses {least:g} {unit} without its cue (most: "
        f"{float(falls[carries].max()):.2f}). The network does not use this cue: no map can be right or wrong about it."
    )


def _sign(sign: str, name: str) -> Sign:
    if sign == "auto":
        return "absolute" if re.sub(r"[\W_]", "", name).lower() in OF_ANY_SIGN else "positive"
    if sign not in ("positive", "absolute"):
        raise ValueError(f"sign is {sign!r}, expected 'auto', 'positive' or 'absolute'.")
    return "absolute" if sign == "absolute" else "positive"


def _pixels(images: Cells | NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    if not isinstance(images, Cells):
        return np.asarray(images)[rows]
    return np.concatenate([batch.images for batch in images.subset(images.ids[rows]).batches(500)])


def _cells(images: Cells | NDArray[Any]) -> Cells:
    if not isinstance(images, Cells):
        raise ValueError("Deletion needs the cells that the network reads: give Cells instead of an array of images.")
    return images


def _ids(images: Cells | NDArray[Any], rows: NDArray[np.intp]) -> pd.Index:
    return _cells(images).ids[rows]


def _compared(tables: Mapping[str, pd.DataFrame], keys: NDArray[Any] | None, level: float, seed: int) -> pd.DataFrame:
    """Return one row per map, with intervals over units and the paired difference to the best trivial map."""
    means = {name: _interval(table["pointing"], keys, level, seed).estimate for name, table in tables.items()}
    best = max(TRIVIAL, key=lambda name: means[name])
    rows = {}
    for name, table in tables.items():
        row: dict[str, Any] = {"kind": "trivial" if name in TRIVIAL else "method"}
        differences = {"above_trivial": table["pointing"] - tables[best]["pointing"]}
        values = {str(k): table[k] for k in table.columns if k != "chance"} | differences
        for what, numbers in values.items():
            found = _interval(numbers, keys, level, seed, BOUNDS.get(what))
            row |= {what: found.estimate, f"{what}_low": found.low, f"{what}_high": found.high}
        rank = 1 + sum(means[t] >= means[name] for t in TRIVIAL if t != name)
        chance = _interval(table["chance"], keys, level, seed)
        rows[name] = {**row, "rank": rank, "chance": chance.estimate, "best_trivial": best, "n_units": chance.n_units}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("map")


def _interval(
    values: pd.Series,
    keys: NDArray[Any] | None,
    level: float,
    seed: int,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """Return the mean over units; without units the mean over cells and no interval, for cells are not independent.

    Student's t for as many units with the bootstrap's error: unit means of hits and misses lie in heaps, and draws that
    are all of one heap would stretch a studentized interval beyond reason.
    """
    if keys is None:
        return Interval(float(values.mean()), np.nan, np.nan, level, 0, "mean", "none", note="no units were given")
    return bootstrap_interval(values.to_numpy(), keys, method="t", level=level, bounds=bounds, seed=seed)
