"""New cells on a map that exists already, which stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._align import aligned, numeric, text_index
from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.fuzzy_graph import memberships, smoothed
from mlscope_nb.explore.layout import Schedule, optimised
from mlscope_nb.explore.map_trust import named_map
from mlscope_nb.explore.nearest import nearest
from mlscope_nb.explore.preparation import Components, Scale, components, scaled
from mlscope_nb.explore.umap_map import LAYOUT_OPTIONS, curve_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["auto", "linear", "umap", "neighbours"]
MAPS = {"pca": "linear", "umap": "umap"}


def project(
    new: Cells | pd.DataFrame,
    reference: Cells | pd.DataFrame,
    onto: str | pd.DataFrame = "umap",
    *,
    method: Method = "auto",
    seed: int = 0,
) -> pd.DataFrame:
    """Place new cells on the map of other cells, which does not move.

    New cells are scaled with the reference's medians, means and deviations. What a projection cannot show is that a
    cell is unlike all of the reference: it lands near somebody all the same. The column ``remoteness`` says it.

    Parameters
    ----------
    new : Cells or DataFrame (M, P)
        The cells to place; they need the features that the reference has.
    reference : Cells or DataFrame (N, P)
        The cells that the map was made of.
    onto : str or DataFrame (N, 2)
        The map, or its name among those of the reference.
    method : {"auto", "linear", "umap", "neighbours"}
        "linear": along the directions of a PCA map, exact. "umap": as umap-learn's ``transform`` does, from the
        weighted mean of the nearest reference cells, then moved by UMAP's forces while the reference stays fixed.
        "neighbours": that weighted mean and nothing more. "auto": what the history of the map asks for, and
        "neighbours" where it is t-SNE, PaCMAP, or unknown.
    seed : int
        For UMAP's random forces.

    Returns
    -------
    DataFrame (M, 3)
        Columns x, y and remoteness, by cell id in input order: the mean distance to the nearest reference cells, over
        what it is for a typical (median) reference cell. Around 1: the map knows such cells. 2 and more: it does not.

    Raises
    ------
    ValueError
        A PCA map is not of these reference cells, the map lacks cells, or there are too few.
    KeyError
        There is no such map, or the new cells lack features.

    References
    ----------
    McInnes, Healy, Melville 2018, arXiv 1802.03426; the UMAP placement follows umap-learn's ``UMAP.transform``.

    Examples
    --------
    >>> from mlscope_nb.explore import pca
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)))
    >>> placed = project(numbers[:4], numbers, onto=pca(numbers))
    >>> bool(np.allclose(placed[["x", "y"]], pca(numbers)[:4]))
    True
    """
    if method not in ("auto", "linear", "umap", "neighbours"):
        raise ValueError(f"method is {method!r}, expected 'auto', 'linear', 'umap' or 'neighbours'.")
    known = Known.of(reference, onto, method)
    result = known.place(table(new), seed)
    onto_name = onto if isinstance(onto, str) else str(known.made.get("step", "a map"))
    step = {"step": "project", "onto": onto_name, "method": known.how, "n_neighbors": known.k, "seed": seed}
    result.attrs["history"] = [step]
    return result


@dataclass(frozen=True, eq=False)
class Known:
    """A map and the cells that it was made of, ready for new ones.

    Parameters
    ----------
    scale, axes : Scale, Components
        How new cells become comparable.
    scores : array (N, n)
        The components of the cells that are on the map.
    places : array (N, 2)
        Where they are.
    made : mapping
        The step of the history that made the map.
    how : "linear", "umap" or "neighbours"
    k : int
        How many neighbours are looked at.
    typical : float
        The mean distance of a median cell to its neighbours.
    """

    scale: Scale
    axes: Components
    scores: NDArray[np.float64]
    places: NDArray[np.float64]
    made: Mapping[str, Any]
    how: str
    k: int
    typical: float

    @classmethod
    def of(cls, reference: Cells | pd.DataFrame, onto: str | pd.DataFrame, method: Method) -> Known:
        """Prepare the map of these cells."""
        numbers = table(reference)
        numbers = numbers.set_axis(text_index(numbers.index, "cell_id"), axis=0)
        made = _made_with(onto, reference)
        given = named_map(reference, onto) if isinstance(onto, str) else onto
        places = numeric(aligned(given, numbers.index, "the map"), "the map")[["x", "y"]].to_numpy()
        how = MAPS.get(str(made.get("step")), "neighbours") if method == "auto" else method
        values, scale = scaled(numbers)
        k = min(int(made.get("n_neighbors", 15)), len(values))
        scores, axes = components(values, int(made.get("n_components", 50)), int(made.get("seed") or 0))
        typical = float(np.median(nearest(scores, min(k + 1, len(scores)))[1][:, 1:].mean(axis=1)))
        return cls(scale, axes, scores, places, made, how, k, typical)

    def place(self, numbers: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Return x, y and remoteness of new cells."""
        mine = self.axes.apply(self.scale.apply(numbers))
        indices, distances = nearest(mine, self.k, among=self.scores)
        if self.how == "linear":
            xy = _linear(mine, self.scores, self.places)
        else:
            xy = _placed(indices, distances, self.places, self.made, self.how, seed)
        result = pd.DataFrame(xy, index=numbers.index, columns=["x", "y"])
        result["remoteness"] = distances.mean(axis=1) / max(self.typical, 1e-12)
        return result


