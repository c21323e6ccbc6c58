"""Lesson: what one dose of a pitfall does, what the remedy gives back, and a study without the danger beside it."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, t

from mlscope_nb._words import count, percent
from mlscope_nb.study._result import Result, number, plain

LEVEL = 0.95


@dataclass(frozen=True, repr=False)
class Figure(Result):
    """A number with its interval, and what that rests on.

    Parameters
    ----------
    value, low, high : float
        The mean over repeats (or a rate), and its 95 % interval.
    over : str
        What was repeated: "6 studies".
    """

    value: float
    low: float
    high: float
    over: str

    def __str__(self) -> str:
        width = self.high - self.low
        ends = f"{number(self.low, width)} to {number(self.high, width)}"
        return f"{number(self.value, width)} (95 % interval over {self.over}: {ends})"


def over_repeats(
    values: Sequence[float] | np.ndarray | pd.Series, noun: str = "study", plural: str = "studies"
) -> Figure:
    """Return the mean of repeats with Student's interval.

    Examples
    --------
    >>> print(over_repeats([0.2, 0.3, 0.4]))
    0.30 (95 % interval over 3 studies: 0.05 to 0.55)
    """
    known = np.asarray(values, dtype=float)
    mean, n = float(known.mean()), known.size
    wide = float(t.ppf(0.5 + LEVEL / 2, n - 1) * known.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return Figure(mean, mean - wide, mean + wide, count(n, noun, plural))


def gaps(studies: pd.DataFrame, *arms: str) -> list[Figure]:
    """Return by how much what was said lies above what is so: columns "<arm> said" and "<arm> truth", a row per study.

    Examples
    --------
    >>> studies = pd.DataFrame({"a said": [0.9, 0.8, 0.7], "a truth": [0.5, 0.5, 0.5]})
    >>> print(gaps(studies, "a")[0])
    0.30 (95 % interval over 3 studies: 0.05 to 0.55)
    """
    return [over_repeats(studies[f"{arm} said"] - studies[f"{arm} truth"]) for arm in arms]


def rate(hits: int, n: int, noun: str = "study", plural: str = "studies") -> Figure:
    """Return how often something happened, with Wilson's interval.

    Examples
    --------
    >>> print(rate(10, 200))
    0.050 (95 % interval over 200 studies: 0.027 to 0.090)
    """
    ends = binomtest(hits, n).proportion_ci(LEVEL, method="wilson")
    return Figure(hits / n, float(ends.low), float(ends.high), count(n, noun, plural))


@dataclass(frozen=True, eq=False)
class Found:
    """What a pitfall hands over: three figures, the sentence, and the tables that pictures are drawn from."""

    damage: Figure
    mitigated: Figure
    control: Figure
    sentence: str
    pictures: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Lesson(Result):
    """One dose of a pitfall.

    Parameters
    ----------
    name, title, danger : str
        The scenario, and the danger in a sentence.
    dose : float
        How much of the danger was given; `dose_is` says of what, `unit` in what, `doses` which are usual.
    damage : Figure
        What it did: `measures` says what is counted; larger is worse.
    mitigated : Figure
        The same with the remedy (`mitigation`).
    control : Figure
        The same where the danger is absent, at the same dose: has to stay where it is.
    sentence : str
        What happened, in numbers.
    pictures : dict of DataFrame
        What a picture of the damage shows.
    note : str
        What the remedy cannot do, and what the numbers rest on.
    source, doi, notebook : str
        Where it is described, and the notebook in which it is lived.
    precomputed : bool
        The numbers come from a table that `command` makes, not from this computer.
    seed : int
        Of everything random.
    """

    name: str
    title: str
    danger: str
    dose: float
    dose_is: str
    unit: str
    doses: tuple[float, ...]
    measures: str
    damage: Figure
    mitigated: Figure
    control: Figure
    sentence: str
    mitigation: str
    pictures: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    note: str = ""
    source: str = ""
    doi: str = ""
    notebook: str = ""
    precomputed: bool = False
    command: str = ""
    seed: int = 0

    @property
    def amount(self) -> str:
        """The dose with its unit: "1 cell", "16 times", "0.5"."""
        # A factor has no singular: once as many is 1 times as many.
        unit = re.sub(r"(?<!time)s\b", "", self.unit, count=1) if self.dose == 1 else self.unit
        return f"{self.dose:g} {unit}".rstrip()

    @property
    def restored(self) -> float:
        """The share of the damage that the remedy took away; NaN where there is none to speak of."""
        known = self.damage.value > 0 and self.damage.low > 0
        return (self.damage.value - self.mitigated.value) / self.damage.value if known else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, pictures as lists of columns."""
        tables = {k: {str(c): plain(v[c].tolist()) for c in v} for k, v in self.pictures.items()}
        figures = {k: getattr(self, k).to_dict() for k in ("damage", "mitigated", "control")}
        rest = {k: v for k, v in super().to_dict().items() if k not in ("pictures", *figures)}
        return {**rest, **figures, "restored": plain(self.restored), "pictures": tables}

    def __str__(self) -> str:
        lines = [
            f"{self.title}: {self.danger}",
            f"Dose: {self.amount} ({self.dose_is}).",
            self.sentence,
            f"Damage ({self.measures}): {self.damage}.",
            f"With the remedy ({self.mitigation}): {self.mitigated}{self._restored()}.",
            f"Where the danger is absent: {self.control}.",
            self.note,
            f"Computed beforehand: {self.command}." if self.precomputed else "",
            f"Source: {self.source} (doi {self.doi}). Notebook: {self.notebook}.",
        ]
        return "\n".join(line for line in lines if line)

    def _restored(self) -> str:
        if not math.isfinite(self.restored):
            return ""
        if self.restored <= 0:
            return ", which gives nothing back"
        return f", which takes away {percent(min(self.restored, 1))} of it"

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines())
