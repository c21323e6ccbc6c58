"""What importance finds: blocks of features in order, with intervals, signs, words and the cells at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.explain.feature_blocks import Blocks
from mlscope_nb.features.glossary import describe
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.folds import Folds
from mlscope_nb.predict.intervals import contributions, counts
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.intervals import Interval, t_interval
from mlscope_nb.study.units import plural

TRIM, SHOWN = 0.02, 3
"""Share of cells left out at either end (what lies far out is often damaged), and how many are named."""
TOLD = 3


@dataclass(frozen=True, eq=False, repr=False)
class Importance(Result):
    """What a model of features needs to tell classes apart, in cells that it has not seen.

    Parameters
    ----------
    model, by : str
        What was trained, and what was held out.
    blocks : DataFrame
        One row per block, named by the feature that stands for it, the most important first: rank, importance (what
        the probability of the right class loses when the block is mixed up; every class counts the same), low, high,
        accuracy_lost (of the balanced accuracy), n_features, features, class (which loses most), feature (the one of
        the block that goes best with what the class loses), sign (1: high values of it speak for that class, -1: low
        ones), says (what it means), low_cells and high_cells (ids of cells with low and high values of it).
    features : DataFrame
        By feature: block, and for linear models shapley (the mean absolute Shapley value for the cell's own class).
    by_class : DataFrame
        What each class loses (columns), by block.
    probability : Interval
        The probability of the right class, with nothing mixed up.
    shapley : DataFrame or None
        Of linear models: what each feature adds for each held-out cell's own class (N, P); see ``shapley``.
    notes : tuple of str
        What a reader has to know.
    """

    model: str
    by: str
    blocks: pd.DataFrame
    features: pd.DataFrame
    by_class: pd.DataFrame
    probability: Interval
    shapley: pd.DataFrame | None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        target = self.probability.target.removeprefix("probability of the right class on ")
        lines = [f"What '{self.model}' needs, on {target}: probability of the right class {self.probability}."]
        lines += [_line(row) for _, row in self.blocks.head(TOLD).iterrows()]
        rest = len(self.blocks) - TOLD
        if rest > 0:
            lines.append(f"And {count(rest, 'block')} of features more (.blocks).")
        return "\n".join([*lines, *self.notes])


def _line(row: pd.Series) -> str:
    width = row["high"] - row["low"]
    ends = f" ({number(row['low'], width)} to {number(row['high'], width)})" if np.isfinite(width) else ""
    more = f" and {count(row['n_features'] - 1, 'feature')} like it" if row["n_features"] > 1 else ""
    speak = "High" if row["sign"] > 0 else "Low"
    what = f"{row['rank']}. {row['feature']}{more}: mixed up, it loses {number(row['importance'], width)}{ends}."
    return " ".join(part for part in (what, row["says"], f"{speak} values speak for '{row['class']}'.") if part)


@dataclass(eq=False)
class Mixed:
    """What models say of held-out cells, as they are and with each block exchanged."""

    ids: pd.Index
    classes: list[Any]
    blocks: list[str]
    said: Floats
    lost: NDArray[np.float32]
    hits: NDArray[np.float32]
    tested: NDArray[np.bool_]
    contributions: pd.DataFrame
    has_shapley: bool = False

    @classmethod
    def empty(cls, ids: pd.Index, classes: list[Any], blocks: list[str], names: list[str]) -> Mixed:
        """Return one in which nothing is written yet."""
        n, k, b = len(ids), len(classes), len(blocks)
        table = pd.DataFrame(np.nan, index=ids, columns=names)
        return cls(
            ids, classes, blocks, np.zeros((n, k)), np.zeros((b, n, k), np.float32), np.zeros((b, n), np.float32),
            np.zeros(n, bool), table,
        )  # fmt: skip

    def codes(self, labels: pd.Series) -> NDArray[np.intp]:
        """Return the number of each label."""
        return pd.Index(self.classes, dtype=object).get_indexer(pd.Index(labels, dtype=object))

    def write(self, rows: NDArray[np.intp], places: NDArray[np.intp], said: Floats) -> None:
        """Keep what is said of cells as they are."""
        self.said[np.ix_(rows, places)], self.tested[rows] = said, True

    def write_block(
        self, block: int, rows: NDArray[np.intp], places: NDArray[np.intp], lost: Floats, hits: Floats
    ) -> None:
        """Keep what each class loses with a block exchanged, and how often the answer is right then."""
        self.lost[block][np.ix_(rows, places)], self.hits[block, rows] = lost, hits

    def write_shapley(
        self, rows: NDArray[np.intp], labels: pd.Series, names: list[str], classes: Sequence[Any], weight: Floats,
        values: Floats,
    ) -> None:  # fmt: skip
        """Keep Shapley values for each cell's own class; a class that the model was not taught gets none."""
        own = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(labels, dtype=object))
        found = np.where((own >= 0)[:, None], values * weight[:, own].T, np.nan)
        self.contributions.iloc[rows, self.contributions.columns.get_indexer(pd.Index(names))] = found
        self.has_shapley = True

    def score(self, labels: pd.Series, folds: Folds, level: float) -> Interval:
        """Return the mean probability of the right class, every class counting the same."""
        code = self.codes(labels)[self.tested]
        return _over_groups(code, self.said[self.tested, code], folds, self.tested, level)


