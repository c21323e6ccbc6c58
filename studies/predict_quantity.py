"""Does a learning curve from half of the wells foresee what all of them show?

Simulated studies (version 2, default doses), measured by default, logistic regression, plates left out in turn. Half of
the wells, drawn with each class its share, get a learning curve; its interval for as many wells in training as the
whole study has is held against the cross-validated score of the whole study.

    python studies/predict_quantity.py                # 10 seeds from 2000
    python studies/predict_quantity.py --even         # half of the wells of each class on each plate
    python studies/predict_quantity.py --first 2100 --seeds 3
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from mlscope_nb.predict import cross_validate, learning_curve  # noqa: E402
from mlscope_nb.study import split  # noqa: E402
from studies._record import record  # noqa: E402

N_PLATES, WELLS, CELLS = 6, 16, 40


def of_seed(seed: int, even: bool) -> dict[str, float]:
    """Return what half of the wells foresee, and what all of them show."""
    cells, _ = simulate(N_PLATES, WELLS, CELLS, seed=seed)
    cells = cells.with_features(measure(cells, progress=False))
    half = even_half(cells, seed) if even else cells.subset(split(cells, n_splits=2, seed=seed)[0].train_ids)
    return foreseen(cells, half, seed)


def even_half(cells: Cells, seed: int) -> Cells:
    """Return half of the wells of each class on each plate."""
    table = pd.DataFrame({"well": cells.units, "label": cells.labels, "plate": cells.batches_of})
    wells = table.drop_duplicates("well").sort_values("well")
    wells["drawn"] = np.random.default_rng(seed).random(len(wells))
    drawn = wells.groupby(["label", "plate"])["drawn"]
    return cells.subset(cells.units.isin(wells["well"][2 * drawn.rank() <= drawn.transform("size")]).to_numpy())


def foreseen(cells: Cells, half: Cells, seed: int) -> dict[str, float]:
    """Return the interval from half of the wells beside the score of all."""
    n_training = round(cells.units.nunique() * (N_PLATES - 1) / N_PLATES)
    curve = learning_curve(half, extrapolate_to=n_training, seed=seed, progress=False)
    now, later = curve[curve["kind"] == "measured"].iloc[-1], curve.iloc[-1]
    shown = cross_validate(cells, by="batch", baselines=False, progress=False).balanced_accuracy
    return {
        "seed": seed,
        "half": float(now["balanced_accuracy"]),
        "foreseen": float(later["curve"]),
        "low": float(later["low"]),
        "high": float(later["high"]),
        "all": shown,
        "held": float(later["low"] <= shown <= later["high"]),
        "width": float(later["high"] - later["low"]),
    }


def figures(rows: list[dict[str, float]]) -> dict[str, Any]:
    table = pd.DataFrame(rows)
    error = table["all"] - table["foreseen"]
    return {
        "what": f"{N_PLATES} plates × {WELLS} wells × {CELLS} cells; 80 % intervals from half of the wells for all",
        "seeds": [int(s) for s in table["seed"]],
        "intervals that hold the score of all wells": f"{int(table['held'].sum())} of {len(table)}",
        "width": {"mean": table["width"].mean(), "largest": table["width"].max()},
        "error of what was foreseen": {"mean": error.mean(), "root mean square": float(np.sqrt((error**2).mean()))},
        "error of 'as with half of the wells'": float(np.sqrt(((table["all"] - table["half"]) ** 2).mean())),
        "each": {str(int(r["seed"])): {k: v for k, v in r.items() if k != "seed"} for r in rows},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=2000, help="first seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--even", action="store_true", help="half of the wells of each class on each plate")
    options = parser.parse_args()
    rows = []
    for seed in range(options.first, options.first + options.seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            rows.append(of_seed(seed, options.even))
        print({k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        record("predict_quantity_even" if options.even else "predict_quantity", figures(rows))


if __name__ == "__main__":
    main()
