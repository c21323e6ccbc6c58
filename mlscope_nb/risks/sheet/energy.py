"""Time and energy: an estimate from what was timed, with every assumption beside it.

Energy is CPU time × power of a core × overhead of the building, as in Lannelongue, Grealey & Inouye 2021, Green
Algorithms, Adv. Sci. 8:2100707 (doi 10.1002/advs.202100707). Memory, screens and graphics cards are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

WATTS_PER_CORE = 12.0
"""What the calculator of Green Algorithms takes for a core of an unknown processor."""
OVERHEAD = 1.67
"""Power usage effectiveness: the average of computing centres that the same calculator takes."""
SECONDS_PER_HOUR = 3600.0


def energy_facts(
    records: Iterable[Mapping[str, Any]], session_seconds: float, given_seconds: float | None, watts_per_core: float
) -> dict[str, Any]:
    """Return what was timed, and the energy that it took, in Wh.

    Parameters
    ----------
    records : iterable of dict
        Of results: what says how long it took is counted, what says how long it was allowed to is not.
    session_seconds : float
        CPU time of this Python session.
    given_seconds : float or None
        CPU time that the author states, in core seconds.
    watts_per_core : float
        Power of one busy core.

    Examples
    --------
    >>> found = energy_facts([], 3600.0, None, 12.0)
    >>> round(found["timed"][0]["watt_hours"], 2)
    20.04
    """
    timed: list[dict[str, Any]] = [{"what": "this Python session, since it started", "seconds": session_seconds}]
    if given_seconds is not None:
        timed.append({"what": "the whole analysis, as its author states", "seconds": given_seconds})
    for record in records:
        seconds = _seconds(record["values"])
        if seconds is not None:
            timed.append({"what": record["name"], "seconds": seconds})
    for row in timed:
        row["watt_hours"] = row["seconds"] * watts_per_core * OVERHEAD / SECONDS_PER_HOUR
    n_other = sum(_seconds(record["values"]) is None for record in records)
    return {"watts_per_core": watts_per_core, "overhead": OVERHEAD, "timed": timed, "n_results_not_timed": n_other}


def _seconds(values: Mapping[str, Any]) -> float | None:
    """Return the seconds that a result took: its own, or the sum over its epochs or rounds."""
    own: Any = values.get("seconds")
    if _is_time(own):
        return float(own)
    rows = values.get("records")
    if not isinstance(rows, list):
        return None
    found = [row["seconds"] for row in rows if isinstance(row, Mapping) and _is_time(row.get("seconds"))]
    return float(sum(found)) if found else None


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
