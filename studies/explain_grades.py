"""Are maps of a network right about small-place cues, on cells where it uses them, and better than trivial maps?

Each seed is a simulated study of six plates; a network learns on three of them (all its defaults) to tell the controls
and the two treatments whose cue lies in a small place, and is explained on the other three, where each treatment has
six wells. All doses are the defaults but the strength, 1.8 instead of 1.15. At 1.15 some 500 cells teach the small
network clusters but no micronuclei (of one seed in five could any cell be graded); 3,200 do, as the network shows that
travels with mlscope, but take three minutes of two cores for each seed.
Graded are responding cells whose logit of the true class falls by at least 1 when the cue is rendered away, at most 4
of each well; intervals are over wells. Each method counts once, with its defaults; variants stand beside. Wanted: at
least two methods point right with a rate at least 0.40 above the best trivial map (lower end of the interval above
0.25), or a trivial map is already above 0.5 (brightness of all channels, edges, the middle; also counted with the
brightest place of one channel, of which `grade` says that pointing cannot tell there); integrated gradients complete
to 1 % (3 cells of each phenotype).

Once all weights are mixed up, maps should point right as often as the cue's share of what maps may point to, within
0.05. That is asked twice, of the mean over networks mixed up with different seeds. "cue not drawn": of the same cells
rendered without their cue, how often is the place where it would be pointed at? This is guessing. "mixed up": of the
cells as they are. What is above guessing there is what any network finds, because the cue is the brightest or finest
thing in the cell: methods that multiply with the picture (integrated gradients) or with an inner layer (Grad-CAM,
HiResCAM) show it most. "learned" is pointing minus that, over the same cells, with its lower end over wells. "beyond"
are maps less the mean strength of those of half of the forgotten networks; the other half say what these find then.

Effect and planted strength (Spearman, wanted at least 0.5) are asked three times. "labelled": all cells of the class,
also those that do not respond (no cue: strength and effect 0). "responders": those that do; at one dose they differ by
a quarter or so, and a network that is sure of the weakest has nothing left to follow. "doses": the same cells
simulated again with a tenth to one and a half times the default strength. Concepts: lassoed cells that show a
phenotype, and as many cells at random, each asked for its class (both phenotypes, so twice for each network). Variants,
deletion, insertion and sanity checks are slow: only with a sixth argument, "thorough", and of the last seed.

.venv/bin/python studies/explain_grades.py [first_seed] [n_seeds] [wells_per_plate] [cells_per_well] [folder] [thorough]

With a folder, trained networks are kept there, and taken from there the next time.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import replace
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
from mlscope_nb.explain import (  # noqa: E402
    attribute,
    beyond_forgotten,
    causal_effect,
    completeness,
    concepts,
    grade,
    mix_weights,
    sanity_check,
)
from mlscope_nb.explain.hits import Sign, pointing, strengths  # noqa: E402
from mlscope_nb.explain.trivial import SMOOTHED_PX  # noqa: E402
from mlscope_nb.features.pixels import PixelNormalizer  # noqa: E402
from mlscope_nb.predict import Network, train_network  # noqa: E402
from studies._record import record  # noqa: E402

PHENOTYPES = ("micronucleus", "clustered")
CLASSES = ("DMSO", *PHENOTYPES)
METHODS = ("gradient", "smoothgrad", "gradcam", "hirescam", "occlusion", "integrated_gradients")
VARIANTS: dict[str, dict[str, Any]] = {
    "gradient, one view": {"method": "gradient", "views": 1},
    "smoothgrad, noise of photographs": {"method": "smoothgrad", "noise": 0.1},
    "gradcam, finest layer": {"method": "gradcam", "layer": "body.0"},
    "hirescam, one view": {"method": "hirescam", "views": 1},
}
GRADES = ("pointing", "above_trivial", "above_trivial_low", "mass", "pointing_unsmoothed")
WANTED, LEAST_LOW, ENOUGH, NEAR_CHANCE, LEAST_SPEARMAN, COMPLETE = 0.40, 0.25, 0.5, 0.05, 0.5, 0.01
FEWEST, MOST_OF_A_WELL, DELETED_OF_A_WELL = 5, 4, 1
N_PLATES, N_TEST = 6, 3
COMPLETED = 3
MIXED, BARE, MIXED_OF_A_WELL = 24, 12, 2
LESS = ("integrated_gradients", "hirescam")
"""Methods that are also asked with the strength of half of the forgotten networks taken off, beside the other half."""
ROUGHLY: dict[str, Any] = {"tolerance": None, "steps": 8, "samples": 4, "patch_px": 6, "stride_px": 6}
"""Enough for maps of networks that know nothing."""
STRENGTH = 1.8
DOSES, DOSED_OF_A_WELL = (0.1, 0.2, 0.4, 0.7, 1.15, 1.8), 2
"""The default strength is 1.15."""
Rows = dict[str, Any]


def maps_of(
    network: Network, cells: Cells, classes: pd.Series, methods: dict[str, dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Maps of the true class by each method, (N, Y, X)."""
    return {name: attribute(network, cells, **options, target=classes) for name, options in methods.items()}


