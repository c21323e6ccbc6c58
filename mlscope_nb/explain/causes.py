"""What the network really uses: the same cell without its cue, and what that does to the logit."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.datasets.simulator.truth import Truth
from mlscope_nb.explain.explained import VIEWS, chosen_ids, codes_of, prepared, turned
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.predict.network import Network, probabilities

Without = Literal["cue", "shortcut", "fault"]
Floats = NDArray[np.float64]
AT_ONCE, LOOKED_AT = 200, 10
"""Cells rendered at a time; cells that are rendered as they are, to see whether the answer key fits."""


class _Said(NamedTuple):
    """Logits and probabilities (N, K), each the mean over eight views."""

    logits: Floats
    probabilities: Floats


def causal_effect(
    network: Network,
    cells: Cells,
    truth: Truth,
    without: Without = "cue",
    *,
    target: Any = "true",
    ids: Iterable[str] | str | None = None,
) -> pd.DataFrame:
    """Return what the network says of each simulated cell, and of the same cell without its cue.

    Same cell, same noise, one thing less: the difference is what that one thing does. Cells whose logit falls are those
    on which the network really uses the cue; a map of other cells cannot be wrong about a cue that plays no part.

    Parameters
    ----------
    network : Network
        From `train_network`.
    cells : Cells
        As `simulate` made them (or some of them). Controls of plates that are new to the network have to be among them.
    truth : Truth
        Their answer key.
    without : {"cue", "shortcut", "fault"}
        What is left out. Outlines (masks) stay as they are, so what a phenotype does to the outline is not taken back.
    target : "true", "predicted", class, Series or sequence of classes
        The class whose logit is followed. "true": what the well really got.
    ids : ids, optional
        These cells only, in this order.

    Returns
    -------
    DataFrame
        One row per cell: `class` (whose logit it is), `effect` (by how much the logit falls without the cue: positive
        where the cue spoke for the class), `logit`, `logit_without`, `probability`, `probability_without`, `predicted`,
        `predicted_without`, `flips`, and `changed` (the picture is another one; where it is not, the effect is 0).
        Logits are the mean over eight views of the crop, as probabilities are.

    Raises
    ------
    KeyError
        The answer key does not know a cell.
    ValueError
        The crops are not those of the answer key, or the network cannot read them.

    References
    ----------
    Pearl 2009, Causality, on intervening instead of observing; here the simulator is the intervention.

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.predict import train_network
    >>> cells, truth = simulate(1, 8, 4)
    >>> network = train_network(cells, epochs=1, width=4)
    >>> causal_effect(network, cells, truth)[["class", "effect", "flips"]].shape
    (32, 3)
    """
    chosen = chosen_ids(cells, ids)
    _check(cells, truth, chosen)
    with_it = _said(network, cells, chosen)
    codes = _codes(network, truth, chosen, target, with_it)
    images, changed = _rendered(cells.subset(chosen), truth, without)
    without_it = _Said(with_it.logits.copy(), with_it.probabilities.copy())
    if changed.any():
        copies = _copies(network, cells, chosen[changed], images)
        found = _said(network, copies, copies.ids[-int(changed.sum()) :])
        without_it.logits[changed], without_it.probabilities[changed] = found
    else:
        warnings.warn(
            f"None of {count(len(chosen), 'cell')} holds a {without}: effects of 0 say nothing of the network here.",
            UserWarning,
            stacklevel=2,
        )
    result = _table(network, chosen, codes, with_it, without_it).assign(changed=changed)
    step = _align.step(
        "causal_effect", without=without, n_changed=int(changed.sum()), network=network.settings["model"]
    )
    result.attrs["history"] = [step]
    return result


def _table(network: Network, ids: pd.Index, codes: NDArray[np.intp], before: _Said, after: _Said) -> pd.DataFrame:
    classes, rows = np.asarray(network.classes, dtype=object), np.arange(len(ids))
    columns: dict[str, Any] = {
        "class": classes[codes],
        "effect": before.logits[rows, codes] - after.logits[rows, codes],
    }
    for ending, said in (("", before), ("_without", after)):
        columns[f"logit{ending}"] = said.logits[rows, codes]
        columns[f"probability{ending}"] = said.probabilities[rows, codes]
        columns[f"predicted{ending}"] = classes[said.probabilities.argmax(axis=1)]
    columns["flips"] = columns["predicted"] != columns["predicted_without"]
    return pd.DataFrame(columns, index=ids)


def _codes(network: Network, truth: Truth, ids: pd.Index, target: Any, said: _Said) -> NDArray[np.intp]:
    words = isinstance(target, str) and target not in network.classes
    if words and target == "predicted":
        return np.asarray(said.probabilities.argmax(axis=1), dtype=np.intp)
    found = codes_of(network, ids, truth.obs["label"] if words and target == "true" else target)
    if found is None:
        raise ValueError("target is None, expected 'true', 'predicted', a class, or one class for each cell.")
    return found


def _check(cells: Cells, truth: Truth, ids: pd.Index) -> None:
    unknown = ids.difference(truth.ids, sort=False)
    if len(unknown):
        raise KeyError(
            f"The answer key does not know {count(len(unknown), 'cell')}: {some(unknown)}. Give the truth that came "
            "with these cells: cells, truth = simulate(…)."
        )
    some_ids = ids[np.unique(np.linspace(0, len(ids) - 1, LOOKED_AT).astype(int))] if len(ids) else ids
    for batch in cells.subset(some_ids).batches(LOOKED_AT):
        made = truth.render(batch.ids)
        if made.shape != batch.images.shape or not np.array_equal(made, batch.images):
            raise ValueError(
                "The crops are not as the answer key renders them, so the difference would not be the cue's alone. Use "
                "the cells as simulate(…) made them, with their own truth."
            )


def _rendered(cells: Cells, truth: Truth, without: Without) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the crops that are others without it, and which they are."""
    kept, changed = [], []
    for batch in cells.batches(AT_ONCE):
        made = truth.render(batch.ids, without=without)
        other = (made != batch.images).any(axis=(1, 2, 3))
        kept.append(made[other])
        changed.append(other)
    if not changed:
        return np.empty((0, *cells.images.shape[1:])), np.zeros(0, bool)
    return np.concatenate(kept), np.concatenate(changed)


