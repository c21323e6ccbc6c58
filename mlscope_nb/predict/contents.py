"""Content: how rich the data are, how far classes lie apart, and which channel and which scale tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb.cells import Cells
from mlscope_nb.predict.ablation import SHAPE, by_channel, measured_blurred, same_per_unit
from mlscope_nb.predict.components import Components
from mlscope_nb.predict.curves import whole_batches
from mlscope_nb.predict.dimension import MOST_POINTS, dimension_interval, linear_dimension
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.validation import cross_validate
from mlscope_nb.study._result import number
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.units import noun

DIMENSION, SEPARABILITY, CHANNEL, SCALE = "dimension", "separability", "channel", "scale"
SCORE = "balanced accuracy"
NEIGHBOURS = (2, 20)
"""TwoNN looks at the finest scale, where noise of measuring has all dimensions; 20 neighbours look past some of it."""


def content(
    cells: Cells,
    model: ModelName | Any = "logistic",
    by: Columns = None,
    normalize: Normalize = None,
    *,
    blur_px: Sequence[float] | None = (1.0, 2.0, 4.0),
    most_cells: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Say what the data hold: their dimension, how far classes lie apart, and which channel and scale tell them.

    Each channel is taken away and kept alone, by the names of features; a feature of two channels needs both. Where
    there are images and masks, they are blurred more and more and measured again (brightness and texture). Each change
    is paired: the same cells and folds, over whole units or batches.

    Parameters
    ----------
    cells : Cells
        With features, a declared label and unit.
    model, normalize
        As in `cross_validate`.
    by : str or several, optional
        What is held out. Default: whole batches where they hold several classes each, else units.
    blur_px : sequence of float, optional
        Standard deviations of the blur in pixels; None leaves the scale out.
    most_cells : int
        How many cells are blurred and measured again at most, as many of each unit; this bounds the time.
    level : float
        Confidence level.
    seed : int
        Seed.
    progress : bool
        Show bars when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame
        aspect ("dimension", "separability", "channel", "scale"), subject, figure (what the value is), value, low, high
        (over units), change (to all features, or to the sharp image), change_low, change_high, n_features,
        n_units. NaN where something has no meaning or too few units stand behind it.

    Raises
    ------
    ValueError, KeyError, TypeError
        As in `cross_validate`; a blur that is none.

    References
    ----------
    Facco et al. 2017, Sci Rep 7:12140 (TwoNN); Levina & Bickel 2004, NeurIPS (maximum likelihood).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame({"well": [f"w{i // 10}" for i in range(160)]}, index=[f"c{i}" for i in range(160)])
    >>> obs["drug"] = np.where(np.arange(160) // 10 % 2, "x", "y")
    >>> names = ["C_I_Mean_DNA", "C_I_Std_DNA", "C_I_Mean_actin", "C_T"]
    >>> table = pd.DataFrame(rng.normal(size=(160, 4)), obs.index, names)
    >>> table["C_I_Mean_actin"] += (obs["drug"] == "x") * 3
    >>> cells = Cells(obs, features=table, label="drug", unit="well", channels=["DNA", "actin"])
    >>> found = content(cells).set_index("subject")
    >>> bool(found.loc["actin alone", "value"] > 0.85), bool(found.loc["without actin", "change"] < -0.25)
    (True, True)
    """
    check_level(level)
    held = by if by is not None else whole_batches(cells)
    job = _Job(model, held, normalize, level, seed, progress)
    flat = cells.with_images(None)
    whole = job.evaluated(flat)
    channels = _channels(flat, list(cells.channels or ()), whole, job)
    scale, more = _scales(cells, job, blur_px, most_cells)
    found = pd.DataFrame([*_dimensions(flat, level, seed), *_separability(whole), *channels, *scale])
    columns = ["aspect", "subject", "figure", "value", "low", "high", "change", "change_low", "change_high"]
    found = found.reindex(columns=[*columns, "n_features", "n_units"])
    found.attrs["notes"] = [*_said(found, whole), *more, *whole.notes]
    options = {"model": whole.model, "blur_px": list(blur_px or ()), "most_cells": most_cells, "level": level}
    found.attrs["history"] = [*cells.history, _align.step("content", **options, by=whole.by, seed=seed)]
    return found


