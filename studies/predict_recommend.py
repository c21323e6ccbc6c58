"""Is what `recommend` advises worth more than always giving one and the same advice?

Simulated studies of varied size, shift, content and nulls (`_recommend_designs.py`). Defined before any was looked at:

*Worth.* Every option of a study is followed to its end and judged on four new plates of the same population, which
neither the advice nor the training has seen. Balanced accuracy there, minus the reference: the best of guessing and of
the baselines that never look at the cell, trained on the same wells and tested on the same new plates. Every action
costs 0.05 of balanced accuracy, which is what `recommend` itself calls worth acting on (`WORTH`):

- a model ("classical", "pretrained", "classical and pretrained", "self-supervised", "small network", "fine-tuned"):
  its score minus the reference minus 0.05 for following it up; minus 0.01 more where an installed network is needed,
  0.02 where one has to be trained. Labels that mean nothing bring chance, so that acting on a null costs 0.05.
- "get more units": twice the wells, on the same plates and (nested) in the same layout; then the feature model that
  cross-validation of the study liked best ("classical" where none was run), or none where that is worth less than
  nothing; minus 0.05 for the wells.
- "not identifiable": as many wells on the same plates, now with all classes on each; then as above, minus 0.05.
  Where the classes stood on each plate already, the repeated study is the study itself.
- "nothing here beats the baseline": stop. 0.

*Regret.* The worth of the best option minus that of the chosen one. "Always the same" takes one option in every study.
Networks are trained (few epochs, the same for advice and judgement) in a few studies; in all others "always a network"
is given the worth of the best feature model there, which flatters it. "Right" counts the studies in which an option is
worth most, and those of them where it was chosen.

    python studies/predict_recommend.py                   # seeds from 2300 on, one for each design
    python studies/predict_recommend.py --resume          # goes on where a run was interrupted
    python studies/predict_recommend.py --first 100       # other seeds
    python studies/predict_recommend.py --only nested     # designs whose names hold these words; nothing is recorded
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mlscope_nb as ms
from mlscope_nb import Cells
from mlscope_nb.predict.advice import WORTH, recommend
from mlscope_nb.predict.candidates import Runner
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.recommendation import DO_NOT, MORE_UNITS, NOT_IDENTIFIABLE, NOTHING
from mlscope_nb.study.splits import Split
from studies._recommend_designs import DESIGNS, NETWORKS, Design
from studies._record import circumstances, record, write_atomically

NEW_PLATES = 4
EPOCHS = 25
ROWS = Path(__file__).resolve().parent / "results" / "predict_recommend.csv"
BOTH = "classical and pretrained"
ON_FEATURES = ("classical", "pretrained", BOTH)
MORE_COST = {"classical": 0.0, "pretrained": 0.01, BOTH: 0.01} | dict.fromkeys(NETWORKS, 0.02)
OPTIONS = (*ON_FEATURES, *NETWORKS, MORE_UNITS, NOT_IDENTIFIABLE, NOTHING)


@dataclass(frozen=True, eq=False)
class Population:
    """All wells that were drawn: those of the study, as many more on its plates, and new plates."""

    cells: Cells
    design: Design

    @cached_property
    def wells(self) -> pd.DataFrame:
        """One row per well: plate, label, number of the plate, place among the wells of its class on the plate."""
        found = self.cells.obs.drop_duplicates(["plate", "well"])[["plate", "well", "label"]]
        found["number"] = pd.factorize(found["plate"])[0]
        found["place"] = found.groupby(["plate", "label"]).cumcount()
        found["of"] = found.groupby(["plate", "label"])["well"].transform("size")
        return found

    def part(self, *, nested: bool, doubled: bool) -> pd.Index:
        """Return the cells of a study on the old plates: half of the wells of each class, or all of them."""
        wells = self.wells
        chosen = wells["number"] < self.design.n_plates
        if not doubled:
            chosen &= wells["place"] < np.maximum(wells["of"] // 2, 1)
        if nested:
            classes = sorted(wells["label"].unique())
            chosen &= wells["label"].to_numpy() == np.array(classes)[wells["number"] % len(classes)]
        return self._of(wells[chosen])

    @property
    def new(self) -> pd.Index:
        """The cells of plates that no study has seen."""
        return self._of(self.wells[self.wells["number"] >= self.design.n_plates])

    def _of(self, wells: pd.DataFrame) -> pd.Index:
        wanted = pd.MultiIndex.from_frame(wells[["plate", "well"]])
        return self.cells.ids[pd.MultiIndex.from_frame(self.cells.obs[["plate", "well"]]).isin(wanted)]


def drawn(design: Design, seed: int) -> Population:
    """Draw all plates, and measure and embed every cell once."""
    cells, _ = ms.datasets.simulate(
        design.n_plates + NEW_PLATES, design.wells, design.n_cells, seed=seed, **design.doses
    )
    if design.labels == "exchanged":
        cells = cells.with_obs(exchanged(cells, seed))
    if design.classes:
        cells = cells.subset(cells.labels.isin(["DMSO", *design.classes]).to_numpy())
    cells = reduced(cells, design)
    measured = ms.features.measure(cells, progress=False)
    population = Population(cells.with_features(measured), design)
    study = population.cells.subset(population.part(nested=design.labels == "nested", doubled=False))
    kept = ms.features.select(study).table().columns
    if design.given == "intensities":
        kept = kept[kept.str.contains("_MeanIntensity_")]
    table = measured[kept]
    if design.given == "table":
        return Population(build(cells, None, None, features=table), design)
    if design.pretrained:
        table = pd.concat([table, ms.features.embed_pretrained(cells, cache=False)], axis=1)
    return Population(cells.with_features(table), design)


def exchanged(cells: Cells, seed: int) -> pd.Series:
    """Return the labels of whole wells exchanged within each plate."""
    rng = np.random.default_rng([seed, 3])
    wells = cells.obs.drop_duplicates(["plate", "well"]).set_index(["plate", "well"])["label"]
    mixed = wells.groupby(level="plate").transform(lambda labels: rng.permutation(labels.to_numpy()))
    keys = pd.MultiIndex.from_frame(cells.obs[["plate", "well"]])
    return pd.Series(mixed.reindex(keys).to_numpy(), index=cells.ids, name="label")


def reduced(cells: Cells, design: Design) -> Cells:
    """Return the cells with the channels and masks that the user has; a guess where there are no masks."""
    names = list(design.channels or cells.channels)
    if names == list(cells.channels) and design.masks:
        return cells
    images = np.asarray(cells.images)[:, [list(cells.channels).index(n) for n in names]]
    found = build(cells, images, cells.masks if design.masks else None, channels=names)
    return found if design.masks else found.with_masks(ms.features.foreground(found, progress=False))


def build(cells: Cells, images: Any, masks: Any, **more: Any) -> Cells:
    role = cells.design
    roles = {"label": role.label, "unit": role.unit, "batch": role.batch, "control": role.control}
    return Cells(cells.obs, images, masks=masks, treatment=role.treatment, **roles, **more)


@dataclass(frozen=True, eq=False)
class Judge:
    """What a model trained on some wells does on the new plates."""

    population: Population
    train: pd.Index

    @cached_property
    def runner(self) -> Runner:
        """Trains on the study and tests on the new plates."""
        new = self.population.new
        cells = self.population.cells
        both = cells.subset(cells.ids.isin(self.train.union(new)))
        parts = [Split(self.train, new, "plate")]
        return Runner(both, None, "standardize", 0, 0.95, 0, False, epochs=EPOCHS, splits=parts)

    def score(self, name: Any) -> float:
        """Return the balanced accuracy of a model on the new plates."""
        return (self.classical if name == "classical" else self.runner.run(name, baselines=False)).balanced_accuracy

    @cached_property
    def classical(self) -> Evaluation:
        """The simplest model, with the baselines of the same wells."""
        return self.runner.run("classical")

    @property
    def reference(self) -> float:
        """The best of guessing and of what never looks at the cell."""
        return float(max(self.classical.baselines["balanced_accuracy"].max(), self.chance))

    @property
    def chance(self) -> float:
        """What guessing gives."""
        return 1 / self.population.cells.labels.nunique()

    def worth(self, name: Any) -> float:
        """Return what following a model is worth."""
        return self.score(name) - self.reference - WORTH - MORE_COST[name]

    def followed(self, name: Any) -> float:
        """Return the worth of a further study: the model where it is worth more than nothing, minus the price."""
        return max(0.0, self.worth(name)) - WORTH


def offered(design: Design) -> tuple[Any, ...]:
    return ON_FEATURES if design.given != "table" and design.pretrained else ("classical",)


def worths(population: Population, liked: str) -> dict[str, float]:
    """Return what each option is worth; networks only where they are offered."""
    design = population.design
    nested = design.labels == "nested"
    study = Judge(population, population.part(nested=nested, doubled=False))
    found = {name: study.worth(name) for name in (*offered(design), *design.networks)}
    found[MORE_UNITS] = Judge(population, population.part(nested=nested, doubled=True)).followed(liked)
    again = Judge(population, population.part(nested=False, doubled=False)) if nested else study
    found[NOT_IDENTIFIABLE] = again.followed(liked)
    return {**found, NOTHING: 0.0}


def one_study(name: str, seed: int) -> dict[str, Any]:
    """Return the advice for one study, and what every option would have been worth."""
    began = time.process_time()
    design = DESIGNS[name]
    population = drawn(design, seed)
    cells = population.cells.subset(population.part(nested=design.labels == "nested", doubled=False))
    names = [*offered(design), *design.networks]
    advice = recommend(cells, candidates=names, epochs=EPOCHS, progress=False)
    tried = advice.options.reindex([*offered(design)]).get("balanced_accuracy", pd.Series(dtype=float)).dropna()
    worth = worths(population, str(tried.idxmax()) if len(tried) else "classical")
    best = max(worth, key=lambda option: worth[option])
    return {
        "seed": seed,
        "cells": len(cells),
        "wells": int(cells.units.nunique()),
        "null": design.null,
        "chosen": advice.choice,
        "best": best,
        "regret": worth[best] - worth[advice.choice],
        "worth": worth,
        "answers": advice.reasons["answer"].to_dict(),
        "commit": circumstances()["commit"][:9],
        "CPU seconds": time.process_time() - began,
    }


def always(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the mean regret of each option taken in every study."""
    rows = []
    for one in found.values():
        worth = one["worth"]
        models = max(worth[n] for n in ON_FEATURES if n in worth)
        # Tables without images offer one model only, so every model is that one there.
        rows.append({o: max(worth.values()) - worth.get(o, models) for o in OPTIONS})
    return pd.DataFrame(rows).mean().to_dict()


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    table = pd.DataFrame(found).T
    nulls = table[table["null"].astype(bool)]
    constants = always(found)
    best = min(constants, key=lambda option: constants[option])
    right = {
        option: f"best in {(table['best'] == option).sum()}, chosen in {(table['chosen'] == option).sum()}, "
        f"both in {((table['best'] == option) & (table['chosen'] == option)).sum()}"
        for option in OPTIONS
    }
    return {
        "what": "worth of the chosen option on new plates; definitions in the script",
        "studies": f"{len(table)} of {len(DESIGNS)} designs",
        "measured at commits": table["commit"].fillna("earlier ones").value_counts().to_dict(),
        "mean regret of recommend": float(table["regret"].astype(float).mean()),
        "largest regret of recommend": float(table["regret"].astype(float).max()),
        "mean regret of the best constant choice": {best: constants[best]},
        "'do not' in nulls": f"{nulls['chosen'].isin(DO_NOT).sum()} of {len(nulls)}",
        "best option chosen": f"{(table['best'] == table['chosen']).sum()} of {len(table)}",
        "mean regret of always the same": constants,
        "options": right,
        "best in fewer than two": [option for option in OPTIONS if (table["best"] == option).sum() < 2] or "none",
    }


