"""Leakage: what training could know of the test, each kind by its name.

Kinds after Kapoor & Narayanan 2023, Leakage and the reproducibility crisis in machine-learning-based science, Patterns
4:100804: L1.1 no test set, L1.2 preprocessing on training and test set, L1.3 feature selection on both, L1.4
duplicates, L2 illegitimate features, L3.1 temporal leakage, L3.2 training and test not independent, L3.3 sampling bias.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.curate.duplicates import find_duplicates
from mlscope_nb.risks.findings import ALL, Finding, Level
from mlscope_nb.study.split_checks import check_split
from mlscope_nb.study.splits import Split
from mlscope_nb.study.units import noun, plural

NO_TEST = "L1.1 no test set"
PREPARED = "L1.2 preprocessing on training and test set"
SELECTED = "L1.3 feature selection on training and test set"
COPIES = "L1.4 duplicates"
ILLEGITIMATE = "L2 illegitimate features"
DEPENDENT = "L3.2 training and test not independent"
SPLIT, DUPLICATES, FITTED, FEATURES = "split", "duplicates", "preprocessing", "features"
FEW_COPIES = 3
"""Fewer pairs than this change no result that could be noticed."""
CLEAR = 4
"""How many times more alike than the least alike copy pairs have to be to count for red: among thousands of plain cells
a few come near that by chance."""
FITTED_ON_ALL = {
    "combat": "batch correction", "harmony": "batch correction", "ruv": "batch correction", "tvn": "whitening",
    "sphering": "whitening", "pca": "principal components",
}  # fmt: skip
JUDGED = ("encode", "normalize", "select")
"""Steps that may have been fitted on all cells; a history without any of them does not say how features were made."""
PLACES = re.compile(
    r"(^|_)(Location_Center_[XYZ]|Object_?Number|Image_?Number|BoundingBox(Minimum|Maximum)|Metadata)(_|$)|^Metadata_"
)

Pairs = Iterable[Split | tuple[Iterable[str], Iterable[str]]]


def splits_of(cells: Cells, splits: Pairs | None) -> list[Finding]:
    """Return whether proposed splits keep units, and groups that are known otherwise, on one side.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABB")}, index=list("abcd"))
    >>> cells = Cells(obs, unit="well")
    >>> [(f.level, f.kind) for f in splits_of(cells, [(["a", "c"], ["b", "d"])])]
    [('red', 'L3.2 training and test not independent')]
    """
    if splits is None:
        return [_no_split(cells)]
    listed = [tuple(pd.Index(list(ids), dtype=object) for ids in part) for part in splits]
    if not listed or any(not len(test) for _, test in listed):
        reason = "There is no cell to test on."
        return [Finding(SPLIT, ALL, "red", reason, "Split by units: ms.predict.split(cells).", kind=NO_TEST)]
    twice = sum(len(train.intersection(test)) for train, test in listed)
    if twice:
        reason = f"{count(twice, 'cell')} in training and test of the same split."
        return [Finding(SPLIT, ALL, "red", reason, "Split by units: ms.predict.split(cells).", twice, kind=NO_TEST)]
    if not cells.design.unit:
        return [_no_split(cells)]
    return [_shared(cells, listed)]


def duplicates_of(
    cells: Cells, pairs: pd.DataFrame | None = None, splits: Pairs | None = None
) -> tuple[list[Finding], pd.DataFrame | None]:
    """Return whether the same cell stands on both sides of splits, and the table of pairs.

    Parameters
    ----------
    cells : Cells
    pairs : DataFrame, optional
        From `ms.curate.find_duplicates`; found here otherwise.
    splits : splits, optional
        Proposed splits: pairs that they part count, whatever their units are.

    Raises
    ------
    ValueError
        The pairs have other columns, or name cells that are not here.
    """
    if pairs is None:
        if cells.images is None:
            return [Finding(DUPLICATES, ALL, "untestable", "There are no images to compare.", "")], None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                pairs = find_duplicates(cells)
            except ValueError as error:
                return [Finding(DUPLICATES, ALL, "untestable", str(error), "Audit larger crops.")], None
        alike = [str(w.message) for w in caught if "look-alikes" in str(w.message)]
        if alike and pairs.empty:
            return [Finding(DUPLICATES, ALL, "untestable", alike[0], "Compare more channels or detail.")], pairs
    _refuse_other_cells(cells, pairs)
    parted = _parted(cells, pairs, splits)
    return _copies(cells, pairs, parted), pairs


def preprocessing(history: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return which steps were fitted on all cells, before anything could be held out.

    Parameters
    ----------
    history : sequence of dicts
        ``cells.history``.

    Examples
    --------
    >>> [f.kind for f in preprocessing([{"step": "select", "n_features": 20, "n_before": 90}])]
    ['L1.3 feature selection on training and test set']
    """
    found = [f for step in history for f in _fitted(step)]
    if found:
        return list({(f.reason, f.level): f for f in found}.values())
    if any(step.get("step") in JUDGED for step in history):
        return [Finding(FITTED, ALL, "green", "No step of the history was fitted on all cells.", "")]
    lacks = "The history holds no step that could have been fitted" if history else "There is no history"
    return [Finding(FITTED, ALL, "untestable", f"{lacks}: what was done before is not known.", "")]


