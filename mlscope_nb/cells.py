"""Cells: observations, images, masks, features and maps that always stay aligned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from mlscope_nb import _align
from mlscope_nb._batches import Batch, batches, fingerprint
from mlscope_nb._design import Columns, declare
from mlscope_nb._lazy import take
from mlscope_nb._numbers import numbers_of
from mlscope_nb._observed import Observed
from mlscope_nb._query import holds

if TYPE_CHECKING:
    from anndata import AnnData


class Cells(Observed):
    """Single cells with everything known about them, one row each.

    Nothing is changed in place: every method returns new `Cells`, and copies are the cells themselves.

    Parameters
    ----------
    obs : DataFrame
        One row per cell; the index (or a column ``cell_id``) holds unique ids.
    images : array (N, C, Y, X), optional
        Crops: numpy, zarr or dask. None for tables of profiles.
    masks : integer array (N, Y, X), optional
        0 background, 1 this cell, 2 and more other cells.
    compartments : dict of integer arrays (N, Y, X), optional
        Parts of the cell by name ("nucleus", "cytoplasm"), coded as masks are.
    features : DataFrame, optional
        Numbers per cell, with CellProfiler's names where they exist; may hold NaN.
    embeddings : dict of DataFrames, optional
        Maps by name, columns x and y.
    channels : sequence of str, optional
        Names of the C channels.
    pixel_size_um : float, optional
        Micrometres per pixel.
    label, treatment : str, optional
        Columns of `obs`: what is predicted, what was done.
    unit, batch : str or several, optional
        Columns of `obs` that name the unit of independence and the batch.
    control : str or dict, optional
        A boolean column, or ``{column: value(s)}``.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something does not fit, with the ids or columns named.

    Examples
    --------
    >>> import numpy as np
    >>> obs = pd.DataFrame({"well": ["A01", "A02"]}, index=["a", "b"])
    >>> cells = Cells(obs, np.zeros((2, 1, 8, 8), "uint16"), channels=["DNA"], unit="well")
    >>> len(cells), cells.design.unit
    (2, ('well',))
    """

    __slots__ = (
        "_embeddings", "_features", "_history", "_obs", "channels", "compartments", "design", "images", "masks",
        "pixel_size_um",
    )  # fmt: skip
    _instead: ClassVar[str] = "with_obs, with_features, subset, …"

    _features: pd.DataFrame | None
    _embeddings: dict[str, pd.DataFrame]
    channels: tuple[str, ...]
    compartments: Mapping[str, Any]
    images: Any
    masks: Any
    pixel_size_um: float | None

    def __init__(
        self,
        obs: pd.DataFrame,
        images: Any = None,
        *,
        masks: Any = None,
        compartments: Mapping[str, Any] | None = None,
        features: pd.DataFrame | None = None,
        embeddings: Mapping[str, pd.DataFrame] | None = None,
        channels: Sequence[str] | None = None,
        pixel_size_um: float | None = None,
        label: str | None = None,
        unit: Columns = None,
        batch: Columns = None,
        control: str | Mapping[str, Any] | None = None,
        treatment: str | None = None,
        history: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        table = _align.identified(obs, "cell_id")
        n, ids = len(table), table.index
        images = None if images is None else _align.images_array(images, ids)
        shape = None if images is None else tuple(images.shape)
        self._fill(
            _obs=table,
            images=images,
            masks=None if masks is None else _align.masks_array(masks, shape, n),
            compartments=_align.compartment_arrays(compartments, shape, n),
            _features=None if features is None else _align.numbers(features, ids, "features"),
            _embeddings={k: _map(k, v, ids) for k, v in (embeddings or {}).items()},
            channels=_align.channel_names(channels, None if shape is None else shape[1]),
            pixel_size_um=_align.pixel_size(pixel_size_um),
            design=declare(table, label=label, unit=unit, batch=batch, control=control, treatment=treatment),
            _history=history,
        )

    @property
    def features(self) -> pd.DataFrame | None:
        """The features (read-only numbers), or None."""
        return None if self._features is None else _align.shown(self._features)

    @property
    def embeddings(self) -> dict[str, pd.DataFrame]:
        """The maps by name (read-only numbers)."""
        return {name: _align.shown(table) for name, table in self._embeddings.items()}

    @property
    def fingerprint(self) -> str:
        """A short hash of ids, image layout and a sample of pixels: changes when the data change."""
        return fingerprint(self)

    def batches(self, size: int = 1000) -> Iterator[Batch]:
        """Yield the cells a few at a time, in order: the one way in which images are read for computing."""
        return batches(self, size)

    def table(self, x: str | Sequence[str] | pd.DataFrame | None = None) -> pd.DataFrame:
        """Return numbers per cell: the features, a map by name, or chosen columns of features and obs."""
        return numbers_of(x, self._obs, self._features, self._embeddings)

    def subset(self, ids: Any) -> Cells:
        """Return the cells with these ids in this order (or where a mask, one True or False per cell, is True)."""
        rows = _align.positions(ids, self.ids)
        return self._copy(
            _obs=self._obs.iloc[rows],
            images=None if self.images is None else take(self.images, rows),
            masks=None if self.masks is None else take(self.masks, rows),
            compartments={k: take(v, rows) for k, v in self.compartments.items()},
            _features=None if self._features is None else _align.rows_of(self._features, rows),
            _embeddings={k: _align.rows_of(v, rows) for k, v in self._embeddings.items()},
            _history=self._after("subset", n=len(rows), n_before=len(self)),
        )

    def where(self, query: str) -> Cells:
        """Return the cells for which a condition on obs or features holds, as in ``"plate == 'p1' and area > 50"``."""
        frame = self._obs if self._features is None else self._obs.join(self._features, rsuffix="_feature")
        return self.subset(holds(frame, query))

    def with_features(self, table: pd.DataFrame, *, add: bool = False) -> Cells:
        """Return the cells with these features; ``add=True`` keeps the others beside them."""
        new = _align.numbers(table, self.ids, "features")
        if add and self._features is not None:
            kept = self._features.drop(columns=[c for c in new.columns if c in self._features.columns])
            new = _align.numeric(pd.concat([kept, new], axis=1), "features")
        return self._copy(_features=new, _history=self._after("with_features", table, n_features=new.shape[1]))

    def with_images(self, images: Any | None, *, channels: Sequence[str] | None = None) -> Cells:
        """Return the cells with other images (N, C, Y, X) and the same features; None: without images and masks."""
        if images is None:
            return self._copy(images=None, masks=None, compartments={})
        images = _align.images_array(images, self.ids)
        shape = tuple(images.shape)
        if channels is None and shape[1] == len(self.channels):
            channels = self.channels
        return self._copy(
            images=images,
            masks=None if self.masks is None else _align.masks_array(self.masks, shape, len(self)),
            compartments=_align.compartment_arrays(self.compartments, shape, len(self)),
            channels=_align.channel_names(channels, shape[1]),
            _history=self._after("with_images"),
        )

    def with_masks(self, masks: Any, compartments: Mapping[str, Any] | None = None) -> Cells:
        """Return the cells with masks (N, Y, X), and compartments by name if given."""
        shape = None if self.images is None else tuple(self.images.shape)
        return self._copy(
            masks=_align.masks_array(masks, shape, len(self)),
            compartments=self.compartments
            if compartments is None
            else _align.compartment_arrays(compartments, shape, len(self)),
            _history=self._after("with_masks"),
        )

    def with_embedding(self, name: str, table: pd.DataFrame) -> Cells:
        """Return the cells with a map (columns x and y) under this name."""
        new = _map(name, table, self.ids)
        history = self._after("with_embedding", table, name=name)
        return self._copy(_embeddings={**self._embeddings, name: new}, _history=history)

    def save(self, path: str | Path) -> Path:
        """Write everything to one file, which is replaced only when all is written."""
        from mlscope_nb._store import save

        return save(self, path)

    def to_anndata(self, *, images: bool = True) -> AnnData:
        """Return an AnnData: features in X, maps in obsm, images and design kept so that nothing is lost."""
        from mlscope_nb._anndata import to_anndata

        return to_anndata(self, images=images)

    @classmethod
    def from_anndata(cls, adata: AnnData) -> Cells:
        """Make cells from an AnnData, with images and design if mlscope wrote it."""
        from mlscope_nb._anndata import from_anndata

        return from_anndata(adata)

    def __repr__(self) -> str:
        from mlscope_nb._summary import describe_cells

        return describe_cells(self)

    def _repr_html_(self) -> str:
        from mlscope_nb._summary import cells_html

        return cells_html(self)


def _map(name: str, table: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    return _align.numbers(table, ids, f"embedding '{_align.part_name(name, 'embedding')}'")


def load(path: str | Path) -> Cells:
    """Read cells that were written with ``cells.save``; images are read from the file as they are needed.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not one of mlscope's, is damaged, or is of a newer version.
    """
    from mlscope_nb._store import load as read

    return read(path)


def table(x: Cells | pd.DataFrame) -> pd.DataFrame:
    """Return the table of numbers behind `x`: the features of cells, or a DataFrame of numbers.

    Examples
    --------
    >>> table(pd.DataFrame({"area": [1, 2]}, index=["a", "b"])).dtypes["area"]
    dtype('float64')
    """
    if isinstance(x, Cells):
        return x.table()
    if not isinstance(x, pd.DataFrame):
        raise TypeError(f"Expected Cells or a DataFrame with one row per cell, found {type(x).__name__}.")
    return _align.numeric(x, "the table")
