"""Single-cell crops that exist already: folders by class, lists with a table, npz files, numpy arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.io import listing
from mlscope_nb.io.listing import Errors, Paths, Problem
from mlscope_nb.io.pixels import EXTENSIONS, labelled, read_image, read_mask

IMAGE_KEYS = ("images", "X", "x", "crops", "data", "arr_0")
LABEL_KEYS = ("labels", "y", "label", "targets")
ID_KEYS = ("cell_id", "ids", "id")


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
        (N, Y, X) or (N, Y, X, C ≤ 4).
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
    if not isinstance(source, np.ndarray) and _is_npz(source):
        found = _from_npz(Path(str(source)), metadata, masks)
    elif isinstance(source, np.ndarray):
        found = _from_array(source, metadata, masks)
    else:
        found = _from_files(source, metadata, masks, size, on, errors)
    images, own, obs, names, problems = found
    if size is not None:
        images = np.stack([_centred(image, size) for image in images])
        own = None if own is None else np.stack([_centred(m[None], size)[0] for m in own])
    design.setdefault("label", "label" if "label" in obs.columns else None)
    step = {
        "step": "read_crops",
        "n": len(obs),
        "source": "array" if isinstance(source, np.ndarray) else str(source)[:200],
    }
    note = "; ".join(f"left out: {Path(p['file']).name} ({p['problem']})" for p in problems[:20])
    return Cells(
        obs,
        images,
        masks=own,
        channels=channels if channels is not None else names,
        pixel_size_um=pixel_size_um,
        history=[{**step, **({"note": note} if note else {})}],
        **design,
    )


Found = tuple[np.ndarray, np.ndarray | None, pd.DataFrame, list[str] | None, list[Problem]]


def _from_array(array: np.ndarray, metadata: Any, masks: Any) -> Found:
    images = _crops_first(array)
    obs = pd.DataFrame(index=pd.RangeIndex(len(images)).map(lambda i: f"cell{i:06d}"))
    return images, _mask_array(masks, images), _in_order(obs, metadata), None, []


def _from_npz(path: Path, metadata: Any, masks: Any) -> Found:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'. Check folder and name.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"'{path}' cannot be read as npz: {error}. Objects (pickles) are never loaded.") from error
    key = next((k for k in IMAGE_KEYS if k in arrays and arrays[k].ndim in (3, 4)), None)
    key = key or next((k for k, a in arrays.items() if a.ndim in (3, 4)), None)
    if key is None:
        raise ValueError(f"'{path}' holds no images: {some(f'{k} {a.shape}' for k, a in arrays.items())}.")
    images = _crops_first(arrays[key])
    obs = pd.DataFrame(index=pd.RangeIndex(len(images)).map(lambda i: f"cell{i:06d}"))
    for name, keys in (("cell_id", ID_KEYS), ("label", LABEL_KEYS)):
        column = next((arrays[k] for k in keys if k in arrays and arrays[k].size == len(images)), None)
        if column is not None:
            obs[name] = column.ravel()
    obs = obs.set_index("cell_id") if "cell_id" in obs else obs
    names = [str(c) for c in arrays["channels"]] if "channels" in arrays else None
    own = masks if masks is not None else arrays.get("masks")
    return images, _mask_array(own, images), _in_order(obs, metadata), names, []


def _from_files(source: Paths, metadata: Any, masks: Any, size: int | None, on: str | None, errors: Errors) -> Found:
    files, classes = _files(source)
    names = listing.unique_names(files)
    if isinstance(masks, np.ndarray):
        raise ValueError("Masks as an array go with images as an array; for files give the folder of the masks.")
    beside = {} if masks is None else listing.match_masks(names, masks)
    images, own, problems = _read_each(dict(zip(names, files, strict=True)), beside, masks is not None, size)
    obs = pd.DataFrame(
        {"file": [str(files[names.index(n)]) for n in images]}, index=pd.Index(list(images), dtype=object)
    )
    if classes is not None:
        obs["label"] = [classes[names.index(n)] for n in images]
    if metadata is not None and images:
        table, more = listing.join_table(list(images), [Path(f) for f in obs["file"]], listing.read_table(metadata), on)
        bad = {Path(p["file"]).name for p in problems}
        problems += [p for p in more if Path(p["file"]).name not in bad]
        obs = obs.loc[table.index].join(table, rsuffix="_table")
    listing.report(problems, errors, len(files))
    if not len(obs):
        raise ValueError(
            f"None of {count(len(files), 'file')} could be read. First: {some(p['problem'] for p in problems)}."
        )
    stack = np.stack([images[n] for n in obs.index])
    return stack, np.stack([own[n] for n in obs.index]) if own else None, obs, None, problems


def _files(source: Paths) -> tuple[list[Path], list[str] | None]:
    if isinstance(source, str | Path) and Path(source).is_dir():
        folders = sorted(
            (d for d in Path(source).iterdir() if d.is_dir() and not d.name.startswith(".")),
            key=lambda d: listing.natural(d.name),
        )
        by_class = {d.name: [p for p in d.iterdir() if p.suffix.lower() in EXTENSIONS] for d in folders}
        pairs = [
            (p, name) for name, files in by_class.items() for p in sorted(files, key=lambda p: listing.natural(p.name))
        ]
        if pairs:
            return [p for p, _ in pairs], [name for _, name in pairs]
    return listing.list_files(source), None


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
                    raise ValueError("no mask with this name")
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


def central(mask: np.ndarray) -> np.ndarray:
    """Code a crop's mask: 1 the object in the middle (or nearest to it), 2, 3, … the others."""
    if not mask.any():
        return np.zeros(mask.shape, np.uint8)
    y, x = np.nonzero(mask)
    middle = (np.array(mask.shape) - 1) / 2
    label = mask[y, x][np.argmin((y - middle[0]) ** 2 + (x - middle[1]) ** 2)]
    values, inverse = np.unique(mask, return_inverse=True)
    others = (values != 0) & (values != label)
    codes = np.where(others, np.minimum(1 + np.cumsum(others), 255), (values == label).astype(int))
    return codes[inverse].reshape(mask.shape).astype(np.uint8)


