"""Preparing: what a task reads and what it is to say, scaled field by field, and which units judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args
from zlib import crc32

import numpy as np

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.fields import Stack
from mlscope_nb.predict.images.learning import Task
from mlscope_nb.predict.images.outlines import areas, learned_from
from mlscope_nb.predict.images.pictures import Given, Pictures
from mlscope_nb.predict.images.scaling import ends, objects_bright, scaled

FEWEST_UNITS = 3
"""One unit to judge, and two to learn from: fewer, and nothing is held out."""
PARTS = 6
"""One unit in so many judges."""
LEAST_SHARE, LEAST_PERCENTILE = 0.5, 2.0
"""Objects of less than half of the small ones (the second percentile) are left out."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Pictures and answers of each field.

    Parameters
    ----------
    read, asked : list of arrays (C, Y, X), (O, Y, X)
        Scaled.
    inputs, outputs : tuple of str
        Channels that are read and made.
    scale : array (O, 2)
        Usual ends of the channel that is made.
    least_area_px : float
        What is too small for an object.
    labels : list of integer arrays (Y, X)
        The labelled objects.
    """

    read: list[np.ndarray]
    asked: list[np.ndarray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scale: np.ndarray
    least_area_px: float = 0.0
    labels: list[np.ndarray] = field(default_factory=list)

    @property
    def digest(self) -> int:
        """A number that changes when the data change."""
        found = 0
        for part in (*self.read, *self.asked):
            found = crc32(np.ascontiguousarray(part).tobytes(), found)
        return found


def prepared(
    given: Given,
    task: Task,
    inputs: Sequence[str] | str | None,
    target: str | None,
    clean: Given | None,
    masks: Sequence[np.ndarray] | Stack | None,
) -> Prepared:
    """Return what a task reads and what it is to say.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something that the task needs is missing, or does not belong to it.
    """
    pictures = Pictures(given)
    _check_task(task, target, clean, masks)
    if not len(pictures):
        raise ValueError("There are no fields to learn from: 0 rows.")
    named = (inputs,) if isinstance(inputs, str) else None if inputs is None else tuple(inputs)
    if task == "stain":
        return _stain(pictures, named, target)
    if task == "denoise":
        return _denoise(pictures, named, clean)
    return _segment(pictures, named, masks)


def judging(pictures: Pictures, by: Columns, seed: int) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    """Return which fields judge, in whole units, the units that teach and that judge, and why there are none."""
    units = pictures.units(by)
    names = sorted(set(units))
    if len(names) < FEWEST_UNITS:
        note = f"No unit was put aside ({count(len(names), 'unit')}): the last epoch is kept."
        return np.zeros(len(units), bool), names, [], [note]
    order = np.random.default_rng(seed).permutation(len(names))
    chosen = sorted(names[k] for k in order[: max(1, len(names) // PARTS)])
    return units.isin(chosen).to_numpy(), [n for n in names if n not in chosen], chosen, []


def _check_task(task: str, target: Any, clean: Any, masks: Any) -> None:
    if task not in get_args(Task):
        raise ValueError(f"task is {task!r}, expected 'stain', 'denoise' or 'segment'.")
    for name, value, of in (("target", target, "stain"), ("clean", clean, "denoise"), ("masks", masks, "segment")):
        if value is not None and task != of:
            raise ValueError(f"{name}=… belongs to task='{of}', and the task is '{task}'. Leave it out.")


def _stain(pictures: Pictures, inputs: tuple[str, ...] | None, target: str | None) -> Prepared:
    if target is None:
        raise ValueError(f"Name the channel to predict: target=… Channels: {some(pictures.channels, 20)}.")
    pictures.rows([target])
    into = inputs or tuple(c for c in pictures.channels if c != target)
    if target in into or not into:
        raise ValueError(f"'{target}' is to be predicted from {some(into) or 'nothing'}. Give other channels: inputs=…")
    read, asked, between = [], [], []
    for image in pictures:
        read.append(_scaled(image[pictures.rows(into)]))
        between.append(ends(image[pictures.rows([target])]))
        asked.append(scaled(image[pictures.rows([target])], between[-1]))
    return Prepared(read, asked, into, (target,), np.median(between, axis=0))


def _denoise(pictures: Pictures, inputs: tuple[str, ...] | None, clean: Given | None) -> Prepared:
    into = inputs or pictures.channels
    rows = pictures.rows(into)
    images = [image[rows] for image in pictures]
    between = [ends(image) for image in images]
    read = [scaled(image, e) for image, e in zip(images, between, strict=True)]
    scale = np.median(between, axis=0)
    if clean is None:
        return Prepared(read, read, into, into, scale)
    better = Pictures(clean)
    if list(better.ids) != list(pictures.ids):
        raise ValueError("clean has other ids than the fields, expected the same fields in the same order.")
    asked = [scaled(image[better.rows(into)], e) for image, e in zip(better, between, strict=True)]
    other = [str(i) for i, a, b in zip(pictures.ids, read, asked, strict=True) if a.shape != b.shape]
    if other:
        raise ValueError(f"Clean pictures of another size than the fields: {some(other)}. Give pairs of one size.")
    return Prepared(read, asked, into, into, scale)


def _segment(
    pictures: Pictures, inputs: tuple[str, ...] | None, masks: Sequence[np.ndarray] | Stack | None
) -> Prepared:
    into = inputs or pictures.channels
    labels = pictures.masks() if masks is None else [np.asarray(m) for m in masks]
    read = [objects_bright(_scaled(image[pictures.rows(into)])) for image in pictures]
    if len(labels) != len(read):
        raise ValueError(f"{len(labels):,} masks for {len(read):,} fields, expected one for each.")
    wrong = [
        f"{i}: {m.dtype} {m.shape}" for i, m, r in zip(pictures.ids, labels, read, strict=True)
        if m.shape != r.shape[1:] or m.dtype.kind not in "iu"
    ]  # fmt: skip
    if wrong:
        raise ValueError(f"Masks have to hold whole numbers, (Y, X) as their fields. Found {some(wrong)}.")
    found = np.concatenate([areas(m) for m in labels])
    if not len(found):
        raise ValueError("No object is labelled in any field, so there is nothing to learn. Label some.")
    least = LEAST_SHARE * float(np.percentile(found, LEAST_PERCENTILE))
    return Prepared(read, [learned_from(m) for m in labels], into, (), np.empty((0, 2)), least, labels)


def _scaled(image: np.ndarray) -> np.ndarray:
    return scaled(image, ends(image))
