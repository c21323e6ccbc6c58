"""With what a result was made: versions, machine, seeds."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

from mlscope_nb import __version__

NAME = re.compile(r"^[A-Za-z0-9._-]+")


def software_facts() -> dict[str, Any]:
    """Return versions of Python, mlscope and the packages that it needs, and what the machine is.

    Examples
    --------
    >>> "numpy" in software_facts()["packages"]
    True
    """
    return {
        "mlscope": __version__,
        "python": platform.python_version(),
        "packages": _versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "n_cores": os.cpu_count(),
    }


def seeds_in(value: Any, where: str = "") -> Iterator[dict[str, Any]]:
    """Yield every seed that stands anywhere in plain values, and where.

    Examples
    --------
    >>> list(seeds_in([{"step": "umap", "seed": 3}]))
    [{'where': 'umap', 'seed': 3}]
    """
    if isinstance(value, Mapping):
        here = str(value.get("step") or value.get("name") or where)
        if isinstance(value.get("seed"), int):
            yield {"where": here, "seed": value["seed"]}
        for inner in value.values():
            yield from seeds_in(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from seeds_in(inner, where)


def different(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each row once."""
    return list({tuple(row.items()): row for row in rows}.values())


def _versions() -> dict[str, str]:
    try:
        needed = metadata.requires("mlscope_nb") or []
    except metadata.PackageNotFoundError:
        needed = ["numpy", "pandas", "scipy", "scikit-learn"]
    names = [NAME.match(line) for line in needed if "extra ==" not in line]
    versions = {name: _version(name) for name in sorted({m.group().lower() for m in names if m})}
    return {name: version for name, version in versions.items() if version is not None}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