def _made_with(onto: str | pd.DataFrame, reference: Cells | pd.DataFrame) -> Mapping[str, Any]:
    """Return the step of the history that made the map; nothing where that is not known."""
    if isinstance(onto, pd.DataFrame):
        steps: Sequence[Mapping[str, Any]] = onto.attrs.get("history", ())
        return steps[-1] if steps else {}
    steps = reference.history if isinstance(reference, Cells) else ()
    named = [i for i, step in enumerate(steps) if step["step"] == "with_embedding" and step.get("name") == onto]
    before = steps[named[-1] - 1] if named and named[-1] else {}
    return before if before.get("step") in ("pca", "umap", "tsne", "pacmap") else {}


def _linear(mine: NDArray[np.float64], scores: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    two, ours = (np.pad(x[:, :2], ((0, 0), (0, max(0, 2 - x.shape[1])))) for x in (scores, mine))
    if not np.allclose(two, places, atol=1e-6 * max(float(np.abs(two).max()), 1e-12)):
        raise ValueError(
            "The map is not the PCA map of these reference cells. Give the cells that it was made of, with the same "
            "features, or method='neighbours'."
        )
    return ours


def _placed(
    indices: NDArray[np.int64],
    distances: NDArray[np.float64],
    places: NDArray[np.float64],
    made: Mapping[str, Any],
    how: str,
    seed: int,
) -> NDArray[Any]:
    """Return the weighted means of the neighbours' places, moved on by UMAP's forces where that is the method."""
    from scipy.sparse import csr_array

    m, k = indices.shape
    connected = max(0.0, float(made.get("local_connectivity", 1.0)) - 1.0)
    scale, closest = smoothed(distances, float(k), connected)
    strength = memberships(distances, scale, closest)
    start = np.einsum("ij,ijd->id", strength / strength.sum(axis=1, keepdims=True), places[indices])
    same = strength == 1  # a cell of the reference keeps its place
    start[same.any(axis=1)] = places[indices[same.any(axis=1), same[same.any(axis=1)].argmax(axis=1)]]
    if how != "umap":
        return start
    curve = curve_of(float(made.get("min_dist", 0.1)), **{x: made[x] for x in ("spread", "a", "b") if x in made})
    epochs = made.get("n_epochs")
    epochs = (100 if m <= 10_000 else 30) if epochs is None else max(1, int(epochs) // 3)
    rates = {x: made[x] for x in LAYOUT_OPTIONS if x in made}
    schedule = Schedule(epochs, curve, **{**rates, "learning_rate": rates.get("learning_rate", 1.0) / 4})
    graph = csr_array((strength.ravel(), (np.repeat(np.arange(m), k), indices.ravel())), shape=(m, len(places)))
    state = np.random.default_rng(seed).integers(-(2**31) + 1, 2**31 - 1, 3)
    return optimised(start, graph, schedule, state, fixed=places.astype(np.float32))
