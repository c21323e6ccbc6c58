"""Shortcuts: can the label be told without the cell, or from one simple number of it?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count
from mlscope_nb.curate.positions import holm
from mlscope_nb.risks.findings import Finding, Level, interval_words
from mlscope_nb.risks.recognition import recognise
from mlscope_nb.risks.simple_features import Simple
from mlscope_nb.risks.trial import Trial, without
from mlscope_nb.study.units import plural

ALPHA, STRICT = 0.05, 0.01
"""For amber, and for red where so few exchanges are possible that nothing could be below 0.01. Of twenty clean studies
one would be red at 0.05."""
PIXELS = ("border pixels", "background")
RED = {True: 0.65, False: 0.55}
"""Lower limit of the AUROC from which a label read from pixels (True), or from exact numbers, is red. Light of a cell
reaches its surroundings, so that a real phenotype leaves a little there; nothing of it is in a place or a date."""
AMBER, ACCEPTABLE = 0.6, 0.7
"""Lower limit, and the AUROC itself, from which one number of the cell is worth a word: below 0.7 no discrimination is
called acceptable (Hosmer, Lemeshow & Sturdivant 2013, Applied Logistic Regression, 5.2.4)."""
ALONE, SPREADS, FEWEST = 0.95, 3.0, 4
"""Without replicates: the lower limit has to be this high, and the class this many spreads beyond the others, of which
there are so many at least."""
AGREES = 0.85
"""Lower limit from which what most of the rim shows, two numbers a channel, bears out what all of its pixels say."""

STEPS = {
    "border pixels": "Look at the rim of this class beside the others, find out when and how it was photographed, take "
    "it again among the others; crop or mask the rim and audit again.",
    "background": "Look at the background of this class (illumination, marks, debris, day); correct the flat field, "
    "mask what is not the cell, and audit again.",
    "position in the field": "Leave position out of the features, and take the same part of the field from each class.",
    "acquisition order": "Acquire classes in random order; until then compare only what was taken next to each other.",
    "metadata": "Randomise the layout; until then a difference of this class may be one of its place or its handling.",
    "cell count": "Compare at equal counts, and say whether fewer or more cells are the phenotype or its cause.",
    "size": "Report size as the finding, or compare cells of equal size, before any model is credited with more.",
    "intensity": "Report intensity as the finding, or normalise it, before any model is credited with more.",
    "density": "Compare cells with as many neighbours, before any model is credited with more.",
}


@dataclass(frozen=True)
class _Answer:
    """What one table says of one class."""

    simple: Simple
    of: str
    name: str
    auroc: float
    low: float
    high: float
    p_value: float
    smallest_p: float
    n_items: int


def shortcuts(made: Trial | str, tables: Iterable[Simple], *, progress: bool = True) -> list[Finding]:
    """Return for each simple table and class whether the class can be told from it alone.

    Parameters
    ----------
    made : Trial, or str
        The trial, or the reason why there is none.
    tables : iterable of Simple
        From `simple_features`, rows of the cells of the trial.
    progress : bool
        Show a bar when it takes longer than two seconds.
    """
    listed = list(tables)
    if isinstance(made, str):
        return [_untestable(s, made) for s in listed]
    missing = [_untestable(s, f"{s.why[:1].upper()}{s.why[1:]}.") for s in listed if s.table is None]
    there = tqdm(
        [s for s in listed if s.table is not None], "Reading labels", unit="table", delay=2, disable=not progress
    )
    answers = [answer for simple in there for answer in _answers(simple, made)]
    red = holm_over_checks([a for a in answers if a.simple.weight == "red"])
    judged = [_judged(a, red.get((a.simple.check, a.name), a.p_value), answers, made) for a in answers]
    return [*judged, *missing]


def holm_over_checks(answers: list[_Answer]) -> dict[tuple[str, str], float]:
    """Return p-values corrected for the number of checks; each check is corrected for classes already."""
    found: dict[tuple[str, str], float] = {}
    for name in dict.fromkeys(a.name for a in answers):
        own = [a for a in answers if a.name == name]
        corrected = holm(np.array([a.p_value for a in own]))
        found |= {(a.simple.check, name): float(p) for a, p in zip(own, corrected, strict=True)}
    return found


def stands_out(areas: dict[str, float], name: str) -> bool:
    """Return whether one class is told far better than all others are, on the scale of standardised differences.

    Examples
    --------
    >>> near = {"a": 0.7, "b": 0.75, "c": 0.62, "d": 0.8, "e": 0.66}
    >>> stands_out({**near, "day 2": 0.999}, "day 2"), stands_out({**near, "f": 0.85}, "f")
    (True, False)
    """
    to_distance = NormalDist().inv_cdf
    distance = {k: math.sqrt(2) * to_distance(min(max(a, 1e-4), 1 - 1e-4)) for k, a in areas.items() if a == a}
    others = np.array([d for k, d in distance.items() if k != name])
    if len(others) < FEWEST - 1 or name not in distance:
        return False
    middle = float(np.median(others))
    spread = 1.4826 * float(np.median(np.abs(others - middle)))
    return distance[name] > middle + SPREADS * max(spread, 0.25)


def _answers(simple: Simple, made: Trial) -> Iterator[_Answer]:
    """Read a table as a whole (red), or the one column of it that says most of each class (amber)."""
    table = simple.table
    if table is None:
        return
    table = table.loc[made.cells.ids]
    if simple.weight == "red":
        said = _stepwise(simple, made)
        for name, row in said.iterrows():
            yield _answer(simple, simple.why, str(name), row, 1)
        return
    columns = [c for c in table if table[c].nunique() > 1]
    each = {c: recognise(table[[c]], made).table for c in columns}
    for name in made.names:
        rows = {c: each[c].T[name] for c in columns}
        best = min(rows, key=lambda c: (float(rows[c]["p_value"]), -float(rows[c]["auroc"])), default=None)
        if best is not None:
            of = simple.why if len(columns) == 1 else f"{simple.why} ({best})"
            yield _answer(simple, of, name, rows[best], len(columns))


def _stepwise(simple: Simple, made: Trial) -> pd.DataFrame:
    """Read a table; what it says of classes beside one that it gives away is read again without that one.

    Where one class carries a mark, every other class is told, less well, by not carrying it.
    """
    said = _said(simple, made)
    sure = said[(said["p_value"] <= ALPHA) & (said["low"] >= RED[simple.check in PIXELS])]
    if len(sure) and len(made.names) > 2:
        first = sure["auroc"].idxmax()
        rest = without(made, str(first))
        if rest is not None:
            return pd.concat([said.loc[[first]], _stepwise(simple, rest)]).reindex(said.index)
    return said


def _said(simple: Simple, made: Trial) -> pd.DataFrame:
    tables = [simple.table, simple.allowed]
    each = [recognise(t.loc[made.cells.ids], made).table for t in tables if t is not None]
    found = each[0] if len(each) == 1 else _by_both(*each)
    if made.replicated or simple.commonest is None:
        return found
    plain = recognise(simple.commonest.loc[made.cells.ids], made).table
    borne_out = (plain["low"] >= AGREES) & (plain["p_value"] <= ALPHA)
    return found.where(borne_out, _by_both(found, plain))


def _by_both(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return for each class the weaker of two answers: what only one of two tables says may come from the cell."""
    found = pd.concat([one[one["auroc"] <= other["auroc"]], other[~(one["auroc"] <= other["auroc"])]]).loc[one.index]
    return found.assign(p_value=np.maximum(one["p_value"], other["p_value"]))


