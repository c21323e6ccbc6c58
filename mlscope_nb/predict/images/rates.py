"""Rates: shares over units with intervals, domain by domain, and by what factor a domain is worse than the first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.study.bootstrap import bootstrap_interval
from mlscope_nb.study.intervals import MIN_UNITS, Interval

HALF = 0.5
"""Added to counts, so that no invented object at all has a logarithm too."""


def mean_over_units(
    values: pd.Series, target: str, *, units: pd.Series, level: float, seed: int, word: str
) -> Interval:
    """Return the mean over units with a bootstrap interval over them; rows without a number are left out."""
    known = values.notna()
    bounds = (0.0, 1.0) if "share" in target else None
    own = units[known].rename(word)
    return bootstrap_interval(values[known], own, level=level, seed=seed, bounds=bounds, target=target)


def table_of_domains(per_field: pd.DataFrame, level: float, seed: int, word: str) -> pd.DataFrame:
    """Return shares and likeness of each domain (rows, in their order) with the ends of the intervals."""
    rows: dict[str, dict[str, Any]] = {}
    for name, part in per_field.groupby("domain", sort=False):
        given: dict[str, Any] = {"units": part["unit"], "level": level, "seed": seed, "word": word}
        row: dict[str, Any] = {"n_fields": len(part), "n_units": part["unit"].nunique()}
        for column in ("invented_share", "missed_share", "f1", "psnr", "correlation"):
            found = mean_over_units(part[column], column, **given)
            row |= {column: found.estimate, f"{column}_low": found.low, f"{column}_high": found.high}
        rows[str(name)] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("domain")


def factors(per_field: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return by what factor more of what is found is invented in each domain than in the first one.

    Counts are added over the fields of each unit; the error of the logarithm of each rate is the jackknife over units,
    and the interval Student's t with as many degrees of freedom as the smaller domain has.

    Examples
    --------
    >>> rows = {"domain": ["a"] * 3 + ["b"] * 3, "unit": list("uvwxyz"), "n_found": 40, "n_invented": [2] * 3 + [8] * 3}
    >>> float(factors(pd.DataFrame(rows), 0.95).loc["b", "factor"].round(2))
    3.77
    """
    from scipy.stats import t

    names = list(dict.fromkeys(per_field["domain"]))
    known = {name: _log_rate(per_field[per_field["domain"] == name]) for name in names}
    rows = {}
    for name in names[1:]:
        (first, error, n), (log, other, m) = known[names[0]], known[name]
        freedom = min(n, m) - 1
        half = math.nan
        if min(n, m) >= MIN_UNITS:
            half = float(t.ppf((1 + level) / 2, freedom)) * math.hypot(error, other)
        ends = {"low": math.exp(log - first - half), "high": math.exp(log - first + half)}
        rows[name] = {"factor": math.exp(log - first), **ends, "n_units": m, "n_units_first": n}
    columns = ["factor", "low", "high", "n_units", "n_units_first"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("domain")


def _log_rate(part: pd.DataFrame) -> tuple[float, float, int]:
    """Return the logarithm of the rate of invented objects, its standard error over units, and their number."""
    counts = part.groupby("unit")[["n_invented", "n_found"]].sum().to_numpy(float)
    total, n = counts.sum(axis=0), len(counts)
    log = float(_log(total))
    if n < 2:
        return log, math.nan, n
    without = _log(total - counts)
    return log, float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())), n


def _log(counts: np.ndarray) -> np.ndarray:
    rate: np.ndarray = np.log((counts[..., 0] + HALF) / (counts[..., 1] + 2 * HALF))
    return rate
