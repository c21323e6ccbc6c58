"""Notes of mlscope in a Parquet file of profiles: what columns were called, and what a table does not say of a study.

They stand in the file's own metadata under the key ``mlscope``, which other tools pass over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas.api.types import pandas_dtype

from mlscope_nb._categories import is_plain, kind_of, parsed, words
from mlscope_nb._store import as_declared
from mlscope_nb._words import some
from mlscope_nb.cells import Cells

VERSION = 1
START = "Metadata_"
ID = "Metadata_cell_id"
COMPARTMENTS = ("Cells", "Nuclei", "Cytoplasm")
"""What the names of features begin with where pycytominer finds them by itself (``features="infer"``)."""
_PARTS = {
    "obs": dict,
    "features": dict,
    "dtypes": dict,
    "categories": dict,
    "channels": list,
    "design": dict,
    "history": list,
}


def names_of(cells: Cells, prefix: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the written names of the columns of obs and of the features.

    Parameters
    ----------
    cells : Cells
        With features.
    prefix : str or None
        Put in front of features that pycytominer would not find by itself, as in "Cells".

    Raises
    ------
    ValueError
        Two columns would have one name, or a feature would be taken for metadata.
    """
    features = [] if cells.features is None else list(cells.features.columns)
    taken = [name for name in features if name.startswith(START)]
    if taken:
        raise ValueError(
            f"Features whose names begin with '{START}': {some(taken)}. Other tools would take them for metadata: "
            "rename them, or move them to obs with cells.with_obs."
        )
    obs = {name: name if name.startswith(START) else f"{START}{name}" for name in cells.obs.columns}
    written = {name: name if prefix is None or found(name) else f"{prefix}_{name}" for name in features}
    everything = [ID, *obs.values(), *written.values()]
    twice = sorted({name for name in everything if everything.count(name) > 1}) if _repeats(everything) else []
    if twice:
        raise ValueError(f"Several columns would be called {some(twice)}. Rename those of obs or of the features.")
    return obs, written


def found(feature: str) -> bool:
    """Whether pycytominer takes a column for a feature by its name alone.

    Examples
    --------
    >>> found("Cells_AreaShape_Area"), found("efficientnet_12")
    (True, False)
    """
    return feature.startswith(COMPARTMENTS)


def notes_of(cells: Cells, obs: Mapping[str, str], features: Mapping[str, str]) -> dict[str, Any]:
    """Return what is written beside the table."""
    table = cells.obs
    return {
        "version": VERSION,
        "obs": {written: name for name, written in obs.items()},
        "features": {written: name for name, written in features.items()},
        "dtypes": {name: str(table[name].dtype) for name in table.columns},
        "categories": {name: _category(table[name]) for name in table.columns if not is_plain(table[name])},
        "channels": list(cells.channels),
        "pixel_size_um": cells.pixel_size_um,
        "design": cells.design.to_dict(),
        "history": list(cells.history),
    }


def values_of(obs: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the values of categories that are no text: numbers are numbers to other tools."""
    odd = {name: obs[name].astype(object) for name in obs.columns if not is_plain(obs[name])}
    return obs.assign(**odd)


def _category(column: pd.Series) -> dict[str, Any]:
    names = [words(name) for name in column.cat.categories]
    return {"names": names, "of": kind_of(column), "ordered": bool(column.cat.ordered)}


def as_written(table: pd.DataFrame, notes: Mapping[str, Any]) -> Cells:
    """Return the cells that `write_profiles` wrote.

    Parameters
    ----------
    table : DataFrame
        As it stands in the file.
    notes : mapping
        What stands beside it.

    Raises
    ------
    ValueError
        The notes are damaged, of a newer version, or do not fit the table.
    """
    if notes.get("version") != VERSION:
        raise ValueError(
            f"The notes of mlscope have version {notes.get('version')!r}, expected {VERSION}: update mlscope."
        )
    wrong = [name for name, kind in _PARTS.items() if not isinstance(notes.get(name), kind)]
    named = [ID] if wrong else [ID, *notes["obs"], *notes["features"]]
    missing = [name for name in named if name not in table.columns]
    if wrong or missing:
        raise ValueError(f"The notes of mlscope do not fit the table: {some(wrong or missing)}. Was the file changed?")
    obs = table[list(notes["obs"])].rename(columns=notes["obs"]).set_axis(pd.Index(table[ID].astype(str)), axis=0)
    kinds = {**notes["dtypes"], **notes["categories"]}
    obs = pd.DataFrame({name: _restored(obs[name], kinds.get(name)) for name in obs}, index=obs.index)
    features = table[list(notes["features"])].rename(columns=notes["features"]).set_axis(obs.index, axis=0)
    roles = dict(notes["design"])
    control = roles.pop("control", None)
    made = Cells(
        obs.rename_axis("cell_id"),
        features=features.rename_axis("cell_id"),
        channels=notes["channels"],
        pixel_size_um=notes.get("pixel_size_um"),
        history=notes["history"],
        **roles,
    )
    return as_declared(made, control)


def _restored(column: pd.Series, kind: Any) -> pd.Series:
    """Return a column as what it was: `kind` is the name of a type, or describes a category."""
    if kind is None or str(column.dtype) == kind:
        return column
    try:
        if isinstance(kind, dict):
            names = parsed(pd.Series(kind["names"], dtype=object), str(kind["of"]))
            return column.astype(pd.CategoricalDtype(pd.Index(names), ordered=bool(kind["ordered"])))
        return column.astype("category") if kind == "category" else column.astype(pandas_dtype(kind))
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"Column '{column.name}' cannot be read as {kind}, which it was: {error}.") from error


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)
