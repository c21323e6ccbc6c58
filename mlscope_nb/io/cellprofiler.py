"""CellProfiler's output as cells: tables joined, features under its names, crops from the original images."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.io.blame import naming
from mlscope_nb.io.cellprofiler_crops import Crops, crops_of, edges_of
from mlscope_nb.io.cellprofiler_export import IMAGE, KEYS, OBJECT, SET, Export, read_export
from mlscope_nb.io.cellprofiler_links import Joined, join_objects
from mlscope_nb.io.image_sets import Channels
from mlscope_nb.io.listing import Errors, Paths, report
from mlscope_nb.io.measured_columns import as_numbers, is_place, short_names

NUCLEI = ("Nuclei", "Nucleus", "nuclei", "nucleus")
PARTS = {"nuclei": "nucleus", "cells": "cell"}


def read_cellprofiler(
    path: str | Path,
    *,
    images: str | Path | Literal[False] | None = None,
    masks: Paths | Mapping[str, Paths] | None = None,
    channels: Channels = None,
    size: int = 64,
    cell_object: str | None = None,
    centre_object: str | None = None,
    positions: bool = False,
    image_columns: Sequence[str] = (),
    errors: Errors = "warn",
    keep_mb: float = 1000,
    pixel_size_um: float | None = None,
    **design: Any,
) -> Cells:
    """Read what CellProfiler measured, one row per cell, with crops where the original images are found.

    Tables are joined by image and parent (``Parent_Nuclei``). What belongs to no cell, or is there several times in a
    cell, is left out, said in a warning and kept in the history.

    Parameters
    ----------
    path : path
        A folder of CSV files (Cells, Nuclei, Cytoplasm, Image, or any names of objects; one combined file too), a
        folder of such folders, or the SQLite file of ExportToDatabase or cytominer-database.
    images : path or False, optional
        The folder that holds the images, looked through with all below it. Default: where the analysis found them, if
        that is on this machine, else beside the tables. False: do not look.
    masks : path, or dict of paths, optional
        Label images of the cells, with the names of the images of the first channel (``…_mask``, ``…_labels``); a dict
        gives other objects too: ``{"Cells": …, "Nuclei": …}``. Without them crops have no masks.
    channels : list of str, or dict of str, optional
        Which channels, as the analysis names them (``FileName_DNA`` is "DNA"); a dict renames:
        ``{"DNA": "OrigDNA"}``. Default: all images that it loaded.
    size : int
        Width and height of the crops in pixels, even.
    cell_object : str, optional
        The object that is one row. Default: Cells, else Nuclei, else the first.
    centre_object : str, optional
        The object in the middle of the crop. Default: Nuclei where they are joined, else `cell_object`.
    positions : bool
        Keep as features where in its image an object lies, and numbers of objects. They are no property of a cell.
    image_columns : list of str
        Columns of the table of images to keep in ``obs`` beside its Metadata (``ImageQuality_FocusScore_DNA``).
    errors : {"warn", "raise"}
        Leave out images and folders that cannot be read, and name them, or stop.
    keep_mb : float
        How many MB of crops to hold in memory; more are cut from the files whenever they are used.
    pixel_size_um : float, optional
        Micrometres per pixel.
    **design
        label, unit, batch, control, treatment: columns of ``obs``. Nothing is declared by itself.

    Returns
    -------
    Cells
        ``features`` are named ``Cells_AreaShape_Area``; ``obs`` holds ``field_id``, ``ImageNumber``, ``ObjectNumber``,
        ``y_px``, ``x_px``, ``at_edge`` and ``padded`` as far as they are known, and the Metadata without its prefix.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder.
    ValueError
        A table is damaged, names an object twice or is not CellProfiler's; nothing can be cut; or ``errors="raise"``.

    See Also
    --------
    read_profiles : tables that are joined already (CytoTable, pycytominer, In-Carta).

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "Cells.csv").write_text(
    ...     "ImageNumber,ObjectNumber,AreaShape_Area,Location_Center_X,Location_Center_Y\\n1,1,90,12.5,30\\n"
    ... )
    >>> cells = read_cellprofiler(folder)
    >>> list(cells.features.columns), cells.obs["x_px"].item()
    (['Cells_AreaShape_Area'], 12.5)
    """
    with naming(path):
        export = read_export(path, errors)
        joined = join_objects(export.objects, cell_object)
        centre = _centre(joined, centre_object)
        obs = _obs(export, joined, centre, image_columns)
        features, text, remarks = as_numbers(_measured(joined.table, positions))
        text = text.drop(columns=[c for c in text if c in obs]).set_axis(obs.index, axis=0)
        obs = pd.concat([obs, text], axis=1)
        given = masks if isinstance(masks, Mapping) or masks is None else {joined.main: masks}
        crops = crops_of(export, joined, obs, centre, images, given, channels, size, keep_mb)
        report(crops.problems, errors, len(export.images), "its history (left_out)")
    said = [*joined.remarks, *([crops.remark] if crops.remark else []), *remarks]
    if said:
        warnings.warn(f"'{path}': {'; '.join(said)}.", UserWarning, stacklevel=2)
    step: dict[str, Any] = {
        "step": "read_cellprofiler", "source": str(path), "n": len(obs), "cell": joined.main, "centre": centre,
        "objects": list(joined.numbers.columns), "positions": positions,
    }  # fmt: skip
    step |= {"note": "; ".join(said)} if said else {}
    problems = [*export.problems, *crops.problems]
    step |= {"left_out": problems} if problems else {}
    return _made(obs, features, joined, crops, step, pixel_size_um, design)


def _made(
    obs: pd.DataFrame,
    features: pd.DataFrame,
    joined: Joined,
    crops: Crops,
    step: dict[str, Any],
    pixel_size_um: float | None,
    design: Mapping[str, Any],
) -> Cells:
    cut = crops.cut
    edges = edges_of(joined, obs, cut)
    obs = pd.concat([obs, edges], axis=1)
    masks = dict(cut.masks) if cut is not None else {}
    main = masks.pop(joined.main, None) if masks else None
    if cut is not None:
        obs, features = obs.iloc[cut.rows], features.iloc[cut.rows]
        step |= {"n": len(obs), "size": cut.images.shape[-1]}
    return Cells(
        obs,
        None if cut is None else cut.images,
        masks=main,
        compartments={PARTS.get(k.lower(), k.lower()): v for k, v in masks.items()},
        features=features.set_axis(obs.index, axis=0),
        channels=crops.channels,
        pixel_size_um=pixel_size_um,
        history=[step],
        **design,
    )


def _centre(joined: Joined, wanted: str | None) -> str:
    table = joined.table
    known = [n for n in dict.fromkeys([*joined.numbers.columns, *NUCLEI]) if _xy(table, n) is not None]
    if wanted is not None and wanted not in known:
        raise ValueError(f"'{wanted}' has no centres here. Objects with centres: {some(known) or 'none'}.")
    return wanted or next((n for n in NUCLEI if n in known), joined.main)


def _xy(table: pd.DataFrame, name: str) -> tuple[str, str] | None:
    for kind in ("Location_Center", "AreaShape_Center"):
        pair = (f"{name}_{kind}_X", f"{name}_{kind}_Y")
        if set(pair) <= set(table.columns):
            return pair
    return None


def _obs(export: Export, joined: Joined, centre: str, image_columns: Sequence[str]) -> pd.DataFrame:
    table = joined.table
    fields = field_names(table[SET], table[IMAGE])
    known: dict[str, Any] = {"field_id": fields}
    if table[SET].nunique() > 1:
        known[SET] = table[SET].to_numpy()
    known |= {IMAGE: table[IMAGE].to_numpy(), OBJECT: table[OBJECT].to_numpy()}
    known |= {f"{n}_{OBJECT}": joined.numbers[n].to_numpy() for n in joined.numbers if n != joined.main}
    pair = _xy(table, centre)
    if pair is not None:
        numbers = [pd.to_numeric(table[c], errors="coerce").to_numpy(dtype=float) for c in pair]
        known |= {"y_px": numbers[1], "x_px": numbers[0]}
    obs = pd.DataFrame(known)
    obs = pd.concat([obs, _metadata(export.images, table, image_columns, list(known))], axis=1)
    obs.index = pd.Index([f"{f}-{k:04d}" for f, k in zip(fields, table[OBJECT], strict=True)], dtype=object)
    return obs


def field_names(exports: pd.Series, images: pd.Series) -> list[str]:
    """Name each image: by its folder where that holds one image, else by folder and number.

    Examples
    --------
    >>> field_names(pd.Series(["", ""]), pd.Series([1, 12]))
    ['image0001', 'image0012']
    >>> field_names(pd.Series(["A01-1", "A01-2"]), pd.Series([1, 1]))
    ['A01-1', 'A01-2']
    """
    alone = images.groupby(exports.to_numpy()).nunique() == 1
    short = {export for export in alone.index[alone] if export}
    return [
        export if export in short else f"{export}/image{number:04d}".lstrip("/")
        for export, number in zip(exports, images, strict=True)
    ]


def _metadata(images: pd.DataFrame, table: pd.DataFrame, more: Sequence[str], taken: Sequence[str]) -> pd.DataFrame:
    """Return what is known of each cell's image; from its own table where that of images does not say it."""
    unknown = [c for c in more if c not in images.columns]
    if unknown:
        raise ValueError(f"The table of images has no column {some(unknown)}. Columns: {some(images.columns[2:], 20)}.")
    wanted = [c for c in images.columns if c.startswith("Metadata_") or c in more]
    rows = pd.MultiIndex.from_frame(images[[SET, IMAGE]]).get_indexer(pd.MultiIndex.from_frame(table[[SET, IMAGE]]))
    found = images[wanted].reset_index(drop=True).reindex(pd.Index(np.where(rows < 0, len(images), rows)))
    found = found.reset_index(drop=True)
    own = [c for c in table.columns if c.startswith("Metadata_") and c not in wanted]
    found = pd.concat([found, table[own]], axis=1)
    return found.set_axis(short_names(list(found.columns), taken), axis=1)


def _measured(table: pd.DataFrame, positions: bool) -> pd.DataFrame:
    described = ("Metadata_", "FileName_", "PathName_", "URL_", "ImageSet_")
    names = [c for c in table.columns if c not in KEYS and not c.startswith(described)]
    return table[[c for c in names if positions or not is_place(c)]]
