"""What was held out, counted from the predictions themselves: which units and batches stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mlscope_nb._design import keys
from mlscope_nb.cells import Cells
from mlscope_nb.risks.sheet.values import jsonable
from mlscope_nb.study.splits import Split


def tested(predictions: pd.DataFrame, history: Sequence[dict[str, Any]], cells: Cells) -> dict[str, Any]:
    """Return how many units and batches the folds of an evaluation part.

    A unit whose cells stand in several folds is trained on when its other cells are tested.

    Parameters
    ----------
    predictions : DataFrame
        Of an `Evaluation`: one row per tested cell, with the fold.
    history : sequence of dict
        Of the evaluation.
    cells : Cells
        The study.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame({"well": list("AABB")}, index=list("abcd")), unit="well")
    >>> found = tested(pd.DataFrame({"fold": [0, 1, 1, 1]}, index=list("abcd")), [], cells)
    >>> found["n_units"], found["n_units_parted"]
    (2, 1)
    """
    fold = predictions["fold"]
    here = predictions.index.isin(cells.ids)
    fold = fold[here]
    step = history[-1] if history else {}
    return {
        "how": step.get("step"),
        "normalize": jsonable(step.get("normalize")),
        "n_tested": len(predictions),
        "n_not_of_these_cells": int((~here).sum()),
        "n_folds": int(predictions["fold"].nunique()),
        **_parted("units", fold, cells, cells.design.unit),
        **_parted("batches", fold, cells, cells.design.batch),
    }


def split_facts(splits: list[Split], cells: Cells) -> dict[str, Any]:
    """Return for proposed splits what is held out, and how many units stand on both sides."""
    rows = []
    for split in splits:
        row: dict[str, Any] = {"by": split.by, "n_train": len(split.train_ids), "n_test": len(split.test_ids)}
        for name, columns in (("units", cells.design.unit), ("batches", cells.design.batch)):
            if columns:
                named = keys(cells.obs, columns)
                sides = [set(named[named.index.isin(ids)]) for ids in split]
                row |= {f"n_{name}_tested": len(sides[1]), f"n_{name}_on_both_sides": len(sides[0] & sides[1])}
        rows.append({**row, "note": split.note})
    shared = max((row.get("n_units_on_both_sides", 0) for row in rows), default=0)
    return {"n_splits": len(rows), "most_units_on_both_sides": shared, "splits": jsonable(rows)}


def _parted(name: str, fold: pd.Series, cells: Cells, columns: tuple[str, ...]) -> dict[str, Any]:
    if not columns:
        return {f"n_{name}": None, f"n_{name}_parted": None}
    group = keys(cells.obs, columns).reindex(fold.index)
    folds = fold.groupby(group.to_numpy()).nunique()
    return {f"n_{name}": len(folds), f"n_{name}_parted": int((folds > 1).sum())}