def kept(file: Path) -> dict[str, dict[str, Any]]:
    """Return the studies of an interrupted run."""
    rows = {name: row.dropna() for name, row in pd.read_csv(file, index_col="design", dtype={"commit": str}).iterrows()}
    return {
        str(name): {
            **row.drop(row.index.intersection(OPTIONS)).to_dict(),
            "worth": row[row.index.intersection(OPTIONS)].to_dict(),
        }
        for name, row in rows.items()
    }


def keep(found: dict[str, dict[str, Any]], file: Path) -> None:
    """Write one row for each study, to go on from and to look at."""
    rows = {
        name: {k: v for k, v in one.items() if k not in ("worth", "answers")} | one["worth"]
        for name, one in found.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("design").round(4)
    write_atomically(file, table.to_csv())


def line(one: dict[str, Any]) -> str:
    """Return one study in a line: what was chosen, what would have been best, and what everything was worth."""
    worth = ", ".join(f"{option} {value:.3f}" for option, value in one["worth"].items())
    size = f"{one['cells']} cells, {one['wells']} wells, seed {one['seed']}"
    return f"chosen: {one['chosen']}; best: {one['best']}; regret {one['regret']:.3f}; worth: {worth} ({size})"


def main() -> None:
    warnings.simplefilter("ignore", UserWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=2300, help="first seed; each design has the next one")
    parser.add_argument("--only", default="", help="designs whose names hold these words")
    parser.add_argument("--resume", action="store_true", help="keep the studies that an interrupted run finished")
    options = parser.parse_args()
    found = kept(ROWS) if options.resume and ROWS.exists() else {}
    # Those in which networks are trained take longest, so they come last; seeds follow the list.
    order = sorted(enumerate(DESIGNS), key=lambda pair: bool(DESIGNS[pair[1]].networks))
    for number, name in order:
        if options.only not in name or name in found:
            continue
        found[name] = one = one_study(name, options.first + number)
        print(f"{name}: {one['chosen']} (best: {one['best']}, regret {one['regret']:.3f})", flush=True)
        if options.only:
            print({k: round(v, 3) for k, v in one["worth"].items()}, one["answers"], round(one["CPU seconds"]))
        else:
            keep(found, ROWS)
            record("predict_recommend", {**summary(found), "each": {n: line(row) for n, row in found.items()}})


if __name__ == "__main__":
    main()
