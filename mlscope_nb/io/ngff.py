"""What an OME-Zarr store says of itself, read as plain JSON and distrusted: axes, scales, channels, wells, labels.

Source: the specifications 0.1 to 0.5 at https://ngff.openmicroscopy.org. Nothing here reads a pixel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlscope_nb._words import some
from mlscope_nb.io.limits import MAX_BYTES, inside
from mlscope_nb.io.pixels import UNITS

if TYPE_CHECKING:
    import zarr

MAX_JSON = 20_000_000
VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5")
# What zarr raises for descriptions that are not what was written.
DAMAGE = (
    OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError, RuntimeError,
    MemoryError, ImportError,
)  # fmt: skip
_LETTERS = {"time": "T", "channel": "C"}
# Codecs that turn bytes into numbers and nothing else; numcodecs also has one that unpickles.
SAFE_CODECS = {
    "blosc", "bytes", "crc32", "crc32c", "delta", "fixedscaleoffset", "gzip", "lz4", "lzma", "bz2", "packbits",
    "shuffle", "sharding_indexed", "transpose", "zlib", "zstd", "adler32", "fletcher32", "bitround", "quantize",
    "astype",
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """One image of a store at one size.

    Parameters
    ----------
    store : Path
        The folder of the store.
    path : str
        Where the array lies in it.
    axes : str
        One letter for each axis: T, C, Z, Y, X.
    shape, dtype
        Of the array.
    channels : tuple of str or None
    pixel_size_um : float or None
    notes : tuple of str
        What was missing or odd.
    """

    store: Path
    path: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    channels: tuple[str, ...] | None
    pixel_size_um: float | None
    notes: tuple[str, ...] = ()


def attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a zarr group or array, those of OME-Zarr on top, whatever the version.

    Raises
    ------
    ValueError
        They are missing, damaged or unreasonably long.
    """
    for name, inner in (("zarr.json", "attributes"), (".zattrs", "")):
        file = folder / name
        if file.is_file():
            found = read_json(file)
            about = found.get(inner, {}) if inner else found
            if not isinstance(about, dict):
                raise ValueError(f"'{file}' holds no attributes")
            ome = about.get("ome", {})
            return {**about, **(ome if isinstance(ome, dict) else {})}
    return {}


def read_json(file: Path) -> dict[str, Any]:
    """Read a small JSON file that holds an object.

    Raises
    ------
    ValueError
        It is longer than 20 MB, or no such JSON.
    """
    if file.stat().st_size > MAX_JSON:
        raise ValueError(f"'{file}' has {file.stat().st_size:,} bytes, more than a description needs")
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"'{file}' is no JSON: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise ValueError(f"'{file}' holds a {type(found).__name__}, expected a description")
    return found


def inner_folder(store: Path, path: str) -> Path:
    """Return the folder of a group in a store, refusing paths and links that lead out of it.

    Parameters
    ----------
    store : Path
    path : str
        Of the group; "" for the store itself.

    Raises
    ------
    ValueError
        It lies elsewhere, or is not there.
    """
    folder = store.joinpath(*inside(path)) if path else store
    if not folder.resolve().is_relative_to(store.resolve()):
        raise ValueError(f"'{folder}' leads out of '{store}'; only what lies inside is read")
    if not folder.is_dir():
        raise ValueError(f"'{folder}' is named, but not there")
    return folder


def image_level(store: Path, path: str, level: int) -> Level:
    """Return what one image of a store holds at one size.

    Parameters
    ----------
    store : Path
        The folder of the store.
    path : str
        The image's group in it, "" for the store itself.
    level : int
        0 for the full size, 1 for the next smaller copy, …

    Raises
    ------
    ValueError
        The image is damaged, of an unknown version, has no such level, or holds what is no image.
    """
    folder = inner_folder(store, path)
    about = attributes(folder)
    scales = about.get("multiscales")
    if not isinstance(scales, list) or not scales or not isinstance(scales[0], dict):
        raise ValueError(f"'{folder}' has no multiscales: it is no OME-Zarr image")
    scale = scales[0]
    _check_version(str(about.get("version", scale.get("version", "0.4"))), folder)
    datasets = scale.get("datasets")
    if (
        not isinstance(datasets, list)
        or not all(isinstance(d, dict) for d in datasets)
        or not 0 <= level < len(datasets)
    ):
        n = len(datasets) if isinstance(datasets, list) else 0
        raise ValueError(f"'{folder}' has {n} levels, there is no level {level}")
    own = str(datasets[level].get("path", ""))
    where = "/".join([*([path] if path else []), *inside(own)])
    inner_folder(store, where)
    array = open_array(store, where)
    axes = _axes(scale.get("axes"), array.ndim, folder)
    size, notes = _pixel_size(scale, datasets[level], axes)
    n_channels = dict(zip(axes, array.shape, strict=True)).get("C", 1)
    channels = _channels(about.get("omero"), n_channels)
    return Level(store, where, axes, tuple(array.shape), np.dtype(array.dtype), channels, size, notes)


