"""Shipped: networks that travel with mlscope, so that a lesson need not wait for their training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from mlscope_nb._words import some
from mlscope_nb.datasets import load_fields, simulate_fields
from mlscope_nb.datasets.embedded import network_file
from mlscope_nb.fields import Fields
from mlscope_nb.predict.images.image_network import ImageNetwork
from mlscope_nb.predict.images.learning import Task
from mlscope_nb.predict.images.training import train

Name = Literal["stain", "stain 1", "denoise", "segment", "fly"]
SEED = 900
"""Of the simulated fields that the networks learned from; lessons show fields of other seeds."""
NEVER_SEEN, HELD_OUT_POSITION = "lobed", "POS218"
FIELD_PX, CELLS_IN_FIELD = 320, 50


def shipped(name: Name = "stain", *, retrain: bool = False, progress: bool = True) -> ImageNetwork:
    """Return a network that travels with mlscope, or train it again as it was trained.

    Parameters
    ----------
    name : {"stain", "stain 1", "denoise", "segment", "fly"}
        "stain": DNA from the other channels of simulated fields, learned from two plates without the treatment
        "lobed"; "stain 1" differs from it in the seed alone. "denoise": the same fields, learned without clean
        pictures. "segment": nuclei, learned from six labelled fields. "fly": DNA from F and R, learned from two real
        fields; POS218 was left out.
    retrain : bool
        Train it on this machine: two minutes or less on two cores.
    progress : bool
        Show a bar.

    Raises
    ------
    ValueError
        There is no such network, or a file is not the one that was shipped.

    Examples
    --------
    >>> shipped("fly").outputs
    ('DNA',)
    """
    if name not in get_args(Name):
        raise ValueError(f"No network '{name}' travels with mlscope. There are: {some(get_args(Name))}.")
    if retrain:
        learned, task, options = RECIPES[name]
        return train(learned(), task, progress=progress, **options)
    return ImageNetwork.load(network_file(name))


def _plates() -> Fields:
    fields, _ = simulate_fields(2, 12, CELLS_IN_FIELD, SEED, field_size=FIELD_PX, faults=0)
    return fields.subset(fields.obs["treatment"] != NEVER_SEEN)


def _dense() -> Fields:
    fields, _ = simulate_fields(1, 6, 3 * CELLS_IN_FIELD, SEED, field_size=FIELD_PX, faults=0)
    return fields.with_masks(fields.compartments["nucleus"])


def _flies() -> Fields:
    fields = load_fields("fly")
    return fields.subset(fields.ids != HELD_OUT_POSITION)


RECIPES: dict[str, tuple[Callable[[], Fields], Task, dict[str, Any]]] = {
    "stain": (_plates, "stain", {"target": "DNA", "seed": 0, "steps": 45}),
    "stain 1": (_plates, "stain", {"target": "DNA", "seed": 1, "steps": 45}),
    "denoise": (_plates, "denoise", {"seed": 0, "steps": 45}),
    "segment": (_dense, "segment", {"inputs": "DNA", "seed": 0, "steps": 23}),
    "fly": (_flies, "stain", {"target": "DNA", "seed": 0, "steps": 45}),
}
"""What each learned from, its task, and its settings; steps are those of the files, whatever the default is."""
