"""The learner's work as one zip file: labels, answers and notebooks, taken along and brought back."""

from __future__ import annotations

import html
import io
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from mlscope_nb._files import replacing, writable_folder
from mlscope_nb._words import count, some
from mlscope_nb.views._autosave import FOLDER, forget

ENDINGS = (".jsonl", ".json", ".csv", ".ipynb")
MOST_BYTES = 200_000_000
MOST_FILES = 2_000
REFUSED = frozenset('\\:*?"<>|')
PIECE = 1_000_000


@dataclass(frozen=True)
class Restored:
    """What was brought back: names of files below `folder`.

    Parameters
    ----------
    folder : str
        Where they are now.
    restored, unchanged : tuple of str
        Files that were written, and files that were there already, the same.
    kept_aside : dict
        Files that were different: their name, and the name under which the older one is kept.
    """

    folder: str
    restored: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept_aside: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "restored": list(self.restored), "unchanged": list(self.unchanged)}

    def __str__(self) -> str:
        text = f"Restored {count(len(self.restored), 'file')} in {self.folder}"
        text += f": {some(self.restored, 8)}." if self.restored else "."
        if self.unchanged:
            text += f" {count(len(self.unchanged), 'file was', 'files were')} there already."
        if self.kept_aside:
            text += f" What was there before is kept as {some(self.kept_aside.values(), 8)}."
        return text

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def save_work(path: str | Path, folder: str | Path | None = None) -> Path:
    """Write labels, answers and notebooks to one zip file, for machines that will be gone tomorrow.

    Parameters
    ----------
    path : path
        The zip file; an existing one is replaced only when all is written.
    folder : path, optional
        The folder of the notebooks; the present one by default.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        There is nothing to save, it is more than 200 MB, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> here = Path(tempfile.mkdtemp())
    >>> _ = (here / "mine.ipynb").write_text("{}")
    >>> print(restore_work(save_work(here / "work.zip", here), here).unchanged)
    ('mine.ipynb',)
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise IsADirectoryError(f"'{target}' is a folder. Name a file in it: save_work('{target / 'my_work.zip'}').")
    data = work_bytes(folder)
    with replacing(target) as part:
        part.write_bytes(data)
    return target


def work_bytes(folder: str | Path | None = None) -> bytes:
    """Return the zip file of `save_work` as bytes.

    Raises
    ------
    OSError
        There is nothing to save, or it is more than 200 MB.
    """
    files = _files(Path.cwd() if folder is None else Path(folder).expanduser())
    if not files:
        raise FileNotFoundError("There is no work to save yet: no notebooks, no labels and no answers in this folder.")
    sizes = {name: file.stat().st_size for name, file in files.items()}
    if sum(sizes.values()) > MOST_BYTES or len(files) > MOST_FILES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise OSError(
            f"{count(len(files), 'file')} of {sum(sizes.values()) / 1e6:,.0f} MB are more than can be saved together "
            f"({MOST_BYTES / 1e6:,.0f} MB, {MOST_FILES:,} files). The largest is '{largest}' "
            f"({sizes[largest] / 1e6:,.0f} MB): clear its outputs, or save it by itself."
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.writestr(name, file.read_bytes())
    return buffer.getvalue()


def restore_work(path: str | Path, folder: str | Path | None = None) -> Restored:
    """Bring back what `save_work` wrote; files that are there and different are kept aside, never overwritten.

    Parameters
    ----------
    path : path
        The zip file.
    folder : path, optional
        The folder of the notebooks; the present one by default (the home folder where that cannot be written).

    Returns
    -------
    Restored
        What was restored, and under which names older files are kept.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no zip file, is damaged or too large, or holds what is no such work; then nothing is written.
    OSError
        The folder cannot be written.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise FileNotFoundError(f"There is no file '{source}'. Upload it beside the notebook first.")
    if source.stat().st_size > MOST_BYTES:
        raise ValueError(too_large(source.stat().st_size))
    return restore_bytes(source.read_bytes(), folder)


