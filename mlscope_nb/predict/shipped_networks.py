"""Shipped: networks that travel with mlscope, so that a lesson need not wait for their training."""

from __future__ import annotations

from typing import Any, Literal, get_args

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.datasets import simulate
from mlscope_nb.datasets.embedded import network_file
from mlscope_nb.features.augmentations import Augmentation
from mlscope_nb.predict.image_model import AUGMENTATION, train_network
from mlscope_nb.predict.network import Network

Name = Literal["phenotypes", "trapped", "untrapped"]
SEED = 900
"""Of the simulated plates that the networks learned from; lessons show plates of other seeds."""
STUDY: dict[str, Any] = {"n_plates": 5, "wells_per_plate": 16, "cells_per_well": 40, "seed": SEED}
MARKED = "clustered"
TRAP: dict[str, Any] = {"shortcut": 0.9, "tied_to": MARKED}
TWO = ("DMSO", MARKED)
CARELESS: dict[str, Any] = {
    "masked": False, "augmentation": Augmentation(**{**AUGMENTATION, "turn": 0.0}), "epochs": 40,
}  # fmt: skip
"""Surroundings are not darkened and cells not turned: what a network has to be given to learn a mark in a corner."""
RECIPES: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]] = {
    "phenotypes": (STUDY, (), {"epochs": 31}),
    "trapped": ({**STUDY, **TRAP}, TWO, CARELESS),
    "untrapped": (STUDY, TWO, CARELESS),
}
"""The study that each learned from, its classes (all where none are named), and the settings of its training."""


def shipped(name: Name = "phenotypes", *, retrain: bool = False) -> Network:
    """Return a network that travels with mlscope, or train it again as it was trained.

    Parameters
    ----------
    name : {"phenotypes", "trapped", "untrapped"}
        "phenotypes": the six treatments and the control of a simulated study of five plates. "trapped": the control
        and one treatment ("clustered") of the same plates, but nine in ten cells of the treatment carry a mark in
        a corner, what surrounds a cell was not darkened, and cells were not turned (turned ones do not teach a corner).
        "untrapped": as "trapped", from plates without marks.
    retrain : bool
        Train it on this machine: about two minutes on two cores.

    Raises
    ------
    ValueError
        There is no such network, or a file is not the one that was shipped.

    Examples
    --------
    >>> shipped("phenotypes").classes
    ('DMSO', 'bundled', 'clustered', 'elongated', 'granular', 'lobed', 'micronucleus')
    """
    if name not in get_args(Name):
        raise ValueError(f"No network '{name}' travels with mlscope. There are: {some(get_args(Name))}.")
    if retrain:
        study, classes, options = RECIPES[name]
        return train_network(_plates(study, classes), **options)
    return Network.load(network_file(name))


def _plates(study: dict[str, Any], classes: tuple[str, ...]) -> Cells:
    cells, _ = simulate(**study)
    # Plates of another seed have the same names: these are to be told from those that lessons show.
    cells = cells.with_obs(("T" + cells.obs["plate"].astype(str)).rename("plate"))
    return cells.subset(cells.labels.isin(classes).to_numpy()) if classes else cells
