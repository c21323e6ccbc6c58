"""Scale: features normalised inside the fold, new batches on their own scale, and never by the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb.cells import Cells
from mlscope_nb.features.normalization import Method, Normalizer
from mlscope_nb.features.reference import batch_of, reference
from mlscope_nb.study.splits import Split

Normalize = Method | Normalizer | None


class Scale:
    """A normalisation learned from training cells and applied to others.

    With controls, each batch is put on the scale of its own controls. Without, each batch is put on the scale of all
    of its cells, a new batch of its own: that needs no label, but the new batch as a whole.

    Parameters
    ----------
    normalize : str or Normalizer, optional
        A method of ``ms.features.normalize``, or a Normalizer with its options. None leaves features as they are.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": list("1122")}, index=list("abcd"))
    >>> cells = Cells(obs, features=pd.DataFrame({"area": [1.0, 3, 11, 13]}, index=obs.index), batch="plate")
    >>> known, new = cells.subset(["a", "b"]), cells.subset(["c", "d"])
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # two cells are few
    ...     Scale("standardize").fit(known).transform(new).features["area"].tolist()
    [-1.0, 1.0]
    """

    def __init__(self, normalize: Normalize = None) -> None:
        if normalize is not None and not isinstance(normalize, Normalizer):
            normalize = Normalizer(normalize)
        self._options: dict[str, Any] | None = None if normalize is None else normalize.to_dict()
        self._fitted: Normalizer | None = None
        self._known: set[str] = set()
        self._bare = False

    def fit(self, cells: Cells) -> Scale:
        """Learn from training cells, labelled or not."""
        if self._options is not None:
            self._fitted = self._new().fit(cells)
            self._known = set(self._batch(cells))
            self._bare = cells.design.control is None
        return self

    def transform(self, cells: Cells) -> Cells:
        """Return the cells on the scale of the training cells.

        Raises
        ------
        ValueError
            A new batch has no controls of its own where others were compared with theirs.
        """
        if self._options is None:
            return cells
        if self._fitted is None:
            raise ValueError("This scale was not fitted yet. Use Scale(…).fit(train).transform(test).")
        if self._bare:
            cells = cells.with_design(control=None)  # learned without controls: those of new cells do not count either
        new = ~np.isin(self._batch(cells), list(self._known))
        control = self._options["control"] if self._options["control"] is not None else cells.design.control
        if control is not None or self._options["method"] == "ruv" or not new.any():
            return self._fitted.transform(cells)
        parts = [] if new.all() else [self._fitted.transform(cells.subset(~new))]
        parts.append(self._new().fit(cells.subset(new)).transform(cells.subset(new)))
        table = pd.concat([part.table() for part in parts]).loc[cells.ids]
        step = _align.step("normalize", **self.to_dict(), note="new batches by all of their cells")
        table.attrs = {"history": [step]}
        return cells.with_features(table)

    def to_dict(self) -> dict[str, Any]:
        """Return method and options as plain values."""
        return {} if self._options is None else {k: v for k, v in self._options.items() if v is not None}

    def _new(self) -> Normalizer:
        return Normalizer(**(self._options or {}))

    def _batch(self, cells: Cells) -> np.ndarray:
        return batch_of(cells, (self._options or {}).get("by"))[0]


def with_usable_controls(cells: Cells, normalize: Normalize, parts: list[Split]) -> tuple[Cells, list[str]]:
    """Return the cells with controls that serve in every fold, or without any, and what was compared with.

    Controls serve where they are not defined by the label and where each batch has some in training (or, where it is
    new, some of its own). Controls of a Normalizer of one's own are never put aside.
    """
    if normalize is None:
        return cells, []
    if isinstance(normalize, Normalizer) and (normalize.control is not None or normalize.force):
        return cells, ["features were normalised inside the fold"]
    by = normalize.by if isinstance(normalize, Normalizer) else None
    reason = "no controls are declared" if cells.design.control is None else _why_not(cells, by, parts)
    if not reason:
        return cells, ["features were normalised to controls, inside the fold"]
    note = f"features were normalised to all cells of each batch, inside the fold, for {reason}"
    return cells.with_design(control=None), [note]


def _why_not(cells: Cells, by: Any, parts: list[Split]) -> str:
    design = cells.design
    named = (design.control,) if isinstance(design.control, str) else tuple(design.control or ())
    if design.label in named:
        return "the controls are defined by the label"
    found = reference(cells, by)
    batch, control = pd.Series(found.batch, index=cells.ids), pd.Series(found.rows, index=cells.ids)
    for part in parts:
        train, test = batch[part.train_ids], batch[part.test_ids]
        trained = set(train[control[part.train_ids]])
        if set(train) - trained:
            return "some batch has no controls in training"
        if set(test) - set(train) - set(test[control[part.test_ids]]):
            return "a new batch has no controls"
    return ""
