"""Stacks and movies: which axis is which, and how a stack or a movie becomes one image, by explicit choice only."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from mlscope_nb._words import count

Projection = Literal["max", "mean", "sum", "middle"]
Frame = int | Literal["all"]
PROJECTIONS: tuple[str, ...] = get_args(Projection)
MAX_CHANNELS = 8
UNKNOWN = "QI"


class Undecided(ValueError):
    """An image is more than one picture, and nobody said which."""


def check_choice(projection: str | None, frame: object) -> None:
    """Refuse a projection or a frame that does not exist.

    Raises
    ------
    ValueError
        ``projection`` is none of those known, or ``frame`` neither a number from 0 on nor "all".
    """
    if projection is not None and projection not in PROJECTIONS:
        raise ValueError(f"projection is {projection!r}, expected one of {', '.join(map(repr, PROJECTIONS))}.")
    whole = isinstance(frame, int | np.integer) and not isinstance(frame, bool) and frame >= 0
    if frame is not None and frame != "all" and not whole:
        raise ValueError(f"frame is {frame!r}, expected a number from 0 on, or 'all'.")


def named_axes(axes: str, shape: tuple[int, ...], projection: str | None, frame: object) -> str:
    """Name the axes of an image, those of pages that the file does not name included, and refuse what is left open.

    Parameters
    ----------
    axes : str
        One letter for each axis: T, Z, C, Y, X, S (colours); Q and I are pages of which the file does not say more.
    shape : tuple of int
    projection : str or None
        How planes (Z) become one.
    frame : int, "all" or None
        Which time (T).

    Returns
    -------
    str
        The axes with Q and I replaced by Z, T or C.

    Raises
    ------
    ValueError
        The image is a stack or a movie and nobody chose; or it has axes that are not known here.

    Examples
    --------
    >>> named_axes("QYX", (30, 64, 64), "max", None)
    'ZYX'
    """
    sizes = dict(zip(axes, shape, strict=True))
    found = f"has axes {axes} {tuple(map(int, shape))}"
    pages = [a for a in axes if a in UNKNOWN and sizes[a] > 1]
    if len(pages) == 1:
        taken = _meaning(pages[0], sizes, projection, frame)
        axes = axes.replace(pages[0], taken)
        sizes = dict(zip(axes, shape, strict=True))
    odd = [a for a in axes if a not in "TZCYXS" and sizes[a] > 1]
    if odd or not {"Y", "X"} <= set(axes) or (sizes.get("S", 1) > 1 and sizes.get("C", 1) > 1):
        raise Undecided(f"{found}, expected one image (Y, X), channels of one (C, Y, X), planes (Z) or frames (T)")
    if sizes.get("T", 1) > 1 and frame is None:
        n = sizes["T"]
        raise Undecided(
            f"{found}: it is a movie of {n} frames; choose one with frame=0 … {n - 1}, or all with frame='all'"
        )
    if sizes.get("Z", 1) > 1 and projection is None:
        choices = ", ".join(f"'{p}'" for p in PROJECTIONS)
        raise Undecided(f"{found}: it is a stack of {sizes['Z']} planes; choose projection= one of {choices}")
    if isinstance(frame, int | np.integer) and int(frame) >= sizes.get("T", 1):
        raise Undecided(f"{found}: there is no frame {frame}, it has {count(sizes.get('T', 1), 'frame')}, from 0 on")
    return axes


def _meaning(axis: str, sizes: dict[str, int], projection: str | None, frame: object) -> str:
    """Take pages of unknown meaning for planes or frames where that was asked for, else a few for channels."""
    if projection is not None and sizes.get("Z", 1) == 1:
        return "Z"
    if frame is not None and sizes.get("T", 1) == 1:
        return "T"
    if sizes[axis] > MAX_CHANNELS or sizes.get("C", 1) > 1:
        n = sizes[axis]
        raise Undecided(
            f"holds {n} pages and does not say whether they are channels, planes or frames; "
            "choose projection= for planes, frame= for frames"
        )
    return "C"


def n_frames(axes: str, shape: tuple[int, ...], projection: str | None) -> int:
    """Return how many frames an image has when all of them are wanted."""
    named = named_axes(axes, shape, projection, "all")
    return dict(zip(named, shape, strict=True)).get("T", 1)


def one_image(array: Any, axes: str, projection: str | None, frame: object) -> np.ndarray:
    """Reduce an array to (C, Y, X): choose the frame, then project the planes.

    Parameters
    ----------
    array : array with shape and slicing (numpy, zarr)
        Only the frame that is wanted is read.
    axes : str
        As `named_axes` returns them.
    projection, frame
        See `named_axes`; with ``frame=None`` there is one frame.

    Returns
    -------
    numpy.ndarray (C, Y, X)
        Of the type of `array`; sums of integers as uint32, means rounded to the type.

    Examples
    --------
    >>> one_image(np.arange(24, dtype="uint16").reshape(3, 2, 2, 2), "ZCYX", "max", None)[:, 0, 0]
    array([16, 20], dtype=uint16)
    """
    sizes = zip(axes, array.shape, strict=True)
    key = tuple(_entry(a, n, frame) for a, n in sizes)
    part = _native(np.asarray(array[key]))
    left = "".join(a for a, k in zip(axes, key, strict=True) if isinstance(k, slice))
    if "Z" in left:
        part = project(part, left.index("Z"), projection)
        left = left.replace("Z", "")
    channel = next((a for a in "CS" if a in left), None)
    if channel is None:
        part, left = part[None], "C" + left
    order = [left.index(channel or "C"), left.index("Y"), left.index("X")]
    part = part.transpose(order)
    colours = channel == "S" and len(part) == 4
    return np.ascontiguousarray(part[:3] if colours else part)


def project(planes: np.ndarray, axis: int, projection: str | None) -> np.ndarray:
    """Make one plane of several."""
    if planes.shape[axis] == 1:
        part: np.ndarray = planes.take(0, axis)
        return part.astype(np.uint32) if projection == "sum" and part.dtype.kind in "ub" else part
    if projection == "max":
        return np.asarray(planes.max(axis))
    if projection == "middle":
        return np.asarray(planes.take(planes.shape[axis] // 2, axis))
    if projection == "sum":
        kind = {"u": np.uint32, "b": np.uint32, "i": np.int64}.get(planes.dtype.kind, planes.dtype)
        return np.asarray(planes.sum(axis, dtype=kind))
    if projection == "mean":
        mean = planes.mean(axis, dtype=np.float64)
        return (np.round(mean) if planes.dtype.kind in "ui" else mean).astype(planes.dtype)
    raise ValueError("planes need projection='max', 'mean', 'sum' or 'middle'")


def _native(array: np.ndarray) -> np.ndarray:
    """Turn the bytes of numbers into the order of this machine: torch and others take no other."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _entry(axis: str, size: int, frame: object) -> int | slice:
    """Choose along one axis: the frame, the only entry, or all."""
    if axis == "T" and isinstance(frame, int | np.integer):
        return int(frame)
    return slice(None) if axis in "ZYX" or size > 1 else 0
