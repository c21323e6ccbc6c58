"""How plain values are written: numbers with the digits that mean something, intervals, names with their units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlscope_nb._words import count
from mlscope_nb.study._result import number
from mlscope_nb.study.units import plural

LARGEST, SMALLEST = 1e9, 1e-4
UNITS = {"_px": " (px)", "_um": " (µm)", "_seconds": " (s)", "_ms": " (ms)", "_db": " (dB)"}
NAMES = {
    "balanced_accuracy": "balanced accuracy (0 to 1)", "auprc": "area under precision and recall (0 to 1)",
    "macro_f1": "mean F1 (0 to 1)", "chance": "guessing gives", "seconds": "CPU time (s)",
    "watt_hours": "energy (Wh, estimated)", "psnr": "PSNR (dB)", "p_value": "p", "level": "level",
}  # fmt: skip


def said(value: Any) -> str:
    """Write a plain value.

    Examples
    --------
    >>> said(0.91234), said(12000), said(None), said(True), said([1, 2.5])
    ('0.91', '12,000', 'not known', 'yes', '1, 2.5')
    """
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < LARGEST else f"{float(value):.3g}" if abs(value) < 1e300 else "very many"
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, Mapping):
        if is_interval(value):
            return interval(value)
        return "; ".join(f"{heading(str(k))}: {said(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(said(v) for v in value)
    return str(value)


def exact(value: Any) -> str:
    """Write a setting: a number as it was given, not rounded as a figure is.

    Examples
    --------
    >>> exact(1.67), exact({"tol": 1e-3, "by": ["plate"]})
    ('1.67', 'tol = 0.001; by = plate')
    """
    if value is None:
        return "not set"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{k} = {exact(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(exact(v) for v in value)
    return said(value)


def rounded(value: float, width: float = math.nan) -> str:
    """Write a number with two digits that mean something, those of an interval where its width is known."""
    if value and math.isfinite(value) and not SMALLEST <= abs(value) < LARGEST:
        return f"{value:.2g}"
    return number(value, width)


def is_interval(value: Any) -> bool:
    """Whether plain values are those of an `Interval`."""
    return isinstance(value, Mapping) and {"estimate", "low", "high", "level", "n_units"} <= set(value)


def interval(value: Mapping[str, Any]) -> str:
    """Write an interval from its plain values.

    Examples
    --------
    >>> interval({"estimate": 0.912, "low": 0.85, "high": 0.96, "level": 0.95, "n_units": 4, "unit": "plate"})
    '0.91 (95 % interval over 4 plates: 0.85 to 0.96)'
    """
    low, high = real(value["low"]), real(value["high"])
    width = high - low
    estimate = rounded(real(value["estimate"]), width)
    if not math.isfinite(width):
        return f"{estimate} (no interval: {value.get('note') or 'too few units'})"
    unit = str(value.get("unit", "unit"))
    over = count(int(value["n_units"]), unit, plural(unit))
    ends = f"{rounded(low, width)} to {rounded(high, width)}"
    return f"{estimate} ({real(value['level']) * 100:g} % interval over {over}: {ends})"


def real(value: Any) -> float:
    """Return a number, NaN where it is not known."""
    return float(value) if isinstance(value, int | float) else math.nan


def heading(name: str) -> str:
    """Write the name of a figure in words, with its unit.

    Examples
    --------
    >>> heading("n_cells"), heading("pixel_size_um"), heading("gain_low")
    ('cells (number)', 'pixel size (µm)', 'gain low')
    """
    if name in NAMES:
        return NAMES[name]
    if name.startswith("n_") and len(name) > 2:
        return f"{name[2:].replace('_', ' ')} (number)"
    ending = next((e for e in UNITS if name.endswith(e)), "")
    # A column of the user's own, such as "My_Feature", is left as it is.
    words = name.removesuffix(ending).replace("_", " ") if name.islower() else name
    return f"{words}{UNITS.get(ending, '') if name.islower() else ''}"
