"""Files that are either whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the place of `path` only if the block succeeds."""
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _refused(error, target.parent) from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        _flush_to_disk(part)
        part.chmod(0o666 & ~_umask())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Give a new folder beside `path`; it takes the place of `path` only if the block succeeds.

    An older folder of that name is moved aside first and moved back if the new one cannot take its place.
    """
    target = Path(path)
    part = _folder_beside(target, ".part")
    try:
        part.chmod(0o777 & ~_umask())
        yield part
        _swap(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def new_target(path: str | Path, *, overwrite: bool) -> Path:
    """Return the path to write to, the home folder written out; an existing one is refused unless it may go.

    Raises
    ------
    FileExistsError
        Something of that name is there, and `overwrite` is False.
    FileNotFoundError
        The folder it should lie in is not there.
    """
    target = Path(path).expanduser()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder '{target.parent}' to write '{target.name}' into. Make it first.")
    if os.path.lexists(target) and not overwrite:
        raise FileExistsError(f"'{target}' is there already. Choose another name, or replace it with overwrite=True.")
    return target


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def append_lines(path: str | Path, lines: Sequence[str]) -> None:
    """Add lines to a text file and flush them to disk; what was cut short by a crash does not swallow them.

    Raises
    ------
    OSError
        The disk refused; the file is as long as before.
    """
    data = "".join(f"{line}\n" for line in lines).encode("utf-8")
    with _appending(Path(path)) as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(-1, os.SEEK_END)
            data = data if file.read(1) == b"\n" else b"\n" + data
        try:
            if file.write(data) != len(data):
                raise OSError(f"Only part of it could be written to '{path}'. Free some space and try again.")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def made_folder(path: str | Path) -> Path:
    """Make a folder, unless it is there, and those above it; the refusal says what to do.

    Raises
    ------
    OSError
        It cannot be made.
    """
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise  # a file in its place: that is what Python says
    except OSError as error:
        raise _refused(error, folder.parent) from error
    return folder


def writable_folder(preferred: str | Path, name: str) -> tuple[Path, bool]:
    """Return `preferred/name`, or the same under the home folder when it cannot be written, and whether it moved."""
    for parent, moved in ((Path(preferred), False), (Path.home(), True)):
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder, moved
        except OSError:
            continue
    raise OSError(f"Neither '{preferred}' nor the home folder can be written. Start JupyterLab in a folder of yours.")


def _refused(error: OSError, folder: Path) -> OSError:
    text = f"Cannot write in '{folder}' ({error.strerror}). Choose a folder that you may write to"
    return type(error)(error.errno, text)


def _appending(path: Path) -> FileIO:
    try:
        return open(path, "ab+", buffering=0)
    except OSError as error:
        raise _refused(error, path.parent) from error


def _folder_beside(target: Path, suffix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=suffix, dir=target.parent))
    except OSError as error:
        raise _refused(error, target.parent) from error


def _swap(part: Path, target: Path) -> None:
    if not os.path.lexists(target):
        os.rename(part, target)
        return
    aside = _folder_beside(target, ".old")
    old, replaced = aside / target.name, False
    try:
        os.rename(target, old)
        os.rename(part, target)
        replaced = True
    finally:
        # Also when interrupted: the old one is removed only when the new one is in its place.
        if not replaced and os.path.lexists(old):
            os.rename(old, target)
        shutil.rmtree(aside, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
