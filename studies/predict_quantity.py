"""Does a learning curve from half of the wells foresee what all of them show?

Simulated studies (version 2, default doses), measured by default, logistic regression, features on the scale of each
plate's controls (as in notebook 04), plates left out in turn. Half of the wells get a learning curve with default
settings; its interval for as many wells in training as the whole study has is held against the cross-validated score of
the whole study. Half of the wells in two ways: of each class, wherever they lie (as `split` draws them), and of each
class on each plate.

    python studies/predict_quantity.py                # 10 seeds from 2210
    python studies/predict_quantity.py --raw          # features not normalised
    python studies/predict_quantity.py --first 2300 --seeds 3
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
HALVES = ("of each class", "of each class on each plate")


def of_seed(seed: int, raw: bool) -> dict[str, dict[str, float]]:
    """Return what each half of the wells foresees, and what all of them show."""
    cells, _ = simulate(N_PLATES, WELLS, CELLS, seed=seed)
    cells = cells.with_features(measure(cells, progress=False))
    normalize: Any = None if raw else "standardize"
    shown = cross_validate(cells, by="batch", normalize=normalize, baselines=False, progress=False).balanced_accuracy
    halves = (cells.subset(split(cells, n_splits=2, seed=seed)[0].train_ids), even_half(cells, seed))
    n_training = round(cells.units.nunique() * (N_PLATES - 1) / N_PLATES)
    found = {}
    for name, half in zip(HALVES, halves, strict=True):
        curve = learning_curve(half, normalize=normalize, extrapolate_to=n_training, seed=seed, progress=False)
        found[name] = {"seed": seed, "all": shown, **foreseen(curve, shown)}
    return found


def even_half(cells: Cells, seed: int) -> Cells:
    """Return half of the wells of each class on each plate."""
    table = pd.DataFrame({"well": cells.units, "label": cells.labels, "plate": cells.batches_of})
    wells = table.drop_duplicates("well").sort_values("well")
    wells["drawn"] = np.random.default_rng(seed).random(len(wells))
    drawn = wells.groupby(["label", "plate"])["drawn"]
    return cells.subset(cells.units.isin(wells["well"][2 * drawn.rank() <= drawn.transform("size")]).to_numpy())


def foreseen(curve: pd.DataFrame, shown: float) -> dict[str, float]:
    """Return what a curve says beside what turned out."""
    now, later = curve[curve["kind"] == "measured"].iloc[-1], curve.iloc[-1]
    return {
        "half": float(now["balanced_accuracy"]),
        "foreseen": float(later["curve"]),
        "low": float(later["low"]),
        "high": float(later["high"]),
        "held": float(later["low"] <= shown <= later["high"]),
        "width": float(later["high"] - later["low"]),
    }


def figures(rows: list[dict[str, float]]) -> dict[str, Any]:
    table = pd.DataFrame(rows)
    error = table["all"] - table["foreseen"]
    return {
        "intervals that hold the score of all wells": f"{int(table['held'].sum())} of {len(table)}",
        "width": {"mean": table["width"].mean(), "largest": table["width"].max()},
        "intervals not wider than 0.10": f"{int((table['width'] <= 0.1).sum())} of {len(table)}",
        "error of what was foreseen": {"mean": error.mean(), "root mean square": float(np.sqrt((error**2).mean()))},
        "error of 'as with half of the wells'": float(np.sqrt(((table["all"] - table["half"]) ** 2).mean())),
        "each": {str(int(r["seed"])): {k: v for k, v in r.items() if k != "seed"} for r in rows},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=2210, help="first seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--raw", action="store_true", help="features not normalised")
    options = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in HALVES}
    seeds = range(options.first, options.first + options.seeds)
    for seed in seeds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for name, row in of_seed(seed, options.raw).items():
                rows[name].append(row)
                print(name, {k: round(v, 3) for k, v in row.items()}, flush=True)
        what = f"{N_PLATES} plates × {WELLS} wells × {CELLS} cells; 90 % intervals from half of the wells for all"
        halves = {f"half of the wells {name}": figures(found) for name, found in rows.items()}
        # After each seed, so that what is finished stands when the run is interrupted.
        name = "predict_quantity_raw" if options.raw else "predict_quantity"
        record(name, {"what": what, "seeds": list(seeds)[: len(rows[HALVES[0]])], **halves})


if __name__ == "__main__":
    main()
