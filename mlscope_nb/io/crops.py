"""From fields to cells: one window per object, neighbours kept and marked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields, Stack

MAX_CODE = 255
WRITTEN = ("field_id", "object", "y_px", "x_px", "at_edge", "clipped", "padded")


def crop(fields: Fields, size: int = 64) -> Cells:
    """Cut a square window around every object of segmented fields.

    The window is centred on the object's centre. In the mask 1 is this object and 2, 3, … are its neighbours. Beyond
    the edge of a field the window is filled with that field's median background.

    Parameters
    ----------
    fields : Fields
        With masks; compartments are cut too.
    size : int
        Width and height of the windows in pixels, even.

    Returns
    -------
    Cells
        ``obs`` holds ``field_id``, ``object`` (its number in the field's mask), ``y_px``, ``x_px`` (centre),
        ``at_edge`` (the object touches the edge of the field), ``clipped`` (it is larger than the window), ``padded``
        (the window reaches beyond the field), and the columns of ``fields.obs``. Ids are ``field_id`` + number.

    Raises
    ------
    ValueError
        A column of ``fields.obs`` has a name that crop writes, the fields have no masks, no field holds an object, or
        size is not an even number of at least 8.

    Examples
    --------
    >>> mask = np.zeros((40, 40), int); mask[10:20, 10:20] = 1
    >>> fields = Fields(pd.DataFrame(index=["f1"]), [np.ones((1, 40, 40))], [mask])
    >>> crop(fields, size=16).obs[["y_px", "x_px"]].values.tolist()
    [[14.5, 14.5]]
    """
    if fields.masks is None:
        raise ValueError("These fields are not segmented. Run ms.io.segment(fields) first, or read them with masks.")
    if size < 8 or size % 2:
        raise ValueError(f"size is {size}, expected an even number of at least 8 pixels.")
    refuse_written(fields.obs)
    parts = list(_cropped(fields, fields.masks, size))
    if not parts:
        raise ValueError(
            f"No objects in any of {len(fields)} fields. Look at the masks, or segment with other settings."
        )
    obs = pd.concat([p["obs"] for p in parts])
    obs = obs.join(fields.obs, on="field_id")
    design = fields.design
    return Cells(
        obs,
        np.concatenate([p["images"] for p in parts]),
        masks=np.concatenate([p["masks"] for p in parts]),
        compartments={k: np.concatenate([p["compartments"][k] for p in parts]) for k in fields.compartments},
        channels=fields.channels,
        pixel_size_um=fields.pixel_size_um,
        label=design.label,
        unit=design.unit or None,
        batch=design.batch or None,
        control=design.control,
        treatment=design.treatment,
        history=[*fields.history, {"step": "crop", "size": size, "n": len(obs)}],
    )


def refuse_written(obs: pd.DataFrame) -> None:
    """Refuse what is known about fields where a column has a name that `crop` writes.

    Raises
    ------
    ValueError
        With the names.
    """
    clash = [c for c in obs.columns if c in WRITTEN]
    if clash:
        raise ValueError(
            f"The fields' obs has columns that crop writes itself: {some(clash)}. Give them other names, for example "
            f"'field_{clash[0]}', in the table that the fields are read with."
        )


def _cropped(fields: Fields, masks: Stack, size: int) -> Iterator[dict[str, Any]]:
    for i, name in enumerate(tqdm(fields.ids, desc="Cropping cells", unit="field", delay=2, leave=False)):
        mask = np.asarray(masks[i])
        compartments = {k: np.asarray(v[i]) for k, v in fields.compartments.items()}
        part = _crop_field(str(name), np.asarray(fields.images[i]), mask, compartments, size)
        if part is not None:
            yield part


def _crop_field(
    name: str, image: np.ndarray, mask: np.ndarray, compartments: dict[str, np.ndarray], size: int
) -> dict[str, Any] | None:
    labels = np.unique(mask[mask > 0])
    if not len(labels):
        return None
    boxes = ndimage.find_objects(np.searchsorted(np.append(0, labels), mask))
    centres = np.array(ndimage.center_of_mass(mask > 0, mask, labels)).reshape(-1, 2)
    tops = np.floor(centres + 0.5).astype(int) - size // 2
    codes = _neighbour_codes(_windows(mask[None], tops, size, [0])[:, 0], labels)
    limits = np.array([[[s.start, s.stop] for s in box] for box in boxes])
    first, last, end = limits[..., 0], limits[..., 1], np.array(mask.shape)
    known = {
        "field_id": name,
        "object": labels,
        "y_px": centres[:, 0],
        "x_px": centres[:, 1],
        "at_edge": ((first == 0) | (last == end)).any(axis=1),
        "clipped": ((first < tops) | (last > tops + size)).any(axis=1),
        "padded": ((tops < 0) | (tops + size > end)).any(axis=1),
    }
    return {
        "obs": pd.DataFrame(known, index=pd.Index([f"{name}-{k:04d}" for k in labels], dtype=object, name="cell_id")),
        "images": _windows(image, tops, size, _background(image, mask)),
        "masks": codes,
        "compartments": {
            k: np.where(_windows(v[None], tops, size, [0])[:, 0] > 0, codes, 0).astype(np.uint8)
            for k, v in compartments.items()
        },
    }


def _windows(image: np.ndarray, tops: np.ndarray, size: int, fill: Any) -> np.ndarray:
    """Cut windows (n, C, size, size) with their top left corners at `tops`, filled with `fill` beyond the image."""
    channels, height, width = image.shape
    result = np.empty((len(tops), channels, size, size), image.dtype)
    result[:] = np.asarray(fill, dtype=image.dtype)[None, :, None, None]
    for window, (top, left) in zip(result, tops, strict=True):
        y0, y1, x0, x1 = max(top, 0), min(top + size, height), max(left, 0), min(left + size, width)
        window[:, y0 - top : y1 - top, x0 - left : x1 - left] = image[:, y0:y1, x0:x1]
    return result


def _neighbour_codes(windows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Turn object numbers into 1 for the window's own object and 2, 3, … for the others."""
    codes = np.zeros(windows.shape, np.uint8)
    for window, code, label in zip(windows, codes, labels, strict=True):
        values, inverse = np.unique(window, return_inverse=True)
        others = (values != 0) & (values != label)
        new = np.where(others, np.minimum(1 + np.cumsum(others), MAX_CODE), (values == label).astype(int))
        code[:] = new[inverse].reshape(window.shape)
    return codes


def _background(image: np.ndarray, mask: np.ndarray) -> list[Any]:
    outside = mask == 0
    return [np.median(c[outside] if outside.any() else c) for c in image]
