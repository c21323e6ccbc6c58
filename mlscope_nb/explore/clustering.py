"""A clustering: labels, how far to trust them, and the way to find the clusters again in new cells."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb._align import step, text_index
from mlscope_nb._words import count
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.grouping import GroupSpace
from mlscope_nb.explore.partitions import NOISE, PartitionStability, nearest
from mlscope_nb.explore.prototypes import prototypes
from mlscope_nb.explore.recognition import Recognition, as_table
from mlscope_nb.explore.spread import by_group
from mlscope_nb.explore.structures import Structure
from mlscope_nb.study._result import plain


@dataclass(frozen=True, eq=False)
class Clustering:
    """Groups of cells.

    Parameters
    ----------
    labels : Series (N,)
        The cluster of each cell as a number, 0 the largest; -1 is none (HDBSCAN). One group: all 0.
    stability : float
        Mean adjusted Rand index over bootstrap draws of units; NaN for one group.
    clusters : DataFrame
        One row per cluster: n, share, stability, spread over units and batches, note.
    structure : Structure or None
        The question whether there is more than one group; None where the number was given.
    method, of, on : str
        How, of what, and in which space.
    stability_details : PartitionStability or None
        The draws behind `stability`.
    """

    labels: pd.Series
    stability: float
    clusters: pd.DataFrame
    structure: Structure | None
    method: str
    of: str
    on: str
    stability_details: PartitionStability | None
    space: GroupSpace = field(repr=False)
    centres: NDArray[np.float64] = field(repr=False)
    recognition: Recognition = field(repr=False)

    @property
    def n_clusters(self) -> int:
        """How many groups there are."""
        return len(self.clusters)

    def to_obs(self, names: dict[int, str] | None = None) -> pd.Series:
        """Return the labels as text for ``cells.with_obs``: "cluster 1", … or your names; missing where there is none.

        Parameters
        ----------
        names : dict, optional
            Number of a cluster → its name; others keep theirs.

        Raises
        ------
        KeyError
            A name is given to a cluster that does not exist.
        """
        found = pd.Series(self._named(self.labels.to_numpy(), names or {}), index=self.labels.index, name="cluster")
        found.attrs = dict(self.labels.attrs)
        return found

    def over(self, cells: Cells, by: str = "batch") -> pd.DataFrame:
        """Return which share of the cells of each batch or unit each cluster holds."""
        keys = cells.batches_of if by == "batch" else cells.units if by == "unit" else cells.obs[by]
        return by_group(keys, self.labels)

    def prototypes(self, cells: Cells | pd.DataFrame, n: int = 6) -> pd.DataFrame:
        """Return the most typical and the most atypical members of each cluster; see `prototypes`."""
        return prototypes(cells, self.to_obs(), n)

    def assign(self, new_cells: Cells | pd.DataFrame) -> pd.DataFrame:
        """Find the clusters again in new cells.

        A cell goes to the cluster with the nearest centre in the space of the clustering. Its distance is measured in
        all principal components and in what they cannot show, in deviations of that cluster; where it is larger than
        for 99 % of the cells of units that were left out in turn, the cell is called unlike anything seen. New batches
        are put on the median of their own units, which takes units of like composition for granted.

        Parameters
        ----------
        new_cells : Cells or DataFrame (M, P)
            With the same features, on the same scale or normalised in the same way.

        Returns
        -------
        DataFrame (M, 3)
            cluster (number), distance (in deviations), unlike_anything_seen.

        Raises
        ------
        KeyError
            A feature is missing.
        ValueError
            The clustering used batches or units, and the new cells have none.
        """
        if self.on != "features":
            raise ValueError("Clusters of a map cannot be found in new cells: they have no place on it. Use features.")
        points, wide = self.space.place(new_cells)
        codes = nearest(points, self.centres)
        distance = self.recognition.distance(wide, codes)
        ids = text_index(table(new_cells).index, "cell_id")
        found = as_table(ids, codes, distance, self.recognition.threshold)
        found.attrs["history"] = [*self.labels.attrs["history"], step("assign", n=len(found))]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as plain numbers and text."""
        return {
            "n_clusters": self.n_clusters,
            "stability": plain(float(self.stability)),
            "method": self.method,
            "of": self.of,
            "on": self.on,
            "clusters": plain(self.clusters),
            "structure": None if self.structure is None else self.structure.to_dict(),
        }

    def __str__(self) -> str:
        parts = []
        if self.structure is not None:
            parts.append(str(self.structure))
        if self.n_clusters > 1:
            none = int((self.labels == NOISE).sum())
            left = f", {count(none, 'cell')} in none" if none else ""
            parts.append(f"{self.n_clusters} clusters of {count(len(self.labels), 'cell')} ({self.method}){left}.")
            if math.isfinite(self.stability):
                parts.append(str(self.stability_details))
        else:
            parts.append("All cells are one cluster.")
        return " ".join([*parts, *(note for note in self.clusters["note"] if note)])

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.clusters.to_html(float_format='{:.2f}'.format, escape=True)}"

    def _named(self, codes: NDArray[np.int64], names: dict[int, str]) -> list[str | None]:
        unknown = [k for k in names if k not in self.clusters.index]
        if unknown:
            raise KeyError(f"No cluster {unknown[0]!r}. There are 0 to {self.n_clusters - 1}.")
        text = {k: names.get(k, f"cluster {k + 1}") for k in self.clusters.index}
        return [text.get(int(k)) for k in codes]
