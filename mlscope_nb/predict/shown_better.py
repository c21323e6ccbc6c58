"""What is shown: that a model does more than what never looked at the cell, and than luck; questions and answers."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb.predict.baselines import PERMUTED
from mlscope_nb.predict.candidates import TRAINED, Candidate, Runner
from mlscope_nb.predict.evaluation import Evaluation

Shown = Literal["yes", "unsure", "no"]
WORTH = 0.05
"""Balanced accuracy that an action has to bring: twice as many units come first where they bring so much."""


class Reasons:
    """Questions with their answers, in the order in which they were asked."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def add(self, question: str, answer: str, figure: str = "", value: float = math.nan, ends: Any = None) -> None:
        """Keep an answer with its figure and the ends of its interval."""
        low, high = ends or (math.nan, math.nan)
        self.rows[question] = {"answer": answer, "figure": figure, "value": value, "low": low, "high": high}

    @property
    def last(self) -> str:
        """The latest answer."""
        return str(list(self.rows.values())[-1]["answer"])

    def table(self) -> pd.DataFrame:
        """Return the answers, one row for each question."""
        return pd.DataFrame.from_dict(self.rows, orient="index").rename_axis("question")


def shown_best(
    simplest: Candidate, found: dict[Candidate, Evaluation], runner: Runner, reasons: Reasons
) -> tuple[Candidate, Shown]:
    """Return the model that is shown to beat the baseline, or else the simplest one, and how surely.

    With few units a costlier model can be the only one that sees anything, and still not be better than the simplest
    one beyond the standard error. So where the simplest one is not shown to see anything, the one with the highest
    score is asked. It has to do better than both of them do with any exchanged labels: it was chosen by its score.
    """
    found[simplest] = _beside(simplest, found, runner)
    luck = _luck(found[simplest])
    shown = _beats("Is it", found[simplest], luck, reasons)
    highest = max(found, key=lambda name: found[name].balanced_accuracy)
    if shown == "yes" or highest == simplest:
        return simplest, shown
    found[highest] = _beside(highest, found, runner)
    asked = f"And is '{highest}', which has the highest score,"
    again = _beats(asked, found[highest], float(np.fmax(luck, _luck(found[highest]))), reasons)
    return (highest, again) if again == "yes" or shown == "no" else (simplest, shown)


def _beside(name: Candidate, found: dict[Candidate, Evaluation], runner: Runner) -> Evaluation:
    """Return a model beside its baselines; those that are trained on images have theirs already."""
    return found[name] if name in TRAINED else runner.run(name)


def _luck(found: Evaluation) -> float:
    """Return the highest score with exchanged labels, NaN where none were exchanged."""
    return float(found.baselines["high"].get(PERMUTED, math.nan))


def _beats(asked: str, found: Evaluation, luck: float, reasons: Reasons) -> Shown:
    """Whether a model does more than what never looked at the cell, and than any model with exchanged labels.

    "unsure": no exchanged labels did as well, but how much it is better than the baseline is not known well enough.
    """
    strongest, gain, low, high = _over_strongest(found)
    sure = low > 0 if math.isfinite(low) else gain > 0
    ends = (low, high)
    interval = f"{gain:.2f} ({low:.2f} to {high:.2f})" if math.isfinite(low) else f"{gain:.2f} (no interval)"
    question = f"{asked} better than '{strongest}', the best that never looks at the cell?"
    reasons.add(question, f"{'Yes' if sure else 'Not shown'}: {interval}.", "gain in balanced accuracy", gain, ends)
    permuted = math.isfinite(luck)
    lucky = permuted and found.balanced_accuracy <= luck
    if permuted:
        said = f"{found.balanced_accuracy:.2f}, and at most {luck:.2f} with exchanged ones"
        answer = f"{'No' if lucky else 'Yes'}: {said}."
        reasons.add(f"{asked} better than with exchanged labels?", answer, "highest with exchanged labels", luck)
    if lucky or gain <= 0:
        return "no"
    return "yes" if sure else "unsure" if permuted and gain >= WORTH else "no"


def _over_strongest(found: Evaluation) -> tuple[str, float, float, float]:
    """Return the best baseline that never looks at the cell, and the gain over it with its interval."""
    rivals = found.baselines.drop(index=PERMUTED, errors="ignore").dropna(subset="balanced_accuracy")
    strongest = str(rivals["balanced_accuracy"].idxmax())
    gain, low, high = rivals.loc[[strongest], ["gain", "gain_low", "gain_high"]].to_numpy(float)[0].tolist()
    return strongest, gain, low, high


def missed(found: Evaluation, reasons: Reasons) -> None:
    """Say what a study that showed nothing may have missed."""
    high = _over_strongest(found)[-1]
    if not math.isfinite(high):
        return
    answer = f"Yes: a gain of {high:.2f} is not ruled out." if high >= WORTH else f"No: at most {max(high, 0):.2f}."
    reasons.add("Could a worthwhile difference have been missed?", answer, "highest gain not ruled out", high)
