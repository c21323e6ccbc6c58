"""Comparing: a network and what does the same without one, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mlscope_nb.fields import Fields
from mlscope_nb.predict.images.inventing import invented
from mlscope_nb.study.intervals import Interval


def compare(predicted: Mapping[str, Fields], truth: Fields, **options: Any) -> pd.DataFrame:
    """Return likeness, invented and missed objects of several predictions of the same fields, in one table.

    Parameters
    ----------
    predicted : mapping of str to Fields
        Name of the method → what it predicted: ``network.predict(fields)``, and of each of `plain`.
    truth : Fields
        The same fields as they are.
    **options
        As in `invented`.

    Returns
    -------
    DataFrame
        One row per method, the most objects right first: f1, share invented and missed, PSNR, SSIM, correlation and
        count error, each with ``_low`` and ``_high`` over units. ``attrs["results"]`` holds what `invented` has found.

    Raises
    ------
    ValueError, KeyError, TypeError
        As in `invented`; nothing to compare.

    Examples
    --------
    >>> import numpy as np
    >>> spot = np.zeros((3, 1, 64, 64)); spot[:, :, 20:34, 20:34] = 9
    >>> truth = Fields(pd.DataFrame(index=["f1", "f2", "f3"]), list(spot))
    >>> dim = truth.with_images(list(spot / 2))
    >>> compare({"dim": dim, "empty": truth.with_images(list(0 * spot))}, truth)["f1"].tolist()
    [1.0, 0.0]
    """
    if not predicted:
        raise ValueError("There is nothing to compare: give names and predicted fields.")
    results = {name: invented(fields, truth, **options) for name, fields in predicted.items()}
    rows = {}
    for name, found in results.items():
        row: dict[str, float] = {"f1": float(found.per_field.groupby("unit")["f1"].mean().mean())}
        row |= _ends("invented", found.invented) | _ends("missed", found.missed)
        for what, interval in {**found.likeness, "count_error": found.count_error}.items():
            row |= _ends(what, interval)
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    table = table.sort_values("f1", ascending=False, kind="stable")
    table.attrs["results"] = {name: found.to_dict() for name, found in results.items()}
    return table


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
