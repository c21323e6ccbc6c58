"""Attempts: a step that the data may refuse gives its reason as a result, instead of an error that ends everything."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from mlscope_nb._words import count

REFUSALS = (ValueError, TypeError, KeyError, OSError, ImportError)
"""What mlscope's functions raise where data, design or installation do not allow what was asked."""


@dataclass(frozen=True)
class NotDone:
    """A step that was asked for and refused.

    Parameters
    ----------
    step : str
        The function.
    reason : str
        What it said.
    """

    step: str
    reason: str

    def __bool__(self) -> bool:
        return False

    def to_dict(self) -> dict[str, str]:
        """Return step and reason."""
        return asdict(self)

    def __str__(self) -> str:
        return f"Not done ({self.step}): {self.reason}"

    __repr__ = __str__


def attempt(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function; where the data or their design refuse, return the reason instead of stopping.

    For steps that a study may not be able to carry, such as a prediction where each class has one plate. The reason
    belongs in the evidence sheet: hand it over like any other result.

    Parameters
    ----------
    function : function
        Of mlscope.
    *args, **options
        What it is called with.

    Returns
    -------
    What the function returns, or `NotDone`, which counts as False.

    Examples
    --------
    >>> import pandas as pd, mlscope_nb as ms
    >>> cells = ms.Cells(pd.DataFrame({"drug": ["a", "b"]}), features=pd.DataFrame({"area": [1.0, 2.0]}), label="drug")
    >>> print(attempt(ms.predict.cross_validate, cells))
    Not done (cross_validate): No unit of independence is declared: cells of one well resemble each other whatever ...
    """
    try:
        return function(*args, **options)
    except REFUSALS as error:
        return NotDone(getattr(function, "__name__", type(function).__name__), reason_of(error))


def reason_of(error: Exception) -> str:
    """Return what an error says, without the quotation marks of a KeyError."""
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error) or type(error).__name__


@dataclass(frozen=True)
class Problems:
    """What went wrong on the way without ending it, in sentences, for the evidence sheet.

    Parameters
    ----------
    problems : tuple of str
    """

    problems: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One step of a path: what was called, whether it could be done, what was said on the way.

    Parameters
    ----------
    name : str
    code : str
        The line that does it.
    done : bool
    needed : bool
        Whether it was asked for; what only helps may be refused without harm.
    problems : tuple of str
        The reason, or warnings.
    seconds : float
    """

    name: str
    code: str
    done: bool
    needed: bool
    problems: tuple[str, ...]
    seconds: float


class Steps:
    """What was tried, in order.

    Examples
    --------
    >>> steps = Steps()
    >>> steps.do("count", "n = len('ab')", len, "ab"), bool(steps.do("fail", "int('x')", int, "x"))
    (2, False)
    >>> print(steps)
    2 steps, 1 could not be done.
    fail: invalid literal for int() with base 10: 'x'
    """

    def __init__(self) -> None:
        self.done: list[Step] = []

    def do(self, name: str, code: str, function: Callable[..., Any], *args: Any, needed: bool = True, **kw: Any) -> Any:
        """Attempt a step; its warnings and its reason are kept."""
        began = time.perf_counter()
        with _said() as said:
            result = attempt(function, *args, **kw)
        refused = [result.reason] if isinstance(result, NotDone) else []
        problems = tuple(dict.fromkeys([*refused, *said]))
        self.done.append(Step(name, code, not refused, needed, problems, time.perf_counter() - began))
        return result

    @property
    def refused(self) -> list[Step]:
        """Steps that were asked for and could not be done."""
        return [step for step in self.done if step.needed and not step.done]

    @property
    def problems(self) -> list[str]:
        """Every reason and every warning, with the step that said it."""
        return [f"{step.name}: {text}" for step in self.done for text in step.problems]

    @property
    def code(self) -> str:
        """The lines that do the same, without those that could not be done."""
        lines = [step.code if step.done else f"# not done: {step.code}".replace("\n", "\n# ") for step in self.done]
        return "\n".join(["import mlscope_nb as ms", "", *lines, ""])

    def __str__(self) -> str:
        n = len(self.refused)
        head = f"{count(len(self.done), 'step')}, {n or 'none'} could not be done."
        return "\n".join([head, *self.problems])


@contextmanager
def _said() -> Iterator[list[str]]:
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        yield texts
    texts += [str(one.message) for one in caught]
