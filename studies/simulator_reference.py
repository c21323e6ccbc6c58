"""How hard are the simulator's defaults? The reference (45 features, logistic, plates left out) over 20 seeds.

.venv/bin/python studies/simulator_reference.py            # 20 seeds, one after another
.venv/bin/python studies/simulator_reference.py 20 2       # in two processes
"""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import phenotypes, simulate  # noqa: E402
from studies._record import record  # noqa: E402
from studies._reference import features, predictions, scores  # noqa: E402


def one(seed: int) -> dict[str, float]:
    cells, truth = simulate(seed=seed)
    table = features(cells)
    found = predictions(table, cells.labels, cells.obs["plate"])
    result = scores(cells.labels, found)
    known = truth.obs
    right = found == known["label"]
    kept = known["responder"] & (known["fault"] == "none")
    for name, of_class in right[kept].groupby(known.loc[kept, "label"]):
        result[f"responding {name}"] = float(of_class.mean())
    print(seed, {k: round(v, 3) for k, v in result.items()}, flush=True)
    return {"seed": float(seed), "n_features": float(table.shape[1]), **result}


def spread(values: pd.Series) -> dict[str, float]:
    """Mean over seeds with the standard deviation and the smallest and largest seed."""
    return {
        k: round(float(v), 4)
        for k, v in zip(("mean", "sd", "min", "max"), values.agg(["mean", "std", "min", "max"]), strict=True)
    }


def main(n_seeds: int = 20, n_workers: int = 1) -> None:
    with ProcessPoolExecutor(n_workers) as pool:
        results = pd.DataFrame(list(pool.map(one, range(n_seeds))))
    (Path(tempfile.gettempdir()) / "simulator_reference_seeds.json").write_text(json.dumps(results.to_dict()))
    recall = {
        name: {
            "seen in": phenotypes()["seen_in"].get(name, "-"),
            "recall": spread(results[name]),
            **(
                {"recall of responding cells without fault": spread(results[f"responding {name}"])}
                if name != "DMSO"
                else {}
            ),
        }
        for name in sorted(set(results) & {"DMSO", *phenotypes().index})
    }
    wide = 1.96 * results["balanced_accuracy"].std() / np.sqrt(n_seeds)
    record(
        "simulator_reference",
        {
            "what": "default study, 7 classes (chance 0.143), 45 features, logistic, leaving plates out",
            "seeds": n_seeds,
            "features": int(results["n_features"].iloc[0]),
            "balanced accuracy": {
                **spread(results["balanced_accuracy"]),
                "95 % interval of the mean": [
                    round(float(results["balanced_accuracy"].mean() + s * wide), 4) for s in (-1, 1)
                ],
                "wanted": "0.55 to 0.65",
            },
            "per class": recall,
            "best possible (no phenotype missed, all others called DMSO)": round((1 + 6 * 0.85) / 7, 3),
        },
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
