"""What calibration is worth on cells that nothing was fitted on: other wells of known plates, and new plates.

Simulated studies (version 2, default doses), measured by default, logistic regression. `calibrate` gets half of the
wells of each class on four of six plates. Its model speaks about the other half of their wells and about the same share
of the two plates left, so that new plates have as many control wells as known ones: as it is ("before"), corrected as
`calibrate` advises ("after": by held-out plates where that helps them, else not at all), and corrected in any case
("always"). Temperature scaling; features raw, and on the scale of each plate's controls.

    python studies/predict_calibration.py                # 5 seeds from 2300
    python studies/predict_calibration.py --first 2305 --seeds 2
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
from mlscope_nb.predict import calibrate, cross_validate, train_model  # noqa: E402
from mlscope_nb.predict.calibrators import log_losses  # noqa: E402
from mlscope_nb.predict.reliabilities import intervals  # noqa: E402
from mlscope_nb.study.intervals import t_interval  # noqa: E402
from studies._record import record  # noqa: E402
from studies.predict_quantity import even_half  # noqa: E402

N_PLATES, WELLS, CELLS = 6, 16, 40
NEW_PLATES = 2
SCALES: tuple[tuple[Any, str], ...] = ((None, "raw"), ("standardize", "normalised"))
MEASURES = ("calibration error", "Brier score", "log loss")


def of_seed(seed: int) -> dict[str, dict[str, float]]:
    """Return the measures by scale of features, place of the test, and before or after calibration."""
    cells, _ = simulate(N_PLATES, WELLS, CELLS, seed=seed)
    cells = cells.with_features(measure(cells, progress=False))
    plates = sorted(set(cells.batches_of))
    is_new = cells.batches_of.isin(plates[-NEW_PLATES:])
    train = even_half(cells.subset(~is_new.to_numpy()), seed)
    places = {
        "other wells of known plates": cells.subset((~is_new & ~cells.ids.isin(train.ids)).to_numpy()),
        "new plates": even_half(cells.subset(is_new.to_numpy()), seed),
    }
    rows: dict[str, dict[str, float]] = {}
    for normalize, scale in SCALES:
        share: dict[str, Any] = {"normalize": normalize, "seed": seed}
        by = {**share, "baselines": False, "progress": False}
        held = {"same": cross_validate(train, **by), "new": cross_validate(train, by="batch", **by)}
        advised = calibrate(train, **share, **held)
        always = calibrate(train, **share, **held, always=True)
        model = train_model(train, **share)
        for place, tested in places.items():
            before = model.predict_proba(tested)
            tables = {"before": before, "after": advised.apply(before), "always": always.apply(before)}
            rows |= {f"{scale}, {place}, {when}": judged(table, tested) for when, table in tables.items()}
        temperatures = {"after": advised.temperature, "always": always.temperature}
        rows[f"{scale}, temperature"] = {k: float(v or np.nan) for k, v in temperatures.items()}
    return rows


def judged(table: pd.DataFrame, cells: Cells) -> dict[str, float]:
    """Return the measures of probabilities."""
    values = table.to_numpy(np.float64)
    truth = pd.Index(table.columns).get_indexer(pd.Index(cells.labels, dtype=object))
    error = intervals(values, truth, cells.units)["ece"].estimate
    brier = ((values - np.eye(values.shape[1])[truth]) ** 2).sum(axis=1).mean()
    return dict(zip(MEASURES, (error, float(brier), float(log_losses(values, truth).mean())), strict=True))


def figures(rows: dict[str, list[dict[str, float]]], seeds: list[int]) -> dict[str, Any]:
    """Return means over seeds, and what calibration changes with its interval over seeds."""
    found: dict[str, Any] = {"seeds": seeds}
    for name, listed in rows.items():
        table = pd.DataFrame(listed)
        found[name] = {column: table[column].mean() for column in table}
        place, _, when = name.rpartition(", ")
        if when in ("after", "always"):
            change = table - pd.DataFrame(rows[f"{place}, before"])
            found[f"{place}, {when} minus before"] = {c: str(t_interval(change[c].to_numpy())) for c in change}
            found[f"{place}, {when} minus before, each seed"] = {c: change[c].round(3).tolist() for c in change}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=2300, help="first seed")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(options.first, options.first + options.seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for name, row in of_seed(seed).items():
                rows.setdefault(name, []).append(row)
                print(seed, name, {k: round(v, 3) for k, v in row.items()}, flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        record("predict_calibration", figures(rows, list(range(options.first, seed + 1))))


if __name__ == "__main__":
    main()
