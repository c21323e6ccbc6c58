"""Replication: how many units stand behind each class, and what cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result
from mlscope_nb.study.intervals import MIN_UNITS
from mlscope_nb.study.units import noun, plural


@dataclass(frozen=True, eq=False)
class Replication(Result):
    """How often the study was repeated, in tables and in words.

    Parameters
    ----------
    n_cells, n_units : int
        Cells, and independent units.
    unit : str
        The word for one unit.
    units_per_class : dict
        Units with at least one cell of each class.
    table : DataFrame
        Units by class (rows) and batch (columns); one column "all" when no batch is declared.
    same : list of lists
        Roles of the design (unit, batch, label, treatment) that are one and the same.
    relation : str
        Of label to batch: "crossed" (every batch holds every class), "partly crossed", "nested" (each batch
        holds one class: not identifiable without more batches), "one batch", or "not declared".
    findings : list of str
        What a reader has to know.
    """

    n_cells: int
    n_units: int
    unit: str
    units_per_class: dict[Any, int]
    table: pd.DataFrame
    same: list[list[str]]
    relation: str
    findings: list[str]

    def __str__(self) -> str:
        head = f"{count(self.n_cells, 'cell')} in {count(self.n_units, self.unit, plural(self.unit))}"
        per_class = ", ".join(f"{name}: {n:,}" for name, n in self.units_per_class.items())
        many = f" ({plural(self.unit)} per class: {per_class})" if per_class else ""
        return " ".join([f"{head}{many}.", *self.findings])


def describe(cells: Cells) -> Replication:
    """Say what the declared design is able to tell apart.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit.

    Raises
    ------
    ValueError
        No unit is declared.

    Examples
    --------
    >>> obs = pd.DataFrame({"position": ["1", "1", "2"], "dose": ["low", "low", "high"]}, index=list("abc"))
    >>> print(describe(Cells(obs, unit="position", batch="position", label="dose")).findings[0])
    Unit (position), batch (position) and label (dose) are one and the same here: a difference between classes
    of 'dose' cannot be told from one between positions.
    """
    frame = _roles(cells)
    word = noun(cells.design.unit)
    table = _table(frame)
    same = _same(frame)
    per_class = frame.groupby("label", observed=True)["unit"].nunique().to_dict() if "label" in frame else {}
    relation = _relation(frame)
    findings = [
        *_same_words(cells, same),
        *_unit_words(frame, word, same),
        *_class_words(per_class, word, frame),
        *_relation_words(relation, frame, same),
    ]
    return Replication(len(cells), frame["unit"].nunique(), word, per_class, table, same, relation, findings)


def _roles(cells: Cells) -> pd.DataFrame:
    frame = pd.DataFrame({"unit": cells.units})
    if cells.design.batch:
        frame["batch"] = cells.batches_of
    if cells.design.label is not None:
        frame["label"] = cells.labels
    if cells.design.treatment is not None and cells.design.treatment != cells.design.label:
        frame["treatment"] = cells.obs[cells.design.treatment]
    return frame


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame["label"] if "label" in frame else pd.Series("all", index=frame.index, name="label")
    columns = frame["batch"] if "batch" in frame else pd.Series("all", index=frame.index, name="batch")
    parts = pd.DataFrame({"label": rows, "batch": columns, "unit": frame["unit"]}).drop_duplicates()
    return pd.crosstab(parts["label"], parts["batch"])


def _same(frame: pd.DataFrame) -> list[list[str]]:
    """Roles whose groups are the same cells, where there are at least two groups."""
    found: list[list[str]] = []
    codes = {role: pd.factorize(frame[role])[0] for role in frame.columns}
    for role in frame.columns:
        if frame[role].nunique() < 2:
            continue
        # factorize numbers groups in order of appearance, so equal partitions get equal numbers.
        known = next((group for group in found if (codes[group[0]] == codes[role]).all()), None)
        if known is None:
            found.append([role])
        else:
            known.append(role)
    return [group for group in found if len(group) > 1]


def _relation(frame: pd.DataFrame) -> str:
    if "label" not in frame or "batch" not in frame:
        return "not declared"
    labelled = frame[frame["label"].notna()]
    per_batch = labelled.groupby("batch")["label"].nunique()
    if len(per_batch) < 2:
        return "one batch"
    if (per_batch == labelled["label"].nunique()).all():
        return "crossed"
    return "nested" if (per_batch == 1).all() else "partly crossed"


def _same_words(cells: Cells, same: list[list[str]]) -> list[str]:
    words = []
    for roles in same:
        if set(roles) == {"label", "treatment"}:
            continue  # what one wants to tell apart is the treatment: as it should be
        names = [f"{role} ({_column(cells, role)})" for role in roles]
        text = f"{', '.join(names[:-1])} and {names[-1]} are one and the same here"
        if "label" in roles or "treatment" in roles:
            told = "label" if "label" in roles else "treatment"
            other = next(role for role in ("batch", "unit", "treatment") if role in roles)
            several = plural(noun((_column(cells, other),)))
            text += f": a difference between classes of '{_column(cells, told)}' cannot be told "
            text += f"from one between {several}"
        words.append(f"{text[0].upper()}{text[1:]}.")
    return words


def _unit_words(frame: pd.DataFrame, word: str, same: list[list[str]]) -> list[str]:
    words = []
    if len(frame) == frame["unit"].nunique() and len(frame) > 1:
        words.append(f"Each row is a {word} of its own: right for a table of profiles, wrong for cells of one well.")
    if "batch" in frame and not any({"unit", "batch"} <= set(roles) for roles in same):
        spread = frame.groupby("unit")["batch"].nunique()
        spanning = spread.index[spread > 1]
        if len(spanning):
            words.append(
                f"{count(len(spanning), word, plural(word))} in several batches ({some(spanning, 3)}): if "
                f"the same name means another {word} in each batch, declare unit=(batch, {word})."
            )
    return words


def _class_words(per_class: dict[Any, int], word: str, frame: pd.DataFrame) -> list[str]:
    if not per_class:
        return ["No label is declared." if "label" not in frame else "No cell has a label."]
    words = []
    unlabelled = int(frame["label"].isna().sum())
    if unlabelled:
        words.append(f"{count(unlabelled, 'cell')} without a label.")
    if len(per_class) == 1:
        words.append(f"Only one class: {some(per_class)}. There is nothing to compare.")
    few = {name: n for name, n in per_class.items() if n < MIN_UNITS}
    if few:
        found = ", ".join(f"'{name}' {n}" for name, n in few.items())
        words.append(f"Too few {plural(word)} for an interval, fewer than {MIN_UNITS}: {found}.")
    return words


def _relation_words(relation: str, frame: pd.DataFrame, same: list[list[str]]) -> list[str]:
    if relation == "nested" and not any({"label", "batch"} <= set(roles) for roles in same):
        batches = frame["batch"].nunique()
        return [
            "Each batch holds one class (label nests in batch): a difference between classes may be one "
            f"between batches, so classes are compared by their {batches} batches."
        ]
    if relation == "partly crossed":
        return ["Some batches lack some classes: comparisons rest on the batches that hold both."]
    return []


def _column(cells: Cells, role: str) -> str:
    value = getattr(cells.design, role)
    return " and ".join(value) if isinstance(value, tuple) else str(value)
