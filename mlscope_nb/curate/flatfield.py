"""Flat field: how unevenly a microscope lights its fields, estimated from many of them, and taken out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._design import Columns, as_columns, keys
from mlscope_nb._words import count, some
from mlscope_nb.curate.flatfield_result import ENOUGH_FIELDS, Flatfield, FlatfieldOfBatch, dark_levels
from mlscope_nb.curate.light import Light, fit_light
from mlscope_nb.curate.tiles import Tiles, tiles_of, together
from mlscope_nb.fields import Fields, Stack

FEWEST_FIELDS = 3
"""Below this number nothing is estimated: one field cannot tell its light from its cells."""
_SPLITS = 2


def estimate_flatfield(
    images: Fields | np.ndarray | Sequence[np.ndarray],
    *,
    dark: float | Sequence[float] | None = None,
    by: Columns = None,
    seed: int = 0,
) -> Flatfield:
    """Estimate how unevenly the fields of a plate are lit, from the fields themselves.

    Every field is taken as ``dark + flat * light``, with one smooth flat field for each batch and channel. Cells,
    debris, saturated and empty fields do no harm; fields may differ in brightness. With 24 fields or more the error is
    a percent or so where most of a field is background; the split-half error says how good it is here.

    Parameters
    ----------
    images : Fields, array (N, Y, X) or (N, C, Y, X), or sequence of arrays (Y, X) or (C, Y, X)
        Read one at a time. All of one batch have the same size.
    dark : float, or one per channel, optional
        Grey value of the camera without light, from a dark frame. Default: estimated; where all fields have the same
        background that rests on how bright objects are here and there, and needs many of them.
    by : str or several, optional
        Columns of `obs`; fields that share their values share a flat field. Default: the declared batch, or all fields
        together where none is declared. ``by=()`` takes all together.
    seed : int
        Which fields fall into which half.

    Returns
    -------
    Flatfield
        ``.flat`` (C, Y, X) with mean 1, ``.dark``, ``.error``, ``.table``, ``.apply(image)``.

    Raises
    ------
    ValueError
        Fewer than 3 fields in a batch, fields of several sizes, or images that are no images.

    References
    ----------
    Peng et al. 2017, Nat Commun 8:14836 (BaSiC), whose model this is; how both do is in ``studies/RESULTS.md``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> light = 1 - 0.3 * np.linspace(-1, 1, 48)[:, None] ** 2 * np.ones(48)
    >>> flatfield = estimate_flatfield([rng.normal(500 * light, 5) for _ in range(12)], dark=0)
    >>> bool(abs(flatfield.flat[0] - light / light.mean()).max() < 0.01), flatfield.trusted
    (True, True)
    """
    fields = images if isinstance(images, Fields) else None
    of_batch = _groups(fields, by) if fields is not None else {"": np.arange(len(images))}
    source: Sequence[Any] = fields.images if fields is not None else images  # type: ignore[assignment]
    names = [str(i) for i in fields.ids] if fields is not None else [f"image {i}" for i in range(len(images))]
    found: dict[str, FlatfieldOfBatch] = {}
    channels: tuple[str, ...] = fields.channels if fields is not None else ()
    with tqdm(total=len(names), desc="Estimating flat fields", unit="field", delay=2, leave=False) as bar:
        for batch, rows in of_batch.items():
            if len(rows) < FEWEST_FIELDS:
                where = f" in '{batch}'" if batch else ""
                raise ValueError(
                    f"{count(len(rows), 'field')}{where}, expected at least {FEWEST_FIELDS} and better 24 to tell "
                    "light from cells. Take fields of several plates of one microscope together: by=()."
                )
            shape, tiles = _read(source, rows, names, bar)
            channels = channels or tuple(f"channel{c}" for c in range(len(tiles)))
            found[batch] = _estimate(tiles, shape, dark_levels(dark, len(tiles)), channels, seed)
    return Flatfield(found, channels)


def correct_flatfield(
    fields: Fields,
    flatfield: Flatfield | None = None,
    *,
    by: Columns = None,
    dark: float | Sequence[float] | None = None,
    subtract_dark: bool = False,
    dtype: Literal["same", "float32"] = "same",
    seed: int = 0,
) -> Fields:
    """Return the fields with even illumination; do this before segmentation.

    Images are corrected when they are read, one at a time, so that a plate need not fit into memory. Saturated pixels
    are corrected as all others: score saturation on the images as they were taken.

    Parameters
    ----------
    fields : Fields
    flatfield : Flatfield, optional
        Default: estimated from these fields with `estimate_flatfield`.
    by : str or several, optional
        Which fields share a flat field, as in `estimate_flatfield`.
    dark : float, or one per channel, optional
        As in `estimate_flatfield`; only where the flat field is estimated here.
    subtract_dark : bool
        Take the dark level away. Default: it stays as an offset, for below it integers would be cut at 0.
    dtype : {"same", "float32"}
        "same" rounds to the type of the images and cuts at its ends.
    seed : int
        As in `estimate_flatfield`.

    Returns
    -------
    Fields
        The same masks and design; ``history`` says what was divided by, and warns of estimates not to be trusted.

    Raises
    ------
    ValueError, KeyError
        As in `estimate_flatfield`; or there is no flat field for a batch, or one of another size.

    Examples
    --------
    >>> from mlscope_nb.datasets import load_fields
    >>> even = correct_flatfield(load_fields("fly"), Flatfield.measured(np.ones((3, 1006, 1000))))
    >>> even.images[0].dtype, even.history[-1]["step"]
    (dtype('uint8'), 'correct_flatfield')
    """
    if dtype not in ("same", "float32"):
        raise ValueError(f"dtype is {dtype!r}, expected 'same' or 'float32'.")
    if flatfield is None:
        flatfield = estimate_flatfield(fields, dark=dark, by=by, seed=seed)
    elif dark is not None:
        raise ValueError("dark is given with a flatfield that has its own. Give it to estimate_flatfield instead.")
    batch_of = {row: name for name, rows in _groups(fields, by).items() for row in rows}
    for row, shape in enumerate(fields.images.shapes):
        wanted = flatfield.of(batch_of[row]).flat.shape
        if shape != wanted:
            raise ValueError(
                f"Field '{fields.ids[row]}' is {shape} and its flat field {wanted}, expected the same size."
            )
    readers = [
        _Corrected(fields.images, row, flatfield, batch_of[row], subtract_dark, dtype) for row in range(len(fields))
    ]
    done = {"by": list(as_columns(by)) or list(fields.design.batch), "subtract_dark": subtract_dark, "dtype": dtype}
    step = _align.step("correct_flatfield", **done, seed=seed, estimates=flatfield.to_dict()["table"])
    doubtful = _doubtful(flatfield)
    if doubtful:
        warnings.warn(doubtful, UserWarning, stacklevel=2)
        step["note"] = doubtful
    return fields.with_images(Stack(readers, fields.images.shapes), step=step)


class _Corrected:
    """Reads one field and corrects it, each time it is asked for."""

    def __init__(
        self, images: Stack, row: int, flatfield: Flatfield, batch: str, subtract_dark: bool, dtype: str
    ) -> None:
        self._images, self._row, self._flatfield, self._batch = images, row, flatfield, batch
        self._subtract_dark, self._dtype = subtract_dark, dtype

    def __call__(self) -> np.ndarray:
        image = self._images[self._row]
        even = self._flatfield.apply(image, self._batch, subtract_dark=self._subtract_dark)
        if self._dtype == "float32" or image.dtype.kind not in "ui":
            return even
        ends = np.iinfo(image.dtype)
        return np.rint(even).clip(ends.min, ends.max).astype(image.dtype)


def _groups(fields: Fields, by: Columns) -> dict[str, np.ndarray]:
    """Return the rows of each batch, in the order in which batches appear."""
    columns = fields.design.batch if by is None else as_columns(by)
    if not columns:
        return {"": np.arange(len(fields))}
    obs = fields.obs
    missing = [c for c in columns if c not in obs.columns]
    if missing:
        raise KeyError(f"No column {some(missing)} in obs. Columns: {some(obs.columns, 20)}. Name the batch with by=….")
    names = keys(obs, columns)
    return {str(name): np.flatnonzero((names == name).to_numpy()) for name in names.unique()}


def _read(source: Sequence[Any], rows: np.ndarray, names: list[str], bar: Any) -> tuple[tuple[int, int], list[Tiles]]:
    """Return the size of the images and their tiles per channel, reading one image at a time."""
    shape: tuple[int, ...] = ()
    values: list[list[Tiles]] = []
    for row in rows:
        image = _one(source[row], names[row])
        shape = shape or image.shape
        if image.shape != shape:
            raise ValueError(
                f"'{names[row]}' is {image.shape} (channels, y, x) and '{names[rows[0]]}' {shape}, expected one size "
                "in a batch. Estimate a flat field for each size: by=…"
            )
        values.append([tiles_of([channel]) for channel in image])
        bar.update()
    return (shape[1], shape[2]), [together([v[c] for v in values]) for c in range(shape[0])]


def _one(image: Any, name: str) -> np.ndarray:
    pixels = np.asarray(image.compute() if hasattr(image, "compute") else image)
    if pixels.ndim == 2:
        pixels = pixels[None]
    if pixels.ndim != 3 or 0 in pixels.shape or pixels.dtype.kind not in "uifb":
        raise ValueError(
            f"'{name}' is {pixels.shape} of {pixels.dtype}, expected an image (Y, X) or (C, Y, X) of numbers."
        )
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError(f"'{name}' holds values that are not finite. Replace them, or leave the image out.")
    return pixels


def _estimate(
    tiles: list[Tiles], shape: tuple[int, int], dark: list[float | None], channels: Sequence[str], seed: int
) -> FlatfieldOfBatch:
    n = len(tiles[0].values)
    found = [fit_light(t, d) for t, d in zip(tiles, dark, strict=True)]
    flat = np.stack([f.flat(shape) for f in found]).astype(np.float32)
    error = np.array([_split_half_error(t, d, seed) for t, d in zip(tiles, dark, strict=True)])
    made = FlatfieldOfBatch(
        _align.read_only(flat),
        np.array([f.dark for f in found]),
        error,
        n,
        tuple(_notes(found, tiles, dark, channels, n)),
    )
    doubtful = [channels[c] for c in np.flatnonzero(~made.trusted).tolist()]
    if not doubtful or n < ENOUGH_FIELDS:
        return made
    note = f"Not to be trusted: {some(doubtful)}. Two halves of the fields do not agree on it; take more fields."
    return FlatfieldOfBatch(made.flat, made.dark, made.error, n, (*made.notes, note))


def _split_half_error(tiles: Tiles, dark: float | None, seed: int) -> float:
    """Return the error of an estimate from all fields: half of how far estimates from halves of them differ."""
    n = len(tiles.values)
    if n < 4:
        return math.nan
    rng = np.random.default_rng(seed)
    squares = []
    for _ in range(_SPLITS):
        order = rng.permutation(n)
        a, b = (
            fit_light(tiles.chosen(np.sort(rows)), dark).flat((64, 64)) for rows in (order[: n // 2], order[n // 2 :])
        )
        squares.append(float(np.mean((a - b) ** 2)) / 4)
    return math.sqrt(sum(squares) / len(squares))


def _notes(
    found: list[Light], tiles: list[Tiles], dark: list[float | None], channels: Sequence[str], n: int
) -> Iterator[str]:
    if n < ENOUGH_FIELDS:
        yield f"Too few fields to trust ({n}, at least {ENOUGH_FIELDS} needed, 24 or more recommended)."
    for f, t, given, channel in zip(found, tiles, dark, channels, strict=True):
        if not f.background:
            yield f"{channel}: no background between cells was found; the flat field rests on the cells alone."
        if given is None and (not math.isfinite(f.dark_error) or f.dark_error > 0.25 * _signal(t, f.dark)):
            yield (
                f"{channel}: the dark level could hardly be told ({f.dark:.0f}); measure it with the shutter closed "
                "and give it as dark=…"
            )


def _signal(tiles: Tiles, dark: float) -> float:
    return max(float(np.median(tiles.values)) - dark, 1e-12)


def _doubtful(flatfield: Flatfield) -> str:
    table = flatfield.table
    bad = table[~table["trusted"] & table["n_fields"].gt(0)]
    if bad.empty:
        return ""
    names = [f"{b} {c}" for b, c in zip(bad["batch"], bad["channel"], strict=True)]
    return (
        f"The flat field of {some(names)} is not to be trusted: too few fields, or two halves of them disagree. "
        "print(flatfield) shows the errors; take more fields together, or leave these uncorrected."
    )
