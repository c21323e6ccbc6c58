"""Wrong labels beside cleanlab, on the same cells: Gaussian classes and simulated cells, 8 % of labels wrong.

mlscope is given what it asks for: features, labels, units. cleanlab as its tutorials call it: probabilities of a
logistic regression on standardised features, five folds over cells, `get_label_quality_scores` and `find_label_issues`
with their defaults. AUROC of the scores, precision among as many of the worst as there are wrong labels, beside an
oracle (Gaussian classes: the true posterior).

.venv/bin/python studies/curate_labels_peers.py [first_seed] [n_seeds]          (needs `make peers`)
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.curate import find_label_errors  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.datasets.simulator.plan import make_plan  # noqa: E402
from mlscope_nb.datasets.simulator.study import asked  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from studies import _peers  # noqa: E402
from studies._record import record  # noqa: E402
from studies.curate_labels import GAUSSIAN, NOISE, SIZES, found, gaussian  # noqa: E402


def by_cleanlab(cells: Cells, wrong: np.ndarray, seed: int) -> dict[str, float]:
    """Grades of cleanlab."""
    table = cells.table()
    values = table.fillna(table.median()).to_numpy()
    codes = pd.factorize(cells.labels.astype(str), sort=True)[0]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    probabilities = cross_val_predict(model, values, codes, cv=folds, method="predict_proba")
    scores = _peers.borrow("cleanlab.rank").get_label_quality_scores(codes, probabilities)
    flagged = _peers.borrow("cleanlab.filter").find_label_issues(codes, probabilities)
    return {**found(scores, wrong), **flags(flagged, wrong)}


def by_mlscope(cells: Cells, wrong: np.ndarray, **options: Any) -> dict[str, float]:
    """Grades of mlscope."""
    errors = find_label_errors(cells, **options)
    return {**found(errors["score"].to_numpy(), wrong), **flags(errors["flagged"].to_numpy(), wrong)}


def flags(flagged: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    return {"flagged": float(flagged.mean()), "wrong labels flagged": float(flagged[wrong].mean())}


def simulated(seed: int) -> tuple[Cells, np.ndarray]:
    """Simulated cells of which 8 % have a wrong label of their own."""
    cells, truth = simulate(**SIZES, seed=seed)
    cells = cells.with_features(measure(cells, progress=False))
    plan = make_plan(asked(SIZES, seed, 1, 64, "default", "micronucleus", {"mislabels": NOISE}))
    given = pd.Series([cell.given for cell in plan.cells], index=cells.ids, name="label")
    return cells.with_obs(given), (given != truth.obs["label"]).to_numpy()


def of_seed(seed: int) -> dict[str, dict[str, dict[str, float]]]:
    made = {}
    for name, options in GAUSSIAN.items():
        cells, oracle, wrong = gaussian(seed, **options)
        made[f"Gaussian, {name}"] = {
            "mlscope": by_mlscope(cells, wrong),
            "cleanlab": by_cleanlab(cells, wrong, seed),
            "oracle": found(oracle, wrong),
        }
    cells, wrong = simulated(seed)
    made["simulated cells"] = {
        "mlscope": by_mlscope(cells, wrong),
        "mlscope, features alone": by_mlscope(cells, wrong, composition=False),
        "cleanlab": by_cleanlab(cells, wrong, seed),
    }
    return made


def main(first: int = 2000, n_seeds: int = 5) -> None:
    figures: dict[str, Any] = {"seeds": f"{first} to {first + n_seeds - 1}", "wrong labels planted": NOISE}
    figures["peers"] = _peers.versions("cleanlab")
    rows = []
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(of_seed(seed))
        print(seed, rows[-1], flush=True)
    for case, by in rows[0].items():
        figures[case] = {who: {k: [row[case][who][k] for row in rows] for k in by[who]} for who in by}
    record("curate_labels_peers", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
