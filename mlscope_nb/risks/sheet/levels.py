"""Levels of answers, in signs and words, so that no colour is needed to read them."""

from __future__ import annotations

from collections.abc import Iterable

RED, AMBER, GREEN, UNTESTABLE, NOT_DONE = "red", "amber", "green", "untestable", "not done"
ORDER = (RED, NOT_DONE, AMBER, UNTESTABLE, GREEN)
"""From the worst to the best."""
_SHOWN = {
    RED: "✖ red: speaks against it", AMBER: "▲ amber: open", GREEN: "● green: holds", UNTESTABLE: "? untestable",
    NOT_DONE: "○ not done",
}  # fmt: skip


def shown(level: str) -> str:
    """Return a level with its sign and what it means.

    Examples
    --------
    >>> shown("red")
    '✖ red: speaks against it'
    """
    return _SHOWN.get(level, level)


def worst(levels: Iterable[str]) -> str:
    """Return the worst of some levels; "not done" where there is none.

    Examples
    --------
    >>> worst(["green", "amber"]), worst([])
    ('amber', 'not done')
    """
    found = set(levels)
    return next((level for level in ORDER if level in found), NOT_DONE)
