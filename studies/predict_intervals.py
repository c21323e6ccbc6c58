"""Do intervals of a cross-validated score hold what the trained model does on new plates, or on new wells?

Feature tables with effects of class, plate, class on a plate, and well. A study is cross-validated with default
settings; the truth is the balanced accuracy of the model trained on the whole study, on many new plates (or on many
new wells of the same plates). "Of the procedure": the mean of that truth over studies with the same classes.
And labels that say nothing: what a random split makes of them, and what a grouped one does.

    python studies/predict_intervals.py                 # 400 studies for each target, 20 null permutations
    python studies/predict_intervals.py --studies 40    # a quick look
    python studies/predict_intervals.py --first 5000    # other seeds
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mlscope_nb as ms
from studies._record import record

NEW_PLATES, NEW_WELLS = 60, 200
STUDIES_PER_CLASSES = 10


@dataclass(frozen=True)
class Design:
    """What a study looks like, and how much everything differs (in standard deviations of cells)."""

    n_plates: int = 6
    n_wells: int = 8
    n_cells: int = 10
    n_classes: int = 2
    n_features: int = 6
    effect: float = 0.5
    plate: float = 0.5
    class_on_plate: float = 0.3
    well: float = 0.4
    mixed_wells: bool = False
    unequal: bool = False


PLATES = {
    "6 plates": Design(),
    "4 plates": Design(n_plates=4),
    "6 plates, classes look different on each": Design(class_on_plate=0.5, plate=1.0),
    "6 plates that hardly differ": Design(class_on_plate=0.0, plate=0.1, well=0.2),
    "12 plates, 3 classes": Design(n_plates=12, n_classes=3, n_wells=6),
    "8 plates of unequal size, labels vary within wells": Design(n_plates=8, mixed_wells=True, unequal=True),
    "3 plates": Design(n_plates=3, n_wells=12),
    "5 plates, 30 features": Design(n_plates=5, n_features=30, n_wells=12),
}
WELLS = {
    "4 plates of 12 wells": Design(n_plates=4, n_wells=12),
    "1 plate of 16 wells": Design(n_plates=1, n_wells=16),
    "wells that differ strongly": Design(n_plates=4, n_wells=12, well=1.0),
    "labels vary within wells": Design(n_plates=3, n_wells=10, mixed_wells=True),
    "3 classes, unequal wells": Design(n_plates=3, n_wells=12, n_classes=3, unequal=True),
}


def draw(rng: np.random.Generator, design: Design, centres: np.ndarray, shifts: np.ndarray, first: int = 0) -> ms.Cells:
    """Return cells on plates with given shifts (plates, classes, features)."""
    rows, values = [], []
    for p, shift in enumerate(shifts, start=first):
        n_wells = int(rng.integers(design.n_wells // 2, 2 * design.n_wells)) if design.unequal else design.n_wells
        for w in range(max(n_wells, design.n_classes)):
            n = int(rng.integers(3, 2 * design.n_cells)) if design.unequal else design.n_cells
            label = rng.integers(0, design.n_classes, n) if design.mixed_wells else np.full(n, w % design.n_classes)
            well = design.well * rng.normal(size=design.n_features)
            values.append(centres[label] + shift[label] + well + rng.normal(size=(n, design.n_features)))
            rows += [(f"p{p}", f"w{w}", f"class {k}") for k in label]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    names = [f"feature {chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(design.n_features)]
    table = pd.DataFrame(np.concatenate(values), index=obs.index, columns=names)
    return ms.Cells(obs, features=table, label="drug", unit=("plate", "well"), batch="plate")


def shifts_of(rng: np.random.Generator, design: Design, n: int) -> np.ndarray:
    whole = design.plate * rng.normal(size=(n, 1, design.n_features))
    return whole + design.class_on_plate * rng.normal(size=(n, design.n_classes, design.n_features))


def one_study(seed: int, design: Design, target: str) -> dict[str, float]:
    """Return the interval of one study and the truth it is about."""
    classes = np.random.default_rng([seed // STUDIES_PER_CLASSES, design.n_features, design.n_classes])
    centres = design.effect * classes.normal(size=(design.n_classes, design.n_features))
    rng = np.random.default_rng([seed, 1])
    shifts = shifts_of(rng, design, design.n_plates)
    cells = draw(rng, design, centres, shifts)
    by = "plate" if target == "plates" else None
    found = ms.predict.cross_validate(cells, by=by, baselines=False, progress=False)
    larger = replace(design, n_cells=10, unequal=False)
    if target == "plates":
        new = draw(rng, larger, centres, shifts_of(rng, design, NEW_PLATES))
    else:
        new = draw(rng, replace(larger, n_wells=max(NEW_WELLS // design.n_plates, 20)), centres, shifts)
    said = ms.predict.train_model(cells).predict(new)
    truth = float((said == new.labels).groupby(new.labels).mean().mean())
    low, high = found.interval.low, found.interval.high
    return {"seed": seed, "estimate": found.balanced_accuracy, "low": low, "high": high, "truth": truth}


def coverage(rows: pd.DataFrame) -> dict[str, Any]:
    """Return how often intervals hold the truth of their own study, and that of the procedure."""
    group = rows["seed"] // STUDIES_PER_CLASSES
    usual = rows["truth"].groupby([rows["design"], group]).transform("mean")
    return {
        "studies": len(rows),
        "coverage": float(rows["truth"].between(rows["low"], rows["high"]).mean()),
        "coverage of the procedure": float(usual.between(rows["low"], rows["high"]).mean()),
        "median width": float((rows["high"] - rows["low"]).median()),
        "mean estimate": float(rows["estimate"].mean()),
        "mean truth": float(rows["truth"].mean()),
    }


def null_labels(n: int, seed: int) -> dict[str, Any]:
    """Return the scores of a forest on labels exchanged between wells, split at random and by wells."""
    design = Design(n_plates=4, n_wells=12, n_cells=20, n_features=20, effect=0.0, class_on_plate=0.0, well=1.0)
    rng = np.random.default_rng([seed, 2])
    cells = draw(rng, design, np.zeros((2, 20)), shifts_of(rng, design, 4))
    scores: dict[str, list[float]] = {"random split": [], "split by wells": []}
    for labels in ms.study.permute_labels(cells, n, seed=seed):
        null = cells.with_obs(labels)
        for name, by in (("random split", "cell"), ("split by wells", None)):
            found = ms.predict.cross_validate(null, "forest", by, n_splits=5, baselines=False, progress=False)
            scores[name].append(found.balanced_accuracy)
    words = {"permutations": n, "wells": 48, "cells per well": 20}
    return {**words, **{k: {"mean": np.mean(v), "lowest": min(v), "highest": max(v)} for k, v in scores.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="for each target, shared by its designs")
    parser.add_argument("--permutations", type=int, default=20)
    parser.add_argument("--first", type=int, default=2000, help="first seed")
    options = parser.parse_args()
    figures: dict[str, Any] = {"what": "95 % intervals of balanced accuracy, logistic, default settings"}
    for target, designs in (("plates", PLATES), ("wells", WELLS)):
        rows: list[dict[str, Any]] = []
        for number in range(-(-options.studies // len(designs))):
            rows += [
                {"design": name, **one_study(options.first + number, design, target)}
                for name, design in designs.items()
            ]
            if number % STUDIES_PER_CLASSES == STUDIES_PER_CLASSES - 1:
                figures[f"new {target}"] = summary(pd.DataFrame(rows))
                record("predict_intervals", figures)
                print(target, number + 1, figures[f"new {target}"]["all designs"], flush=True)
        figures[f"new {target}"] = summary(pd.DataFrame(rows))
        record("predict_intervals", figures)
    if options.permutations:
        figures["null labels, forest"] = null_labels(options.permutations, options.first)
    record("predict_intervals", figures)


def summary(rows: pd.DataFrame) -> dict[str, Any]:
    return {"all designs": coverage(rows)} | {name: coverage(part) for name, part in rows.groupby("design", sort=False)}


if __name__ == "__main__":
    main()
