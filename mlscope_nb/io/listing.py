"""Which files belong together: globs, channels by file name, masks beside images, and the table that describes them."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.pixels import EXTENSIONS

Paths = str | Path | Sequence[str | Path]
Errors = Literal["warn", "raise"]
Problem = dict[str, str]
LABEL_EXTENSIONS = (*EXTENSIONS, ".npy", ".zarr")


def list_files(paths: Paths, endings: tuple[str, ...] = EXTENSIONS) -> list[Path]:
    """Return image files of a folder, a pattern with ``*``, or a list, sorted by name with numbers in order.

    `endings` are those that count in a folder; a zarr store counts as a file.

    Raises
    ------
    FileNotFoundError
        Nothing matches.
    """
    if isinstance(paths, str | Path):
        text = os.fspath(paths)
        if Path(text).is_dir() and not _is_store(Path(text), endings):
            found = [p for p in Path(text).iterdir() if p.suffix.lower() in endings]
        elif Path(text).exists():
            found = [Path(text)]
        else:
            # a folder may have [ ] in its name
            parent = os.path.dirname(text)
            pattern = os.path.join(glob.escape(parent), os.path.basename(text)) if os.path.isdir(parent) else text
            found = [Path(p) for p in glob.glob(pattern, recursive=True) if _counts(Path(p), endings)]
    else:
        found = [Path(p) for p in paths]
        missing = [p for p in found if not _counts(p, endings)]
        if missing:
            raise FileNotFoundError(f"{count(len(missing), 'file')} not found: {some(missing)}.")
    kept = [p for p in found if not p.name.startswith(".") and _counts(p, endings)]
    if not kept:
        raise FileNotFoundError(f"No image matches '{paths}' (looked from '{Path.cwd()}'). Check folder and ending.")
    return kept if not isinstance(paths, str | Path) else sorted(kept, key=lambda p: natural(str(p)))


def _counts(path: Path, endings: tuple[str, ...]) -> bool:
    return path.is_file() or _is_store(path, endings)


def _is_store(path: Path, endings: tuple[str, ...]) -> bool:
    return ".zarr" in endings and path.suffix.lower() == ".zarr" and path.is_dir()


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts image2 before image10."""
    return [(0, int(t), "") if t.isdigit() else (1, 0, t.lower()) for t in re.split(r"(\d+)", text) if t]


def by_channel(folder: str | Path, channels: Mapping[str, str]) -> tuple[dict[str, list[Path]], list[Problem]]:
    """Group files of one channel each: ``{"DNA": "*_D.tif", …}``; what ``*`` stands for names the field.

    Returns
    -------
    dict of field name to files in the order of `channels`, and the fields that lack a channel.

    Raises
    ------
    ValueError
        A pattern has not exactly one ``*``.
    FileNotFoundError
        A pattern matches nothing.
    """
    found: dict[str, dict[str, Path]] = {}
    for channel, pattern in channels.items():
        if pattern.count("*") != 1:
            raise ValueError(
                f"Channel '{channel}' has the pattern '{pattern}', expected exactly one *, as in '*_D.tif'."
            )
        matcher = re.compile(re.escape(pattern).replace(r"\*", "(.+)"), re.IGNORECASE)
        names = [(p, matcher.fullmatch(p.name)) for p in sorted(Path(folder).iterdir())]
        hits = {m.group(1): p for p, m in names if m}
        if not hits:
            raise FileNotFoundError(f"No file in '{folder}' matches '{pattern}' for channel '{channel}'.")
        for name, path in hits.items():
            found.setdefault(name, {})[channel] = path
    whole = {n: [files[c] for c in channels] for n, files in found.items() if len(files) == len(channels)}
    problems = [
        {"file": str(next(iter(files.values()))), "problem": f"no file for channel {some(set(channels) - set(files))}"}
        for files in found.values()
        if len(files) < len(channels)
    ]
    return dict(sorted(whole.items(), key=lambda item: natural(item[0]))), problems


def plain_stem(path: str | Path) -> str:
    """File name without the ending of an image (``a.ome.tif`` → ``a``, ``drug_0.5`` stays)."""
    name = Path(path).name
    stem = Path(name).stem if Path(name).suffix.lower() in LABEL_EXTENSIONS else name
    return re.sub(r"\.ome$", "", stem, flags=re.IGNORECASE)


def is_thumbnail(file: Path) -> bool:
    """Whether a file is the small preview that some microscopes write beside each image."""
    return bool(re.search(r"_thumb", file.name, re.IGNORECASE))


def report(problems: Sequence[Problem], errors: Errors, total: int, kept_in: str) -> None:
    """Name the files that were left out: as an error, or as a warning that stays with the result.

    Raises
    ------
    ValueError
        ``errors="raise"`` and there is a problem.
    """
    if errors not in ("warn", "raise"):
        raise ValueError(f"errors is {errors!r}, expected 'warn' (leave bad files out) or 'raise' (stop).")
    if not problems:
        return
    named = "; ".join(f"{Path(p['file']).name}: {p['problem']}" for p in problems[:10])
    more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
    text = f"{count(len(problems), 'problem')} among {count(total, 'file')}: {named}{more}."
    if errors == "raise":
        raise ValueError(text + " With errors='warn' the others are read without these.")
    warnings.warn(text + f" They were left out; the result lists them in {kept_in}.", UserWarning, stacklevel=3)


def odd_ones(kinds: Mapping[str, object], what: str) -> dict[str, str]:
    """Name the items whose kind differs from that of most."""
    values = list(kinds.values())
    unique = list(dict.fromkeys(values))
    if len(unique) < 2:
        return {}
    usual = max(unique, key=values.count)
    return {name: f"has {what} {kind}, most have {usual}" for name, kind in kinds.items() if kind != usual}


def unique_names(paths: Iterable[Path]) -> list[str]:
    """Name files by their stem; where stems repeat, with the folder in front, then with the ending.

    Raises
    ------
    ValueError
        Two files still have one name.
    """
    files = list(paths)
    stems = pd.Series([plain_stem(p) for p in files], dtype=object)
    repeated = stems.duplicated(keep=False).to_numpy()
    names = [f"{p.parent.name}/{s}" if r else s for p, s, r in zip(files, stems, repeated, strict=True)]
    still = pd.Index(names).duplicated(keep=False)
    names = [f"{n}{p.suffix}" if r else n for p, n, r in zip(files, names, still, strict=True)]
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise ValueError(f"Several files are called {some(twice)}. Rename them: the name is the id.")
    return names