def blocks_table(
    cells: Cells, mixed: Mixed, blocks: Blocks, folds: Folds, level: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row per block, the most important first, and what each class loses."""
    tested = mixed.tested
    code = mixed.codes(cells.labels)[tested]
    right = mixed.said[tested].argmax(axis=1) == code
    values = cells.table()
    rows, losses = [], {}
    for number_, name in enumerate(mixed.blocks):
        lost = mixed.lost[number_][tested].astype(np.float64)
        own = lost[np.arange(len(code)), code]
        found = _over_groups(code, own, folds, tested, level)
        each = np.array([own[code == k].mean() if (code == k).any() else np.nan for k in range(len(mixed.classes))])
        most = int(np.nanargmax(each))
        accuracy = _over_groups(code, right - mixed.hits[number_][tested], folds, tested, level)
        feature, sign = _telling(values[tested], name, blocks.members[name], lost[:, most])
        of_cells = _column(values, feature)
        low, high = _ends(of_cells[tested])
        losses[name] = dict(zip(mixed.classes, each, strict=True))
        rows.append({
            "importance": found.estimate, "low": found.low, "high": found.high, "accuracy_lost": accuracy.estimate,
            "n_features": len(blocks.members[name]), "class": mixed.classes[most], "feature": feature, "sign": sign,
            "says": _says(feature),
            "features": tuple(blocks.members[name]), "low_cells": low, "high_cells": high,
        })  # fmt: skip
    table = pd.DataFrame(rows, index=pd.Index(mixed.blocks, name="block", dtype=object))
    table = table.sort_values("importance", ascending=False, kind="stable")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    by_class = pd.DataFrame.from_dict(losses, orient="index").loc[table.index].rename_axis("block")
    return table, by_class


def features_table(mixed: Mixed, blocks: Blocks, labels: pd.Series) -> pd.DataFrame:
    """Return the block of each feature, and its mean absolute Shapley value where the model is linear."""
    of = {f: name for name, names in blocks.members.items() for f in names}
    table = pd.DataFrame({"block": of}).rename_axis("feature")
    if mixed.has_shapley:
        size = mixed.contributions.abs().groupby(labels.to_numpy()).mean().mean()
        table["shapley"] = [float(size[blocks.copies.get(f, f)]) for f in table.index]
        table["same_as"] = [blocks.copies.get(f, "") for f in table.index]
        table = table.sort_values("shapley", ascending=False, kind="stable")
    return table


def _over_groups(
    code: NDArray[np.intp], values: Floats, folds: Folds, tested: NDArray[np.bool_], level: float
) -> Interval:
    """Return the mean over classes with Student's t interval over what was held out."""
    given, summed = counts(code, values, folds.group[tested])
    found = t_interval(contributions(given, summed), level=level, target="importance")
    word = folds.word
    return Interval(
        found.estimate, found.low, found.high, level, found.n_units, found.target, "t", word,
        found.note.replace("units", plural(word)).replace("unit ", f"{word} "),
    )  # fmt: skip


def _column(values: pd.DataFrame, name: str) -> pd.Series:
    return values[name] if name in values.columns else pd.Series(np.nan, index=values.index)


def _telling(values: pd.DataFrame, name: str, members: Sequence[str], gained: Floats) -> tuple[str, int]:
    """Return the feature of a block whose order of cells goes best with what the block adds, and its sign.

    A block of sizes can tell long cells by their width: the feature that stands for it, the area, says nothing then.
    """
    known = [name, *(m for m in members if m != name and m in values.columns)]
    found = {m: _together(_column(values, m).to_numpy(), gained) for m in known}
    best = max(known, key=lambda m: abs(found[m]))
    return best, int(np.sign(found[best]))


def _together(values: Floats, gained: Floats) -> float:
    """Return the rank correlation of a feature with what is gained, 0 where one of them does not vary."""
    from scipy.stats import rankdata

    known = np.isfinite(values)
    if not known.any():
        return 0.0
    a, b = (rankdata(x[known]) - (known.sum() + 1) / 2 for x in (values, gained))
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return round(float((a * b).sum()) / size, 6) if size else 0.0


def _ends(values: pd.Series) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return ids of cells with low and with high values, those farthest out left aside."""
    known = values.dropna().sort_values(kind="stable")
    edge = int(TRIM * len(known))
    inner = known.index[edge : len(known) - edge]
    return tuple(map(str, inner[:SHOWN])), tuple(map(str, inner[::-1][:SHOWN]))


def _says(name: str) -> str:
    try:
        return str(describe(name))
    except ValueError:
        return ""
