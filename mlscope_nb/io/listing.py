"""Which files belong together: globs, channels by file name, masks beside images, and the table that describes them."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.io.pixels import EXTENSIONS

Paths = str | Path | Sequence[str | Path]
Errors = Literal["warn", "raise"]
Problem = dict[str, str]
LABEL_EXTENSIONS = (*EXTENSIONS, ".npy", ".zarr")
MASK_ENDINGS = r"[_\-. ]?(cp_masks?|masks?|labels?|seg|objects?)$"
MAX_COLUMNS, MAX_LINE, MAX_TABLE_BYTES = 5_000, 500_000, 200 * 2**20
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_file", "path", "name", "FileName", "Image", "File")


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


def without_masks(images: Sequence[Path], masks: Paths) -> tuple[list[Path], list[Path]]:
    """Tell images and masks apart where both lie in one folder: ``a_mask.tif`` beside ``a.tif`` is its mask.

    Returns
    -------
    The images without the masks, and the masks without the images.
    """
    candidates = list_files(masks, LABEL_EXTENSIONS)
    stems = {(p.resolve().parent, plain_stem(p)) for p in images}
    both = {p.resolve() for p in candidates} & {p.resolve() for p in images}
    own = {p for p in both if _mask_stem(p) != plain_stem(p) and (p.parent, _mask_stem(p)) in stems}
    return (
        [p for p in images if p.resolve() not in own],
        [p for p in candidates if p.resolve() not in both or p.resolve() in own],
    )


def match_masks(images: Mapping[str, Path], masks: Sequence[Path]) -> dict[str, Path]:
    """Find the mask of each image: the same name, with or without an ending such as ``_mask``.

    Where several images or masks have one name, the folders decide (``p1/a.tif`` and ``masks/p1/a_mask.tif``); an image
    for which they cannot decide gets none.
    """
    by_stem: dict[str, list[Path]] = {}
    for path in masks:
        for stem in {plain_stem(path), _mask_stem(path)}:
            by_stem.setdefault(stem, []).append(path)
    stems = Counter(plain_stem(path) for path in images.values())
    found = {}
    for name, path in images.items():
        stem = plain_stem(path)
        chosen = _nearest(path, by_stem.get(stem) or by_stem.get(name) or [], alone=stems[stem] == 1)
        if chosen is not None:
            found[name] = chosen
    taken = pd.Series(list(found.values()), index=list(found), dtype=object).duplicated(keep=False)
    return {name: path for name, path in found.items() if not taken[name]}


def plain_stem(path: str | Path) -> str:
    """File name without the ending of an image (``a.ome.tif`` → ``a``, ``drug_0.5`` stays)."""
    name = Path(path).name
    stem = Path(name).stem if Path(name).suffix.lower() in LABEL_EXTENSIONS else name
    return re.sub(r"\.ome$", "", stem, flags=re.IGNORECASE)


def _mask_stem(path: Path) -> str:
    return re.sub(MASK_ENDINGS, "", plain_stem(path), flags=re.IGNORECASE)


def _nearest(image: Path, candidates: Sequence[Path], *, alone: bool) -> Path | None:
    """Return the mask whose folders agree with those of the image, or the only one for the only image."""
    if alone and len(candidates) == 1:
        return candidates[0]
    shared = [_shared_folders(image, c) for c in candidates]
    best = max(shared, default=0)
    return candidates[shared.index(best)] if best and shared.count(best) == 1 else None


def _shared_folders(a: Path, b: Path) -> int:
    pairs = zip(reversed(a.parent.parts), reversed(b.parent.parts), strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a.parent.parts), len(b.parent.parts)))


def read_table(metadata: str | Path | pd.DataFrame) -> pd.DataFrame:
    """Read a CSV (comma, semicolon or tab) or take a DataFrame.

    Raises
    ------
    ValueError
        The table is empty or damaged.
    """
    if isinstance(metadata, pd.DataFrame):
        return metadata.copy()
    try:
        separator, decimal = _separators(Path(metadata))
        table = pd.read_csv(metadata, sep=separator, encoding="utf-8-sig", decimal=decimal)
        text = pd.read_csv(metadata, sep=separator, encoding="utf-8-sig", dtype=str)
        # 001 is a name, not the number 1
        coded = [c for c in table.columns if text[c].str.fullmatch(r"0\d+").any()]
        return table.assign(**{c: text[c] for c in coded})
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"'{metadata}' cannot be read as a table: {error}. Save it as CSV in UTF-8.") from error


@contextmanager
def naming_table(metadata: object) -> Iterator[None]:
    """Say in an error which file the table came from."""
    try:
        yield
    except ValueError as error:
        if not isinstance(metadata, str | Path):
            raise
        raise ValueError(f"{error} The table is '{metadata}'.") from error


def _separators(file: Path) -> tuple[str, str]:
    """Return what parts columns and what parts decimals, looking at the first lines only."""
    if file.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError(f"it has {file.stat().st_size / 2**20:,.0f} MB, more than a table of files needs")
    with open(file, encoding="utf-8-sig", newline="") as stream:
        start = [stream.readline(MAX_LINE) for _ in range(3)]
    separator = max(",;\t", key=start[0].count)
    n = start[0].count(separator) + 1
    if n > MAX_COLUMNS or len(start[0]) == MAX_LINE:
        raise ValueError(f"it has {n:,} columns or more, a table of files has at most {MAX_COLUMNS:,}")
    comma = separator != "," and any(re.search(r"\d,\d", line) for line in start[1:])
    return separator, "," if comma else "."


def join_table(
    names: Sequence[str], files: Sequence[Path], table: pd.DataFrame, on: str | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Give each file its row of the table by file name; rows without a file and files without a row are problems.

    Raises
    ------
    ValueError
        No column holds the file names, or one names a file twice.
    """
    column = on or _file_column(table, files, names)
    if column not in table.columns:
        raise ValueError(f"No column '{column}' in the table. Columns: {some(table.columns, 20)}. Name it with on=…")
    nameless = table[column].isna()
    table = table[~nameless]
    depth, keys = _unambiguous(table[column].astype(str))
    rows = table.set_axis(pd.Index(keys, dtype=object), axis=0)
    by_file = {n: (_key(f, depth), _key(n, depth)) for n, f in zip(names, files, strict=True)}
    known = set(keys)
    wanted = {n: next((k for k in both if k in known), None) for n, both in by_file.items()}
    shared = {k for k, n in Counter(wanted.values()).items() if k is not None and n > 1}
    used = set(wanted.values())
    problems = [
        {"file": str(f), "problem": _row_problem(wanted[n], shared, column)}
        for n, f in zip(names, files, strict=True)
        if wanted[n] is None or wanted[n] in shared
    ]
    problems += [{"file": k, "problem": "named in the table, but there is no such file"} for k in keys if k not in used]
    if nameless.any():
        problems.append({"file": column, "problem": f"{count(int(nameless.sum()), 'row')} of the table without a name"})
    wanted = {n: None if k in shared else k for n, k in wanted.items()}
    kept = [name for name in names if wanted[name] is not None]
    return rows.loc[[wanted[n] for n in kept]].set_axis(pd.Index(kept, dtype=object), axis=0), problems


