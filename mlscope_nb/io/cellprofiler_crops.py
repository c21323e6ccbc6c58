"""Crops of what CellProfiler measured: cut where its images are found, and which of them touch an edge."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.cellprofiler_export import IMAGE, OBJECT, SET, Export
from mlscope_nb.io.cellprofiler_links import Joined
from mlscope_nb.io.image_sets import Channels, ImageSets, find_images
from mlscope_nb.io.listing import Paths, Problem
from mlscope_nb.io.located_crops import Cut, Located, cut_crops


class Crops(NamedTuple):
    """What was cut, or why nothing was: the channels, what was left out, and a remark."""

    cut: Cut | None
    channels: tuple[str, ...] | None
    problems: list[Problem]
    remark: str | None


def crops_of(
    export: Export,
    joined: Joined,
    obs: pd.DataFrame,
    centre: str,
    images: str | Path | Literal[False] | None,
    masks: Mapping[str, Paths] | None,
    channels: Channels,
    size: int,
    keep_mb: float,
) -> Crops:
    """Cut a crop of each cell whose images are found; without images, say why where somebody looked for them."""
    if images is False:
        return Crops(None, None, [], None)
    sets = find_images(export.images, export.folders, channels, images)
    if "x_px" not in obs or not sets.files:
        why = _no_crops(joined, obs, sets)
        if images is not None or masks is not None:
            raise ValueError(f"No crop can be cut: {why}")
        return Crops(None, None, [], f"no crops: {why} (images=False does not look)" if sets.missing else None)
    fields = pd.Series(list(zip(joined.table[SET], joined.table[IMAGE], strict=True)), dtype=object)
    codes, keys = pd.factorize(fields)
    files: dict[Hashable, Any] = {i: sets.files[k] for i, k in enumerate(keys) if k in sets.files}
    first = {"masks": _main_first(masks, joined.main)} if masks else {}
    located = Located(codes, obs["x_px"].to_numpy(), obs["y_px"].to_numpy(), obs[OBJECT].to_numpy())
    cut = cut_crops(located, files, size=size, keep_mb=keep_mb, **first)
    lost = [_lost(k, sets) for i, k in enumerate(keys) if i not in files]
    return Crops(cut, sets.channels, [*lost, *cut.problems], None)


def _lost(key: tuple[str, int], sets: ImageSets) -> Problem:
    where = f"{IMAGE} {key[1]} in {key[0]}" if key[0] else f"{IMAGE} {key[1]}"
    return {"file": where, "problem": sets.missing.get(key, "not in the table of images")}


def _main_first(masks: Mapping[str, Paths], main: str) -> dict[str, Paths]:
    if main not in masks:
        raise ValueError(f"masks are given for {some(masks)}, expected those of '{main}' among them.")
    return {main: masks[main], **masks}


def _no_crops(joined: Joined, obs: pd.DataFrame, sets: ImageSets) -> str:
    if "x_px" not in obs:
        return f"'{joined.main}' has no centres (Location_Center_X, AreaShape_Center_X)"
    if not sets.channels:
        return "the table of images names no images (FileName_…)"
    first = next(iter(sets.missing.values()), "")
    return f"of {count(len(sets.missing), 'image set')} none was found; {first}. Give their folder with images=…"


def edges_of(joined: Joined, obs: pd.DataFrame, cut: Cut | None) -> pd.DataFrame:
    """Say which cells touch the edge of their field, by mask or bounding box, and which windows reach beyond it."""
    found = pd.DataFrame(index=obs.index)
    if cut is None:
        return found
    size = cut.images.shape[-1]
    box = [f"{joined.main}_AreaShape_BoundingBox{end}_{axis}" for end in ("Minimum", "Maximum") for axis in "YX"]
    height, width = (np.full(len(obs), np.nan) for _ in range(2))
    height[cut.rows], width[cut.rows] = cut.height, cut.width
    if cut.touches is not None:
        touches = np.zeros(len(obs), dtype=bool)
        touches[cut.rows] = cut.touches
        found["at_edge"] = touches
    elif set(box) <= set(joined.table.columns):
        top, left, bottom, right = (joined.table[c].to_numpy(dtype=float) for c in box)
        found["at_edge"] = (top <= 0) | (left <= 0) | (bottom >= height) | (right >= width)
    y, x = (np.floor(obs[c].to_numpy() + 0.5) - size // 2 for c in ("y_px", "x_px"))
    found["padded"] = (y < 0) | (x < 0) | (y + size > height) | (x + size > width)
    return found
