"""Are maps of a network right about small-place cues, on cells where it uses them, and better than trivial maps?

Each seed is a simulated study of nine plates; a network is trained on six (all its defaults) and explained on three,
which gives each phenotype six wells. Graded are responding cells of the two small-place phenotypes whose logit of the
true class falls by at least 1 when the cue is rendered away; intervals are over their wells. Maps of the same network
with all weights mixed up must do no better than the cue's share of the area. Wanted: at least two methods point right
with a rate at least 0.40 above the best trivial map (lower end of the interval above 0.25), or a trivial map is already
above 0.5; mixed up within 0.05 of the share; integrated gradients complete to 1 %; effect and planted strength go
together (Spearman at least 0.5).

.venv/bin/python studies/explain_grades.py [first_seed] [n_seeds] [model] [wells_per_plate] [cells_per_well]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.datasets.simulator.truth import Truth  # noqa: E402
from mlscope_nb.explain import attribute, causal_effect, completeness, grade, sanity_check  # noqa: E402
from mlscope_nb.explain.randomised import cascade  # noqa: E402
from mlscope_nb.predict import Network, train_network  # noqa: E402
from mlscope_nb.study import split  # noqa: E402
from studies._record import record  # noqa: E402

PHENOTYPES = ("micronucleus", "clustered")
METHODS: dict[str, dict[str, Any]] = {
    "gradient": {}, "smoothgrad": {}, "gradcam": {}, "occlusion": {}, "integrated_gradients": {},
    "gradcam, finest": {"method": "gradcam", "layer": "body.0"},
    "integrated_gradients, background": {"method": "integrated_gradients", "baseline": "background"},
    "integrated_gradients, 8 views": {"method": "integrated_gradients", "views": 8},
}  # fmt: skip
WANTED, LEAST_LOW, ENOUGH, NEAR_CHANCE, LEAST_SPEARMAN = 0.40, 0.25, 0.5, 0.05, 0.5
FEWEST = 5
N_PLATES, N_TEST = 9, 3
SANITY_CELLS = 40


def maps_of(network: Network, cells: Cells, ids: pd.Index, classes: pd.Series) -> dict[str, np.ndarray]:
    """Maps of the true class by each method, (N, Y, X) with nothing for cells that are not asked about."""
    found = {}
    for name, options in METHODS.items():
        if options.get("layer") and network.settings["model"] != "small":
            continue
        maps = np.zeros((len(cells), *cells.images.shape[2:]), np.float32)
        asked = {"method": name, **options, "ids": ids, "target": classes}
        maps[cells.ids.get_indexer(ids)] = attribute(network, cells, **asked)
        found[name] = maps
    return found


def forgetful(network: Network, seed: int) -> Network:
    """The network with all weights mixed up."""
    return list(cascade(network, 1, seed))[-1][1]


def short(table: pd.DataFrame, random: pd.DataFrame) -> dict[str, Any]:
    """Figures of one phenotype: each map's grades, and whether enough of them point right."""
    row: dict[str, Any] = {
        "cells graded": int(table["n_cells"].iloc[0]), "wells": int(table["n_units"].iloc[0]),
        "share graded": table["graded"].iloc[0], "share of the area": table["chance"].iloc[0],
    }  # fmt: skip
    methods = table[table["kind"] == "method"]
    right = (methods["above_trivial"] >= WANTED) & (methods["above_trivial_low"] > LEAST_LOW)
    easiest = table.loc[table["kind"] == "trivial", "pointing"]
    row |= {"methods that point right": int(right.sum()), "pointing cannot tell": bool(easiest.max() > ENOUGH)}
    row["best trivial"] = f"{easiest.idxmax()} {easiest.max():.2f}"
    off = (random["pointing"] - random["chance"])[random["kind"] == "method"].abs()
    row["mixed up, farthest from the share"] = f"{off.idxmax()} {off.max():.3f}"
    row["mixed up, near the share"] = int((off <= NEAR_CHANCE).sum())
    for name in methods.index:
        for what in ("pointing", "above_trivial", "above_trivial_low", "mass", "deletion", "insertion"):
            value = methods.loc[name, what]
            row[f"{name}: {what}"] = value if np.isfinite(value) else "too few wells"
        row[f"{name}: pointing, mixed up"] = random.loc[name, "pointing"]
    return row


