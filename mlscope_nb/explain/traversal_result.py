"""What a traversal finds: the features that change along a decision, and the pictures on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import count, percent
from mlscope_nb.cells import Cells
from mlscope_nb.features.glossary import describe
from mlscope_nb.features.scaling import Floats
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.intervals import t_interval

TOLD = 3
PICTURES = ("montage", "starts", "nearest_pictures")
SHARE = 5
"""Real cells are compared between the fifth of which the model is surest and the fifth of which it is least."""


@dataclass(frozen=True, eq=False, repr=False)
class Traversal(Result):
    """Cells drawn along a model's decision.

    Parameters
    ----------
    features : DataFrame
        By measured feature, what changes most first (last what, by its interval, may not change at all): change (last
        step minus first, in deviations of real cells and, where it is drawn badly, of what is drawn wrong), low,
        high (over units that the walks start in), n_units, real (the same in real cells: those of which the model is
        surest minus those of which it is least sure, within batches), says (what the feature means).
    profile : DataFrame
        By feature, how much it has changed at each step (columns: places along the decision), in the same deviations.
    montage : array (n, steps, C, size, size)
        Drawn cells, as networks read them (background 0, bright end 1), one row for each start.
    ids : Index (n,)
        The cells that the rows start from.
    starts : array (n, C, size, size)
        These cells themselves, as the autoencoder is given them: turned to lie flat.
    nearest, nearest_pictures : DataFrame (n, steps), array (n, steps, C, size, size)
        Ids and pictures of the real cells that are nearest to what is drawn, others of the same batch.
    channels : tuple of str
        Of the pictures.
    steps : array (steps,)
        Places along the decision: what latent numbers say of the model's answer, in deviations of real cells.
    response : DataFrame
        What a network says of the drawn pictures at each step (mean log odds); NaN for models of features.
    contrastive : DataFrame
        By cell of the montage: its log odds, the nearest real cell of its batch on the other side (contrast), that
        one's log odds, and the distance in latent numbers.
    explained : float
        Share of the variance of held-out pictures that the autoencoder draws again.
    decision : float
        Rank correlation of held-out cells' places along the decision with the model's answer: how much of it is in
        what can be drawn.
    target : any
        The class at the end of the walk.
    held_out : tuple of str
        Units that the autoencoder did not learn from.
    notes : tuple of str
        What a reader has to know.
    """

    features: pd.DataFrame
    profile: pd.DataFrame
    montage: NDArray[np.float32]
    ids: pd.Index
    starts: NDArray[np.float32]
    nearest: pd.DataFrame
    nearest_pictures: NDArray[np.float32]
    channels: tuple[str, ...]
    steps: Floats
    response: pd.DataFrame
    contrastive: pd.DataFrame
    explained: float
    decision: float
    target: Any
    held_out: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures as plain values."""
        found = {k: v for k, v in self.__dict__.items() if k not in PICTURES}
        from mlscope_nb.study._result import plain

        return {k: plain(v) for k, v in found.items()}

    def __str__(self) -> str:
        lines = [
            f"Walking towards '{self.target}', drawn from {count(len(self.held_out), 'unit')} that the autoencoder has "
            f"not seen: it draws {percent(self.explained)} of what varies in them, and places go with the model's "
            f"answer by a rank correlation of {self.decision:.2f}."
        ]
        for name, row in self.features.head(TOLD).iterrows():
            width = row["high"] - row["low"]
            ends = f" ({number(row['low'], width)} to {number(row['high'], width)})" if np.isfinite(width) else ""
            same = "as in real cells" if row["change"] * row["real"] > 0 else "not so in real cells"
            way = "grows" if row["change"] > 0 else "falls"
            lines.append(f"{name} {way} by {number(abs(row['change']), width)} deviations{ends}, {same}. {row['says']}")
        return "\n".join([*lines, *self.notes])


def changes(
    drawn: pd.DataFrame, again: pd.DataFrame, real: pd.DataFrame, answers: Floats, cells: Cells,
    start: NDArray[np.intp], level: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return by feature how much it changes along the walks and differs in real cells, and its change at each step.

    Deviations are those of real cells, and where a feature is drawn badly those of what is drawn again from what is
    there: a feature that the autoencoder cannot draw does not count for what it happens to draw.

    Parameters
    ----------
    drawn, again, real : DataFrame
        Measured: the steps of each walk after each other, the cells that walks start from as they are drawn, all cells.
    answers : array (N,)
        Log odds of all cells.
    cells : Cells
        All cells.
    start : int array (n,)
        Rows of the cells that walks start from.
    level : float
        Confidence level.
    """
    names = [c for c in real.columns if c in drawn.columns and real[c].notna().any()]
    values = real[names].to_numpy(np.float64)
    walks = drawn[names].to_numpy(np.float64).reshape(len(start), -1, len(names))
    lost = again[names].to_numpy(np.float64) - values[start]
    spread = np.sqrt(np.nanvar(values, axis=0) + _mean(lost**2))
    units = cells.units.to_numpy()[start]
    batch = cells.batches_of.to_numpy() if cells.design.batch else np.zeros(len(cells), int)
    apart = _apart(pd.DataFrame(values, columns=names), answers, batch)
    rows, steps = {}, {}
    for j, name in enumerate(names):
        moved = walks[:, :, j] - walks[:, :1, j]
        known = np.isfinite(moved[:, -1])
        if known.any() and spread[j] > 1e-9 * max(1e-9, abs(float(np.nanmean(values[:, j])))):
            found = t_interval(moved[known, -1] / spread[j], units[known].astype(str), level=level)
            steps[name] = pd.DataFrame(moved[known] / spread[j]).groupby(units[known]).mean().mean()
            rows[name] = {"change": found.estimate, "low": found.low, "high": found.high, "n_units": found.n_units,
                          "real": apart[j] / spread[j], "says": _says(name)}  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("feature")
    unsure = ((table["low"] <= 0) & (table["high"] >= 0)).to_numpy()
    table = table.iloc[np.lexsort((-table["change"].abs().to_numpy(), unsure))]
    return table, pd.DataFrame(steps).T.rename_axis("feature").loc[table.index]


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _apart(real: pd.DataFrame, answers: Floats, batch: NDArray[Any]) -> Floats:
    """Return how features differ between the fifths of each batch with the highest and the lowest answers (P,)."""
    place = pd.Series(answers, real.index).groupby(batch).rank(pct=True)
    inner = real - real.groupby(batch).transform("mean")
    high, low = inner[(place > 1 - 1 / SHARE).to_numpy()], inner[(place <= 1 / SHARE).to_numpy()]
    return np.asarray((high.mean() - low.mean()).to_numpy(np.float64))


def _says(name: str) -> str:
    try:
        return str(describe(name))
    except ValueError:
        return ""
