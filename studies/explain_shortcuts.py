"""Do exchanged regions catch a network that goes by a mark in a corner, and leave one alone that goes by the cell?

Each seed is two simulated studies of four plates, three to learn from, one to ask about. In the first the treatment
does nothing, but 95 % of its cells carry a faint ring in the lower left corner: a network that tells it from the
controls can only go by the ring. In the second the treatment does what it does, and there are no rings. Crops are not
turned in these trainings, for a corner is turned out of the picture; all else is the default of `train_network`. Both
networks are asked about a plate that they have not seen, with rings: how often does the corner of a treated cell turn
the answer about a control (wanted: at least 0.80 in the first network, and in the second at most 0.10 more than the
corner of another control does), which region does the report name, and what do accuracy and maps say of the same
network? Maps may point anywhere in the crop; right is a pixel of the ring.

.venv/bin/python studies/explain_shortcuts.py [first_seed] [n_seeds] [wells_per_plate] [cells_per_well] [folder]

With a folder, trained networks are kept there, and taken from there the next time.
"""

from __future__ import annotations

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
from mlscope_nb.datasets.simulator.truth import Truth  # noqa: E402
from mlscope_nb.explain import attribute, causal_effect, counterfactual, grade  # noqa: E402
from mlscope_nb.features.augmentations import Augmentation  # noqa: E402
from mlscope_nb.predict import Network, train_network  # noqa: E402
from mlscope_nb.predict.image_model import AUGMENTATION  # noqa: E402
from studies._record import record  # noqa: E402

N_PLATES, NEW = 4, "P1"
TREATMENT, CORNER = "micronucleus", "lower left corner"
MARKS: dict[str, Any] = {"shortcut": 0.95, "tied_to": TREATMENT}
NO_EFFECT = {"strength": 0.0}
EPOCHS = 40
"""The ring is found after one or two dozen. With 25 epochs and 288 cells the corner turned all answers on seed 2000 and
half of them on seed 2001, whose network took a third of its own answers from the ring, and neither clean network was
good (0.66 and 0.56 right): trained longer since, on other seeds."""
ASKED, MAPPED = 48, 16
METHODS = ("gradient", "smoothgrad", "gradcam", "hirescam", "occlusion", "integrated_gradients")
ENOUGH, NO_MORE = 0.80, 0.10
Row = dict[str, Any]


def study(n_plates: int, wells: int, cells_per_well: int, seed: int, **doses: Any) -> tuple[Cells, Truth]:
    """Controls and one treatment of a simulated study."""
    cells, truth = simulate(n_plates, wells, cells_per_well, seed=seed, **doses)
    ids = cells.ids[cells.labels.isin(["DMSO", TREATMENT]).to_numpy()]
    return cells.subset(ids), truth.subset(ids)


def trained(name: str, cells: Cells, seed: int, folder: Path | None) -> Network:
    """The network of a seed."""
    file = None if folder is None else folder / f"shortcut_{name}_{seed}.pt"
    if file is not None and file.is_file():
        return Network.load(file)
    still = Augmentation(**(AUGMENTATION | {"turn": 0.0}))
    options: dict[str, Any] = {"masked": False, "augmentation": still, "stop_early": False, "epochs": EPOCHS}
    network = train_network(cells, **options)
    if file is not None:
        network.save(file)
    return network


def of_seed(seed: int, wells: int, cells_per_well: int, folder: Path | None) -> Row:
    """Train both networks and ask them."""
    idle, key = study(N_PLATES, wells, cells_per_well, seed, **MARKS, **NO_EFFECT)
    plain, _ = study(N_PLATES, wells, cells_per_well, seed)
    # The same plate, whose treated cells show the phenotype and the ring: what the second network may be turned by.
    both, both_key = study(1, wells, cells_per_well, seed, **MARKS)
    new = idle.ids[(idle.obs["plate"] == NEW).to_numpy()]
    learned = {"trapped": idle, "clean": plain}
    networks = {
        name: trained(name, cells.subset((cells.obs["plate"] != NEW).to_numpy()), seed, folder)
        for name, cells in learned.items()
    }
    return {
        "trapped": asked(networks["trapped"], idle.subset(new), key.subset(new), seed)
        | pointing(networks["trapped"], idle.subset(new), key.subset(new)),
        "clean": asked(networks["clean"], both, both_key, seed),
    }


