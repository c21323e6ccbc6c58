"""Write down what a study or a benchmark measured, with the commit it was measured on.

A script computes its figures and ends with one call:

    from studies._record import record

    record("segmentation", {"fluorescence": {"mean IoU": 0.81, "fields": 30}})

That writes `results/segmentation.json` beside the script and renews the folder's one table, `RESULTS.md`, and the table
of all claims, docs/claims.md.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from studies import _claims

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "scipy", "scikit-image", "scikit-learn", "torch", "umap-learn", "numba")
# What scripts write themselves does not make the measured code another one.
WRITTEN = [":!*/results/*", ":!*/RESULTS.md", ":!docs/claims.md"]


def record(name: str, figures: Mapping[str, Any], *, folder: str | Path | None = None) -> Path:
    """Write figures as JSON with the circumstances they were measured in, and renew the table.

    Parameters
    ----------
    name
        Name of the file, and of the rows in the table.
    figures
        Names of figures → numbers, texts, or mappings of the same kind.
    folder
        Where `results/` and `RESULTS.md` are; default: the folder of the script that runs.

    Returns
    -------
    Path
        The JSON file.
    """
    folder = Path(folder) if folder else Path(sys.argv[0]).resolve().parent
    entry = {"name": name, "figures": plain(figures), **circumstances()}
    path = folder / "results" / f"{name}.json"
    write_atomically(path, json.dumps(entry, indent=2, ensure_ascii=False) + "\n")
    write_atomically(folder / "RESULTS.md", table(folder))
    if folder in (_claims.ROOT / "studies", _claims.ROOT / "benchmarks"):
        write_atomically(_claims.PAGE, _claims.page())
    return path


def circumstances() -> dict[str, Any]:
    """Commit, versions, machine (no names, no paths), command and date of this run."""
    return {
        "commit": git("rev-parse", "HEAD") or "unknown",
        "uncommitted_changes": bool(git("status", "--porcelain", "--", ".", *WRITTEN)),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command(sys.argv),
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        },
    }


def command(argv: list[str]) -> str:
    """The command line as one would type it in the repository's root; other folders are left out."""
    shown = []
    for word in argv:
        path = Path(word)
        inside = path.is_absolute() and path.is_relative_to(ROOT)
        shown.append(path.relative_to(ROOT).as_posix() if inside else path.name if path.is_absolute() else word)
    return " ".join(["python", *shown])


def table(folder: Path) -> str:
    """The folder's results as one Markdown table, in the order of their names."""
    target = "study" if folder.name == "studies" else "bench"
    lines = [
        f"# Results of {folder.name}/",
        "",
        f"Written by the scripts in this folder; do not edit. Renew: `make {target}`.",
        "A commit with * had changes that were not committed.",
        "",
        "| what | figure | value | commit | date | cores |",
        "|---|---|---|---|---|---|",
    ]
    for file in sorted((folder / "results").glob("*.json")):
        entry = json.loads(file.read_text(encoding="utf-8"))
        commit = entry["commit"][:9] + ("*" if entry["uncommitted_changes"] else "")
        ends = f"{commit} | {entry['date'][:10]} | {entry['machine']['cores']}"
        lines += [f"| {entry['name']} | {key} | {value} | {ends} |" for key, value in flat(entry["figures"])]
    return "\n".join(lines) + "\n"


def flat(figures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested figures as pairs of a joined name and a short text."""
    for key, value in figures.items():
        name = f"{above} · {key}" if above else str(key)
        if isinstance(value, Mapping):
            yield from flat(value, name)
        else:
            yield name.replace("|", "\\|"), short(value).replace("|", "\\|")


def short(value: Any) -> str:
    """A figure for the table: four significant digits, lists joined."""
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        return str(value)
    if isinstance(value, list):
        return ", ".join(map(short, value))
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def plain(value: Any) -> Any:
    """Figures as JSON knows them: numpy numbers and arrays become Python's, NaN is refused.

    Raises
    ------
    ValueError
        A figure is NaN or infinite: a measurement that did not happen must say so in words.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        raise ValueError(f"A figure is {value}. Record why it could not be measured instead, as a text.")
    return value


def git(*arguments: str) -> str:
    """The answer of git in this repository; empty where there is none."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".mlscope-tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    finally:
        Path(scratch).unlink(missing_ok=True)
