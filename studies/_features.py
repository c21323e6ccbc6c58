"""What studies of features share: how much of the label a table of numbers holds, plates left out."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from mlscope_nb import Cells
from mlscope_nb.features.probes import logistic_probe
from mlscope_nb.study import leave_one_out


def probe(cells: Cells) -> float:
    """Return the balanced accuracy of a logistic regression that leaves out each plate in turn."""
    folds = [
        (cells.ids.get_indexer(part.train_ids), cells.ids.get_indexer(part.test_ids)) for part in leave_one_out(cells)
    ]
    labels = cells.labels.astype(str).to_numpy(object)
    found = logistic_probe(cells.table().to_numpy(np.float64), labels, folds)
    return float(balanced_accuracy_score(labels.astype(str), found.astype(str)))
