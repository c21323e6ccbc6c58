"""ImageNetwork: what training from picture to picture has made, with all it takes to use it, save it and go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from mlscope_nb import _weights
from mlscope_nb._words import count, some
from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.fields import Fields
from mlscope_nb.predict.images.blind import N_PHASES, filled, hidden
from mlscope_nb.predict.images.learning import begun, new_network
from mlscope_nb.predict.images.mixing import mixed
from mlscope_nb.predict.images.outlines import Cut, objects
from mlscope_nb.predict.images.patches import turned, ways_turned
from mlscope_nb.predict.images.pictures import Given, Pictures
from mlscope_nb.predict.images.scaling import ends, grey, objects_bright, scaled
from mlscope_nb.predict.images.tiles import Answer, in_tiles
from mlscope_nb.predict.images.unet import UNet, grid

FORMAT = "mlscope image network 1"
TILE = 512
VIEWS = ((0, False), (2, False), (1, True), (3, True))
"""Turns, and whether mirrored, of the sides from which a picture is seen; what is said from them is averaged."""
WORDS = {
    "stain": "says {out} from {into}",
    "denoise": "takes noise out of {into}",
    "segment": "finds objects in {into}",
}


@dataclass(eq=False)
class ImageNetwork:
    """A network that was trained to make pictures, or objects, out of pictures.

    Parameters
    ----------
    model : UNet
        From scaled pictures (N, C, Y, X) to answers (N, O, Y, X).
    task : {"stain", "denoise", "segment"}
        What it does.
    inputs, outputs : tuple of str
        Channels that it reads, and channels that it makes (of objects: none).
    settings : dict
        How it was trained.
    scale : array (O, 2)
        Usual dark and bright end of the channel that is made, in grey values; a new field's own is not known.
    cut : Cut
        How objects are cut out.
    units, held_out : tuple of str
        The units that it has learned from, and those that decided which epoch is kept.
    records : list of dict
        Epoch by epoch: loss, and loss in held-out units.
    training : dict
        What training needs to go on, while it is not finished.
    interrupted : bool
        True when training was stopped by hand; ``train(fields, …, resume=network)`` goes on.
    notes : tuple of str
        What a reader has to know.
    """

    model: UNet
    task: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Any]
    scale: np.ndarray
    cut: Cut = field(default_factory=Cut)
    units: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    records: list[dict[str, float]] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=dict, repr=False)
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def history(self) -> pd.DataFrame:
        """Loss of each epoch, and loss in held-out units where there were enough."""
        return pd.DataFrame(self.records, index=pd.RangeIndex(1, len(self.records) + 1, name="epoch"))

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are used (from 1)."""
        return int(self.settings["best_epoch"])

    def predict(self, fields: Given, *, tile: int = TILE, progress: bool = True) -> Given:
        """Return fields with the predicted picture, or with the objects that were found.

        Each field is put on its own scale first, and done in tiles that overlap by as much as the network looks: there
        are no seams, and memory does not grow with the field. Predicted pictures come without masks, in grey values as
        usual in training; the brightness of a predicted stain says nothing about how strongly a new plate was stained.
        Where noise was learned without clean pictures, what is said of a pixel from its neighbours is mixed with the
        pixel itself, as far as its noise allows.

        Parameters
        ----------
        fields : Fields or Cells
            With the channels that it reads.
        tile : int
            Side of a tile in pixels.
        progress : bool
            Show a bar when it takes longer than 2 seconds.

        Raises
        ------
        KeyError, ValueError, TypeError
            A channel is missing, pixels are no numbers, or objects are asked for in crops.
        """
        pictures = Pictures(fields)
        rows = pictures.rows(self.inputs)
        if self.task == "segment" and not isinstance(fields, Fields):
            raise TypeError("Objects are found in whole fields, and these are crops of cells. Give fields.")
        made = []
        with _bar(len(pictures), self.model, progress) as bar:
            for i in range(len(pictures)):
                image = pictures.image(i, rows)
                between = ends(image)
                picture = scaled(image, between)
                said = self.answer(objects_bright(picture) if self.task == "segment" else picture, tile=tile)
                if self.settings["blind"]:
                    said = mixed(said, picture)
                made.append(self._made(said, between))
                bar.update()
        step = {"step": "predict_images", **self.to_dict(), "n_fields_of_units_seen": self._n_seen(pictures)}
        if self.task == "segment" and isinstance(fields, Fields):
            return fields.with_masks(made, step=step)
        return pictures.replaced(made, self.outputs, step)

    def answer(self, picture: np.ndarray, *, tile: int = TILE) -> np.ndarray:
        """Return what the network says of one scaled picture (C, Y, X): as (O, Y, X), scaled too.

        Of objects, which have to be bright, it says the probability of foreground, and ways to the middle. A network
        that learned without clean pictures does not see the pixel that it says.
        """
        depth = self.settings["depth"]
        options = {"tile": tile, "halo": self.model.reach, "grid": grid(depth)}
        self.model.eval()
        with usable_threads(), torch.inference_mode():
            return in_tiles(picture, self._answering(), self.settings["n_outputs"], **options)

    def _answering(self) -> Answer:
        device = next(self.model.parameters()).device
        middle, amount = (torch.tensor(k, device=device)[:, None, None] for k in self.settings["missing"])
        if self.settings["blind"]:
            return partial(_blindly, self.model, amount, device)
        start = partial(begun, own=self.settings["own"]) if self.task == "denoise" else lambda _: middle
        return partial(_from_all_sides, self.model, self.task, start, amount, device)

    def _made(self, said: np.ndarray, between: np.ndarray) -> np.ndarray:
        if self.task == "segment":
            return objects(said, self.cut)
        return grey(said, between if self.task == "denoise" else self.scale)

    def unseen(self, fields: Given) -> pd.Series:
        """Return True for fields whose unit neither taught the network nor decided which epoch is kept."""
        units = Pictures(fields).units(self.settings["by"])
        return ~units.isin({*self.units, *self.held_out}).rename("unseen")

    def _n_seen(self, pictures: Pictures) -> int:
        columns = set(pictures.obs.columns)
        if not set(self.settings["by"] or ()) <= columns:
            return 0
        return int((~self.unseen(pictures.given)).sum())

    def to_dict(self) -> dict[str, Any]:
        """Return how it was trained, as plain values."""
        return {
            **self.settings, "outputs": list(self.outputs), "cut": self.cut.to_dict(), "units": list(self.units),
            "held_out": list(self.held_out), "epochs_done": len(self.records),
        }  # fmt: skip

    def save(self, path: str | Path, *, small: bool = False) -> Path:
        """Write the network to one file (weights and plain values, nothing that runs), whole or not at all.

        Parameters
        ----------
        path : str or Path
        small : bool
            Write weights with half the digits, and not what an unfinished training needs: half the size.
        """
        state = self.model.state_dict()
        content = {
            "format": FORMAT, "model": _weights.halved(state) if small else state, "task": self.task,
            "inputs": list(self.inputs), "outputs": list(self.outputs), "settings": self.settings,
            "scale": np.asarray(self.scale).tolist(),
            "cut": self.cut.to_dict(), "units": list(self.units), "held_out": list(self.held_out),
            "records": self.records, "training": {} if small else self.training, "interrupted": self.interrupted,
            "notes": list(self.notes),
        }  # fmt: skip
        return _weights.write(path, content)

    @classmethod
    def load(cls, path: str | Path) -> ImageNetwork:
        """Read a network written by `save`; nothing in the file is run.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            It is damaged, or not a network of images.
        """
        return _weights.read(path, cls._from, kind=FORMAT, maker="ImageNetwork", what="a network of images")

    @classmethod
    def _from(cls, found: dict[str, Any]) -> ImageNetwork:
        model = new_network(found["settings"])
        model.load_state_dict(found["model"])
        # Of pictures nothing is cut out.
        cut = Cut(**found["cut"]) if found["task"] == "segment" else Cut()
        return cls(
            model.eval(), str(found["task"]), tuple(found["inputs"]), tuple(found["outputs"]), found["settings"],
            np.asarray(found["scale"], float).reshape(-1, 2), cut, tuple(found["units"]),
            tuple(found["held_out"]), found["records"], found["training"], bool(found["interrupted"]),
            tuple(found["notes"]),
        )  # fmt: skip

    def __str__(self) -> str:
        does = WORDS[self.task].format(out=some(self.outputs), into=some(self.inputs))
        stopped = " (stopped by hand)" if self.interrupted else ""
        text = (
            f"ImageNetwork that {does}: {count(len(self.records), 'epoch')} of {self.settings['epochs']}{stopped}, "
            f"weights of epoch {self.best_epoch}, learned from {count(len(self.units), 'unit')}"
        )
        chosen = f", {count(len(self.held_out), 'unit')} decided which epoch is kept" if self.held_out else ""
        return " ".join([f"{text}{chosen}.", *self.notes])


