"""What all small results share: plain values for files, plain words for people."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import Any

import numpy as np
import pandas as pd


class Result:
    """Mix-in of frozen dataclasses: ``to_dict`` for files, ``_repr_html_`` from ``str``.

    A dataclass with ``repr=False`` is shown as its words too, which is due where its fields are whole tables.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, text, lists and dicts (NaN as None), ready for JSON."""
        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def plain(value: Any) -> Any:
    """Turn numpy and pandas values into what JSON can hold."""
    if isinstance(value, pd.DataFrame):
        return {str(k): plain(v) for k, v in value.to_dict(orient="index").items()}
    if isinstance(value, pd.Index | np.ndarray | tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: float, width: float = math.nan) -> str:
    """Write a number with the digits that an interval of this width leaves meaningful."""
    if not math.isfinite(value):
        return "not known"
    # Ends that differ by rounding alone are one number.
    scale = width if math.isfinite(width) and width > 1e-9 * abs(value) else abs(value)
    digits = 2 - 1 - math.floor(math.log10(scale)) if scale > 0 else 2
    return f"{value:,.{min(max(digits, 0), 12)}f}"
