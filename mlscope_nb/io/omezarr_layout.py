"""Layouts of OME-Zarr stores: which field lies in which group, as a plate, as a series of images, or as one image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from mlscope_nb._words import count, no_column, some

Choice = Literal["auto", "plate", "images"]
NOTES = "mlscope"
PLATE_COLUMNS = ("plate", "Metadata_Plate", "Plate", "Metadata_plate")
WELL_COLUMNS = ("well", "Metadata_Well", "Well", "Metadata_well")
_WELL = re.compile(r"([A-Za-z]{1,2})[ _-]?(\d{1,3})")


@dataclass(frozen=True)
class Plate:
    """One plate: its name, and for each well (row, column) how many fields it holds."""

    name: str
    wells: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Where each field lies in a store.

    Parameters
    ----------
    paths : tuple of str
        The group of each field, in the order of the fields; "" is the store itself.
    plates : mapping of str to Plate
        Plates by the path of their group; "" is the store itself. Empty where nothing is a plate.
    """

    paths: tuple[str, ...]
    plates: Mapping[str, Plate] = field(default_factory=dict)


def arrange(obs: pd.DataFrame, choice: Choice = "auto", *, plate: str | None = None, well: str | None = None) -> Layout:
    """Give each field its place.

    Parameters
    ----------
    obs : DataFrame
        One row for each field.
    choice : {"auto", "plate", "images"}
        "auto" makes plates where `obs` has wells that a plate can have (A01, B-2), else images.
    plate, well : str, optional
        Columns of `obs`. Without a plate all wells are of one.

    Raises
    ------
    KeyError
        A named column, or for ``"plate"`` the wells, are not in `obs`.
    ValueError
        The choice is not one of the three, or ``"plate"`` is asked for and a well has no row and column.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": ["p1", "p1", "p2"], "well": ["A01", "A01", "B12"]})
    >>> arrange(obs).paths
    ('p1/A/01/0', 'p1/A/01/1', 'p2/B/12/0')
    >>> arrange(obs, "images").paths
    ('0', '1', '2')
    """
    if choice not in ("auto", "plate", "images"):
        raise ValueError(f"layout is {choice!r}, expected 'auto', 'plate' or 'images'.")
    plates, wells = _column(obs, plate, PLATE_COLUMNS, "plate"), _column(obs, well, WELL_COLUMNS, "well")
    if choice == "plate" and wells is None:
        raise KeyError(no_column("well", obs.columns, "Name the wells with well=…, or write layout='images'."))
    if wells is None or choice == "images" or not len(obs):
        return Layout(("",) if len(obs) == 1 else tuple(map(str, range(len(obs)))))
    places = [_WELL.fullmatch(text.strip()) for text in wells]
    odd = [text for text, place in zip(wells, places, strict=True) if place is None]
    if odd and choice == "plate":
        raise ValueError(
            f"{count(len(odd), 'field')} whose well is no row and column, such as A01: {some(dict.fromkeys(odd))}. "
            "Name the column of wells with well=…, or write layout='images'."
        )
    if odd:
        return arrange(obs, "images")
    names = plates if plates is not None else [""] * len(wells)
    return _on_plates(names, [(p[1].upper(), p[2]) for p in places if p is not None])


def _on_plates(names: Sequence[str], wells: Sequence[tuple[str, str]]) -> Layout:
    unique = list(dict.fromkeys(names))
    groups = {unique[0]: ""} if len(unique) == 1 else dict(zip(unique, _safe(unique), strict=True))
    plates = {groups[name]: Plate(name) for name in unique}
    paths = []
    for name, place in zip(names, wells, strict=True):
        held = plates[groups[name]].wells
        number = held.get(place, 0)
        held[place] = number + 1
        paths.append("/".join([*([groups[name]] if groups[name] else []), *place, str(number)]))
    return Layout(tuple(paths), plates)


def _column(obs: pd.DataFrame, named: str | None, usual: Iterable[str], role: str) -> list[str] | None:
    """Return a column as text: the one named, or the first of the usual ones that is there and complete."""
    if named is not None and named not in obs.columns:
        raise KeyError(no_column(named, obs.columns, f"Name the {role} with {role}=…"))
    found = named or next((c for c in usual if c in obs.columns and obs[c].notna().all()), None)
    return None if found is None else [str(value) for value in obs[found]]


def _safe(names: Sequence[str]) -> list[str]:
    """Return names for groups: what is no letter, digit, '.', '_' or '-' becomes '_'; what is then alike a number."""
    plain = [re.sub(r"[^A-Za-z0-9._-]", "_", name).strip("._") for name in names]
    lowered = [p.lower() for p in plain]
    usable = all(lowered) and len(set(lowered)) == len(lowered) and NOTES not in lowered
    return plain if usable else [f"plate{i}" for i in range(len(names))]
