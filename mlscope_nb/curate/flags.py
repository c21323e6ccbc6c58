"""Flags: which cells are unusual on their plate, and why, in words. Nothing is removed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlscope_nb._align import aligned, step
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.curate.quality import score_quality
from mlscope_nb.curate.thresholds import RULES, changed, controls_or_all, limits, plates_of
from mlscope_nb.fields import Fields

Given = Mapping[str, float | Sequence[float] | None]


def flag_quality(
    scores: pd.DataFrame | Cells | Fields,
    cells: Cells | Fields | None = None,
    *,
    thresholds: Given | None = None,
) -> pd.DataFrame:
    """Flag what is unusual on its plate, with the reason in words; every row stays, flagged or not.

    Parameters
    ----------
    scores : DataFrame, Cells or Fields
        Scores of `score_quality`, or what is to be scored first.
    cells : Cells or Fields, optional
        What the scores are of: its batches are the plates, its controls set the thresholds. Without it all rows count
        as one plate.
    thresholds : dict, optional
        Score → your own threshold on every plate, in the units of the score: ``{"focus": 0.2}``; two numbers for
        "size" and "background"; None flags nothing by this score. Default: 5 robust standard deviations from the
        median of the plate's controls (`quality_thresholds`).

    Returns
    -------
    DataFrame
        One row per cell in the order of `scores`: ``flagged``; ``reason``, empty where there is none; ``main``, the
        most particular of the scores beyond their thresholds; and for each score True where it is beyond.

    Raises
    ------
    KeyError, ValueError, TypeError
        No scores, no such score, thresholds that are no numbers, or rows that do not fit the cells.

    Warns
    -----
    UserWarning
        Controls are declared, but a plate has fewer than 30 of them: its thresholds come from all cells. Where none are
        declared this stands as a note in the history.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> cells, truth = ms.datasets.simulate(1, 4, 30, seed=1)
    >>> flags = flag_quality(score_quality(cells), cells, thresholds={"cut": 0.3})
    >>> flags.loc[flags["cut"], "reason"].iloc[0].startswith("cut by the edge of the picture")
    True
    """
    table, source = _scored(scores, cells)
    found = _limits(table, source, thresholds)
    notes = _said(found, source)
    groups = _groups(table, source)
    beyond = _beyond(table, groups, found)
    flags = pd.DataFrame({"flagged": beyond.any(axis=1)}, index=table.index)
    flags["reason"] = _reasons(table, groups, found, beyond)
    # the scores stand in the order from the most to the least particular
    flags["main"] = beyond.idxmax(axis=1).where(flags["flagged"], "") if len(table) else ""
    flags = pd.concat([flags, beyond], axis=1)
    given = {k: list(v) if isinstance(v, Sequence) else v for k, v in (thresholds or {}).items()}
    done = step("flag_quality", thresholds=given or "default", n_flagged=int(flags["flagged"].sum()), n=len(flags))
    flags.attrs["history"] = [*scores_history(scores), {**done, **({"note": notes} if notes else {})}]
    return flags


def quality_thresholds(
    scores: pd.DataFrame | Cells | Fields,
    cells: Cells | Fields | None = None,
    *,
    thresholds: Given | None = None,
) -> pd.DataFrame:
    """Return the thresholds that `flag_quality` uses, for each plate and score.

    Parameters
    ----------
    scores, cells, thresholds
        As in `flag_quality`.

    Returns
    -------
    DataFrame
        ``plate``, ``score``, ``middle`` (median), ``low`` and ``high`` (infinite where that side is no fault), ``n``
        cells behind them, ``learned_from`` ("controls", "all" or "given").

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> cells, truth = ms.datasets.simulate(1, 2, 20, seed=1)
    >>> table = quality_thresholds(cells)
    >>> table.columns.tolist()
    ['plate', 'score', 'middle', 'low', 'high', 'n', 'learned_from']
    """
    table, source = _scored(scores, cells)
    return _limits(table, source, thresholds)


def scores_history(scores: pd.DataFrame | Cells | Fields) -> list[dict[str, object]]:
    """Return what a table of scores says about how it was made."""
    return list(scores.attrs.get("history", [])) if isinstance(scores, pd.DataFrame) else [step("score_quality")]


def _scored(
    scores: pd.DataFrame | Cells | Fields, cells: Cells | Fields | None
) -> tuple[pd.DataFrame, Cells | Fields | None]:
    if isinstance(scores, Cells | Fields):
        return score_quality(scores), scores
    if not isinstance(scores, pd.DataFrame):
        raise TypeError(f"scores is a {type(scores).__name__}, expected a table of score_quality, Cells or Fields.")
    known = [name for name in RULES if name in scores]
    if not known:
        raise KeyError(
            f"No column is a quality score. Columns: {some(scores.columns, 12) or 'none'}. "
            "Make them with ms.curate.score_quality(cells)."
        )
    odd = [name for name in known if not pd.api.types.is_numeric_dtype(scores[name])]
    if odd:
        raise TypeError(f"Scores that are no numbers: {some(odd)}. Make them numbers, or leave these columns out.")
    if cells is None:
        return scores, None
    return aligned(scores, pd.Index(cells.ids), "the table of scores"), cells


def _groups(table: pd.DataFrame, source: Cells | Fields | None) -> pd.Series:
    return pd.Series("all", index=table.index) if source is None else plates_of(source)


def _limits(table: pd.DataFrame, source: Cells | Fields | None, thresholds: Given | None) -> pd.DataFrame:
    everyone = pd.Series(True, index=table.index)
    reference = controls_or_all(source) if isinstance(source, Cells) else everyone
    return changed(limits(table, _groups(table, source), reference), thresholds or {})


def _said(found: pd.DataFrame, source: Cells | Fields | None) -> str:
    """Return what to know about where thresholds come from; warn where controls were declared and are too few."""
    plates = found.loc[found["learned_from"] == "all", "plate"].unique()
    if not len(plates):
        return ""
    where = "" if list(plates) == ["all"] else f" on {count(len(plates), 'plate')} ({some(plates)})"
    text = (
        f"Thresholds{where} come from all cells, not from controls: none are declared there, or fewer than 30. "
        "A treatment that changes how cells look may be flagged less, or more, than it should. "
        "Declare controls with cells.with_design(control=…)."
    )
    if isinstance(source, Cells) and source.design.control is not None:
        warnings.warn(text, UserWarning, stacklevel=3)
    return text


def _beyond(table: pd.DataFrame, groups: pd.Series, found: pd.DataFrame) -> pd.DataFrame:
    out = {}
    for name, rows in found.groupby("score", sort=False):
        low, high = (groups.map(dict(zip(rows["plate"], rows[k], strict=True))) for k in ("low", "high"))
        values = table[str(name)]
        # comparing with NaN is False: a score that is not known is no reason
        out[name] = ((values < low) | (values > high)).to_numpy()
    names = [n for n in RULES if n in out]
    return pd.DataFrame(out, index=table.index)[names]


def _reasons(table: pd.DataFrame, groups: pd.Series, found: pd.DataFrame, beyond: pd.DataFrame) -> pd.Series:
    """Write for each row what is beyond its threshold, with the numbers."""
    at = found.set_index(["plate", "score"])
    words: list[str] = []
    hit = beyond.to_numpy()
    for row, place in enumerate(np.asarray(groups)):
        parts = []
        for name in (str(n) for n, is_hit in zip(beyond.columns, hit[row], strict=True) if is_hit):
            value = float(table[name].iloc[row])
            limit = at.loc[(place, name)]
            low = value < limit["low"]
            meaning, edge = (RULES[name].low, limit["low"]) if low else (RULES[name].high, limit["high"])
            parts.append(f"{meaning} ({name} {value:.3g}, {'lowest' if low else 'highest'} {edge:.3g})")
        words.append("; ".join(parts))
    return pd.Series(words, index=table.index, dtype=object)
