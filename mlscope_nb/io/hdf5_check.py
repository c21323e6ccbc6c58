"""Whether an HDF5 file can be read at all: found out in a process that may hang or crash."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

LONGEST_STEP_S = 10.0
WALK = Path(__file__).with_name("hdf5_walk.py")
OK, WRONG = "ok", "wrong: "


def check_hdf5(path: str | Path) -> None:
    """Read an HDF5 file once in a process of its own: all names, attributes and numbers.

    A damaged file makes the HDF5 library itself run in circles or end the process, which no Python code can stop.

    Parameters
    ----------
    path : path

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is damaged, leads to other files, or says that it holds more than it can.

    Examples
    --------
    >>> import tempfile, h5py
    >>> file = Path(tempfile.mkdtemp()) / "numbers.h5"
    >>> with h5py.File(file, "w") as store:
    ...     store["numbers"] = [1, 2, 3]
    >>> check_hdf5(file)
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file '{file}'. Check folder and name.")
    # -P: the folder of the script is not looked through for modules
    command = [sys.executable, "-P", str(WALK), str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        try:
            end = _last_line(process.stdout)
        finally:
            process.kill()
    if end != OK:
        raise ValueError(f"'{file}' cannot be read: {end.removeprefix(WRONG)}. Copy it again, if it is damaged.")


def _last_line(stream: IO[str] | None) -> str:
    """Return how the walk ended, or why nothing more was heard of it."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(stream, lines), daemon=True).start()
    last = ""
    while True:
        try:
            line = lines.get(timeout=LONGEST_STEP_S)
        except queue.Empty:
            return "it is damaged in a way that makes the HDF5 library run in circles"
        if line is None:
            ended = last == OK or last.startswith(WRONG)
            return last if ended else "it is damaged in a way that makes the HDF5 library crash"
        last = line


def _listen(stream: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream or ():
        lines.put(line.rstrip("\n"))
    lines.put(None)
