"""Label masks from files: images, numpy arrays, and the zarr arrays and OME-Zarr labels that napari saves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mlscope_nb.io.limits import DAMAGE, check_header, npy_header
from mlscope_nb.io.pixels import labelled, read_header, read_mask


def read_labels(path: str | Path, frame: int | None = None) -> np.ndarray:
    """Read a label mask (Y, X) from an image, an npy file or a zarr folder.

    Parameters
    ----------
    path : path
        As napari saves a labels layer, or any image of labels. A mask of 0 and one other value is split into pieces.
    frame : int, optional
        Which frame, where the labels are those of a movie (T, Y, X).

    Raises
    ------
    ValueError
        It is damaged, or holds what are no labels.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.array([[0, 7], [9, 9]]))
    ...     read_labels(f"{folder}/a.npy").tolist()
    [[0, 1], [2, 2]]
    """
    file = Path(path)
    kind = file.suffix.lower()
    if kind == ".npy":
        return _one(_load(file), frame)
    if kind == ".zarr":
        return _one(_from_zarr(file), frame)
    header = read_header(file)
    movie = max(header.size_of(a) for a in "TQI") > 1
    return read_mask(file, frame=frame if movie else None)


def _one(array: np.ndarray, frame: int | None) -> np.ndarray:
    """Check labels and choose the frame."""
    found = array.squeeze() if array.ndim > 2 else array
    if found.ndim == 3 and frame is not None and frame < len(found):
        found = found[frame]
    if found.ndim != 2:
        raise ValueError(f"holds labels of shape {array.shape}, expected one mask (Y, X)")
    if found.dtype.kind == "f" and not (found == np.round(found)).all():
        raise ValueError("holds fractions, expected whole numbers: 0 background, 1 … n objects")
    return labelled(found)


def _load(file: Path) -> np.ndarray:
    try:
        with open(file, "rb") as stream:
            npy_header(stream, os.path.getsize(file))
        array: np.ndarray = np.load(file, allow_pickle=False)
    except DAMAGE as error:
        raise ValueError(f"cannot be read as npy ({error})") from error
    return array


def _from_zarr(folder: Path) -> np.ndarray:
    from mlscope_nb.io.ngff import attributes, image_level, open_array

    about = attributes(folder)
    level = image_level(folder, "", 0) if "multiscales" in about else None
    array = open_array(folder, level.path if level else "")
    check_header(tuple(array.shape), np.dtype(array.dtype), 2**40)
    try:
        return np.asarray(array[...])
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, MemoryError) as error:
        raise ValueError(f"cannot be read as zarr ({error})") from error
