"""Are p-values and intervals over units honest? Null studies and coverage, for designs that biologists have.

    python studies/study_null.py                 # 600 null studies a design, 600 intervals a figure
    python studies/study_null.py --studies 200   # a quick look

In a null study classes do not differ, but wells (donors, plates) do. Beside the tests of `mlscope_nb.study` stand
what is done every day: a t-test that takes every cell as independent, and one over wells that forgets the plates.
Its figures are written to results/study_null.json and RESULTS.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb import study
from mlscope_nb.cells import Cells
from studies._record import record

LEVEL = 0.05
COUNTS = (3, 4, 6, 8, 12, 20)
TRUE_ACCURACY = 0.8
Draw = Callable[[np.random.Generator, int], np.ndarray]
EFFECTS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed (exponential)": lambda rng, n: rng.exponential(size=n) - 1,
    "very skewed (lognormal)": lambda rng, n: rng.lognormal(size=n) - np.exp(0.5),
}


def wells_one_plate(rng: np.random.Generator, draw: Draw) -> tuple[Cells, pd.Series]:
    """12 wells, 6 of each class, no plates."""
    return _study(rng, draw, plate=np.zeros(12, int), label=np.arange(12) % 2, batch=None, plate_sd=0)


def wells_on_plates(rng: np.random.Generator, draw: Draw) -> tuple[Cells, pd.Series]:
    """4 plates that differ, 6 wells on each, both classes on each plate."""
    return _study(rng, draw, plate=np.repeat(np.arange(4), 6), label=np.arange(24) % 2)


def unequal_wells_on_plates(rng: np.random.Generator, draw: Draw) -> tuple[Cells, pd.Series]:
    """4 plates, 2 wells of one class and 6 of the other on each (controls are few)."""
    return _study(rng, draw, plate=np.repeat(np.arange(4), 8), label=(np.arange(32) % 8 > 1).astype(int))


def plates_of_one_class(rng: np.random.Generator, draw: Draw) -> tuple[Cells, pd.Series]:
    """10 plates that differ, each of one class: whole plates are compared."""
    return _study(rng, draw, plate=np.repeat(np.arange(10), 4), label=np.repeat(np.arange(10), 4) % 2)


def classes_within_donors(rng: np.random.Generator, draw: Draw) -> tuple[Cells, pd.Series]:
    """8 donors, both classes in each, and donors that answer differently."""
    part = np.arange(16)
    cells, values = _study(rng, draw, plate=part // 2, label=part % 2, plate_sd=1)
    return cells.with_design(unit="plate", batch=None), values


DESIGNS = (wells_one_plate, wells_on_plates, unequal_wells_on_plates, plates_of_one_class, classes_within_donors)


def _study(
    rng: np.random.Generator,
    draw: Draw,
    *,
    plate: np.ndarray,
    label: np.ndarray,
    batch: str | None = "plate",
    plate_sd: float = 1.0,
) -> tuple[Cells, pd.Series]:
    sizes = rng.integers(10, 60, len(plate))
    well = np.repeat(np.arange(len(plate)), sizes)
    level = plate_sd * draw(rng, plate.max() + 1)[plate] + draw(rng, len(plate))
    obs = pd.DataFrame({"well": well, "plate": plate[well], "label": np.array(["a", "b"])[label][well]})
    obs.index = pd.Index([f"c{i}" for i in range(len(well))])
    values = pd.Series(level[well] + rng.normal(0, 1.5, len(well)), index=obs.index)
    return Cells(obs, unit="well", batch=batch, label="label"), values


def naive_p(values: pd.Series, labels: pd.Series) -> float:
    """Student's t over cells, as if each were independent."""
    return float(stats.ttest_ind(values[labels == "a"], values[labels == "b"]).pvalue)


