"""Recommendation: which model for these data, with a number for each reason."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.study._result import Result, plain

NOT_IDENTIFIABLE = "not identifiable"
NOTHING = "nothing here beats the baseline"
MORE_UNITS = "get more units"
DO_NOT = (NOT_IDENTIFIABLE, NOTHING, MORE_UNITS)
"""Answers that say: train nothing yet."""


@dataclass(frozen=True, eq=False, repr=False)
class Recommendation(Result):
    """What `recommend` returns.

    Parameters
    ----------
    choice : str
        A model ("classical", "pretrained", "classical and pretrained", "self-supervised", "small network",
        "fine-tuned"), or "get more units", "not identifiable", "nothing here beats the baseline".
    text : str
        The choice in words.
    reasons : DataFrame
        One row per question: answer, figure, value, low, high (NaN where something is no number).
    options : DataFrame
        One row per model that was run: balanced_accuracy, low, high, gain over the simplest with its interval.
    evaluations : dict
        The `Evaluation` of each of them.
    history : tuple of dict
        What was done.
    """

    choice: str
    text: str
    reasons: pd.DataFrame
    options: pd.DataFrame
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    history: tuple[dict[str, Any], ...] = ()

    @property
    def train(self) -> bool:
        """Whether a model is recommended at all."""
        return self.choice not in DO_NOT

    def to_dict(self) -> dict[str, Any]:
        """Return everything but single cells as plain numbers and text, ready for JSON."""
        tables = {"reasons": plain(self.reasons), "options": plain(self.options)}
        evaluations = {name: found.to_dict() for name, found in self.evaluations.items()}
        return {"choice": self.choice, "text": self.text, **tables, "evaluations": evaluations}

    def __str__(self) -> str:
        lines = [f"{question}: {answer}" for question, answer in self.reasons["answer"].items()]
        return "\n".join([f"{self.choice[0].upper()}{self.choice[1:]}. {self.text}", *lines])

    def _repr_html_(self) -> str:
        head = f"<p><b>{html.escape(self.choice[0].upper() + self.choice[1:])}.</b> {html.escape(self.text)}</p>"
        rows = "".join(
            f'<tr><th style="text-align:left">{html.escape(str(question))}</th>'
            f'<td style="text-align:left">{html.escape(str(answer))}</td></tr>'
            for question, answer in self.reasons["answer"].items()
        )
        return f"{head}<table>{rows}</table>"
