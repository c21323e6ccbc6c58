"""Opening the field viewer: whole fields, with the cells that were cut from them."""

from __future__ import annotations

from collections.abc import Mapping

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields
from mlscope_nb.views._given import refuse_other_than_cells, refuse_other_than_fields
from mlscope_nb.views.fieldview import FieldView


def fields(
    fields: Fields,
    field_id: str | None = None,
    *,
    cells: Cells | None = None,
    channels: list[str] | None = None,
    colours: Mapping[str, str] | None = None,
    contrast: Mapping[str, tuple[float, float]] | None = None,
    outlines: bool | None = None,
    height: int = 480,
) -> FieldView:
    """Look at whole fields: channels in colours, contrast by sliders, zoom, outlines of the objects.

    The sliders change what the screen shows and never the data. The wheel enlarges around the pointer, dragging moves,
    a double click shows the whole field again.

    Parameters
    ----------
    fields : Fields
        With masks for outlines, and with pixel_size_um for a scale bar.
    field_id : str, optional
        The field to begin with; the first by default.
    cells : Cells, optional
        Cut from these fields (``ms.io.crop``): the selected ones are outlined here in orange, a click on an object
        finds its cell in every view, shift and click selects it.
    channels : list of str, optional
        The channels that are on; all by default.
    colours : mapping, optional
        Channel to "#rrggbb".
    contrast : mapping, optional
        Channel to (black, full colour) in grey values; percentiles of all fields by default.
    outlines : bool, optional
        Draw outlines of the objects; by default if there are masks.
    height : int
        Of the picture, in screen pixels.

    Raises
    ------
    KeyError
        A field or a channel is not known; the cells do not say where they lie.
    TypeError
        Not Fields but, for example, cells.
    ValueError
        There are no fields, or none of the cells lies in them.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> one = Fields(pd.DataFrame(index=["f1"]), [np.arange(12.0).reshape(1, 3, 4)], channels=["DNA"])
    >>> view = fields(one, contrast={"DNA": (0, 5)})
    >>> view.field_id, view.contrast
    ('f1', {'DNA': (0.0, 5.0)})
    """
    refuse_other_than_fields(fields)
    if cells is not None:
        refuse_other_than_cells(cells)
    if not len(fields):
        raise ValueError("There are no fields to show: 0 rows.")
    unknown = [c for c in (colours or {}) if c not in fields.channels]
    if unknown:
        raise KeyError(f"No channel {some(unknown)}. Channels: {some(fields.channels, 20)}.")
    view = FieldView(fields, height=height, colours=colours or {}, cells=cells)
    return view.show(field_id, channels=channels, contrast=contrast, outlines=outlines)
