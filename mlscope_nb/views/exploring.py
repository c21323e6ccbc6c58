"""Opening the workbench: a map and a gallery over the same cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.views._autosave import Autosave
from mlscope_nb.views._crops import Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._order import TABLE
from mlscope_nb.views.map import Embedding
from mlscope_nb.views.mapview import MOST_CATEGORIES
from mlscope_nb.views.workbench import Workbench


def explore(
    cells: Cells,
    embedding: Embedding = "umap",
    autosave: Autosave = None,
    *,
    colour: str | None = None,
    label: str | None = None,
    colours: Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
    channel_colours: Mapping[str, str] | None = None,
    contrast: Contrast | None = None,
    select: Iterable[str] | pd.Series | None = None,
    keys: Iterable[str] = (),
    sort: str = TABLE,
    seed: int = 0,
) -> Workbench:
    """Open a map and a gallery over the same cells: draw around points, see the cells, name them.

    Every view of the same cells shares one selection. Labels are written to disk as they are given.

    Parameters
    ----------
    cells : Cells
        With features or maps; images are shown if there are any.
    embedding : str, DataFrame or pair of str
        A map by name, a table with columns x and y, or two columns. A UMAP that is not there yet is computed
        while PCA is shown; of more than 100,000 cells, that of 20,000 drawn at random, on which the others are placed
        (``ms.explore.sampled_map``).
    autosave : path or False, optional
        File of the labels; by default ``mlscope_work`` beside the notebook. False keeps them in memory only.
    colour : str, optional
        Column of obs or features; the declared label or batch by default, "" for one colour.
    label : str, optional
        Name of the column of the labels given here: "label", or "my_label" where the cells have a column "label"
        that was not given here.
    colours : mapping, optional
        Category to "#rrggbb".
    channels, channel_colours, contrast
        As `channels`, `colours` and `contrast` of `gallery`.
    select : iterable of str or boolean Series, optional
        Cells to begin with.
    keys : iterable of str
        Labels on the number keys 1 to 9; labels that are given are added.
    sort : str
        Order of the gallery, as in `gallery`.
    seed : int
        For maps computed here.

    Returns
    -------
    Workbench
        With ``selected``, ``labels``, ``select(ids)``, ``assign(name)``, ``undo()``, ``redo()``, ``save(path)``,
        ``load(path)``.

    Raises
    ------
    TypeError
        Not Cells but fields or a table.
    ValueError, KeyError
        There is nothing to draw a map from, or a name is not known.

    Examples
    --------
    >>> obs = pd.DataFrame({"x": [0.0, 1, 2], "y": [1.0, 0, 1]}, index=list("abc"))
    >>> w = explore(Cells(obs), ("x", "y"), autosave=False)
    >>> w.select(["c", "a"]).assign("round").labels.tolist()
    ['round', nan, 'round']
    """
    refuse_other_than_cells(cells)
    if label is not None and not str(label).strip():
        raise ValueError("The column of the labels has no name. Name it, for example label='phenotype'.")
    if not len(cells):
        raise ValueError("There are no cells to show: 0 rows.")
    crops = None
    if cells.images is not None:
        crops = Crops(cells, channels=channels, colours=channel_colours, contrast=contrast)
    workbench = Workbench(
        cells,
        embedding,
        _first_colour(cells) if colour is None else colour,
        autosave=autosave,
        label=label,
        colours=colours,
        crops=crops,
        seed=seed,
        keys=[keys] if isinstance(keys, str) else keys,
        sort=sort,
        _wide_rows=3,
        _height=330,
    )
    if select is not None:
        workbench.select(select if isinstance(select, str | pd.Series) else list(select))
    return workbench


def _first_colour(cells: Cells) -> str:
    named = [cells.design.label, *cells.design.batch, *cells.design.unit]
    return next((n for n in named if n is not None and cells.obs[n].nunique() <= MOST_CATEGORIES), "")
