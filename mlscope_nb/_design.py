"""The study design: which column is the label, and which rows are independent of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, no_column, some

Columns = str | Iterable[str] | None
SEPARATOR = " · "


@dataclass(frozen=True)
class Design:
    """What the columns of `obs` mean for the study.

    Parameters
    ----------
    label : str, optional
        Column with what is to be predicted or compared.
    unit : tuple of str
        Columns that together name the unit of independence (well, plate, donor, image).
    batch : tuple of str
        Columns that together name the batch (plate, day, scanner).
    control : str or read-only mapping, optional
        A boolean column, or ``{column: value or values}`` that all have to hold.
    treatment : str, optional
        Column with what was done to the unit.

    Examples
    --------
    >>> Design(label="drug", unit=("plate", "well")).columns
    ('drug', 'plate', 'well')
    """

    label: str | None = None
    unit: tuple[str, ...] = ()
    batch: tuple[str, ...] = ()
    control: str | Mapping[str, Any] | None = None
    treatment: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", as_columns(self.unit, "unit"))
        object.__setattr__(self, "batch", as_columns(self.batch, "batch"))
        object.__setattr__(self, "control", _frozen_control(self.control))
        for role in ("label", "treatment"):
            _refuse_several(getattr(self, role), role)

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings cannot be copied or sent to another process; the plain parts can.
        return _from_parts, (self.to_dict(),)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that the design names, each once."""
        control = [self.control] if isinstance(self.control, str) else list(self.control or ())
        named = [self.label, *self.unit, *self.batch, *control, self.treatment]
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def to_dict(self) -> dict[str, Any]:
        """Return the declared parts as plain lists, dicts and strings."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: _plain(v) for k, v in parts.items() if v is not None and v != ()}

    def __str__(self) -> str:
        parts = [f"{name}: {_words(value)}" for name, value in self.to_dict().items()]
        return "; ".join(parts) if parts else "not declared"


def declare(
    obs: pd.DataFrame,
    *,
    label: str | None = None,
    unit: Columns = None,
    batch: Columns = None,
    control: str | Mapping[str, Any] | None = None,
    treatment: str | None = None,
) -> Design:
    """Check the declared columns against `obs` and return the design.

    Raises
    ------
    KeyError
        A declared column is not in `obs`.
    TypeError
        A role is given something else than the name of a column.
    ValueError
        A row has no unit or no batch, or no row is a control.
    """
    design = Design(
        label=label, unit=as_columns(unit, "unit"), batch=as_columns(batch, "batch"), control=control,
        treatment=treatment,
    )  # fmt: skip
    check(obs, design)
    if design.control is not None:
        controls(obs, design)
    return design


def check(obs: pd.DataFrame, design: Design) -> None:
    """Raise when a declared column is not in `obs`, or a row has no unit or batch."""
    for role, names in _roles(design).items():
        for name in names:
            if name not in obs.columns:
                raise KeyError(no_column(name, obs.columns, f"Name the {role} with {role}=…"))
    for role in ("unit", "batch"):
        _refuse_missing(obs, getattr(design, role), role)


def as_columns(names: Columns, role: str = "by") -> tuple[str, ...]:
    """Turn one column name or several into a tuple."""
    if names is None:
        return ()
    found = (names,) if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if not all(isinstance(name, str) for name in found):
        raise TypeError(
            f"{role} is {names!r}, expected the name of a column of obs as text, or a list of names: {role}='well'."
        )
    return found


def keys(obs: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Return one text key per row from one column or several ('plate1 · A01')."""
    if len(columns) == 1:
        return obs[columns[0]].astype(str).rename(columns[0])
    text = obs[columns[0]].astype(str)
    for name in columns[1:]:
        text = text + SEPARATOR + obs[name].astype(str)
    return text.rename(SEPARATOR.join(columns))


def controls(obs: pd.DataFrame, design: Design) -> pd.Series:
    """Return True for the rows that the design declares to be controls."""
    if design.control is None:
        raise ValueError("No control is declared. Name it with control={'column': 'value'} or a boolean column.")
    found = _control_rows(obs, design.control).rename("control")
    if not found.any():
        raise ValueError(
            f"No row is a control: nothing matches {_plain(design.control)!r}. {_values(obs, design.control)}"
        )
    return found


def _control_rows(obs: pd.DataFrame, control: str | Mapping[str, Any]) -> pd.Series:
    if isinstance(control, str):
        column = obs[control]
        if not pd.api.types.is_bool_dtype(column):
            raise ValueError(
                f"Control column '{control}' holds {column.dtype}, expected True and False. "
                f"To name a value use control={{'{control}': value}}."
            )
        return column.fillna(False).astype(bool)
    rows = np.ones(len(obs), dtype=bool)
    for name, wanted in control.items():
        values = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else list(wanted)
        rows &= obs[name].isin(values).to_numpy()
    return pd.Series(rows, index=obs.index)


def _frozen_control(control: Any) -> str | Mapping[str, Any] | None:
    if control is None or isinstance(control, str):
        return control
    if not isinstance(control, Mapping) or not control:
        raise TypeError(
            f"control is {control!r}, expected the name of a boolean column, or column and value: "
            "control={'drug': 'DMSO'}."
        )
    several = {k: not isinstance(v, str) and isinstance(v, Iterable) for k, v in control.items()}
    return MappingProxyType({k: tuple(v) if several[k] else v for k, v in control.items()})


def _refuse_several(name: object, role: str) -> None:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{role} is {name!r}, expected the name of one column of obs as text: {role}='drug'.")


def _from_parts(parts: dict[str, Any]) -> Design:
    return Design(**parts)


def _plain(value: Any) -> Any:
    """Return lists and dicts for tuples and read-only mappings."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _roles(design: Design) -> dict[str, tuple[str, ...]]:
    control = (design.control,) if isinstance(design.control, str) else tuple(design.control or ())
    single = {"label": design.label, "treatment": design.treatment}
    return {
        **{role: (name,) if name is not None else () for role, name in single.items()},
        "unit": design.unit,
        "batch": design.batch,
        "control": control,
    }


def _refuse_missing(obs: pd.DataFrame, columns: tuple[str, ...], role: str) -> None:
    for name in columns:
        missing = obs.index[obs[name].isna()]
        if len(missing):
            raise ValueError(
                f"{count(len(missing), 'row')} without a value in the {role} column '{name}': {some(missing)}. "
                f"Every row needs its {role}: fill the column in, or leave these rows out."
            )


def _values(obs: pd.DataFrame, control: str | Mapping[str, Any]) -> str:
    if isinstance(control, str):
        return f"All values of '{control}' are False."
    return " ".join(f"'{name}' holds {some(obs[name].unique(), 8)}." for name in control)


def _words(value: object) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    return str(value)