def _answer(simple: Simple, of: str, name: str, row: pd.Series, n_columns: int) -> _Answer:
    p, smallest = (min(float(row[c]) * n_columns, 1.0) for c in ("p_value", "smallest_p"))
    auroc, low, high = (float(row[c]) for c in ("auroc", "low", "high"))
    return _Answer(simple, of, name, auroc, low, high, p, smallest, int(row["n_items"]))


def _judged(answer: _Answer, p_value: float, answers: list[_Answer], made: Trial) -> Finding:
    level, why = _level(answer, p_value, answers, made)
    a = answer
    figure = f"AUROC {interval_words(a.auroc, a.low, a.high)}"
    alone = f"{a.of} alone"
    tells = "hardly tells" if p_value <= ALPHA else "does not tell"
    words = {
        "red": f"{alone} tells '{a.name}' from the others: {figure}.",
        "amber": f"{alone} tells '{a.name}' from the others: {figure}; a simple feature may suffice, it may be biology."
        if a.simple.weight == "amber"
        else f"{alone} says something of '{a.name}': {figure}.",
        "green": f"{alone} {tells} '{a.name}' from the others: {figure}.",
        "untestable": "",
    }[level]
    reason = f"{words} {why}".strip()
    if not made.replicated and level in ("red", "amber"):
        reason += (
            " No unit is declared: each image stood for itself, so that the interval and p-value are too good where "
            "images share a slide or a day."
        )
    step = STEPS[a.simple.check] if level in ("red", "amber") else _more(made) if level == "untestable" else ""
    return Finding(
        a.simple.check, a.name, level, reason[:1].upper() + reason[1:], step, a.auroc, a.low, a.high, p_value,
        "L2 illegitimate features" if level == "red" else "",
    )  # fmt: skip


