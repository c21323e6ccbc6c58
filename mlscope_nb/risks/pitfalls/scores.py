"""How well labels are told: of cells that were held out, and of cells of a new study.

The models are those of ``ms.predict.cross_validate``; what is left out here are its baselines and intervals, because a
lesson repeats whole studies instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from mlscope_nb.cells import Cells
from mlscope_nb.predict.models import fitted, recipe
from mlscope_nb.study.splits import Split


def held_out(cells: Cells, splits: Iterable[Split], model: Any = "logistic") -> pd.DataFrame:
    """Return given and predicted label of every held-out cell that has one, and how sure the model was."""
    values, labels = cells.table().to_numpy(np.float64), cells.labels
    parts = []
    for part in splits:
        train, test = cells.ids.get_indexer(part.train_ids), cells.ids.get_indexer(part.test_ids)
        parts.append(_said(values[train], labels.iloc[train], values[test], labels.iloc[test], model))
    return pd.concat(parts)


def tested(train: Cells, test: Cells, model: Any = "logistic") -> pd.DataFrame:
    """Return given and predicted label of the labelled cells of `test`, by a model that learned from `train`."""
    values, new = train.table().to_numpy(np.float64), test.table().to_numpy(np.float64)
    return _said(values, train.labels, new, test.labels, model)


def balanced_accuracy(table: pd.DataFrame) -> float:
    """Return the mean recall of the classes.

    Examples
    --------
    >>> balanced_accuracy(pd.DataFrame({"given": list("aaab"), "predicted": list("aaaa")}))
    0.5
    """
    right = (table["given"] == table["predicted"]).to_numpy()
    return float(np.mean([right[(table["given"] == c).to_numpy()].mean() for c in sorted(set(table["given"]))]))


def _said(values: np.ndarray, labels: pd.Series, new: np.ndarray, truth: pd.Series, model: Any) -> pd.DataFrame:
    known, asked = labels.notna().to_numpy(), truth.notna().to_numpy()
    steps = recipe(model)
    prepare = clone(steps.prepare).fit(values)
    estimator = fitted(steps, prepare.transform(values[known]), labels[known].to_numpy(str))
    said = estimator.predict_proba(prepare.transform(new[asked]))
    return pd.DataFrame(
        {
            "given": truth[asked].to_numpy(str),
            "predicted": estimator.classes_[said.argmax(axis=1)],
            "sure": said.max(axis=1),
        },
        index=truth.index[asked],
    )
