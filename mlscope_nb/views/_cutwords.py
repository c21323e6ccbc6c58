"""What a threshold does, in sentences with numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mlscope_nb._words import count
from mlscope_nb.curate.cutoff import Loss, Side
from mlscope_nb.curate.filter_bias import FilterBias
from mlscope_nb.study.units import noun, plural
from mlscope_nb.views._sentences import shortened

# What a score is counted in, short enough to stand beside a slider.
UNITS = {
    "any_fault": "× the way from usual to flagged, over all scores",
    "empty": "0 clear signal … 1 nothing there",
    "saturation": "share of pixels at the end of the scale",
    "focus": "0 blurred … 1 sharp",
    "cut": "diameters along the edge of the picture",
    "touching": "0 round … 1 pinched in two",
    "debris": "doublings of brightness where others have nothing",
    "size": "doublings of area against its plate",
    "signal_to_noise": "× the noise",
    "background": "× the light of a usual cell",
    "background_gradient": "× the noise, across the picture",
    "illumination": "× the light in the middle of the field",
}


def unit_of(column: str) -> str:
    """Return what a score is counted in; empty where that is not known."""
    return UNITS["focus"] if column.startswith("focus_") else UNITS.get(column, "")


def number(value: float) -> str:
    """Write a number with up to four digits."""
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def left_out(n_out: int, n: int, unknown: int, where: str) -> str:
    """Say how many cells a threshold leaves out."""
    verb = "would be left out"
    words = f"{n_out:,} of {count(n, 'cell')} {verb} ({percent(n_out / n if n else 0.0)}): {where}."
    rest = f" {count(unknown, 'cell')} without this score always {'stays' if unknown == 1 else 'stay'}."
    return words + (rest if unknown else "")


def graded(n_out: int, hits: int, faulty: int, precision: float, recall: float) -> str:
    """Say precision and recall with the numbers they are made of."""
    if not faulty:
        return "No cell is truly faulty, so there is nothing to find: every cell left out is lost for nothing."
    first = "Precision: nothing is left out."
    if n_out:
        first = f"Precision {precision:.2f}: {hits:,} of the {n_out:,} left out {_are(hits)} truly faulty."
    return f"{first} Recall {recall:.2f}: {hits:,} of the {faulty:,} truly faulty cells {_are(hits)} found."


def losing(extremes: Mapping[str, tuple[Loss, Loss] | None], unit: tuple[str, ...]) -> list[str]:
    """Say which class and which plate lose most and least, with intervals over units."""
    return [
        f"{kind.capitalize()} {_loss(found[0], unit)} loses most, {_loss(found[1], unit, True)} least."
        for kind, found in extremes.items()
        if found is not None
    ]


def compared(found: FilterBias) -> str:
    """Say in one sentence which class and which plate lose more than the rest, and how many others do."""
    table = found.table[found.table["warning"] != ""].sort_values("difference", ascending=False)
    if not len(table):
        return "No class or plate is shown to lose more than the rest."
    worst = table.drop_duplicates("kind")
    points = (100 * worst[["difference", "difference_low", "difference_high"]]).to_numpy(float)
    named = [
        f"{kind} “{shortened(name, 30)}” ({more:.1f} points more than the rest, "
        f"interval over units {low:.1f} to {high:.1f})"
        for kind, name, (more, low, high) in zip(worst["kind"], worst["name"], points, strict=True)
    ]
    others = len(table) - len(worst)
    rest = f", and {others} {'other' if others == 1 else 'others'}" if others else ""
    return f"More is lost of {' and of '.join(named)}{rest}: look at what would go."


def percent(share: float) -> str:
    """Write a share as per cent, never 0 for what is not nothing."""
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.0005 else "< 0.1 %"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _loss(loss: Loss, unit: tuple[str, ...], short: bool = False) -> str:
    words = f"“{shortened(loss.name)}” ({percent(loss.share.estimate)}"
    if unit and math.isfinite(loss.share.low):
        low, high = (100 * min(max(v, 0.0), 1.0) for v in (loss.share.low, loss.share.high))
        word = plural(noun(unit))
        head = "" if short else f"95 % interval over {loss.share.n_units} {word} "
        words += f", {head}{low:.1f} to {high:.1f} %"
    return words + ")"


def condition(column: str, side: Side, threshold: float) -> str:
    """Say which cells are beyond."""
    return f"{column} {side} {number(threshold)}"
