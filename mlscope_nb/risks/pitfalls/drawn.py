"""Cells drawn from the statistics of measured ones, so that a study takes milliseconds.

`cell_statistics.json` holds what `studies/risks_cell_statistics.py` found in 1,536 simulated cells of 24 plates: how 24
features vary between cells of a well, wells of a plate, and plates, and what treatments do to them. Here they are drawn
as Gaussian, in standard deviations of control cells of one well. What is lost: tails, faults, anything that a mean and
a covariance do not say.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells

PATH = Path(__file__).parent / "cell_statistics.json"
SHA256 = "c854a7fe4fd7f2e69523815853ff343c238fb8c88fc60e5e56054cd35c8cf242"
PENETRANCE = 0.85
MARKED = "Image_Intensity_CornerIntensity_actin"
CONTROL = "DMSO"


@cache
def statistics() -> dict[str, Any]:
    """Return the measured statistics, as arrays, and square roots of the covariances.

    Raises
    ------
    ValueError
        The file is not the one that was shipped.
    """
    content = PATH.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{PATH.name} is not the file that was shipped. Install mlscope_nb again.")
    read = json.loads(content)
    roots = {level: _root(np.array(read[level])) for level in ("cell", "well", "plate")}
    effects = {name: np.array(effect) for name, effect in read["effects"].items()}
    return {"features": read["features"], "effects": effects, "mark": np.array(read["mark"]), **roots}


def layout(n_plates: int, treatments: tuple[str, ...], wells_each: int) -> pd.DataFrame:
    """Return a balanced study, one row per well: every treatment in so many wells of every plate."""
    wells = [(f"P{p + 1}", t) for p in range(n_plates) for _ in range(wells_each) for t in treatments]
    table = pd.DataFrame(wells, columns=["plate", "treatment"])
    return table.assign(well=[f"W{n + 1:02d}" for n in table.groupby("plate").cumcount()])


def draw(
    wells: pd.DataFrame,
    cells_per_well: int,
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
    plate: float = 1.0,
    well: float = 1.0,
    penetrance: float = PENETRANCE,
    prefix: str = "",
) -> Cells:
    """Draw the cells of a study.

    Parameters
    ----------
    wells : DataFrame
        plate, well, treatment: one row per well.
    cells_per_well : int
        How many cells of each.
    rng : Generator
        Whence everything random comes.
    strength, plate, well : float
        Multiples of what was measured: of the effect of a treatment, of the differences of plates and of wells.
    penetrance : float
        The share of treated cells that respond.
    prefix : str
        Before the names of plates: plates of a new study are other ones.

    Returns
    -------
    Cells
        Features of 24 names; label: the treatment (none for controls), unit: plate and well, batch: plate.
    """
    known = statistics()
    n = len(wells)
    plates, number = np.unique(wells["plate"], return_inverse=True)
    middle = plate * rng.normal(size=(len(plates), 24)) @ known["plate"]
    of_well = middle[number] + well * rng.normal(size=(n, 24)) @ known["well"]
    row = np.repeat(np.arange(n), cells_per_well)
    values = of_well[row] + rng.normal(size=(len(row), 24)) @ known["cell"]
    treatments = wells["treatment"].to_numpy()[row]
    effect = np.stack([known["effects"].get(t, np.zeros(24)) for t in treatments])
    values += strength * effect * (rng.random(len(row)) < penetrance)[:, None]
    obs = wells.iloc[row].reset_index(drop=True)
    obs["plate"] = prefix + obs["plate"]
    return as_cells(obs, values)


def first_wells(cells: Cells, wells_each: int) -> tuple[Cells, Cells]:
    """Return the cells of so many wells of each of two treatments of a plate, and those of its other wells."""
    first = (cells.obs["well"].str[1:].astype(int) <= 2 * wells_each).to_numpy()
    return cells.subset(first), cells.subset(~first)


def as_cells(obs: pd.DataFrame, values: np.ndarray) -> Cells:
    """Return cells with these features; what a well was given is the label, and controls have none."""
    names = pd.Index([f"{p}-{w}-{i}" for i, (p, w) in enumerate(zip(obs["plate"], obs["well"], strict=True))])
    obs = obs.set_axis(names).assign(label=obs["treatment"].where(obs["treatment"] != CONTROL).to_numpy())
    table = pd.DataFrame(values, index=names, columns=statistics()["features"])
    return Cells(
        obs, features=table, label="label", unit=["plate", "well"], batch="plate", treatment="treatment",
        control={"treatment": CONTROL} if obs["treatment"].eq(CONTROL).any() else None,
    )  # fmt: skip


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return a matrix whose product with standard normal rows has this covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))).T
