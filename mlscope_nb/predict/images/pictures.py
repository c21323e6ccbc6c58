"""Pictures: whole fields or crops of cells, read one at a time, with their channels and units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._design import Columns, Design, as_columns, controls, keys
from mlscope_nb._lazy import read_rows
from mlscope_nb._words import no_column, some
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

Given = Fields | Cells
ROLES = ("label", "unit", "batch", "control", "treatment")


@dataclass(frozen=True, eq=False)
class Pictures:
    """What fields and cells have in common for a network of images.

    Parameters
    ----------
    given : Fields or Cells
        Where the pictures come from.
    """

    given: Given

    def __post_init__(self) -> None:
        if not isinstance(self.given, Fields | Cells):
            raise TypeError(f"Expected Fields or Cells, found {type(self.given).__name__}.")
        if self.given.images is None:
            raise ValueError("These cells have no images, only tables. Read them with images to use this function.")

    def __len__(self) -> int:
        return len(self.given)

    @property
    def ids(self) -> pd.Index:
        """The ids in order."""
        return self.given.ids

    @property
    def obs(self) -> pd.DataFrame:
        """What is known about each."""
        return self.given.obs

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return self.given.channels

    def rows(self, names: Sequence[str]) -> list[int]:
        """Return the positions of channels; a missing one is refused by name."""
        missing = [name for name in names if name not in self.channels]
        if missing:
            raise KeyError(f"No channel {some(missing)}. Channels: {some(self.channels, 20)}.")
        return [self.channels.index(name) for name in names]

    def image(self, i: int, channels: Sequence[int] | None = None) -> np.ndarray:
        """Return one picture (C, Y, X), or some of its channels; pixels that are no numbers are refused."""
        if isinstance(self.given, Fields):
            found = np.asarray(self.given.images[i])
        else:
            found = np.asarray(read_rows(self.given.images, slice(i, i + 1)))[0]
        chosen = found if channels is None else found[list(channels)]
        if chosen.dtype.kind == "f" and not np.isfinite(chosen).all():
            raise ValueError(
                f"'{self.ids[i]}' holds NaN or infinite pixels, expected numbers. Leave it out with subset, or replace "
                "the pixels with numpy.nan_to_num."
            )
        return chosen

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.image(i) for i in range(len(self)))

    def units(self, by: Columns = None) -> pd.Series:
        """Return the unit of each picture: what `by` names, the declared unit, or each picture by itself."""
        design, obs = self.given.design, self.given.obs
        names = as_columns(by, "by") or design.unit
        if len(names) == 1 and names[0] in ("unit", "batch") and names[0] not in obs.columns:
            names = getattr(design, names[0])
        if not names:
            return pd.Series(self.ids.astype(str), index=self.ids, name="field")
        for name in names:
            if name not in obs.columns:
                raise KeyError(no_column(name, obs.columns, "Name what is held out together with by=…"))
            if obs[name].isna().any():
                raise ValueError(f"Column '{name}' has no value for {some(obs.index[obs[name].isna()])}. Fill it in.")
        return keys(obs, names)

    def masks(self) -> list[np.ndarray]:
        """Return the label masks (Y, X) of fields.

        Raises
        ------
        ValueError
            There are none, or these are crops of cells.
        """
        if not isinstance(self.given, Fields):
            raise ValueError("Objects are found in whole fields, and these are crops of cells. Give fields.")
        if self.given.masks is None:
            raise ValueError(
                "These fields have no masks. Give masks=…, read the fields with masks, or segment them first."
            )
        return [np.asarray(m) for m in self.given.masks]

    def replaced(self, images: Sequence[np.ndarray], channels: Sequence[str], step: Mapping[str, Any]) -> Given:
        """Return fields or cells like these with other images and channels, and without masks.

        What is measured in a predicted image has to be found in it: masks of the true one would hide what is invented.
        """
        given, design = self.given, _declared(self.given.design, self.given.obs)
        known: dict[str, Any] = {
            "channels": list(channels), "pixel_size_um": given.pixel_size_um, "history": [*given.history, dict(step)],
            **design,
        }  # fmt: skip
        if isinstance(given, Fields):
            return Fields(given.obs, images, **known)
        return Cells(given.obs, np.stack(list(images)) if len(images) else None, **known)


def of_channels(fields: Fields, channels: Sequence[str]) -> Fields:
    """Return fields with some of their channels, masks and compartments kept."""
    rows = Pictures(fields).rows(channels)
    if list(fields.channels) == list(channels):
        return fields
    images = [np.asarray(image)[rows] for image in fields.images]
    known: dict[str, Any] = {
        "channels": list(channels),
        "pixel_size_um": fields.pixel_size_um,
        "history": fields.history,
    }
    return Fields(
        fields.obs,
        images,
        fields.masks,
        compartments=dict(fields.compartments),
        **known,
        **_declared(fields.design, fields.obs),
    )


def _declared(design: Design, obs: pd.DataFrame) -> dict[str, Any]:
    """Return what is declared; of a part without any control, no controls are declared."""
    found = {role: getattr(design, role) for role in ROLES}
    try:
        if design.control is not None:
            controls(obs, design)
    except ValueError:
        found["control"] = None
    return {k: v for k, v in found.items() if v is not None and v != ()}
