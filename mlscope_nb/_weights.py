"""Weights in files: written whole or not at all, read without running anything that is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from mlscope_nb._files import replacing

Made = TypeVar("Made")
UNREADABLE = (
    RuntimeError, ValueError, TypeError, EOFError, OSError, KeyError, torch.serialization.pickle.UnpicklingError,
)  # fmt: skip


def write(path: str | Path, content: Mapping[str, Any]) -> Path:
    """Write weights and plain values to one file, whole or not at all."""
    with replacing(path) as part:
        torch.save(dict(content), part)
    return Path(path)


def halved(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights with half of the digits."""
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


def loaded(file: Path, what: str) -> Any:
    """Return what PyTorch reads from a file, with nothing run; where it cannot, say so in words of ours.

    PyTorch's own messages are a number, nothing at all, or advice to run what is in the file.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        said = "it is empty, cut short or damaged, or holds something else than weights, which is not read for safety"
        raise ValueError(f"'{file}' could not be read as {what}: {said}. Copy or write it again.") from error


def read(path: str | Path, build: Callable[[dict[str, Any]], Made], *, kind: str, maker: str, what: str) -> Made:
    """Return what a function builds from the content of a file; nothing in the file is run.

    Parameters
    ----------
    path : str or Path
    build : function
        Gets the content.
    kind : str
        What stands under "format".
    maker : str
        The class that writes such files.
    what : str
        What the file should hold, in words.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, or holds something else.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}', expected {what}: {maker}.save('file.pt') writes one.")
    found = loaded(file, what)
    try:
        if not isinstance(found, dict) or found.get("format") != kind:
            raise ValueError(f"it was not written by {maker}.save of this version")
        return build(found)
    except UNREADABLE as error:
        raise ValueError(f"'{file}' could not be read as {what}: {error}") from error
