"""Models of images: a network trained on crops, which stops by units that it does not learn from."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._options import check_positive
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.augmentations import Augmentation
from mlscope_nb.features.pretrained import Device, device_name, usable_threads
from mlscope_nb.predict.arithmetic import arithmetic
from mlscope_nb.predict.network import Network
from mlscope_nb.predict.network_input import Inputs, NormalizePixels, learned
from mlscope_nb.predict.network_layers import ModelOfPixels, new_model
from mlscope_nb.predict.network_training import Training, crops_of
from mlscope_nb.predict.stopping import LEAST_EPOCHS, ended, held_out
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.splits import MANY_CLASSES

FEWEST_CELLS = 8
SHOWN = {("small", "float32"): 2.4e8, ("small", "bfloat16"): 3.7e8, ("finetune", "float32"): 9.0e7}
"""Pixels shown in all, for "finetune" in each channel: about two minutes on two cores."""
EACH = {"small": 1600, "finetune": 0}
"""What a crop takes beside its pixels (views, steps of the optimisers), as if it had so many more."""
MOST_EPOCHS = 60
AT_ONCE, FEWEST_AT_ONCE, STEPS = {"small": 64, "finetune": 32}, 16, 16
"""Cells per step, and how many at least where an epoch would have fewer steps than this."""
UNPLANNED = 10_000
"""Epochs before the first one was timed."""
RATES = {"small": 3e-3, "finetune": 3e-3}
AUGMENTATION = {"turn": 180.0, "zoom": 0.1, "shift_px": 2.0, "gain": 0.2, "offset": 0.03, "noise": 0.01, "blur": 0.1}
WHOLE = ("epochs", "patience", "width", "batch_size")
FIXED = ("model", "normalize", "masked", "width", "blocks", "batch_size", "learning_rate", "seed", "epochs")


def train_network(
    cells: Cells,
    *,
    model: ModelOfPixels = "small",
    normalize: NormalizePixels = "auto",
    masked: bool = True,
    epochs: int | None = None,
    seconds: float | None = None,
    stop_early: bool = True,
    patience: int | None = None,
    width: int = 32,
    blocks: int = 4,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augmentation: Augmentation | None = None,
    resume: Network | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    device: Device = "auto",
    seed: int = 0,
) -> Network:
    """Train a network to tell the label from images: on all of these cells, so judge it with `cross_validate`.

    Whole units are put aside to decide when to stop. Each time a cell is shown it is turned, mirrored, shifted, a
    little larger or smaller, and its channels brighter or dimmer, as a microscope could have made it. Classes count the
    same, however many cells they have. Stopping by hand (the square button, Ctrl-C) keeps the best epoch so far, and
    ``resume=network`` goes on exactly where it stopped. A small network learns with numbers of 16 bits where the
    processor multiplies them itself (``settings["arithmetic"]``), in less time; weights have 32 bits.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X), a declared label, and a unit.
    model : {"small", "finetune"}
        A small network from scratch, or EfficientNet-Lite0, trained on photographs, whose last blocks learn on.
    normalize : {"auto", "controls", "crop"}
        "controls": background and brightness of each batch from its control cells (`PixelNormalizer`); a new batch then
        needs controls of its own. "crop": each channel of each crop from its darkest to its brightest pixel. "auto":
        controls where every batch has some, otherwise crops, which is noted.
    masked : bool
        Where there are masks, darken what is not this cell, and read the window that holds the cell.
    epochs : int, optional
        How often each cell is seen at most. Default: by the number of cells and pixels, and by what the processor is
        quick at, so that training takes some two minutes on two cores; 5 to 60.
    seconds : float, optional
        Time to train for: the first epoch is timed, and sets how many there are. ``epochs=`` the number that it says
        gives the same network again.
    stop_early : bool
        Put units aside, keep the epoch that is best in them, and stop when it gets no better.
    patience : int, optional
        Epochs to wait for a better one. Default: a third of all, 5 at least.
    width : int
        Size of the small network.
    blocks : int
        How many of the 16 blocks of EfficientNet-Lite0 learn.
    batch_size : int, optional
        Cells per step. Default: 64 (32 to fine-tune), and down to 16 where there are few cells.
    learning_rate : float, optional
        Largest step width (AdamW, warmed up in the first epoch and lowered along a cosine).
    augmentation : Augmentation, optional
        How far the views of a cell differ (``share`` is set by the window).
    resume : Network, optional
        Go on with this one: same cells and settings.
    on_epoch : function, optional
        Called after each epoch with its number and its losses, for a live display.
    device : {"auto", "cpu", "cuda"}
        "auto" uses a GPU where there is one.
    seed : int
        Seed of weights, order, views and of which units are put aside. On one machine the same seed gives the same
        network.

    Returns
    -------
    Network
        ``.predict_proba(cells)``, ``.predict(cells)``, ``.curve``, ``.save(path)``, ``Network.load(path)``.

    Raises
    ------
    ValueError
        No images or label, one class, too few cells, controls that do not serve, NaN pixels, a network to resume that
        does not fit, or no such option.
    KeyboardInterrupt
        Stopped by hand before the first epoch was over.

    References
    ----------
    He et al. 2016, arXiv 1512.03385 (residual blocks); Jordan 2024, arXiv 2404.00498 (first layer, Muon); Tan & Le
    2019, arXiv 1905.11946 (EfficientNet).

    Examples
    --------
    >>> pixels = np.random.default_rng(0).integers(0, 4000, (24, 1, 16, 16), dtype=np.uint16)
    >>> obs = pd.DataFrame({"well": list("ABCDEF") * 4, "drug": list("xyxyxy") * 4}, index=[f"c{i}" for i in range(24)])
    >>> cells = Cells(obs, pixels, channels=["DNA"], label="drug", unit="well")
    >>> network = train_network(cells, epochs=1, width=4)
    >>> network.predict_proba(cells).shape, network.held_out
    ((24, 2), ('C', 'D'))
    """
    started = time.perf_counter()
    chosen, classes, notes = _labelled(cells)
    pixels = learned(chosen, normalize, masked) if resume is None else resume.pixels
    held, why = held_out(chosen, stop_early, seed)
    chip = device_name(device)
    settings: dict[str, Any] = {
        "model": model, "normalize": normalize, "masked": masked, "epochs": epochs, "seconds": seconds,
        "patience": patience, "stop_early": stop_early, "width": width, "blocks": blocks, "batch_size": batch_size,
        "learning_rate": learning_rate, "seed": seed, "arithmetic": arithmetic(model, chip),
    }  # fmt: skip
    settings = _settled(settings, len(chosen) - int(held.sum()), pixels, resume)
    run = _run(chosen, classes, held, pixels, settings, augmentation, chip, resume)
    notes = [*notes, *pixels.notes, *why]
    interrupted = False
    try:
        notes += _train(run, resume is not None, started, on_epoch)
    except KeyboardInterrupt:
        if not run.kept:
            raise
        interrupted = True
    return _network(run, chosen, classes, held, interrupted, notes)


def _train(
    run: Training, resumed: bool, started: float, on_epoch: Callable[[int, dict[str, float]], None] | None
) -> list[str]:
    """Train to the end, and say why it ended before that, if it did."""
    settings = run.settings
    bar = tqdm(total=settings["epochs"], initial=run.done, desc="Training", unit="epoch", leave=False)
    with usable_threads(), bar:
        while run.done < settings["epochs"]:
            begun = time.perf_counter()
            record = run.epoch()
            now = time.perf_counter()
            if settings["seconds"] is not None and run.done == 1:
                planned = 1 + max(0, int((settings["seconds"] - (now - started)) / (now - begun)))
                settings["epochs"] = min(settings["epochs"], planned)
            bar.total = settings["epochs"]
            bar.set_postfix({k.replace("_", " "): f"{v:.3f}" for k, v in record.items()})
            bar.update()
            if on_epoch is not None:
                on_epoch(run.done, record)
            early = ended(run, None if resumed else now - started)
            if early:
                return [early]
    return []


def _labelled(cells: Cells) -> tuple[Cells, tuple[Any, ...], list[str]]:
    """Return the cells that have a label, the classes, and what is left out."""
    labels = cells.labels
    if pd.api.types.is_float_dtype(labels) and labels.nunique() > MANY_CLASSES:
        raise ValueError(
            f"The label '{cells.design.label}' holds {labels.nunique():,} different numbers: a measurement, not a "
            "class. Cut it into classes first (pandas.cut)."
        )
    classes = tuple(ordered(labels))
    if len(classes) < 2:
        raise ValueError(
            f"{count(len(classes), 'class', 'classes')} to learn from: {some(classes) or 'no cell has a label'}. "
            "There have to be two at least."
        )
    known = labels.notna().to_numpy()
    if int(known.sum()) < FEWEST_CELLS:
        raise ValueError(f"{count(int(known.sum()), 'cell')} to learn from, expected at least {FEWEST_CELLS}.")
    if known.all():
        return cells, classes, []
    return cells.subset(known), classes, [f"{count(int((~known).sum()), 'cell')} without a label took no part."]


def _settled(settings: dict[str, Any], n: int, pixels: Inputs, resume: Network | None) -> dict[str, Any]:
    """Return the settings with defaults filled in, checked."""
    model = settings["model"]
    if model not in RATES:
        raise ValueError(f"model is {model!r}, expected 'small' or 'finetune'.")
    numbers = (*WHOLE, "seconds", "learning_rate")
    check_positive({name: settings[name] for name in numbers}, whole=WHOLE)
    if settings["batch_size"] == 1 or not 0 <= settings["blocks"] <= 16:
        raise ValueError("batch_size has to be 2 or more, and blocks 0 to 16.")
    if resume is not None:
        return _same(settings, resume)
    pictures = n * (len(pixels.channels) if model == "finetune" else 1)
    planned = round(SHOWN[model, settings["arithmetic"]] / (pictures * (pixels.window**2 + EACH[model])))
    usual = UNPLANNED if settings["seconds"] is not None else min(max(planned, LEAST_EPOCHS), MOST_EPOCHS)
    settings["epochs"] = settings["epochs"] or usual
    settings["learning_rate"] = settings["learning_rate"] or RATES[model]
    settings["batch_size"] = settings["batch_size"] or min(AT_ONCE[model], max(FEWEST_AT_ONCE, n // STEPS))
    return settings


def _same(settings: dict[str, Any], resume: Network) -> dict[str, Any]:
    """Return the settings of the network to go on with; others that were asked for are refused."""
    before = resume.settings
    if not resume.training:
        raise ValueError(f"resume is trained to its end ({count(resume.epochs, 'epoch')}): there is nothing to go on.")
    other = [k for k in FIXED if settings[k] not in (None, before[k])]
    if other:
        changed = ", ".join(f"{k}={before[k]!r}" for k in other)
        raise ValueError(f"resume was trained with other settings: {changed}. Give the same, to go on exactly.")
    return {k: v for k, v in before.items() if k != "best_epoch"}


def _run(
    cells: Cells,
    classes: tuple[Any, ...],
    held: np.ndarray,
    pixels: Inputs,
    settings: dict[str, Any],
    augmentation: Augmentation | None,
    device: str,
    resume: Network | None,
) -> Training:
    if resume is not None:
        _check_resumed(cells, classes, held, resume)
    options = AUGMENTATION if augmentation is None else {k: getattr(augmentation, k) for k in AUGMENTATION}
    views = Augmentation(share=pixels.window / min(pixels.shape), **options)
    codes = pd.Index(classes, dtype=object).get_indexer(pd.Index(cells.labels, dtype=object))
    learns = crops_of(cells.subset(~held) if held.any() else cells, pixels, codes[~held], len(classes))
    judges = crops_of(cells.subset(held), pixels, codes[held], len(classes)) if held.any() else None
    return Training(settings, pixels, learns, judges, views, device, None if resume is None else resume.training)


def _check_resumed(cells: Cells, classes: tuple[Any, ...], held: np.ndarray, resume: Network) -> None:
    units, out = _unit_names(cells, held)
    if (units, out) != (resume.units, resume.held_out) or classes != resume.classes:
        raise ValueError(
            f"resume was trained on {count(len(resume.units), 'unit')} to tell {some(resume.classes)}, and these cells "
            f"are {count(len(units), 'unit')} with {some(classes)} that are not the same. Go on with the same cells."
        )


def _unit_names(cells: Cells, held: np.ndarray) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not cells.design.unit:
        return (), ()
    units = cells.units.to_numpy(dtype=object)
    return tuple(sorted(set(units[~held]))), tuple(sorted(set(units[held])))


def _network(
    run: Training, cells: Cells, classes: tuple[Any, ...], held: np.ndarray, interrupted: bool, notes: list[str]
) -> Network:
    """Return the network as it was in its best epoch."""
    state = run.kept
    model = new_model(run.settings, len(run.pixels.channels), len(classes), pretrained=False)
    model.load_state_dict(state["best"])
    records = state["records"]
    losses = [r["held_out_loss"] for r in records] if run.held is not None else []
    settings = {**run.settings, "best_epoch": 1 + int(np.argmin(losses)) if losses else len(records)}
    if interrupted:
        notes = [*notes, f"Stopped by hand after {count(len(records), 'epoch')} of {run.settings['epochs']}."]
        warnings.warn(f"{notes[-1]} resume=network goes on.", UserWarning, stacklevel=3)
    units, out = _unit_names(cells, held)
    return Network(
        model.eval().to(run.device), run.pixels, classes, settings, units, out, records,
        state if interrupted else {}, interrupted, tuple(dict.fromkeys(notes)),
    )  # fmt: skip
