"""Small pieces of the sentences that errors and summaries are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def some(items: Iterable[object], limit: int = 5) -> str:
    """Name the first few items and count the rest: ``'a', 'b' and 3 more``."""
    names = [f"'{item}'" for item in items]
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit:,} more"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write ``1 cell`` or ``2,000 cells``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float, digits: int = 0) -> str:
    """Write a share with a space before its sign.

    Examples
    --------
    >>> percent(0.2), percent(0.0094, 1)
    ('20 %', '0.9 %')
    """
    return f"{100 * share:.{digits}f} %"


def no_column(name: object, columns: Iterable[object], advice: str) -> str:
    """Say that a column is missing, which there are, and what to do."""
    have = [str(column) for column in columns]
    return f"No column '{name}' in obs.{meant(name, have)} Columns: {some(have, 20) or 'none'}. {advice}"


def meant(name: object, have: Iterable[object]) -> str:
    """Ask about the nearest name there is, in spelling or as a part of it; nothing where none is near.

    Examples
    --------
    >>> meant("area", ["plate", "Cells_AreaShape_Area"])
    " Did you mean 'Cells_AreaShape_Area'?"
    """
    names = [str(item) for item in have]
    near = difflib.get_close_matches(str(name), names, n=1)
    near += sorted((item for item in names if str(name).casefold() in item.casefold()), key=len)
    return f" Did you mean '{near[0]}'?" if near and str(name) else ""
