"""Fields of view from files: one file a field or one a channel, masks alongside, a table that describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.fields import Fields, Reader, Stack
from mlscope_nb.io import file_tables, listing
from mlscope_nb.io.field_groups import every_frame, field_groups
from mlscope_nb.io.fieldfiles import FieldFiles
from mlscope_nb.io.label_files import read_labels
from mlscope_nb.io.layouts import join_wells, well_columns
from mlscope_nb.io.listing import Errors, Paths, Problem
from mlscope_nb.io.pixels import Picture
from mlscope_nb.io.stacks import Frame, Projection, check_choice


def read_fields(
    images: Paths,
    masks: Paths | None = None,
    metadata: str | Path | pd.DataFrame | None = None,
    *,
    channels: Sequence[str] | Mapping[str, str] | None = None,
    on: str | None = None,
    pattern: str | None = None,
    projection: Projection | None = None,
    frame: Frame | None = None,
    errors: Errors = "warn",
    keep_mb: float = 1000,
    pixel_size_um: float | None = None,
    **design: Any,
) -> Fields:
    """Read whole fields of view; what cannot be read is left out and named.

    Every file is opened once to check it. While all fit in `keep_mb` they stay in memory, else each is read again when
    it is used.

    Parameters
    ----------
    images : path, pattern or list of paths
        A folder, a pattern such as ``"plate1/*.tif"``, or files; TIFF, OME-TIFF, PNG, JPEG; any bit depth.
    masks : path, pattern or list of paths, optional
        Label masks with the names of their images (``a.tif`` and ``a.png``, ``a_mask.tif``, ``a_cp_masks.png``); also
        the npy and zarr of label layers that napari saves.
    metadata : CSV file or DataFrame, optional
        One row per field, joined by file name.
    channels : list of str, or dict of str, optional
        Names of the channels; or, for one file a channel, ``{"DNA": "*_D.tif", "actin": "*_F.tif"}`` with `images` the
        folder: what ``*`` stands for names the field. With `pattern`, ``{"DNA": "1", "actin": "2"}``: what stands in
        the file names; only these are read.
    on : str, optional
        The column of `metadata` with the file names, where it cannot be guessed.
    pattern : str, optional
        How files are named: a preset ("Harmony", "ImageXpress", "CellVoyager", "Incucyte", …) or a template such as
        ``"{plate}_{well}_{site}_{channel}.tif"``. Parts become columns of ``obs``; files of one field are put
        together. `recognise` guesses it and shows what it makes of each name.
    projection : {"max", "mean", "sum", "middle"}, optional
        How the planes of a stack become one image; without it a stack is refused. Sums are uint32.
    frame : int or "all", optional
        Which frame of a movie; "all" makes every frame a field, with the columns ``movie`` and ``frame``, and the
        movie as the unit of independence unless another is named.
    errors : {"warn", "raise"}
        Leave bad files out and name them in a warning and in ``.problems``, or stop.
    keep_mb : float
        How many MB of images to hold in memory.
    pixel_size_um : float, optional
        Micrometres per pixel; taken from OME-TIFF when all files agree.
    **design
        label, unit, batch, control, treatment: columns of `metadata`.

    Returns
    -------
    Fields
        ``obs`` has the column ``file`` and those of `metadata`.

    Raises
    ------
    FileNotFoundError
        Nothing matches.
    ValueError
        No file could be read, the table names a file twice, ``errors="raise"`` and a file is bad, or names hold
        planes or times and nobody chose.

    Examples
    --------
    >>> from mlscope_nb.datasets import embedded
    >>> fields = read_fields(embedded.folder() / "fly", channels=["DNA", "F", "R"])
    >>> list(fields.ids)
    ['POS002', 'POS076', 'POS218']
    """
    check_choice(projection, frame)
    groups, mask_files, problems, named = field_groups(images, channels, masks, pattern, projection, frame)
    total = sum(len({f for fs in g.channels for f in fs}) for g in groups.values()) + len(problems)
    if frame == "all":
        groups, mask_files, more = every_frame(groups, mask_files)
        problems += more
    found, more = _read_all(groups, mask_files, masks is not None, keep_mb)
    obs = _obs(groups, list(found))
    problems += more
    if metadata is not None and found:
        with file_tables.naming_table(metadata):
            table, unmatched = _joined(groups, list(found), metadata, on)
        bad = {listing.plain_stem(p["file"]) for p in problems}
        problems += [p for p in unmatched if listing.plain_stem(p["file"]) not in bad]
        obs = obs.loc[table.index].join(table, rsuffix="_table")
    listing.report(problems, errors, total, ".problems")
    if not len(obs):
        named_problems = some(f"{p['file']}: {p['problem']}" for p in problems)
        raise ValueError(f"None of {total} files could be read: {named_problems}.")
    chosen = [found[n] for n in obs.index]
    if frame == "all":
        design.setdefault("unit", "movie")
    return Fields(
        obs,
        Stack([f.image for f in chosen], [f.shape for f in chosen]),
        None if masks is None else [f.mask for f in chosen if f.mask is not None],
        channels=_channel_names(named if named is not None else channels, chosen),
        pixel_size_um=pixel_size_um if pixel_size_um is not None else _agreed([f.pixel_size_um for f in chosen]),
        history=[
            _step(images, masks, metadata, chosen, {"pattern": pattern, "projection": projection, "frame": frame})
        ],
        problems=problems,
        **design,
    )


class _Field:
    """One field as found on disk."""

    def __init__(self, picture: Picture, image: np.ndarray | Reader, mask: np.ndarray | None) -> None:
        self.image, self.mask = image, mask
        self.shape, self.dtype = picture.pixels.shape, picture.pixels.dtype
        self.channels, self.pixel_size_um, self.remarks = picture.channels, picture.pixel_size_um, picture.remarks


def _obs(groups: Mapping[str, FieldFiles], names: Sequence[str]) -> pd.DataFrame:
    index = pd.Index(list(names), dtype=object)
    rows = [{"file": str(groups[n].first), **groups[n].parts} for n in names]
    return pd.DataFrame(rows, index=index) if rows else pd.DataFrame({"file": []}, index=index)


def _joined(
    groups: Mapping[str, FieldFiles], names: Sequence[str], metadata: str | Path | pd.DataFrame, on: str | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Join a table by file name, or by plate and well where the names of files say these."""
    table = file_tables.read_table(metadata)
    parts = pd.DataFrame([groups[n].parts for n in names], index=pd.Index(list(names), dtype=object))
    keys = well_columns(table, parts)
    if keys and on is None:
        return join_wells(parts, table, keys, {n: str(groups[n].first) for n in names})
    return file_tables.join_table(names, [groups[n].first for n in names], table, on)


