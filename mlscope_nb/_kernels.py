"""How much memory there is, and which notebooks' kernels take it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import psutil

_FILE = re.compile(r"kernel-([0-9a-fA-F-]{36})\.json")
_CGROUP = Path("/sys/fs/cgroup")
_USED = ("memory.current", "memory/memory.usage_in_bytes")
_CACHE = ("memory.stat", "memory/memory.stat")


def own_kernel() -> str:
    """Return the id of the kernel that runs this; empty outside of Jupyter.

    Examples
    --------
    >>> own_kernel()
    ''
    """
    # ipykernel is loaded in a kernel and nowhere else, so nothing is imported for its sake.
    import sys

    application = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if application is None or not application.initialized():
        return ""
    found = _FILE.search(str(application.instance().connection_file))
    return found.group(1) if found else ""


def kernel_memory() -> dict[str, float]:
    """Return the memory of every kernel of this user with all that it has started, in MB, by the kernel's id."""
    found: dict[str, float] = {}
    for process in psutil.process_iter():
        try:
            name = _FILE.search(" ".join(process.cmdline()))
            if name:
                family = [process, *process.children(recursive=True)]
                found[name.group(1)] = sum(one.memory_info().rss for one in family) / 1e6
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def memory_used_gb(limit_gb: float, folder: str | Path = _CGROUP) -> float:
    """Return how much of the limit is taken, in GB: that of the container where it is the limit, else of the machine.

    What a container keeps of files it has read is left out: it is given back when it is needed.
    """
    machine = psutil.virtual_memory()
    used = _first(Path(folder) / name for name in _USED)
    if used is None or limit_gb * 1e9 >= machine.total:
        return float(machine.total - machine.available) / 1e9
    return max(0, used - _inactive(Path(folder))) / 1e9


def _first(files: Iterable[Path]) -> int | None:
    texts = (file.read_text().strip() for file in files if file.is_file())
    return next((int(text) for text in texts if text.isdigit()), None)


def _inactive(folder: Path) -> int:
    for file in (folder / name for name in _CACHE):
        if file.is_file():
            found = re.search(r"^(?:total_)?inactive_file (\d+)$", file.read_text(), re.MULTILINE)
            return int(found.group(1)) if found else 0
    return 0
