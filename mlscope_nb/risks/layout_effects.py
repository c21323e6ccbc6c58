"""Layout effects: does a measurement change along the plate, and by how much?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.cells import Cells
from mlscope_nb.curate.layout import layout
from mlscope_nb.curate.positions import POOLED, holm
from mlscope_nb.risks.findings import ALL, Finding
from mlscope_nb.risks.simple_features import Read

CHECK = "layout"
ALPHA = 0.05
MUCH = 0.2
"""Share of the mean from which a drift matters: the Assay Guidance Manual takes edge effects and drift below 20 % to be
insignificant (Iversen et al., HTS assay validation, in: Assay Guidance Manual, NCBI Bookshelf NBK83783)."""
EFFECTS = {
    "edge": "wells at the rim differ from the others",
    "row trend": "it changes from the first to the last row",
    "column trend": "it changes from the first to the last column",
}
STEP = (
    "Randomise or balance treatments over the plate, compare wells with neighbours, and look at the plate: "
    "ms.curate.layout(cells, …)."
)


def layout_effects(cells: Cells, found: Read) -> tuple[list[Finding], pd.DataFrame | None]:
    """Return whether brightness above background, size or number of cells follow the place of the well on its plate.

    Tested over wells, wells of one treatment compared with each other, corrected for all values and effects (Holm).

    Parameters
    ----------
    cells : Cells
    found : Read
        From `read`.
    """
    values = layout_values(cells, found)
    if values.empty:
        return [Finding(CHECK, ALL, "untestable", "There is nothing measured to lay out on the plate.", "")], None
    tables = []
    for name in values:
        # The median of each well: a few cells exposed too long shall not decide where a well lies.
        values[name] = _of_wells(values[name], cells)
        try:
            effects = layout(cells.with_obs(values[[name]]), str(name)).effects
        except (ValueError, KeyError) as error:
            reason = str(error.args[0])
            return [Finding(CHECK, ALL, "untestable", reason, "Add a column 'well' with names as A01.")], None
        mean = float(np.nanmean(values[name]))
        tables.append(effects.assign(value=str(name), relative=effects["estimate"] / mean))
    table = pd.concat(tables, ignore_index=True)
    return _judged(table[table["effect"].isin(EFFECTS)].copy()), table


def layout_values(cells: Cells, found: Read) -> pd.DataFrame:
    """Return numbers per cell that have a zero, so that a change is a share of the mean."""
    known, around = found.known, found.around
    parts: dict[str, pd.Series] = {}
    if around is not None:
        own = around.cell.to_numpy()
        parts["size"] = pd.Series(own[:, 0], cells.ids)
        for k, channel in enumerate(cells.channels):
            parts[f"{channel} above background"] = pd.Series(own[:, 2 + k], cells.ids)
    else:
        for name in ("area", "intensity"):
            table = known.get(name)
            parts |= {} if table is None else {str(c): table[c] for c in table}
    counted = known.get("cell count")
    if counted is not None:
        parts["cells per unit"] = np.exp(counted.iloc[:, 0])
    table = pd.DataFrame(parts, index=cells.ids)
    # Normalised features have no zero that a share could be taken of.
    return table.loc[:, [c for c in table if table[c].quantile(0.01) >= 0 and table[c].nunique() > 1]]


def _of_wells(value: pd.Series, cells: Cells) -> pd.Series:
    return value.groupby(cells.units.to_numpy()).transform("median") if cells.design.unit else value


def _judged(table: pd.DataFrame) -> list[Finding]:
    pooled = table["plate"] == (POOLED if (table["plate"] == POOLED).any() else table["plate"].iloc[0])
    for rows in (pooled, ~pooled):
        table.loc[rows, "p"] = holm(table.loc[rows, "p_value"].to_numpy(float))
    if not table["p_value"].notna().any():
        note = next((n for n in table["note"] if n), "too few wells")
        return [Finding(CHECK, ALL, "untestable", f"Effects of the place: {note}.", "More wells of each treatment.")]
    near = (table[["low", "high"]].abs().min(axis=1) / table["estimate"].abs()) * table["relative"].abs()
    # The few wells of one plate give a rough figure: alone it counts only where its whole interval is that large.
    large = (table["p"] <= ALPHA) & (table["relative"].abs() >= MUCH) & (pooled | (near >= MUCH))
    found = [_finding(row) for _, row in table[large & pooled].iterrows()]
    seen = set(zip(table.loc[large & pooled, "value"], table.loc[large & pooled, "effect"], strict=True))
    alone = [row for _, row in table[large & ~pooled].iterrows() if (row["value"], row["effect"]) not in seen]
    found += [_finding(row) for row in alone]
    if found:
        return found
    known = table[pooled & table["p_value"].notna()]
    worst = (known if len(known) else table).sort_values("relative", key=abs, ascending=False).iloc[0]
    reason = f"No value changes by {percent(MUCH)} or more of its mean over the plate; most: {_words(worst)}."
    return [Finding(CHECK, ALL, "green", reason, "", float(worst["relative"]))]


def _words(row: pd.Series) -> str:
    change = f"{100 * row['relative']:+.0f} %"
    return f"{row['value']}, {EFFECTS[row['effect']]} by {change} of the mean (p = {row['p']:.2g})"


def _finding(row: pd.Series) -> Finding:
    scale = row["relative"] / row["estimate"]
    low, high = sorted((float(row["low"] * scale), float(row["high"] * scale)))
    return Finding(CHECK, str(row["plate"]), "amber", f"{_words(row)}.", STEP, row["relative"], low, high, row["p"])
