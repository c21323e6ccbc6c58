"""UMAP: the algorithm of umap-learn on exact neighbours, compiled once on a machine instead of in every session."""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb.cells import Cells, table
from mlscope_nb.explore.fuzzy_graph import fuzzy_graph
from mlscope_nb.explore.layout import Curve, Schedule, fitted_curve, optimised
from mlscope_nb.explore.maps import as_map
from mlscope_nb.explore.nearest import EXACT_UP_TO, approximate, nearest
from mlscope_nb.explore.preparation import components, scaled
from mlscope_nb.features.workers import cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

Engine = Literal["auto", "mlscope", "umap-learn", "cuml"]
GRAPH_OPTIONS = {"set_op_mix_ratio", "local_connectivity"}
LAYOUT_OPTIONS = {"learning_rate", "repulsion_strength", "negative_sample_rate"}
OWN_OPTIONS = GRAPH_OPTIONS | LAYOUT_OPTIONS | {"spread", "a", "b"}
"""Options of umap-learn that need no umap-learn."""
GPU_FROM = 20_000
"""Below this number of cells a graphics processor saves less than loading its libraries takes."""


def umap(
    cells_or_table: Cells | pd.DataFrame,
    seed: int | None = 0,
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    n_components: int = 50,
    n_epochs: int | None = None,
    engine: Engine = "auto",
    **options: Any,
) -> pd.DataFrame:
    """Map cells with UMAP on the leading principal components of their standardised features, starting from PCA.

    The algorithm and its defaults are those of umap-learn, with two differences: neighbours are exact up to 60,000
    cells (above that, umap-learn's own approximate search), and the start is the PCA map. With a seed, one thread
    moves the points, and the map is the same each time; without one (``seed=None``), all cores do.

    Parameters
    ----------
    cells_or_table : Cells or DataFrame (N, P)
        The features; missing values take the median of their column, constant columns are left out.
    seed : int or None
        Same seed, same map (one thread). None: all cores, and a little different each time.
    n_neighbors : int
        How many neighbours each cell is joined to, itself counted; lowered where cells are few.
    min_dist : float
        How tightly points may be packed.
    n_components : int
        How many leading principal components the neighbours are searched in.
    n_epochs : int, optional
        How often points are moved; 500 up to 10,000 cells and 200 above.
    engine : {"auto", "mlscope", "umap-learn", "cuml"}
        Who computes. "auto": mlscope; umap-learn where an option needs it (``metric``, ``densmap``, ``init``, …);
        RAPIDS cuML on a graphics processor where that is installed, there are 20,000 cells or more, and no seed.
    **options
        Further arguments of ``umap.UMAP``.

    Returns
    -------
    DataFrame (N, 2)
        Columns x and y, by cell id; what was done in ``attrs["history"]``.

    Raises
    ------
    ValueError
        Fewer than five cells, no feature that varies, or an engine that cannot do what the options ask for.
    ImportError
        cuML is asked for and not installed.

    References
    ----------
    McInnes, Healy, Melville 2018, arXiv 1802.03426 (umap-learn); for the start from PCA: Kobak & Linderman 2021,
    Nature Biotechnology 39:156.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)))
    >>> umap(numbers, n_epochs=10).shape
    (60, 2)
    """
    numbers = table(cells_or_table)
    if len(numbers) < 5:
        raise ValueError(f"{len(numbers)} cells are too few for UMAP, expected at least 5. Use pca instead.")
    values, scale = scaled(numbers)
    scores = components(values, n_components, seed or 0)[0].astype(np.float32)
    k = min(n_neighbors, len(scores) - 1)
    chosen = _engine(engine, len(scores), seed, set(options))
    settings = {"n_neighbors": k, "min_dist": min_dist, "n_epochs": n_epochs, **options}
    xy = {"mlscope": _own, "umap-learn": _umap_learn, "cuml": _cuml}[chosen](scores, seed, **settings)
    step = {"step": "umap", "seed": seed, **{name: value for name, value in settings.items() if value is not None}}
    made = {"n_components": scores.shape[1], "n_features": len(scale.names), "n_filled": scale.n_filled}
    return as_map(xy, numbers.index, {**step, **made, "engine": chosen})


