"""How well does a network trained on images tell the phenotypes of a plate that it has never seen?

Each seed is a simulated study of six plates; one training on five of them, one plate to test. All else is the default
of `train_network`. CPU seconds are those of preparing crops and training.

.venv/bin/python studies/predict_network.py [first_seed] [n_seeds] [model] [wells_per_plate] [cells_per_well]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sklearn.metrics import balanced_accuracy_score  # noqa: E402

from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.predict import train_network  # noqa: E402
from mlscope_nb.study import split  # noqa: E402
from studies._features import N_PLATES, keep  # noqa: E402


def of_seed(seed: int, model: str, wells: int, cells_per_well: int) -> dict[str, float]:
    """Return balanced accuracy on the plate left out, in all and by phenotype, and what training took."""
    cells, _ = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    part = split(cells, by="plate", n_splits=N_PLATES, seed=seed)[0]
    start, began = time.process_time(), time.perf_counter()
    network = train_network(cells.subset(part.train_ids), model=model, on_epoch=_shown)  # type: ignore[arg-type]
    spent, waited = time.process_time() - start, time.perf_counter() - began
    test = cells.subset(part.test_ids)
    said, truth = network.predict(test), test.labels
    best = network.records[network.best_epoch - 1]
    row = {
        "balanced accuracy on a new plate": balanced_accuracy_score(truth, said),
        "in the units that decided when to stop": best["held_out_accuracy"],
        "epochs": network.epochs,
        "best epoch": network.best_epoch,
        "CPU seconds of training": spent,
        "seconds of training": waited,
    }  # fmt: skip
    return row | {f"recall of {c}": float((said[truth == c] == c).mean()) for c in network.classes}


def _shown(epoch: int, record: dict[str, float]) -> None:
    print(epoch, {k: round(v, 3) for k, v in record.items()}, round(time.process_time()), flush=True)


def main(first: int = 2000, n_seeds: int = 3, model: str = "small", wells: int = 16, cells_per_well: int = 40) -> None:
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, default doses, 5 plates to train on, 1 to test"
    rows = []
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            rows.append(of_seed(seed, model, wells, cells_per_well))
        print(seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
        keep(f"predict_network_{model}", f"{what}, model '{model}', seeds {first} to {seed}", rows)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:2]), *given[2:3], *map(int, given[3:]))  # type: ignore[arg-type]
