"""Folders of images: which files make a field, what their names and headers say, what describes them."""

from __future__ import annotations

import glob
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.io import listing, mask_files
from mlscope_nb.io.fieldfiles import field_name, with_folders
from mlscope_nb.io.harmony_index import read_index
from mlscope_nb.io.listing import Problem
from mlscope_nb.io.looking import Found
from mlscope_nb.io.naming import PRESETS, NamePattern, find_pattern, guess_pattern
from mlscope_nb.io.pixels import Header, read_header
from mlscope_nb.io.recognise_tables import find_layout
from mlscope_nb.io.recognition import Recognition
from mlscope_nb.io.stacks import MAX_CHANNELS, PROJECTIONS

OPENED, SECONDS = 60, 3.0
CROP = 128
MASK_FOLDERS = r"(masks?|labels?|segmentations?|seg|groundtruth|annotations?)"


def image_folder(place: Path, found: Found, pattern: str | Literal[False] | None) -> Recognition | None:
    """Recognise images: fields, one or more files each, or crops in a folder for each class."""
    every = [f for f in found.images if not listing.is_thumbnail(f)]
    images, masks, mask_source = _without_masks(place, every)
    if not images:
        return None
    headers, problems = _headers(images)
    named = _pattern(images, pattern)
    if named is None and _are_crops(place, images, headers):
        return _crops(place, images, headers, problems)
    parts = {f: named.match(f) for f in images} if named else {}
    files = _file_table(images, with_folders({f: p for f, p in parts.items() if p is not None}), named)
    fields = _fields(images, files, named)
    columns = [str(c) for c in files if c not in ("file", "recognised", "channel", "z", "time")]
    layout = find_layout(found.tables, fields, [Path(p) for p in fields.pop("_file")])
    facts = {"fields": len(fields), **_facts(headers), "pattern": _shown(named), "layout": layout.fit}
    needs = _needs(files, headers)
    options = _options(named, files, mask_source, layout.file)
    return Recognition(
        place,
        "images",
        _sentence(images, files, masks),
        "read_fields",
        "Fields",
        _source(place, images),
        options={k: v for k, v in options.items() if v is not None},
        choices=_choices([*columns, *layout.columns]),
        needs=needs,
        files=files,
        facts=facts,
        columns=tuple(dict.fromkeys(["file", *columns, *layout.columns])),
        layout=layout.file,
        problems=tuple(problems + layout.problems + _unnamed(images, files, named)),
    )


def _without_masks(place: Path, images: list[Path]) -> tuple[list[Path], list[Path], str | None]:
    """Tell images and masks apart: by folders called masks or labels, or by endings beside the images."""
    in_folders = [f for f in images if re.fullmatch(MASK_FOLDERS, f.parent.name, re.IGNORECASE)]
    if in_folders and len(in_folders) < len(images):
        rest = [f for f in images if f not in set(in_folders)]
        return rest, in_folders, _source(place, in_folders)
    names = [f for f in images if re.search(mask_files.MASK_ENDINGS, listing.plain_stem(f), re.IGNORECASE)]
    stems = {(f.parent, listing.plain_stem(f)) for f in images}
    own = [f for f in names if (f.parent, _unmasked(f)) in stems]
    if own and len(own) < len(images):
        chosen = set(own)
        return [f for f in images if f not in chosen], own, _source(place, own, "*mask*")
    return images, [], None


def _unmasked(file: Path) -> str:
    return re.sub(mask_files.MASK_ENDINGS, "", listing.plain_stem(file), flags=re.IGNORECASE)


def _headers(images: Sequence[Path]) -> tuple[list[Header], list[Problem]]:
    """Open a few files, from the first to the last."""
    headers: list[Header] = []
    problems: list[Problem] = []
    start = time.monotonic()
    for i in np.unique(np.linspace(0, len(images) - 1, min(OPENED, len(images))).astype(int)):
        if time.monotonic() - start > SECONDS and headers:
            break
        try:
            headers.append(read_header(images[i]))
        except (ValueError, OSError) as error:
            problems.append({"file": str(images[i]), "problem": str(error)})
    return headers, problems


