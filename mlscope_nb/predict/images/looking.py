"""Looking: a predicted and a true picture on top of each other, and windows of both, to be judged by eye."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields
from mlscope_nb.predict.images.pictures import Pictures
from mlscope_nb.predict.images.scaling import ends, scaled

GREYS = 4095
"""The bright end of each picture that is shown with another one."""


def overlaid(predicted: Fields, truth: Fields, *, channel: str | None = None) -> Fields:
    """Return fields with the true and the predicted picture as two channels, each on its own scale.

    Shown in two colours, what both hold is the sum of the colours, and what is invented or missed has one of them.

    Parameters
    ----------
    predicted, truth : Fields
        The same fields; a part of those of `truth` in any order will do.
    channel : str, optional
        The first of `predicted` by default.

    Returns
    -------
    Fields
        Channels "true DNA" and "predicted DNA" (as the channel is called), 0 to 4,095, without masks.

    Raises
    ------
    KeyError, ValueError
        A channel or a field is missing, or sizes differ.

    Examples
    --------
    >>> one = Fields(pd.DataFrame(index=["f1"]), [np.arange(64.0).reshape(1, 8, 8)], channels=["DNA"])
    >>> overlaid(one, one).channels
    ('true DNA', 'predicted DNA')
    """
    name = predicted.channels[0] if channel is None else channel
    missing = [i for i in predicted.ids if i not in truth.ids]
    if missing:
        raise KeyError(f"The truth lacks {some(missing)}. Give the same fields in both.")
    pair = Pictures(truth.subset(predicted.ids)), Pictures(predicted)
    rows = [part.rows([name]) for part in pair]
    images = [
        np.concatenate([_shown(part.image(i, row)) for part, row in zip(pair, rows, strict=True)])
        for i in range(len(predicted))
    ]
    return Fields(
        pair[0].obs, images, channels=[f"true {name}", f"predicted {name}"], pixel_size_um=truth.pixel_size_um
    )


def windows(fields: Fields, places: pd.DataFrame, *, size: int = 64) -> Cells:
    """Return windows of fields as crops, for the gallery.

    Parameters
    ----------
    fields : Fields
    places : DataFrame
        Columns ``field``, ``y_px`` and ``x_px`` (upper left corner), as in ``Invented.crops``; others are kept.
    size : int
        Side in pixels.

    Returns
    -------
    Cells
        One row per window, named after its index in `places`.

    Raises
    ------
    KeyError, ValueError
        A column or a field is missing, or a window reaches beyond its field.

    Examples
    --------
    >>> one = Fields(pd.DataFrame(index=["f1"]), [np.zeros((1, 80, 80))])
    >>> windows(one, pd.DataFrame({"field": ["f1"], "y_px": [0], "x_px": [16]})).images.shape
    (1, 1, 64, 64)
    """
    for column in ("field", "y_px", "x_px"):
        if column not in places.columns:
            raise KeyError(f"No column '{column}' in places. Columns: {some(places.columns)}.")
    numbers = pd.Series(range(len(fields)), index=fields.ids)
    unknown = [str(i) for i in places["field"].unique() if i not in numbers.index]
    if unknown:
        raise KeyError(f"No field {some(unknown)}. Fields: {some(fields.ids)}.")
    corners: Iterable[tuple[str, int, int]] = zip(places["field"], places["y_px"], places["x_px"], strict=True)
    images = [np.asarray(fields.images[numbers[f]])[:, y : y + size, x : x + size] for f, y, x in corners]
    beyond = [str(i) for i, image in zip(places.index, images, strict=True) if image.shape[1:] != (size, size)]
    if beyond:
        raise ValueError(f"A window of {size} pixels reaches beyond its field: {some(beyond)}. Take a smaller one.")
    return Cells(
        places.set_axis(places.index.astype(str), axis=0),
        np.stack(images) if images else None,
        channels=fields.channels if images else None,
        pixel_size_um=fields.pixel_size_um,
    )


def _shown(picture: np.ndarray) -> np.ndarray:
    """Return a picture (1, Y, X) between 0 and 4,095, its usual bright end at a half of that."""
    found: np.ndarray = (scaled(picture, ends(picture)) * (GREYS / 2)).clip(0, GREYS).astype(np.uint16)
    return found