def asked(network: Network, cells: Cells, truth: Truth, seed: int) -> Row:
    """What exchanged regions, accuracy and the answer key say of a network."""
    found = counterfactual(network, cells, target=TREATMENT, n_cells=ASKED, seed=seed, progress=False)
    row = found.table.set_index("region").loc[CORNER]
    named = str(found.deciding["region"].get(TREATMENT, "none"))
    marked = truth.ids[truth.obs["shortcut"].to_numpy()]
    effect = causal_effect(network, cells, truth, "shortcut", target=TREATMENT, ids=marked)
    lost = row["removed_rate"]
    return {
        "accuracy on a new plate": float((network.predict(cells) == cells.labels).mean()),
        "flip rate of the corner": float(row["flip_rate"]),
        "increase over sham": float(row["increase"]),
        "lost without the corner": float(lost) if np.isfinite(lost) else "no cell was taken for it",
        "region named": named,
        "named a shortcut": bool(named == CORNER and "this is a shortcut" in str(found)),
        "answers that the ring alone turns": float(effect["flips"].mean()),
        "fall of the logit without the ring": float(effect["effect"].median()),
        "cells that get a corner": int(row["n_cells"]),
    }


def pointing(network: Network, cells: Cells, truth: Truth) -> Row:
    """How often the map of each method points at the ring of a cell that is taken for treated because of it."""
    marked = cells.ids[truth.obs["shortcut"].to_numpy()]
    units = cells.units.loc[marked]
    chosen = marked[np.argsort(units.groupby(units).cumcount().to_numpy(), kind="stable")][:MAPPED]
    some, key = cells.subset(chosen), truth.subset(chosen)
    options = {"ids": chosen, "target": TREATMENT, "tolerance": None}
    maps = {name: attribute(network, cells, method=name, **options) for name in METHODS}  # type: ignore[arg-type]
    table = grade(maps, key.marks, some, within=np.ones(key.marks.shape, bool))
    on_cell = grade(maps, np.asarray(some.masks[:]) == 1, some, within=np.ones(key.marks.shape, bool))
    row: Row = {f"{name}: points at the ring": float(table.loc[name, "pointing"]) for name in METHODS}
    row |= {f"{name}: mass on the ring": float(table.loc[name, "mass"]) for name in METHODS}
    return row | {f"{name}: mass on the cell": float(on_cell.loc[name, "mass"]) for name in METHODS}


def summary(seeds: dict[str, Row]) -> Row:
    """In how many seeds the lines hold."""
    rows = list(seeds.values())
    held = {
        "trapped: flip rate of the corner 0.80 or more": [
            r["trapped"]["flip rate of the corner"] >= ENOUGH for r in rows
        ],
        "trapped: the corner is named, as a shortcut": [r["trapped"]["named a shortcut"] for r in rows],
        "clean: increase 0.10 or less": [r["clean"]["increase over sham"] <= NO_MORE for r in rows],
        "clean: the corner is not named": [r["clean"]["region named"] != CORNER for r in rows],
    }
    counts: Row = {what: f"{sum(yes)} of {len(yes)} seeds" for what, yes in held.items()}
    numbers = pd.DataFrame([r["trapped"] for r in rows]).select_dtypes("number").mean()
    return {"held": counts, "trapped, mean": {str(k): float(v) for k, v in numbers.items()}}


def main(
    first: int = 2100, n_seeds: int = 5, wells: int = 16, cells_per_well: int = 24, folder: Path | None = None
) -> None:
    what = f"twice {N_PLATES} plates × {wells} wells × {cells_per_well} cells of two classes, 3 to train on, 1 to ask"
    seeds: dict[str, Row] = {}
    for seed in range(first, first + n_seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            seeds[f"seed {seed}"] = of_seed(seed, wells, cells_per_well, folder)
        print(seed, seeds[f"seed {seed}"], flush=True)
        # After each seed, so that what is finished stands when the run is interrupted.
        record("explain_shortcuts", {"what": what} | summary(seeds) | seeds)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:4]), *map(Path, given[4:5]))  # type: ignore[arg-type]