def _engine(engine: str, n: int, seed: int | None, options: set[str]) -> str:
    foreign = options - OWN_OPTIONS
    if engine == "auto":
        if foreign:
            return "umap-learn"
        gpu = seed is None and n >= GPU_FROM and importlib.util.find_spec("cuml") is not None
        return "cuml" if gpu else "mlscope"
    if engine == "mlscope" and foreign:
        raise ValueError(f"engine='mlscope' has no {sorted(foreign)}. Leave engine out, or say engine='umap-learn'.")
    if engine not in ("mlscope", "umap-learn", "cuml"):
        raise ValueError(f"engine is {engine!r}, expected 'auto', 'mlscope', 'umap-learn' or 'cuml'.")
    return engine


def neighbours_for(scores: NDArray[np.float32], k: int, seed: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the neighbours of each cell as UMAP wants them, itself first: exact where cells are few enough."""
    return nearest(scores, k) if len(scores) <= EXACT_UP_TO else approximate(scores, k, seed)


def start_from(scores: NDArray[np.float32], seed: int | None, *, width: float = 10.0) -> NDArray[np.float32]:
    """Return the PCA map as the beginning of another map: 0 to `width`, with a breath of noise against equal points."""
    two = np.pad(scores[:, :2], ((0, 0), (0, max(0, 2 - scores.shape[1]))))
    two = two / max(float(np.abs(two).max()), 1e-12) * 10
    noisy = two + np.random.default_rng(seed).normal(scale=1e-4, size=two.shape)
    low, high = noisy.min(axis=0), noisy.max(axis=0)
    return (width * (noisy - low) / (high - low)).astype(np.float32)


def curve_of(min_dist: float, *, spread: float = 1.0, a: float | None = None, b: float | None = None) -> Curve:
    """Return the curve that is asked for, or the one that `min_dist` and `spread` mean."""
    if min_dist > spread or min_dist < 0:
        raise ValueError(f"min_dist is {min_dist}, expected 0 to spread ({spread}).")
    return fitted_curve(spread, min_dist) if a is None or b is None else Curve(a, b)


def _own(
    scores: NDArray[np.float32],
    seed: int | None,
    *,
    n_neighbors: int,
    min_dist: float,
    n_epochs: int | None,
    **options: Any,
) -> NDArray[Any]:
    curve = curve_of(min_dist, **{k: v for k, v in options.items() if k in ("spread", "a", "b")})
    epochs = n_epochs if n_epochs is not None else 500 if len(scores) <= 10_000 else 200
    schedule = Schedule(epochs, curve, **{k: v for k, v in options.items() if k in LAYOUT_OPTIONS})
    state = np.random.default_rng(seed).integers(-(2**31) + 1, 2**31 - 1, 3)
    threads = cores() if seed is None else 1
    with tqdm(total=epochs, desc="Mapping cells", unit="epoch", delay=2, leave=False) as bar:
        indices, distances = neighbours_for(scores, n_neighbors, seed)
        bar.update(0)
        graph = fuzzy_graph(indices, distances, **{k: v for k, v in options.items() if k in GRAPH_OPTIONS})
        bar.update(0)
        start = start_from(scores, seed)
        return optimised(start, graph, schedule, state, n_threads=threads, after_epoch=bar.update)


def _umap_learn(scores: NDArray[np.float32], seed: int | None, *, n_neighbors: int, **options: Any) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # umap-learn speaks of Tensorflow, which is not used here
        import umap as umap_learn
    if options.get("metric", "euclidean") == "euclidean" and len(scores) <= EXACT_UP_TO:
        indices, distances = nearest(scores, n_neighbors)
        options.setdefault("precomputed_knn", (indices, distances.astype(np.float32), None))
    options.setdefault("init", start_from(scores, seed))
    model = umap_learn.UMAP(n_neighbors=n_neighbors, random_state=seed, **options)
    with warnings.catch_warnings():
        # umap-learn warns that a seed means one thread and that a given graph cannot place new cells: both are wanted
        warnings.filterwarnings("ignore", module="umap")
        result: NDArray[Any] = model.fit_transform(scores)
    return result


def _cuml(scores: NDArray[np.float32], seed: int | None, *, n_neighbors: int, **options: Any) -> NDArray[Any]:
    if importlib.util.find_spec("cuml") is None:
        raise ImportError(
            "engine='cuml' needs RAPIDS cuML and an NVIDIA graphics processor (Linux). Install it with:\n"
            "    python -m pip install cuml-cu12"
        )
    from cuml.manifold import UMAP

    model = UMAP(n_neighbors=n_neighbors, random_state=seed, **{"init": "spectral", **options})
    return np.asarray(model.fit_transform(scores))
