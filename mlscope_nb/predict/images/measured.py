"""Measured: what happens to features, and to the label called from them, when the pictures are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.features import measure
from mlscope_nb.features.columns import Family
from mlscope_nb.fields import Fields
from mlscope_nb.io import crop
from mlscope_nb.predict.feature_model import train_model
from mlscope_nb.predict.folds import make_folds
from mlscope_nb.study.bootstrap import bootstrap_interval
from mlscope_nb.study.intervals import Interval

FAMILIES: tuple[Family, ...] = ("intensity", "texture")
FOLDS = 5


def downstream_error(
    predicted: Fields,
    truth: Fields,
    *,
    families: Sequence[Family] = FAMILIES,
    size: int = 64,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, Interval] | None]:
    """Measure the true objects in predicted and in true pictures, and call the label from both.

    The outlines are the true ones in both, so that only what the pictures hold differs. Models of the label learn from
    true pictures of some units and are asked about both pictures of others.

    Parameters
    ----------
    predicted, truth : Fields
        The same fields and channels; the truth has masks.
    families : sequence of str
        Of `ms.features.measure`; shape would be the same by construction.
    size : int
        Side of the crops in pixels.
    level : float
        Confidence level.
    seed : int
        Seed of folds and bootstrap.

    Returns
    -------
    features : DataFrame
        One row per feature: correlation over cells (Spearman, within units, where a unit is declared) and bias (median
        difference over the interquartile range of the true values).
    phenotype : dict of Interval, or None
        "true", "predicted" (balanced accuracy), "agreement" (share of cells with the same call), over units; None where
        no label and unit are declared, or there are too few units.

    Raises
    ------
    ValueError
        The truth has no masks.
    """
    if truth.masks is None:
        raise ValueError("The truth has no masks, and what is measured are its objects. Add them, or segment it first.")
    real = crop(truth, size=size)
    said = crop(predicted.with_masks(truth.masks), size=size)
    # One scale for both, or the texture of a dimmer picture would be another one.
    full = max(float(np.max(cells.images)) for cells in (said, real))
    tables = [measure(cells, families, full_scale=max(full, 1e-6), progress=False) for cells in (said, real)]
    return _agreement(tables[0], tables[1], real), _calls(tables[0], tables[1], real, level, seed)


def _agreement(said: pd.DataFrame, real: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    units = cells.units if cells.design.unit else pd.Series("all", index=cells.ids)
    spread = real.quantile(0.75) - real.quantile(0.25)
    bias = (said - real).median() / spread.where(spread > 0)
    # Ranks within each unit: what differs between wells would make any two features alike.
    ranks = [table.groupby(units.to_numpy()).rank(pct=True) for table in (said, real)]
    centred = [r - r.groupby(units.to_numpy()).transform("mean") for r in ranks]
    together = (centred[0] * centred[1]).sum()
    lengths = ((centred[0] ** 2).sum() * (centred[1] ** 2).sum()) ** 0.5
    found = pd.DataFrame({"correlation": together / lengths.where(lengths > 0), "bias": bias})
    return found.rename_axis("feature")


def _calls(said: pd.DataFrame, real: pd.DataFrame, cells: Cells, level: float, seed: int) -> dict[str, Interval] | None:
    design = cells.design
    if not design.unit or design.label is None:
        return None
    kept = real.columns[real.notna().all() & said.notna().all() & (real.nunique() > 1)]
    fewest = cells.units.groupby(cells.labels, observed=True).nunique().min()
    if fewest < 2 or cells.labels.nunique() < 2 or not len(kept):
        return None
    true, predicted = (cells.with_features(table[kept]) for table in (real, said))
    rows = []
    for part in make_folds(true, None, int(min(FOLDS, fewest)), seed, None).splits:
        model = train_model(true.subset(part.train_ids), seed=seed)
        calls = {k: model.predict(c.subset(part.test_ids)) for k, c in (("true", true), ("predicted", predicted))}
        rows.append(pd.DataFrame({**calls, "label": true.labels[part.test_ids]}))
    table = pd.concat(rows)
    own = cells.units[table.index]
    options: dict[str, Any] = {"level": level, "n_resamples": 500, "bounds": (0.0, 1.0), "seed": seed}
    found = {
        name: bootstrap_interval(
            table, own, partial(_accuracy, name=name), target=f"accuracy, {name} pictures", **options
        )
        for name in ("true", "predicted")
    }
    same = (table["true"] == table["predicted"]).astype(float)
    agree = bootstrap_interval(same, own, level=level, bounds=(0.0, 1.0), target="share of equal calls", seed=seed)
    return {**found, "agreement": agree}


def _accuracy(calls: pd.DataFrame, name: str) -> float:
    """Return the balanced accuracy of one column of calls."""
    right = calls[name] == calls["label"]
    return float(right.groupby(calls["label"].to_numpy()).mean().mean())
