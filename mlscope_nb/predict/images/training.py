"""Training of networks from picture to picture: stain, denoise, segment."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from mlscope_nb._design import Columns, as_columns
from mlscope_nb._words import count
from mlscope_nb.features.pretrained import Device, device_name, usable_threads
from mlscope_nb.fields import Stack
from mlscope_nb.predict.arithmetic import arithmetic
from mlscope_nb.predict.images.cutting import chosen_cut
from mlscope_nb.predict.images.image_network import ImageNetwork
from mlscope_nb.predict.images.learning import Learning, Task, best_of, new_network
from mlscope_nb.predict.images.outlines import Cut
from mlscope_nb.predict.images.patches import VARIATIONS, Variation, examples_of
from mlscope_nb.predict.images.pictures import Given, Pictures
from mlscope_nb.predict.images.preparing import Prepared, judging, prepared
from mlscope_nb.predict.images.unet import grid

SHOWN = {"stain": 1.0e8, "denoise": 1.0e8, "segment": 5.0e7}
"""Pixels shown in all: two minutes or less on two cores."""
EPOCHS, LEARNING_RATE = 30, 1e-2
DEPTH = {"stain": 2, "denoise": 2, "segment": 3}
FIXED = ("task", "width", "depth", "pretrained", "patch", "batch_size", "learning_rate", "seed", "epochs", "steps")
Heard = Callable[[int, dict[str, float]], None]


def train(
    fields: Given,
    task: Task = "stain",
    *,
    inputs: Sequence[str] | str | None = None,
    target: str | None = None,
    clean: Given | None = None,
    masks: Sequence[np.ndarray] | Stack | None = None,
    by: Columns = None,
    epochs: int | None = None,
    steps: int | None = None,
    patch: int = 96,
    batch_size: int = 8,
    width: int = 24,
    depth: int | None = None,
    pretrained: bool | None = None,
    learning_rate: float | None = None,
    variation: Variation | None = None,
    resume: ImageNetwork | None = None,
    checkpoint: str | Path | None = None,
    on_epoch: Heard | None = None,
    device: Device = "auto",
    seed: int = 0,
    progress: bool = True,
) -> ImageNetwork:
    """Train a small U-Net to make pictures, or objects, out of pictures.

    "stain" says one channel from others. "denoise" takes noise out; without clean pictures it learns to say each pixel
    from its surroundings alone, which works where the noise of a pixel has nothing to do with that of the next one.
    "segment" finds objects as in a few labelled fields. Whole units are put aside to decide which epoch is kept, so
    judge the network on others: `invented`. Stopping by hand (the square button, Ctrl-C) keeps the best epoch so far,
    and ``resume=network`` goes on exactly where it stopped.

    Parameters
    ----------
    fields : Fields or Cells
        To learn from; each is put on a scale of its own.
    task : {"stain", "denoise", "segment"}
    inputs : str or sequence of str, optional
        Channels to read. Default: all (of a stain all others).
    target : str, optional
        Stain: the channel to predict.
    clean : Fields or Cells, optional
        Denoise: the same fields without noise, or with other noise (a second exposure).
    masks : sequence of integer arrays (Y, X), optional
        Segment: labelled objects. Default: the masks of the fields.
    by : str or several, optional
        Columns whose groups are put aside as a whole. Default: the unit; each field where none is declared.
    epochs, steps : int, optional
        Epochs, and steps in each. Default: 30, and as many as show 100 million pixels (50 million to find objects):
        two minutes or less on two cores.
    patch, batch_size : int
        Side of a patch in pixels, and patches in each step: from 8 on, two cores do half of them each.
    width, depth : int
        Size of the U-Net. Default of the depth: 3 to find objects, whose size and outline show from afar, otherwise 2.
    pretrained : bool, optional
        Read, beside the pixels, what EfficientNet-Lite0 has learned to see in photographs (Tan & Le 2019); its weights
        are installed with mlscope. Default: to find objects, because few fields are labelled.
    learning_rate : float, optional
        Largest step width (Muon and AdamW, warmed up in the first epoch and lowered along a cosine).
    variation : Variation, optional
        How far patches differ in brightness, noise and size; turned and mirrored they always are.
    resume : ImageNetwork, optional
        Go on with this one: same fields and settings.
    checkpoint : str or Path, optional
        File that holds the training after each epoch. If it is there already, training goes on from it, or is not
        repeated when it was finished.
    on_epoch : function, optional
        Called after each epoch with its number and its losses, for a live display.
    device : {"auto", "cpu", "cuda"}
        "auto" uses a GPU where there is one.
    seed : int
        Seed of weights, patches and of which units are put aside. On one machine the same seed gives the same network.
    progress : bool
        Show a bar.

    Returns
    -------
    ImageNetwork
        ``.predict(fields)``, ``.history``, ``.save(path)``, ``ImageNetwork.load(path)``.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something that the task needs is missing or does not fit, an option is out of range, or the network to go on
        with was trained otherwise.
    KeyboardInterrupt
        Stopped by hand before the first epoch was over.

    References
    ----------
    Christiansen et al. 2018, Cell 173:792 (stains in silico); Weigert et al. 2018, Nature Methods 15:1090 (restoring
    with clean pictures); Batson & Royer 2019, ICML, arXiv 1901.11365 (without); Stringer et al. 2021, Nature
    Methods 18:100 (touching objects by the ways to their middles).

    Examples
    --------
    >>> import pandas as pd
    >>> from mlscope_nb.fields import Fields
    >>> images = np.random.default_rng(0).poisson(50, (3, 2, 32, 32))
    >>> fields = Fields(pd.DataFrame(index=["f1", "f2", "f3"]), list(images), channels=["DNA", "actin"])
    >>> network = train(fields, "stain", target="DNA", epochs=1, steps=1, patch=32, width=4, progress=False)
    >>> network.predict(fields).channels, network.held_out
    (('DNA',), ('f3',))
    """
    data = prepared(fields, task, inputs, target, clean, masks)
    settings: dict[str, Any] = {
        "task": task, "epochs": epochs, "steps": steps, "patch": patch, "batch_size": batch_size, "width": width,
        "depth": depth, "pretrained": pretrained, "learning_rate": learning_rate, "seed": seed,
    }  # fmt: skip
    before = _before(resume, checkpoint)
    chip = device_name(device)
    settings = _settled(settings, before, chip)
    settings |= {
        "inputs": list(data.inputs), "blind": task == "denoise" and clean is None, "by": list(as_columns(by, "by")),
        "n_outputs": 3 if task == "segment" else len(data.outputs), "data": data.digest,
    }  # fmt: skip
    if before is not None:
        _check_same(settings, before)
        if not before.training:
            return before
    held, units, judges, notes = judging(Pictures(fields), by, seed)
    run = _run(settings, data, held, variation or VARIATIONS[task], chip, before)
    finish = _Finish(run, data, held, tuple(units), tuple(judges), notes, checkpoint)
    return finish(_train(run, on_epoch, finish, progress))


class _Finish:
    """Makes a network of what was learned so far, and keeps it in the file after each epoch."""

    def __init__(
        self,
        run: Learning,
        data: Prepared,
        held: np.ndarray,
        units: tuple[str, ...],
        judges: tuple[str, ...],
        notes: list[str],
        checkpoint: str | Path | None,
    ) -> None:
        self.run, self.data, self.held, self.checkpoint = run, data, held, checkpoint
        self.units, self.judges, self.notes = units, judges, notes

    def __call__(self, interrupted: bool) -> ImageNetwork:
        """Return the network as it was in its best epoch; a finished one is kept without what training needs."""
        network = self._network(interrupted, Cut(least_area_px=self.data.least_area_px))
        if self.run.settings["task"] == "segment":
            rows = np.flatnonzero(self.held) if self.held.any() else np.arange(len(self.held))
            network.cut = chosen_cut(network, self.data, rows)
        if self.checkpoint is not None:
            network.save(self.checkpoint)
        return network

    def keep(self) -> None:
        """Write down where training stands."""
        if self.checkpoint is not None:
            self._network(True, Cut(least_area_px=self.data.least_area_px), "").save(self.checkpoint)

    def _network(self, interrupted: bool, cut: Cut, said: str | None = None) -> ImageNetwork:
        run, state, data = self.run, self.run.kept, self.data
        settings = {**run.settings, "best_epoch": best_of(state["records"])}
        model = new_network(settings)
        model.load_state_dict(state["best"])
        notes = list(self.notes)
        if interrupted and said is None:
            notes.append(f"Stopped by hand after {count(len(state['records']), 'epoch')} of {settings['epochs']}.")
            warnings.warn(f"{notes[-1]} resume=network goes on.", UserWarning, stacklevel=4)
        return ImageNetwork(
            model.eval().to(run.device), settings["task"], data.inputs, data.outputs, settings, data.scale, cut,
            self.units, self.judges, state["records"], state if interrupted else {}, interrupted, tuple(notes),
        )  # fmt: skip


def _train(run: Learning, on_epoch: Heard | None, finish: _Finish, progress: bool) -> bool:
    """Train to the end; return True when it was stopped by hand after an epoch or more."""
    epochs = run.settings["epochs"]
    bar = tqdm(total=epochs, initial=run.done, desc="Training", unit="epoch", leave=False, disable=not progress)
    try:
        with usable_threads(), bar:
            while run.done < epochs:
                record = run.epoch()
                finish.keep()
                bar.set_postfix({k.replace("_", " "): f"{v:.4f}" for k, v in record.items()})
                bar.update()
                if on_epoch is not None:
                    on_epoch(run.done, record)
    except KeyboardInterrupt:
        if not run.kept:
            raise
        return run.done < epochs
    return False


def _run(
    settings: dict[str, Any],
    data: Prepared,
    held: np.ndarray,
    vary: Variation,
    device: str,
    before: ImageNetwork | None,
) -> Learning:
    parts = []
    for wanted in (~held, held):
        rows = np.flatnonzero(wanted)
        some = [data.read[k] for k in rows], [data.asked[k] for k in rows]
        options = {"objects": settings["task"] == "segment"}
        parts.append(examples_of(*some, settings["patch"], settings["seed"], **options) if len(rows) else None)
    learned, judge = parts
    if learned is None:
        raise ValueError("All units were put aside, so that nothing is left to learn from.")
    return Learning(settings, learned, judge, vary, device, None if before is None else before.training)


def _before(resume: ImageNetwork | None, checkpoint: str | Path | None) -> ImageNetwork | None:
    """Return the network to go on with: the one that was given, or the one in the file."""
    if resume is not None:
        if not resume.training:
            raise ValueError(
                f"resume is trained to its end ({count(len(resume.records), 'epoch')}): there is nothing to go on with."
            )
        return resume
    return ImageNetwork.load(checkpoint) if checkpoint is not None and Path(checkpoint).is_file() else None


def _settled(settings: dict[str, Any], before: ImageNetwork | None, chip: str) -> dict[str, Any]:
    """Return the settings with defaults filled in, or those of the network to go on with, checked."""
    for name, value in settings.items():
        whole = name not in ("task", "pretrained", "learning_rate", "seed")
        if whole and value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} is {value!r}, expected a whole number from 1.")
    rate = settings["learning_rate"]
    if rate is not None and not 0 < rate < 1:
        raise ValueError(f"learning_rate is {rate!r}, expected a number between 0 and 1.")
    if before is not None:
        given = {k: before.settings[k] if v is None else v for k, v in settings.items()}
        return {**given, "arithmetic": before.settings["arithmetic"]}
    numbers = arithmetic("images", chip)
    full = {**settings, "epochs": settings["epochs"] or EPOCHS, "learning_rate": rate or LEARNING_RATE}
    full |= {"arithmetic": numbers, "depth": settings["depth"] or DEPTH[settings["task"]]}
    if settings["pretrained"] is None:
        full["pretrained"] = settings["task"] == "segment"
    if settings["patch"] % grid(full["depth"]):
        raise ValueError(f"patch is {settings['patch']}, expected a multiple of {grid(full['depth'])} pixels.")
    each = SHOWN[settings["task"]] / (EPOCHS * settings["batch_size"] * settings["patch"] ** 2)
    return {**full, "steps": settings["steps"] or max(1, round(each))}


def _check_same(settings: dict[str, Any], before: ImageNetwork) -> None:
    other = [k for k in (*FIXED, "inputs", "blind", "by") if settings[k] != before.settings[k]]
    if other:
        changed = ", ".join(f"{k}={before.settings[k]!r}" for k in other)
        raise ValueError(
            f"The network to go on with was trained with other settings: {changed}. Give the same, or another file."
        )
    if settings["data"] != before.settings["data"]:
        raise ValueError(
            "The network to go on with was trained on other fields. Give the same ones, in the same order, or another "
            "file."
        )
