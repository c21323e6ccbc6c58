"""Normalisation: features on the scale of control cells, batch by batch, fitted and applied apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.harmony import Harmony
from mlscope_nb.features.normalization_models import MODELS, Model
from mlscope_nb.features.reference import Control, Reference, batch_of, reference, warn_if_few
from mlscope_nb.features.ruv import RUV
from mlscope_nb.features.scaling import Floats

Method = Literal["standardize", "robust", "rank", "sphering", "tvn", "ruv", "combat", "harmony"]


@dataclass(frozen=True, eq=False)
class _Fitted:
    model: Model
    columns: tuple[str, ...]
    batches: tuple[str, ...]
    n_reference: int
    ids: pd.Index
    notes: tuple[str, ...] = ()
    constant: tuple[str, ...] = field(default=())


class Normalizer:
    """Learn from some cells how to make batches comparable, and do it to these or others.

    Parameters
    ----------
    method : str
        "standardize": mean 0 and deviation 1 of the controls of each batch; "robust": the same with median and MAD;
        "rank": normal scores of ranks among the controls; "sphering": standardised, then decorrelated by what
        controls do anyway; "tvn": the same with principal components and aligned covariances; "ruv": directions in
        which control units differ taken out, for designs with few controls on a batch; "combat": shift and
        spread of each batch shrunk to what its features share, in the scale of the features; "harmony": clusters
        of all batches moved together (an extra).
    by : str or several, optional
        Columns that name the batch; () for none. Default: the declared batch.
    control : str or dict, optional
        The cells that are fitted on. Default: the declared control; without one all cells, which is recorded.
        "all": every cell of the batch, steadier where controls are few; right only where all batches got the same
        treatments, and warned of where they did not.
    force : bool
        Allow controls that are defined by the label to be predicted.
    **options
        Of the method: ``epsilon`` (sphering), ``shrink`` (tvn), ``directions`` (ruv).

    Notes
    -----
    A batch that was not there to fit on is standardised to its own controls when it is transformed. That uses what
    was done to the wells, never a label, and stands in the history. What all batches share (rotations, the
    overall mean) always comes from the cells fitted on.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": list("1122"), "drug": ["DMSO"] * 4}, index=list("abcd"))
    >>> table = pd.DataFrame({"area": [1.0, 3.0, 11.0, 13.0]}, index=list("abcd"))
    >>> cells = Cells(obs, features=table, batch="plate", control={"drug": "DMSO"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # four cells are few
    ...     Normalizer().fit(cells).transform(cells).features["area"].tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """

    def __init__(
        self,
        method: Method = "standardize",
        *,
        by: Columns = None,
        control: Control = None,
        force: bool = False,
        **options: float,
    ) -> None:
        if method not in get_args(Method):
            raise ValueError(f"method is {method!r}, expected one of {', '.join(get_args(Method))}.")
        self.method, self.by, self.control, self.force = method, by, control, force
        self.options = options
        try:
            self._model = MODELS[method](**options)
        except TypeError as error:
            raise TypeError(f"The method '{method}' does not know {some(options)}: {error}.") from error
        self._fitted: _Fitted | None = None

    def fit(self, cells: Cells) -> Normalizer:
        """Learn from the reference cells of each batch.

        Raises
        ------
        ValueError
            No features, a batch without controls, or controls that are defined by the label.
        """
        found, table = self._reference(cells), cells.table()
        missing = found.without()
        if missing:
            raise ValueError(
                f"No control cell in {count(len(missing), 'batch', 'batches')}: {some(missing)}. Every batch is "
                "normalised to its own controls: leave these batches out, or fit on all with by=()."
            )
        notes = [note for note in (found.note, warn_if_few(found, found.batches)) if note]
        values = table.to_numpy(np.float64)[found.rows]
        model = self._fit_model(values, found)
        constant = tuple(map(str, table.columns[model.constant]))
        if constant:
            notes.append(_warn_constant(constant, found.what))
        if self.method in ("sphering", "tvn") and len(values) <= table.shape[1]:
            notes.append(_warn_flat(len(values), table.shape[1], self.method))
        columns, batches = tuple(map(str, table.columns)), tuple(found.batches)
        self._fitted = _Fitted(model, columns, batches, int(found.rows.sum()), cells.ids, tuple(notes), constant)
        return self

    def transform(self, cells: Cells) -> Cells:
        """Return the cells with normalised features under the same names.

        Raises
        ------
        ValueError
            Nothing was fitted, features differ, or a new batch has no controls of its own.
        """
        fitted, table = self._known, cells.table()
        missing = [c for c in fitted.columns if c not in table.columns]
        if missing:
            raise ValueError(
                f"{count(len(missing), 'feature')} that the normaliser was fitted on not found: {some(missing)}. "
                "Measure and select these cells as those it was fitted on."
            )
        batch, by = batch_of(cells, self.by)
        # What differs between all control units is taken out alike: a new batch needs no controls of its own.
        new = [] if isinstance(self._model, RUV) else sorted(set(batch) - set(fitted.batches))
        model, notes = self._with_new(cells, new)
        values = table[list(fitted.columns)].to_numpy(np.float64)
        result = self._apply(model, values, batch, cells.ids)
        features = pd.DataFrame(result, index=cells.ids, columns=list(fitted.columns))
        features.attrs["history"] = [self._step(by, new, notes)]
        return cells.with_features(features)

    def to_dict(self) -> dict[str, Any]:
        """Return method and options as plain values: ``Normalizer(**n.to_dict())`` is the same, not fitted."""
        by = self.by if self.by is None or isinstance(self.by, str) else list(self.by)
        control = dict(self.control) if isinstance(self.control, Mapping) else self.control
        return {"method": self.method, "by": by, "control": control, "force": self.force, **self.options}

    def __repr__(self) -> str:
        state = "not fitted" if self._fitted is None else f"fitted on {count(self._fitted.n_reference, 'cell')}"
        return f"Normalizer({self.method!r}, {state})"

    @property
    def _known(self) -> _Fitted:
        if self._fitted is None:
            raise ValueError("This normaliser was not fitted yet. Use Normalizer(…).fit(cells).transform(cells).")
        return self._fitted

    def _reference(self, cells: Cells) -> Reference:
        return reference(cells, self.by, self.control, force=self.force)

    def _fit_model(self, values: Floats, found: Reference) -> Model:
        if isinstance(self._model, RUV):
            return self._model.fit(values, found.unit[found.rows])
        return cast(Model, self._model.fit(values, found.batch[found.rows]))

    def _with_new(self, cells: Cells, new: list[str]) -> tuple[Model, list[str]]:
        """Return the model with the batches that it does not know, fitted on their own controls."""
        fitted = self._known
        if not new:
            return fitted.model, list(fitted.notes)
        names = f"{count(len(new), 'batch', 'batches')} that the normaliser was not fitted on: {some(new)}."
        control = self.control if self.control is not None else cells.design.control
        if control is None:
            raise ValueError(f"{names} Without declared controls their scale is not known. Declare control={{…}}.")
        try:
            found = self._reference(cells)
        except ValueError as error:
            raise ValueError(f"{names} {error}") from error
        lacking = sorted(set(new) & set(found.without()))
        if lacking:
            raise ValueError(f"{names} No control cell in {some(lacking)}: leave these batches out, or fit on them.")
        few = warn_if_few(found, new)
        use = found.rows & np.isin(found.batch, new)
        model = fitted.model.extend(cells.table()[list(fitted.columns)].to_numpy(np.float64)[use], found.batch[use])
        return model, [*fitted.notes, *([few] if few else [])]

    def _apply(self, model: Model, values: Floats, batch: NDArray[Any], ids: pd.Index) -> Floats:
        if isinstance(model, Harmony):
            return model.apply_to(values, batch, same=ids.equals(self._known.ids))
        return model.apply(values, batch)

    def _step(self, by: tuple[str, ...], new: list[str], notes: list[str]) -> dict[str, Any]:
        fitted = self._known
        return _align.step(
            "normalize",
            **{**self.to_dict(), "by": list(by)},
            n_reference=fitted.n_reference,
            n_fitted_on=len(fitted.ids),
            own_controls=new or None,
            note="; ".join(notes) or None,
        )


def normalize(
    cells: Cells,
    method: Method = "standardize",
    by: Columns = None,
    *,
    control: Control = None,
    force: bool = False,
    **options: float,
) -> Cells:
    """Normalise the features of cells to the controls of their batch.

    To judge a model, normalise inside the fold: ``Normalizer(…).fit(train)``, then ``transform`` both.

    Parameters
    ----------
    cells : Cells
        With features, and declared batch and control.
    method, by, control, force, **options
        As in `Normalizer`.

    Returns
    -------
    Cells
        The same cells with features under the same names, and an entry in the history.

    Raises
    ------
    ValueError
        No features, a batch without controls, or controls that are defined by the label.

    References
    ----------
    Caicedo et al. 2017, Nature Methods 14:849; pycytominer (standardize, mad_robustize, spherize).

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": ["1"] * 3, "drug": ["DMSO", "DMSO", "x"]}, index=list("abc"))
    >>> table = pd.DataFrame({"area": [1.0, 3.0, 8.0]}, index=list("abc"))
    >>> cells = Cells(obs, features=table, batch="plate", control={"drug": "DMSO"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # two cells are few
    ...     normalize(cells).features["area"].tolist()
    [-1.0, 1.0, 6.0]
    """
    return Normalizer(method, by=by, control=control, force=force, **options).fit(cells).transform(cells)


def _warn_constant(names: tuple[str, ...], what: str) -> str:
    do, they = ("does", "It was") if len(names) == 1 else ("do", "They were")
    text = (
        f"{count(len(names), 'feature')} that {do} not vary between {what} of some batch: {some(names)}. {they} not "
        "divided by a spread. Leave out what is constant with ms.features.select(cells)."
    )
    warnings.warn(text, UserWarning, stacklevel=4)
    return text


def _warn_flat(n: int, p: int, method: str) -> str:
    text = (
        f"{method}: {n:,} reference cells for {p:,} features. Directions in which so few cells cannot vary are blown "
        "up. Select features first, or give a larger epsilon."
    )
    warnings.warn(text, UserWarning, stacklevel=4)
    return text