def _level(a: _Answer, p_value: float, answers: list[_Answer], made: Trial) -> tuple[Level, str]:
    p = f"p = {p_value:.2g} by exchanging {_what(made)}."
    if a.smallest_p > ALPHA or not math.isfinite(a.low):
        here = count(a.n_items, _item(made), plural(_item(made)))
        return "untestable", (
            f"{a.name}: {here} of this class beside others allow no p-value below "
            f"{a.smallest_p:.2g}, whatever the data (AUROC {interval_words(a.auroc, a.low, a.high)})."
        )
    if p_value > ALPHA:
        return "green", p if a.auroc > 0.5 else ""
    if a.simple.weight == "amber":
        enough = a.low >= AMBER and a.auroc >= ACCEPTABLE
        return ("amber", p) if enough else ("green", f"{p} Too little to suffice.")
    if not made.replicated:
        same = {b.name: b.auroc for b in answers if b.simple.check == a.simple.check}
        far = stands_out(same, a.name) if len(same) >= FEWEST else True
        if a.low >= ALONE and far:
            return "red", f"{p} No other class comes near that."
        return ("amber", p) if a.low >= RED[True] else ("green", f"{p} Too little to matter.")
    if a.low >= RED[a.simple.check in PIXELS] and p_value <= _red_from(a, answers) + 1e-9:
        return "red", p
    return ("amber", p) if a.low >= RED[False] and a.auroc >= AMBER else ("green", f"{p} Too little to matter.")


def _red_from(a: _Answer, answers: list[_Answer]) -> float:
    """Return the p-value that red needs: 0.01, or 0.05 where no data of this design could be below that."""
    n_checks = len({b.simple.check for b in answers if b.simple.weight == "red" and b.name == a.name})
    return STRICT if a.smallest_p * n_checks <= STRICT + 1e-9 else ALPHA


def _what(made: Trial) -> str:
    several = plural(_item(made))
    return {
        "units": several,
        "units within batch": f"{several} within their batch",
        "batches": f"whole {several}",
        "classes within unit": f"classes within each {_item(made)}",
    }[made.found.scheme]


def _item(made: Trial) -> str:
    return made.found.item if made.replicated else "image"


def _more(made: Trial) -> str:
    return f"More {plural(_item(made))} of this class are needed."


def _untestable(simple: Simple, reason: str) -> Finding:
    return Finding(simple.check, "all", "untestable", reason, "")
