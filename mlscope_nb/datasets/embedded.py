"""The real images that travel with mlscope, checked whenever they are read."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.fields import Fields


def names() -> list[str]:
    """Return the names of the data sets that can be loaded without a network.

    Examples
    --------
    >>> names()
    ['fly']
    """
    return list(registry())


def about(name: str) -> dict[str, Any]:
    """Return title, licence, source, citation and warning of an embedded data set.

    Raises
    ------
    ValueError
        There is no such set; the message names those there are.

    Examples
    --------
    >>> about("fly")["licence"]
    'BSD-3-Clause (data/LICENSES/cellprofiler.txt)'
    """
    if name not in registry():
        raise ValueError(f"No data set '{name}'. There are: {some(names())}.")
    return dict(registry()[name])


def load_fields(name: str = "fly") -> Fields:
    """Load whole fields of view of an embedded data set.

    Parameters
    ----------
    name : str
        "fly": three fields of *Drosophila* Kc167 cells, channels DNA, F and R, 8 bit, 1006 × 1000 pixels.

    Returns
    -------
    Fields
        Unit and batch are declared; what the set cannot tell stands in its history and in what it shows of itself.

    Raises
    ------
    ValueError
        There is no such set, or a file is not the one that was shipped.

    Examples
    --------
    >>> load_fields("fly").images[0].shape
    (3, 1006, 1000)
    """
    known = about(name)
    files = known["files"]
    images = [_read_png(path, sha256) for path, sha256 in files.items()]
    stems = [Path(path).stem for path in files]
    obs = pd.DataFrame({"position": [s.removeprefix("POS") for s in stems]}, index=pd.Index(stems, name="field_id"))
    return Fields(
        obs,
        images,
        channels=known["channels"],
        label="position",
        unit="position",
        batch="position",
        history=[{"step": "load_fields", "dataset": name, "note": known["note"], "cite": known["cite"]}],
    )


@cache
def registry() -> dict[str, Any]:
    """Read data/registry.toml."""
    return tomllib.loads((folder() / "registry.toml").read_text(encoding="utf-8"))


def network_file(name: str) -> Path:
    """Return the file of a network that travels with mlscope, after a look at its sha256.

    Raises
    ------
    ValueError
        The file is not the one that was shipped.
    """
    place = folder() / "networks"
    known = tomllib.loads((place / "registry.toml").read_text(encoding="utf-8"))[name]
    file = place / str(known["file"])
    _refuse_changed(file, file.read_bytes(), known["sha256"])
    return file


@cache
def folder() -> Path:
    """Find the embedded data: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "_data", package.parent / "data"):
        if (candidate / "registry.toml").is_file():
            return candidate
    raise FileNotFoundError(f"The embedded data are missing beside {package}. Install mlscope_nb again.")


def _read_png(path: str, sha256: str) -> np.ndarray:
    from PIL import Image

    file = folder() / path
    _refuse_changed(file, file.read_bytes(), sha256)
    with Image.open(file) as image:
        pixels = np.asarray(image)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _refuse_changed(file: Path, content: bytes, sha256: str) -> None:
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"'{file}' is not the file that was shipped (sha256 {found}). Install mlscope_nb again.")