def open_array(store: Path, path: str) -> zarr.Array[Any]:
    """Open an array of numbers for reading.

    Raises
    ------
    ValueError
        It is damaged, holds no numbers, or wants to be unpacked by what might run code.
    """
    import zarr

    from mlscope_nb.io.zarr_pieces import CheckedPieces

    where = f"'{store}/{path}'"
    pieces = CheckedPieces(store, read_only=True)
    try:
        array = zarr.open_array(pieces, path=path, mode="r")
        codecs = frozenset(_codecs(array.metadata.to_dict()))
    except DAMAGE as error:
        raise ValueError(f"{where} cannot be opened as zarr: {str(error)[:300]}") from error
    if array.dtype.kind not in "uifb":
        raise ValueError(f"{where} holds {array.dtype}, expected integers or floats")
    odd = sorted(codecs - SAFE_CODECS)
    if odd:
        raise ValueError(f"{where} is packed with {some(odd)}, which is not read")
    shape = getattr(array, "shards", None) or array.chunks
    size = int(np.prod([max(int(c), 1) for c in shape], dtype=object)) * array.dtype.itemsize
    if not array.size or min(array.shape) < 1 or size > MAX_BYTES:
        raise ValueError(f"{where} says it has shape {array.shape} in pieces of {shape}, which cannot be real")
    pieces.raw_bytes, pieces.codecs = size, codecs
    return array


def _check_version(version: str, folder: Path) -> None:
    if version not in VERSIONS:
        raise ValueError(f"'{folder}' is OME-Zarr {version[:20]}, this mlscope reads {VERSIONS[0]} to {VERSIONS[-1]}")


def _axes(axes: Any, ndim: int, folder: Path) -> str:
    """Return one letter for each axis; before 0.3 there were always five."""
    if axes is None and ndim <= 5:
        return "TCZYX"[5 - ndim :] if ndim in (2, 5) else "TCZYX"
    named = [a if isinstance(a, dict) else {"name": a} for a in axes] if isinstance(axes, list) else []
    letters = [_LETTERS.get(str(a.get("type")), str(a.get("name", "?")).upper()) for a in named]
    spatial = [i for i, a in enumerate(named) if a.get("type") == "space"]
    if not set("YX") <= set(letters) and 2 <= len(spatial) <= 3:
        for i, letter in zip(reversed(spatial), "XYZ", strict=False):
            letters[i] = letter
    if len(letters) != ndim or len(set(letters)) < ndim or any(len(a) != 1 for a in letters):
        raise ValueError(f"'{folder}' names the axes {letters} of an array of {ndim}")
    return "".join(letters)


def _pixel_size(
    scale: Mapping[str, Any], dataset: Mapping[str, Any], axes: str
) -> tuple[float | None, tuple[str, ...]]:
    """Return micrometres per pixel along x, and what is to be said of it."""
    factors = [_scales(dataset, len(axes)), _scales(scale, len(axes))]
    total = np.prod([f for f in factors if f is not None], axis=0) if any(f is not None for f in factors) else None
    if total is None:
        return None, ()
    x, y = (float(total[axes.index(a)]) for a in "XY")
    named = scale.get("axes")
    about = named[axes.index("X")] if isinstance(named, list) else None
    unit = str(about.get("unit", "")) if isinstance(about, dict) else ""
    if unit not in UNITS:
        return None, (
            f"a scale of {x:g} with the unit '{unit or 'none'}': give pixel_size_um=",
        ) if x != 1 or unit else ()
    size = x * UNITS[unit]
    if not np.isfinite(size) or size <= 0:
        return None, ("the scale is no length",)
    return size, () if abs(x - y) <= 0.01 * x else (f"pixels are not square: {x:g} × {y:g} {unit}",)


def _scales(about: Mapping[str, Any], ndim: int) -> np.ndarray | None:
    steps = about.get("coordinateTransformations", [])
    for step in steps if isinstance(steps, list) else []:
        values = step.get("scale") if isinstance(step, dict) and step.get("type") == "scale" else None
        if isinstance(values, list) and len(values) == ndim and all(isinstance(v, int | float) for v in values):
            return np.array(values, float)
    return None


def _channels(omero: Any, n: int) -> tuple[str, ...] | None:
    shown = omero.get("channels") if isinstance(omero, dict) else None
    named = [c.get("label") for c in shown if isinstance(c, dict)] if isinstance(shown, list) else []
    fits = len(named) == n and all(named) and len({str(c) for c in named}) == n
    return tuple(map(str, named)) if fits else None


def _codecs(about: Any) -> set[str]:
    """Return the names of all codecs in the description of an array, those inside of shards too."""
    found: set[str] = set()
    for key in ("codecs", "filters", "compressor", "index_codecs", "compressors"):
        part = about.get(key) if isinstance(about, dict) else None
        for codec in part if isinstance(part, list | tuple) else [part] if part else []:
            plain = codec if isinstance(codec, dict) else codec.get_config() if hasattr(codec, "get_config") else {}
            found.add(str(plain.get("name", plain.get("id", codec))).removeprefix("numcodecs."))
            found |= _codecs(plain.get("configuration"))
    return found
