"""How a learner's value is compared with the truth, and what the difference is in words."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Hashable, Sized
from dataclasses import dataclass
from typing import Any, Literal

RuleName = Literal["equals", "between", "one_of", "is_close", "contains"]


@dataclass(frozen=True)
class Verdict:
    """Whether a value is right, and a remark that helps without giving the answer away."""

    right: bool
    remark: str = ""


@dataclass(frozen=True)
class Rule:
    """One way to compare: what it needs as truth, and the comparison."""

    needs: str
    accepts: Callable[[Any], bool]
    compare: Callable[[Any, Any, float], Verdict]

    def problem_with(self, truth: object) -> str:
        """Return what the truth should have been, or nothing when it fits."""
        return "" if self.accepts(plain(truth)) else self.needs


def is_missing(value: object) -> bool:
    """Say whether the learner has not answered: None, ``...``, or nothing in it."""
    if value is None or value is ...:
        return True
    return isinstance(value, Sized) and getattr(value, "ndim", 1) != 0 and len(value) == 0


def plain(value: Any) -> Any:
    """Turn numpy and pandas values into Python's numbers, texts and lists; leave others as they are."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, tuple) else value


def compare(value: object, rule: RuleName, truth: object, tolerance: float = 0.0) -> Verdict:
    """Compare a learner's value with the truth by one of the rules.

    Raises ``ValueError`` when the truth does not fit the rule.

    Examples
    --------
    >>> compare(12, "between", [10, 20])
    Verdict(right=True, remark='')
    >>> compare(9, "between", [10, 20]).remark
    'It is too small.'
    """
    problem = RULES[rule].problem_with(truth)
    if problem:
        raise ValueError(f"The truth is {truth!r}, but rule '{rule}' needs {problem}.")
    return RULES[rule].compare(plain(value), plain(truth), tolerance)


def same(a: Any, b: Any) -> bool:
    """Compare two values: texts without case and spaces around, sets without order, True is not 1."""
    a, b = plain(a), plain(b)
    if (_is_set(a) and isinstance(b, list)) or (_is_set(b) and isinstance(a, list)):
        return frozenset(map(_key, a)) == frozenset(map(_key, b))
    return bool(_key(a) == _key(b))


def not_a_number(value: object) -> str:
    """Say what was found in the place of a number, and how to write one; nothing where it is one.

    Examples
    --------
    >>> not_a_number("4.5")
    'Text was found where a number was expected. Write it without quotation marks.'
    """
    value = plain(value)
    return "" if _is_number(value) else f"{_kind(value)} was found where a number was expected.{_advice(value)}"


def _key(value: Any) -> tuple[str, Any]:
    value = plain(value)
    if isinstance(value, str):
        return "text", value.strip().casefold()
    if isinstance(value, list):
        return "list", tuple(_key(item) for item in value)
    if _is_set(value):
        return "set", frozenset(_key(item) for item in value)
    if isinstance(value, dict):
        return "table", frozenset((_key(name), _key(item)) for name, item in value.items())
    if _is_number(value):
        return "number", value
    return type(value).__name__, value if isinstance(value, Hashable) else id(value)


def _equals(value: Any, truth: Any, _: float) -> Verdict:
    if _is_number(truth):
        return _near(value, truth, 0.0)
    if _is_collection(truth) and not _is_collection(value):
        return Verdict(False, f"{_kind(value)} was found where several values were expected.")
    if same(value, truth):
        return Verdict(True)
    if isinstance(truth, bool):
        return Verdict(False, _not_bool(value))
    return Verdict(False, _how_many_fit(value, truth) if _is_set(truth) else _not_text(value, truth))


def _is_close(value: Any, truth: Any, tolerance: float) -> Verdict:
    return _near(value, truth, tolerance)


def _near(value: Any, truth: float, tolerance: float) -> Verdict:
    return _between(value, [truth - tolerance, truth + tolerance], 0.0)


def _between(value: Any, truth: list[float], _: float) -> Verdict:
    if not _is_number(value):
        return Verdict(False, not_a_number(value))
    if math.isnan(value):
        return Verdict(False, "It is NaN (not a number): something in the calculation was missing.")
    low, high = truth
    if low <= value <= high:
        return Verdict(True)
    if low > 0 and high < 1 and low <= value / 100 <= high:
        return Verdict(False, "That is a percentage. Give the part: a number between 0 and 1.")
    if low <= -value <= high:
        return Verdict(False, "It is right but for its sign: plus and minus are exchanged.")
    return Verdict(False, "It is too small." if value < low else "It is too large.")


def _one_of(value: Any, truth: Any, _: float) -> Verdict:
    return Verdict(True) if any(same(value, item) for item in truth) else Verdict(False, _not_text(value, *truth))


def _contains(value: Any, truth: Any, _: float) -> Verdict:
    if not _is_collection(value):
        return Verdict(False, f"{_kind(value)} was found where several values were expected.")
    wanted = {_key(item) for item in truth}
    missing = len(wanted - {_key(item) for item in value})
    return Verdict(missing == 0, f"{missing} of {len(wanted)} are missing." if missing else "")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _is_set(value: object) -> bool:
    return isinstance(value, set | frozenset)


def _is_collection(value: object) -> bool:
    return isinstance(value, list | set | frozenset)


def _is_range(value: Any) -> bool:
    pair = isinstance(value, list) and len(value) == 2
    return pair and all(map(_is_finite, value)) and value[0] <= value[1]


def _is_filled(value: Any) -> bool:
    return _is_collection(value) and len(value) > 0


def _kind(value: object) -> str:
    names = {
        str: "Text",
        bool: "True or False",
        list: "A list",
        dict: "A dictionary",
        int: "A number",
        float: "A number",
    }
    if callable(value):
        return "A function that was not called"
    return names.get(type(value), f"An object of type {type(value).__name__}")


def _advice(value: object) -> str:
    """Say how a number is written, where the learner nearly wrote one."""
    if callable(value):
        return " Put () behind its name."
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d*[.,]?\d+\s*%?\s*", value):
        comma = ", and with a point for the comma" if "," in value else ""
        return f" Write it without quotation marks{comma}."
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, int) for item in value):
        return " A comma makes two numbers of it: write a point, as in 0.5."
    return ""


def _not_bool(value: object) -> str:
    if isinstance(value, bool):
        return ""
    quoted = isinstance(value, str) and value.strip().casefold() in ("true", "false")
    advice = " Write it without quotation marks." if quoted else ""
    return f"{_kind(value)} was found where True or False was expected.{advice}"


def _how_many_fit(value: Any, truth: Any) -> str:
    given, wanted = {_key(item) for item in value}, {_key(item) for item in truth}
    return f"{len(given & wanted)} of {len(wanted)} found, and {len(given - wanted)} that do not belong there."


def _not_text(value: object, *truth: object) -> str:
    expected = all(isinstance(item, str) for item in truth) and not isinstance(value, str)
    return f"{_kind(value)} was found where one text in quotation marks was expected." if expected else ""


RULES: dict[RuleName, Rule] = {
    "equals": Rule("a value that is not missing", lambda truth: not is_missing(truth), _equals),
    "between": Rule("two numbers, the lower one first", _is_range, _between),
    "one_of": Rule("a list of values", _is_filled, _one_of),
    "is_close": Rule("a number", _is_finite, _is_close),
    "contains": Rule("a list of values", _is_filled, _contains),
}
