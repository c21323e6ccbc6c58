"""Options that are numbers: told apart from texts, yes and no, and halves of whole things."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Integral, Real
from typing import Any


def check_positive(options: Mapping[str, Any], *, whole: Collection[str] = ()) -> None:
    """Refuse options that are no numbers above zero, or not whole where they have to be; None is left alone.

    Raises
    ------
    ValueError
        Names the option, what it is, and what it should be.

    Examples
    --------
    >>> check_positive({"epochs": 3, "seconds": None, "rate": 0.1}, whole=["epochs"])
    >>> check_positive({"epochs": 1.5}, whole=["epochs"])
    Traceback (most recent call last):
    ValueError: epochs is 1.5, expected a whole number, and more than 0.
    """
    for name, value in options.items():
        kind = Integral if name in whole else Real
        number = isinstance(value, kind) and not isinstance(value, bool)
        if value is not None and not (number and float(value) > 0):
            wanted = "a whole number, and more than 0" if name in whole else "more than 0"
            raise ValueError(f"{name} is {value!r}, expected {wanted}.")
