"""Layers for napari: images, masks and points as (data, options, kind), which is what readers hand to its viewer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._pictures import channel_colours, contrast_limits
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

Kind = Literal["image", "labels", "points"]
Layer = tuple[Any, dict[str, Any], Kind]


def napari_layers(
    fields_or_cells: Fields | Cells, ids: Iterable[str] | None = None, *, cells: Cells | None = None
) -> list[Layer]:
    """Return layers that napari shows: one image for each channel, one for each kind of mask, points for cells.

    ``for data, options, kind in layers: viewer._add_layer_from_data(data, options, kind)`` shows them, or
    ``getattr(viewer, f"add_{kind}")(data, **options)``; napari itself is not needed to make them.

    Parameters
    ----------
    fields_or_cells : Fields or Cells
        Fields of one size lie on one axis to scroll along; so do the crops of cells.
    ids : iterable of str, optional
        Which fields or cells; by default all. They are read into memory.
    cells : Cells, optional
        Cells of these fields: a point at the middle of each, with the columns of `obs` as its features.

    Returns
    -------
    list of (data, options, kind)
        data (n, Y, X), or (Y, X) for one field; points (n, 3) or (n, 2). kind is "image", "labels" or "points".

    Raises
    ------
    ValueError
        There are no images, or fields are not of one size.
    KeyError
        An id is not there, or cells do not say in which field they lie.

    Examples
    --------
    >>> fields = Fields(pd.DataFrame(index=["f1"]), [np.zeros((2, 9, 12), "uint16")], channels=["DNA", "actin"])
    >>> [(data.shape, options["name"], kind) for data, options, kind in napari_layers(fields)]
    [((9, 12), 'DNA', 'image'), ((9, 12), 'actin', 'image')]

    Source: the reader contributions of npe2 (https://napari.org); checked with napari's layers.
    """
    if fields_or_cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to look at them.")
    chosen = fields_or_cells if ids is None else fields_or_cells.subset(list(ids))
    if isinstance(chosen, Cells):
        return _image_layers(chosen, chosen.images, _masks_of_cells(chosen))
    _refuse_sizes(chosen)
    images = _stacked(list(chosen.images))
    named = {} if chosen.masks is None else {"masks": _stacked(list(chosen.masks))}
    named |= {name: _stacked(list(part)) for name, part in chosen.compartments.items()}
    layers = _image_layers(chosen, images, named)
    return layers if cells is None else [*layers, _points(chosen, cells)]


def _image_layers(source: Fields | Cells, images: Any, masks: dict[str, Any]) -> list[Layer]:
    """Return the layers of images (…, C, Y, X) and of masks (…, Y, X)."""
    limits, colours = contrast_limits(source), channel_colours(source.channels)
    layers: list[Layer] = []
    for i, (name, colour) in enumerate(zip(source.channels, colours, strict=True)):
        plane = images[..., i, :, :]
        shown = {
            "name": name,
            "colormap": colour,
            "contrast_limits": [float(v) for v in limits[i]],
            "blending": "additive",
        }
        layers.append((plane, {**shown, **_common(source, plane.ndim)}, "image"))
    for name, mask in masks.items():
        layers.append((_integers(mask), {"name": name, "opacity": 0.4, **_common(source, mask.ndim)}, "labels"))
    return layers


def _common(source: Fields | Cells, n_axes: int) -> dict[str, Any]:
    """Return the scale in micrometres and, for what lies on one axis, the ids in order."""
    pixel = source.pixel_size_um
    scale = {} if pixel is None else {"scale": [*([1.0] * (n_axes - 2)), pixel, pixel]}
    return {**scale, "metadata": {"ids": list(source.ids), "pixel_size_um": pixel}}


def _masks_of_cells(cells: Cells) -> dict[str, Any]:
    masks = {} if cells.masks is None else {"masks": cells.masks}
    return {**masks, **cells.compartments}


def _points(fields: Fields, cells: Cells) -> Layer:
    obs = cells.obs
    missing = [name for name in ("field_id", "y_px", "x_px") if name not in obs.columns]
    if missing:
        raise KeyError(f"Cells without {some(missing)} have no place in a field. Cut them from fields with ms.io.crop.")
    known = fields.ids.get_indexer(pd.Index(obs["field_id"].astype(str)))
    obs = obs[known >= 0]
    places = obs[["y_px", "x_px"]].to_numpy(dtype=float)
    if len(fields) > 1:
        places = np.column_stack([known[known >= 0].astype(float), places])
    features = obs.reset_index()
    return places, {"name": "cells", "features": features, "size": 8, **_common(fields, places.shape[1])}, "points"


def _refuse_sizes(fields: Fields) -> None:
    sizes = {shape[-2:] for shape in fields.images.shapes}
    if len(sizes) > 1:
        raise ValueError(
            f"Fields of {len(sizes)} sizes cannot lie on one axis: {some(sorted(sizes), 3)}. Choose fields of one size "
            "with ids=[…], or one at a time."
        )
    if not sizes:
        raise ValueError("There are no fields to show. Choose some with ids=[…].")


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)


def _integers(mask: Any) -> Any:
    return mask if np.dtype(mask.dtype).kind in "ui" else np.asarray(mask).astype(np.uint8)
