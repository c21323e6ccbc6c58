"""Lent controls: what smaller studies inside a study are normalised with where they have no controls on a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.features.normalization import Normalizer
from mlscope_nb.features.reference import reference
from mlscope_nb.predict.feature_model import FeatureLearner, Learner
from mlscope_nb.study.splits import Split


@dataclass(frozen=True, eq=False)
class Lender:
    """Lends controls to smaller studies that were dealt none on a batch: every plate of a real study has some.

    Parameters
    ----------
    table : DataFrame (N)
        ``batch`` and ``unit`` of the controls, by cell id; none where nothing is normalised to controls.
    batch : Series (N,)
        The batch of each cell.
    units : Series (N,)
        The unit of each cell.
    """

    table: pd.DataFrame
    batch: pd.Series
    units: pd.Series

    @classmethod
    def of(cls, cells: Cells, learner: FeatureLearner | Learner, units: pd.Series) -> Lender:
        """Return what lends the controls of these cells, if the learner normalises to any."""
        scale = learner.normalize if isinstance(learner, FeatureLearner) else None
        own = scale if isinstance(scale, Normalizer) else Normalizer()
        if scale is None or (cells.design.control is None and own.control is None):
            return cls(pd.DataFrame({"batch": [], "unit": []}), pd.Series(dtype=object), units)
        found = reference(cells, own.by, own.control, force=own.force)
        batch = pd.Series(found.batch, cells.ids)
        return cls(pd.DataFrame({"batch": batch, "unit": units})[found.rows], batch, units)

    def lent(self, part: Split, rng: np.random.Generator) -> Split:
        """Return the split with one control unit more on each batch that has none, none that it tests to train on.

        Examples
        --------
        >>> ids = list("abcd")
        >>> plate, well = pd.Series(list("1122"), ids), pd.Series(list("ABCD"), ids)
        >>> controls = pd.DataFrame({"batch": plate, "unit": well}).loc[["a", "d"]]
        >>> part = Split(pd.Index(["b", "d"]), pd.Index(["c"]))
        >>> Lender(controls, plate, well).lent(part, np.random.default_rng(0)).train_ids.tolist()
        ['b', 'd', 'a']
        """
        if self.table.empty:
            return part
        train = self._with(part.train_ids, set(), set(self.units[part.test_ids]), rng)
        return replace(part, train_ids=train, test_ids=self._with(part.test_ids, set(self.batch[train]), set(), rng))

    def _with(self, ids: pd.Index, known: set[Any], taken: set[Any], rng: np.random.Generator) -> pd.Index:
        """Return the cells with those of a control unit for each batch without, but for known batches."""
        there = set(self.table["batch"][self.table.index.isin(ids)]) | known
        for name in sorted(set(self.batch[ids]) - there, key=str):
            mine = self.table[self.table["batch"] == name]
            free = sorted(set(mine["unit"]) - taken, key=str)
            if free:
                ids = ids.append(mine.index[(mine["unit"] == free[rng.integers(len(free))]).to_numpy()])
        return ids
