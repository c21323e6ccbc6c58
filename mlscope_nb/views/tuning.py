"""Segmentation tuned by sliders over one field, with the line of code that does the same to all."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets

from mlscope_nb._words import count, some
from mlscope_nb.fields import Fields
from mlscope_nb.io import segment
from mlscope_nb.views._given import refuse_other_than_fields
from mlscope_nb.views._widget import script
from mlscope_nb.views.fieldview import SCRIPTS, FieldView

DEFAULTS: dict[str, Any] = {
    "threshold": 1.0,
    "split": 1.0,
    "min_area_px": None,
    "max_area_px": None,
    "diameter_px": None,
    "polarity": "auto",
}
_NUMBERS = ("threshold", "split", "min_area_px", "max_area_px", "diameter_px")


class SegmentationTuner(FieldView):
    """What `tune_segmentation` returns: sliders beside one field, and what they come to as a line of code."""

    _esm = script(*SCRIPTS, "tuning.js")
    _tuning = traitlets.Dict().tag(sync=True)
    _report = traitlets.Dict().tag(sync=True)

    def __init__(self, fields: Fields, channel: str | None, *, height: int) -> None:
        self._result: Fields | None = None
        self._error = ""
        self._first_channel = channel
        super().__init__(fields, height=height, colours={}, _tuning={"channel": channel, **DEFAULTS})
        self.observe(lambda _: self._redraw(), "_tuning")

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that is not left automatic, as arguments of `ms.io.segment`."""
        given = {k: self._tuning[k] for k in DEFAULTS if self._tuning[k] != DEFAULTS[k]}
        channel = self._tuning["channel"]
        return given if channel is None else {"channel": channel, **given}

    @property
    def code(self) -> str:
        """The line that segments all fields with these settings."""
        settings = self.settings
        channel = settings.pop("channel", None)
        named = [] if channel is None else [json.dumps(channel, ensure_ascii=False)]
        rest = [f"{k}={_written(v)}" for k, v in settings.items()]
        return f"fields = ms.io.segment({', '.join(['fields', *named, *rest])})"

    @property
    def result(self) -> Fields:
        """The field that is shown, segmented with these settings (one field; see `apply` for all)."""
        if self._result is None:
            raise ValueError(f"These settings found nothing to return: {self._error}")
        return self._result

    def apply(self) -> Fields:
        """Segment all fields with these settings: what the line of code does."""
        return segment(self.fields, **self.settings)

    def set(self, **settings: Any) -> SegmentationTuner:
        """Move sliders: any of channel, threshold, split, min_area_px, max_area_px, diameter_px, polarity."""
        unknown = [k for k in settings if k not in ("channel", *DEFAULTS)]
        if unknown:
            raise TypeError(f"No setting {some(unknown)}. Settings: {some(['channel', *DEFAULTS], 10)}.")
        words = [
            k for k, v in settings.items() if k in _NUMBERS and not isinstance(v, int | float | np.number | type(None))
        ]
        if words:
            raise TypeError(f"{some(words)}: expected numbers, or None for automatic sizes.")
        if settings.get("channel") is not None:
            settings["channel"] = self.fields.channels[self.fields.channel(settings["channel"])]
        before = self._tuning
        automatic = {k: DEFAULTS[k] if v is None and k in DEFAULTS else _plain(v) for k, v in settings.items()}
        self._tuning = {**before, **automatic}
        if self._error:
            error, self._tuning = self._error, before
            raise ValueError(error)
        return self

    def _first_settings(self, height: int) -> dict[str, Any]:
        settings = super()._first_settings(height)
        # One channel is segmented: the others would only hide what the threshold does.
        on = [self._first_channel in (None, name) for name in self.fields.channels]
        return {**settings, "on": on, "outlines": True}

    def _mask_of(self, row: int) -> np.ndarray | None:
        """Segment one field; None, with the reason in the report, where that cannot be done."""
        began = time.perf_counter()
        self._result, self._error = None, ""
        try:
            self._result = segment(self.fields.subset([self.fields.ids[row]]), **self.settings)
        except (ValueError, KeyError) as error:
            self._error = str(error.args[0]) if error.args else str(error)
        text = "" if self._result is None else _counted(self._result, time.perf_counter() - began)
        self._report = {
            "tuning": dict(self._tuning),
            "text": text,
            "error": self._error,
            "code": self.code,
        }
        return None if self._result is None or self._result.masks is None else np.asarray(self._result.masks[0])

    def _redraw(self) -> None:
        mask = self._mask_of(self._row)
        # What cannot be computed leaves the last outlines where they are.
        if mask is not None:
            self._outline(mask)

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        text, pictures = super()._saved()
        return f"{text} {self.code}", pictures


def _plain(value: Any) -> Any:
    """Return numbers of numpy as Python's own, so that they travel as JSON."""
    return value.item() if isinstance(value, np.generic) else value


def _written(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def _counted(result: Fields, seconds: float) -> str:
    masks = result.masks
    area = np.bincount(np.asarray(masks[0]).ravel())[1:] if masks is not None else np.zeros(0)
    parts = [f"{count(len(area), 'object')} found"]
    if len(area):
        middle = float(np.median(area))
        um = result.pixel_size_um
        parts.append(f"median area {middle:,.0f} px" + ("" if um is None else f" ({middle * um**2:,.3g} µm²)"))
    return " · ".join([*parts, f"{seconds:.1f} s"])


def tune_segmentation(
    fields: Fields,
    channel: str | int | None = None,
    field_id: str | None = None,
    *,
    contrast: Mapping[str, tuple[float, float]] | None = None,
    height: int = 480,
) -> SegmentationTuner:
    """Try threshold, sizes and split on one field by sliders, and copy the line of code that does the same to all.

    Only the field that is shown is computed, after each move of a slider. The fields that were given stay as they are.

    Parameters
    ----------
    fields : Fields
    channel : str or int, optional
        As in `ms.io.segment`; chosen by name by default.
    field_id : str, optional
        The field to begin with; the first by default.
    contrast : mapping, optional
        Channel to (black, full colour) in grey values.
    height : int
        Of the picture, in screen pixels.

    Returns
    -------
    SegmentationTuner
        With ``code`` (the line), ``settings``, ``result`` (the shown field, segmented), ``apply()`` (all fields),
        ``set(threshold=…, …)``.

    Raises
    ------
    KeyError
        A field or a channel is not known.
    TypeError
        Not Fields.
    ValueError
        There are no fields.

    Examples
    --------
    >>> import pandas as pd
    >>> spot = np.zeros((64, 64)); spot[20:34, 20:34] = 9
    >>> tuner = tune_segmentation(Fields(pd.DataFrame(index=["f1"]), [spot], channels=["DNA"]), "DNA")
    >>> tuner.set(threshold=1.2, min_area_px=40).code
    'fields = ms.io.segment(fields, "DNA", threshold=1.2, min_area_px=40)'
    >>> int(tuner.result.masks[0].max())
    1
    """
    refuse_other_than_fields(fields)
    if not len(fields):
        raise ValueError("There are no fields to segment: 0 rows.")
    name = None if channel is None else fields.channels[fields.channel(channel)]
    tuner = SegmentationTuner(fields, name, height=height)
    tuner.show(None if field_id in (None, tuner.field_id) else field_id, contrast=contrast)
    return tuner
