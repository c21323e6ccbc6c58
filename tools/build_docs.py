"""Build the documentation site: pages, reference from docstrings, and the solutions as a tutorial.

    python tools/build_docs.py                with the solutions as they stand, or as an earlier run left them
    python tools/build_docs.py --execute      run all solutions first, so that the tutorial shows what they show

Nothing is fetched, neither by the build nor by its pages, which is checked. The site lies in build/docs/site;
build/docs/executed keeps the notebooks that were run.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import nbformat
from nbclient import NotebookClient

from mlscope_nb._observed import Observed

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "docs"
ROOMS = [
    "cells",
    "fields",
    "annotations",
    "study",
    "io",
    "datasets",
    "features",
    "pipeline",
    "curate",
    "explore",
    "predict",
]
ROOMS += ["predict.images", "explain", "risks", "views", "lessons"]
SOLUTIONS = ROOT / "notebooks" / "solutions"


def execute(names: list[str]) -> None:
    """Run solutions as a reader of the site sees them: views that can be are written whole."""
    os.environ["MLSCOPE_DOCS"] = "1"
    target = BUILD / "executed"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
        notebook.metadata.pop("widgets", None)
        nbformat.write(notebook, target / path.name)
        print(f"{path.stem}: run, {(target / path.name).stat().st_size / 2**20:.1f} MB", flush=True)


def gather(source: Path) -> None:
    """Put all pages together in one folder."""
    shutil.copytree(ROOT / "docs", source, dirs_exist_ok=True)
    for file in (source / "site").iterdir():
        shutil.move(file, source / file.name)
    (source / "site").rmdir()
    for page in source.rglob("*.md"):
        text = kept_inside(page.read_text(encoding="utf-8"), page.parent)
        page.write_text(linked(text), encoding="utf-8")
    tutorial = source / "tutorial"
    tutorial.mkdir()
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        run = BUILD / "executed" / path.name
        shutil.copyfile(run if run.is_file() else path, tutorial / path.name)
    write_reference(source / "reference")


def kept_inside(text: str, folder: Path) -> str:
    """Return a page whose links to files of the repository that are no pages are names instead."""

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        there = (folder / target.partition("#")[0]).is_file()
        return found.group() if "://" in target or there or target.startswith("#") else f"{words} (`{Path(target)}`)"

    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", link, text)


def linked(text: str) -> str:
    """Return a page in which names of functions and of notebooks lead to their pages."""
    parts = re.split(r"(?ms)(^```.*?^```)", text)
    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r"(?<!\[)`ms\.([a-z]+(?:\.\w+)+)`", r"{py:obj}`ms.\1 <mlscope_nb.\1>`", parts[at])
        parts[at] = re.sub(r"(?<!\[)`(\d\d_[a-z_]+)`", r"[`\1`](/tutorial/\1.ipynb)", parts[at])
    return "".join(parts)


def write_reference(folder: Path) -> None:
    """Write a page for each room, with all its public names."""
    folder.mkdir()
    told: set[int] = set()
    for room in ROOMS:
        module = importlib.import_module(f"mlscope_nb.{room}")
        (folder / f"{room}.rst").write_text(page(room, module, told), encoding="utf-8")


def page(room: str, module: ModuleType, told: set[int]) -> str:
    """Return the page of one room; what an earlier room has told of is named there alone."""
    title = f"ms.{room}" if room not in ("cells", "fields", "annotations") else f"mlscope_nb.{room}"
    parts = [title, "=" * len(title), "", f".. automodule:: mlscope_nb.{room}", "   :no-members:", ""]
    for name in public(module):
        found = getattr(module, name)
        if isinstance(found, ModuleType) or id(found) in told:
            continue
        told.add(id(found))
        kind = "autoclass" if isinstance(found, type) else "autofunction" if callable(found) else "autodata"
        # What cells and fields have in common is told of each of them.
        more = ["   :inherited-members:"] if isinstance(found, type) and issubclass(found, Observed) else []
        parts += [f".. {kind}:: mlscope_nb.{room}.{name}", *more, ""]
    return "\n".join(parts)


def public(module: ModuleType) -> list[str]:
    """Return the names that a room offers, in the order of its list."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed, key=str.casefold)
    own = (name for name, found in vars(module).items() if getattr(found, "__module__", "") == module.__name__)
    return sorted(name for name in own if not name.startswith("_"))


def main() -> int:
    """Read the command line, and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--execute", action="store_true", help="run the solutions first")
    parser.add_argument("names", nargs="*", help="with --execute: only these notebooks")
    options = parser.parse_args()
    if options.execute:
        execute(options.names)
    source = BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    gather(source)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source)]
    command.append(str(BUILD / "site"))
    if subprocess.run(command, check=False).returncode:
        return 1
    elsewhere = fetched(BUILD / "site")
    print("\n".join(elsewhere) or f"Open {BUILD / 'site' / 'index.html'}")
    return int(bool(elsewhere))


def fetched(site: Path) -> list[str]:
    """Return what pages would load from another machine."""
    loads = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?https?://[^>]*>""")
    pages = ((path, path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html")))
    return [f"{path.relative_to(site)}: {found[:120]}" for path, text in pages for found in loads.findall(text)]


if __name__ == "__main__":
    sys.exit(main())
