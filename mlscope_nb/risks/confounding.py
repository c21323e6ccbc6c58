"""Confounding: how many units stand behind each class, and what cannot be told from the batch."""

from __future__ import annotations

import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.risks.findings import ALL, Finding, cells_and_units
from mlscope_nb.risks.simple_features import batch_columns
from mlscope_nb.risks.trial import is_replicated
from mlscope_nb.study.effective import effective_n
from mlscope_nb.study.intervals import MIN_UNITS
from mlscope_nb.study.replication import describe
from mlscope_nb.study.units import noun, plural

UNIT, BATCH, EFFECTIVE = "units", "class and batch", "effective sample size"
SAMPLING = "L3.3 sampling bias"


def units_of_classes(cells: Cells) -> list[Finding]:
    """Return how many units stand behind each class.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AAB"), "drug": list("xxy")}, index=list("abc"))
    >>> [(f.subject, f.level) for f in units_of_classes(Cells(obs, unit="well", label="drug"))]
    [('x', 'red'), ('y', 'red')]
    """
    if not cells.design.unit:
        reason = (
            "No unit of independence is declared: how many of the cells are independent is not known, and p-values and "
            "intervals that take each for itself are too good where cells share a slide, an animal or a day."
        )
        return [Finding(UNIT, ALL, "untestable", reason, "Declare it: cells.with_design(unit='well').")]
    if not len(cells):
        return [Finding(UNIT, ALL, "untestable", "There are no cells.", "")]
    word = noun(cells.design.unit)
    if not is_replicated(cells) and len(cells) > 1:
        reason = f"Each of the {count(len(cells), 'cell')} is a {word} of its own: no two cells share one."
        step = "Right for profiles of wells; where images share a slide or an animal, declare that."
        return [Finding(UNIT, ALL, "untestable", reason, step)]
    if cells.design.label is None or not cells.labels.notna().any():
        return [Finding(UNIT, ALL, "untestable", "No label is declared: there are no classes to count.", "")]
    per_class = describe(cells).units_per_class
    return [_of_class(str(name), n, word) for name, n in per_class.items()]


def _of_class(name: str, n: int, word: str) -> Finding:
    several = plural(word)
    found = f"'{name}' comes from {count(n, word, several)}"
    if n == 1:
        reason = f"{found}: it cannot be told from that {word}."
        return Finding(UNIT, name, "red", reason, f"Add {several} of '{name}', or drop the class.", n, kind=SAMPLING)
    if n < MIN_UNITS:
        reason = f"{found}, fewer than the {MIN_UNITS} that an interval needs."
        return Finding(UNIT, name, "amber", reason, f"Add {several} of '{name}'.", n)
    return Finding(UNIT, name, "green", f"{found}.", "", n)


def class_and_batch(cells: Cells) -> list[Finding]:
    """Return for each class whether it can be told from its batch, declared or found among the columns.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": list("pppqqq"), "drug": list("xxyyyx")}, index=list("abcdef"))
    >>> {f.subject: f.level for f in class_and_batch(Cells(obs, batch="plate", label="drug"))}
    {'x': 'green', 'y': 'green'}
    """
    if cells.design.label is None or not cells.labels.notna().any():
        return [Finding(BATCH, ALL, "untestable", "No label is declared.", "Declare it: with_design(label=…).")]
    if cells.labels.nunique() < 2:
        return [Finding(BATCH, ALL, "untestable", "Only one class: there is nothing to tell apart.", "")]
    if cells.design.batch:
        return _crossing(cells, cells.batches_of, noun(cells.design.batch), declared=True)
    red = [f for name, key in _suspects(cells) for f in _crossing(cells, key, name, declared=False) if f.level == "red"]
    if red:
        # Of several columns the one that parts a class from all others most (the share of its batches that are mixed).
        return list({f.subject: f for f in sorted(red, key=lambda f: -f.figure)}.values())
    reason = "No batch is declared (plate, day, scanner): whether a class is one batch cannot be said."
    return [Finding(BATCH, ALL, "untestable", reason, "Declare it: cells.with_design(batch='plate').")]


