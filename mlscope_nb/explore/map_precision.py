"""Mean average precision of profiles: which treatments can be told from controls, and from each other, at all."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._align import step
from mlscope_nb._words import count, no_column, some
from mlscope_nb.cells import Cells
from mlscope_nb.explore.markers import adjusted
from mlscope_nb.explore.profiles import Profiles, unit_profiles
from mlscope_nb.features.precision import average_precision, mean_precision
from mlscope_nb.study.units import noun, plural

Question = Literal["activity", "consistency"]
COLUMNS = ["question", "group", "n_units", "mean_average_precision", "null", "p_value", "q_value", "verdict"]


def map_precision(
    cells: Cells,
    *,
    by: str | None = None,
    profiles: Literal["decorrelated", "features"] = "decorrelated",
    level: float = 0.05,
    n_null: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell which treatments are distinguishable: from controls (activity), and from each other (consistency).

    Each unit ranks others by the cosine of their profiles. Activity: does it find the units of its own treatment before
    the controls? Consistency: does it find those of its label on other plates before those of other labels (controls
    left out)? The null is random rankings; q-values are Benjamini-Hochberg, for each question by itself.

    Parameters
    ----------
    cells : Cells
        With features, a declared unit, and a treatment or label; controls for activity.
    by : str, optional
        The column of obs with the groups; default: the treatment for activity, the label for consistency (each in place
        of the other where it is not declared, or differs between the cells of a unit).
    profiles : {"decorrelated", "features"}
        "decorrelated": as `unit_profiles` makes them; "features": means of the features as they are, for tables that
        are normalised already.
    level : float
        The q-value below which a verdict says "distinguishable".
    n_null : int
        Random rankings.
    seed : int
        Seed of the random rankings.

    Returns
    -------
    DataFrame
        One row per question and group, the clearest first: question, group, n_units, mean_average_precision, null (its
        mean under random rankings), p_value, q_value, verdict. ``attrs["words"]`` says it in a sentence or two.

    Raises
    ------
    ValueError
        No unit, or neither treatment nor label is declared, or nothing can be compared.
    KeyError
        There is no such column.

    References
    ----------
    Kalinin et al. 2025, Nature Communications 16:5181 (copairs), for precision, nulls and FDR. A random ranking as good
    as the observed one counts against it here; copairs counts only better ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(p, w, "none" if w < 4 else "xy"[w % 2]) for p in "123" for w in range(8) for _ in range(9)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"])
    >>> table = pd.DataFrame(rng.normal(size=(len(obs), 6))).add_prefix("F") + 2.0 * (obs[["drug"]] == "x").to_numpy()
    >>> cells = Cells(obs, features=table, unit=("plate", "well"), batch="plate", treatment="drug",
    ...               control={"drug": "none"})
    >>> found = map_precision(cells, n_null=1000)
    >>> found[found["question"] == "activity"].set_index("group")["verdict"].to_dict()
    {'x': 'distinguishable', 'y': 'not distinguishable'}
    """
    if profiles not in ("decorrelated", "features"):
        raise ValueError(f"profiles is {profiles!r}, expected 'decorrelated' or 'features'.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1, such as 0.05.")
    made = unit_profiles(cells) if profiles == "decorrelated" else _as_they_are(cells)
    control = _controls(cells, made)
    parts, notes = [], []
    for question in ("activity", "consistency"):
        group = _groups(cells, made, by, question)
        part, note = _answer(cells, made, group, control, question, n_null, seed)
        parts.append(part)
        notes.append(note)
    known = [p for p in parts if len(p)]
    if not known:
        raise ValueError(f"Nothing can be compared. {' '.join(n for n in notes if n)}")
    result = pd.concat([_judged(part, level) for part in known], ignore_index=True)
    word = noun(cells.design.unit)
    lines = [_words(result, question, word) for question in pd.unique(result["question"])]
    result.attrs = {
        "words": " ".join(lines + [n for n in notes if n]),
        "history": [step("map_precision", by=by, profiles=profiles, level=level, n_null=n_null, seed=seed)],
    }
    return result


def _as_they_are(cells: Cells) -> Profiles:
    made = unit_profiles(cells)
    means = cells.table().groupby(cells.units.to_numpy(), sort=True).mean().loc[made.obs.index].to_numpy(np.float64)
    if not np.isfinite(means).all():
        raise ValueError(
            "Some units have features without any value, or infinite ones. Leave these features out "
            "(ms.features.select), or use profiles='decorrelated', which fills gaps with medians."
        )
    return made._replace(values=means)


