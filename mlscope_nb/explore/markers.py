"""Markers: which features tell a group from others, with only those p-values that can be trusted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._align import step
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explore.comparisons import compare
from mlscope_nb.explore.distinguish import distinguish
from mlscope_nb.explore.memberships import members
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import check_level

Method = Literal["units", "naive"]
CLIP = 5.0
"""Robust deviations: of a million cells with a normal distribution fewer than one is farther out."""
COLUMNS = ["group", "feature", "effect", "low", "high", "p_value", "q_value", "n_units", "mean_group", "mean_reference"]
CLUSTERED = ("cluster", "assign")
NO_P = (
    "No p-values: these groups were found in the same features, and any way of grouping cells, even of pure noise, "
    "makes groups that differ. Effects say how much; whether treatments hold more of a group can be tested over units."
)


def markers(
    cells: Cells,
    groups: Any,
    *,
    found: bool | None = None,
    against: Any = None,
    method: Method = "units",
    columns: str | Sequence[str] | None = None,
    level: float = 0.95,
    clip: float | None = CLIP,
) -> pd.DataFrame:
    """Rank the features that tell each group from a reference, by effect size.

    Groups that were **given** (treatments, labels) are tested over units, within plates where the design has them, and
    get p-values. Groups that were **found** in the same features (clusters, a lasso) get effects with intervals and no
    p-values: they differ because they were chosen to differ. Data thinning with an estimated covariance was tried for
    them and is not offered: on simulated cells without groups it called a third or more of the features different, or,
    made to hold the level there, found next to nothing (``studies/explore_markers.py``).

    Parameters
    ----------
    cells : Cells
        With features and a declared unit.
    groups : str, Series, clustering, dict or ids
        As in `members`: a column, one value per cell, a clustering, ``{name: ids}``, or ids.
    found : bool, optional
        Were the groups found by looking at these features? Default: no for the declared label, treatment or control,
        and for groups that hold whole units of several cells, unless `cluster` made them; yes for all others. Say
        False for labels that come from elsewhere (a person, another stain).
    against : optional
        The reference: "control", "others", or the name of a group. Default: the controls where the groups are given,
        controls are declared and are a group of their own; otherwise all other cells that have a group.
    method : {"units", "naive"}
        "naive" tests cells as if each were independent, and found groups as if they were given: wrong in both ways,
        for the lesson; ``.attrs["reason"]`` says so.
    columns : str or several, optional
        Columns of features and obs; all features by default.
    level : float
        Confidence level.
    clip : float or None
        Where groups are given, cells farther than this many robust deviations from the median of their unit are drawn
        in to there: out of focus, saturated or covered cells would otherwise decide about whole wells (in default
        simulated studies a fifth to a half of the markers were missed). None takes features as they are.

    Returns
    -------
    DataFrame
        One row per group and feature, largest effect of each group first: group, feature, effect (difference to the
        reference in standard deviations of cells), low, high, p_value and q_value (Benjamini-Hochberg over all rows;
        both columns only where groups are given), n_units (of the side with fewer), mean_group, mean_reference.
        In ``attrs``: "found", "reason" (why p-values or intervals are missing, or ""), "history".

    Raises
    ------
    ValueError
        clip is not above 0, no unit is declared (given groups), there is one group only, or there are no features.
    KeyError
        A column, group or id is not known.

    References
    ----------
    Gao, Bien & Witten 2022, JASA 119:332 (why groups that were found cannot be tested on the same data); Hivert et al.
    2024, arXiv 2405.13591 (why thinning does not mend it when the covariance is estimated); Lord et al. 2020, J Cell
    Biol 219 (units, not cells).

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABBCCDDEEFF"), "drug": ["none"] * 6 + ["x"] * 6})
    >>> area = pd.DataFrame({"area": [1.0, 3, 2, 4, 1, 3, 5, 7, 6, 8, 5, 7]})
    >>> cells = Cells(obs, features=area, unit="well", treatment="drug", control={"drug": "none"})
    >>> markers(cells, "drug").round(3)[["group", "feature", "effect", "p_value"]].values.tolist()
    [['x', 'area', 3.618, 0.001]]
    >>> "p_value" in markers(cells, area["area"].gt(4.5))  # given by the feature itself, but in whole wells
    True
    >>> "p_value" in markers(cells, area["area"].gt(3.5))
    False
    """
    check_level(level)
    if method not in ("units", "naive"):
        raise ValueError(f"method is {method!r}, expected 'units' or 'naive'.")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip is {clip}, expected how many robust deviations a cell may be from its unit, or None.")
    group = members(cells, groups)
    names = ordered(group)
    if len(names) < 2:
        raise ValueError(f"Only one group: {some(names)}. To find markers there have to be two at least.")
    was_found = not _given(cells, groups, group) if found is None else bool(found)
    reference = _reference(cells, group, against, was_found)
    table = cells.table([columns] if isinstance(columns, str) else columns)
    if not table.shape[1]:
        raise ValueError("There are no features to compare. Measure them: ms.features.measure(cells).")
    pairs = {name: _pair(group, name, reference) for name in names}
    pairs = {name: second for name, second in pairs.items() if second.eq(False).any()}
    if method == "naive":
        result = _naive(table, pairs, level)
    elif was_found:
        result = _effects(cells, pairs, columns, level)
    else:
        result = _tested(
            {name: compare(cells, table, second, level=level, clip=clip) for name, second in pairs.items()}
        )
    result.attrs = {
        "found": was_found,
        "reason": _reason(result, was_found, method),
        "history": [step("markers", found=was_found, method=method, level=level, clip=clip, n_groups=len(pairs))],
    }
    return result


def _given(cells: Cells, groups: Any, group: pd.Series) -> bool:
    """Whether groups are declared, or hold whole units: what is done to a well is not found by looking at its cells.

    The labels of a clustering are found, also where a cluster happens to hold whole wells.
    """
    design = cells.design
    if _clustered(cells, groups):
        return False
    declared = {design.label, design.treatment, *((design.control,) if isinstance(design.control, str) else ())}
    if isinstance(groups, str) and (groups in declared - {None} or groups in ("label", "treatment", "control")):
        return True
    if not design.unit:
        return False
    units = cells.units[group.notna()]
    several = len(units) > units.nunique()
    return bool(several and (group.dropna().groupby(units.to_numpy()).nunique() == 1).all())


def _clustered(cells: Cells, groups: Any) -> bool:
    """Whether groups are the labels of a clustering, or a column of obs that was made of them."""
    if isinstance(groups, str):
        steps = cells.history
        added = [i for i, s in enumerate(steps) if s["step"] == "with_obs" and groups in s.get("columns", ())]
        return bool(added) and added[-1] > 0 and steps[added[-1] - 1]["step"] in CLUSTERED
    labels = groups if isinstance(groups, pd.Series) else getattr(groups, "labels", None)
    return isinstance(labels, pd.Series) and any(s["step"] in CLUSTERED for s in labels.attrs.get("history", ()))


def _reference(cells: Cells, group: pd.Series, against: Any, found: bool) -> Any:
    """Return the name of the group that all are compared with, or None for all others."""
    of_controls = _group_of_controls(cells, group)
    if isinstance(against, str) and against == "others":
        return None
    if isinstance(against, str) and against == "control":
        if of_controls is None:
            raise ValueError(
                "The controls are not a group of their own here. Compare with against='others', or name a group."
            )
        return of_controls
    if against is not None:
        if not (group == against).any():
            raise KeyError(f"No group '{against}' to compare with. Groups: {some(ordered(group))}.")
        return against
    return None if found else of_controls


def _group_of_controls(cells: Cells, group: pd.Series) -> Any:
    if cells.design.control is None:
        return None
    controls = cells.controls
    inside = group[controls].dropna().unique()
    if len(inside) != 1 or (group[~controls] == inside[0]).any():
        return None
    return inside[0]


def _pair(group: pd.Series, name: Any, reference: Any) -> pd.Series:
    """Return True for cells of the group, False for the reference, missing for others."""
    second = pd.Series(np.nan, index=group.index, dtype=object)
    if name == reference:
        return second
    others = group.notna() if reference is None else (group == reference).fillna(False)
    second[others.to_numpy(bool)] = False
    second[(group == name).fillna(False).to_numpy(bool)] = True
    return second


def _tested(parts: dict[Any, pd.DataFrame]) -> pd.DataFrame:
    frames = [p.rename_axis("feature").reset_index().assign(group=name) for name, p in parts.items()]
    result = pd.concat(frames, ignore_index=True)
    return _sorted(result.assign(q_value=adjusted(result["p_value"]))[COLUMNS])


def adjusted(p: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg q-values; missing p-values take no part."""
    from scipy.stats import false_discovery_control

    q = pd.Series(np.nan, index=p.index)
    known = p.notna()
    if known.any():
        q[known] = false_discovery_control(p[known].to_numpy())
    return q


