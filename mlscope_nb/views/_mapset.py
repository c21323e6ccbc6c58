"""The maps of some cells that a view can show: handed in, stored with the cells, or computed from their features."""

from __future__ import annotations

import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.views import _maps
from mlscope_nb.views.map import SHOWN, Axes, Embedding, axes_of


class MapSet:
    """Maps by name, with those that were handed in and have none.

    Parameters
    ----------
    cells : Cells
    seed : int
        Of the maps that are computed.
    """

    def __init__(self, cells: Cells, seed: int) -> None:
        self.cells, self.seed = cells, seed
        self._own: dict[str, Embedding] = {}

    def first(self, embedding: Embedding) -> str:
        """Return the name of the map to begin with; PCA stands in for a UMAP that is not there yet."""
        if not isinstance(embedding, str):
            name = "chosen" if isinstance(embedding, pd.DataFrame) else " and ".join(embedding)
            axes_of(self.cells, embedding)
            self._own[name] = embedding
            return name
        if embedding in self.cells.embeddings:
            return embedding
        if embedding not in _maps.COMPUTED:
            axes_of(self.cells, embedding)
        if _maps.is_ready(self.cells, embedding, self.seed):
            return embedding
        self.compute("pca")
        return "pca"

    def needs_computing(self, name: str) -> bool:
        """Whether a map is one that is computed, and was not yet."""
        return name in _maps.COMPUTED and name not in self.cells.embeddings and not self._computed(name)

    def compute(self, name: str) -> pd.DataFrame:
        """Return a map of the features; one that was computed before is remembered."""
        return _maps.compute(self.cells, name, self.seed)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the maps of cells and features that are at hand."""
        computed = [name for name in _maps.COMPUTED if self._computed(name)]
        return {**{name: self.compute(name) for name in computed}, **self.cells.embeddings}

    def at_hand(self, first: str) -> list[str]:
        """Return the names of the maps that need not be computed, `first` first."""
        computed = [name for name in _maps.COMPUTED if self._computed(name)]
        return list(dict.fromkeys([first, *self._own, *self.cells.embeddings, *computed]))

    def axes(self, name: str) -> Axes:
        """Return where the points of a map lie, and what its axes are called; it is computed where it has to be."""
        if name in self._own:
            return axes_of(self.cells, self._own[name])
        if name in self.cells.embeddings:
            return axes_of(self.cells, name)
        computed = self.compute(name).rename_axis(index=str(self.cells.ids.name))
        return axes_of(self.cells.with_embedding(name, computed), name)

    def choices(self) -> list[dict[str, str]]:
        """Return the maps that can be asked for, as the browser lists them."""
        names = [*self._own, *self.cells.embeddings]
        if self.cells.features is not None:
            names += [name for name in _maps.COMPUTED if name not in names]
        return [{"value": name, "label": SHOWN.get(name, name)} for name in names]

    def _computed(self, name: str) -> bool:
        return self.cells.features is not None and _maps.is_ready(self.cells, name, self.seed)