def illegitimate(cells: Cells) -> list[Finding]:
    """Return whether features name the place or the file of a cell, which no new cell shares.

    Examples
    --------
    >>> table = pd.DataFrame({"Cells_Location_Center_X": [1.0, 2.0]}, index=["a", "b"])
    >>> illegitimate(Cells(pd.DataFrame(index=["a", "b"]), features=table))[0].level
    'amber'
    """
    if cells.features is None:
        return [Finding(FEATURES, ALL, "untestable", "There are no features yet.", "")]
    names = [str(c) for c in cells.features.columns if PLACES.search(str(c))]
    if not names:
        return [Finding(FEATURES, ALL, "green", "No feature says where or in which file a cell is, by its name.", "")]
    reason = f"{count(len(names), 'feature')} say where or in which file a cell is, not how it looks: {some(names, 4)}."
    step = "Leave them out of models: cells.with_features(cells.features.drop(columns=[…]))."
    return [Finding(FEATURES, ALL, "amber", reason, step, len(names), kind=ILLEGITIMATE)]


def _no_split(cells: Cells) -> Finding:
    if cells.design.unit:
        several = plural(noun(cells.design.unit))
        reason = f"No split was proposed; those of mlscope keep {several} whole."
        return Finding(SPLIT, ALL, "green", reason, "Audit your own: ms.risks.audit(cells, splits=[…]).")
    reason = "No unit is declared: no split can be shown to be free of leaks."
    return Finding(SPLIT, ALL, "untestable", reason, "Declare it: cells.with_design(unit=…).", kind=DEPENDENT)


def _shared(cells: Cells, listed: list[tuple[pd.Index, ...]]) -> Finding:
    units = cells.units
    word = noun(cells.design.unit)
    names: set[str] = set()
    for train, test in listed:
        known = [ids.intersection(cells.ids) for ids in (train, test)]
        names |= set(units[known[0]]) & set(units[known[1]])
    if names:
        reason = f"{count(len(names), word, plural(word))} in training and test of a split: {some(sorted(names), 4)}."
        step = f"Keep each {word} on one side: ms.predict.split(cells)."
        return Finding(SPLIT, ALL, "red", reason, step, len(names) / units.nunique(), kind=DEPENDENT)
    check_split(cells, [(train, test) for train, test in listed])
    return Finding(SPLIT, ALL, "green", f"The proposed splits keep {plural(word)} whole.", "", 0.0)


def _refuse_other_cells(cells: Cells, pairs: pd.DataFrame) -> None:
    again = "Give ms.curate.find_duplicates(cells) of these cells."
    if not {"cell_a", "cell_b"} <= set(pairs.columns):
        raise ValueError(f"The pairs have the columns {some(pairs.columns)}, expected cell_a and cell_b. {again}")
    strangers = pd.Index(sorted(_ids(pairs))).difference(cells.ids)
    if len(strangers):
        raise ValueError(f"The pairs name {count(len(strangers), 'cell')} not here: {some(strangers)}. {again}")


