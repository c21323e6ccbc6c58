"""How do you know this is not the plate? What was asked, what came out, and how well that speaks for the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlscope_nb.risks.sheet.levels import AMBER, GREEN, NOT_DONE, RED, worst

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """One line of the first page.

    Parameters
    ----------
    key : str
        By what the JSON file names it.
    asked : str
        The question.
    level : str
        See `levels`.
    text : str
        The answer, with its figures.
    brief : str
        The same in a few words, for the verdict.
    call : str
        What does it, or the next step.
    core : bool
        Whether the verdict rests on it.
    """

    key: str
    asked: str
    level: str
    text: str
    brief: str = ""
    call: str = ""
    core: bool = True


def of_kind(content: Content, *kinds: str) -> list[dict[str, Any]]:
    """Return the results of these kinds, as they were handed over."""
    return [record for record in content["results"] if record["kind"] in kinds]


def evaluations(content: Content) -> list[dict[str, Any]]:
    """Return all evaluations: those handed over, and where there is none, those inside of recommendations."""
    own = of_kind(content, "Evaluation")
    inner = [
        {"name": f"{record['name']}: {name}", "kind": "Evaluation", "values": values}
        for record in of_kind(content, "Recommendation")
        for name, values in record["values"]["evaluations"].items()
    ]
    return own or inner


def held_apart(values: Mapping[str, Any]) -> str:
    """Return what an evaluation held apart: "batches", "units", "cells" (nothing), "elsewhere" or "unknown".

    Counted from the folds, not taken from what the evaluation calls itself.

    Examples
    --------
    >>> counts = {"how": "cross_validate", "n_tested": 9, "n_not_of_these_cells": 0, "n_units": 4, "n_batches": 2}
    >>> held_apart({"by": "plate", "tested": {**counts, "n_units_parted": 0, "n_batches_parted": 0}})
    'batches'
    >>> held_apart({"by": "plate", "tested": {**counts, "n_units_parted": 3, "n_batches_parted": 2}})
    'cells'
    """
    tested = values["tested"]
    if values["by"] == "cell" or (tested["n_units_parted"] or 0) > 0:
        return "cells"
    if tested["n_not_of_these_cells"]:
        return "unknown"
    if tested["how"] == "evaluate":
        return "elsewhere"
    if (tested["n_batches"] or 0) > 1 and tested["n_batches_parted"] == 0:
        return "batches"
    return "units" if tested["n_units"] is not None else "unknown"


def refused(content: Content, step: str) -> str:
    """Return the reason for which a step was refused that had been asked for, or nothing."""
    found = [record["values"] for record in of_kind(content, "NotDone")]
    return next((str(values["reason"]) for values in found if values.get("step") == step), "")


STRICTNESS = ("batches", "units", "elsewhere", "unknown", "cells")


def headline(content: Content) -> dict[str, Any] | None:
    """Return the evaluation that held most apart; of several the first, so that the best one is not picked here."""
    found = evaluations(content)
    return min(found, key=lambda record: STRICTNESS.index(held_apart(record["values"])), default=None)


def verdict_level(answers: list[Answer]) -> str:
    """Return red if anything speaks against the result, green if all that the verdict rests on was asked and held."""
    core = [answer for answer in answers if answer.core]
    if any(answer.level == RED for answer in answers):
        return RED
    return GREEN if core and worst(answer.level for answer in core) == GREEN else AMBER


def verdict(answers: list[Answer]) -> tuple[str, str]:
    """Return the level of the whole, and the sentence that opens the page."""
    level = verdict_level(answers)
    against = [a.brief for a in answers if a.level == RED]
    core = [a for a in answers if a.core]
    lacking = [a.brief for a in core if a.level == NOT_DONE]
    unsure = [a.brief for a in core if a.level not in (RED, GREEN, NOT_DONE)]
    holding = [a.brief for a in core if a.level == GREEN]
    if level == GREEN:
        return level, f"What can be asked was asked, and it does not look like the plate: {'; '.join(holding)}."
    opening = "You do not: " if level == RED else "It is not shown yet"
    parts = [opening + "; ".join(against)] if level == RED else [opening]
    if unsure:
        parts.append("open: " + "; ".join(unsure))
    if lacking:
        parts.append("not done: " + "; ".join(lacking))
    return level, ". ".join(p[0].upper() + p[1:] for p in parts) + "."