def _pattern(images: Sequence[Path], pattern: str | Literal[False] | None) -> NamePattern | None:
    if pattern is False:
        return None
    return find_pattern(pattern) if pattern else guess_pattern(images)


def _file_table(images: Sequence[Path], parts: dict[Path, dict[str, str]], named: NamePattern | None) -> pd.DataFrame:
    rows = [{"file": str(f), "recognised": named is None or f in parts, **parts.get(f, {})} for f in images]
    return pd.DataFrame(rows)


def _fields(images: Sequence[Path], files: pd.DataFrame, named: NamePattern | None) -> pd.DataFrame:
    """Return one row for each field with what the names say, and its first file in ``_file``."""
    if named is None:
        names: list[str] = listing.unique_names(images) if _distinct(images) else [str(f) for f in images]
        return pd.DataFrame({"_file": [str(f) for f in images]}, index=pd.Index(list(names), dtype=object))
    known = files[files["recognised"]]
    if not len(known):
        raise ValueError(f"No name fits the pattern '{named.shown}', for example not '{images[0].name}'.")
    rows: dict[str, dict[str, str]] = {}
    for row in known.drop(columns="recognised").to_dict("records"):
        own = {str(k): v for k, v in row.items() if k != "file" and isinstance(v, str)}
        kept = {k: v for k, v in own.items() if k not in ("channel", "z", "time")}
        rows.setdefault(field_name(own), {"_file": row["file"], **kept})
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), dtype=object))


def _distinct(images: Sequence[Path]) -> bool:
    try:
        listing.unique_names(images)
    except ValueError:
        return False
    return True


def _facts(headers: Sequence[Header]) -> dict[str, Any]:
    sizes = Counter((h.size_of("Y"), h.size_of("X")) for h in headers)
    axes = {a: max(h.size_of(a) for h in headers) for a in "TZCSQI" if any(h.size_of(a) > 1 for h in headers)}
    pixel_sizes = {h.pixel_size_um for h in headers if h.pixel_size_um}
    channels = {h.channels or () for h in headers}
    kinds = Counter(f"{count(h.size_of('C') * h.size_of('S'), 'channel')}, {h.dtype}" for h in headers)
    return {
        "kinds": dict(kinds) if len(kinds) > 1 else {},
        "sizes": [f"{y} × {x}" for (y, x), _ in sizes.most_common(6)],
        "dtypes": sorted({h.dtype for h in headers}),
        "axes": axes,
        "channels": list(next(iter(channels))) if len(channels) == 1 else [],
        "pixel_size_um": next(iter(pixel_sizes)) if len(pixel_sizes) == 1 else None,
    }


def _needs(files: pd.DataFrame, headers: Sequence[Header]) -> dict[str, str]:
    """Return what has to be chosen: a projection where there are planes, a frame where there are times."""
    needs = {}
    for option, part, axis, word in (("projection", "z", "Z", "planes"), ("frame", "time", "T", "times")):
        named = _most(files, part)
        inside = max((h.size_of(axis) for h in headers), default=1)
        if max(named, inside) > 1:
            where = "by the file names" if named > 1 else "in each file"
            choose = "'max', 'mean', 'sum' or 'middle'" if axis == "Z" else f"0 … {max(named, inside) - 1}, or 'all'"
            needs[option] = f"{max(named, inside)} {word} {where}: {choose}"
    pages = max((h.size_of("Q") for h in headers), default=1)
    if pages > MAX_CHANNELS and not needs:
        needs["projection"] = (
            f"{pages} pages in each file: if they are planes, 'max', 'mean', …; for frames give frame="
        )
    return needs


def _most(files: pd.DataFrame, part: str) -> int:
    """Return how many values of a part one field has at most."""
    if part not in files:
        return 1
    others = [c for c in files if c not in ("file", "recognised", part)]
    known = files[files[part].notna()]
    if not len(known):
        return 1
    return int(known.fillna("").groupby(others)[part].nunique().max()) if others else int(known[part].nunique())


