"""The licences of everything that an installation brings along."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_COPYLEFT = re.compile(r"\b[AL]?GPL|GNU (Affero |Lesser |Library )?General Public", re.IGNORECASE)
_WEAK = re.compile(r"\bLGPL|Lesser|Library", re.IGNORECASE)
_ANOTHER = re.compile(r"\s+or\s+|;|,", re.IGNORECASE)


@dataclass(frozen=True)
class Licence:
    """A package, its version, and the licence that its own metadata name."""

    package: str
    version: str
    licence: str

    @property
    def copyleft(self) -> bool:
        """Whether it can be had under the GPL or AGPL alone."""
        ways = [way for way in _ANOTHER.split(self.licence) if way.strip()]
        return bool(ways) and all(_COPYLEFT.search(way) and not _WEAK.search(way) for way in ways)

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.licence}"


def licences(package: str = "mlscope_nb") -> list[Licence]:
    """Return the licence of every installed package that one needs without its extras, by name.

    Raises
    ------
    PackageNotFoundError
        The package is not installed.

    Examples
    --------
    >>> {found.package: found.licence for found in licences()}["tqdm"]
    'MPL-2.0 AND MIT'
    """
    seen: dict[str, Licence] = {}
    waiting = [(package, frozenset[str]())]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (canonicalize_name(name), extras) in done:
            continue
        done.add((canonicalize_name(name), extras))
        try:
            about = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if not seen:
                raise
            continue  # asked for on other systems or Pythons alone
        seen.setdefault(canonicalize_name(name), Licence(about.metadata["Name"], about.version, _named(about)))
        waiting += _needed(about.requires or (), extras)
    seen.pop(canonicalize_name(package))
    return [seen[name] for name in sorted(seen)]


def _needed(requires: Iterable[str], extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    found = []
    for line in requires:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            found.append((wanted.name, frozenset(wanted.extras)))
    return found


def _named(package: metadata.Distribution) -> str:
    """Return the licence's name: an SPDX expression, a short text, what classifiers say, or the file's first line."""
    about = package.metadata
    expression = _field(about, "License-Expression")
    classified = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    text = _field(about, "License")
    short = text if "\n" not in text and len(text) <= 60 else ""
    return expression or short or "; ".join(classified) or text.split("\n", 1)[0][:60] or _headline(package)


def _headline(package: metadata.Distribution) -> str:
    """Return the first line of a package's licence file."""
    for file in package.files or ():
        if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            lines = [line.strip() for line in file.read_text().splitlines()]
            return next((line[:60] for line in lines if line), "not named")
    return "not named"


def _field(about: metadata.PackageMetadata, name: str) -> str:
    """Return a field that need not be there; what means "unknown" counts as not there."""
    text = (about.get_all(name) or [""])[0].strip()
    return "" if text.upper() == "UNKNOWN" else text
