"""Sketches: a small drawing of what a feature looks at, in the colours of the masks."""

from __future__ import annotations

import re

CELL, NUCLEUS, MARK, FAINT = "#cfe3f3", "#7fb2d9", "#d55e00", "#f2f2f2"
INK = "#1a1a1a"
WIDTH, HEIGHT = 150, 110
BODY = "M75 10 C108 6 134 30 132 58 C130 88 104 104 74 100 C42 98 18 84 18 54 C18 28 44 12 75 10 Z"


def sketch(name: str) -> str:
    """Return a drawing of what a feature looks at, as SVG.

    The part that is measured is filled; what is looked at in it stands in orange.

    Parameters
    ----------
    name : str
        A feature, named as in CellProfiler.

    Examples
    --------
    >>> sketch("Nuclei_AreaShape_MajorAxisLength").startswith("<svg")
    True
    """
    part, _, rest = name.partition("_")
    category, _, feature = rest.partition("_")
    draw = {
        "AreaShape": _shape,
        "Intensity": _light,
        "Texture": _texture,
        "Granularity": _grains,
        "RadialDistribution": _rings,
        "Correlation": _two_channels,
        "Neighbors": _neighbours,
        "Location": _place,
    }.get(category, lambda feature, nucleus: "")
    nucleus = part == "Nuclei"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-hidden="true">{_body(part)}{draw(feature, nucleus)}</svg>'
    )


def _body(part: str) -> str:
    cell = FAINT if part == "Nuclei" else CELL
    nucleus = {"Nuclei": NUCLEUS, "Cytoplasm": "#ffffff"}.get(part, CELL)
    inner = f'<circle cx="75" cy="55" r="24" fill="{nucleus}" stroke="{INK}" stroke-width="0.8"/>'
    return f'<path d="{BODY}" fill="{cell}" stroke="{INK}" stroke-width="0.8"/>{inner}'


def _line(x1: float, y1: float, x2: float, y2: float, dash: str = "") -> str:
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{MARK}" stroke-width="2"{extra}/>'


def _ring(x: float, y: float, r: float, *, fill: str = "none", width: float = 2) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}" stroke="{MARK}" stroke-width="{width}"/>'


def _outline(nucleus: bool) -> str:
    if nucleus:
        return _ring(75, 55, 24, width=3)
    return f'<path d="{BODY}" fill="none" stroke="{MARK}" stroke-width="3"/>'


def _shape(feature: str, nucleus: bool) -> str:
    reach = 24 if nucleus else 57
    if re.match(r"(MajorAxis|MaxFeret)", feature):
        return _line(75 - reach, 55, 75 + reach, 55)
    if re.match(r"(MinorAxis|MinFeret)", feature):
        return _line(75, 55 - 0.8 * reach, 75, 55 + 0.8 * reach)
    if re.match(r"(Eccentricity|Orientation|Compactness|InertiaTensor)", feature):
        return _line(75 - reach, 55, 75 + reach, 55) + _line(75, 55 - 0.8 * reach, 75, 55 + 0.8 * reach)
    if "Radius" in feature:
        return _line(75, 55, 75 + reach, 55) + _ring(75, 55, 2, fill=MARK)
    if feature.startswith(("BoundingBox", "Extent")):
        side = 2 * reach
        return (
            f'<rect x="{75 - reach}" y="{55 - 0.82 * reach}" width="{side}" height="{0.82 * side}" fill="none" '
            f'stroke="{MARK}" stroke-width="2" stroke-dasharray="5 3"/>'
        )
    if feature.startswith("Center"):
        return _ring(75, 55, 3, fill=MARK)
    if feature.startswith(("Area", "Volume")):
        return _outline(nucleus) + "".join(_line(75 - reach * 0.7, y, 75 + reach * 0.7, y, "2 4") for y in (45, 55, 65))
    return _outline(nucleus)


def _light(feature: str, nucleus: bool) -> str:
    if "Edge" in feature:
        return _outline(nucleus)
    if feature.startswith("MassDisplacement"):
        return _ring(70, 55, 3) + _ring(88, 48, 3, fill=MARK) + _line(70, 55, 88, 48)
    spots = (
        [(66, 48, 5), (84, 60, 7), (74, 68, 3)] if nucleus else [(48, 40, 6), (104, 48, 8), (84, 82, 5), (40, 70, 4)]
    )
    return "".join(_ring(x, y, r, fill=MARK, width=0) for x, y, r in spots)


def _texture(feature: str, nucleus: bool) -> str:
    found = re.search(r"_(\d+)_(0[0-3])_\d+$", feature)
    step = 5.0 * min(int(found[1]), 8) if found else 15.0
    right, down = {"00": (1, 0), "01": (0.7, 0.7), "02": (0, 1), "03": (-0.7, 0.7)}[found[2] if found else "00"]
    x, y = 75 - right * step / 2, 55 - down * step / 2
    ends = [(x, y), (x + right * step, y + down * step)]
    squares = "".join(
        f'<rect x="{a - 4:.1f}" y="{b - 4:.1f}" width="8" height="8" fill="{fill}" stroke="{MARK}" stroke-width="2"/>'
        for (a, b), fill in zip(ends, ("#ffffff", INK), strict=True)
    )
    return _line(*ends[0], *ends[1]) + squares


def _grains(feature: str, nucleus: bool) -> str:
    found = re.match(r"(\d+)_", feature)
    radius = 1.5 + 0.6 * min(int(found[1]), 16) if found else 4
    places = [(66, 50), (84, 60), (72, 68)] if nucleus else [(45, 40), (104, 45), (86, 82), (42, 70), (112, 68)]
    return "".join(_ring(x, y, round(radius, 1), fill=MARK, width=0) for x, y in places)


def _rings(feature: str, nucleus: bool) -> str:
    found = re.search(r"_(\d+)of(\d+)$", feature)
    ring, of = (int(found[1]), int(found[2])) if found else (0, 4)
    reach = 24 if nucleus else 46
    drawn = [_ring(75, 55, reach * k / of, width=1) for k in range(1, of + 1)]
    if ring:
        middle, width = reach * (ring - 0.5) / of, reach / of
        drawn.append(
            f'<circle cx="75" cy="55" r="{middle:.1f}" fill="none" stroke="{MARK}" stroke-width="{width:.1f}" '
            f'stroke-opacity="0.6"/>'
        )
    return "".join(drawn)


def _two_channels(feature: str, nucleus: bool) -> str:
    del feature, nucleus
    return (
        '<circle cx="66" cy="55" r="15" fill="#0072b2" fill-opacity="0.6"/>'
        f'<circle cx="84" cy="55" r="15" fill="{MARK}" fill-opacity="0.6"/>'
    )


def _neighbours(feature: str, nucleus: bool) -> str:
    del feature, nucleus
    others = [(6, 20, 16), (146, 92, 18), (140, 8, 12)]
    shapes = "".join(f'<circle cx="{x}" cy="{y}" r="{r}" fill="{FAINT}" stroke="{INK}"/>' for x, y, r in others)
    return shapes + "".join(_line(75, 55, x, y, "4 3") for x, y, _ in others)


def _place(feature: str, nucleus: bool) -> str:
    del nucleus
    across = "_X_" in f"_{feature}_"
    return (_line(0, 62, 88, 62, "4 3") if across else _line(88, 0, 88, 62, "4 3")) + _ring(88, 62, 3, fill=MARK)
