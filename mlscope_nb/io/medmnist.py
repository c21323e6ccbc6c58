"""MedMNIST: small images with classes, as the npz files that its authors hand out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.io.crop_arrays import PARTS
from mlscope_nb.io.crop_files import read_crops
from mlscope_nb.io.limits import check_npz

Part = Literal["all", "train", "val", "test"]


def read_medmnist(path: str | Path, *, part: Part = "all", **design: Any) -> Cells:
    """Read a MedMNIST file (``bloodmnist.npz``, ``tissuemnist_64.npz``, …).

    Parameters
    ----------
    path : path
        The file; `ms.datasets.download` fetches three of them and checks their hashes.
    part : {"all", "train", "val", "test"}
        Which part of the published split; it stands in the column ``split``.
    **design
        unit, batch, control, treatment; ``label`` is the class.

    Returns
    -------
    Cells
        8-bit images, one channel or red, green and blue; classes are the numbers of the file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, no MedMNIST, or of volumes (3D), which are no images of cells.

    Notes
    -----
    Source: Yang et al. 2023, Scientific Data 10:41, doi 10.1038/s41597-022-01721-8. What is independent (slide, donor)
    is not in the files: the published split is all that is known.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     arrays = {f"{p}_images": np.zeros((2, 28, 28), "uint8") for p in ("train", "val", "test")}
    ...     arrays |= {f"{p}_labels": np.ones((2, 1), "uint8") for p in ("train", "val", "test")}
    ...     np.savez(f"{folder}/m.npz", **arrays)
    ...     read_medmnist(f"{folder}/m.npz", part="test").images.shape
    (2, 1, 28, 28)
    """
    if part not in get_args(Part):
        raise ValueError(f"part is {part!r}, expected one of {some(get_args(Part))}.")
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{path}'. ms.datasets.download fetches MedMNIST sets.")
    names = check_npz(file)
    missing = [f"{p}_{kind}" for p in PARTS for kind in ("images", "labels") if f"{p}_{kind}" not in names]
    if missing:
        raise ValueError(f"'{path}' is no MedMNIST file: it lacks {some(missing)}. Other npz files: ms.io.read_crops.")
    cells = read_crops(file, **design)
    three = cells.images is not None and cells.images.shape[1] == 3
    if three and cells.channels != ("red", "green", "blue"):
        cells = read_crops(file, channels=["red", "green", "blue"], **design)
    return cells if part == "all" else cells.subset(cells.ids[(cells.obs["split"] == part).to_numpy()])