@contextmanager
def _bar(n_fields: int, model: UNet, progress: bool) -> Iterator[Any]:
    """Give a bar over fields that goes on living within each of them: a large one alone takes seconds."""
    # miniters: or a bar that has moved once ignores steps of nothing; smoothing: or these make the rate too high.
    look: dict[str, Any] = {"desc": "Predicting", "unit": "field", "leave": False, "delay": 2}
    look |= {"miniters": 0, "smoothing": 0}
    with tqdm(total=n_fields, disable=not progress, **look) as bar:

        def live(*_: Any) -> None:
            bar.update(0)

        hook = model.register_forward_hook(live)
        try:
            yield bar
        finally:
            hook.remove()


def _from_all_sides(
    model: UNet,
    task: str,
    start: Callable[[Tensor], Tensor],
    amount: Tensor,
    device: torch.device,
    pictures: Tensor,
    rows: Tensor,
    columns: Tensor,
) -> Tensor:
    """Return the mean answer from four sides; of objects as probabilities."""
    pictures = pictures.to(device, memory_format=torch.channels_last)
    if task == "segment":
        return _mean_of_views(model, pictures, of_objects=True)
    return start(pictures) + amount * _mean_of_views(model, pictures)


def _mean_of_views(model: UNet, pictures: Tensor, *, of_objects: bool = False) -> Tensor:
    """Return the mean of the answers to turned and mirrored pictures, turned back; of objects as probabilities."""
    parts = []
    for turns, mirrored in VIEWS:
        said = model(turned(pictures, turns, mirrored))
        # A mirrored picture is turned back by the same quarters once it is mirrored again.
        back = turns if mirrored else -turns
        said = turned(said, back, mirrored)
        if of_objects:
            said = ways_turned(said, back, mirrored)
            said = torch.cat([said[:, :1].sigmoid(), said[:, 1:]], dim=1)
        parts.append(said)
    return torch.stack(parts).mean(dim=0)


def _blindly(
    model: UNet, amount: Tensor, device: torch.device, pictures: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    """Return what is said of each pixel while it is hidden, its mirror images too."""
    pictures = pictures.to(device, memory_format=torch.channels_last)
    result = torch.zeros_like(pictures)
    for phase in range(N_PHASES):
        where = hidden(rows, columns, phase).to(device)
        seen = filled(pictures, where)
        result = torch.where(where, seen + amount * _mean_of_views(model, seen), result)
    return result