def is_thumbnail(file: Path) -> bool:
    """Whether a file is the small preview that some microscopes write beside each image."""
    return bool(re.search(r"_thumb", file.name, re.IGNORECASE))


def _row_problem(row: str | None, shared: set[str], column: str) -> str:
    if row in shared:
        return f"shares the row '{row}' of the table with another file; name files with their endings or folders"
    return f"no row in the table (column '{column}')"


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


def _file_column(table: pd.DataFrame, files: Sequence[Path], names: Sequence[str]) -> str:
    known = {_key(f) for f in files} | {_key(n) for n in names}
    text = [c for c in table.columns if table[c].dtype == object or c in FILE_COLUMNS]
    hits = {c: int(np.isin(table[c].astype(str).map(_key), list(known)).sum()) for c in text}
    best = max(hits, key=lambda c: (hits[c], c in FILE_COLUMNS), default=None)
    if best is None or not hits[best]:
        raise ValueError(
            f"No column of the table holds the file names ({some([f.name for f in files], 3)}). "
            f"Columns: {some(table.columns, 20)}. Name the column with on=…"
        )
    return str(best)


def _unambiguous(column: pd.Series) -> tuple[int, list[str]]:
    """Return keys made of as few folders as tell the rows apart."""
    deepest = max(len(_parts(name)) for name in column) if len(column) else 1
    for depth in range(1, deepest + 1):
        keys = column.map(lambda name, depth=depth: _key(name, depth))
        twice = keys[keys.duplicated()].unique()
        if not len(twice):
            return depth, list(keys)
    raise ValueError(f"The table names {count(len(twice), 'file')} more than once: {some(twice)}. Keep one row each.")


def _key(name: str | Path, depth: int = 1) -> str:
    parts = _parts(name)
    return "/".join([*parts[-depth:-1], plain_stem(parts[-1])])


def _parts(name: str | Path) -> list[str]:
    return re.split(r"[\\/]", str(name))