def of_phenotype(
    network: Network, cells: Cells, truth: Truth, effect: pd.DataFrame, name: str, seed: int
) -> dict[str, Any] | str:
    """Grades of one phenotype, or why there are none."""
    shows = (truth.obs["phenotype"] == name) & (truth.obs["label"] == name) & (truth.obs["fault"] == "none")
    strength = truth.obs.loc[shows, "strength"]
    rank = spearmanr(effect.loc[shows, "effect"], strength)[0] if shows.sum() > 2 else np.nan
    used = cells.ids[(shows & (effect["effect"] >= 1)).to_numpy()]
    if len(used) < FEWEST:
        return f"{len(used)} of {int(shows.sum())} cells lose a logit without the cue: too few to grade"
    classes = effect.loc[used, "class"]
    evidence = truth.cues & shows.to_numpy()[:, None, None]
    maps = maps_of(network, cells, used, classes)
    wrong = maps_of(forgetful(network, seed), cells, used, classes)
    table = grade(maps, evidence, cells, effect=effect, network=network)
    random = grade(wrong, evidence, cells, effect=effect)
    rows = cells.ids.get_indexer(used)
    complete = completeness(network, cells, maps["integrated_gradients"][rows], ids=used, target=classes)
    row = {"cells that show it": int(shows.sum()), "largest completeness error": float(complete.max())}
    row["effect and strength, Spearman"] = float(rank) if np.isfinite(rank) else "one strength only"
    return row | short(table, random)


def of_seed(seed: int, model: str, wells: int, cells_per_well: int) -> dict[str, Any]:
    """Train on six plates, and grade on three."""
    cells, truth = simulate(N_PLATES, wells, cells_per_well, seed=seed)
    part = split(cells, by="plate", n_splits=N_PLATES // N_TEST, seed=seed)[0]
    start = time.process_time()
    network = train_network(cells.subset(part.train_ids), model=model)  # type: ignore[arg-type]
    trained = time.process_time()
    test, key = cells.subset(part.test_ids), truth.subset(part.test_ids)
    effect = causal_effect(network, test, key)
    found: dict[str, Any] = {"CPU seconds of training": trained - start}
    right = network.predict(test) == test.labels
    for name in PHENOTYPES:
        found[name] = {"recall": float(right[test.labels == name].mean())}
        grades = of_phenotype(network, test, key, effect, name, seed)
        found[name] |= {"not graded": grades} if isinstance(grades, str) else grades
    found["sanity"] = checked(network, test)
    found["CPU seconds of explaining"] = time.process_time() - trained
    return found


def checked(network: Network, cells: Cells) -> dict[str, str]:
    """What the sanity checks say of each method, on a few cells of every well."""
    each = cells.obs.groupby(cells.units.to_numpy(), sort=True).head(SANITY_CELLS // cells.units.nunique() + 1).index
    verdicts = {}
    for name, options in METHODS.items():
        if options or name == "occlusion":
            continue
        table = sanity_check(network, cells, name, ids=each, stages=2)  # type: ignore[arg-type]
        verdicts[name] = "; ".join(f"{r.check} {r.what}: {r.verdict} ({r.kept:.2f})" for r in table.itertuples())
    return verdicts


def main(first: int = 2000, n_seeds: int = 5, model: str = "small", wells: int = 16, cells_per_well: int = 40) -> None:
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, default doses, 6 to train on, 3 to explain"
    figures: dict[str, Any] = {"what": what, "model": model}
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            figures[f"seed {seed}"] = of_seed(seed, model, wells, cells_per_well)
        print(seed, figures[f"seed {seed}"], flush=True)
        record(f"explain_grades_{model}", figures | summary(figures))


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """In how many seeds the acceptance lines hold; where a phenotype could not be graded they do not."""
    seeds = [v for k, v in figures.items() if k.startswith("seed ")]
    counts: dict[str, Any] = {}
    for name in PHENOTYPES:
        rows = [seed[name] for seed in seeds]
        graded = [row for row in rows if "not graded" not in row]
        two = [row["methods that point right"] >= 2 or row["pointing cannot tell"] for row in graded]
        ranks = [row["effect and strength, Spearman"] for row in graded]
        strong = [rank for rank in ranks if not isinstance(rank, str) and rank >= LEAST_SPEARMAN]
        counts[f"{name}: graded"] = f"{len(graded)} of {len(rows)} seeds"
        counts[f"{name}: two methods point right, or pointing cannot tell"] = f"{sum(two)} of {len(rows)} seeds"
        counts[f"{name}: effect follows strength"] = f"{len(strong)} of {len(rows)} seeds"
    return {"held": counts}


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:2]), *given[2:3], *map(int, given[3:]))  # type: ignore[arg-type]
