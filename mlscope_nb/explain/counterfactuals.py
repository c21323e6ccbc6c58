"""Counterfactuals: what a network says when a part of a crop is taken away, or comes from a cell of another class."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.explain.baselines import background, blurred
from mlscope_nb.explain.counterfactual_result import PASTE, REMOVE, SHAM, Counterfactual, deciding, summary
from mlscope_nb.explain.exchanges import Asked, asked, log_odds, other_donors, pairs, units_of
from mlscope_nb.explain.regions import Bools, Region, Where, own_pixels, regions_of
from mlscope_nb.predict.network import Network
from mlscope_nb.study.intervals import check_level

Fill = Literal["background", "blurred", "cells"]


def counterfactual(
    network: Network,
    cells: Cells,
    region: Where = None,
    *,
    target: Any = None,
    fill: Fill = "background",
    n_cells: int | None = 300,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Counterfactual:
    """Find the part of the picture that decides, by putting it into cells of other classes and by taking it away.

    A map says where a network looks; this changes the picture and asks again. **Paste**: a cell gets a region of a cell
    of another class from the same batch; how often does the network now say that class? Beside it the same exchange
    with a cell of its own class (sham), because any exchange may disturb. **Remove**: the region of a cell is filled;
    how often does the network no longer say its class? A region without a part of the cell that decides is a shortcut.

    Parameters
    ----------
    network : Network
        From `train_network`.
    cells : Cells
        With images, labels and a unit, best of units that the network has not seen; masks where there are any. Of a
        batch that is new to the network all controls.
    region : str, array, box or dict, optional
        Default: corners, border, the cell, what is outside, compartments, and each channel. Or a name of one of these,
        a mask (Y, X) or one for each cell (N, Y, X), a box (top, bottom, left, right) in pixels, or ``{name: any of
        these}``.
    target : optional
        Only turn cells into this class. Default: into all classes (each cell into two others).
    fill : {"background", "blurred", "cells"}
        What comes in place of a removed region: the dark level of the crop, the crop without detail, or the pixels of
        a cell of another class.
    n_cells : int, optional
        How many cells are asked, as many of each class, units in turn. None: all.
    level : float
        Confidence level.
    seed : int
        Of who is asked and who gets whose pixels; the order of rows does not matter.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    Counterfactual
        ``.table`` by region and class, with intervals over units; ``.per_cell``; ``.deciding``, the region that decides
        for each class; ``print`` names it.

    Raises
    ------
    ValueError, KeyError
        No images, label, region or class of this name; or no batch with cells of two classes that the network knows.

    References
    ----------
    Goyal et al. 2019, arXiv 1904.07451 (regions of one picture put into another); DeGrave et al. 2021, Nat Mach Intell
    3:610 (shortcuts that accuracy and maps do not show); Hooker et al. 2019, arXiv 1806.10758 (why removed pixels need
    a filling that the network knows).

    Examples
    --------
    >>> from mlscope_nb.predict import train_network
    >>> pixels = np.random.default_rng(0).integers(0, 4000, (24, 1, 16, 16), dtype=np.uint16)
    >>> pixels[1::2, :, 8:, :8] += 30_000
    >>> obs = pd.DataFrame({"well": list("ABCDEF") * 4, "drug": list("xyxyxy") * 4}, index=[f"c{i}" for i in range(24)])
    >>> cells = Cells(obs, pixels, channels=["DNA"], label="drug", unit="well")
    >>> network = train_network(cells, epochs=2, width=4)
    >>> found = counterfactual(network, cells, {"mark": (8, 16, 0, 8)})
    >>> found.table["region"].unique().tolist()
    ['mark']
    """
    check_level(level)
    if fill not in ("background", "blurred", "cells"):
        raise ValueError(f"fill is {fill!r}, expected 'background', 'blurred' or 'cells'.")
    if n_cells is not None and n_cells < 2:
        raise ValueError(f"n_cells is {n_cells}, expected 2 or more, or None for all.")
    found = asked(network, cells, n_cells, seed)
    exchange = pairs(found, target, network.classes, seed)
    side, where = network.pixels.window, _rows_of(region, cells, found.cells)
    regions, notes = regions_of(found.cells, where, side, seen_outside=not network.pixels.masked)
    own = own_pixels(found.cells, side)
    bar = tqdm(regions, desc="Regions", leave=False, disable=not progress, delay=2)
    rows = [part for one in bar for part in _of_region(network, found, exchange, one, own, fill, target, seed)]
    per_cell = _named(pd.concat(rows, ignore_index=True), found, network.classes)
    table = summary(
        per_cell, {r.name: _share(r, found, own) for r in regions}, {r.name: r.outside for r in regions}, level
    )
    notes += _seen(network, found.cells)
    if network.pixels.normalize == "crop":
        notes.append("The network reads each crop stretched to its own ends; regions are exchanged after that.")
    step = _align.step(
        "counterfactual", regions=[r.name for r in regions], fill=fill, n_cells=len(found.cells), seed=seed
    )
    per_cell.attrs = {"history": [step]}
    return Counterfactual(table, per_cell, deciding(table), len(found.cells), _word(found.cells), level, tuple(notes))


def _rows_of(region: Any, cells: Cells, chosen: Cells) -> Any:
    """Return masks of single cells for the cells that were chosen, others as they are."""
    if isinstance(region, dict):
        return {name: _rows_of(where, cells, chosen) for name, where in region.items()}
    array = region
    if isinstance(array, np.ndarray) and array.ndim == 3 and len(array) == len(cells):
        return array[cells.ids.get_indexer(chosen.ids)]
    return region


def _of_region(
    network: Network, found: Asked, exchange: pd.DataFrame, region: Region, own: Bools | None, fill: Fill, target: Any,
    seed: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """Return what the network says of cells with this region exchanged, exchanged within the class, and removed."""
    rows, codes = exchange["row"].to_numpy(), exchange["target"].to_numpy()
    after = log_odds(network, _exchanged(found, rows, exchange["donor"].to_numpy(), region, own))
    pasted = _compared(found, rows, codes, after, PASTE, exchange["donor"].to_numpy())
    # The sham does not depend on the class to turn into: once for each cell.
    once, place = np.unique(rows, return_inverse=True)
    same = exchange.groupby("row")["own_donor"].first().reindex(once).to_numpy()
    after = log_odds(network, _exchanged(found, once, same, region, own))[place]
    sham = _compared(found, rows, codes, after, SHAM, same[place])
    parts = [pasted, sham]
    right = np.flatnonzero(found.label == found.said)
    if target is not None:
        right = right[found.label[right] == network.classes.index(target)]
    donors = other_donors(found, right, seed) if fill == "cells" else np.full(len(right), -1)
    if fill == "cells":
        right, donors = right[donors >= 0], donors[donors >= 0]
    if len(right):
        emptied = (
            _exchanged(found, right, donors, region, own)
            if fill == "cells"
            else _filled(found, right, region, own, fill)
        )
        parts.append(_compared(found, right, found.label[right], log_odds(network, emptied), REMOVE, donors))
    return [part.assign(region=region.name) for part in parts]


def _where(region: Region, row: int, donor: int | None, own: Bools | None) -> Bools:
    """Return the pixels that change: of both cells where it is a part of cells, of none of them where it is outside."""
    pixels = region.of(row)
    if donor is not None:
        pixels = pixels | region.of(donor)
    if region.outside and own is not None:
        pixels = pixels & ~own[row]
        if donor is not None:
            pixels = pixels & ~own[donor]
    return pixels


def _exchanged(found: Asked, rows: np.ndarray, donors: np.ndarray, region: Region, own: Bools | None) -> Tensor:
    where = torch.from_numpy(np.stack([_where(region, r, d, own) for r, d in zip(rows, donors, strict=True)]))
    return _put(found.crops[rows], found.crops[donors], where, region)


def _filled(found: Asked, rows: np.ndarray, region: Region, own: Bools | None, fill: Fill) -> Tensor:
    where = torch.from_numpy(np.stack([_where(region, r, None, own) for r in rows]))
    crops = found.crops[rows]
    return _put(crops, background(crops) if fill == "background" else blurred(crops), where, region)


def _put(crops: Tensor, others: Tensor, where: Tensor, region: Region) -> Tensor:
    in_channel = torch.ones(crops.shape[1], dtype=torch.bool)
    if region.channels:
        in_channel[:] = False
        in_channel[list(region.channels)] = True
    return torch.where(where[:, None] & in_channel[None, :, None, None], others, crops)


def _compared(
    found: Asked, rows: np.ndarray, codes: np.ndarray, after: np.ndarray, edit: str, donors: np.ndarray
) -> pd.DataFrame:
    at = np.arange(len(rows))
    before = found.logits[rows, codes]
    said = after.argmax(axis=1)
    flipped = said != codes if edit == REMOVE else said == codes
    return pd.DataFrame({
        "edit": edit, "row": rows, "donor": donors, "target": codes, "before": before, "after": after[at, codes],
        "change": after[at, codes] - before, "said_before": found.said[rows], "said_after": said, "flipped": flipped,
    })  # fmt: skip


def _named(table: pd.DataFrame, found: Asked, classes: tuple[Any, ...]) -> pd.DataFrame:
    """Return the table with ids and names instead of numbers."""
    ids, units = found.cells.ids.to_numpy(), units_of(found.cells).to_numpy()
    names = np.asarray(classes, dtype=object)
    donor = table["donor"].to_numpy()
    result = pd.DataFrame({
        "region": table["region"], "edit": table["edit"], "cell_id": ids[table["row"]],
        "donor": np.where(donor >= 0, ids[donor], None), "unit": units[table["row"]],
        "given": names[found.label[table["row"]]], "target": names[table["target"]],
        "said_before": names[table["said_before"]], "said_after": names[table["said_after"]],
    })  # fmt: skip
    return pd.concat([result, table[["before", "after", "change", "flipped"]]], axis=1)


def _share(region: Region, found: Asked, own: Bools | None) -> float:
    """Return the share of what the network reads that the region is."""
    channels = len(region.channels) / found.crops.shape[1] if region.channels else 1.0
    pixels = region.pixels & ~own if region.outside and own is not None else region.pixels
    return float(pixels.mean()) * channels


def _word(cells: Cells) -> str:
    from mlscope_nb.study.units import noun

    return noun(cells.design.unit) if cells.design.unit else "cell"


def _seen(network: Network, cells: Cells) -> list[str]:
    if not cells.design.unit:
        return ["No unit of independence is declared: cells are taken to be independent."]
    known = int((~network.unseen(cells)).sum())
    return (
        [f"{count(known, 'cell')} of {len(cells):,} are of units that the network has learned from."] if known else []
    )
