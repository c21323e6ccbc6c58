"""Plate layouts: a table of wells joined to fields whose names say plate and well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.io.listing import Problem

WELL_COLUMNS = {
    "plate": ("plate", "plate_id", "plateid", "plate_name", "platename", "barcode", "plate_barcode"),
    "well": ("well", "well_id", "wellid", "well_position", "wellposition", "position"),
    "site": ("site", "field", "fov", "site_id"),
}


def well_columns(table: pd.DataFrame, parts: pd.DataFrame) -> dict[str, str]:
    """Return the columns of a layout that say plate and well (or plate, well and site), as far as file names say these.

    Returns
    -------
    dict of part of the name to column of the table; empty where the table has no well, or the names have none.
    """
    found = {}
    for part in ("plate", "well", "site"):
        names = [c for c in table.columns if str(c).lower().removeprefix("metadata_") in WELL_COLUMNS[part]]
        if names and part in parts.columns:
            found[part] = names[0]
    return found if "well" in found else {}


def join_wells(
    parts: pd.DataFrame, table: pd.DataFrame, keys: Mapping[str, str], files: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Problem]]:
    """Give each field the row of its well in a plate layout.

    Raises
    ------
    ValueError
        The layout names a well twice, or no well of the layout is among the fields.
    """
    own = pd.DataFrame({part: parts[part].map(_plain(part)) for part in keys})
    rows = pd.DataFrame({part: table[column].map(_plain(part)) for part, column in keys.items()})
    twice = rows[rows.duplicated()]
    if len(twice):
        named = some(" ".join(row) for row in twice.drop_duplicates().to_numpy())
        raise ValueError(f"The table has several rows for {named}. Keep one row for each {' and '.join(keys)}.")
    places = {tuple(row): i for i, row in enumerate(rows.to_numpy())}
    at = [places.get(tuple(row)) for row in own.to_numpy()]
    if all(i is None for i in at):
        raise ValueError(
            f"No row of the table fits: its {' and '.join(keys.values())} are "
            f"{some(' '.join(r) for r in rows.to_numpy())}, the file names say "
            f"{some(dict.fromkeys(' '.join(r) for r in own.to_numpy()))}. Join by file name with on=…"
        )
    kept = [(name, i) for name, i in zip(parts.index, at, strict=True) if i is not None]
    problems = [
        {"file": files[name], "problem": f"no row in the table for {' '.join(row)}"}
        for name, row, i in zip(parts.index, own.to_numpy(), at, strict=True)
        if i is None
    ]
    joined = table.iloc[[i for _, i in kept]].drop(columns=list(keys.values()))
    return joined.set_axis(pd.Index([name for name, _ in kept], dtype=object), axis=0), problems


def _plain(part: str) -> Callable[[object], str]:
    """Write wells so that a1 is A01, plates and sites so that 01 and 1.0 are 1."""
    return _plain_well if part == "well" else _plain_number


def _plain_well(value: object) -> str:
    text = str(value).strip()
    well = re.fullmatch(r"([A-Za-z]{1,2})[ -]?0*(\d{1,2})", text)
    return f"{well.group(1).upper()}{int(well.group(2)):02d}" if well else text


def _plain_number(value: object) -> str:
    text = str(value).strip()
    return str(int(float(text))) if re.fullmatch(r"\d{1,15}(\.0+)?", text) else text