def _read_all(
    groups: Mapping[str, FieldFiles], masks: Mapping[str, Path], want_masks: bool, keep_mb: float
) -> tuple[dict[str, _Field], list[Problem]]:
    found: dict[str, _Field] = {}
    problems: list[Problem] = []
    held = 0.0
    for name, files in tqdm(groups.items(), desc="Reading fields", unit="field", delay=2, leave=False):
        try:
            picture = files.read()
            if want_masks and name not in masks:
                raise ValueError("no mask that is certainly its own (same name, and same folder where names repeat)")
            mask = _mask(masks[name], files.frame) if want_masks else None
            if mask is not None and mask.shape != picture.pixels.shape[1:]:
                raise ValueError(f"its mask is {mask.shape}, the image {picture.pixels.shape[1:]}")
        except (ValueError, OSError) as error:
            problems.append({"file": str(files.first), "problem": str(error)})
            continue
        held += picture.pixels.nbytes / 1e6
        image = picture.pixels if held <= keep_mb else _reader(files)
        found[name] = _Field(picture, image, mask)
    for odd in (
        listing.odd_ones({n: len(f.shape) and f.shape[0] for n, f in found.items()}, "channels:"),
        listing.odd_ones({n: f.dtype.name for n, f in found.items()}, "the type"),
    ):
        for name, problem in odd.items():
            if found.pop(name, None) is not None:
                problems.append({"file": str(groups[name].first), "problem": problem})
    return found, problems


def _mask(file: Path, frame: int | None) -> np.ndarray:
    try:
        return read_labels(file, frame)
    except (ValueError, OSError) as error:
        raise ValueError(f"its mask {file.name} {error}") from error


def _reader(files: FieldFiles) -> Reader:
    # No lambda: it has to be sent to the workers of a pipeline.
    return partial(_pixels, files)


def _pixels(files: FieldFiles) -> np.ndarray:
    return files.read().pixels


def _channel_names(channels: Sequence[str] | Mapping[str, str] | None, found: Sequence[_Field]) -> list[str] | None:
    if channels is not None:
        return [channels] if isinstance(channels, str) else list(channels)
    named = _agreed([f.channels for f in found])
    if named is None and found[0].shape[0] == 3 and found[0].dtype == np.uint8:
        return ["red", "green", "blue"]
    return None if named is None else list(named)


def _agreed(values: Sequence[Any]) -> Any:
    return values[0] if values and all(v == values[0] for v in values) else None


def _step(
    images: Paths, masks: Paths | None, metadata: object, found: Sequence[_Field], choices: Mapping[str, Any]
) -> dict[str, Any]:
    step: dict[str, Any] = {
        "step": "read_fields",
        "n": len(found),
        "images": str(images) if isinstance(images, str | Path) else f"{len(images)} files",
    }
    step |= {name: value for name, value in choices.items() if value is not None}
    remarks = sorted({r for f in found for r in f.remarks})
    if remarks:
        step["note"] = "; ".join(remarks)
    if masks is not None:
        empty = sum(1 for f in found if f.mask is not None and not f.mask.any())
        step["masks"] = f"read, {empty} without objects" if empty else "read"
    if isinstance(metadata, str | Path):
        step["metadata"] = str(metadata)
    return step
