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


def no_column(name: object, columns: Iterable[object], advice: str) -> str:
    """Say that a column is missing, which there are, and what to do."""
    have = [str(column) for column in columns]
    close = difflib.get_close_matches(str(name), have, n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    return f"No column '{name}' in obs.{guess} Columns: {some(have, 20) or 'none'}. {advice}"
