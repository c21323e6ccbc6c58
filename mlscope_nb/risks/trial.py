"""Trial: who carries the label, who is held out with whom, and which labels could have been exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.study.blocks import Blocks, blocks

Codes = NDArray[np.intp]
IMAGE = "mlscope_image"
N_FOLDS = 5
MOST_DRAWS = 3e6
"""Exchanged labels kept at a time and altogether, as items × exchanges × classes: what memory and a minute allow."""
FEWEST_DRAWS = 199
"""Even then so many, so that a p-value corrected for half a dozen checks can still be small."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Labelled cells, the items that carry the labels, and the exchanges that the design allows.

    Parameters
    ----------
    cells : Cells
        Those with a label.
    found : Blocks
        Items, strata and what may be exchanged (`ms.study.blocks`).
    fold : int array (items,)
        Which items are held out together; chosen without looking at labels.
    codes : int array (1 + n, items)
        Class numbers of the items: the true ones first, then exchanged ones.
    replicated : bool
        False where each image has to stand for itself, because no unit is declared.
    exact : bool
        True where every possible exchange is among the codes.
    seed : int
        Of draws and folds.
    """

    cells: Cells
    found: Blocks
    fold: Codes
    codes: Codes
    replicated: bool
    exact: bool
    seed: int

    @property
    def names(self) -> list[str]:
        """The classes as text."""
        return [str(c) for c in self.found.classes]

    @property
    def items(self) -> Codes:
        """Item of each cell."""
        return np.asarray(self.found.of_cell, dtype=np.intp)

    @property
    def stratum(self) -> Codes:
        """Stratum of each item."""
        return np.asarray(self.found.stratum, dtype=np.intp)

    def smallest_p(self, k: int) -> float:
        """Return the smallest p-value that exchanges could give class `k` against all others."""
        code, stratum = self.found.code, self.stratum
        sizes = np.bincount(stratum)
        mine = np.bincount(stratum[code == k], minlength=len(sizes))
        ways = prod(comb(int(n), int(m)) for n, m in zip(sizes, mine, strict=True))
        # Of two classes of equal size, exchanging all labels changes nothing.
        if len(self.found.classes) == 2 and (2 * mine == sizes).all():
            ways = max(ways // 2, 1)
        return max(1 / ways, 1 / len(self.codes))


def trial(cells: Cells, n: int, seed: int = 0) -> Trial | str:
    """Return the trial of the declared label, or the reason why there can be none.

    Parameters
    ----------
    cells : Cells
        With any design; without a unit each image has to stand for itself.
    n : int
        Exchanges to draw where there are more than that.
    seed : int
        Of the draws and of who is held out with whom.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCDEF"), "drug": list("xyxyxy")}, index=list("abcdef"))
    >>> made = trial(Cells(obs, unit="well", label="drug"), 99)
    >>> made.codes.shape, made.exact, made.smallest_p(0)
    ((21, 6), True, 0.1)
    """
    if not len(cells):
        return "There are no cells."
    if cells.design.label is None:
        return "No label is declared: there is nothing that could be given away."
    labels = cells.labels
    known = labels.notna().to_numpy()
    classes = labels[known].unique()
    if len(classes) < 2:
        return f"Only one class ({some(classes)}): there is nothing to tell apart." if known.any() else "No labels."
    if pd.api.types.is_float_dtype(labels) and len(classes) > 50:
        return f"The label '{cells.design.label}' holds {len(classes):,} different numbers, expected classes."
    kept = cells if known.all() else cells.subset(cells.ids[known])
    replicated = is_replicated(kept)
    found = blocks(kept if replicated else _each_image(kept))
    if len(np.unique(found.code)) == len(found.code):
        return f"Each class comes from one {found.item} only: it cannot be told from that {found.item}."
    return _drawn(kept, found, replicated, n, seed)


def is_replicated(cells: Cells) -> bool:
    """Whether units are declared that hold several cells, or are rows of a table of profiles."""
    if not cells.design.unit:
        return False
    return cells.images is None or cells.units.nunique() < len(cells)


def without(made: Trial, name: str) -> Trial | None:
    """Return the trial of all other classes, or None where fewer than two can be told apart."""
    labels = made.cells.labels.astype(str)
    rest = trial(made.cells.subset(made.cells.ids[(labels != name).to_numpy()]), len(made.codes) - 1, made.seed)
    return None if isinstance(rest, str) or rest.replicated != made.replicated else rest


def _each_image(cells: Cells) -> Cells:
    images = pd.Series(cells.ids.to_numpy(), cells.ids, name=IMAGE)
    return cells.with_obs(images).with_design(unit=IMAGE)


def _drawn(cells: Cells, found: Blocks, replicated: bool, n: int, seed: int) -> Trial:
    rng = np.random.default_rng(seed)
    exact = found.n_possible <= n + 1
    most = max(int(MOST_DRAWS / (len(found.code) * len(found.classes))), FEWEST_DRAWS)
    drawn = found.all_codes() if exact else found.codes(min(n, most), rng)
    return Trial(cells, found, _folds(found, rng), np.vstack([found.code[None], drawn]), replicated, exact, seed)


def _folds(found: Blocks, rng: np.random.Generator) -> Codes:
    """Deal items to folds within their stratum, without regard to labels; classes of a unit stay together."""
    n_items, stratum = len(found.code), found.stratum
    if found.scheme == "classes within unit":
        group = stratum
        dealt = rng.permutation(int(group.max()) + 1) % N_FOLDS
        return np.asarray(dealt[group], dtype=np.intp)
    order = np.lexsort((rng.random(n_items), stratum))
    fold = np.empty(n_items, dtype=np.intp)
    fold[order] = np.arange(n_items) % min(N_FOLDS, n_items)
    return fold
