"""Complete blocks: units that can be held out together without making a class rarer beside what it is tested on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.study.blocks import different
from mlscope_nb.study.splits import Split, split
from mlscope_nb.study.units import columns_of, noun

FEWEST_BLOCKS = 3
"""With two of them half of the units would be left to train on."""
COLUMN = "complete block"


def complete_blocks(cells: Cells, seed: int = 0) -> pd.Series | None:
    """Return the block of each cell: units of all classes of one batch, each class with its share.

    A well that is held out alone leaves fewer wells of its class on its plate than of the others, so that whatever
    marks the plate speaks against its own class: labels that mean nothing are then recognised less often than by
    guessing. Where every class loses its share on the same plate, that does not happen.

    Parameters
    ----------
    cells : Cells
        With a declared label and unit.
    seed : int
        Which units stand together.

    Returns
    -------
    Series or None
        A name for each cell by its id; None where classes have too few units on a batch, units hold several classes or
        lie on several batches, or there would be fewer than 3 blocks.

    References
    ----------
    Parker, Günter & Bedo 2007, BMC Bioinformatics 8:326 (stratified folds against scores below chance).

    Examples
    --------
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[w % 2]) for p in range(3) for w in range(4)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(12)])
    >>> found = complete_blocks(Cells(obs, unit="well", batch="plate", label="drug"))
    >>> found.groupby(found).size().tolist()
    [2, 2, 2, 2, 2, 2]
    """
    labels = cells.labels
    known = labels.notna().to_numpy()
    unit = pd.factorize(cells.units, sort=True)[0]
    batch = pd.factorize(cells.batches_of, sort=True)[0] if cells.design.batch else np.zeros(len(cells), int)
    label = pd.factorize(labels.astype(str), sort=True)[0]
    if max(_most(unit[known], label[known]), _most(unit, batch)) > 1:
        return None
    first = np.unique(unit[known], return_index=True)[1]
    units = pd.DataFrame({k: v[known][first] for k, v in {"unit": unit, "batch": batch, "label": label}.items()})
    units["place"] = _places(units, seed)
    number = units.groupby("batch")["place"].transform("max") + 1
    if (number < 2).any() or units.groupby(["batch", "place"]).ngroups < FEWEST_BLOCKS:
        return None
    # A unit without a label goes with the first block of its batch.
    place = pd.Series(units["place"].to_numpy(), units["unit"]).reindex(unit).fillna(0).astype(int).to_numpy()
    return pd.Series([f"{b}·{p}" for b, p in zip(batch, place, strict=True)], cells.ids, name=COLUMN)


def split_blocks(cells: Cells, block: pd.Series, n_splits: int, seed: int = 0) -> list[Split]:
    """Return splits that hold out whole blocks, in words of the units that these hold."""
    made = split(cells.with_obs(block), by=COLUMN, n_splits=n_splits, seed=seed)
    word, units = noun(columns_of(cells, None)), cells.units
    return [replace(part, by=word, held_out=tuple(map(str, units[part.test_ids].unique()))) for part in made]


def _most(of: np.ndarray, what: np.ndarray) -> int:
    return int(different(of, what).max(initial=0))


def _places(units: pd.DataFrame, seed: int) -> pd.Series:
    """Deal the units of each class on each batch to as many places as the rarest class of the batch has units."""
    mixed = units.sample(frac=1, random_state=seed)
    turn = mixed.groupby(["batch", "label"]).cumcount().reindex(units.index)
    sizes = units.groupby(["batch", "label"])["unit"].transform("size")
    return turn % sizes.groupby(units["batch"]).transform("min")