@dataclass(frozen=True, eq=False)
class _Job:
    """How each set of features is judged: the same folds for all."""

    model: Any
    by: Columns
    normalize: Normalize
    level: float
    seed: int
    progress: bool

    def evaluated(self, cells: Cells) -> Evaluation:
        """Return the held-out score of the features of cells."""
        return cross_validate(
            cells,
            self.model,
            self.by,
            self.normalize,
            baselines=False,
            level=self.level,
            seed=self.seed,
            progress=self.progress,
        )


def _dimensions(cells: Cells, level: float, seed: int) -> list[dict[str, Any]]:
    """Return the intrinsic dimension at two scales, and the linear one."""
    sample = same_per_unit(cells, MOST_POINTS, seed) if cells.design.unit else cells
    values = sample.table().to_numpy(np.float64)
    points = Components(whitening=0.0).fit_transform(values)
    word = noun(cells.design.unit) if cells.design.unit else "cell"
    units = sample.units if cells.design.unit else pd.Series(sample.ids, index=sample.ids)
    rows = []
    for k in NEIGHBOURS:
        if len(np.unique(points, axis=0)) <= k + 1:
            continue
        found = dimension_interval(points, units, k, level=level, word=word)
        ends = {"value": found.estimate, "low": found.low, "high": found.high}
        name = "TwoNN" if k == NEIGHBOURS[0] else f"{k} neighbours"
        rows.append({"subject": name, "figure": "intrinsic dimension", **ends, "n_units": found.n_units})
    linear = linear_dimension(points)
    rows.append({"subject": "linear", "figure": "components that hold 90 % of the variance", "value": linear})
    return [{"aspect": DIMENSION, "n_features": values.shape[1], **row} for row in rows]


def _separability(whole: Evaluation) -> list[dict[str, Any]]:
    """Return the score of all classes, and the pairs that lie closest together and farthest apart."""
    rows = [{"aspect": SEPARABILITY, "subject": "all classes", **_score(whole)}]
    pairs = _pairs(whole)
    if len(pairs) < 2:
        return rows
    for name in (min(pairs, key=lambda p: pairs[p]), max(pairs, key=lambda p: pairs[p])):
        subject = f"{name[0]} and {name[1]}"
        rows.append({"aspect": SEPARABILITY, "subject": subject, "figure": "AUROC of the pair", "value": pairs[name]})
    return rows


def _pairs(whole: Evaluation) -> dict[tuple[Any, Any], float]:
    """Return how often a cell of one class looks more like it than a cell of the other, for each pair."""
    from sklearn.metrics import roc_auc_score

    found = {}
    given = whole.predictions["given"]
    for a, b in combinations(list(whole.confusion.index), 2):
        rows = given.isin([a, b])
        if given[rows].nunique() < 2:
            continue
        p = whole.probabilities.loc[rows.to_numpy(), [a, b]].to_numpy(np.float64)
        total = p.sum(axis=1)
        share = np.where(total > 0, p[:, 0] / np.where(total > 0, total, 1.0), 0.5)
        found[(a, b)] = float(roc_auc_score((given[rows] == a).to_numpy(), share))
    return found


def _score(evaluation: Evaluation, n_features: int | None = None) -> dict[str, Any]:
    interval = evaluation.interval
    counted = sum(evaluation.tables.values()) if n_features is None else n_features
    ends = {"value": evaluation.balanced_accuracy, "low": interval.low, "high": interval.high}
    return {"figure": SCORE, **ends, "n_features": counted, "n_units": evaluation.n_units}


