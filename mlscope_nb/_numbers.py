"""Numbers: the table of numbers per cell that somebody asks for, by name or as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mlscope_nb import _align
from mlscope_nb._words import meant, some


def numbers_of(
    x: str | Sequence[str] | pd.DataFrame | None,
    obs: pd.DataFrame,
    features: pd.DataFrame | None,
    maps: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Return the features (None), a map by its name, chosen columns of features and obs, or a table that fits."""
    if isinstance(x, pd.DataFrame):
        return _align.numeric(_align.aligned(x, obs.index, "the table"), "the table")
    if x is None or (isinstance(x, str) and x == "features"):
        if features is None:
            raise ValueError(
                "These cells have no features yet. Measure them: cells.with_features(ms.features.measure(cells))."
            )
        return _align.shown(features)
    if isinstance(x, str) and x in maps:
        return _align.shown(maps[x])
    names = [x] if isinstance(x, str) else list(x)
    tables = [table for table in (features, obs) if table is not None]
    return _align.numeric(_columns(names, tables, maps), "the chosen columns")


def _columns(names: list[str], tables: list[pd.DataFrame], maps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    found = {name: next((t[name] for t in tables if name in t.columns), None) for name in names}
    missing = [name for name, column in found.items() if column is None]
    if missing:
        have = [c for t in tables for c in t.columns] + list(maps)
        guess = meant(missing[0], have)
        raise KeyError(
            f"Not found in features, obs or embeddings: {some(missing)}.{guess} There are: {some(have, 20)}."
        )
    return pd.DataFrame(found, index=tables[-1].index.copy())