def _options(named: NamePattern | None, files: pd.DataFrame, masks: str | None, layout: Path | None) -> dict[str, Any]:
    """Guess the arguments of `read_fields`; well and plate are what is independent where names say them."""
    options: dict[str, Any] = {"masks": masks, "metadata": None if layout is None else str(layout)}
    if named is not None:
        options["pattern"] = named.shown if named.name == "template" else named.name
    if "well" in files:
        several = "plate" in files and files["plate"].nunique() > 1
        options["unit"] = ["plate", "well"] if several else "well"
        options["batch"] = "plate" if several else None
    return options | _by_index(named, files)


def _by_index(named: NamePattern | None, files: pd.DataFrame) -> dict[str, Any]:
    """Take channel names and pixel size from Harmony's index, where it names all channels of the files."""
    if named is None or named.name != "Harmony" or "channel" not in files:
        return {}
    channels, size = read_index(Path(str(files.loc[files["recognised"], "file"].iloc[0])).parent)
    have = set(files["channel"].dropna())
    chosen = {name: number for name, number in channels.items() if number in have}
    return {"channels": chosen if len(chosen) == len(have) else None, "pixel_size_um": size}


def _choices(columns: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    return {
        "pattern": tuple(p.name for p in PRESETS),
        "channels": (),
        "projection": PROJECTIONS,
        "frame": (),
        "pixel_size_um": (),
        "masks": (),
        "metadata": (),
        "on": (),
        **dict.fromkeys(("unit", "batch", "label", "treatment", "control"), tuple(columns)),
    }


def _unnamed(images: Sequence[Path], files: pd.DataFrame, named: NamePattern | None) -> list[Problem]:
    if named is None:
        return []
    odd = files.loc[~files["recognised"], "file"]
    return [{"file": f, "problem": f"its name does not fit the pattern '{named.shown}'"} for f in odd]


def _shown(named: NamePattern | None) -> str | None:
    if named is None:
        return None
    return named.shown if named.name == "template" else f"{named.name}: {named.shown}"


def _sentence(images: Sequence[Path], files: pd.DataFrame, masks: Sequence[Path]) -> str:
    kinds = sorted({f.suffix.lower().lstrip(".") for f in images})
    what = f"{count(len(images), 'image file')} ({', '.join(kinds)})"
    if "channel" in files and files["channel"].nunique() > 1:
        what += ", one for each channel"
    return what + (f", {count(len(masks), 'mask')}" if masks else "")


def _are_crops(place: Path, images: Sequence[Path], headers: Sequence[Header]) -> bool:
    small = bool(headers) and all(max(h.size_of("Y"), h.size_of("X")) <= CROP for h in headers)
    return small and {f.parent.parent for f in images} == {place} and len({f.parent for f in images}) > 1


def _crops(place: Path, images: Sequence[Path], headers: Sequence[Header], problems: list[Problem]) -> Recognition:
    classes = Counter(f.parent.name for f in images)
    what = f"{count(len(images), 'small image')} in {count(len(classes), 'folder')}, one for each class"
    facts = {"cells": len(images), **_facts(headers), "labels": dict(classes)}
    files = pd.DataFrame(
        {"file": [str(f) for f in images], "recognised": True, "label": [f.parent.name for f in images]}
    )
    none: tuple[Any, ...] = ()
    choices = {"channels": none, "size": none, "pixel_size_um": none, "masks": none, "metadata": none, "on": none}
    return Recognition(
        place, "crops", what, "read_crops", "Cells", str(place), choices=choices, files=files, facts=facts,
        columns=("file", "label"), problems=tuple(problems),
    )  # fmt: skip


def _source(place: Path, images: Sequence[Path], names: str = "*") -> str:
    """Write the images as one path or pattern that `read_fields` takes."""
    if place.is_file():
        return place.as_posix()
    parents = {f.parent for f in images}
    if len(parents) == 1:
        folder = next(iter(parents))
        return folder.as_posix() if names == "*" else f"{glob.escape(folder.as_posix())}/{names}"
    endings = Counter(f.suffix for f in images).most_common(1)[0][0]
    depths = {len(f.relative_to(place).parts) for f in images}
    middle = "/".join("*" * (depths.pop() - 1)) if len(depths) == 1 else "**"
    name = f"{names}{endings}" if names == "*" else f"{names}"
    return f"{glob.escape(place.as_posix())}/{middle}/{name}"
