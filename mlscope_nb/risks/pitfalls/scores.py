"""How well labels are told: of cells that were held out, and of cells of a new study.

The model is Fisher's discriminant with a little of a sphere in its covariance: the best there is for classes that are
drawn as Gaussian with one covariance, and a thousand of them take a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.study.splits import Split

SPHERE = 0.1
"""Of the covariance, as a share of the mean variance."""


def held_out(cells: Cells, splits: Iterable[Split], model: Any = None) -> pd.DataFrame:
    """Return given and predicted label of every held-out cell that has one, and how sure the model was."""
    values, labels = cells.table().to_numpy(np.float64), cells.labels
    parts = []
    for part in splits:
        train, test = cells.ids.get_indexer(part.train_ids), cells.ids.get_indexer(part.test_ids)
        parts.append(predicted(values[train], labels.iloc[train], values[test], labels.iloc[test], model))
    return pd.concat(parts)


def tested(train: Cells, test: Cells, model: Any = None) -> pd.DataFrame:
    """Return given and predicted label of the labelled cells of `test`, by a model that learned from `train`."""
    values, new = train.table().to_numpy(np.float64), test.table().to_numpy(np.float64)
    return predicted(values, train.labels, new, test.labels, model)


def balanced_accuracy(table: pd.DataFrame) -> float:
    """Return the mean recall of the classes.

    Examples
    --------
    >>> balanced_accuracy(pd.DataFrame({"given": list("aaab"), "predicted": list("aaaa")}))
    0.5
    """
    right = (table["given"] == table["predicted"]).to_numpy()
    return float(np.mean([right[(table["given"] == c).to_numpy()].mean() for c in sorted(set(table["given"]))]))


def predicted(
    values: np.ndarray, labels: pd.Series, new: np.ndarray, truth: pd.Series, model: Any = None
) -> pd.DataFrame:
    """Return given and predicted label of new rows, and the probability of the predicted one; two classes.

    A model of scikit-learn takes the place of the discriminant where one is given.
    """
    known, asked = labels.notna().to_numpy(), truth.notna().to_numpy()
    names = np.unique(labels[known].to_numpy(str))
    second = labels[known].to_numpy(str) == names[-1]
    if model is None:
        slope, middle = discriminant(values[known], second)
        says = 1 / (1 + np.exp(-np.clip(new[asked] @ slope - middle, -50, 50)))
    else:
        says = model.fit(values[known], second).predict_proba(new[asked])[:, 1]
    return pd.DataFrame(
        {
            "given": truth[asked].to_numpy(str),
            "predicted": np.where(says > 0.5, names[-1], names[0]),
            "sure": np.maximum(says, 1 - says),
        },
        index=truth.index[asked],
    )


def discriminant(values: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, float]:
    """Return slope and middle: log odds of the second class are ``values @ slope - middle``, classes equally common."""
    groups = values[~second], values[second]
    means = [g.mean(axis=0) for g in groups]
    rest = np.concatenate([g - m for g, m in zip(groups, means, strict=True)])
    covariance = rest.T @ rest / (len(rest) - 2)
    covariance += SPHERE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    slope = np.linalg.solve(covariance, means[1] - means[0])
    return slope, float(slope @ (means[0] + means[1]) / 2)