def some_of_each_well(cells: Cells, ids: pd.Index, n: int) -> pd.Index:
    """The first cells of each well."""
    units = cells.units.loc[ids]
    return ids[(units.groupby(units).cumcount() < n).to_numpy()]


def graded(network: Network, cells: Cells, evidence: np.ndarray, effect: pd.DataFrame, *, brief: bool) -> Rows:
    """What each method gets, how many point right, and whether a trivial map alone would do."""
    defaults = {name: {"method": name} for name in METHODS}
    # As many steps as 1 % takes are taken in a few cells only (`off`): where a map points they hardly change.
    defaults["integrated_gradients"] = {"method": "integrated_gradients", "tolerance": None}
    maps = maps_of(network, cells, effect["class"], defaults | ({} if brief else VARIANTS))
    table = grade(maps, evidence, cells, effect=effect)
    methods = table.loc[[name for name in METHODS if name in table.index]]
    right = (methods["above_trivial"] >= WANTED) & (methods["above_trivial_low"] > LEAST_LOW)
    easiest = table.loc[table["kind"] == "trivial", "pointing"]
    off = incomplete(network, cells, effect, cells.ids[:: max(1, len(cells) // COMPLETED)][:COMPLETED])
    row: Rows = {
        "cells graded": len(cells), "wells": int(table["n_units"].iloc[0]), "cue's share": table["chance"].iloc[0],
        "brightest place of each channel": {k: float(v) for k, v in table.attrs["brightest"].items()},
        "best trivial": f"{easiest.idxmax()} {easiest.max():.2f}", "methods that point right": int(right.sum()),
        "which": ", ".join(right.index[right]) or "none", "pointing cannot tell": bool(easiest.max() > ENOUGH),
        "largest completeness error": off,
    }  # fmt: skip
    for name in maps:
        row |= {f"{name}: {what}": known(table.loc[name, what]) for what in (GRADES if name in METHODS else GRADES[:3])}
    return row if brief else row | deleted(network, cells, maps, evidence, effect)


def deleted(
    network: Network, cells: Cells, maps: dict[str, np.ndarray], evidence: np.ndarray, effect: pd.DataFrame
) -> Rows:
    """What the logit loses with the pixels that maps call important, and without all others."""
    row: Rows = {}
    few = some_of_each_well(cells, cells.ids, DELETED_OF_A_WELL)
    at = cells.ids.get_indexer(few)
    chosen = {name: maps[name][at] for name in METHODS}
    holes = grade(chosen, evidence[at], cells.subset(few), effect=effect.loc[few], network=network)
    for what in ("deletion", "insertion"):
        row |= {f"{name}: {what}": float(holes.loc[name, what]) for name in (*METHODS, "edges")}
    return row


def incomplete(network: Network, cells: Cells, effect: pd.DataFrame, ids: pd.Index) -> float:
    """The largest completeness error of integrated gradients with all defaults."""
    asked = {"ids": ids, "target": effect.loc[ids, "class"]}
    maps = attribute(network, cells, method="integrated_gradients", **asked)
    return float(completeness(network, cells, maps, **asked).max())


def known(value: float) -> float | str:
    return float(value) if np.isfinite(value) else "too few wells"


def mixed_up(network: Network, cells: Cells, truth: Truth, evidence: np.ndarray, effect: pd.DataFrame) -> Rows:
    """How often maps of networks without knowledge point into the cue, and to its place where it is not drawn."""
    few = some_of_each_well(cells, cells.ids, MIXED_OF_A_WELL)
    some, there = cells.subset(few), evidence[cells.ids.get_indexer(few)]
    bare = some.with_images(truth.render(few, without="cue"))
    asked = effect.loc[few, "class"], {name: {"method": name, **ROUGHLY} for name in METHODS}
    forgetful = [mix_weights(network, seed=draw) for draw in range(MIXED)]
    shown = [maps_of(other, some, *asked) for other in forgetful]
    without = [maps_of(other, bare, *asked) for other in forgetful[:BARE]]
    blank = {name: np.stack([maps[name] for maps in shown]) for name in METHODS}
    own = maps_of(network, some, *asked)
    for name in LESS:
        taken, tested = blank[name][: MIXED // 2], blank[name][MIXED // 2 :]
        own[f"{name}, beyond"] = beyond_forgotten(own[name], taken)
        blank[f"{name}, beyond"] = np.stack([beyond_forgotten(maps, taken) for maps in tested])
    table = grade(own, there, some, effect=effect.loc[few], forgotten=blank)
    share = float(table["chance"].iloc[0])
    row: Rows = {"mixed up: cells": len(few), "mixed up: cue's share": share}
    for name in METHODS:
        drawn, bared = (pointed([maps[name] for maps in draws], name, some, there) for draws in (shown, without))
        row |= {
            f"{name}: pointing, mixed up": drawn.mean(),
            f"{name}: pointing, mixed up, error over networks": drawn.std(ddof=1) / np.sqrt(len(drawn)),
            f"{name}: pointing, mixed up, cue not drawn": bared.mean(),
            f"{name}: learned": float(table.loc[name, "learned"]),
            f"{name}: learned, low": known(table.loc[name, "learned_low"]),
            f"{name}: mixed up, near the share": bool(abs(drawn.mean() - share) <= NEAR_CHANCE),
            f"{name}: mixed up, cue not drawn, near the share": bool(abs(bared.mean() - share) <= NEAR_CHANCE),
        }
    return row | beyond(table, share)


def beyond(table: pd.DataFrame, share: float) -> Rows:
    """What is left of methods when the strength of forgotten networks is taken off, beside the same cells' best."""
    row: Rows = {}
    for name in (f"{name}, beyond" for name in LESS):
        row |= {f"{name}: {what}": known(table.loc[name, what]) for what in ("pointing", "forgotten", "learned_low")}
        above = [known(table.loc[name, what]) for what in ("above_trivial", "above_trivial_low")]
        row |= {f"{name}: above_trivial": above[0], f"{name}: above_trivial_low": above[1]}
        right = not isinstance(above[1], str) and above[0] >= WANTED and above[1] > LEAST_LOW
        row[f"{name}: points right"] = bool(right)
        row[f"{name}: mixed up, near the share"] = bool(abs(table.loc[name, "forgotten"] - share) <= NEAR_CHANCE)
    return row


def pointed(draws: list[np.ndarray], name: str, cells: Cells, evidence: np.ndarray) -> np.ndarray:
    """Return for each network how often its maps point into the evidence, looked at as `grade` does."""
    within = (np.asarray(cells.masks[:]) == 1) | evidence
    sign: Sign = "absolute" if name in ("gradient", "smoothgrad") else "positive"
    rates = [pointing(strengths(maps, sign, within, SMOOTHED_PX), evidence, within).mean() for maps in draws]
    return np.array(rates)


def on_their_scale(network: Network, cells: Cells) -> Network:
    """Return the network with the scale of these plates written down: controls need not come along any more."""
    normalizer = PixelNormalizer().fit(cells)
    return replace(network, pixels=replace(network.pixels, normalizer=normalizer))


def of_phenotype(network: Network, cells: Cells, truth: Truth, effect: pd.DataFrame, name: str, *, brief: bool) -> Rows:
    """Grades of one phenotype, or why there are none."""
    labelled = truth.obs["label"] == name
    shows = labelled & (truth.obs["phenotype"] == name) & (truth.obs["fault"] == "none")
    strength = truth.obs["strength"]
    effect = effect.assign(effect=effect["effect"].fillna(0.0))
    row: Rows = {
        "cells that show it": int(shows.sum()), "median effect": float(effect.loc[shows, "effect"].median()),
        "effect and strength, labelled": float(spearmanr(effect.loc[labelled, "effect"], strength[labelled])[0]),
        "effect and strength, responders": float(spearmanr(effect.loc[shows, "effect"], strength[shows])[0]),
    }  # fmt: skip
    able = cells.ids[(shows & (effect["effect"] >= 1)).to_numpy()]
    row["share that loses a logit"] = len(able) / max(int(shows.sum()), 1)
    if len(able) < FEWEST:
        return row | {"not graded": f"{len(able)} of {int(shows.sum())} cells lose a logit without the cue"}
    used = some_of_each_well(cells, able, MOST_OF_A_WELL)
    asked = cells.subset(used), truth.cues[cells.ids.get_indexer(used)], effect.loc[used]
    row |= graded(network, *asked, brief=brief)
    row |= mixed_up(network, asked[0], truth, *asked[1:])
    right = [name for name in row["which"].split(", ") if row.get(f"{name}: mixed up, near the share")]
    return row | {"methods that point right, and near the share when mixed up": len(right)}


def dosed(network: Network, seed: int, wells: int) -> dict[str, float]:
    """Spearman's correlation of effect and strength over the same cells with weak and strong cues, by phenotype."""
    tables = []
    for dose in DOSES:
        cells, truth = simulate(N_TEST, wells, DOSED_OF_A_WELL, seed=seed, strength=dose)
        ids = cells.ids[(truth.obs["responder"] & truth.obs["label"].isin(PHENOTYPES)).to_numpy()]
        tables.append(causal_effect(network, cells, truth, ids=ids).assign(strength=truth.obs.loc[ids, "strength"]))
    table = pd.concat(tables)
    return {str(n): float(spearmanr(part["effect"], part["strength"])[0]) for n, part in table.groupby("class")}


def trained(cells: Cells, seed: int, folder: Path | None) -> tuple[Network, float | str]:
    """The network of a seed, and the CPU seconds of its training."""
    file = None if folder is None else folder / f"grades_{seed}.pt"
    if file is not None and file.is_file():
        return Network.load(file), "trained before"
    start = time.process_time()
    network = train_network(cells)
    spent = time.process_time() - start
    if file is not None:
        network.save(file)
    return network, spent


def of_seed(seed: int, wells: int, cells_per_well: int, folder: Path | None, *, brief: bool) -> Rows:
    """Train on half of the plates, and grade on the others."""
    known = folder is not None and (folder / f"grades_{seed}.pt").is_file()
    # The same cells, whether plates follow or not.
    every, answers = simulate(N_TEST if known else N_PLATES, wells, cells_per_well, seed=seed, strength=STRENGTH)
    cells = every.subset(every.labels.isin(CLASSES).to_numpy())
    new = cells.obs["plate"].isin([f"P{k + 1}" for k in range(N_TEST)]).to_numpy()
    network, spent = trained(cells.subset(~new), seed, folder)
    start = time.process_time()
    test, key = cells.subset(new), answers.subset(cells.ids[new])
    network = on_their_scale(network, test)
    asked = test.ids[test.labels.isin(PHENOTYPES).to_numpy()]
    effect = causal_effect(network, test, key, ids=asked).reindex(test.ids)
    right = network.predict(test) == test.labels
    doses = dosed(network, seed, wells)
    found: Rows = {"CPU seconds of training": spent, "epochs": network.epochs, "accuracy": float(right.mean())}
    for name in PHENOTYPES:
        found[name] = {"recall": float(right[test.labels == name].mean())}
        found[name]["effect and strength, doses"] = doses[name]
        found[name] |= of_phenotype(network, test, key, effect, name, brief=brief)
        found[name] |= of_concepts(network, test, key, name, seed)
    if not brief:
        found["sanity"] = checked(network, test)
    found["CPU seconds of explaining"] = time.process_time() - start
    return found


def of_concepts(network: Network, cells: Cells, truth: Truth, name: str, seed: int) -> Rows:
    """Do cells that show a phenotype speak for its class, inside of the network, and as many others at random not?"""
    planted = truth.ids[(truth.obs["responder"] & (truth.obs["label"] == name)).to_numpy()]
    random = cells.ids[np.random.default_rng([seed, PHENOTYPES.index(name)]).permutation(len(cells))[: len(planted)]]
    found = concepts(network, cells, {"planted": planted, "random": random}, target=name, seed=seed)
    table = found.table.set_index("concept")
    row: Rows = {f"concept, {k}: significant": bool(table.loc[k, "significant"]) for k in table.index}
    return row | {f"concept, {k}: p": float(table.loc[k, "p_random"]) for k in table.index}


def checked(network: Network, cells: Cells) -> dict[str, str]:
    """What the sanity checks say of each method that is quick, on a few cells of every well."""
    each = some_of_each_well(cells, cells.ids, 1)
    verdicts = {}
    for name in ("gradient", "hirescam"):
        table = sanity_check(network, cells, name, ids=each, stages=2)  # type: ignore[arg-type]
        verdicts[name] = "; ".join(f"{r.check} {r.what}: {r.verdict} ({r.kept:.2f})" for r in table.itertuples())
    return verdicts


def main(
    first: int = 2000,
    n_seeds: int = 5,
    wells: int = 16,
    cells_per_well: int = 16,
    folder: Path | None = None,
    thorough: str = "",
) -> None:
    what = f"{N_PLATES} plates × {wells} wells × {cells_per_well} cells, strength {STRENGTH}, 3 plates to train on"
    figures: Rows = {"what": what, "seeds": f"{first} to {first + n_seeds - 1}"}
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            figures[f"seed {seed}"] = of_seed(
                seed, wells, cells_per_well, folder, brief=not thorough or seed < first + n_seeds - 1
            )
        print(seed, figures[f"seed {seed}"], flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        record("explain_grades", summary(figures) | figures)


def easy(row: Rows) -> float:
    """How often the brightest place of the channel that is best at it is right: whoever knows it needs no network."""
    return max(row["brightest place of each channel"].values())


def summary(figures: Rows) -> Rows:
    """In how many seeds the acceptance lines hold, of those in which the network uses the cue of enough cells."""
    seeds = [v for k, v in figures.items() if k.startswith("seed ")]
    counts: Rows = {}
    for name in PHENOTYPES:
        rows = [seed[name] for seed in seeds]
        able = [row for row in rows if "not graded" not in row]
        held = {
            "two methods point right, or pointing cannot tell": [
                row["methods that point right"] >= 2 or row["pointing cannot tell"] for row in able
            ],
            "two methods point right, or pointing cannot tell, also by the brightest place of one channel": [
                row["methods that point right"] >= 2 or row["pointing cannot tell"] or easy(row) > ENOUGH
                for row in able
            ],
            "two methods point right, and within 0.05 of the cue's share when mixed up": [
                row["methods that point right, and near the share when mixed up"] >= 2 for row in able
            ],
            "integrated gradients complete to 1 %": [row["largest completeness error"] <= COMPLETE for row in able],
        }
        for method in METHODS:
            for what in ("mixed up, near the share", "mixed up, cue not drawn, near the share"):
                held[f"{method}: {what}"] = [row[f"{method}: {what}"] for row in able]
            lows = [row[f"{method}: learned, low"] for row in able]
            held[f"{method}: points right by learning"] = [not isinstance(low, str) and low > 0 for low in lows]
        for method in (f"{method}, beyond" for method in LESS):
            for what in ("points right", "mixed up, near the share"):
                held[f"{method}: {what}"] = [row[f"{method}: {what}"] for row in able]
        for among in ("labelled", "responders", "doses"):
            asked = [row for row in rows if f"effect and strength, {among}" in row]
            ranks = [row[f"effect and strength, {among}"] for row in asked]
            held[f"effect follows strength, {among}"] = [rank >= LEAST_SPEARMAN for rank in ranks]
        for k in ("planted", "random"):
            held[f"concept, {k}: significant"] = [row[f"concept, {k}: significant"] for row in rows]
        counts[f"{name}: cells graded, of those that show it"] = ", ".join(
            f"{row['share that loses a logit']:.2f}" for row in rows
        )
        counts[f"{name}: graded"] = f"{len(able)} of {len(rows)} seeds"
        counts |= {f"{name}: {what}": f"{sum(yes)} of {len(yes)} seeds" for what, yes in held.items()}
    return {"held": counts}


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:4]), *map(Path, given[4:5]), *given[5:6])  # type: ignore[arg-type]
