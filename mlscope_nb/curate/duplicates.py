"""Duplicates: cells that are in the data more than once, turned, moved, brighter or with fresh noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb.cells import Cells
from mlscope_nb.curate.alignment import Pairs, align
from mlscope_nb.curate.candidates import candidates
from mlscope_nb.curate.chains import LARGEST, SAME_NOISE, chained, groups, warn_of_chains
from mlscope_nb.curate.differences import Differences, Lens, compare, joined, none
from mlscope_nb.curate.lookalikes import MOST_ALIKE, Limits, drawn_pairs, example_pairs, limits, warn_if_alike
from mlscope_nb.curate.spectra import SMALLEST, TURNS, Ints, Spectra, Waves, noise_variance, squares, turned

STRUCTURE = 0.5  # a crop whose coarse waves hold less light than noise alone would shows nothing to compare
ALIKE = 0.95  # correlation of coarse waves below which pixels are not compared; shifted copies reach 0.97
CHUNK = 256  # pairs compared at a time
DELAY = 2  # seconds before progress is shown
PLACE = ("field_id", "y_px", "x_px")
COLUMNS = (
    "cell_a", "cell_b", "similarity", "unexplained", "uncertain", "group", "turn", "shift_y_px", "shift_x_px", "gain",
    "kind", "other_field", "other_unit", "other_batch", "straddles",
)  # fmt: skip


def find_duplicates(
    cells: Cells, *, max_shift: float = 2.0, max_gain: float = 2.0, batch_size: int = 500
) -> pd.DataFrame:
    """Find cells that are in the data more than once: shifted, flipped, turned by 90°, brighter, with fresh noise.

    Nearest neighbours among numbers that no turn or shift changes are laid on each other. A pair counts when what is
    left between the two pictures is what the camera's noise leaves, and less than is ever left between different cells
    of these data. Nothing is removed.

    Parameters
    ----------
    cells : Cells
        With images of at least 16 × 16 pixels; of oblong crops the middle square is compared. Masks are not needed.
    max_shift : float
        Pixels by which a copy may be moved, in each direction. Windows of neighbours in one field lie further apart:
        they share pixels and are no duplicates.
    max_gain : float
        How many times brighter or darker a copy may be.
    batch_size : int
        Cells in memory at a time.

    Returns
    -------
    DataFrame
        One row per pair: ``cell_a``, ``cell_b``, ``similarity`` (1: alike to the noise), ``unexplained`` (share of the
        structure of one that the other does not show) and how far noise makes that ``uncertain``; ``group`` (cells that
        are copies of each other, from 1); how b follows from a: ``turn``, ``shift_y_px``, ``shift_x_px``, ``gain``;
        ``kind``: "cut twice" from one place of a field, or "copy"; ``other_field``, ``other_unit``, ``other_batch``
        (missing where not known); and which splits would put one into training and one into the test
        (``straddles``: "cells", "cells, units" or "cells, units, batches").
        ``attrs`` holds ``history``; ``no_structure``: ids of cells that show nothing but noise, empty and constant ones
        among them, which are left out; ``undecided``: pairs too noisy to tell; ``limit``: the largest difference that
        counts as a copy; ``chance``: the share of pairs drawn at random that look the same; ``look_alikes``: pairs that
        were left out, because the pictures show too little to tell cells apart (a warning says so). Of such pictures
        only pairs are listed that share their noise too: one picture twice.

    Raises
    ------
    ValueError
        No images, crops too small, or a setting out of its range.

    References
    ----------
    Noise: Immerkær 1996, doi 10.1006/cviu.1996.0060. Registration by phases: Guizar-Sicairos et al. 2008,
    doi 10.1364/OL.33.000156.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> light = rng.random((6, 1, 6, 6)).repeat(4, axis=2).repeat(4, axis=3)
    >>> light[5] = 1.04 * light[0, :, ::-1]
    >>> cells = Cells(pd.DataFrame(index=list("abcdef")), light)
    >>> find_duplicates(cells)[["cell_a", "cell_b", "turn"]].values.tolist()
    [['a', 'f', 'flipped up-down']]
    """
    lens = _checked(cells, max_shift, max_gain, batch_size)
    bare = Cells(pd.DataFrame(index=cells.ids), cells.images)
    spectra = survey(bare, batch_size)
    rows = np.flatnonzero(spectra.reliability.max(axis=1, initial=0) >= STRUCTURE)
    order = np.argsort(np.argsort(cells.ids.to_numpy(str), kind="stable"))
    search = _Search(bare, spectra, lens, max_shift, order)
    pairs = search.aligned(*candidates(spectra, rows))
    known = limits(search.differences(pairs.chosen(example_pairs(pairs, cells.ids))), len(rows), max_gain)
    drawn = search.differences(search.aligned(*drawn_pairs(rows, cells.ids)))
    chance = warn_if_alike(drawn, known, len(rows))
    pairs = pairs.chosen(np.flatnonzero(pairs.alike >= ALIKE))
    found = search.differences(pairs)
    same = known.hold(found)
    more = search.aligned(*_missing(pairs, same, len(cells)))
    rest = search.differences(more)
    pairs, found = pairs.and_more(more), joined([found, rest])
    same, undecided = known.hold(found), known.undecided(found)
    doubtful = same & (found.fresh > SAME_NOISE)
    if chance <= MOST_ALIKE:
        doubtful &= chained(pairs, same, len(cells), lambda rows: search.share(rows, known))
        warn_of_chains(pairs, same, doubtful)
    same &= ~doubtful
    table = _table(cells, pairs.chosen(same), found.chosen(same), max_shift)
    step = {"max_shift": max_shift, "max_gain": max_gain, "n": len(table), "n_cells": len(cells)}
    table.attrs = {
        "history": [_align.step("find_duplicates", **step)],
        "no_structure": cells.ids[np.setdiff1d(np.arange(len(cells)), rows)].tolist(),
        "undecided": int(undecided.sum()),
        "limit": known.largest,
        "chance": chance,
        "look_alikes": int(doubtful.sum()),
    }
    return table


def group_duplicates(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each cell that has duplicates: its group, how many belong to it, and which one to keep.

    Parameters
    ----------
    pairs : DataFrame
        From `find_duplicates`.

    Returns
    -------
    DataFrame
        Index ``cell_id``; ``group``, ``n_cells``, and ``keep``: True for one cell of each group, the first by name.

    Examples
    --------
    >>> pairs = pd.DataFrame({"cell_a": ["a", "b"], "cell_b": ["b", "c"], "group": [1, 1]})
    >>> group_duplicates(pairs)["n_cells"].to_dict()
    {'a': 3, 'b': 3, 'c': 3}
    """
    missing = [c for c in ("cell_a", "cell_b", "group") if c not in pairs.columns]
    if missing:
        raise ValueError(f"The table has no column {missing[0]!r}. Give what find_duplicates returned.")
    members = pd.concat([pairs[[c, "group"]].set_axis(["cell_id", "group"], axis=1) for c in ("cell_a", "cell_b")])
    members = members.drop_duplicates().sort_values(["group", "cell_id"]).set_index("cell_id")
    by_group = members.groupby("group")["group"]
    return members.assign(n_cells=by_group.transform("size"), keep=by_group.cumcount() == 0)


