"""CZI, ND2, LIF and other formats of microscopes, through bioio and its plugins, which are installed apart."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.fields import Fields, Stack
from mlscope_nb.io import listing
from mlscope_nb.io.limits import check_size
from mlscope_nb.io.listing import Errors, Paths, Problem
from mlscope_nb.io.looking import VENDORS
from mlscope_nb.io.stacks import Frame, Projection, Undecided, check_choice, named_axes, one_image

# The plugin of bioio for each ending; what has none goes through Bio-Formats, which needs Java.
PLUGINS = {
    ".czi": "bioio-czi", ".nd2": "bioio-nd2", ".lif": "bioio-lif", ".dv": "bioio-dv", ".tif": "bioio-tifffile",
    ".tiff": "bioio-tifffile", ".sldy": "bioio-sldy",
}  # fmt: skip
AXES = "TCZYX"
DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, AttributeError, EOFError, OverflowError)


@dataclass(frozen=True)
class Scene:
    """One scene of a file, read when it is called."""

    file: Path
    scene: str
    projection: str | None = None
    frame: int | None = None

    def __call__(self) -> np.ndarray:
        """Read it as (C, Y, X).

        Raises
        ------
        ValueError
            The file is damaged.
        """
        try:
            image = _open(self.file)
            image.set_scene(self.scene)
            part: dict[str, Any] = {} if self.frame is None else {"T": self.frame}
            array = np.asarray(image.get_image_data(AXES if not part else "CZYX", **part))
            return one_image(array, AXES if not part else "CZYX", self.projection, None)
        except DAMAGE as error:
            raise ValueError(f"'{self.file}' cannot be read: {str(error)[:300]}") from error


def read_bioio(
    paths: Paths,
    *,
    channels: Sequence[str] | None = None,
    projection: Projection | None = None,
    frame: Frame | None = None,
    pixel_size_um: float | None = None,
    errors: Errors = "warn",
    **design: Any,
) -> Fields:
    """Read files of a microscope's own format (CZI, ND2, LIF, …), one field for each scene.

    Parameters
    ----------
    paths : path, pattern or list of paths
        Files, or a folder of them.
    channels, projection, frame, errors, pixel_size_um, **design
        As in `read_fields`.

    Returns
    -------
    Fields
        ``obs`` has ``file`` and ``scene``; images are read when they are asked for.

    Raises
    ------
    ImportError
        bioio or its plugin for this kind of file is not installed; the message has the line that installs it.
    FileNotFoundError
        Nothing matches.
    ValueError
        No file could be read, or ``errors="raise"`` and one is bad.

    Notes
    -----
    Source of all that is read: bioio (https://bioio-devs.github.io/bioio). Its plugin for ``.czi`` is under GPL-3.0.
    """
    check_choice(projection, frame)
    files = _files(paths)
    for file in files:
        missing = missing_for(file)
        if missing:
            raise ImportError(missing)
    found: dict[str, tuple[Scene, tuple[int, ...], dict[str, Any]]] = {}
    problems: list[Problem] = []
    for name, file in tqdm(list(zip(_names(files), files, strict=True)), delay=2, leave=False):
        try:
            found |= _scenes(name, file, projection, frame)
        except Undecided as error:
            problems.append({"file": str(file), "problem": str(error)})
        except DAMAGE as error:
            problems.append({"file": str(file), "problem": f"cannot be read ({str(error)[:300]})"})
    listing.report(problems, errors, len(files), ".problems")
    if not found:
        raise ValueError(f"None of {len(files)} files could be read: {some(p['problem'] for p in problems)}.")
    scenes, shapes, parts = zip(*found.values(), strict=True)
    names = {p.pop("channels") for p in parts}
    sizes = {p.pop("pixel_size_um") for p in parts}
    if frame == "all":
        design.setdefault("unit", "movie")
    return Fields(
        pd.DataFrame(list(parts), index=pd.Index(list(found), dtype=object)),
        Stack(scenes, shapes),
        channels=channels if channels is not None else (names.pop() if len(names) == 1 else None),
        pixel_size_um=pixel_size_um if pixel_size_um is not None else (sizes.pop() if len(sizes) == 1 else None),
        history=[{"step": "read_bioio", "n": len(found), "images": some(map(str, files))}],
        problems=problems,
        **design,
    )


def missing_for(file: str | Path) -> str:
    """Return what has to be installed to read a file, with the line that does it; "" where all is there.

    Examples
    --------
    >>> "pip install bioio" in missing_for("a.czi") or missing_for("a.czi") == ""
    True
    """
    ending = Path(file).suffix.lower()
    plugin = PLUGINS.get(ending, "bioio-bioformats")
    wanted = [p for p in ("bioio", plugin) if importlib.util.find_spec(p.replace("-", "_")) is None]
    if not wanted:
        return ""
    java = " (needs Java)" if plugin == "bioio-bioformats" else ""
    return f"Files of kind '{ending}' are read through bioio. Install it: python -m pip install bioio {plugin}{java}"


def first_facts(file: Path) -> dict[str, Any]:
    """Say what the first scene of a file holds, for `recognise`.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    try:
        image = _open(file)
        sizes = {a: int(getattr(image.dims, a)) for a in AXES}
        return {
            "scenes": len(image.scenes),
            "sizes": [f"{sizes['Y']} × {sizes['X']}"],
            "dtypes": [np.dtype(image.dtype).name],
            "axes": {a: n for a, n in sizes.items() if a not in "YX" and n > 1},
            "channels": list(map(str, image.channel_names or ())),
            "pixel_size_um": _positive(image.physical_pixel_sizes.X),
        }
    except DAMAGE as error:
        raise ValueError(f"'{file}' cannot be read: {str(error)[:300]}") from error


def _files(paths: Paths) -> list[Path]:
    if isinstance(paths, str | Path) and Path(paths).is_dir():
        found = [p for p in Path(paths).iterdir() if p.suffix.lower() in VENDORS and not p.name.startswith(".")]
        if not found:
            raise FileNotFoundError(f"No file of a microscope in '{paths}': looked for {some(VENDORS, 12)}.")
        return sorted(found, key=lambda p: listing.natural(p.name))
    return listing.list_files(paths)


def _names(files: Sequence[Path]) -> list[str]:
    stems = [f.stem for f in files]
    return stems if len(set(stems)) == len(stems) else listing.unique_names(files)


def _open(file: Path) -> Any:
    bioio = importlib.import_module("bioio")
    return bioio.BioImage(file)


def _scenes(
    name: str, file: Path, projection: str | None, frame: object
) -> dict[str, tuple[Scene, tuple[int, ...], dict[str, Any]]]:
    image = _open(file)
    found = {}
    for scene in image.scenes:
        image.set_scene(scene)
        shape = tuple(int(getattr(image.dims, a)) for a in AXES)
        named_axes(AXES, shape, projection, frame)
        check_size(int(np.prod(shape, dtype=object)) * np.dtype(image.dtype).itemsize // shape[0], 2**40)
        labels = tuple(map(str, image.channel_names or ()))
        about = {
            "file": str(file),
            "scene": str(scene),
            "channels": labels if len(set(labels)) == len(labels) == shape[1] else None,
            "pixel_size_um": _positive(image.physical_pixel_sizes.X),
        }
        own = name if len(image.scenes) == 1 else f"{name}_{scene}"
        whole = range(shape[0]) if frame == "all" else [int(frame) if isinstance(frame, int) else None]
        for t in whole:
            key, extra = (f"{own}_t{t:03d}", {"movie": own, "frame": t}) if frame == "all" else (own, {})
            found[key] = (Scene(file, scene, projection, t), (shape[1], *shape[3:]), {**about, **extra})
    return found


def _positive(value: float | None) -> float | None:
    return float(value) if value and np.isfinite(value) and value > 0 else None
