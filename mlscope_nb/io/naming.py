"""Patterns of file names: what the name of a file says of plate, well, site, channel, plane and time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlscope_nb._words import some

# What each part looks like; other names in braces stand for any text. What is glued to the next part is digits.
_PARTS = {
    "well": r"[A-Za-z]{1,2}[ -]?\d{1,2}",
    "row": r"[A-Za-z]{1,2}|\d{1,3}",
    "column": r"\d{1,3}",
    "site": r"\d+",
    "z": r"\d+",
    "time": r"\d+(?:[a-z]\d+)*[a-z]?",
}
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*|\*)\}")
_ENDING = r"(?:\.ome)?\.[A-Za-z0-9]{1,5}"
LONGEST = 1000


@dataclass(frozen=True)
class NamePattern:
    """How the files of one microscope or export are named.

    Parameters
    ----------
    name : str
        The preset's name, or "template".
    shown : str
        The pattern as people read it, with the parts in braces.
    regex : str
        The same for the machine, with named groups; matched against the file's last path components.
    """

    name: str
    shown: str
    regex: str

    @property
    def depth(self) -> int:
        """How many path components the pattern speaks of."""
        return self.shown.count("/") + 1

    def match(self, path: str | Path) -> dict[str, str] | None:
        """Return the parts of a file's name, or None where it is named otherwise.

        Examples
        --------
        >>> find_pattern("Harmony").match("r02c03f01p01-ch2sk1fk1fl1.tiff")
        {'well': 'B03', 'site': '01', 'z': '01', 'channel': '2', 'time': '1'}
        """
        text = "/".join(Path(path).parts[-self.depth :])
        if len(text) > LONGEST:
            return None
        found = re.fullmatch(self.regex + _ENDING, text, re.IGNORECASE)
        if found is None:
            return None
        parts = {k: v for k, v in found.groupdict().items() if v is not None}
        return _with_well(parts)


def _preset(name: str, shown: str, regex: str) -> NamePattern:
    return NamePattern(name, shown, regex)


_GUID = r"(?:[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12})?"
_WELL = r"(?P<well>[A-P]\d{2}|A[A-F]\d{2})"
# Strict ones first. Sources: vendors' manuals, and the expressions of CellProfiler, TissueMAPS, Fractal and OpenHCS.
PRESETS = (
    _preset(
        "Harmony",
        "r{row}c{column}f{site}p{z}-ch{channel}sk{time}fk1fl1.tiff",
        r"r(?P<row>\d{2})c(?P<column>\d{2})f(?P<site>\d{2,})p(?P<z>\d{2,})"
        r"-ch(?P<channel>\d+)(?:sk(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?",
    ),
    _preset(
        "CellVoyager",
        "{plate}_{well}_T{time}F{site}L01A01Z{z}C{channel}.tif",
        rf"(?:(?P<plate>.+)_)?{_WELL}_T(?P<time>\d+)F(?P<site>\d+)L\d+A\d+Z(?P<z>\d+)C(?P<channel>\d+)",
    ),
    _preset(
        "CQ1",
        "{well}F{site}T{time}Z{z}C{channel}.tif",
        r"(?P<well>W\d{3,4})F(?P<site>\d+)T(?P<time>\d+)Z(?P<z>\d+)C(?P<channel>\d+)",
    ),
    _preset(
        "ImageXpress",
        "{plate}_{well}_s{site}_w{channel}.tif",
        rf"(?:(?P<plate>.+?)_)?{_WELL}(?:(?:_s(?P<site>\d{{1,4}}))(?:_w(?P<channel>\d)(?:_z(?P<z>\d+))?)?"
        rf"|_w(?P<channel_>\d)(?:_z(?P<z_>\d+))?){_GUID}(?:_t(?P<time>\d+))?",
    ),
    _preset(
        "InCell",
        "{row} - {column}(fld {site} wv {channel}).tif",
        r"(?P<row>[A-P]) - (?P<column>\d{1,2})\(fld (?P<site>\d{1,3})(?: wv (?P<channel>[^()]+?))?"
        r"(?: z (?P<z>\d+))?(?: time (?P<time>\d+)(?: - [^()]*)?)?\)",
    ),
    _preset(
        "Incucyte",
        "{plate}_{well}_{site}_{time}.tif",
        r"(?P<plate>.+)_(?P<well>[A-P]\d{1,2})_(?P<site>\d{1,3})_"
        r"(?P<time>\d{2}d\d{2}h\d{2}m|\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m)(?:_\d+)?",
    ),
    _preset(
        "Leica",
        "{image}--U{column}--V{row}--X{x}--Y{y}--T{time}--Z{z}--C{channel}.ome.tif",
        r"(?P<image>[^/]+?)--L\d+--S\d+--U(?P<column0>\d{2})--V(?P<row0>\d{2})--J\d+--E\d+--O\d+"
        r"--X(?P<x>\d{2})--Y(?P<y>\d{2})--T(?P<time>\d+)--Z(?P<z>\d+)--C(?P<channel>\d+)",
    ),
    _preset(
        "MicroManager",
        "img_channel{channel}_position{site}_time{time}_z{z}.tif",
        r"img_channel(?P<channel>\d+)_position(?P<site>\d+)_time(?P<time>\d+)_z(?P<z>\d+)",
    ),
    _preset(
        "MicroManager1",
        "img_{time}_{channel}_{z}.tif",
        r"img_(?P<time>\d{9})_(?P<channel>.+)_(?P<z>\d{3})",
    ),
    _preset(
        "ArrayScan",
        "{plate}_{well}f{site}d{channel}.tif",
        r"(?P<plate>.+)_(?P<well>[A-P]\d{2})f(?P<site>\d{2,})d(?P<channel>\d)",
    ),
    _preset("ImageJ", "C{channel}-{field}.tif", r"C(?P<channel>\d)-(?P<field>.+)"),
    _preset(
        "well-site-channel",
        "{plate}_{well}_{site}_{channel}.tif",
        rf"(?:(?P<plate>.+)[_-])?{_WELL}[_-](?:s|f|fld|site|field|pos)?(?P<site>\d{{1,4}})[_-](?P<channel>[^_/-]+)",
    ),
    _preset(
        "well-channel",
        "{plate}_{well}_{channel}.tif",
        rf"(?:(?P<plate>.+)[_-])?{_WELL}[_-](?P<channel>[A-Za-z][^_/-]*)",
    ),
    _preset(
        "well-site",
        "{plate}_{well}_{site}.tif",
        rf"(?:(?P<plate>.+)[_-])?{_WELL}[_-](?:s|f|site|field)?(?P<site>\d{{1,4}})",
    ),
    _preset("well", "{plate}_{well}.tif", rf"(?:(?P<plate>.+)[_-])?{_WELL}"),
)


def find_pattern(pattern: str) -> NamePattern:
    """Return a preset by its name, or make a pattern of a template such as ``"{plate}_{well}_{site}_{channel}.tif"``.

    Parameters
    ----------
    pattern : str
        A preset's name, or a template. ``{well}``, or ``{row}`` and ``{column}``; ``{site}``, ``{channel}``, ``{z}``,
        ``{time}`` and ``{plate}`` are known; other names become columns; ``{*}`` stands for anything. A ``/`` in
        the template speaks of folders: ``"{plate}/{well}_{channel}.tif"``.

    Raises
    ------
    ValueError
        It is neither; or it leaves open where one part ends and the next begins.

    Examples
    --------
    >>> find_pattern("{donor}_{well}_{channel}.tif").match("d7_A2_DNA.tif")
    {'donor': 'd7', 'well': 'A02', 'channel': 'DNA'}
    """
    preset = next((p for p in PRESETS if p.name.lower() == pattern.lower()), None)
    if preset is not None:
        return preset
    if "{" not in pattern:
        raise ValueError(
            f"There is no pattern '{pattern}'. Presets: {some((p.name for p in PRESETS), 20)}; or write a template "
            "with the parts in braces, such as '{plate}_{well}_{site}_{channel}.tif'."
        )
    return NamePattern("template", pattern, _compiled(pattern))


def guess_pattern(paths: Sequence[str | Path], share: float = 0.8) -> NamePattern | None:
    """Return the preset that fits most of the names, if it fits `share` of them; else what is common to their endings.

    Examples
    --------
    >>> guess_pattern(["p1_A01_s1_w1.tif", "p1_A01_s1_w2.tif"]).name
    'ImageXpress'
    >>> guess_pattern(["POS002_D.tif", "POS002_F.tif", "POS076_D.tif", "POS076_F.tif"]).shown
    '{field}_{channel}.tif'
    """
    if not paths:
        return None
    ending = Counter(Path(p).suffix.lower() for p in paths).most_common(1)[0][0]
    paths = [p for p in paths if Path(p).suffix.lower() == ending]  # previews lie beside images, as another kind
    hits = [sum(p.match(path) is not None for path in paths) for p in PRESETS]
    best = max(range(len(hits)), key=lambda i: (hits[i], -i))
    if hits[best] >= share * len(paths):
        return PRESETS[best]
    return _by_suffix([Path(p) for p in paths])


def _by_suffix(paths: Sequence[Path]) -> NamePattern | None:
    """Take the last piece of a name for the channel where most names occur with each of a few such pieces."""
    for separator in "_- .":
        stems = [p.name.removesuffix("".join(p.suffixes[-2:]) if ".ome" in p.name.lower() else p.suffix) for p in paths]
        split = [s.rsplit(separator, 1) for s in stems if separator in s]
        ends: dict[str, set[str]] = {}
        for start, end in (s for s in split if len(s) == 2 and all(s)):
            ends.setdefault(start, set()).add(end)
        every = set().union(*ends.values()) if ends else set()
        whole = sum(found == every for found in ends.values())
        worded = not any(end.isdigit() for end in every)  # numbers may be sites or times as well
        if worded and 2 <= len(every) <= 8 and len(split) >= 0.8 * len(paths) and whole >= 0.8 * len(ends):
            return find_pattern(f"{{field}}{separator}{{channel}}{paths[0].suffix}")
    return None


def _compiled(template: str) -> str:
    """Turn a template into an expression that cannot run away: only the first free part may hold what follows it."""
    if "\\" in template or len(template) > 200:
        raise ValueError(f"The template '{template[:200]}' is too long or holds a backslash; folders are told by /.")
    body = re.sub(r"(?:\.ome)?\.(?:tiff?|png|jpe?g|bmp|gif|webp|\*)$", "", template, flags=re.IGNORECASE)
    pieces = _PLACE.split(body)
    names = [n for n in pieces[1::2] if n != "*"]
    if len(set(names)) < len(names) or any("{" in p or "}" in p for p in pieces[::2]):
        raise ValueError(f"The template '{template}' names a part twice, or a brace is left open.")
    result, free = re.escape(pieces[0]), 0
    for i in range(1, len(pieces), 2):
        name, after = pieces[i], pieces[i + 1]
        known = _PARTS.get(name)
        if known is None:
            if not after and i + 2 < len(pieces) and pieces[i + 2] not in ("site", "z", "column"):
                raise ValueError(
                    f"The template '{template}' does not say where {{{name}}} ends; put a sign between it and the next."
                )
            free += 1
            known = _free(after, first=free == 1, may_be_empty=name == "*")
        result += (f"(?:{known})" if name == "*" else f"(?P<{name}>{known})") + re.escape(after)
    return result


def _free(after: str, *, first: bool, may_be_empty: bool) -> str:
    end = re.escape(after[0]) if after and not first else ""
    return f"[^/{end}]" + ("*" if may_be_empty else "+")


def _with_well(parts: dict[str, str]) -> dict[str, str]:
    """Write rows and columns as a well (B03) and drop what only tells alternatives apart."""
    for name in ("channel", "z"):
        if f"{name}_" in parts:
            parts[name] = parts.pop(f"{name}_")
    well = parts.get("well")
    if "row0" in parts:
        parts |= {"row": str(int(parts.pop("row0")) + 1), "column": str(int(parts.pop("column0")) + 1)}
        parts["site"] = f"{parts.get('x', '')}x{parts.get('y', '')}"
    if well is None and "row" in parts and "column" in parts:
        return {"well": well_name(parts.pop("row"), parts.pop("column")), **parts}
    if well is not None and re.fullmatch(r"[A-Za-z]{1,2}[ -]?\d{1,2}", well):
        letters = re.match(r"[A-Za-z]+", well)
        row = letters.group() if letters else ""
        parts["well"] = well_name(row, re.sub(r"\D", "", well))
    return parts


def well_name(row: str | int, column: str | int) -> str:
    """Write a well as people do: row 2, column 3 is B03.

    Examples
    --------
    >>> well_name(2, 3), well_name("aa", "7"), well_name(27, 48)
    ('B03', 'AA07', 'AA48')
    """
    text = str(row)
    if text.isdigit():
        number = int(text)
        text = (chr(64 + (number - 1) // 26) if number > 26 else "") + chr(65 + (number - 1) % 26) if number else "0"
    return f"{text.upper()}{int(column):02d}"
