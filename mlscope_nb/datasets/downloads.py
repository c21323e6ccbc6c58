"""Labelled real sets for those with a network: cached, checked, resumed, and never unpickled."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._words import some
from mlscope_nb.cells import Cells

Split = Literal["train", "val", "test", "all"]
SPLITS = ("train", "val", "test")
REGISTRY = Path(__file__).with_name("downloads.toml")
_NOTE = (
    "The set does not say which images come from the same donor, slide or day, so no unit is declared, and no split "
    "can be shown to be free of leaks."
)


def download(
    name: str,
    *,
    size: int = 28,
    split: Split = "all",
    n: int | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = True,
    registry: str | Path = REGISTRY,
) -> Cells:
    """Download a labelled set once, check it, and return its cells.

    Parameters
    ----------
    name : str
        "bloodmnist", "tissuemnist" or "pathmnist"; ``downloadable()`` lists them with their licences.
    size : int
        Width of the images in pixels; most sets have 28 and 64.
    split : {"train", "val", "test", "all"}
        Which of the set's own parts; ``obs["split"]`` keeps them apart.
    n : int, optional
        So many images, chosen at random from that part.
    seed : int
        Of that choice.
    folder : path, optional
        Where files are kept; default: the user's cache folder, or MLSCOPE_DATA where it is set.
    progress : bool
        Show a bar.
    registry : path
        A TOML file with sets of your own, in the form of ``mlscope_nb/datasets/downloads.toml``.

    Returns
    -------
    Cells
        8 bit, one channel or red, green and blue; the label is declared, a unit is not: the sets do not say.

    Raises
    ------
    ValueError
        There is no such set, size or split, or the file is not the one that was published.
    ConnectionError
        The server cannot be reached; what has arrived is kept, and the message says what to use instead.
    """
    known, files = _known(name, size, registry), ("train", "val", "test") if split == "all" else (split,)
    if split not in (*SPLITS, "all"):
        raise ValueError(f"split={split!r}, expected 'train', 'val', 'test' or 'all'.")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
        raise ValueError(f"n={n!r}, expected a whole number of at least 1, or None for all images.")
    path = fetch(known, folder, progress=progress)
    images, labels, parts = _read(path, files, len(known["labels"]))
    rows = np.arange(len(images))
    if n is not None and n < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))
    names = np.asarray(known["labels"], dtype=object)
    obs = pd.DataFrame(
        {"label": names[labels[rows]], "split": parts[rows]},
        index=pd.Index([f"{name}-{r:06d}" for r in rows], dtype=object, name="cell_id"),
    )
    chosen = {"size": size, "split": split, "n": len(rows), "seed": seed}
    return Cells(
        obs,
        images[rows],
        channels=["red", "green", "blue"] if images.shape[1] == 3 else ["grey"],
        label="label",
        history=[{"step": "download", "dataset": name, **chosen, **{k: known[k] for k in _TOLD}, "note": _NOTE}],
    )


_TOLD = ("licence", "cite", "source", "checksum")


def downloadable(registry: str | Path = REGISTRY) -> pd.DataFrame:
    """Return the sets that can be downloaded: title, sizes, licence, citation and source.

    Examples
    --------
    >>> downloadable().loc["bloodmnist", "licence"]
    'CC BY 4.0'
    """
    entries = tomllib.loads(Path(registry).read_text(encoding="utf-8"))
    rows = {}
    for name, entry in entries["sets"].items():
        whole = {**entries["sources"][entry.get("source_name", "medmnist")], **entry}
        rows[name] = {
            "title": whole.get("title", name),
            "sizes": sorted(map(int, whole["files"])),
            "labels": len(whole["labels"]),
            **{key: whole[key] for key in ("licence", "cite", "source")},
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def fetch(known: dict[str, Any], folder: str | Path | None = None, *, progress: bool = True) -> Path:
    """Return the path of a file, downloaded and checked if it is not there yet.

    Parameters
    ----------
    known : dict
        ``url``, ``checksum`` ("md5:…" or "sha256:…"), ``file`` (its name here) and ``hosts`` (allowed ones).
    folder, progress
        As in `download`.
    """
    import logging

    import pooch

    from mlscope_nb.datasets.transfer import Transfer

    cache = pooch.utils.cache_location(Path(folder or pooch.os_cache("mlscope")), None if folder else "MLSCOPE_DATA")
    cache = Path(cache).expanduser().resolve()
    pooch.get_logger().setLevel(logging.WARNING)  # the bar says enough
    for fresh in (False, True):
        transfer = Transfer(cache / f"{known['file']}.part", known["hosts"], progress=progress)
        try:
            return Path(pooch.retrieve(known["url"], known["checksum"], known["file"], cache, downloader=transfer))
        except ValueError as error:
            # the earlier part may have been of an older file: once more from the beginning
            if fresh or not transfer.resumed:
                raise ValueError(
                    f"The file from {known['url']} is not the one that was published: its checksum is not "
                    f"{known['checksum']}. It was deleted. Try again later, and do not use a copy from elsewhere."
                ) from error
    raise AssertionError("unreachable")


def _known(name: str, size: int, registry: str | Path) -> dict[str, Any]:
    """Return all that the registry says about one file."""
    entries = tomllib.loads(Path(registry).read_text(encoding="utf-8"))
    if name not in entries["sets"]:
        raise ValueError(f"No set '{name}' to download. There are: {some(entries['sets'])}.")
    entry = entries["sets"][name]
    whole = {**entries["sources"][entry.get("source_name", "medmnist")], **entry}
    if str(size) not in whole["files"]:
        raise ValueError(f"'{name}' has no images of {size} pixels. There are: {some(whole['files'])}.")
    file = f"{name}.npz" if size == 28 else f"{name}_{size}.npz"
    return {**whole, "file": file, "url": f"{whole['url']}{file}", "checksum": whole["files"][str(size)]}


def _read(path: Path, parts: tuple[str, ...], n_labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read images (N, C, Y, X), label numbers and part of each; object arrays are refused, not unpickled."""
    found: dict[str, list[np.ndarray]] = {"images": [], "labels": [], "parts": []}
    with np.load(path, allow_pickle=False) as arrays:
        for part in parts:
            missing = [k for k in (f"{part}_images", f"{part}_labels") if k not in arrays.files]
            if missing:
                raise ValueError(f"'{path.name}' has no {some(missing)}. It has: {some(arrays.files)}.")
            images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"].reshape(-1)
            found["images"].append(images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1))
            found["labels"].append(labels.astype(np.int64))
            found["parts"].append(np.full(len(images), part, dtype=object))
    images, labels, of = (np.concatenate(found[k]) for k in ("images", "labels", "parts"))
    if len(images) != len(labels) or (len(labels) and not 0 <= labels.min() <= labels.max() < n_labels):
        raise ValueError(f"'{path.name}' has {len(images):,} images, {len(labels):,} labels up to {labels.max()}.")
    return images, labels, of
