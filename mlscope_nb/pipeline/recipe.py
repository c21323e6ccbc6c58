"""Recipe: the steps from one field to its cells and numbers, with the options of each, as they are recorded."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlscope_nb import features, io
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

Step = bool | Mapping[str, Any]
STEPS: dict[str, tuple[Any, str]] = {
    "segment": (io, "finding objects"),
    "segment_cells": (io, "growing cells"),
    "crop": (io, "cutting crops"),
    "measure": (features, "measuring"),
    "embed_pretrained": (features, "embedding"),
}
"""The function behind each step, by its name, and what is said while it runs. In this order."""
# One worker has one thread and no screen, and a field that is done is kept in the store already.
FIXED: dict[str, dict[str, Any]] = {"measure": {"workers": 1, "progress": False}, "embed_pretrained": {"cache": False}}


@dataclass(frozen=True)
class Made:
    """What became of one field.

    Parameters
    ----------
    cells : Cells or None
        None where the field holds no object.
    measured, embedded : DataFrame or None
        One row per cell.
    history : list of dict
        What each step decided for this field.
    """

    cells: Cells | None
    measured: pd.DataFrame | None
    embedded: pd.DataFrame | None
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """Which steps are taken, with which options.

    Parameters
    ----------
    options : dict
        Step → its options, for the steps that are taken.
    reading : dict
        Options with which files are read.

    Examples
    --------
    >>> Recipe.of(segment=True, crop={"size": 48}, measure=False).options
    {'segment': {}, 'crop': {'size': 48}}
    """

    options: dict[str, dict[str, Any]]
    reading: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: dict[str, Any] | None = None, **steps: Step) -> Recipe:
        """Check the options of each step against the function behind it.

        Raises
        ------
        ValueError
            A step has no such option, it cannot be recorded, or crops are left out.
        """
        asked = {name: steps[name] for name in STEPS if steps.get(name, False) is not False}
        if "crop" not in asked:
            raise ValueError("crop is False, but it is what makes cells of fields. Give True or its options.")
        taken = {name: {} if options is True else options for name, options in asked.items()}
        return cls({name: _recorded(name, options) for name, options in taken.items()}, reading or {})

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """All that results depend on: how files are read, and the steps."""
        return {**({"read": self.reading} if self.reading else {}), **self.options}

    @property
    def embeds(self) -> bool:
        """Whether a network is needed."""
        return "embed_pretrained" in self.options

    def apply(self, fields: Fields, doing: Callable[[str], None] = lambda words: None) -> Made:
        """Take the steps with fields, of which there is one; `doing` is told each one before it begins."""
        for name in ("segment", "segment_cells"):
            fields = self._call(name, fields, doing) if name in self.options else fields
        if fields.masks is None or not fields.masks[0].any():
            return Made(None, None, None, list(fields.history))
        cells = self._call("crop", fields, doing)
        tables = {n: self._call(n, cells, doing) for n in ("measure", "embed_pretrained") if n in self.options}
        history = [*cells.history, *(step for table in tables.values() for step in table.attrs["history"])]
        return Made(cells, tables.get("measure"), tables.get("embed_pretrained"), history)

    def _call(self, name: str, what: Any, doing: Callable[[str], None]) -> Any:
        place, words = STEPS[name]
        doing(words)
        return getattr(place, name)(what, **{**FIXED.get(name, {}), **self.options.get(name, {})})


def _recorded(name: str, options: Any) -> dict[str, Any]:
    """Return the options as they come back from JSON, so that they can be compared with those of an earlier run."""
    if not isinstance(options, Mapping):
        raise ValueError(f"{name} is {options!r}, expected True, False, or its options: {name}={{…}}.")
    known = list(inspect.signature(getattr(STEPS[name][0], name)).parameters)[1:]
    fixed = FIXED.get(name, {})
    unknown = [o for o in options if o not in known or o in fixed]
    if unknown:
        allowed = [k for k in known if k not in fixed]
        raise ValueError(f"{name} has no option {some(unknown)} here. It has: {some(allowed, 20)}.")
    try:
        text = json.dumps(dict(options), sort_keys=True, default=str)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The options of {name} cannot be recorded: {error}. Give numbers, text and lists.") from error
    recorded: dict[str, Any] = json.loads(text)
    return recorded
