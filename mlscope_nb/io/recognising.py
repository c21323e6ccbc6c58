"""Point at a file or folder, see what it is, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mlscope_nb._words import count, some
from mlscope_nb.io.crop_arrays import IMAGE_KEYS, LABEL_KEYS
from mlscope_nb.io.limits import check_npz
from mlscope_nb.io.looking import MAX_NAMES, Found, look
from mlscope_nb.io.recognise_images import image_folder
from mlscope_nb.io.recognise_tables import table_of_length, tables
from mlscope_nb.io.recognition import Recognition, needs_of
from mlscope_nb.io.stacks import PROJECTIONS

Looker = Callable[[Path, Found], "Recognition | None"]


def recognise(path: str | Path, *, pattern: str | Literal[False] | None = None) -> Recognition:
    """Say what lies at a path and how to read it, as a guess that can be changed; only names and headers are read.

    Parameters
    ----------
    path : path
        A folder of images (one file a field or one a channel), an OME-Zarr image or plate, a CellProfiler folder, or a
        file: image, CZI, ND2, LIF, npz, h5ad, h5sc, Parquet, CSV, SQLite, .mlscope.
    pattern : str, optional
        How images are named, as in `read_fields`; guessed where nothing is given; False takes each file for a field.

    Returns
    -------
    Recognition
        ``.code`` is the line that reads it, ``.read()`` does so, ``.change(…)`` corrects a guess.

    Raises
    ------
    FileNotFoundError
        There is nothing of that name.
    TypeError
        The path is no name of a folder or file.
    ValueError
        The pattern is none.

    Examples
    --------
    >>> from mlscope_nb.datasets import embedded
    >>> found = recognise(embedded.folder() / "fly")
    >>> found.kind, found.reader, found.facts["fields"]
    ('images', 'read_fields', 3)
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"path is {path!r}, expected the name of a folder or file as text: 'my_folder'.")
    place = Path(path).expanduser()
    found = look(place)
    lookers: list[Looker] = [
        _omezarr,
        lambda p, f: tables(p, f, "cellprofiler"),
        lambda p, f: image_folder(p, f, pattern),
        _microscope,
        _hdf5,
        _npz,
        lambda p, f: tables(p, f, "profiles"),
        _saved,
    ]
    hits = list(_hits(place, found, lookers))
    if not hits:
        return _nothing(place, found)
    first, *rest = sorted(hits, key=lambda hit: hit.reader is None)
    problems = (*first.problems, *found.problems)
    return Recognition(**{**_as_dict(first), "also": tuple(rest), "problems": problems})


def _hits(place: Path, found: Found, lookers: list[Looker]) -> Iterator[Recognition]:
    for looker in lookers:
        hit = looker(place, found)
        if hit is not None:
            yield hit


def _as_dict(found: Recognition) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def _nothing(place: Path, found: Found) -> Recognition:
    zipped = [f for f in found.others if f.suffix.lower() == ".zip"]
    what = "no images, tables or stores that mlscope knows"
    if zipped:
        what += f"; unpack {zipped[0].name} first"
    else:
        what += (
            f"{_holds(place)}. Name the folder with your images (.tif, .png, OME-Zarr, …) or tables (.csv, .h5ad, …)"
        )
    return Recognition(place, "nothing", what, problems=tuple(found.problems))


def _holds(place: Path) -> str:
    """Name a few things that lie in a folder, and nothing for a file."""
    if not place.is_dir():
        return ""
    names = sorted(entry.name for entry in islice(place.iterdir(), MAX_NAMES))
    return f"; it holds {some(names, 3)}" if names else "; the folder is empty"


def _omezarr(place: Path, found: Found) -> Recognition | None:
    if not found.zarrs:
        return None
    from mlscope_nb.io.recognise_omezarr import describe

    return describe(place, found.zarrs)


