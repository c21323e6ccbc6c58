"""OME-Zarr images and plates as fields that are read when they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.fields import Fields, Stack
from mlscope_nb.io import file_tables, listing
from mlscope_nb.io.limits import check_size
from mlscope_nb.io.listing import Errors, Problem
from mlscope_nb.io.ngff import Level, image_level, inner_folder
from mlscope_nb.io.ngff_groups import images_of, label_names
from mlscope_nb.io.stacks import Frame, Projection, check_choice, named_axes
from mlscope_nb.io.zarr_images import ZarrImage

if TYPE_CHECKING:
    from mlscope_nb.cells import Cells


def read_omezarr(
    path: str | Path | Sequence[str | Path],
    metadata: str | Path | pd.DataFrame | None = None,
    *,
    labels: str | bool | None = None,
    channels: Sequence[str] | None = None,
    level: int = 0,
    projection: Projection | None = None,
    frame: Frame | None = None,
    pixel_size_um: float | None = None,
    errors: Errors = "warn",
    **design: Any,
) -> Fields | Cells:
    """Read OME-Zarr images or HCS plates (0.1 to 0.5); pixels stay on disk until they are needed.

    Parameters
    ----------
    path : path or list of paths
        Folders of stores: an image, a plate, several images or plates in one, or what `write_omezarr` wrote.
    metadata : CSV file or DataFrame, optional
        A layout with a column for the well (and plate), or with the names of the fields.
    labels : str or bool, optional
        The label image that holds the masks. With nothing given it is the one called "masks", or the only one; False
        reads none.
    channels : list of str, optional
        Names of the channels, where the store has none or others are wanted.
    level : int
        0 for the full size, 1 for the next smaller copy, …
    projection, frame
        As in `read_fields`: stacks and movies are refused unless it is said how they become images.
    pixel_size_um : float, optional
        Micrometres per pixel, where the store does not say.
    errors : {"warn", "raise"}
        As in `read_fields`.
    **design
        label, unit, batch, control, treatment: columns of ``obs``.

    Returns
    -------
    Fields
        ``obs`` has ``file``, and for plates ``plate``, ``well`` ("A01"), ``field`` and ``acquisition``. `Cells` where
        `write_omezarr` wrote cells.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The store is damaged, of an unknown version, or nothing in it can be read.

    Notes
    -----
    Source: the specifications at https://ngff.openmicroscopy.org. Paths in a store that lead out of it, and arrays that
    are packed in ways that might run code, are refused.

    Examples
    --------
    >>> from mlscope_nb.datasets import load_fields
    >>> import tempfile
    >>> from mlscope_nb.io import write_omezarr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_omezarr(load_fields("fly"), f"{folder}/fly.zarr")
    ...     fields = read_omezarr(path)
    ...     fields.channels, fields.images[0].dtype.name
    (('DNA', 'F', 'R'), 'uint8')
    """
    check_choice(projection, frame)
    stores = [Path(p) for p in ([path] if isinstance(path, str | Path) else path)]
    missing = [s for s in stores if not s.is_dir()]
    if missing:
        raise FileNotFoundError(
            f"There is no folder {some(missing)}. An OME-Zarr store is a folder; unpack a .zip first."
        )
    if len(stores) == 1 and metadata is None and not isinstance(labels, str):
        from mlscope_nb.io.omezarr_return import as_written

        written = as_written(
            stores[0],
            level=level,
            labels=labels is not False,
            channels=channels,
            pixel_size_um=pixel_size_um,
            design=design,
        )
        if written is not None:
            return written
    found, problems = _collect(stores, level, labels, projection, frame)
    obs = _table(found)
    if metadata is not None and len(obs):
        with file_tables.naming_table(metadata):
            obs, more = _with_layout(obs, metadata)
        problems += more
    listing.report(problems, errors, len(found) + len(problems), ".problems")
    if not len(obs):
        raise ValueError(f"Nothing in {some(stores)} could be read: {some(p['problem'] for p in problems)}.")
    chosen = [found[name] for name in obs.index]
    if frame == "all":
        design.setdefault("unit", "movie")
    return _fields(obs, chosen, stores, problems, channels, pixel_size_um, design)


@dataclass(frozen=True)
class _Found:
    """One field: its image, its mask, and what is known of it."""

    image: ZarrImage
    mask: ZarrImage | None
    parts: Mapping[str, Any]


def _fields(
    obs: pd.DataFrame,
    chosen: Sequence[_Found],
    stores: Sequence[Path],
    problems: Sequence[Problem],
    channels: Sequence[str] | None,
    pixel_size_um: float | None,
    design: Mapping[str, Any],
) -> Fields:
    levels = [f.image.level for f in chosen]
    own = {lv.channels for lv in levels}
    sizes = {lv.pixel_size_um for lv in levels}
    step: dict[str, Any] = {"step": "read_omezarr", "n": len(chosen), "images": some(stores)}
    notes = sorted({n for lv in levels for n in lv.notes})
    if notes:
        step["note"] = "; ".join(notes)
    named = channels if channels is not None else (own.pop() if len(own) == 1 else None)
    masks = [f.mask for f in chosen if f.mask is not None]
    return Fields(
        obs,
        Stack([f.image for f in chosen], [f.image.shape for f in chosen]),
        Stack(masks, [m.shape for m in masks]) if masks else None,
        channels=named,
        pixel_size_um=pixel_size_um if pixel_size_um is not None else (sizes.pop() if len(sizes) == 1 else None),
        history=[step],
        problems=problems,
        **design,
    )


def _collect(
    stores: Sequence[Path], level: int, labels: str | bool | None, projection: str | None, frame: object
) -> tuple[dict[str, _Found], list[Problem]]:
    """Look at every image of every store; what cannot be read is a problem."""
    found: dict[str, _Found] = {}
    problems: list[Problem] = []
    places = [(store, path, parts) for store in stores for path, parts in images_of(store)]
    chosen = _label_choice([(s, p) for s, p, parts in places if "missing" not in parts], labels)
    for store, path, parts in tqdm(places, desc="Looking at images", unit="image", delay=2, leave=False):
        name = _name(store, path, parts, several=len(stores) > 1)
        try:
            if "missing" in parts:
                raise ValueError(str(parts["missing"]))
            for key, one in _frames(name, store, path, level, chosen, projection, frame).items():
                found[_unused(key, found)] = replace(
                    one, parts={"file": f"{store}/{path}".rstrip("/"), **parts, **one.parts}
                )
        except (ValueError, OSError) as error:
            problems.append({"file": f"{store}/{path}", "problem": str(error)})
    for odd in (
        listing.odd_ones({n: f.image.shape[0] for n, f in found.items()}, "channels:"),
        listing.odd_ones({n: f.image.level.dtype.name for n, f in found.items()}, "the type"),
    ):
        problems += [{"file": str(found.pop(n).parts["file"]), "problem": p} for n, p in odd.items() if n in found]
    return found, problems


def _frames(
    name: str, store: Path, path: str, level: int, labels: str | None, projection: str | None, frame: object
) -> dict[str, _Found]:
    """Return one field, or one for each frame of a movie."""
    image = image_level(store, path, level)
    axes = named_axes(image.axes, image.shape, projection, frame)
    check_size(int(np.prod(image.shape, dtype=object)) * image.dtype.itemsize // _times(image), 2**40)
    image = replace(image, axes=axes)
    own = None if labels is None else _mask_level(store, path, labels, image, level)
    times = range(_times(image)) if frame == "all" else [frame if isinstance(frame, int) else None]
    found = {}
    for t in times:
        mask = None if own is None else ZarrImage(own, "max", _own_frame(own, t), labels=True, renumber=True)
        parts = {"movie": name, "frame": t} if frame == "all" else {}
        key = f"{name}_t{t:03d}" if frame == "all" else name
        found[key] = _Found(ZarrImage(image, projection, t), mask, parts)
    return found


def _times(image: Level) -> int:
    return dict(zip(image.axes, image.shape, strict=True)).get("T", 1)


def _own_frame(mask: Level, frame: int | None) -> int | None:
    return None if frame is None else min(frame, _times(mask) - 1)


def _mask_level(store: Path, path: str, labels: str, image: Level, level: int) -> Level:
    where = "/".join([*([path] if path else []), "labels", labels])
    mask = image_level(store, where, level)
    sizes, own = (dict(zip(m.axes, m.shape, strict=True)) for m in (image, mask))
    if (sizes["Y"], sizes["X"]) != (own["Y"], own["X"]):
        raise ValueError(f"its label image is {own['Y']} × {own['X']}, the image {sizes['Y']} × {sizes['X']}")
    if mask.dtype.kind not in "uib" or own.get("C", 1) > 1:
        raise ValueError(f"its label image '{labels}' holds {mask.dtype}, {own.get('C', 1)} channels, expected labels")
    return mask


def _label_choice(places: Sequence[tuple[Path, str]], labels: str | bool | None) -> str | None:
    """Return the label image that is read as masks, the same for all; or refuse to guess."""
    if labels is False or not places:
        return None
    store, path = places[0]
    names = label_names(inner_folder(store, path))
    if isinstance(labels, str):
        if names and labels not in names:
            raise ValueError(f"There is no label image '{labels}' in '{store}/{path}'. There are: {some(names)}.")
        return labels
    if "masks" in names or len(names) == 1:
        return "masks" if "masks" in names else names[0]
    if names:
        warnings.warn(
            f"'{store}' has several label images: {some(names)}; none is read. Choose with labels=…",
            UserWarning,
            stacklevel=4,
        )
    elif labels is True:
        raise ValueError(f"'{store}/{path}' has no label image.")
    return None


def _name(store: Path, path: str, parts: Mapping[str, Any], *, several: bool) -> str:
    own = store.name.removesuffix(".zarr").removesuffix(".ome")
    if "well" in parts:
        start = [str(parts["plate"])] if several or path.count("/") > 2 else []
        return "_".join([*start, str(parts["well"]), str(parts["field"])])
    return own if not path else f"{own}_{path.replace('/', '_')}"


def _unused(name: str, taken: Mapping[str, object]) -> str:
    if name not in taken:
        return name
    return next(n for n in (f"{name}_{i}" for i in range(2, len(taken) + 3)) if n not in taken)


def _table(found: Mapping[str, _Found]) -> pd.DataFrame:
    index = pd.Index(list(found), dtype=object)
    return pd.DataFrame([dict(f.parts) for f in found.values()], index=index)


def _with_layout(obs: pd.DataFrame, metadata: str | Path | pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    from mlscope_nb.io.layouts import join_wells, well_columns

    table = file_tables.read_table(metadata)
    keys = well_columns(table, obs)
    files = dict(zip(obs.index, obs["file"], strict=True))
    if keys:
        rows, problems = join_wells(obs, table, keys, files)
    else:
        rows, problems = file_tables.join_table(list(obs.index), [Path(f) for f in obs["file"]], table, None)
    return obs.loc[rows.index].join(rows, rsuffix="_table"), problems
