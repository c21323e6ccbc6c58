"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the place of `path` only if the block succeeds."""
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise type(error)(
            error.errno, f"Cannot write in '{target.parent}' ({error.strerror}). Choose a folder that you may write to"
        ) from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        _flush_to_disk(part)
        part.chmod(0o666 & ~_umask())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


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
    with open(path, "ab+", buffering=0) as file:
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


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
