"""The doses: one named number for every effect of the simulator, and what it is by default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import pandas as pd

from mlscope_nb._words import some

Preset = Literal["default", "none"]
GROUPS = {
    "batch": ("plate_size", "plate_gain", "plate_background", "plate_blur", "plate_illumination"),
    "faults": ("defocus", "saturation", "debris", "empty", "touching", "cut"),
}
LATEST = 2
# What differs from the numbers of version 1 below. Version 2: as in real screens, plates differ more than wells do.
VERSIONS: dict[int, dict[str, float]] = {
    1: {},
    2: {**dict.fromkeys(GROUPS["batch"], 1.85), "well": 0.5, "strength": 1.15},
}


def _dose(default: float, meaning: str, *, most: float = 5.0, none: float | None = 0.0) -> Any:
    return field(default=default, metadata={"meaning": meaning, "most": most, "none": none})


@dataclass(frozen=True)
class Doses:
    """How much of each effect there is; 0 leaves no trace of it. These are the frozen defaults of version 1."""

    strength: float = _dose(1.0, "how far a responding cell departs from a control cell")
    penetrance: float = _dose(0.85, "fraction of the cells of a treated well that respond", most=1.0, none=None)
    distractors: float = _dose(
        1.0, "bright spots in cells of every class, as bright as the cues but in another place", most=2.0
    )
    rare: float = _dose(0.015, "fraction of cells, in every class, with two nuclei", most=1.0)
    crowding: float = _dose(1.0, "how much smaller cells are among many neighbours")
    plate_size: float = _dose(1.0, "cells of one plate are larger than those of another (sd 5 %)")
    plate_gain: float = _dose(1.0, "staining of each channel differs between plates (sd 15 %)")
    plate_background: float = _dose(1.0, "background of each channel differs between plates (sd 25 %)")
    plate_blur: float = _dose(1.0, "width of the point spread function differs between plates (sd 10 %)")
    plate_illumination: float = _dose(1.0, "each plate has its own uneven illumination (up to 25 %)", most=2.0)
    well: float = _dose(1.0, "staining (sd 6 %) and cell size (sd 2 %) differ between wells")
    edge_wells: float = _dose(1.0, "wells at the rim of the plate: cells 4 % smaller, staining 10 % stronger", most=3.0)
    layout_gradient: float = _dose(0.0, "staining rises along the columns of the plate (by 30 %)", most=3.0)
    blur: float = _dose(1.0, "width of the point spread function (1.1 to 1.3 pixels)", most=3.0)
    noise: float = _dose(1.0, "photon and read noise of the camera")
    fault_rate: float = _dose(0.02, "fraction of cells with each of the six faults", most=1 / 6, none=None)
    defocus: float = _dose(1.0, "fault: out of focus (extra blur of 2.6 pixels)")
    saturation: float = _dose(1.0, "fault: exposed too long (up to 12 times)")
    debris: float = _dose(1.0, "fault: a bright fibre or crumb in one or two channels")
    empty: float = _dose(1.0, "fault: an object without a cell", most=1.0)
    touching: float = _dose(1.0, "fault: a second cell inside the same mask", most=1.2)
    cut: float = _dose(1.0, "fault: a cell cut by the edge of the field", most=1.2)
    duplicates: float = _dose(0.02, "fraction of cells photographed twice in their well", most=0.5)
    leaked: float = _dose(0.0, "fraction of cells that are copies of a cell of another well", most=0.5)
    mislabels: float = _dose(0.0, "fraction of cells with a wrong label of their own", most=1.0)
    swapped_wells: float = _dose(0.0, "number of wells whose treatments were mixed up, in pairs", most=1e6)
    confounding: float = _dose(0.0, "fraction of treated wells that hold the one treatment of their plate", most=1.0)
    shortcut: float | tuple[float, ...] = _dose(
        0.0, "fraction of the cells of the tied class with a faint mark in the corner; or one rate per plate", most=1.0
    )
    density: float = _dose(0.0, "wells of the tied class hold fewer cells (by 55 %)")
    position: float = _dose(0.0, "cells of the tied class lie low in the field")
    class_size: float = _dose(0.0, "cells of the tied class are larger (by 12 %)", most=3.0)

    def shortcut_on(self, plate: int) -> float:
        """Return the rate of the mark on one plate (counted from 0)."""
        if isinstance(self.shortcut, tuple):
            return self.shortcut[plate] if plate < len(self.shortcut) else 0.0
        return self.shortcut

    def to_dict(self) -> dict[str, Any]:
        """Return all doses as plain numbers and lists."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in mine.items()}

    def changed(self, version: int = LATEST) -> dict[str, Any]:
        """Return the doses that are not at the defaults of a version."""
        defaults = Doses(**VERSIONS[version]).to_dict()
        return {k: v for k, v in self.to_dict().items() if v != defaults[k]}


