"""Files in a folder and below it, by their endings; a folder that holds the whole disk is noticed in time."""

from __future__ import annotations

import os
from pathlib import Path

from mlscope_nb.io.listing import natural

MOST_NAMES = 500_000
DEEPEST = 12


def files_below(
    folder: str | Path, endings: tuple[str, ...], *, deepest: int = DEEPEST, most: int = MOST_NAMES
) -> list[Path]:
    """Return the files with these endings, in the order of their names; links to folders are not followed.

    Parameters
    ----------
    folder : path
    endings : tuple of str
        In lower case, with their dots.
    deepest : int
        How many levels below the folder to look.
    most : int
        How many names to look at.

    Raises
    ------
    ValueError
        There are more names than that.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> (place / "a").mkdir()
    >>> _ = (place / "a" / "CELLS.CSV").write_text("")
    >>> [p.name for p in files_below(place, (".csv",))]
    ['CELLS.CSV']
    """
    root = Path(folder)
    found: list[Path] = []
    seen = 0
    for parent, folders, names in os.walk(root):
        seen += len(folders) + len(names)
        if seen > most:
            raise ValueError(f"'{folder}' holds more than {most:,} files and folders. Give the folder of these data.")
        found += [Path(parent) / name for name in names if name.lower().endswith(endings)]
        if len(Path(parent).relative_to(root).parts) >= deepest:
            folders.clear()
    return sorted(found, key=lambda p: natural(str(p)))
