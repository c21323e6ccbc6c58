"""Crops of cells whose centres are in a table: which can be cut, from which file, and why the others cannot."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlscope_nb.io import listing, mask_files
from mlscope_nb.io.centre_crops import CentreCrops, check_fields, label_image, object_codes, odd_types, windows
from mlscope_nb.io.image_sets import ImageFile
from mlscope_nb.io.listing import Paths, Problem

Files = Mapping[Hashable, Sequence[ImageFile]]


class Located(NamedTuple):
    """Cells to cut: the field of each, its centre (x, y), its number in label images; arrays of one length."""

    field: np.ndarray
    x: np.ndarray
    y: np.ndarray
    number: np.ndarray


class Cut(NamedTuple):
    """What was cut: the rows of the table, their images, masks by object, the size of their fields, who is missing."""

    rows: np.ndarray
    images: Any
    masks: dict[str, np.ndarray]
    height: np.ndarray
    width: np.ndarray
    touches: np.ndarray | None
    problems: list[Problem]


def cut_crops(
    cells: Located, files: Files, *, size: int, masks: Mapping[str, Paths] | None = None, keep_mb: float = 1000
) -> Cut:
    """Cut a window around each cell; every field is read once to check it.

    Parameters
    ----------
    cells : Located
    files : dict
        For every field that was found its files, one a channel.
    size : int
        Pixels, even.
    masks : dict of folders, optional
        Label images by the name of their object, matched by the names of the images; the first is that of `cells`.
    keep_mb : float
        While all crops fit they are cut at once; else they are cut from the files whenever they are used.

    Raises
    ------
    ValueError
        `size` is odd or too small, or no cell can be cut.
    """
    if size < 8 or size % 2:
        raise ValueError(f"size is {size}, expected an even number of at least 8 pixels.")
    groups = _rows_of(cells.field)
    wanted = {key: files[key] for key in groups if files.get(key)}
    labels = _label_files(wanted, masks or {})
    work = _Cutting(cells, size, keep_mb, len(masks or {}))
    for key, image, problem in check_fields(wanted):
        if image is None:
            work.problems += [problem] if problem else []
        else:
            work.take(key, groups[key], image, {name: found.get(key) for name, found in labels.items()}, wanted[key])
    return work.finish(wanted)


def _rows_of(field: np.ndarray) -> dict[Hashable, np.ndarray]:
    """Return the rows of each field, in their order."""
    order = np.argsort(field, kind="stable")
    names, starts = np.unique(field[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def _label_files(files: Files, masks: Mapping[str, Paths]) -> dict[str, dict[Hashable, Path]]:
    keys = {listing.plain_stem(found[0].file): key for key, found in files.items()}
    named = {stem: files[key][0].file for stem, key in keys.items()}
    found = {name: mask_files.match_masks(named, listing.list_files(paths)) for name, paths in masks.items()}
    return {name: {keys[stem]: file for stem, file in matched.items()} for name, matched in found.items()}


class _Cutting:
    """Fields one after the other: what is cut so far."""

    def __init__(self, cells: Located, size: int, keep_mb: float, n_masks: int) -> None:
        self.cells, self.size, self.keep_mb, self.n_masks = cells, size, keep_mb, n_masks
        self.problems: list[Problem] = []
        self.rows: dict[Hashable, np.ndarray] = {}
        self.images: dict[Hashable, np.ndarray] = {}
        self.masks: dict[str, dict[Hashable, np.ndarray]] = {}
        self.touches: dict[Hashable, np.ndarray] = {}
        self.shapes: dict[Hashable, tuple[int, ...]] = {}
        self.types: dict[Hashable, np.dtype] = {}

    def take(
        self,
        key: Hashable,
        rows: np.ndarray,
        image: np.ndarray,
        labels: Mapping[str, Path | None],
        files: Sequence[ImageFile],
    ) -> None:
        y, x = self.cells.y[rows], self.cells.x[rows]
        height, width = image.shape[1:]
        inside = np.isfinite(y) & np.isfinite(x) & (y > -1) & (x > -1) & (y < height) & (x < width)
        if not inside.all():
            lost = f"{int((~inside).sum()):,} of {len(rows):,} cells have no centre in it ({width} × {height} px)"
            self.problems.append({"file": str(files[0].file), "problem": lost})
        rows = rows[inside]
        tops = self._tops(rows)
        try:
            masks, touches = self._masks(rows, tops, labels, image.shape[1:])
        except (ValueError, OSError) as error:
            self.problems.append(
                {"file": str(next(filter(None, labels.values()), files[0].file)), "problem": str(error)}
            )
            return
        self.rows[key], self.shapes[key], self.types[key] = rows, image.shape, image.dtype
        for name, codes in masks.items():
            self.masks.setdefault(name, {})[key] = codes
        if touches is not None:
            self.touches[key] = touches
        if self._fits(image):
            self.images[key] = windows(image, tops, self.size)

    def finish(self, files: Files) -> Cut:
        for key, problem in odd_types(self.types).items():
            self.problems.append({"file": str(files[key][0].file), "problem": problem})
            self.rows.pop(key)
        keys = [key for key, rows in self.rows.items() if len(rows)]
        if not keys:
            reasons = "; ".join(p["problem"] for p in self.problems[:3]) or "no cell lies in an image that was found"
            raise ValueError(f"No crop could be cut: {reasons}.")
        rows = np.concatenate([self.rows[k] for k in keys])
        order = np.argsort(rows, kind="stable")
        eager = all(k in self.images for k in keys)
        shapes = np.concatenate([np.tile(self.shapes[k][1:], (len(self.rows[k]), 1)) for k in keys])[order]
        return Cut(
            rows[order],
            np.concatenate([self.images[k] for k in keys])[order] if eager else self._lazy(files, keys, order),
            {name: np.concatenate([found[k] for k in keys])[order] for name, found in self.masks.items()},
            shapes[:, 0],
            shapes[:, 1],
            np.concatenate([self.touches[k] for k in keys])[order] if self.touches else None,
            self.problems,
        )

    def _lazy(self, files: Files, keys: Sequence[Hashable], order: np.ndarray) -> CentreCrops:
        field = np.repeat(np.arange(len(keys)), [len(self.rows[k]) for k in keys])[order]
        rows = np.concatenate([self.rows[k] for k in keys])[order]
        return CentreCrops([files[k] for k in keys], field, self._tops(rows), self.size, self.types[keys[0]])

    def _fits(self, image: np.ndarray) -> bool:
        each = image.shape[0] * self.size**2 * image.dtype.itemsize
        return len(self.cells.field) * each <= self.keep_mb * 1e6

    def _tops(self, rows: np.ndarray) -> np.ndarray:
        centres = np.column_stack([self.cells.y[rows], self.cells.x[rows]])
        return np.floor(centres + 0.5).astype(np.int64) - self.size // 2

    def _masks(
        self, rows: np.ndarray, tops: np.ndarray, labels: Mapping[str, Path | None], shape: tuple[int, ...]
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Return the masks of the cells of a field by object, and which cells touch its edge."""
        made: dict[str, np.ndarray] = {}
        if not labels:
            return made, None
        main, *others = labels
        image = self._labels(labels[main], rows, shape)
        numbers = self.cells.number[rows]
        made[main] = object_codes(image, numbers, tops, self.size)
        edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        for name in others:
            part = self._labels(labels[name], None, shape)
            made[name] = np.where(windows(part[None], tops, self.size, 0)[:, 0] > 0, made[main], 0).astype(np.uint8)
        return made, np.isin(numbers, edge)

    def _labels(self, file: Path | None, rows: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        if file is None:
            raise ValueError("no label image that is certainly its own (same name, and same folder where names repeat)")
        some_rows = rows if rows is not None else np.array([], dtype=int)
        centres = np.column_stack([self.cells.y[some_rows], self.cells.x[some_rows]])
        image = label_image(file, self.cells.number[some_rows], centres)
        if image.shape != tuple(shape):
            raise ValueError(f"is {image.shape}, its image {tuple(shape)}")
        return image
