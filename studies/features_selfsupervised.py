"""Does self-supervised training beat the same network before training, and does it beat classical features?

The network is trained on the plates that are not tested, without labels; a logistic regression on its numbers is
tested on the plates left out. To keep within hours half of the plates is tested, not each plate alone.

.venv/bin/python studies/features_selfsupervised.py [n_seeds] [wells_per_plate] [cells_per_well]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sklearn.metrics import balanced_accuracy_score  # noqa: E402

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import (  # noqa: E402
    Normalizer,
    measure,
    random_encoder,
    select,
    train_selfsupervised,
)
from mlscope_nb.features.probes import logistic_predictions  # noqa: E402
from mlscope_nb.study import split  # noqa: E402
from studies._features import N_PLATES, keep  # noqa: E402


def tested(cells: Cells, table: pd.DataFrame, train: pd.Index, test: pd.Index) -> pd.Series:
    """Return predictions for the test cells, the normalisation fitted on the training plates."""
    whole = cells.with_features(table)
    fitted = Normalizer().fit(whole.subset(train))
    x, new = (fitted.transform(whole.subset(ids)).table().to_numpy(np.float64) for ids in (train, test))
    labels = cells.labels.astype(str)[train].to_numpy(object)
    return pd.Series(logistic_predictions(x, labels, new), index=test)


def of_seed(seed: int, wells: int, cells_per_well: int) -> dict[str, float]:
    """Return balanced accuracy of each kind of features, and the CPU seconds of one training."""
    cells, _ = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    classical = select(cells.with_features(measure(cells))).features
    found: dict[str, list[pd.Series]] = {"self-supervised": [], "random twin": [], "classical": []}
    seconds = []
    for part in split(cells, by="plate", n_splits=2, seed=seed, stratify=False)[:1]:
        start = time.process_time()
        encoder = train_selfsupervised(cells, train_ids=part.train_ids, seed=seed)
        seconds.append(time.process_time() - start)
        same = {k: encoder.settings[k] for k in ("width", "masked")}
        twin = random_encoder(cells.channels, seed=seed, **same)
        tables = {
            "self-supervised": encoder.transform(cells),
            "random twin": twin.transform(cells),
            "classical": classical,
        }
        for name, table in tables.items():
            found[name].append(tested(cells, table, part.train_ids, part.test_ids))
    guessed = {name: pd.concat(parts) for name, parts in found.items()}
    truth = cells.labels.astype(str)
    row = {n: balanced_accuracy_score(truth[found.index], found.astype(str)) for n, found in guessed.items()}
    row["gain over random twin"] = row["self-supervised"] - row["random twin"]
    row["gain over classical"] = row["self-supervised"] - row["classical"]
    row["CPU seconds of one training"] = float(np.mean(seconds))
    row["cells trained on"] = len(cells) / 2
    return row


def main(n_seeds: int = 10, wells: int = 16, cells_per_well: int = 40) -> None:
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, default doses, 3 plates to train on, 3 to test"
    rows = []
    for seed in range(n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            rows.append(of_seed(seed, wells, cells_per_well))
        print(seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
        keep("features_selfsupervised", what, rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
