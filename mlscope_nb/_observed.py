"""Observed: rows with unique ids, what is known of each, a study design and a history: what never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Design, check, controls, keys

MEANING = {
    "unit": "what is independent of what (well, plate, donor, image)",
    "batch": "what was made together (plate, day, scanner)",
}


class Observed:
    """What cells and fields have in common: every method returns new ones, and copies are they themselves."""

    __slots__: tuple[str, ...] = ()
    _instead: ClassVar[str]
    """What makes new ones, for who tries to change them."""

    _obs: pd.DataFrame
    _history: tuple[dict[str, Any], ...]
    design: Design

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise AttributeError(f"{kind} cannot be changed. Make new ones with {self._instead} ('{name}').")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __len__(self) -> int:
        return len(self._obs)

    @property
    def obs(self) -> pd.DataFrame:
        """A copy of the observations, one row each."""
        return self._obs.copy()

    @property
    def ids(self) -> pd.Index:
        """The ids in order."""
        return self._obs.index.copy()

    @property
    def history(self) -> tuple[dict[str, Any], ...]:
        """A copy of what was done so far: for each step its name and parameters."""
        return _align.entries(self._history)

    @property
    def units(self) -> pd.Series:
        """The unit of independence of each row, as text ('plate1 · A01')."""
        return self._keys("unit")

    @property
    def batches_of(self) -> pd.Series:
        """The batch of each row, as text."""
        return self._keys("batch")

    @property
    def labels(self) -> pd.Series:
        """The declared label of each row."""
        if self.design.label is None:
            raise ValueError(f"No label is declared. Name its column: {self._word}.with_design(label=…).")
        return self._obs[self.design.label].copy()

    @property
    def controls(self) -> pd.Series:
        """True for the rows that are controls."""
        return controls(self._obs, self.design)

    def with_design(self, **roles: Any) -> Self:
        """Return the same with label, unit, batch, control or treatment declared anew."""
        design = replace(self.design, **roles)
        check(self._obs, design)
        # Controls that stay as they are need not be among the rows of a subset.
        if roles.get("control") is not None:
            controls(self._obs, design)
        return self._copy(design=design, _history=self._after("with_design", **roles))

    def with_obs(self, table: pd.DataFrame | pd.Series) -> Self:
        """Return the same with columns added to obs (same names are replaced)."""
        new = _align.aligned(table, self.ids, "obs")
        kept = self._obs.drop(columns=[c for c in new.columns if c in self._obs.columns])
        obs = _align.identified(pd.concat([kept, new], axis=1), str(self._obs.index.name))
        check(obs, self.design)
        return self._copy(_obs=obs, _history=self._after("with_obs", table, columns=list(map(str, new.columns))))

    @property
    def _word(self) -> str:
        return type(self).__name__.lower()

    def _keys(self, role: str) -> pd.Series:
        columns = getattr(self.design, role)
        if not columns:
            raise ValueError(
                f"No {role} is declared: {MEANING[role]}. Name its column: {self._word}.with_design({role}=…)."
            )
        return keys(self._obs, columns)

    def _after(
        self, name: str, /, table: pd.DataFrame | pd.Series | None = None, **parameters: Any
    ) -> tuple[Mapping[str, Any], ...]:
        """Return the history with one more step, after those that made the table."""
        before = () if table is None else table.attrs.get("history", ())
        return (*self._history, *before, _align.step(name, **parameters))

    def _fill(self, **slots: Any) -> None:
        slots["_history"] = _align.entries(slots["_history"])
        slots["compartments"] = MappingProxyType(dict(slots["compartments"]))
        for name, value in slots.items():
            object.__setattr__(self, name, _align.read_only(value))

    def _copy(self, **changes: Any) -> Self:
        new = type(self).__new__(type(self))
        new._fill(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})
        return new
