"""In-Carta's tables: its names of wells, fields and objects, and boxes in pixels from which centres follow."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

OBJECT_ID, WELL, FIELD, PLATE = "OBJECT ID", "WELL LABEL", "FOV", "Plate ID"
DESCRIBING = (
    OBJECT_ID, "Row", "Column", FIELD, WELL, "Z", "T", "Class Name", "Class Color", "Ancestry Path", "Slice Algorithm",
    "Slice Indicator", "Acquisition Time Stamp", PLATE,
)  # fmt: skip
RENAMED = {OBJECT_ID: "ObjectNumber", WELL: "Well", PLATE: "Plate"}
BOX = re.compile(r"^(.+ )?Max (left border|top border|width|height)( wv\d+)?$")


def is_in_carta(columns: pd.Index) -> bool:
    """Whether a table has the columns by which In-Carta names objects.

    Examples
    --------
    >>> is_in_carta(pd.Index(["OBJECT ID", "FOV", "WELL LABEL", "Nuclei Area wv1"]))
    True
    """
    return OBJECT_ID in columns and (WELL in columns or FIELD in columns)


def described(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a table of In-Carta says about each object, with wells as A01 and the centre of its box in pixels.

    In-Carta's own centres (``cg X``, ``cg Y``) are in micrometres from the lower left; they stay features.

    Examples
    --------
    >>> columns = ["OBJECT ID", "WELL LABEL", "FOV", *(f"Nuclei Max {n} wv1" for n in ("left border", "width"))]
    >>> columns += [f"Nuclei Max {n} wv1" for n in ("top border", "height")]
    >>> found = described(pd.DataFrame([[1, "C - 3", 2, 10, 4, 20, 6]], columns=columns))
    >>> found[["Well", "y_px", "x_px"]].values.tolist()
    [['C03', 22.5, 11.5]]
    """
    found = table[[c for c in DESCRIBING if c in table.columns]].rename(columns=RENAMED)
    found = found.loc[:, found.notna().any(axis=0)]
    if "Well" in found:
        found["Well"] = found["Well"].map(_well, na_action="ignore")
    return pd.concat([found, _centres(table)], axis=1)


def _well(label: object) -> str:
    parts = re.fullmatch(r"\s*([A-Za-z]{1,2})\s*-?\s*(\d{1,2})\s*", str(label))
    return f"{parts.group(1).upper()}{int(parts.group(2)):02d}" if parts else str(label)


def _centres(table: pd.DataFrame) -> pd.DataFrame:
    """Return the middle of the box of the first object that has one."""
    for left in table.columns:
        parts = BOX.match(str(left))
        if parts and parts.group(2) == "left border":
            box = {n: f"{parts.group(1) or ''}Max {n}{parts.group(3) or ''}" for n in ("top border", "width", "height")}
            if set(box.values()) <= set(table.columns):
                x, y, width, height = (
                    pd.to_numeric(table[c], errors="coerce").to_numpy(dtype=np.float64)
                    for c in (left, box["top border"], box["width"], box["height"])
                )
                middle = {"y_px": y + (height - 1) / 2, "x_px": x + (width - 1) / 2}
                return pd.DataFrame(middle, index=table.index)
    return pd.DataFrame(index=table.index)