def _suspects(cells: Cells) -> list[tuple[str, pd.Series]]:
    """Return columns that may be a batch, and all of them together: montage 1 of two experiments is not one montage."""
    names = batch_columns(cells)
    keys = {name: cells.obs[name].astype(str) for name in names}
    if len(names) > 1:
        keys[" + ".join(map(str, names))] = cells.obs[names].astype(str).agg(" ".join, axis=1)
    return [(str(name), key) for name, key in keys.items() if 1 < key.nunique() <= len(cells) / 4]


def _crossing(cells: Cells, batch: pd.Series, word: str, *, declared: bool) -> list[Finding]:
    labels = cells.labels
    known = labels.notna().to_numpy()
    table = pd.crosstab(labels[known].astype(str), batch[known])
    if table.shape[1] < 2:
        reason = f"All cells are of one {word}: what differs between {plural(word)} cannot be seen."
        return [Finding(BATCH, ALL, "untestable", reason, f"Repeat on another {word}.")]
    return [_class_in(str(name), table, word, declared) for name in table.index]


def _class_in(name: str, table: pd.DataFrame, word: str, declared: bool) -> Finding:
    here = [str(b) for b, n in table.T[name].items() if n > 0]
    mixed = [b for b in here if (table[b] > 0).sum() > 1]
    several = plural(word)
    share = len(mixed) / len(here)
    said = "" if declared else f" (column '{word}', not declared as batch)"
    if not mixed:
        reason = (
            f"Not identifiable: every {word} with '{name}' ({some(here, 3)}) holds this class alone{said}, so that the "
            f"class and the {word} are one and the same."
        )
        step = f"Repeat '{name}' and the others side by side on one {word}; no correction can repair this."
        return Finding(BATCH, name, "red", reason, step, share, kind=SAMPLING)
    if len(here) == 1 and (table > 0).sum(axis=1).max() > 1:
        reason = f"'{name}' is on one {word} only ({some(here)}){said}, others are on more: what sets it apart may be "
        reason += f"that {word}; not identifiable beyond it."
        step = f"Repeat '{name}' on other {several}; compare it on this {word} only."
        return Finding(BATCH, name, "red", reason, step, share, kind=SAMPLING)
    if share < 0.5:
        reason = f"'{name}' shares only {len(mixed)} of its {len(here)} {several} with another class."
        return Finding(BATCH, name, "amber", reason, f"Compare within these {several} only.", share, kind=SAMPLING)
    reason = f"'{name}' stands beside other classes on {len(mixed)} of its {count(len(here), word, several)}."
    return Finding(BATCH, name, "green", reason, "", share)


def effective_size(cells: Cells, table: pd.DataFrame | None) -> Finding:
    """Return how many independent cells the cells are worth, over what was measured.

    Parameters
    ----------
    cells : Cells
    table : DataFrame (N, P) or None
        Numbers per cell; the median over its columns is reported.
    """
    if not is_replicated(cells):
        reason = "No unit is declared that several cells share: how alike these are cannot be said."
        return Finding(EFFECTIVE, ALL, "untestable", reason, "Declare it: cells.with_design(unit=…).")
    word, units = noun(cells.design.unit), cells.units
    where = cells_and_units(len(cells), units.nunique(), word, plural(word))
    if len(cells) == units.nunique():
        return Finding(EFFECTIVE, ALL, "green", f"{where}: the rows are the units.", "", float(len(cells)))
    found = [] if table is None else [effective_n(table[c], units) for c in table if table[c].notna().any()]
    worth = sorted(f.n_effective for f in found if f.n_effective == f.n_effective)
    if not worth:
        return Finding(EFFECTIVE, ALL, "untestable", f"{where}: there is nothing measured to say how alike.", "")
    middle = worth[len(worth) // 2]
    reason = (
        f"{where} are worth about {middle:,.0f} independent ones (median over {count(len(worth), 'measurement')}; "
        f"{worth[0]:,.0f} to {worth[-1]:,.0f})."
    )
    return Finding(EFFECTIVE, ALL, "green", reason, f"Count {plural(word)}, not cells.", middle, worth[0], worth[-1])
