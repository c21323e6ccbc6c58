"""Single-cell crops that exist already: folders by class, lists with a table, npz files, numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.io import file_tables, listing, mask_files
from mlscope_nb.io.crop_arrays import Found, central, from_array, from_npz, is_npz
from mlscope_nb.io.listing import Errors, Paths, Problem
from mlscope_nb.io.pixels import EXTENSIONS, read_image, read_mask


def read_crops(
    source: Paths | np.ndarray,
    metadata: str | Path | pd.DataFrame | None = None,
    *,
    masks: Paths | np.ndarray | None = None,
    channels: Sequence[str] | None = None,
    size: int | None = None,
    on: str | None = None,
    errors: Errors = "warn",
    pixel_size_um: float | None = None,
    **design: Any,
) -> Cells:
    """Read images of single cells; what cannot be read is left out and named.

    Parameters
    ----------
    source : path, pattern, list of paths, or array
        A folder with one folder per class (its name becomes the column ``label``), a folder, pattern or list of
        image files, an ``.npz`` with ``images`` (and ``labels``, ``masks``, ``channels``), or an array (N, C, Y, X),
        (N, Y, X) or (N, Y, X, C ≤ 8).
    metadata : CSV file or DataFrame, optional
        One row per crop, joined by file name; for arrays in the same order.
    masks : path, pattern, list or array, optional
        One mask per crop: by name for files, in order for arrays. The object in the middle becomes 1.
    channels : list of str, optional
        Names of the channels.
    size : int, optional
        Cut or fill every crop to this width and height, centred; needed when sizes differ.
    on, errors, pixel_size_um, **design
        As in `read_fields`; a ``label`` column found in the source is declared unless another is named.

    Returns
    -------
    Cells

    Raises
    ------
    FileNotFoundError
        Nothing matches.
    ValueError
        Nothing could be read, the table does not fit, or ``errors="raise"`` and a file is bad.

    Examples
    --------
    >>> read_crops(np.zeros((3, 16, 16), "uint16"), channels=["DNA"]).images.shape
    (3, 1, 16, 16)
    """
    if size is not None and size < 1:
        raise ValueError(f"size is {size}, expected at least 1 pixel.")
    if is_npz(source):
        found = from_npz(Path(str(source)), metadata, masks)
    elif isinstance(source, np.ndarray):
        found = from_array(source, metadata, masks)
    else:
        found = _from_files(source, metadata, masks, size, on, errors)
    images, own, obs, names, problems = found
    if size is not None:
        images = np.stack([_centred(image, size) for image in images])
        own = None if own is None else np.stack([_centred(m[None], size)[0] for m in own])
    design.setdefault("label", "label" if "label" in obs.columns else None)
    step: dict[str, Any] = {
        "step": "read_crops",
        "n": len(obs),
        "source": "array" if isinstance(source, np.ndarray) else str(source)[:200],
    }
    if problems:
        first = "; ".join(f"{Path(p['file']).name}: {p['problem']}" for p in problems[:5])
        step |= {"note": f"{count(len(problems), 'file')} left out: {first}", "left_out": problems}
    return Cells(
        obs,
        images,
        masks=own,
        channels=channels if channels is not None else names,
        pixel_size_um=pixel_size_um,
        history=[step],
        **design,
    )


def _from_files(source: Paths, metadata: Any, masks: Any, size: int | None, on: str | None, errors: Errors) -> Found:
    if isinstance(masks, np.ndarray):
        raise ValueError("Masks as an array go with images as an array; for files give the folder of the masks.")
    files, classes, problems = _files(source)
    own_files: list[Path] = []
    if masks is not None:
        files, own_files = mask_files.without_masks(files, masks)
    named = dict(zip(listing.unique_names(files), files, strict=True))
    beside = mask_files.match_masks(named, own_files)
    images, own, more = _read_each(named, beside, masks is not None, size)
    problems += more
    obs = pd.DataFrame({"file": [str(named[n]) for n in images]}, index=pd.Index(list(images), dtype=object))
    if classes:
        obs["label"] = [classes[named[n]] for n in images]
    if metadata is not None and images:
        files_of = [Path(f) for f in obs["file"]]
        with file_tables.naming_table(metadata):
            table, more = file_tables.join_table(list(images), files_of, file_tables.read_table(metadata), on)
        bad = {listing.plain_stem(p["file"]) for p in problems}
        problems += [p for p in more if listing.plain_stem(p["file"]) not in bad]
        obs = obs.loc[table.index].join(table, rsuffix="_table")
    listing.report(problems, errors, len(files), "its history (left_out)")
    if not len(obs):
        named_problems = some(p["problem"] for p in problems)
        raise ValueError(f"None of {count(len(files), 'file')} could be read. First: {named_problems}.")
    stack = np.stack([images[n] for n in obs.index])
    return stack, np.stack([own[n] for n in obs.index]) if own else None, obs, None, problems


def _files(source: Paths) -> tuple[list[Path], dict[Path, str], list[Problem]]:
    """List the files, the class of each where there is one folder per class, and folders without images."""
    if isinstance(source, str | Path) and Path(source).is_dir():
        visible = (d for d in Path(source).iterdir() if d.is_dir() and not d.name.startswith("."))
        folders = sorted(visible, key=lambda d: listing.natural(d.name))
        by_class = {d: _images_in(d) for d in folders}
        classes = {p: d.name for d, files in by_class.items() for p in files}
        if classes:
            empty = [d for d, files in by_class.items() if not files]
            return list(classes), classes, [{"file": str(d), "problem": "no images in this folder"} for d in empty]
    return listing.list_files(source), {}, []


def _images_in(folder: Path) -> list[Path]:
    found = (
        p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and p.is_file() and not p.name.startswith(".")
    )
    return sorted(found, key=lambda p: listing.natural(p.name))


def _read_each(
    files: dict[str, Path], masks: dict[str, Path], want_masks: bool, size: int | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[Problem]]:
    images: dict[str, np.ndarray] = {}
    own: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    for name, file in tqdm(files.items(), desc="Reading crops", unit="crop", delay=2, leave=False):
        try:
            image = read_image(file).pixels
            if want_masks:
                if name not in masks:
                    raise ValueError("no mask that is certainly its own")
                mask = read_mask(masks[name])
                if mask.shape != image.shape[1:]:
                    raise ValueError(f"its mask is {mask.shape}, the image {image.shape[1:]}")
                own[name] = _centred(central(mask)[None], size)[0] if size else central(mask)
            images[name] = _centred(image, size) if size else image
        except (ValueError, OSError) as error:
            problems.append({"file": str(file), "problem": str(error)})
    kinds = (
        ({n: i.shape[0] for n, i in images.items()}, "channels:"),
        ({n: i.dtype.name for n, i in images.items()}, "the type"),
    )
    odd = {n: p for kind, what in kinds for n, p in listing.odd_ones(kind, what).items()}
    sizes = listing.odd_ones({n: i.shape[1:] for n, i in images.items() if n not in odd}, "the size")
    odd |= {n: f"{p}; give size=… to cut or fill all to one size" for n, p in sizes.items()}
    for name, problem in odd.items():
        images.pop(name)
        own.pop(name, None)
        problems.append({"file": str(files[name]), "problem": problem})
    return images, own, problems


def _centred(image: np.ndarray, size: int) -> np.ndarray:
    """Cut or fill (with the median of the border) to (C, size, size) around the centre."""
    result = np.empty((len(image), size, size), image.dtype)
    height, width = image.shape[1:]
    border = np.concatenate([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], axis=1)
    result[:] = np.median(border, axis=1).astype(image.dtype)[:, None, None]
    y, x = (size - height) // 2, (size - width) // 2
    y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + height, size), min(x + width, size)
    result[:, y0:y1, x0:x1] = image[:, y0 - y : y1 - y, x0 - x : x1 - x]
    return result
