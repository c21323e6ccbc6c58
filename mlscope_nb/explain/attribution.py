"""Maps of what a network looks at: one number for each pixel, signed, in the pixels of the crops."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from mlscope_nb.cells import Cells
from mlscope_nb.explain.baselines import Baseline, Baselines
from mlscope_nb.explain.explained import chosen_ids, explained
from mlscope_nb.explain.gradcam import Resize
from mlscope_nb.explain.gradients import completeness_error
from mlscope_nb.explain.mapping import NOISE, Mapper, Method
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.predict.network import Network

Maps = NDArray[np.float32]


def attribute(
    network: Network,
    cells: Cells,
    *,
    method: Method = "gradient",
    target: Any = None,
    baseline: Baseline = "blurred",
    reference: Cells | None = None,
    ids: Iterable[str] | str | None = None,
    views: int | None = None,
    steps: int = 50,
    tolerance: float | None = 0.01,
    samples: int = 32,
    noise: float = NOISE,
    patch_px: int | None = None,
    stride_px: int | None = None,
    layer: str | None = None,
    resize: Resize = "aligned",
    seed: int = 0,
) -> Maps:
    """Return a signed map of each cell: which pixels speak for a class (positive) and which against it (negative).

    What is taken apart is the logit of the class, the network's score before it becomes a probability. A map is a claim
    about the network, not about the cell: `grade` holds it against an answer key, `sanity_check` against a network that
    has learned nothing.

    ======================  ==============================================================================
    "gradient"              how the logit answers to a little more light in each pixel
    "smoothgrad"            the mean of that over crops with noise added
    "integrated_gradients"  the mean gradient on the way from a baseline to the crop, times their difference;
                            its sum is the difference of their logits
    "gradcam"               the maps of an inner layer, each with one weight for all of its places: coarse, and lost
                            where the network goes by the brightest place and not by the mean
    "hirescam"              the same, each place with the weight that it has: sharp in fine layers
    "occlusion"             how far the logit falls when a patch is replaced by the baseline
    ======================  ==============================================================================

    Parameters
    ----------
    network : Network
        From `train_network`.
    cells : Cells
        With images (N, C, Y, X) as the network knows them. Controls of plates that are new to it have to be among them.
    method : str
        See above.
    target : class, Series or sequence of classes, optional
        The class in question, or one for each cell (``cells.labels``). Default: the class that is predicted.
    baseline : {"blurred", "background", "class mean"} or array
        What "nothing there" is, for "integrated_gradients" and "occlusion": the crop without detail, its own dark
        level, the mean crop of the other classes (by the labels of `reference`), or prepared pixels (C, Y, X) or
        (N, C, Y, X) with background 0 and bright end 1. A black image is not among them: no microscope makes one.
    reference : Cells, optional
        Labelled cells for "class mean". Default: `cells`.
    ids : ids, optional
        Explain these only, in this order.
    views : {1, 8}, optional
        8: the mean over the crop turned and mirrored, as probabilities are: it explains what the network answers, and
        filters that look a little beside the place lose their bias. Eight times as long. Default: 8 for "gradient",
        "gradcam" and "hirescam", 1 for methods that need many passes.
    steps, tolerance : int, float
        Of "integrated_gradients": points on the way, and how far the sum may be off (relative) before a cell is done
        again with more; None: never again.
    samples, noise : int, float
        Of "smoothgrad": how many crops, and the deviation of the noise (1 is the bright end of a control cell). The 0.1
        that is usual for photographs may drown cues of a few pixels.
    patch_px, stride_px : int, optional
        Of "occlusion": side of the patch (default: an eighth of the window) and step (default: a 24th of it). A map
        is as sharp as the step is short.
    layer : str, optional
        Of "gradcam" and "hirescam": one of `layers`. Default: for "gradcam" the deepest with at least eight places
        along a side, for "hirescam" the finest.
    resize : {"aligned", "stretched"}
        Of both: "aligned" lays each place on the pixels that it looks at, which is measured; "stretched" goes from
        edge to edge, as torch and captum do.
    seed : int
        Of the noise.

    Returns
    -------
    numpy.ndarray
        float32 (N, Y, X), in the pixels of the crops; 0 outside of the window that the network reads. A cell's map
        depends on no other cell, except through "class mean" and the controls of new plates.

    Raises
    ------
    ValueError
        No images, other channels or sizes, a class that the network does not know, or an option that cannot be.

    References
    ----------
    With ``views=1`` equal to captum 0.9 on the same inputs (``tests/explain/test_captum.py``); sources are with each
    method's module.

    Examples
    --------
    >>> from mlscope_nb.datasets import simulate
    >>> from mlscope_nb.predict import train_network
    >>> cells, _ = simulate(1, 8, 4)
    >>> network = train_network(cells, epochs=1, width=4)
    >>> attribute(network, cells, method="gradcam", ids=cells.ids[:2]).shape
    (2, 64, 64)
    """
    mapper = Mapper(method, views, steps, tolerance, samples, noise, patch_px, stride_px, layer, resize, seed)
    found = maps_of(network, cells, mapper, target=target, baseline=baseline, reference=reference, ids=ids)
    return found[:, 0]


def attribute_channels(
    network: Network,
    cells: Cells,
    *,
    method: Method = "gradient",
    target: Any = None,
    baseline: Baseline = "blurred",
    reference: Cells | None = None,
    ids: Iterable[str] | str | None = None,
    views: int | None = None,
    steps: int = 50,
    tolerance: float | None = 0.01,
    samples: int = 32,
    noise: float = NOISE,
    patch_px: int | None = None,
    stride_px: int | None = None,
    layer: str | None = None,
    resize: Resize = "aligned",
    seed: int = 0,
) -> Maps:
    """Return a signed map of each channel of each cell.

    For gradients their sum over channels is the map of `attribute`. For "occlusion" it is not: here one channel is
    replaced at a time, there all of them, and a network may need two together. "gradcam" and "hirescam" tell channels
    apart only in networks that keep them apart (``model="finetune"``).

    Parameters
    ----------
    network, cells, method, target, baseline, reference, ids, views, steps, tolerance, samples, noise, patch_px
        As in `attribute`.
    stride_px, layer, resize, seed
        As in `attribute`.

    Returns
    -------
    numpy.ndarray
        float32 (N, C, Y, X).

    Raises
    ------
    ValueError
        As in `attribute`, or Grad-CAM of a network that mixes the channels.
    """
    mapper = Mapper(method, views, steps, tolerance, samples, noise, patch_px, stride_px, layer, resize, seed, True)
    return maps_of(network, cells, mapper, target=target, baseline=baseline, reference=reference, ids=ids)


def completeness(
    network: Network,
    cells: Cells,
    maps: NDArray[Any],
    *,
    target: Any = None,
    baseline: Baseline = "blurred",
    reference: Cells | None = None,
    ids: Iterable[str] | str | None = None,
) -> pd.Series:
    """Return by how much the sum of each map is off: it should be the logit of the crop minus that of the baseline.

    Integrated gradients promise a sum that is right; other methods promise nothing, and their sums mean nothing.

    Parameters
    ----------
    network, cells, target, baseline, reference, ids
        As they were given to `attribute`, with one view.
    maps : array (N, Y, X) or (N, C, Y, X)
        What it returned.

    Returns
    -------
    Series
        The error relative to the difference, by cell id: 0.01 is one percent.

    Raises
    ------
    ValueError
        Another number of maps, or as in `attribute`.
    """
    chosen = chosen_ids(cells, ids)
    if len(maps) != len(chosen):
        raise ValueError(f"{len(maps):,} maps for {len(chosen):,} cells, expected one for each, in the same order.")
    made = Baselines(baseline, network, cells if reference is None else reference, len(chosen))
    found = np.empty(len(chosen))
    with usable_threads():
        for part in explained(network, cells, chosen, target):
            sums = torch.from_numpy(np.ascontiguousarray(maps[part.rows], dtype=np.float64)).to(part.crops.device)
            beside = made.of(part.rows, part.crops, part.codes)
            off = completeness_error(network.model, part.crops, part.codes, beside, sums)
            found[part.rows] = off.cpu().numpy()
    return pd.Series(found, index=chosen, name="completeness_error")


def maps_of(
    network: Network,
    cells: Cells,
    mapper: Mapper,
    *,
    target: Any = None,
    baseline: Baseline = "blurred",
    reference: Cells | None = None,
    ids: Iterable[str] | str | None = None,
    altered: Callable[[Tensor], Tensor] | None = None,
) -> Maps:
    """Return maps (N, C or 1, Y, X) in the pixels of the crops, of crops that are `altered` first, where asked for."""
    chosen = chosen_ids(cells, ids)
    made = Baselines(baseline, network, cells if reference is None else reference, len(chosen))
    network.model.eval()
    ready = mapper.for_network(network)
    side, shape = network.pixels.window, network.pixels.shape
    top, left = ((n - side) // 2 for n in shape)
    found = np.zeros((len(chosen), len(network.channels) if mapper.each_channel else 1, *shape), np.float32)
    bar = tqdm(total=len(chosen), desc="Explaining", unit="cell", leave=False)
    with usable_threads(), bar:
        for rows, crops, codes in explained(network, cells, chosen, target):
            seen = crops if altered is None else altered(crops)
            beside = made.of(rows, seen, codes) if ready.needs_baseline else seen
            maps = ready(network.model, seen, codes, beside)
            found[rows, :, top : top + side, left : left + side] = maps.cpu().numpy()
            bar.update(len(rows))
    return found
