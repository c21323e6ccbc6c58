"""Abstention: how much more often a model is right where it answers only what it is surest of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import some
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.study.intervals import MIN_UNITS, check_level, of_share, t_interval

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def abstention(evaluation: Evaluation, *, shares: tuple[float, ...] = SHARES, level: float = 0.95) -> pd.DataFrame:
    """Return the accuracy of the surest predictions, for shares of the cells that are answered.

    Intervals are Student's t of the ratio of right to answered cells over whole groups (units, or what was held out);
    they do not count that thresholds were chosen on the same cells, nor that folds share training cells.

    Parameters
    ----------
    evaluation : Evaluation
        From `cross_validate`.
    shares : tuple of float
        Shares of cells to answer, above 0 and up to 1; cells as sure as the last one are answered too.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame (one row per share)
        threshold (of the probability), answered (the share reached), accuracy, low, high (NaN for fewer than 3
        groups), n_cells, n_units (that have an answered cell), n_classes (given to an answered cell).

    Raises
    ------
    ValueError
        Shares that are none.

    References
    ----------
    El-Yaniv & Wiener 2010, JMLR 11:1605 (risk and coverage); Cochran 1977 on the linearised variance of a ratio.

    Examples
    --------
    >>> from mlscope_nb.cells import Cells
    >>> from mlscope_nb.predict.validation import cross_validate
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame({"well": [f"w{i // 10}" for i in range(80)], "drug": ["x", "y"] * 40})
    >>> obs.index = [f"c{i}" for i in range(80)]
    >>> area = pd.DataFrame({"area": (obs["drug"] == "y") + rng.normal(size=80)}, index=obs.index)
    >>> cells = Cells(obs, features=area, label="drug", unit="well")
    >>> found = abstention(cross_validate(cells, baselines=False, progress=False))
    >>> bool(found.loc[0.3, "accuracy"] > found.loc[1.0, "accuracy"])
    True
    """
    check_level(level)
    wrong = [s for s in shares if not 0 < s <= 1]
    if wrong or not shares:
        raise ValueError(f"shares holds {some(wrong) or 'nothing'}, expected numbers above 0 and up to 1.")
    predicted = evaluation.predictions
    sure = predicted["probability"].to_numpy(np.float64)
    falling = -np.sort(-sure)
    rows = {}
    for share in shares:
        threshold = falling[max(int(np.ceil(share * len(sure) - 1e-9)), 1) - 1]
        rows[share] = _row(predicted, sure >= threshold, float(threshold), level)
    found = pd.DataFrame.from_dict(rows, orient="index").astype({"n_cells": int, "n_units": int, "n_classes": int})
    found.index.name = "share"
    found.attrs["history"] = [*evaluation.history, _align.step("abstention", shares=list(shares), level=level)]
    return found


def _row(predicted: pd.DataFrame, answered: np.ndarray, threshold: float, level: float) -> dict[str, float]:
    right = (predicted["given"] == predicted["predicted"]).to_numpy(bool) & answered
    table = pd.DataFrame({"right": right, "n": answered}).astype(float).groupby(predicted["group"].to_numpy()).sum()
    accuracy = float(table["right"].sum() / table["n"].sum())
    # What each group adds to the ratio; groups without an answered cell add nothing to its error.
    values = accuracy + (table["right"] - accuracy * table["n"]) / table["n"].mean()
    interval = t_interval(values.to_numpy(), level=level, target="accuracy of answered cells")
    answering = int((table["n"] > 0).sum())
    low, high = of_share(interval, answering) if answering >= MIN_UNITS else (float("nan"), float("nan"))
    return {
        "threshold": threshold,
        "answered": float(answered.mean()),
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "n_cells": int(answered.sum()),
        "n_units": answering,
        "n_classes": int(predicted["given"][answered].nunique()),
    }