def _copies(network: Network, cells: Cells, ids: pd.Index, images: NDArray[Any]) -> Cells:
    """Return the cells with other crops; behind the controls as they are, where these set the scale of a new batch."""
    others = cells.subset(ids).with_images(images)
    known = {} if network.pixels.normalizer is None else network.pixels.normalizer.to_dict()["scales"]
    new = np.zeros(len(cells), bool) if not known else ~cells.batches_of.isin(list(known)).to_numpy()
    if not new.any():
        return others
    controls = cells.subset(new & cells.controls.to_numpy())
    control = cells.design.control
    # The copies are no controls: a control without its fault must not move the scale that it is seen on.
    blank: dict[str, Any] = {control: False} if isinstance(control, str) else dict.fromkeys(control or {})
    obs = pd.concat([controls.obs, others.obs.assign(**blank).rename(index=lambda i: f"{i} without")])
    parts = [*controls.batches(AT_ONCE), *others.batches(AT_ONCE)]
    masks = None if cells.masks is None else np.concatenate([p.masks for p in parts if p.masks is not None])
    return Cells(
        obs, np.concatenate([p.images for p in parts]), masks=masks, channels=cells.channels,
        batch=cells.design.batch, control=control,
    )  # fmt: skip


def _said(network: Network, cells: Cells, ids: pd.Index) -> _Said:
    said = _Said(np.zeros((len(ids), len(network.classes))), np.zeros((len(ids), len(network.classes))))
    with usable_threads(), torch.inference_mode():
        for rows, crops in prepared(network, cells, ids):
            views = torch.stack([network.model(turned(crops, view)) for view in range(VIEWS)])
            said.logits[rows] = views.mean(dim=0).cpu().numpy()
            said.probabilities[rows] = probabilities(network.model, crops).cpu().numpy()
    return said
