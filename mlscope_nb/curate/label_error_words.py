"""What a table of label errors means, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count, percent
from mlscope_nb.study.units import plural


def in_words(found: pd.DataFrame, per: str, word: str, units: list[dict[str, Any]], unlike: float) -> str:
    """Return a paragraph about the table of label errors.

    Parameters
    ----------
    found : DataFrame
        The table, with "expected_precision", "noise_rate" and "recognised" in ``attrs``.
    per : {"cell", "unit"}
        Whom the labels were given to.
    word : str
        What a unit is called ("well").
    units : list of dict
        One for each unit, "flagged" among its keys; empty where labels were given per cell.
    unlike : float
        How alike units are in their labels; infinite where other cells of a unit did not count.
    """
    n = int(found["given"].notna().sum())
    precision, rate = found.attrs["expected_precision"], found.attrs["noise_rate"]
    rough = f"Some {percent(rate, 1)} of labels may be wrong; this figure is rough, do not report it."
    about = "" if precision is None else percent(precision)
    hope = f" About {about} of these should turn out to be wrong: look at them." if about else ""
    if per == "unit" and not found.attrs["recognised"]:
        return (
            f"Labels were given per {word}, and the {plural(word)} do not look like their labels more often than by "
            "guessing: the features say nothing about these labels, so none of them can be said to be wrong."
        )
    if per == "unit":
        suspects = sum(u["flagged"] for u in units)
        return (
            f"Labels were given per {word}: {suspects:,} of {count(len(units), word, plural(word))} do not look like "
            f"their label.{hope} {count(int(found['atypical'].sum()), 'single cell')} of {n:,} are atypical for their "
            f"label, which is no mistake. {rough}"
        )
    context = "" if np.isinf(unlike) else f" The labels of other cells of the same {word} counted too."
    flagged = int(found["flagged"].sum())
    return f"{count(flagged, 'label')} of {n:,} do not fit what the cell looks like.{hope}{context} {rough}"
