"""Network: what training on images has made, with all it takes to use it, save it and train it on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlscope_nb import _align, _weights
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.predict.network_input import Inputs
from mlscope_nb.predict.network_layers import middle, new_model

FORMAT = "mlscope network 2"
BATCH = 128
PLAIN = str | int | float | bool


@dataclass(eq=False)
class Network:
    """A network that was trained to tell classes from images.

    Parameters
    ----------
    model : torch.nn.Module
        Scores (N, K) from prepared crops (N, C, side, side); `inputs` prepares them.
    pixels : Inputs
        How crops are prepared: channels, darkening, window, and the scale of each batch.
    classes : tuple
        The classes in order.
    settings : dict
        How it was trained.
    units : tuple of str
        The units that it has learned from.
    held_out : tuple of str
        The units that decided when to stop; none where there were too few.
    records : list of dict
        Epoch by epoch: loss, and loss and balanced accuracy of held-out units.
    training : dict
        What training needs to go on, while it is not finished.
    interrupted : bool
        True when training was stopped by hand; ``train_network(cells, resume=network)`` goes on.
    notes : tuple of str
        What a reader has to know.
    """

    model: nn.Module
    pixels: Inputs
    classes: tuple[Any, ...]
    settings: dict[str, Any]
    units: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    records: list[dict[str, float]] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=dict, repr=False)
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it expects, in this order."""
        return self.pixels.channels

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.records)

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are used (from 1): the best on held-out units, or the last."""
        return int(self.settings["best_epoch"])

    @property
    def curve(self) -> pd.DataFrame:
        """Loss of each epoch, and loss and balanced accuracy of the held-out units where there were enough."""
        return pd.DataFrame(self.records, index=pd.RangeIndex(1, self.epochs + 1, name="epoch"))

    def inputs(self, cells: Cells, size: int = BATCH) -> Iterator[tuple[pd.Index, Tensor]]:
        """Yield ids and crops as `model` reads them (n, C, side, side): on one scale, the window in the middle.

        Raises
        ------
        ValueError
            No images, other channels, another size, or a new batch without controls of its own.
        """
        for ids, crops in self.pixels.batches(cells, size):
            yield ids, middle(torch.from_numpy(crops).float(), self.pixels.window)

    def predict_proba(self, cells: Cells) -> pd.DataFrame:
        """Return the probability of each class (columns) for each cell (rows, in order).

        Each crop is looked at from all eight sides, and the probabilities are averaged. Where pixels are normalised to
        controls, a batch that training has not seen is put on the scale of its own: give its controls too.

        Raises
        ------
        ValueError
            As in `inputs`.
        """
        device = next(self.model.parameters()).device
        self.model.eval()
        parts = []
        with usable_threads(), torch.inference_mode():
            for _, crops in self.inputs(cells):
                parts.append(probabilities(self.model, crops.to(device)).cpu().numpy())
        values = np.concatenate(parts) if parts else np.empty((0, len(self.classes)))
        result = pd.DataFrame(values.astype(np.float64), cells.ids, pd.Index(self.classes, dtype=object))
        result.attrs["history"] = [_align.step("predict_proba", **self._summary(cells))]
        return result

    def predict(self, cells: Cells) -> pd.Series:
        """Return the most probable class of each cell."""
        found = self.predict_proba(cells)
        best = np.asarray(found.columns, dtype=object)[found.to_numpy().argmax(axis=1)]
        return pd.Series(best, index=cells.ids, name="predicted")

    def unseen(self, cells: Cells) -> pd.Series:
        """Return True for cells whose unit neither taught the network nor decided when to stop."""
        return ~cells.units.isin({*self.units, *self.held_out}).rename("unseen")

    def save(self, path: str | Path, *, small: bool = False) -> Path:
        """Write the network to one file (weights and plain values, nothing that runs), whole or not at all.

        Parameters
        ----------
        path : str or Path
        small : bool
            Write weights with half the digits, and not what an unfinished training needs: half the size.

        Raises
        ------
        ValueError
            A class is neither text nor a number.
        """
        state = self.model.state_dict()
        content = {
            "format": FORMAT, "model": _weights.halved(state) if small else state, "pixels": self.pixels.to_dict(),
            "classes": [_plain(c) for c in self.classes], "settings": self.settings, "units": list(self.units),
            "held_out": list(self.held_out), "records": self.records, "training": {} if small else self.training,
            "interrupted": self.interrupted, "notes": list(self.notes),
        }  # fmt: skip
        return _weights.write(path, content)

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read a network written by `save`; nothing in the file is run.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            It is damaged, or not a network.
        """
        return _weights.read(path, cls._from, kind=FORMAT, maker="Network", what="a network")

    @classmethod
    def _from(cls, found: dict[str, Any]) -> Network:
        pixels, classes = Inputs.from_dict(found["pixels"]), tuple(found["classes"])
        model = new_model(found["settings"], len(pixels.channels), len(classes), pretrained=False)
        model.load_state_dict(found["model"])
        return cls(
            model.eval(), pixels, classes, found["settings"], tuple(found["units"]), tuple(found["held_out"]),
            found["records"], found["training"], found["interrupted"], tuple(found["notes"]),
        )  # fmt: skip

    def _summary(self, cells: Cells) -> dict[str, Any]:
        seen = int((~self.unseen(cells)).sum()) if cells.design.unit else 0
        return {**self.settings, "epochs_done": self.epochs, "n_cells_of_units_seen": seen}

    def __str__(self) -> str:
        stopped = " (stopped by hand)" if self.interrupted else ""
        text = (
            f"Network ({self.settings['model']}) of {some(self.channels)} that tells {some(self.classes)}: "
            f"{count(self.epochs, 'epoch')} of {self.settings['epochs']}{stopped}, weights of epoch {self.best_epoch}"
        )
        if self.settings["arithmetic"] != "float32":
            text += f", learned in {self.settings['arithmetic']}"
        last = self.records[self.best_epoch - 1]
        if "held_out_accuracy" in last:
            text += (
                f", balanced accuracy {last['held_out_accuracy']:.2f} in the {count(len(self.held_out), 'unit')} that "
                "decided when to stop (flattering: judge it with cross_validate)"
            )
        return " ".join([f"{text}.", *self.notes])


def probabilities(model: nn.Module, crops: Tensor) -> Tensor:
    """Return class probabilities (N, K), averaged over the eight turned and mirrored views of square crops."""
    views = [side.rot90(turns, (2, 3)) for side in (crops, crops.flip(3)) for turns in range(4)]
    return torch.stack([F.softmax(model(view), dim=1) for view in views]).mean(dim=0)


def _plain(value: Any) -> PLAIN:
    found = value.item() if isinstance(value, np.generic) else value
    if not isinstance(found, PLAIN):
        raise ValueError(
            f"The class {value!r} is a {type(value).__name__}, expected text or a number: others cannot be written to "
            "a file that runs nothing when it is read. Name the classes in words."
        )
    return found
