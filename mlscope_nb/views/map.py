"""The map: one point for each cell, as a HoloViews element that can be restyled and composed."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb import _align, _pictures
from mlscope_nb._words import meant, some
from mlscope_nb.cells import Cells
from mlscope_nb.views import _bokeh
from mlscope_nb.views._mapfigure import finish
from mlscope_nb.views._sentences import kept_apart, shortened
from mlscope_nb.views.colours import CONTEXT, MISSING, as_text, category_colours, is_continuous

if TYPE_CHECKING:
    from holoviews import Points

Embedding = str | pd.DataFrame | tuple[str, str]
_THUMBNAILS_UP_TO = 2000
_CROWDED = 1000
SHOWN = {"umap": "UMAP", "pca": "PCA", "tsne": "t-SNE"}


class Axes(NamedTuple):
    """Where the points lie and what the axes are called."""

    points: pd.DataFrame
    x_label: str
    y_label: str
    title: str


def scatter(
    cells: Cells | pd.DataFrame,
    embedding: Embedding = "umap",
    colour: str | pd.Series | None = None,
    *,
    colours: Mapping[str, str] | None = None,
    thumbnails: bool | None = None,
    size: float | None = None,
    width: int = 620,
    height: int = 460,
    title: str | None = None,
) -> Points:
    """Draw a map of cells, coloured by a column; chosen points keep their colour and the others turn grey.

    Parameters
    ----------
    cells : Cells or DataFrame
        One row per cell. A DataFrame holds the two columns of `embedding` and that of `colour`.
    embedding : str, DataFrame or pair of str
        A map by name ("umap"), a table with columns x and y, or two columns.
    colour : str or Series, optional
        A column of obs or features: text gets a legend, numbers a colour bar.
    colours : mapping, optional
        Category to "#rrggbb".
    thumbnails : bool, optional
        Show each cell's picture when the mouse rests on it. By default up to 2,000 cells with images.
    size : float, optional
        Diameter of the points in screen pixels; smaller for more cells by default.
    width, height : int
        Of the plot, in screen pixels.
    title : str, optional
        Above the plot.

    Returns
    -------
    holoviews.Points
        Change it with ``.opts(…)``, or put it beside another with ``+``.

    Raises
    ------
    KeyError
        No such map or column.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [0.0, 1.0], "y": [1.0, 0.0], "plate": ["p1", "p2"]}, index=["a", "b"])
    >>> scatter(table, ("x", "y"), "plate").kdims
    [Dimension('x'), Dimension('y')]
    """
    hv = _bokeh.holoviews()
    axes = axes_of(cells, embedding)
    column = None if colour is None else column_of(cells, colour)
    data = axes.points.set_axis(["x", "y"], axis=1).assign(cell_id=axes.points.index)
    dimensions = [hv.Dimension("cell_id", label="cell")]
    style: dict[str, Any] = {"color": CONTEXT if column is None else "colour"}
    if column is not None:
        data["colour"], found = _coloured(column, colours)
        dimensions.append(hv.Dimension("colour", label=shortened(column.name)))
        style |= found
    else:
        style["color"] = "#0072b2"
    if thumbnails is None:
        thumbnails = isinstance(cells, Cells) and cells.images is not None and len(cells) <= _THUMBNAILS_UP_TO
    if thumbnails:
        data["picture"] = _uris(cells)
        dimensions.append(hv.Dimension("picture"))
    # A dimension called as the axis says and reached as x, so that any two columns can be drawn.
    labels = {"x": axes.x_label, "y": axes.y_label}
    kdims = [hv.Dimension(name, label=shortened(label)) for name, label in labels.items()]
    points = hv.Points(data.reset_index(drop=True), kdims, dimensions)
    return points.opts(
        **style,
        **_looks(size or point_size(len(data)), crowded=len(data) > _CROWDED),
        tools=["lasso_select", "box_select", "tap", _hover(column, thumbnails)],
        active_tools=["lasso_select", "wheel_zoom"],
        default_tools=["pan", "wheel_zoom", "reset", "save"],
        hooks=[finish],
        width=width,
        height=height,
        title=shortened(axes.title if title is None else title),
    )


def _coloured(column: pd.Series, colours: Mapping[str, str] | None) -> tuple[np.ndarray, dict[str, Any]]:
    """Return what is drawn of a column, and in which colours; very long names are cut short."""
    if is_continuous(column):
        return column.to_numpy(), _scale(column)
    palette = category_colours(column, colours)
    short = kept_apart(palette, 24)
    style = _legend(column, {short[name]: ink for name, ink in palette.items()})
    return as_text(column).map(short).to_numpy(), style


def axes_of(cells: Cells | pd.DataFrame, embedding: Embedding) -> Axes:
    """Return the coordinates of a map by name, of a table or of two columns, with the names of its axes."""
    if isinstance(embedding, str):
        maps = cells.embeddings if isinstance(cells, Cells) else {}
        if embedding not in maps:
            kind = embedding if embedding in ("pca", "tsne") else "umap"
            raise KeyError(
                f"No map '{embedding}'. There are: {some(maps) or 'none'}. "
                f"Make one: cells.with_embedding('{embedding}', ms.explore.{kind}(cells)), or name two columns."
            )
        return _named(maps[embedding], embedding)
    if isinstance(embedding, pd.DataFrame):
        ids = cells.ids if isinstance(cells, Cells) else cells.index
        return _named(_align.numeric(_align.aligned(embedding, ids, "the map"), "the map"), "map")
    x, y = embedding
    table = cells.table([x, y]) if isinstance(cells, Cells) else _columns(cells, [x, y])
    return Axes(table[[x, y]], x, y, f"{y} against {x}")


def column_of(cells: Cells | pd.DataFrame, colour: str | pd.Series) -> pd.Series:
    """Return a column of obs or features (or a Series of one's own) in the order of the cells."""
    if isinstance(colour, pd.Series):
        ids = cells.ids if isinstance(cells, Cells) else cells.index
        name = "colour" if colour.name is None else str(colour.name)
        return _align.aligned(colour.rename(name), ids, "the colours")[name]
    tables = [cells] if isinstance(cells, pd.DataFrame) else [t for t in (cells.obs, cells.features) if t is not None]
    for table in tables:
        if colour in table.columns:
            return table[colour]
    have = [c for t in tables for c in t.columns]
    raise KeyError(f"No column '{colour}' to colour by.{meant(colour, have)} There are: {some(have, 20)}.")


def point_size(n: int) -> float:
    """Return a diameter in screen pixels at which `n` points leave gaps on a plot of usual size."""
    size = 9 - 1.35 * np.log10(max(n, 1) / 50)
    return float(np.clip(size if n <= _CROWDED else 0.75 * size, 2, 9))


def _named(table: pd.DataFrame, name: str) -> Axes:
    shown = SHOWN.get(name, name)
    columns = [c for c in ("x", "y") if c in table.columns] or list(table.columns[:2])
    if len(columns) < 2:
        raise ValueError(f"The map '{name}' has columns {some(table.columns)}, expected x and y.")
    explained = table.attrs.get("explained", ())
    labels = [f"{shown} {i + 1}" for i in range(2)]
    if len(explained) >= 2:
        labels = [f"{label} ({100 * part:.0f} % of variance)" for label, part in zip(labels, explained, strict=False)]
    return Axes(table[columns], labels[0], labels[1], shown)


def _columns(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    missing = [n for n in names if n not in table.columns]
    if missing:
        raise KeyError(f"No column {some(missing)}. Columns: {some(table.columns, 20)}.")
    return _align.numeric(table[list(names)], "the chosen columns")


def _scale(column: pd.Series) -> dict[str, Any]:
    from bokeh.palettes import Viridis256

    values = column.to_numpy(dtype=float, na_value=np.nan)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return {
        "cmap": list(Viridis256),
        "clim": (low, high if high > low else low + 1),
        "clipping_colors": {"NaN": MISSING},
        "colorbar": True,
        "colorbar_opts": {"width": 12, "major_label_text_font_size": "13px"},
    }


def _legend(column: pd.Series, palette: dict[str, str]) -> dict[str, Any]:
    return {
        "cmap": palette,
        "show_legend": True,
        "legend_position": "right",
        "legend_opts": {"title": shortened(column.name, 30)},
    }


def _looks(size: float, *, crowded: bool) -> dict[str, Any]:
    # Points are drawn in the order of the cells, so where they overlap the last category covers the others.
    # The order stands (a browser reports row numbers); let those beneath shine through.
    return {
        "size": size,
        "alpha": 0.5 if crowded else 0.85,
        "line_color": None,
        "selection_alpha": 0.7 if crowded else 1.0,
        "fontsize": {
            "title": "15px",
            "labels": "14px",
            "ticks": "13px",
            "legend": "13px",
            "legend_title": "13px",
        },
    }


def _hover(column: pd.Series | None, thumbnails: bool) -> Any:
    from bokeh.models import HoverTool

    lines = [("cell", "@cell_id")] + ([] if column is None else [(shortened(column.name), "@colour")])
    if not thumbnails:
        return HoverTool(tooltips=lines, limit=1, mode="mouse")
    # Bokeh escapes the values; the name of the column is ours to escape, and its @ is no field.
    names = [html.escape(name).replace("@", "&#64;") for name, _ in lines]
    rows = "".join(f"<div><b>{name}</b> {value}</div>" for name, (_, value) in zip(names, lines, strict=True))
    picture = '<img src="@picture" width="64" height="64" style="image-rendering:pixelated;display:block">'
    return HoverTool(tooltips=f'<div style="font-size:13px">{picture}{rows}</div>', limit=1, mode="mouse")


def _uris(cells: Cells | pd.DataFrame) -> list[str]:
    if not isinstance(cells, Cells):
        raise ValueError("A table has no pictures to show. Hand over Cells with images, or thumbnails=False.")
    return [_pictures.webp_data_uri(p, quality=70) for p in _pictures.thumbnails(cells, size=32)]
