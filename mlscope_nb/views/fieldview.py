"""Fields of view: channels switched on and off, contrast by sliders, outlines of the objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets

from mlscope_nb import _pictures
from mlscope_nb._words import count, some
from mlscope_nb.fields import Fields
from mlscope_nb.views._given import refuse_other_than_fields
from mlscope_nb.views._outlines import outlines
from mlscope_nb.views._widget import View, script

_LARGEST = 1400
_QUALITY = 92


class FieldView(View):
    """What `fields` returns: one field at a time; colours and contrast are changed in the browser."""

    _esm = script("common.js", "field_view.js")
    _field = traitlets.Dict().tag(sync=True)
    _planes = traitlets.CBytes().tag(sync=True)
    _lines = traitlets.CBytes().tag(sync=True)
    _channels: Any = traitlets.List().tag(sync=True)
    _settings = traitlets.Dict().tag(sync=True)

    def __init__(self, fields: Fields, *, height: int, colours: Mapping[str, str]) -> None:
        self.fields = fields
        self._auto = _pictures.contrast_limits(fields)
        defaults = _pictures.channel_colours(fields.channels)
        chosen = [colours.get(n, c) for n, c in zip(fields.channels, defaults, strict=True)]
        channels = [{"name": n, "colour": c} for n, c in zip(fields.channels, chosen, strict=True)]
        super().__init__(_channels=channels, _settings=self._first_settings(height))
        self.show(fields.ids[0])

    @property
    def field_id(self) -> str:
        """The field that is shown."""
        return str(self._field["id"])

    @property
    def contrast(self) -> dict[str, tuple[float, float]]:
        """Grey values shown as black and as full colour, by channel."""
        return {n: (low, high) for n, (low, high) in zip(self.fields.channels, self._settings["limits"], strict=True)}

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
        self._settings = settings
        if field_id is not None:
            self._load(str(field_id))
        return self

    def auto_contrast(self) -> FieldView:
        """Set the contrast back to percentiles of all fields."""
        return self.show(contrast=dict(zip(self.fields.channels, map(tuple, self._auto), strict=True)))

    def _first_settings(self, height: int) -> dict[str, Any]:
        n = len(self.fields.channels)
        return {
            "on": [True] * n,
            "limits": self._auto.tolist(),
            "auto": self._auto.tolist(),
            "outlines": self.fields.masks is not None,
            "height": height,
        }

    def _load(self, field_id: str) -> None:
        if field_id not in self.fields.ids:
            raise KeyError(f"No field '{field_id}'. Fields: {some(self.fields.ids, 20)}.")
        row = int(self.fields.ids.get_indexer([field_id])[0])  # type: ignore[arg-type]
        image = self.fields.images[row]
        step = -(-max(image.shape[1:]) // _LARGEST)
        shown = image[:, ::step, ::step]
        planes, ranges = _planes(shown)
        mask = None if self.fields.masks is None else self.fields.masks[row][::step, ::step]
        n = 0 if mask is None else len(np.unique(mask[mask > 0]))
        with self.hold_sync():
            self._field = {
                "id": field_id,
                "fields": list(self.fields.ids),
                "height": shown.shape[1],
                "width": shown.shape[2],
                "ranges": ranges,
                "um": None if self.fields.pixel_size_um is None else self.fields.pixel_size_um * step,
                "has_outlines": mask is not None,
                "text": _described(self.fields, row, n, step),
            }
            self._planes = planes
            self._lines = b"" if mask is None else _pictures.png(outlines(mask)[..., None].repeat(3, axis=2))

    def _on_field(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._load(str(content["id"]))

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        row = int(self.fields.ids.get_indexer([self.field_id])[0])  # type: ignore[arg-type]
        image = self.fields.images[row]
        step = -(-max(image.shape[1:]) // 480)
        colours = [c["colour"] for c in self._channels]
        picture = _pictures.composite(image[None, :, ::step, ::step], np.array(self._settings["limits"]), colours)[0]
        return f"Field {self.field_id} of {count(len(self.fields), 'field')}.", [picture]


def _planes(image: np.ndarray) -> tuple[bytes, list[list[float]]]:
    """Encode each channel as one byte a pixel, finer where it is dark, stacked in one lossy grey picture."""
    ranges, planes = [], []
    for channel in image:
        low, high = float(channel.min()), float(channel.max())
        high = high if high > low else low + 1
        place = (channel.astype(np.float32) - np.float32(low)) / np.float32(high - low)
        planes.append(np.sqrt(place) * 255 + 0.5)
        ranges.append([low, high])
    stacked = np.concatenate(planes).astype(np.uint8)
    return _pictures.webp(stacked[..., None].repeat(3, axis=2), quality=_QUALITY), ranges


def _described(fields: Fields, row: int, n_objects: int, step: int) -> str:
    channels, height, width = fields.images.shapes[row]
    parts = [f"{width:,} × {height:,} pixels, {count(channels, 'channel')}"]
    if fields.masks is not None:
        parts.append(f"{count(n_objects, 'object')} outlined")
    if step > 1:
        parts.append(f"one pixel in {step} shown")
    return " · ".join(parts)


def fields(
    fields: Fields,
    field_id: str | None = None,
    *,
    channels: list[str] | None = None,
    colours: Mapping[str, str] | None = None,
    contrast: Mapping[str, tuple[float, float]] | None = None,
    outlines: bool | None = None,
    height: int = 480,
) -> FieldView:
    """Look at whole fields: channels in colours, contrast by sliders, outlines of the objects.

    The sliders change what the screen shows and never the data.

    Parameters
    ----------
    fields : Fields
        With masks for outlines, and with pixel_size_um for a scale bar.
    field_id : str, optional
        The field to begin with; the first by default.
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
        A field or a channel is not known.
    TypeError
        Not Fields but, for example, cells.
    ValueError
        There are no fields.

    Examples
    --------
    >>> import pandas as pd
    >>> one = Fields(pd.DataFrame(index=["f1"]), [np.arange(12.0).reshape(1, 3, 4)], channels=["DNA"])
    >>> view = fields(one, contrast={"DNA": (0, 5)})
    >>> view.field_id, view.contrast
    ('f1', {'DNA': (0.0, 5.0)})
    """
    refuse_other_than_fields(fields)
    if not len(fields):
        raise ValueError("There are no fields to show: 0 rows.")
    unknown = [c for c in (colours or {}) if c not in fields.channels]
    if unknown:
        raise KeyError(f"No channel {some(unknown)}. Channels: {some(fields.channels, 20)}.")
    view = FieldView(fields, height=height, colours=colours or {})
    return view.show(field_id, channels=channels, contrast=contrast, outlines=outlines)