def _parted(cells: Cells, pairs: pd.DataFrame, splits: Pairs | None) -> pd.Series:
    """Return for each pair whether a split puts one into training and the other into the test."""
    if splits is not None:
        found = np.zeros(len(pairs), bool)
        for train, test in splits:
            inside = [pd.Index(list(ids), dtype=object) for ids in (train, test)]
            a, b = (([pairs[c].isin(ids).to_numpy() for ids in inside]) for c in ("cell_a", "cell_b"))
            found |= (a[0] & b[1]) | (a[1] & b[0])
        return pd.Series(found, pairs.index)
    if not cells.design.unit:
        return pd.Series(True, pairs.index)
    unit = cells.units
    return pd.Series(unit[pairs["cell_a"]].to_numpy() != unit[pairs["cell_b"]].to_numpy(), pairs.index)


def _copies(cells: Cells, pairs: pd.DataFrame, parted: pd.Series) -> list[Finding]:
    if not len(pairs):
        return [Finding(DUPLICATES, ALL, "green", "No cell was found twice.", "", 0.0)]
    across, inside = pairs[parted], pairs[~parted]
    rest = (
        f" {count(len(inside), 'pair')} within one {_word(cells)}, which such a split keeps together."
        if len(inside)
        else ""
    )
    if not len(across):
        return [Finding(DUPLICATES, ALL, "green", rest.strip(), "Keep one of each.", len(_ids(inside)) / len(cells))]
    where = f"that a split by {_word(cells)} may part" if cells.design.unit else "that any split of cells may part"
    flipped = int((across["turn"] != "none").sum()) if "turn" in across else 0
    turned = f", {flipped:,} of them flipped or turned" if flipped else ""
    reason = f"{count(len(across), 'pair')} of copies {where}{turned}.{rest}"
    step = "Keep one of each (ms.curate.group_duplicates says which), and find out how it got there."
    clear = _clear(across, pairs)
    level: Level = "red" if clear >= FEW_COPIES else "amber" if clear or len(across) >= FEW_COPIES else "green"
    if level != "red" and clear < len(across):
        reason += f" {len(across) - clear} only just more alike than different cells of these data are."
        step = f"Look at them side by side: they may be look-alikes. {step}"
    share = len(_ids(across)) / len(cells)
    kind = "" if level == "green" else COPIES
    return [Finding(DUPLICATES, _owners(cells, across), level, reason, step, share, kind=kind)]


def _clear(across: pd.DataFrame, pairs: pd.DataFrame) -> int:
    """Return how many pairs are far more alike than copies have to be; all, where that limit is not known."""
    limit = pairs.attrs.get("limit")
    if limit is None or "unexplained" not in across:
        return len(across)
    return int((across["unexplained"] <= limit / CLEAR).sum())


def _word(cells: Cells) -> str:
    return noun(cells.design.unit) if cells.design.unit else "cell"


def _ids(pairs: pd.DataFrame) -> set[str]:
    return set(pairs["cell_a"]) | set(pairs["cell_b"])


def _owners(cells: Cells, pairs: pd.DataFrame) -> str:
    """Name the units that share cells; without units the cells themselves."""
    ids = sorted(_ids(pairs))
    names = sorted(set(cells.units[ids])) if cells.design.unit else ids
    return some(names, 6)


def _fitted(step: Mapping[str, Any]) -> list[Finding]:
    name = str(step.get("step", ""))
    values = {**step, **step.get("parameters", {})} if isinstance(step.get("parameters"), Mapping) else dict(step)
    if name == "select":
        reason = f"Features were selected on all cells ({values.get('n_before')} → {values.get('n_features')})."
        return [Finding(FITTED, ALL, "amber", reason, "Select inside each fold.", kind=SELECTED)]
    if name == "normalize":
        return _normalised(values)
    if name == "encode" and values.get("n_units_seen_in_training"):
        seen = values["n_units_seen_in_training"]
        reason = f"The encoder was trained on images of {seen} of these units."
        return [Finding(FITTED, ALL, "amber", reason, "Train it on other units than those tested.", kind=PREPARED)]
    return []


def _normalised(values: Mapping[str, Any]) -> list[Finding]:
    method, control = str(values.get("method")), values.get("control")
    what = FITTED_ON_ALL.get(method)
    if what:
        reason = f"'{method}' ({what}) was fitted on cells of all batches at once."
    elif control == "all":
        reason = f"'{method}' was fitted on all cells of each batch, those to be tested among them."
    else:
        return []
    return [
        Finding(FITTED, ALL, "amber", reason, "Fit it inside each fold: cross_validate(normalize=…).", kind=PREPARED)
    ]
