"""Fields of view: channels and contrast, zoom and pan, outlines of the objects, the selected cells among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields
from mlscope_nb.views._choosing import Choosing
from mlscope_nb.views._fieldcells import CellsInFields
from mlscope_nb.views._fieldpixels import Box, encoded, encoded_labels, part, ranked, still, whole
from mlscope_nb.views._fieldwords import described, linked_words, misfits
from mlscope_nb.views._widget import View, by_hand, script
from mlscope_nb.views.selection import Selection, selection_of

# One pixel of the field is never larger than this many pixels of the screen (the browser holds to it as well).
_MOST_ZOOM = 400.0
SCRIPTS = ("common.js", "field_layers.js", "field_camera.js", "field_channels.js", "field_view.js")


class FieldView(Choosing, View):
    """What `fields` returns: one field at a time; colours, contrast and zoom are changed in the browser."""

    _esm = script(*SCRIPTS, "field_main.js")
    _css = script("style.css", "field.css")
    _field = traitlets.Dict().tag(sync=True)
    _planes = traitlets.CBytes().tag(sync=True)
    _labels = traitlets.CBytes().tag(sync=True)
    _channels: Any = traitlets.List().tag(sync=True)
    _settings = traitlets.Dict().tag(sync=True)
    _camera = traitlets.Dict().tag(sync=True)
    _spots = traitlets.CBytes().tag(sync=True)
    _chosen = traitlets.CBytes().tag(sync=True)
    _link = traitlets.Dict().tag(sync=True)

    selection: Selection | None = None
    _stop: Callable[[], None] | None = None
    _drawing = 0
    _ranks: np.ndarray | None = None

    def __init__(
        self, fields: Fields, *, height: int, colours: Mapping[str, str], cells: Cells | None = None, **traits: Any
    ) -> None:
        self.fields, self.cells = fields, cells
        self._places = None if cells is None else CellsInFields(fields, cells)
        self._auto = _pictures.contrast_limits(fields)
        defaults = _pictures.channel_colours(fields.channels)
        chosen = [colours.get(n, c) for n, c in zip(fields.channels, defaults, strict=True)]
        channels = [{"name": n, "colour": c} for n, c in zip(fields.channels, chosen, strict=True)]
        super().__init__(_channels=channels, _settings=self._first_settings(height), **traits)
        if cells is not None:
            self.selection = selection_of(cells)
            self._stop = self.selection.observe(self._selection_changed)
        self._pointed = None if self.selection is None else self.selection.found
        self._load(fields.ids[0])

    @property
    def field_id(self) -> str:
        """The field that is shown."""
        return str(self._field["id"])

    @property
    def contrast(self) -> dict[str, tuple[float, float]]:
        """Grey values shown as black and as full colour, by channel."""
        return {n: (low, high) for n, (low, high) in zip(self.fields.channels, self._settings["limits"], strict=True)}

    @property
    def visible(self) -> tuple[float, float, float, float]:
        """The part that is shown: top, bottom, left, right in pixels of the field."""
        height, width = self._image.shape[1:]
        zoom, y, x = (float(self._camera[k]) for k in ("zoom", "y", "x"))
        return y - height / zoom / 2, y + height / zoom / 2, x - width / zoom / 2, x + width / zoom / 2

    def show(
        self,
        field_id: str | None = None,
        *,
        channels: list[str] | None = None,
        contrast: Mapping[str, tuple[float, float]] | None = None,
        outlines: bool | None = None,
    ) -> FieldView:
        """Change the field, the channels that are on, the contrast or the outlines."""
        names = self.fields.channels
        for given in (channels or [], contrast or {}):
            unknown = [c for c in given if c not in names]
            if unknown:
                raise KeyError(f"No channel {some(unknown)}. Channels: {some(names, 20)}.")
        settings = dict(self._settings)
        if channels is not None:
            settings["on"] = [n in channels for n in names]
        if contrast is not None:
            limits = dict(self.contrast) | {n: (float(a), float(b)) for n, (a, b) in contrast.items()}
            settings["limits"] = [list(limits[n]) for n in names]
        if outlines is not None:
            settings["outlines"] = bool(outlines)
        if (channels, contrast, outlines) != (None, None, None):
            self._settings = {**settings, "turn": settings["turn"] + 1}
        if field_id is not None:
            self._load(str(field_id))
        return self

    def zoom(self, factor: float, centre: tuple[float, float] | None = None) -> FieldView:
        """Enlarge: 1 shows the whole field, 4 a quarter of its width, around `centre` = (y, x) in pixels."""
        if not 1 <= factor <= _MOST_ZOOM:
            raise ValueError(f"factor is {factor}, expected 1 (the whole field) to {_MOST_ZOOM:g}.")
        y, x = (self._camera["y"], self._camera["x"]) if centre is None else centre
        height, width = self._image.shape[1:]
        if not (0 <= y <= height and 0 <= x <= width):
            raise ValueError(f"centre is ({y}, {x}), expected (y, x) within {height:,} rows and {width:,} columns.")
        self._look(factor, y, x)
        return self

    def auto_contrast(self) -> FieldView:
        """Set the contrast back to percentiles of all fields."""
        return self.show(contrast=dict(zip(self.fields.channels, map(tuple, self._auto), strict=True)))

    def find(self, cell_id: str) -> FieldView:
        """Point at a cell in every view, and show its field here (what a click on an object does)."""
        selection = self._linked()
        selection.find(cell_id)
        self._go()
        return self

    def close(self) -> None:
        """End the view; the selection stays."""
        if self._stop is not None:
            self._stop()
        super().close()

    def _linked(self) -> Selection:
        if self.selection is None:
            raise ValueError("This view knows no cells. Open it with ms.views.fields(fields, cells=cells).")
        return self.selection

    def _first_settings(self, height: int) -> dict[str, Any]:
        n = len(self.fields.channels)
        return {
            "on": [True] * n,
            "limits": self._auto.tolist(),
            "auto": self._auto.tolist(),
            "outlines": self.fields.masks is not None,
            "height": height,
            "turn": 0,
        }

    # --- one field -------------------------------------------------------------------------------------------

    def _load(self, field_id: str, centre: tuple[float, float] | None = None) -> None:
        if field_id not in self.fields.ids:
            raise KeyError(f"No field '{field_id}'. Fields: {some(self.fields.ids, 20)}.")
        self._row = int(self.fields.ids.get_indexer([field_id])[0])  # type: ignore[arg-type]
        self._image = np.asarray(self.fields.images[self._row])
        height, width = self._image.shape[1:]
        words, planes = encoded(self._image, whole(height, width))
        with self.hold_sync():
            self._field = {
                **words,
                "id": field_id,
                "fields": list(self.fields.ids),
                "full_height": height,
                "full_width": width,
                "um": self.fields.pixel_size_um,
            }
            self._planes = planes
            self._outline(self._mask_of(self._row))
            if centre is None:
                self._look(1, height / 2, width / 2)
            else:
                self._look(float(self._camera["zoom"]), *centre)

    def _mask_of(self, row: int) -> np.ndarray | None:
        return None if self.fields.masks is None else np.asarray(self.fields.masks[row])

    def _outline(self, mask: np.ndarray | None) -> None:
        """Send the objects of the field, and where its cells are among them."""
        box = Box(0, self._image.shape[1], 0, self._image.shape[2], self._field["step"])
        self._ranks, labels = (None, np.zeros(0, int)) if mask is None else ranked(mask)
        with self.hold_sync():
            self._labels = b"" if self._ranks is None else encoded_labels(self._ranks, box)
            text = described(self.fields, self._row, None if mask is None else len(labels), box.step)
            # A part that was asked for under older outlines is told from a newer one by this number.
            self._drawing += 1
            drawn = {"has_outlines": mask is not None, "n_objects": len(labels), "drawing": self._drawing}
            self._field = {**self._field, **drawn, "text": text}
            if self._places is not None:
                self._here = self._places.spots(self._row, self._ranks, labels)
                self._spots = self._here.packed()
            self._tell()

    def _look(self, zoom: float, y: float, x: float) -> None:
        """Set the camera, held to the field."""
        height, width = self._image.shape[1:]
        half_y, half_x = height / zoom / 2, width / zoom / 2
        y, x = np.clip(y, half_y, height - half_y), np.clip(x, half_x, width - half_x)
        turn = self._camera.get("turn", 0) + 1
        self._camera = {"zoom": float(zoom), "y": float(y), "x": float(x), "turn": turn}

    # --- the cells of the field ------------------------------------------------------------------------------

    def _selection_changed(self, selection: Selection) -> None:
        found, before = selection.found, self._pointed
        self._pointed = found
        # A click on a map or a crop asks to see the cell; a line of Python only points at it.
        if found is not None and found != before and (by_hand() or self._field_of(found) == self._row):
            self._go()
        self._tell()

    def _field_of(self, cell_id: str) -> int:
        """Return the position of a cell's field, -1 if it is not among these."""
        return -1 if self._places is None else int(self._places.field[self._row_of(cell_id)])

    def _row_of(self, cell_id: str) -> int:
        return -1 if self.cells is None else int(self.cells.ids.get_indexer([cell_id])[0])  # type: ignore[arg-type]

    def _go(self) -> None:
        """Show the field of the cell that was found, and bring the cell into view."""
        if self.selection is None or self.selection.found is None or self._places is None:
            return
        row = self._row_of(self.selection.found)
        field, y, x = int(self._places.field[row]), float(self._places.y[row]), float(self._places.x[row])
        placed = bool(np.isfinite(y) and np.isfinite(x))
        if field < 0:
            return
        if field != self._row:
            self._load(self.fields.ids[field], (y, x) if placed else None)
            return
        top, bottom, left, right = self.visible
        if placed and not (top <= y <= bottom and left <= x <= right):
            self._look(float(self._camera["zoom"]), y, x)

    def _tell(self) -> None:
        """Send which cells of this field are chosen, which is found, and the words about the others."""
        if self.selection is None or self._places is None:
            return
        flags = self.selection.mask.to_numpy()
        found = self.selection.found
        row = -1 if found is None else self._row_of(found)
        here = np.flatnonzero(self._here.rows == row)
        field = -1 if row < 0 else int(self._places.field[row])
        with self.hold_sync():
            self._chosen = flags[self._here.rows].astype(np.uint8).tobytes()
            self._link = {
                "found": int(here[0]) if len(here) else -1,
                "cell": found or "",
                "elsewhere": "" if row < 0 or field == self._row else str(self._places.names[row]),
                "reachable": field >= 0,
                "counts": self._places.counts(flags),
                "text": linked_words(flags, self._here),
                "note": " ".join(filter(None, [misfits(self._here, self._ranks), self._places.elsewhere])),
            }

    # --- what the browser asks for ---------------------------------------------------------------------------

    def _on_field(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._load(str(content["id"]))

    def _on_goto(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._go()

    def _on_click(self, content: dict[str, Any], buffers: list[Any]) -> None:
        if self.selection is None or self.cells is None or content["id"] != self.field_id:
            return
        y, x = float(content["y"]), float(content["x"])
        at = self._here.at(y, x, self._ranks, float(content["reach"]))
        if at is None:
            if not content["shift"]:
                self.selection.find(None)
            return
        cell_id = self.cells.ids[self._here.rows[at]]
        if content["shift"]:
            self.selection.toggle([cell_id])
        else:
            self.selection.find(cell_id)

    def _on_detail(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Send a part of the field in more detail, in a message of its own."""
        if content["id"] != self.field_id:
            return
        top, bottom, left, right, step = (int(content[k]) for k in ("top", "bottom", "left", "right", "step"))
        box = part(Box(top, bottom, left, right, step), *self._image.shape[1:])
        words, planes = encoded(self._image, box, exact=True)
        box = replace(box, step=words["step"])
        labels = b"" if self._ranks is None else encoded_labels(self._ranks, box)
        words |= {"kind": "detail", "id": self.field_id, "drawing": self._field["drawing"]}
        self.send(words, buffers=[planes, labels])

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        colours = [c["colour"] if on else "#000000" for c, on in zip(self._channels, self._settings["on"], strict=True)]
        ranks = self._ranks if self._settings["outlines"] else None
        picture = still(self._image, ranks, np.array(self._settings["limits"]), colours)
        return f"Field {self.field_id} of {count(len(self.fields), 'field')}.", [picture]