def _controls(cells: Cells, made: Profiles) -> NDArray[np.bool_] | None:
    """Return which units are controls, or None where none are declared."""
    if cells.design.control is None:
        return None
    share = cells.controls.groupby(cells.units.to_numpy()).mean().loc[made.obs.index]
    mixed = share.index[(share > 0) & (share < 1)]
    if len(mixed):
        raise ValueError(
            f"{count(len(mixed), 'unit')} with controls and other cells: {some(mixed)}. Profiles are of whole units: "
            "declare a control that is the same for all cells of a unit."
        )
    return share.to_numpy() > 0


def _groups(cells: Cells, made: Profiles, by: str | None, question: str) -> pd.Series:
    design = cells.design
    if by is not None and by not in cells.obs.columns:
        raise KeyError(no_column(by, cells.obs.columns, "Name the column of the groups with by=…"))
    wanted = [design.treatment, design.label] if question == "activity" else [design.label, design.treatment]
    for name in [by] if by is not None else [w for w in wanted if w is not None]:
        if name in made.obs.columns:
            return made.obs[name]
    if by is None and not any(wanted):
        raise ValueError("No treatment is declared. Name its column: cells.with_design(treatment=…).")
    name = by or some(w for w in wanted if w)
    raise ValueError(
        f"{name} differs between cells of a unit, so that a unit has none. Profiles are of whole units: choose a "
        "column that is the same for all cells of a unit."
    )


def _answer(
    cells: Cells,
    made: Profiles,
    group: pd.Series,
    control: NDArray[np.bool_] | None,
    question: str,
    n_null: int,
    seed: int,
) -> tuple[pd.DataFrame, str]:
    """Return the scores of each group, or why there are none."""
    if question == "activity" and control is None:
        return pd.DataFrame(), "No activity: no control is declared."
    none = np.zeros(len(group), bool) if control is None else control
    codes = pd.factorize(group)[0]
    same = (codes[:, None] == codes) & (codes >= 0)[:, None] & ~np.eye(len(codes), dtype=bool)
    treated = (codes >= 0) & ~none
    if question == "activity":
        positive, negative = same & treated[:, None] & treated, treated[:, None] & none
    else:
        positive, negative = same & treated[:, None] & treated, (codes[:, None] != codes) & treated[:, None] & treated
        if cells.design.batch:
            batch = cells.batches_of.groupby(cells.units.to_numpy()).first().loc[made.obs.index].to_numpy()
            positive &= batch[:, None] != batch
    ranked = average_precision(made.values, positive, negative)[treated]
    scores = mean_precision(ranked, group[treated], n_null=n_null, seed=seed)
    if scores.empty:
        across = " on another plate" if question == "consistency" and cells.design.batch else ""
        return pd.DataFrame(), f"No {question}: no unit has another of its group{across} and others to be told from."
    left_out = sorted(set(map(str, group[treated].dropna())) - set(map(str, scores.index)))
    note = f"Without replicates for {question}: {some(left_out)}." if left_out else ""
    frame = scores.rename(columns={"n": "n_units"}).rename_axis("group").reset_index()
    return frame.assign(question=question), note


def _judged(part: pd.DataFrame, level: float) -> pd.DataFrame:
    q = adjusted(part["p_value"])
    verdict = np.where(q < level, "distinguishable", "not distinguishable")
    order = np.lexsort((-part["mean_average_precision"].to_numpy(), q.to_numpy()))
    return part.assign(q_value=q, verdict=verdict).iloc[order][COLUMNS]


def _words(result: pd.DataFrame, question: str, word: str) -> str:
    part = result[result["question"] == question]
    yes = part[part["verdict"] == "distinguishable"]
    no = part[part["verdict"] != "distinguishable"]
    from_what = "the controls" if question == "activity" else "the other groups"
    sentence = f"{len(yes)} of {count(len(part), 'group')} can be told from {from_what} by their profiles"
    if len(no):
        few = int(no["n_units"].min())
        sentence += (
            f"; not {some(no['group'])} (from {count(few, word, plural(word))} up), which does not prove them alike"
        )
    return f"{question.capitalize()}: {sentence}."