def survey(cells: Cells, batch_size: int = 500) -> Spectra:
    """Return the coarse waves and the noise of all cells, read a batch at a time."""
    n, n_channels, height, width = cells.images.shape
    waves = Waves(min(height, width))
    values = np.empty((n, n_channels, len(waves.numbers)), np.complex64)
    noise = np.empty((n, n_channels), np.float32)
    start = 0
    with tqdm(desc="Reading cells", total=n, unit="cell", delay=DELAY, leave=False) as shown:
        for batch in cells.batches(batch_size):
            images, part = squares(batch.images), slice(start, start + len(batch.ids))
            values[part] = waves.of(images)
            noise[part] = noise_variance(images, counted=batch.images.dtype.kind in "iu")
            start = part.stop
            shown.update(len(batch.ids))
    return Spectra(waves, values, noise)


class _Search:
    """The cells, what is known of all of them, and the two comparisons of pairs."""

    def __init__(self, cells: Cells, spectra: Spectra, lens: Lens, max_shift: float, order: Ints) -> None:
        self.cells, self.spectra, self.lens, self.max_shift, self.order = cells, spectra, lens, max_shift, order

    def aligned(self, first: Ints, second: Ints) -> Pairs:
        """Return pairs with turn and shift; in each the first by name comes first, whatever the order of the cells."""
        swap = self.order[first] > self.order[second]
        first, second = np.where(swap, second, first), np.where(swap, first, second)
        by_name = np.lexsort((self.order[second], self.order[first]))
        return align(self.spectra, first[by_name], second[by_name], self.max_shift)

    def differences(self, pairs: Pairs) -> Differences:
        """Compare the pixels of pairs, a chunk at a time."""
        if not len(pairs):
            return none(self.spectra.noise.shape[1])
        chunks = np.array_split(np.arange(len(pairs)), -(-len(pairs) // CHUNK))
        shown = tqdm(chunks, "Comparing pairs", unit="chunk", delay=DELAY, leave=False)
        return joined([self._chunk(pairs.chosen(rows)) for rows in shown])

    def share(self, rows: Ints, known: Limits) -> float:
        """Return which share of pairs drawn from some cells counts as copies."""
        return float(known.hold(self.differences(self.aligned(*drawn_pairs(rows, self.cells.ids)))).mean())

    def _chunk(self, pairs: Pairs) -> Differences:
        rows, where = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
        images = squares(next(self.cells.subset(self.cells.ids[rows]).batches(len(rows))).images)
        a, b = images[where[: len(pairs)]], images[where[len(pairs) :]]
        for image, turn in zip(a, pairs.turn, strict=True):
            image[:] = turned(image.copy(), int(turn))
        noise = self.spectra.noise[pairs.first], self.spectra.noise[pairs.second]
        return compare(self.lens, a, b, pairs.shift, noise, self.max_shift + 0.5)


def _missing(pairs: Pairs, same: np.ndarray, n: int) -> tuple[Ints, Ints]:
    """Return the pairs within groups that are not too large and have not been compared."""
    group = groups(pairs.first[same], pairs.second[same], n)
    sizes = np.bincount(group, minlength=1)
    wanted = [np.flatnonzero(group == g) for g in np.flatnonzero((sizes > 2) & (sizes <= LARGEST))]
    known = set(zip(*np.sort([pairs.first, pairs.second], axis=0).tolist(), strict=True))
    inside = [np.stack(np.triu_indices(len(rows), 1), axis=1) for rows in wanted]
    every = [tuple(pair) for rows, ij in zip(wanted, inside, strict=True) for pair in rows[ij].tolist()]
    fresh = np.array([pair for pair in every if pair not in known], np.intp).reshape(-1, 2)
    return fresh[:, 0], fresh[:, 1]


def _table(cells: Cells, pairs: Pairs, found: Differences, max_shift: float) -> pd.DataFrame:
    ids = cells.ids.to_numpy(object)
    a, b = ids[pairs.first], ids[pairs.second]
    place = _apart(cells, pairs)
    other = {name: _differ(cells, name, pairs) for name in ("field", "unit", "batch")}
    table = pd.DataFrame(
        {
            "cell_a": a,
            "cell_b": b,
            "similarity": np.sqrt(np.clip(1 - found.unexplained, 0, 1)),
            "unexplained": found.unexplained,
            "uncertain": found.uncertain,
            "group": groups(pairs.first, pairs.second, len(cells))[pairs.first],
            "turn": np.array(TURNS, object)[pairs.turn],
            "shift_y_px": found.shift[:, 0],
            "shift_x_px": found.shift[:, 1],
            "gain": found.brighter,
            "kind": np.where(place <= max_shift * np.sqrt(2) + 1, "cut twice", "copy").astype(object),
            **{f"other_{name}": value for name, value in other.items()},
            "straddles": _straddles(other["unit"], other["batch"]),
        },
        columns=list(COLUMNS),
    )
    # groups are numbered by their first cell, whatever the order of the cells
    table = table.sort_values(["cell_a", "cell_b"], ignore_index=True)
    return table.assign(group=pd.factorize(table["group"])[0] + 1)


def _apart(cells: Cells, pairs: Pairs) -> np.ndarray:
    """Return how far apart in one field the cells of a pair lie; infinite in different fields or where not known."""
    obs = cells.obs
    if not set(PLACE) <= set(obs.columns):
        return np.full(len(pairs), np.inf)
    a, b = obs.iloc[pairs.first], obs.iloc[pairs.second]
    distance = np.hypot(*(a[c].to_numpy(float) - b[c].to_numpy(float) for c in PLACE[1:]))
    here = (a[PLACE[0]].to_numpy(object) == b[PLACE[0]].to_numpy(object)) & np.isfinite(distance)
    return np.where(here, distance, np.inf)


def _differ(cells: Cells, name: str, pairs: Pairs) -> pd.Series:
    """Return for each pair whether field, unit or batch differ; missing where it is not known."""
    obs = cells.obs
    if name == "field":
        known = obs["field_id"] if "field_id" in obs.columns else None
    else:
        declared = getattr(cells.design, name)
        known = (cells.units if name == "unit" else cells.batches_of) if declared else None
    if known is None:
        return pd.Series(pd.NA, range(len(pairs)), "boolean")
    values = known.to_numpy(object)
    return pd.Series(values[pairs.first] != values[pairs.second], dtype="boolean")


def _straddles(unit: pd.Series, batch: pd.Series) -> list[str]:
    words = (("cells", True), ("units", unit.fillna(False)), ("batches", batch.fillna(False)))
    columns = [np.where(holds, word, "") for word, holds in words]
    return [", ".join(filter(None, row)) for row in zip(*np.broadcast_arrays(*columns), strict=True)]


def _checked(cells: Cells, max_shift: float, max_gain: float, batch_size: int) -> Lens:
    """Return where pictures are compared, or refuse cells and settings that cannot be."""
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to find duplicates.")
    if not max_shift >= 0 or not np.isfinite(max_shift):
        raise ValueError(f"max_shift is {max_shift}, expected a number of pixels from 0.")
    if not max_gain > 1:
        raise ValueError(f"max_gain is {max_gain}, expected more than 1 (2: twice as bright or half).")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected at least 1 cell.")
    size, margin = min(cells.images.shape[2:]), int(np.ceil(max_shift)) + 2
    smallest = max(SMALLEST, 2 * margin + 8)
    if size < smallest:
        raise ValueError(
            f"The crops are {cells.images.shape[2]} × {cells.images.shape[3]} pixels, expected at least {smallest} × "
            f"{smallest} for max_shift={max_shift:g}. Cut larger windows, or lower max_shift."
        )
    return Lens(size, margin)
