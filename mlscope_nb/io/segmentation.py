"""Segmentation of fields: nuclei, and cells grown from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm.auto import tqdm

from mlscope_nb._words import count, some
from mlscope_nb.fields import Fields
from mlscope_nb.io.objects import check_tuning, find_objects, grow_cells
from mlscope_nb.io.polarity import Polarity

DNA_NAMES = ("dna", "dapi", "hoechst", "draq5", "nuclei", "nucleus", "nuclear", "h2b", "d")
RGB_NAMES = (("red", "green", "blue"), ("r", "g", "b"))


def segment(
    fields: Fields,
    channel: str | int | None = None,
    *,
    polarity: Polarity = "auto",
    diameter_px: float | None = None,
    threshold: float = 1.0,
    min_area_px: float | None = None,
    max_area_px: float | None = None,
    split: float = 1.0,
) -> Fields:
    """Find the nuclei, or other compact objects, of every field.

    The same method and the same settings serve every field: one grey image, objects bright or dark, a threshold
    that follows the field, and touching objects cut apart at their necks. ``ms.views.tune_segmentation(fields)`` shows
    with sliders what the last four do.

    Parameters
    ----------
    fields : Fields
    channel : str or int, optional
        Default: the channel named as DNA is (DNA, DAPI, Hoechst …), all three where the channels are red, green and
        blue, else the first.
    polarity : "auto", "bright" or "dark"
        Are the objects brighter or darker than their background? "auto" decides field by field.
    diameter_px : float, optional
        Typical diameter of the objects in pixels. Default: measured in each field.
    threshold : float
        Where the outline lies between the background around an object (0) and its brightness (2); 1, half-way, is
        automatic. Lower values take in more. No unit: it does not depend on the camera.
    min_area_px, max_area_px : float, optional
        Objects of fewer or more pixels are left out. Default: specks of less than a fifth of the typical area of the
        field (with a diameter: of a ninth of that disc, and of more than nine).
    split : float
        How readily touching objects are cut apart: 0 never, 1 automatic, 2 at every neck. No unit.

    Returns
    -------
    Fields
        With label masks (Y, X). ``history`` holds the channel, and for each field what was decided.

    Raises
    ------
    KeyError
        No such channel.
    ValueError
        NaN or infinite pixels; a diameter that is not positive, or is larger than the smaller side of a field; a
        threshold, an area or a split outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> spot = np.zeros((64, 64)); spot[20:34, 20:34] = 9
    >>> int(segment(Fields(pd.DataFrame(index=["f1"]), [spot])).masks[0].max())
    1
    """
    chosen = _objects_channel(fields, channel)
    _refuse_too_small(fields, diameter_px)
    tuned = {"threshold": threshold, "min_area_px": min_area_px, "max_area_px": max_area_px, "split": split}
    check_tuning(**tuned)  # type: ignore[arg-type]
    options: dict[str, Any] = {"diameter_px": diameter_px, **tuned}
    masks, found = [], {}
    for field_id, image in tqdm(fields, total=len(fields), desc="objects", leave=False, delay=2):
        labels, settings = find_objects(_named(image[chosen], field_id), polarity=polarity, **options)
        masks.append(labels)
        found[str(field_id)] = settings
    # What was left automatic is not a setting of this step: the history of the default stays as it was.
    said = {k: v for k, v in options.items() if not (k in ("threshold", "split") and v == 1)}
    return fields.with_masks(masks, step=_step("segment", fields, chosen, found, polarity, **said))


def segment_cells(
    fields: Fields,
    channel: str | int | None = None,
    *,
    polarity: Polarity = "auto",
    reach_px: float | None = None,
) -> Fields:
    """Grow a cell around every nucleus.

    Parameters
    ----------
    fields : Fields
        Segmented: the masks hold nuclei.
    channel : str or int, optional
        The channel that shows the whole cell. Default: the mean of all channels but the nuclei's, each scaled to its
        own range (a single channel serves itself).
    polarity : "auto", "bright" or "dark"
        Are cells brighter or darker than their background? "auto" decides field by field.
    reach_px : float, optional
        How far a cell may reach beyond its nucleus. Default: twice the median diameter of the field's nuclei.

    Returns
    -------
    Fields
        Masks hold cells; cell k grew from nucleus k and holds it. Compartments "nucleus" and "cytoplasm".

    Raises
    ------
    ValueError
        The fields have no nuclei, or the masks hold cells already.
    KeyError
        No such channel.

    Examples
    --------
    >>> import pandas as pd
    >>> image = np.zeros((2, 64, 64)); image[0, 25:36, 25:36] = 9; image[1, 18:43, 18:43] = 5
    >>> cells = segment_cells(segment(Fields(pd.DataFrame(index=["f1"]), [image], channels=["DNA", "actin"])))
    >>> bool(cells.masks[0][20, 30]), bool(cells.compartments["nucleus"][0][20, 30])
    (True, False)
    """
    if fields.masks is None:
        raise ValueError("These fields have no nuclei to grow from. Run ms.io.segment(fields) first.")
    if fields.compartments:
        raise ValueError("These masks hold cells already. Start from ms.io.segment(fields) again.")
    chosen = _cell_channels(fields, channel)
    cells, nuclei, cytoplasm, found = [], [], [], {}
    for (field_id, image), nucleus in tqdm(
        zip(fields, fields.masks, strict=True), total=len(fields), desc="cells", leave=False, delay=2
    ):
        cell, settings = grow_cells(
            _named(_mean_of(image[chosen]), field_id), nucleus, polarity=polarity, reach_px=reach_px
        )
        cells.append(cell)
        nuclei.append(np.asarray(nucleus))
        cytoplasm.append(np.where(nucleus > 0, 0, cell).astype(np.int32))
        found[str(field_id)] = settings
    step = _step("segment_cells", fields, chosen, found, polarity, reach_px=reach_px)
    return fields.with_masks(cells, {"nucleus": nuclei, "cytoplasm": cytoplasm}, step=step)


def _refuse_too_small(fields: Fields, diameter_px: float | None) -> None:
    """Refuse before the first field is read, not at the last one."""
    small = [
        f"{i} ({s[2]} × {s[1]} px)"
        for i, s in zip(fields.ids, fields.images.shapes, strict=True)
        if diameter_px is not None and diameter_px > min(s[1:])
    ]
    if small:
        raise ValueError(
            f"diameter_px is {diameter_px:,g}, larger than {count(len(small), 'field')}: {some(small)}. Expected the "
            "typical diameter of one object in pixels: micrometres / pixel_size_um. Leave small fields out with subset."
        )


def _objects_channel(fields: Fields, channel: str | int | None) -> list[int]:
    if channel is not None:
        return [fields.channel(channel)]
    names = tuple(name.lower() for name in fields.channels)
    if names in RGB_NAMES:
        return [0, 1, 2]
    return [next((names.index(dna) for dna in DNA_NAMES if dna in names), 0)]


def _cell_channels(fields: Fields, channel: str | int | None) -> list[int]:
    if channel is not None:
        return [fields.channel(channel)]
    used = next((s["channel"] for s in reversed(fields.history) if s.get("step") == "segment"), None)
    nuclear = [fields.channels.index(name) for name in used] if used else _objects_channel(fields, None)
    others = [i for i in range(len(fields.channels)) if i not in nuclear]
    return others or nuclear


def _mean_of(image: np.ndarray) -> np.ndarray:
    """Return the mean of the channels (C,Y,X), each scaled by its own range so that none rules by its gain."""
    if len(image) == 1:
        return image[0]
    low, high = np.percentile(image, [0.1, 99.9], axis=(1, 2), keepdims=True)
    scaled = (image - low) / np.where(high > low, high - low, 1)
    mean: np.ndarray = np.clip(scaled, 0, 1).mean(axis=0)
    return mean


def _named(image: np.ndarray, field_id: object) -> np.ndarray:
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(
            f"Field '{field_id}' holds NaN or infinite pixels, expected numbers. "
            "Leave it out with subset, or replace the pixels with numpy.nan_to_num."
        )
    return image


def _step(
    name: str, fields: Fields, chosen: list[int], found: dict[str, Any], polarity: Polarity, **parameters: Any
) -> dict[str, Any]:
    return {
        "step": name,
        "channel": [fields.channels[i] for i in chosen],
        "polarity": polarity,
        **{k: v for k, v in parameters.items() if v is not None},
        "fields": found,
    }
