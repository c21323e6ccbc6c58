"""What a question is: its texts, its choices or its rule, its hints."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlscope_nb._words import some
from mlscope_nb.lessons.rules import RuleName


@dataclass(frozen=True)
class Choice:
    """One possible answer of a question to predict, and why it is right or tempting."""

    key: str
    text: str
    feedback: str


@dataclass(frozen=True)
class Mistake:
    """A value that a known mistake leads to, or the function that computes it, and what to tell who found it."""

    value: Any
    feedback: str
    make: str | None = None


@dataclass(frozen=True)
class PredictQuestion:
    """A question that is answered before the cells are run."""

    id: str
    text: str
    choices: tuple[Choice, ...]
    answer: str | None = None
    hints: tuple[str, ...] = ()

    def choice(self, key: object) -> Choice:
        """Return the choice of that key; ValueError names the keys there are."""
        for choice in self.choices:
            if choice.key == key:
                return choice
        keys = some([choice.key for choice in self.choices], 20)
        raise ValueError(f"'{key}' is not a choice of '{self.id}'. Choices: {keys}.")


@dataclass(frozen=True)
class Exercise:
    """A value that the learner computes."""

    id: str
    text: str
    right: str
    wrong: str
    hints: tuple[str, ...]
    rule: RuleName = "equals"
    truth: Any = None
    make_truth: str | None = None
    tolerance: float = 0.0
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """An object that a learner who is stuck goes on with."""

    id: str
    text: str
    value: Any = None
    make: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


Asked = PredictQuestion | Exercise
Question = PredictQuestion | Exercise | Prepared


def load_function(address: str, question_id: str) -> Callable[..., Any]:
    """Return the function behind ``mlscope_nb.module:function``.

    Raises ``ValueError`` when there is none.
    """
    module, name = address.split(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"'{question_id}' names '{address}', which does not load: {error}.") from error
    return found