def restore_bytes(data: bytes, folder: str | Path | None = None) -> Restored:
    """Bring back work from the bytes of a zip file, as `restore_work` does."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = _checked(archive)
            work, _ = writable_folder(Path.cwd() if folder is None else Path(folder).expanduser(), FOLDER)
            return _restore(archive, entries, work.parent)
    # zipfile's NotImplementedError is an unknown method of packing, its RuntimeError a password.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"The file cannot be read as a zip file: {error}. It may be damaged, or not be of mlscope: take the one "
            "that 'Download my work' gave you."
        ) from error


def _files(folder: Path) -> dict[str, Path]:
    """Return what is to be saved by its name in the zip file; links are not followed."""
    work = folder / FOLDER
    if not work.is_dir() and (work.exists() or not os.access(folder, os.W_OK)):
        work = Path.home() / FOLDER  # where labels went because this folder cannot be written
    found = {_portable(file.name): file for file in sorted(folder.glob("*.ipynb"))}
    for file in sorted(work.rglob("*")) if work.is_dir() else []:
        found[_portable(f"{FOLDER}/{file.relative_to(work).as_posix()}")] = file
    return {name: file for name, file in found.items() if _is_work(name) and file.is_file() and not file.is_symlink()}


def _portable(name: str) -> str:
    """Replace what some systems refuse in names, so that no work stays behind for its name."""
    return "".join("_" if c in REFUSED or not c.isprintable() else c for c in name)


def _is_work(name: str) -> bool:
    """Say whether a file of this name is work: a notebook beside it, or a file in its folder."""
    parts = name.split("/")
    plain = name == _portable(name) and not any(part.startswith(".") for part in parts)
    place = parts[0] == FOLDER if len(parts) > 1 else name.lower().endswith(".ipynb")
    return plain and place and all(parts) and name.lower().endswith(ENDINGS)


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of an archive; refuse it whole when anything in it is not work, or is damaged."""
    entries = [entry for entry in archive.infolist() if not (entry.is_dir() and _is_folder(entry.filename))]
    total = sum(entry.file_size for entry in entries)
    if total > MOST_BYTES:
        raise ValueError(too_large(total))
    if len(entries) > MOST_FILES:
        raise ValueError(f"The zip file holds {len(entries):,} files, expected {MOST_FILES:,} at most.")
    odd = [entry.filename for entry in entries if not _is_work(entry.filename) or _is_special(entry)]
    names = Counter(entry.filename for entry in entries)
    odd += [name for name, n in names.items() if n > 1]
    if odd or not entries:
        raise ValueError(
            f"The zip file holds {f'what does not belong there: {some(odd)}' if odd else 'no files'}. Expected are "
            f"notebooks and files in {FOLDER} that end with {', '.join(ENDINGS)}. Nothing was restored."
        )
    damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"'{damaged}' in the zip file is damaged. Download the work again. Nothing was restored.")
    return entries


def _is_folder(name: str) -> bool:
    return PurePosixPath(name).parts[:1] == (FOLDER,) and ".." not in name


def _is_special(entry: zipfile.ZipInfo) -> bool:
    """Say whether an entry is a link or a device, is encrypted, or packed in a way that may ask for all memory."""
    mode = stat.S_IFMT(entry.external_attr >> 16)
    usual = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return mode not in (0, stat.S_IFREG) or bool(entry.flag_bits & 1) or not usual


def _restore(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], root: Path) -> Restored:
    _refuse_ways_out(entries, root)
    restored, unchanged, kept_aside = [], [], {}
    for entry in entries:
        target, name = root / entry.filename, entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part:
            with archive.open(entry) as source, part.open("wb") as copy:
                shutil.copyfileobj(source, copy, PIECE)
            same = target.is_file() and target.read_bytes() == part.read_bytes()
            if same:
                unchanged.append(name)
            elif target.exists():
                aside = _aside(target)
                shutil.copy2(target, aside)
                kept_aside[name] = aside.relative_to(root).as_posix()
        if not same:
            restored.append(name)
            forget(target)
    return Restored(str(root), tuple(restored), tuple(unchanged), kept_aside)


def _refuse_ways_out(entries: list[zipfile.ZipInfo], root: Path) -> None:
    """Refuse names that a folder or link on this machine leads elsewhere, before anything is written."""
    work = (root / FOLDER).resolve()
    for entry in entries:
        target = root / entry.filename
        home = work if entry.filename.startswith(f"{FOLDER}/") else root.resolve()
        if target.is_symlink() or target.is_dir() or not target.parent.resolve().is_relative_to(home):
            raise ValueError(
                f"'{entry.filename}' cannot be restored: in '{root}' there is a folder or a link of that name. "
                "Rename it. Nothing was restored."
            )


def _aside(target: Path) -> Path:
    stem = f"{target.name}.before-restore-{datetime.now():%Y%m%d-%H%M%S}"
    names = (stem if i == 0 else f"{stem}-{i}" for i in range(1_000_000))
    return next(path for path in (target.with_name(name) for name in names) if not path.exists())


def too_large(size: int) -> str:
    """Say that a zip file holds more than is taken."""
    return (
        f"The zip file would unpack to {size / 1e6:,.0f} MB, expected {MOST_BYTES / 1e6:,.0f} MB at most. "
        "Nothing was restored."
    )