def _effects(cells: Cells, pairs: dict[Any, pd.Series], columns: Any, level: float) -> pd.DataFrame:
    frames = []
    for name, second in pairs.items():
        part = cells if second.notna().all() else cells.subset(second.notna().to_numpy())
        chosen = distinguish(part, second.dropna().astype(bool), columns=columns, level=level)
        chosen = chosen.rename(columns={"mean_selected": "mean_group", "mean_others": "mean_reference"})
        frames.append(chosen.reset_index().assign(group=name))
    return _sorted(pd.concat(frames, ignore_index=True)[[c for c in COLUMNS if c not in ("p_value", "q_value")]])


def _naive(table: pd.DataFrame, pairs: dict[Any, pd.Series], level: float) -> pd.DataFrame:
    from scipy.stats import ttest_ind

    frames, table = [], table.replace([np.inf, -np.inf], np.nan)
    for name, second in pairs.items():
        a, b = (table[second.eq(side).to_numpy(bool)] for side in (True, False))
        with warnings.catch_warnings():
            # Where a side has no value, or no spread, SciPy says so and gives NaN, which the table shows.
            warnings.simplefilter("ignore", RuntimeWarning)
            test = ttest_ind(a, b, equal_var=False, nan_policy="omit")
            interval = test.confidence_interval(level)
        spread = np.sqrt((a.var(ddof=0) * a.count() + b.var(ddof=0) * b.count()) / (a.count() + b.count()))
        frames.append(pd.DataFrame({
            "feature": table.columns, "group": name, "effect": (a.mean() - b.mean()) / spread,
            "low": np.asarray(interval.low) / spread, "high": np.asarray(interval.high) / spread,
            "p_value": np.asarray(test.pvalue), "n_units": min(len(a), len(b)),
            "mean_group": a.mean(), "mean_reference": b.mean(),
        }))  # fmt: skip
    result = pd.concat(frames, ignore_index=True)
    return _sorted(result.assign(q_value=adjusted(result["p_value"]))[COLUMNS])


def _sorted(result: pd.DataFrame) -> pd.DataFrame:
    place = {name: k for k, name in enumerate(pd.unique(result["group"]))}
    order = np.lexsort((-result["effect"].abs().fillna(-1).to_numpy(), result["group"].map(place).to_numpy()))
    return result.iloc[order].reset_index(drop=True)


def _reason(result: pd.DataFrame, found: bool, method: str) -> str:
    if method == "naive":
        return "These p-values take every cell as independent and every group as given: they are far too small."
    if found:
        return NO_P
    missing = result["p_value"].isna()
    if not missing.any():
        return ""
    return (
        f"No p-value in {count(int(missing.sum()), 'row')}: fewer than 3 units on one side that can be compared, or "
        "a feature that does not vary."
    )