def _changed(evaluation: Evaluation, whole: Evaluation) -> dict[str, float]:
    change = evaluation.against(whole)
    return {"change": change.estimate, "change_low": change.low, "change_high": change.high}


def _channels(cells: Cells, names: list[str], whole: Evaluation, job: _Job) -> list[dict[str, Any]]:
    """Return the score of each channel alone and of all features without it."""
    table = cells.table()
    rows = []
    for (channel, how), columns in by_channel([str(c) for c in table.columns], names).items():
        if table[columns].nunique().max() < 2:
            continue
        found = job.evaluated(cells.with_features(table[columns]))
        subject = f"{channel} alone" if how == "alone" else f"without {channel}"
        rows.append({"aspect": CHANNEL, "subject": subject, **_score(found), **_changed(found, whole)})
    return rows


def _scales(
    cells: Cells, job: _Job, blur_px: Sequence[float] | None, most_cells: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the score of features measured on blurred images, and what a reader has to know."""
    asked = sorted({float(s) for s in blur_px or ()})
    if any(not (np.isfinite(s) and s > 0) for s in asked):
        raise ValueError(f"blur_px is {blur_px}, expected positive numbers of pixels.")
    if not asked:
        return [], []
    if cells.images is None or cells.masks is None:
        return [], ["There are no images with masks, so nothing was blurred and measured again."]
    known = cells.labels.notna().to_numpy() if cells.design.label is not None else np.ones(len(cells), dtype=bool)
    sample = same_per_unit(cells if known.all() else cells.subset(known), most_cells, job.seed)
    tables = measured_blurred(sample, [0.0, *asked], progress=job.progress)
    flat = sample.with_images(None)
    scores = {sigma: job.evaluated(flat.with_features(table)) for sigma, table in tables.items()}
    size = cells.pixel_size_um
    rows = []
    for sigma, found in scores.items():
        um = f" ({sigma * size:.2g} µm)" if size and sigma else ""
        subject = f"blur {sigma:g} px{um}" if sigma else "sharp"
        change = _changed(found, scores[0.0]) if sigma else {}
        rows.append({"aspect": SCALE, "subject": subject, **_score(found), **change})
    return rows, [
        f"Scales: {len(sample):,} cells measured again after each blur, brightness and texture inside their masks. "
        "Blur takes noise too, so that a score may rise."
    ]


def _said(found: pd.DataFrame, whole: Evaluation) -> list[str]:
    lines = []
    local = found[(found["aspect"] == DIMENSION) & (found["figure"] == "intrinsic dimension")]
    if len(local):
        each = ", ".join(f"{number(r['value'], 1)} ({r['subject']})" for r in local.to_dict("records"))
        lines.append(
            f"Cells differ along about {each} independent directions; of {int(local['n_features'].iloc[0]):,} features."
        )
    lines.append(str(whole).splitlines()[0])
    channel = found[found["aspect"] == CHANNEL]
    missed = channel[channel["subject"].str.startswith("without") & (channel["change_high"] < 0)]
    alone = channel[channel["subject"].str.endswith(" alone")].sort_values("value")
    if len(alone):
        best = alone.iloc[-1]
        lines.append(f"Most is told by {best['subject']}: {number(best['value'], 0.1)}.")
    if len(channel):
        rows = missed.sort_values("change").to_dict("records")
        each = ", ".join(f"{r['subject']} ({number(r['change'], 0.1)})" for r in rows)
        lines.append(
            f"The score falls clearly {each}." if each else "No channel is missed clearly when it is taken away."
        )
        if any(channel["subject"].str.contains(SHAPE)):
            lines.append(
                "Shape was measured on masks, which were drawn on some channel: what it tells is that one's too."
            )
    lost = found[(found["aspect"] == SCALE) & (found["change_high"] < 0)]
    if len(lost):
        lines.append(f"The first blur with a clear loss: {lost['subject'].iloc[0]}.")
    return lines
