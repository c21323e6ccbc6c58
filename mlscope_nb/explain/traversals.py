"""Traversal: cells drawn along a model's decision, and measured, to say what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.explain.autoencoder import train_autoencoder
from mlscope_nb.explain.exchanges import SURE, log_odds
from mlscope_nb.explain.planes import Planes, planes_of
from mlscope_nb.explain.shapley import class_number
from mlscope_nb.explain.traversal_result import Traversal, changes
from mlscope_nb.features.measurements import measure
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.feature_model import Classifier
from mlscope_nb.predict.network import Network
from mlscope_nb.predict.network_input import Inputs, learned
from mlscope_nb.study.intervals import MIN_UNITS, check_level
from mlscope_nb.study.splits import split

ENDS = (0.05, 0.95)
"""Shares of real cells between whose places on the decision the walk goes: no farther than there are cells."""
FEWEST = 40
PARTS = 4


def traverse(
    model: Classifier,
    cells: Cells,
    *,
    target: Any = None,
    n_steps: int = 5,
    n_start: int = 48,
    n_shown: int = 6,
    families: Sequence[Any] | None = None,
    n_latent: int = 16,
    size: int = 32,
    epochs: int = 50,
    level: float = 0.95,
    seed: int = 0,
) -> Traversal:
    """Draw cells along a model's decision, from surely not the class to surely the class, and measure what changes.

    A small autoencoder learns to draw cells (turned so that they lie alike) from few numbers that also say the model's
    answer. From held-out cells it is walked where the answer changes fastest, no farther than real cells go, and all
    drawn cells are measured: what changes most is what the answer goes with in the pictures. An autoencoder draws
    outlines, sizes and brightness; fine grain and small spots at changing places are lost, and ``.decision`` says how
    much of the model's answer is in what it can draw.

    Parameters
    ----------
    model : Network, FeatureClassifier, or anything with ``predict_proba(cells)``
        What is explained.
    cells : Cells
        With images, masks, a unit, and what the model reads.
    target : optional
        The class to walk towards. Default: the second of two; with more classes it has to be named.
    n_steps : int
        Pictures along the walk.
    n_start, n_shown : int
        Held-out cells to start from, and how many of them are in the montage.
    families : sequence of str, optional
        Features to measure, as in ``ms.features.measure``. Default: shape and intensity.
    n_latent : int
        Numbers that a cell is drawn from.
    size : int
        Side of the drawn pictures in pixels.
    epochs : int
        Of the autoencoder.
    level : float
        Confidence level.
    seed : int
        Of the autoencoder, of which units are held out, and of where the walks start.

    Returns
    -------
    Traversal
        ``.features`` (what changes), ``.montage`` (pictures), ``.response`` (what the model says on the way),
        ``.contrastive`` (the nearest real cells that the model takes for something else).

    Raises
    ------
    ValueError, KeyError
        No images, masks or unit; too few cells; no such class; or the model says the same of all cells.

    References
    ----------
    Lang et al. 2021, arXiv 2104.13369, and DeGrave et al. 2025, Nat Biomed Eng 9:294 (numbers that draw pictures and
    say a classifier's answer, and walks along it).

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.features import measure
    >>> from mlscope_nb.predict import train_model
    >>> cells, _ = simulate(2, 4, 10, doses="none", strength=1, seed=2)
    >>> cells = cells.with_features(measure(cells))
    >>> found = traverse(train_model(cells), cells, target="DMSO", epochs=2, n_start=8, n_shown=2)
    >>> found.montage.shape
    (2, 5, 3, 32, 32)
    """
    check_level(level)
    _check_sizes(n_steps, n_latent, size, epochs, n_shown, n_start)
    whole, answers, wanted = _answers(model, cells, target)
    pixels = model.pixels if isinstance(model, Network) else learned(whole, "auto", True)
    planes = planes_of(whole, pixels, size)
    held = _held_out(whole, seed)
    ranks = _ranks(answers, _batches(whole))
    drawer = train_autoencoder(planes.values[~held], ranks[~held], n_latent, epochs, seed)
    latent = drawer.encoded(planes.values)
    said = drawer.says(latent)
    start = _starts(whole, held, n_start, seed)
    first, last = (float(np.quantile(said[held], share)) for share in ENDS)
    steps = np.linspace(first, last, n_steps)
    walks = drawer.walked(latent[start], steps)
    drawn = drawer.decoded(walks.reshape(-1, walks.shape[-1]))
    real = _measured(planes, planes.values.astype(np.float64), families)
    again = _measured(planes, drawer.decoded(latent[start]), families)
    table, profile = changes(_measured(planes, drawn, families), again, real, answers, whole, start, level)
    seen = drawer.components(drawn[: n_shown * n_steps].astype(np.float32)).reshape(-1, n_steps, drawer.axes.shape[1])
    near = _nearest(whole, drawer.components(planes.values), seen, start[:n_shown])
    c = len(planes.channels)
    table.attrs = {"history": [_align.step("traverse", n_latent=latent.shape[1], size=size, epochs=epochs, seed=seed)]}
    return Traversal(
        features=table,
        profile=profile.set_axis(steps, axis=1),
        montage=drawn.reshape(len(start), n_steps, *drawn.shape[1:])[:n_shown, :, :c].astype(np.float32),
        ids=whole.ids[start[:n_shown]],
        starts=planes.values[start[:n_shown], :c],
        nearest=pd.DataFrame(whole.ids.to_numpy()[near], whole.ids[start[:n_shown]], steps),
        nearest_pictures=planes.values[near][:, :, :c],
        channels=planes.channels,
        steps=steps,
        response=_response(model, drawn, planes, pixels, wanted, steps),
        contrastive=_contrastive(whole, latent, answers, start[:n_shown]),
        explained=drawer.explained(planes.values[held]),
        decision=_correlation(said[held], answers[held]),
        target=wanted,
        held_out=tuple(sorted(set(whole.units[held]))),
        notes=_notes(model, whole),
    )


def _check_sizes(n_steps: int, n_latent: int, size: int, epochs: int, n_shown: int, n_start: int) -> None:
    if n_steps < 2 or n_latent < 1 or size < 16 or epochs < 1 or not 1 <= n_shown <= n_start:
        raise ValueError(
            f"n_steps={n_steps}, n_latent={n_latent}, size={size}, epochs={epochs}, n_shown={n_shown}, "
            f"n_start={n_start}: expected at least 2 steps, 1 number, 16 pixels, 1 epoch, and no more shown "
            "than walks."
        )


def _answers(model: Classifier, cells: Cells, target: Any) -> tuple[Cells, Floats, Any]:
    """Return the cells in the order of their ids, the log odds of the class, and the class."""
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. There is nothing to draw: read cells with images.")
    if not cells.design.unit:
        raise ValueError("No unit of independence is declared. Name its column: cells.with_design(unit=…).")
    if len(cells) < FEWEST:
        raise ValueError(f"{count(len(cells), 'cell')}, expected at least {FEWEST} to learn how cells look.")
    whole = cells.subset(np.sort(cells.ids.to_numpy(dtype=str)))
    found = model.predict_proba(whole)
    wanted = list(found.columns)[class_number(tuple(found.columns), target)]
    p = found[wanted].to_numpy(np.float64).clip(SURE, 1 - SURE)
    answers = np.log(p) - np.log1p(-p)
    if np.ptp(answers) < SURE:
        raise ValueError(
            f"The model says the same of all cells ('{wanted}': {p[0]:.3g}): there is no decision to walk along."
        )
    return whole, answers, wanted


def _held_out(cells: Cells, seed: int) -> np.ndarray:
    """Return which cells are of units that the autoencoder does not learn from: a quarter of them."""
    n = cells.units.nunique()
    if n < 2:
        raise ValueError(
            f"{count(n, 'unit')}, expected two or more: some are held out to see whether cells are drawn well."
        )
    part = split(cells, n_splits=min(PARTS, n), seed=seed)[0]
    return np.asarray(cells.ids.isin(part.test_ids))


def _batches(cells: Cells) -> np.ndarray:
    return pd.factorize(cells.batches_of)[0] if cells.design.batch else np.zeros(len(cells), np.intp)


def _ranks(answers: Floats, batch: np.ndarray) -> Floats:
    """Return the answers' ranks within batches, with mean 0 and deviation 1: a few answers are very sure."""
    order = pd.Series(answers).groupby(batch).rank()
    inner = (order - order.groupby(batch).transform("mean")) / order.groupby(batch).transform("std")
    found = inner.fillna(0.0).to_numpy()
    if not found.any():
        raise ValueError("The model says the same of all cells of a batch: there is no decision to walk along.")
    return np.asarray(found)


def _starts(cells: Cells, held: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return rows of held-out cells, units in turn."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(held))
    turn = pd.Series(cells.units.to_numpy()[rows]).groupby(cells.units.to_numpy()[rows]).cumcount().to_numpy()
    return np.asarray(rows[np.argsort(turn, kind="stable")][:n])


def _measured(planes: Planes, pictures: Floats, families: Any) -> pd.DataFrame:
    """Measure pictures (N, P, size, size): drawn ones, or real cells turned and made small as the drawn ones are.

    No light is less than none, in a drawn picture either: weighted by it, the middle of a cell would lie anywhere.
    """
    pictures = np.maximum(pictures, 0)
    obs = pd.DataFrame(index=[str(i) for i in range(len(pictures))])
    return measure(planes.cells(pictures, obs), families, full_scale=1.0, progress=False)


def _response(
    model: Classifier, drawn: Floats, planes: Planes, pixels: Inputs, wanted: Any, steps: Floats
) -> pd.DataFrame:
    """Return what a network says of the drawn pictures at each step; nothing for models of features."""
    if not isinstance(model, Network):
        return pd.DataFrame({"log_odds": np.nan}, index=pd.Index(steps, name="step"))
    pictures = torch.from_numpy(drawn[:, : len(planes.channels)].astype(np.float32))
    crops = F.interpolate(pictures, size=(pixels.window, pixels.window), mode="bilinear", align_corners=False)
    said = log_odds(model, crops)[:, model.classes.index(wanted)].reshape(-1, len(steps))
    return pd.DataFrame({"log_odds": said.mean(axis=0)}, index=pd.Index(steps, name="step"))


def _nearest(cells: Cells, real: Floats, drawn: Floats, start: np.ndarray) -> np.ndarray:
    """Return for each drawn cell (n, steps) the row of the other real cell of the same batch that looks most like it.

    Pictures are compared by their components, as much as these vary: latent numbers also hold what is hardly seen.
    """
    batch = _batches(cells)
    found = np.empty(drawn.shape[:2], np.intp)
    for k, row in enumerate(start[: len(drawn)]):
        others = np.flatnonzero(batch == batch[row])
        # A cell alone in its batch has itself for company.
        others = others[others != row] if len(others) > 1 else others
        away = np.linalg.norm(real[others][None] - drawn[k][:, None], axis=2)
        found[k] = others[away.argmin(axis=1)]
    return found


def _contrastive(cells: Cells, latent: Floats, answers: Floats, start: np.ndarray) -> pd.DataFrame:
    """Return for each cell the nearest real cell of its batch on the other side of even odds."""
    batch = _batches(cells)
    rows = []
    for row in start:
        others = np.flatnonzero((batch == batch[row]) & ((answers > 0) != (answers[row] > 0)))
        if not len(others):
            rows.append((cells.ids[row], answers[row], None, np.nan, np.nan))
            continue
        away = np.linalg.norm(latent[others] - latent[row], axis=1)
        best = int(np.argmin(away))
        rows.append((cells.ids[row], answers[row], cells.ids[others[best]], answers[others[best]], away[best]))
    columns = ["cell_id", "log_odds", "contrast", "contrast_log_odds", "distance"]
    return pd.DataFrame(rows, columns=columns).set_index("cell_id")


def _correlation(a: Floats, b: Floats) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def _notes(model: Classifier, cells: Cells) -> tuple[str, ...]:
    notes = []
    if cells.units.nunique() < PARTS * MIN_UNITS:
        notes.append(
            f"Held out are parts of {count(cells.units.nunique(), 'unit')} only: intervals are wide or missing."
        )
    if isinstance(model, Network) and not model.unseen(cells).any():
        notes.append(f"The network has learned from all of these cells ({some(model.units, 3)}).")
    return tuple(notes)