def _microscope(place: Path, found: Found) -> Recognition | None:
    if not found.vendors:
        return None
    from mlscope_nb.io.bioio_files import first_facts, missing_for

    first = found.vendors[0]
    missing, facts = missing_for(first), {}
    try:
        facts = {} if missing else first_facts(first)
    except ValueError as error:
        missing = str(error)
    kinds = ", ".join(sorted({f.suffix.lower() for f in found.vendors}))
    return Recognition(
        place,
        "microscope",
        f"{count(len(found.vendors), 'file')} of a microscope's own format ({kinds})",
        "read_bioio",
        "Fields",
        str(first) if len(found.vendors) == 1 else [str(f) for f in found.vendors],
        choices={"projection": PROJECTIONS, "frame": (), "channels": (), "pixel_size_um": ()},
        needs=needs_of(facts.get("axes", {})),
        facts=facts,
        columns=("file", "scene"),
        problems=({"file": str(first), "problem": missing},) if missing else (),
    )


def _hdf5(place: Path, found: Found) -> Recognition | None:
    if not found.hdf5:
        return None
    from mlscope_nb.io.h5sc import looks_like_single_cells

    file = found.hdf5[0]
    also = f" (the first of {len(found.hdf5)})" if len(found.hdf5) > 1 else ""
    if file.suffix.lower() == ".h5ad" and not looks_like_single_cells(file):
        return Recognition(place, "h5ad", f"cells as AnnData{also}", "read_h5ad", "Cells", str(file))
    if looks_like_single_cells(file):
        what = f"single-cell images in HDF5 (scPortrait){also}"
        options: tuple[Any, ...] = ()
        choices = {"channels": options, "pixel_size_um": options}
        return Recognition(place, "single cells", what, "read_h5sc", "Cells", str(file), choices=choices)
    return None


def _npz(place: Path, found: Found) -> Recognition | None:
    files = [f for f in found.arrays if f.suffix.lower() == ".npz"]
    if not files:
        return None
    file = files[0]
    try:
        arrays = check_npz(file)
    except ValueError as error:
        problem = {"file": str(file), "problem": str(error)}
        return Recognition(place, "npz", "an npz file that cannot be read", problems=(problem,))
    facts: dict[str, Any] = {"arrays": {n: f"{shape} {dtype}" for n, (shape, dtype) in arrays.items()}}
    if "train_images" in arrays:
        choices: dict[str, tuple[Any, ...]] = {"part": ("all", "train", "val", "test")}
        return Recognition(
            place, "medmnist", "MedMNIST", "read_medmnist", "Cells", str(file), choices=choices, facts=facts,
            columns=("label", "split"),
        )  # fmt: skip
    if "features" in arrays and not any(n in arrays for n in IMAGE_KEYS):
        what = f"{count(len(files), 'npz file')} of features (DeepProfiler)"
        return Recognition(place, "profiles", what, "read_profiles", "Cells", str(place), facts=facts)
    return _crop_arrays(place, found, file, arrays, facts)


def _crop_arrays(
    place: Path, found: Found, file: Path, arrays: dict[str, tuple[tuple[int, ...], Any]], facts: dict[str, Any]
) -> Recognition | None:
    """Recognise crops in an npz file, and the table that has one row for each of them."""
    stacks = {n: a for n, a in arrays.items() if len(a[0]) in (3, 4)}
    name = next((n for n in (*IMAGE_KEYS, *stacks) if n in stacks), None)
    if name is None:
        return None
    shape, dtype = stacks[name]
    facts |= {"cells": shape[0], "dtypes": [dtype.name], "sizes": [" × ".join(map(str, shape[1:]))]}
    layout, columns = table_of_length(found.tables, shape[0])
    options = {} if layout is None else {"metadata": str(layout)}
    if layout is not None:
        facts["layout"] = f"{layout.name}: one row for each of {shape[0]:,} crops, in the same order"
    columns = [*columns, *(["label"] if any(k in arrays for k in LABEL_KEYS) and "label" not in columns else [])]
    choices: dict[str, tuple[Any, ...]] = {
        "channels": (), "size": (), "pixel_size_um": (), "metadata": (),
        **dict.fromkeys(("unit", "batch", "label", "treatment", "control"), tuple(columns)),
    }  # fmt: skip
    return Recognition(
        place, "npz", f"crops in an npz file: {shape[0]:,} of them", "read_crops", "Cells", str(file), options, choices,
        facts=facts, columns=tuple(columns), layout=layout,
    )  # fmt: skip


def _saved(place: Path, found: Found) -> Recognition | None:
    files = [f for f in found.others if f.suffix.lower() == ".mlscope"]
    if not files:
        return None
    return Recognition(place, "mlscope", "cells saved by mlscope", "load", "Cells", str(files[0]))
