"""Glossary: what the name of a feature means, in one plain sentence."""

from __future__ import annotations

import difflib
import re
from functools import cache

from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.features import terms
from mlscope_nb.features.description import Description, from_low_to_high

PARTS = {"Cells": "the cell", "Nuclei": "the nucleus", "Cytoplasm": "the cytoplasm"}
DIRECTIONS = {"00": "to the right", "01": "down right", "02": "down", "03": "down left"}


def describe(name: str, cells: Cells | None = None, *, n: int = 10) -> Description:
    """Say in one plain sentence what a feature means, with a drawing, and with cells from low to high.

    Parameters
    ----------
    name : str
        A feature, named as in CellProfiler.
    cells : Cells, optional
        Cells that were measured: some of them are shown in the order of the feature.
    n : int
        How many cells are shown.

    Returns
    -------
    Description
        One sentence (a str), which a notebook shows with the drawing; ``ids`` are the cells shown.

    Raises
    ------
    ValueError
        The name is unknown (similar names are offered), or the cells have no such feature.

    Examples
    --------
    >>> describe("Nuclei_AreaShape_Area")
    'Area of the nucleus: the number of pixels in its mask.'
    >>> describe("Nuclei_Texture_Contrast_DNA_3_01_256")
    'Texture of DNA in the nucleus: how much grey levels differ between pixels 3 px apart (down right, 256 levels).'
    """
    part, _, rest = name.partition("_")
    category, _, feature = rest.partition("_")
    where = PARTS.get(part, f"the part '{part}'")
    sentence = _sentence(category, feature, where) if part and feature else None
    if sentence is None:
        close = difflib.get_close_matches(name, _known(part or "Cells"), n=3, cutoff=0.5)
        hint = f" Did you mean {some(close)}?" if close else ""
        raise ValueError(
            f"No feature is called '{name}'.{hint} Names read Part_Category_Feature_Channel, such as "
            "'Nuclei_Intensity_MeanIntensity_DNA'."
        )
    return Description(sentence, name, *(from_low_to_high(cells, name, n) if cells is not None else ()))


def _sentence(category: str, feature: str, where: str) -> str | None:
    explain = {
        "AreaShape": _area_shape,
        "Intensity": _intensity,
        "Location": _location,
        "Texture": _texture,
        "Granularity": _granularity,
        "RadialDistribution": _radial,
        "Correlation": _correlation,
        "Neighbors": _neighbours,
    }.get(category)
    return explain(feature, where) if explain else None


def _area_shape(feature: str, where: str) -> str | None:
    if feature in terms.SHAPE:
        return terms.SHAPE[feature].format(where=where)
    if found := re.fullmatch(r"Zernike_(\d)_(\d)", feature):
        return terms.zernike(*map(int, found.groups()), of=f"the outline of {where}")
    if found := re.fullmatch(r"(Spatial|Central|Normalized)Moment_(\d)_(\d)", feature):
        kind, p, q = found.groups()
        return f"{terms.MOMENTS[kind].format(where=where)}: order {p} along rows, {q} along columns."
    if found := re.fullmatch(r"HuMoment_(\d)", feature):
        return f"Hu's moment number {found[1]} of {where}: a figure of its shape that turning and scaling leave alone."
    if found := re.fullmatch(r"InertiaTensor(Eigenvalues)?_[\d_]+", feature):
        what = "along its long and short axis" if found[1] else "along rows and columns"
        return f"How far the pixels of {where} spread {what}, in square pixels ({feature})."
    return None


def _intensity(feature: str, where: str) -> str | None:
    name, _, channel = feature.partition("_")
    return terms.INTENSITY[name].format(where=where, channel=channel) if channel and name in terms.INTENSITY else None


def _location(feature: str, where: str) -> str | None:
    found = re.fullmatch(r"(CenterMassIntensity|MaxIntensity)_([XY])_(.+)", feature)
    if not found:
        return None
    what = "the centre of the brightness" if found[1].startswith("Center") else "the brightest pixel"
    side = "left edge" if found[2] == "X" else "upper edge"
    return f"Where {what} of {found[3]} in {where} lies: pixels from the {side} of the crop."


def _texture(feature: str, where: str) -> str | None:
    found = re.fullmatch(r"([A-Za-z]+\d?)_(.+)_(\d+)_(0[0-3])_(\d+)", feature)
    if not found or found[1] not in terms.TEXTURE:
        return None
    name, channel, scale, direction, levels = found.groups()
    meaning = terms.TEXTURE[name].format(pairs=f"pixels {scale} px apart")
    return f"Texture of {channel} in {where}: {meaning} ({DIRECTIONS[direction]}, {levels} levels)."


def _granularity(feature: str, where: str) -> str | None:
    found = re.fullmatch(r"(\d+)_(.+)", feature)
    if not found:
        return None
    return (
        f"Grain of {found[2]} in {where}: the percentage of brightness lost when bright grains of size step {found[1]} "
        "(1 the finest) are taken away."
    )


def _radial(feature: str, where: str) -> str | None:
    if found := re.fullmatch(r"(FracAtD|MeanFrac|RadialCV)_(.+)_(\d+)of(\d+)", feature):
        name, channel, ring, of = found.groups()
        return terms.RADIAL[name].format(channel=channel, where=where, ring=f"ring {ring} of {of} (1 is the centre)")
    if found := re.fullmatch(r"Zernike(Magnitude|Phase)_(.+)_(\d)_(\d)", feature):
        kind, channel, n, m = found.groups()
        if kind == "Magnitude":
            return terms.zernike(int(n), int(m), of=f"the brightness of {channel} in {where}")
        return f"Direction (radians) of the Zernike pattern {n}, {m} in the brightness of {channel} in {where}."
    return None


def _correlation(feature: str, where: str) -> str | None:
    name, _, pair = feature.partition("_")
    if name not in terms.CORRELATION or "_" not in pair:
        return None
    # channel names may hold the sign that parts them
    first, second = pair.split("_") if pair.count("_") == 1 else ("one", f"the other of the channels {pair}")
    return terms.CORRELATION[name].format(first=first, second=second, where=where)


def _neighbours(feature: str, where: str) -> str | None:
    for pattern, sentence in terms.NEIGHBOURS.items():
        if found := re.fullmatch(pattern, feature):
            return sentence.format(*found.groups(), where=where)
    return None


@cache
def _known(part: str) -> tuple[str, ...]:
    """Names to compare a misspelt one with, of one part and a channel DNA."""
    shape = [
        *terms.SHAPE,
        "Zernike_0_0",
        "HuMoment_0",
        "CentralMoment_2_0",
        "SpatialMoment_0_0",
        "NormalizedMoment_2_0",
    ]
    names = [f"AreaShape_{n}" for n in shape] + [f"Intensity_{n}_DNA" for n in terms.INTENSITY]
    names += [f"Texture_{n}_DNA_3_00_256" for n in terms.TEXTURE] + [
        f"RadialDistribution_{n}_DNA_1of4" for n in terms.RADIAL
    ]
    names += [f"Correlation_{n}_DNA_RNA" for n in terms.CORRELATION] + ["Granularity_1_DNA"]
    names += [f"Neighbors_{n}" for n in ("FirstClosestDistance", "NumberWithin_50", "PercentTouching_Adjacent")]
    return tuple(f"{part}_{n}" for n in names)