_DEFAULT: dict[str, Any] = {f.name: f.default for f in fields(Doses)}


def doses(version: int = LATEST) -> pd.DataFrame:
    """Return the table of doses: default in a version, largest sensible value, group and meaning.

    Raises
    ------
    ValueError
        There is no such version.

    Examples
    --------
    >>> float(doses().loc["penetrance", "default"])
    0.85
    """
    _known(version)
    defaults = Doses(**VERSIONS[version])
    group = {name: group for group, names in GROUPS.items() for name in names}
    rows = {
        f.name: {
            "default": getattr(defaults, f.name),
            "most": f.metadata["most"],
            "group": group.get(f.name, ""),
            "meaning": f.metadata["meaning"],
        }
        for f in fields(Doses)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def resolve(preset: Preset, version: int, given: dict[str, Any]) -> Doses:
    """Return the doses of a preset with those given by name in their place.

    Raises
    ------
    TypeError
        There is no such dose; the message names the nearest.
    ValueError
        A dose is out of its range, or there is no such preset or version.
    """
    _known(version)
    if preset not in ("default", "none"):
        raise ValueError(f"doses={preset!r}, expected 'default' or 'none' (every effect at 0).")
    chosen: dict[str, Any] = dict(VERSIONS[version]) if preset == "default" else _absent()
    for name in [n for n in given if n in GROUPS]:
        chosen.update(dict.fromkeys(GROUPS[name], given[name]))
    chosen.update({name: value for name, value in given.items() if name not in GROUPS})
    checked: dict[str, Any] = {name: _checked(name, value) for name, value in chosen.items()}
    return Doses(**checked)


def _known(version: int) -> None:
    if version not in VERSIONS:
        raise ValueError(f"No version {version!r} of the defaults. There are: {some(VERSIONS)}.")


def _absent() -> dict[str, float]:
    """Return 0 for each effect; what only says how often an effect strikes stays as it is."""
    return {f.name: f.metadata["none"] for f in fields(Doses) if f.metadata["none"] is not None}


def _checked(name: str, value: Any) -> float | tuple[float, ...]:
    if name not in _DEFAULT:
        close = difflib.get_close_matches(name, [*_DEFAULT, *GROUPS], n=1)
        guess = f" Did you mean '{close[0]}'?" if close else ""
        raise TypeError(f"No dose '{name}'.{guess} ms.datasets.doses() lists them.")
    if name == "shortcut" and isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(_in_range(name, v) for v in value)
    return _in_range(name, value)


def _in_range(name: str, value: Any) -> float:
    most = next(f.metadata["most"] for f in fields(Doses) if f.name == name)
    if isinstance(value, bool | str) or (not isinstance(value, int | float) and not hasattr(value, "__float__")):
        raise TypeError(f"{name}={value!r}, expected a number from 0 to {most:g}.")
    if not 0 <= float(value) <= most:
        raise ValueError(f"{name}={value!r}, expected a number from 0 to {most:g}.")
    return float(value)
