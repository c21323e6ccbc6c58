"""Fields out: a folder of TIFF files as a microscope leaves it, with masks and the table that describes them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mlscope_nb._files import new_target, replacing_folder
from mlscope_nb._words import some
from mlscope_nb.fields import Fields

LAYOUT = "layout.csv"


def write_fields(fields: Fields, folder: str | Path, *, masks: bool = True, overwrite: bool = False) -> Path:
    """Write fields as a folder: one TIFF for each channel, masks beside them, and a table with one row for each field.

    Pixels are written as they are. Files are called ``<field>_<channel>.tif``, masks ``masks/<field>.tif``, the table
    ``layout.csv``; `read_fields` and `recognise` find all of it. Pixel size and design are not in the files: give them
    when you read.

    Parameters
    ----------
    fields : Fields
    folder : path
        A new folder; it appears when all is written.
    masks : bool
        Write label masks where there are any, as 32-bit numbers.
    overwrite : bool
        Replace an older folder **and everything in it**.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileExistsError
        The folder is there.
    ValueError
        There are no fields; a field or a channel has a name that is no name of a file; pixels are of a type that
        TIFF has not.
    OSError
        It cannot be written, or the disk is full; an older folder is left as it was.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> obs = pd.DataFrame({"drug": ["a"]}, index=["f1"])
    >>> fields = Fields(obs, [np.ones((2, 4, 6), "uint16")], channels=["DNA", "actin"])
    >>> folder = write_fields(fields, Path(tempfile.mkdtemp()) / "mine")
    >>> sorted(file.name for file in folder.iterdir())
    ['f1_DNA.tif', 'f1_actin.tif', 'layout.csv']
    """
    if not len(fields):
        raise ValueError("There are no fields to write: 0 rows.")
    _refuse_names([*map(str, fields.ids)], "field", r"[\w.()+ -]+")
    _refuse_names(list(fields.channels), "channel", r"[A-Za-z0-9.()+ -]+")
    target = new_target(folder, overwrite=overwrite)
    with replacing_folder(target) as part:
        for name, image in fields:
            for channel, plane in zip(fields.channels, image, strict=True):
                _write(part / f"{name}_{channel}.tif", plane)
        if masks and fields.masks is not None:
            (part / "masks").mkdir()
            for name, mask in zip(fields.ids, fields.masks, strict=True):
                _write(part / "masks" / f"{name}.tif", np.asarray(mask, np.int32))
        obs = fields.obs.drop(columns=["file", "field_id"], errors="ignore")
        obs.to_csv(part / LAYOUT, index_label="field_id", encoding="utf-8")
    return target


def _refuse_names(names: list[str], what: str, allowed: str) -> None:
    odd = [name for name in names if not re.fullmatch(allowed, name) or name.strip(" .") != name]
    if odd:
        raise ValueError(
            f"Files cannot be called after {what} {some(odd)}: expected letters, digits and a few plain signs, "
            f"no / and no leading dot{'' if what == 'field' else ', no _'}. Rename them first."
        )


def _write(file: Path, pixels: np.ndarray) -> None:
    import tifffile

    if pixels.dtype.kind not in "uif" or pixels.dtype.itemsize > 8 or pixels.dtype == np.float16:
        raise ValueError(
            f"'{file.name}' would hold {pixels.dtype}, which other programs do not open. Convert it first."
        )
    tifffile.imwrite(file, pixels, photometric="minisblack", metadata=None)
