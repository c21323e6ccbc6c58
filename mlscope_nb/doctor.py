"""Is this machine, and this installation, ready for the notebooks? Checks are data; `render` makes text."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
from jupyter_core.paths import jupyter_path
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

Level = Literal["ok", "note", "problem"]

REINSTALL = "Run `make install` in the mlscope folder (Windows: py -3.11 tools/install.py)."
# What a linked view needs in JupyterLab: the widget protocol, and anywidget's bridge to it.
LAB_EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "anywidget": "anywidget",
}
# A notebook's kernel peaks at up to 1.2 GB (its budget); JupyterLab itself takes about 0.2 GB.
NEEDED_MEMORY_GB = 1.5
NEEDED_DISK_GB = 0.5
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Check:
    """One line of the doctor's answer: what was looked at, what was found, and what to do about it."""

    name: str
    level: Level
    found: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<8}{self.name:<14}{self.found}"
        return f"{line}\n{'':<22}-> {self.advice}" if self.advice else line


def examine(folder: str | Path = ".") -> list[Check]:
    """Run every check; `folder` is where the notebooks will write.

    Examples
    --------
    >>> [check.name for check in examine()][:2]
    ['Python', 'packages']
    """
    return [
        check_python(),
        check_packages(),
        check_widgets(),
        check_memory(memory_limit_gb()),
        check_cores(usable_cores()),
        check_disk(shutil.disk_usage(folder).free / 1e9),
        check_writable(folder),
        check_gpu(nvidia_gpus(), _version("torch")),
        check_chromium(find_chromium()),
    ]


def render(checks: Iterable[Check]) -> str:
    """All checks as text, with a last line that says whether anything has to be done.

    Examples
    --------
    >>> print(render([Check("cores", "ok", "2")]))
    ok      cores         2
    Everything needed is here.
    """
    checks = list(checks)
    n = sum(check.level == "problem" for check in checks)
    last = "Everything needed is here." if n == 0 else f"{n} problem{'s' if n > 1 else ''} to solve, see above."
    return "\n".join([*map(str, checks), last])


def check_python(version: str | None = None, required: str | None = None) -> Check:
    """The running Python against the package's `requires-python`."""
    version = version or platform.python_version()
    required = required or "".join(_declared("Requires-Python"))
    if SpecifierSet(required).contains(version, prereleases=True):
        return Check("Python", "ok", f"{version} at {sys.executable}")
    advice = f"Install a Python {required} and run `make install PYTHON=python3.11` after deleting .venv."
    return Check("Python", "problem", f"{version}; needed: {required}", advice)


