"""Fields of view from files: one file a field or one a channel, masks alongside, a table that describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.fields import Fields, Reader, Stack
from mlscope_nb.io import listing
from mlscope_nb.io.listing import Errors, Paths, Problem
from mlscope_nb.io.pixels import Picture, read_image, read_mask


def read_fields(
    images: Paths,
    masks: Paths | None = None,
    metadata: str | Path | pd.DataFrame | None = None,
    *,
    channels: Sequence[str] | Mapping[str, str] | None = None,
    on: str | None = None,
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
        Label masks with the names of their images (``a.tif`` and ``a.png``, ``a_mask.tif``, ``a_cp_masks.png``).
    metadata : CSV file or DataFrame, optional
        One row per field, joined by file name.
    channels : list of str, or dict of str, optional
        Names of the channels; or, for one file a channel, ``{"DNA": "*_D.tif", "actin": "*_F.tif"}`` with `images` the
        folder: what ``*`` stands for names the field.
    on : str, optional
        The column of `metadata` with the file names, where it cannot be guessed.
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
        No file could be read, the table names a file twice, or ``errors="raise"`` and a file is bad.

    Examples
    --------
    >>> from mlscope_nb.datasets import embedded
    >>> fields = read_fields(embedded.folder() / "fly", channels=["DNA", "F", "R"])
    >>> list(fields.ids)
    ['POS002', 'POS076', 'POS218']
    """
    groups, mask_files, problems = _groups(images, channels, masks)
    total = sum(map(len, groups.values())) + len(problems)
    found, more = _read_all(groups, mask_files, masks is not None, keep_mb)
    obs = pd.DataFrame({"file": [str(groups[n][0]) for n in found]}, index=pd.Index(found, dtype=object))
    problems += more
    if metadata is not None and found:
        files = [groups[n][0] for n in found]
        table, unmatched = listing.join_table(list(found), files, listing.read_table(metadata), on)
        bad = {Path(p["file"]).name for p in problems}
        problems += [p for p in unmatched if Path(p["file"]).name not in bad]
        obs = obs.loc[table.index].join(table, rsuffix="_table")
    listing.report(problems, errors, total, ".problems")
    if not len(obs):
        named = some(f"{p['file']}: {p['problem']}" for p in problems)
        raise ValueError(f"None of {total} files could be read: {named}.")
    chosen = [found[n] for n in obs.index]
    return Fields(
        obs,
        Stack([f.image for f in chosen], [f.shape for f in chosen]),
        None if masks is None else [f.mask for f in chosen if f.mask is not None],
        channels=_channel_names(channels, chosen),
        pixel_size_um=pixel_size_um if pixel_size_um is not None else _agreed([f.pixel_size_um for f in chosen]),
        history=[_step(images, masks, metadata, chosen)],
        problems=problems,
        **design,
    )


class _Field:
    """One field as found on disk."""

    def __init__(self, picture: Picture, image: np.ndarray | Reader, mask: np.ndarray | None) -> None:
        self.image, self.mask = image, mask
        self.shape, self.dtype = picture.pixels.shape, picture.pixels.dtype
        self.channels, self.pixel_size_um, self.remarks = picture.channels, picture.pixel_size_um, picture.remarks


def _groups(
    images: Paths, channels: Sequence[str] | Mapping[str, str] | None, masks: Paths | None
) -> tuple[dict[str, list[Path]], dict[str, Path], list[Problem]]:
    if isinstance(channels, Mapping):
        if not isinstance(images, str | Path) or not Path(images).is_dir():
            raise ValueError(f"With one file a channel, images is the folder of the files, found {images!r}.")
        groups, problems = listing.by_channel(images, channels)
        known = {Path(f).resolve() for files in groups.values() for f in files}
        found = [] if masks is None else [p for p in listing.list_files(masks) if p.resolve() not in known]
        by_name = {name: files[0].with_name(name) for name, files in groups.items()}
        return (
            groups,
            {**listing.match_masks({n: f[0] for n, f in groups.items()}, found), **listing.match_masks(by_name, found)},
            problems,
        )
    files, found = listing.list_files(images), []
    if masks is not None:
        files, found = listing.without_masks(files, masks)
    named = dict(zip(listing.unique_names(files), files, strict=True))
    return {name: [file] for name, file in named.items()}, listing.match_masks(named, found), []


def _read_all(
    groups: Mapping[str, list[Path]], masks: Mapping[str, Path], want_masks: bool, keep_mb: float
) -> tuple[dict[str, _Field], list[Problem]]:
    found: dict[str, _Field] = {}
    problems: list[Problem] = []
    held = 0.0
    for name, files in tqdm(groups.items(), desc="Reading fields", unit="field", delay=2, leave=False):
        try:
            picture = _read_group(files)
            if want_masks and name not in masks:
                raise ValueError("no mask that is certainly its own (same name, and same folder where names repeat)")
            mask = read_mask(masks[name]) if want_masks else None
            if mask is not None and mask.shape != picture.pixels.shape[1:]:
                raise ValueError(f"its mask is {mask.shape}, the image {picture.pixels.shape[1:]}")
        except (ValueError, OSError) as error:
            problems.append({"file": str(files[0]), "problem": str(error)})
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
                problems.append({"file": str(groups[name][0]), "problem": problem})
    return found, problems


def _read_group(files: Sequence[Path]) -> Picture:
    if len(files) == 1:
        return read_image(files[0])
    parts = [read_image(file) for file in files]
    for file, part in zip(files, parts, strict=True):
        first = parts[0].pixels
        if len(part.pixels) != 1:
            raise ValueError(f"{file.name} has {len(part.pixels)} channels, expected one file for each channel")
        if part.pixels.shape != first.shape or part.pixels.dtype != first.dtype:
            raise ValueError(
                f"{file.name} is {part.pixels.shape[1:]} {part.pixels.dtype}, "
                f"{files[0].name} is {first.shape[1:]} {first.dtype}; channels of a field must be alike"
            )
    return Picture(np.concatenate([p.pixels for p in parts]), pixel_size_um=parts[0].pixel_size_um)


def _reader(files: Sequence[Path]) -> Reader:
    return lambda: _read_group(files).pixels


def _channel_names(channels: Sequence[str] | Mapping[str, str] | None, found: Sequence[_Field]) -> list[str] | None:
    if channels is not None:
        return [channels] if isinstance(channels, str) else list(channels)
    named = _agreed([f.channels for f in found])
    if named is None and found[0].shape[0] == 3 and found[0].dtype == np.uint8:
        return ["red", "green", "blue"]
    return None if named is None else list(named)


def _agreed(values: Sequence[Any]) -> Any:
    return values[0] if values and all(v == values[0] for v in values) else None


def _step(images: Paths, masks: Paths | None, metadata: object, found: Sequence[_Field]) -> dict[str, Any]:
    step: dict[str, Any] = {
        "step": "read_fields",
        "n": len(found),
        "images": str(images) if isinstance(images, str | Path) else f"{len(images)} files",
    }
    remarks = sorted({r for f in found for r in f.remarks})
    if remarks:
        step["note"] = "; ".join(remarks)
    if masks is not None:
        empty = sum(1 for f in found if f.mask is not None and not f.mask.any())
        step["masks"] = f"read, {empty} without objects" if empty else "read"
    if isinstance(metadata, str | Path):
        step["metadata"] = str(metadata)
    return step
