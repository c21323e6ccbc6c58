"""Harmony's index beside its images: the names of the channels, and micrometres per pixel."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

NAMES = ("Index.idx.xml", "Index.xml", "Index.ref.xml")
# A plate's index may have hundreds of MB; its first channels stand in the beginning.
READ = 4_000_000
_CHANNEL = re.compile(
    r'(?:<ChannelID>\s*|<Entry ChannelID=")(\d{1,3})(?:\s*</ChannelID>|">)(?:(?!<ChannelID>|<Entry ).){0,3000}?'
    r"<ChannelName>([^<]{1,100})</ChannelName>",
    re.DOTALL,
)
_SIZE = re.compile(r'<ImageResolutionX Unit="m">\s*([0-9.]{1,25}[eE][-+]?\d{1,3})\s*</ImageResolutionX>')


def read_index(folder: Path) -> tuple[dict[str, str], float | None]:
    """Return the channels of a folder of Harmony (name → number in the file names) and micrometres per pixel.

    Parameters
    ----------
    folder : Path
        Where the images lie; the index lies there or one folder above.

    Returns
    -------
    dict and float
        Empty and None where there is no index, or where it does not say.

    Notes
    -----
    Source: the files of Harmony 4 to 6 (EvaluationInputData), in which channels stand in each image or in a map.

    Examples
    --------
    >>> read_index(Path("no such folder"))
    ({}, None)
    """
    places = [f / n for f in (folder, folder.parent) for n in NAMES]
    file = next((p for p in places if p.is_file()), None)
    if file is None:
        return {}, None
    with open(file, "rb") as stream:
        text = stream.read(READ).decode("utf-8", "replace")
    numbers = {number: unescape(name).strip() for number, name in reversed(_CHANNEL.findall(text))}
    names = {name: number for number, name in sorted(numbers.items(), key=lambda item: int(item[0]))}
    sizes = {round(float(size) * 1e6, 6) for size in _SIZE.findall(text)}
    size = sizes.pop() if len(sizes) == 1 else None
    return names if len(names) == len(numbers) else {}, size if size and 0 < size < 1000 else None