def check_packages(requirements: Iterable[str] | None = None, installed: Mapping[str, str] | None = None) -> Check:
    """Every package mlscope needs, against the versions it needs.

    Parameters
    ----------
    requirements
        Requirement lines; default: those of the installed mlscope_nb.
    installed
        Name → version to look in instead of the running environment.
    """
    if requirements is None:
        requirements = _declared("Requires-Dist")
        if not requirements:
            return Check("packages", "problem", "mlscope_nb is not installed", REINSTALL)
    wrong, right = [], 0
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = installed.get(requirement.name) if installed is not None else _version(requirement.name)
        if found is None:
            wrong.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(Version(found).public, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, needed: {requirement.specifier}")
        else:
            right += 1
    if wrong:
        return Check("packages", "problem", "; ".join(wrong), REINSTALL)
    return Check("packages", "ok", f"{right} packages, versions as required")


def check_widgets(folders: Iterable[str | Path] | None = None) -> Check:
    """Whether JupyterLab will find the extensions that draw the linked views."""
    places = [Path(folder) for folder in (jupyter_path("labextensions") if folders is None else folders)]
    missing = [
        package
        for name, package in LAB_EXTENSIONS.items()
        if not any((folder / name / "package.json").is_file() for folder in places)
    ]
    if missing:
        found = f"JupyterLab does not find the extension of {', '.join(missing)}"
        advice = f"Start JupyterLab from the environment that mlscope is installed in. {REINSTALL}"
        return Check("widgets", "problem", found, advice)
    return Check("widgets", "ok", f"{len(LAB_EXTENSIONS)} extensions found for JupyterLab")


def check_memory(limit_gb: float) -> Check:
    """Memory this process may use, in GB."""
    found = f"{limit_gb:.1f} GB"
    if limit_gb >= NEEDED_MEMORY_GB:
        return Check("memory", "ok", found)
    advice = "Work with one notebook at a time and shut its kernel down before opening the next."
    return Check("memory", "problem", f"{found}; needed: {NEEDED_MEMORY_GB} GB", advice)


def check_cores(n: int) -> Check:
    """Processor cores this process may use; one is enough."""
    return Check("cores", "ok", str(n))


def check_disk(free_gb: float) -> Check:
    """Free space where the notebooks write, in GB."""
    if free_gb >= NEEDED_DISK_GB:
        return Check("disk", "ok", f"{free_gb:.1f} GB free")
    return Check(
        "disk",
        "problem",
        f"{free_gb:.2f} GB free; needed: {NEEDED_DISK_GB} GB",
        "Delete what you do not need.",
    )


def check_writable(folder: str | Path) -> Check:
    """Whether labels and results can be written where the notebooks run, tried with a real file.

    A course folder may be read-only as long as the home folder is not: what is made then goes there.
    """
    refused = _refusal(folder)
    if not refused:
        return Check("writing", "ok", f"{Path(folder).resolve()} can be written to")
    found, copy = f"{Path(folder).resolve()}: {refused}", "python -m mlscope_nb copy-notebooks FOLDER"
    if Path(folder).is_dir() and not _refusal(Path.home()):
        work = Path.home() / "mlscope_work"
        advice = f"Labels, answers and files go to {work}. Notebooks that you can save: {copy}"
        return Check("writing", "note", found, advice)
    return Check("writing", "problem", found, f"Copy the notebooks to a folder of your own and start there: {copy}")


def _refusal(folder: str | Path) -> str:
    """Why no file can be made in a folder; empty where one can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def check_gpu(gpus: list[str], torch_version: str | None) -> Check:
    """A graphics card is never needed; one that lies idle is pointed out."""
    if not gpus:
        return Check("GPU", "ok", "none found, none needed")
    if torch_version is not None and torch_version.endswith("+cpu"):
        advice = "To use it: make install TORCH=gpu (downloads several GB)."
        return Check("GPU", "note", f"{', '.join(gpus)}; PyTorch is the CPU build", advice)
    return Check("GPU", "ok", f"{', '.join(gpus)}; PyTorch {torch_version}")


def check_chromium(path: str | None) -> Check:
    """Chromium serves only the project's own browser tests."""
    if path:
        return Check("Chromium", "ok", path)
    return Check("Chromium", "note", "not found; only the project's own browser tests use it")


def find_chromium() -> str | None:
    """The Chromium or Chrome to test with: $MLSCOPE_CHROMIUM, else the first one found on this machine."""
    chosen = os.environ.get("MLSCOPE_CHROMIUM")
    if chosen:
        return chosen if Path(chosen).is_file() else None
    on_path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    return on_path or (str(mac) if mac.is_file() else None)


def memory_limit_gb(limit_files: Iterable[str | Path] = CGROUP_LIMITS) -> float:
    """Memory of this machine, or of the container when that is less (as on Binder), in GB."""
    limits = [psutil.virtual_memory().total]
    for file in map(Path, limit_files):
        text = file.read_text().strip() if file.is_file() else "max"
        if text.isdigit():
            limits.append(int(text))
    return min(limits) / 1e9


def usable_cores(quota_file: str | Path = "/sys/fs/cgroup/cpu.max") -> int:
    """Cores this process may use: its affinity, or the container's quota when that is less."""
    affinity = getattr(os, "sched_getaffinity", None)
    n = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = Path(quota_file)
    if quota.is_file():
        share, period = quota.read_text().split()[:2]
        if share != "max":
            n = min(n, max(1, round(int(share) / int(period))))
    return n


def nvidia_gpus(command: str = "nvidia-smi") -> list[str]:
    """Names of NVIDIA cards, asked from the driver's own tool; empty where there is none."""
    path = shutil.which(command)
    if path is None:
        return []
    ask = [path, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _declared(field: str) -> list[str]:
    """What the installed mlscope_nb declares in a field of its metadata; empty where not installed."""
    try:
        return metadata.metadata("mlscope_nb").get_all(field) or []
    except metadata.PackageNotFoundError:
        return []