def rejections(n_studies: int, seed: int) -> dict[str, Any]:
    """Share of null studies called significant at 5 %, by design, distribution and test."""
    figures: dict[str, Any] = {}
    for design in DESIGNS:
        for effect, draw in list(EFFECTS.items())[:2]:
            rng = np.random.default_rng(seed)
            hits: dict[str, list[bool]] = {}
            for k in range(n_studies):
                cells, values = design(rng, draw)
                ignoring = study.difference_interval(values, cells, within=None)
                for name, hit in {
                    "permutation_test": study.permutation_test(values, cells, n=199, seed=k).p_value <= LEVEL,
                    "difference_interval": study.difference_interval(values, cells).excludes(0),
                    "t over cells (wrong)": naive_p(values, cells.labels) <= LEVEL,
                    "batches ignored (within=None)": ignoring.excludes(0),
                }.items():
                    hits.setdefault(name, []).append(bool(hit))
            words = str(design.__doc__).rstrip(".").replace("\n", " ")
            figures[f"{words}; {effect} effects"] = {name: share(found) for name, found in hits.items()}
    return figures


def coverage(n_intervals: int, seed: int) -> dict[str, Any]:
    """How often 95 % intervals of the mean hold it, and how wide they are, by number of units."""
    figures: dict[str, Any] = {}
    for effect, draw in EFFECTS.items():
        for method in ("t_interval", "auto", "bca", "percentile"):
            found = [_coverage(n, draw, method, n_intervals, seed) for n in COUNTS]
            figures[f"{effect}; {method}"] = {
                "held the mean": [round(held, 4) for held, _ in found],
                "median width / (sd / sqrt n)": [round(width, 2) for _, width in found],
            }
    return figures


def _coverage(n: int, draw: Draw, method: str, n_intervals: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng([seed, n])
    held, widths = [], []
    scale = float(np.std(draw(np.random.default_rng(0), 10**6))) / np.sqrt(n)
    for k in range(n_intervals):
        # One number per unit: how cells are averaged to it is exact, and tested in tests/study.
        means = draw(rng, n)
        if method == "t_interval":
            found = study.t_interval(means)
        else:
            found = study.bootstrap_interval(means, method=method, n_resamples=1000, seed=k)
        held.append(not found.excludes(0))
        widths.append(found.high - found.low)
    return float(np.mean(held)), float(np.median(widths)) / scale


def accuracy_coverage(n_intervals: int, seed: int) -> dict[str, Any]:
    """The same for the accuracy of predictions over all cells, wells differing in accuracy (sd 0.1)."""
    figures = {}
    for method in ("auto", "bca", "percentile"):
        found = []
        for n in COUNTS:
            rng, held = np.random.default_rng([seed, n]), []
            for k in range(n_intervals):
                right = rng.random((n, 30)) < rng.beta(12, 3, n)[:, None]
                table, units = pd.DataFrame({"right": right.ravel()}), np.repeat(np.arange(n), 30)
                interval = study.bootstrap_interval(
                    table, units, _accuracy, method=method, n_resamples=200, bounds=(0, 1), seed=k
                )
                held.append(not interval.excludes(TRUE_ACCURACY))
            found.append(round(float(np.mean(held)), 4))
        figures[f"accuracy of a table; {method}"] = {"held the truth": found}
    return figures


def _accuracy(table: pd.DataFrame) -> float:
    return float(table["right"].to_numpy().mean())


def share(hits: list[bool]) -> str:
    """A share with its standard error: '0.051 ± 0.005 (102 of 2000)'."""
    rate = float(np.mean(hits))
    return f"{rate:.4f} ± {np.sqrt(rate * (1 - rate) / len(hits)):.4f} ({sum(hits)} of {len(hits)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=600, help="null studies a design; intervals a figure")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    figures = {
        "null studies called significant at 5 %": rejections(options.studies, options.seed),
        f"95 % intervals over {', '.join(map(str, COUNTS))} units": {
            "intervals a figure": options.studies,
            **coverage(options.studies, options.seed),
            "intervals a figure, accuracy": max(options.studies // 3, 20),
            **accuracy_coverage(max(options.studies // 3, 20), options.seed),
        },
    }
    print(record("study_null", figures))


if __name__ == "__main__":
    main()