def _mask_array(masks: Any, images: np.ndarray) -> np.ndarray | None:
    if masks is None:
        return None
    if not isinstance(masks, np.ndarray):
        raise ValueError("Masks of an array are an array too (N, Y, X), in the same order.")
    if masks.shape != (len(images), *images.shape[2:]):
        raise ValueError(f"masks have shape {masks.shape}, expected {(len(images), *images.shape[2:])}.")
    return np.stack([central(labelled(m)) for m in masks]) if len(masks) else masks.astype(np.uint8)


def _crops_first(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim != 4:
        raise ValueError(f"The array has shape {array.shape}, expected (N, C, Y, X), (N, Y, X) or (N, Y, X, C).")
    if array.shape[-1] <= 4 < array.shape[1]:
        return np.ascontiguousarray(np.moveaxis(array, -1, 1))
    return array


def _in_order(obs: pd.DataFrame, metadata: Any) -> pd.DataFrame:
    if metadata is None:
        return obs
    table = listing.read_table(metadata)
    if len(table) != len(obs):
        raise ValueError(
            f"The table has {count(len(table), 'row')} for {count(len(obs), 'crop')}, expected one row each."
        )
    if "cell_id" in table.columns:
        obs = obs.set_axis(pd.Index(table.pop("cell_id").astype(str)), axis=0)
    kept = obs.drop(columns=[c for c in obs.columns if c in table.columns])
    return kept.join(table.set_axis(obs.index, axis=0))


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


def _is_npz(source: object) -> bool:
    return isinstance(source, str | Path) and str(source).lower().endswith(".npz")
