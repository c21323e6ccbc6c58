"""Write the notebooks from their sources, check that they are in step, and run the solutions.

    python tools/build_notebooks.py              write notebooks/ and notebooks/solutions/
    python tools/build_notebooks.py --check      change nothing; exit 1 on any difference or broken rule
    python tools/build_notebooks.py --execute    run every solution in a fresh kernel; exit 1 on a problem

A name, such as 00_start_here, restricts it to that notebook. A source is notebooks/src/NN_name.py in the
py:percent format:

    # %% [markdown]                     a text cell; each line starts with "# "
    # %%                                a code cell
    # %% id="lasso"                     a cell that keeps its id when its text changes
    # %% tags=["exercise"]              what the learner starts from; "# change me" marks the line to edit
    # %% tags=["solution"]              the answer; comes right after its exercise

The exercise notebook has every cell but the solutions. The solution notebook has, in the place of each
exercise, the cells tagged solution that follow it (code first; text may explain it). A cell id is made from
the cell's text, so a new cell changes no other cell's id. The rules for sources are in notebook_rules.py.

A word is linked where it comes up first: [trustworthiness](glossary.md#trustworthiness). The glossary is
docs/glossary.md; a copy travels beside the notebooks.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from notebook_rules import broken_rules
from notebook_runs import run_solutions

ROOT = Path(__file__).resolve().parents[1] / "notebooks"
GLOSSARY = ROOT.parent / "docs" / "glossary.md"
TERM = re.compile(r"\]\(glossary\.md#([^)]*)\)")
NAME = re.compile(r"\d\d_[a-z0-9_]+")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Source:
    """One notebook source: its name and its cells, tags and ids included."""

    name: str
    cells: tuple[NotebookNode, ...]

    def notebook(self, leave_out: str) -> NotebookNode:
        """Return the notebook without the cells of a tag and without outputs."""
        kept = [cell for cell in self.cells if leave_out not in _tags(cell)]
        return nbformat.v4.new_notebook(cells=_clean(self.name, kept), metadata=METADATA)


def read_source(path: Path) -> Source:
    """Read a py:percent file; ValueError names the cell where exercise and solution do not alternate."""
    if not NAME.fullmatch(path.stem):
        raise ValueError(f"{path} is not named like 03_explore.py: two digits, then a-z, 0-9 and _.")
    cells = tuple(jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells)
    for before, cell in zip((None, *cells), (*cells, None), strict=True):
        problem = _pairing(before, cell)
        if problem:
            where = _start(cell if cell is not None and "solution" in _tags(cell) else before)
            raise ValueError(f"{path}: {problem} at the cell '{where}'.")
    return Source(path.stem, cells)


def targets(root: Path, names: Sequence[str] = ()) -> dict[Path, str]:
    """Return the text of every notebook file that the sources make, and of the glossary that they link."""
    texts = {root / GLOSSARY.name: GLOSSARY.read_text(encoding="utf-8")}
    for path in sources(root, names):
        source = read_source(path)
        for folder, leave_out in ((root, "solution"), (root / "solutions", "exercise")):
            notebook = source.notebook(leave_out)
            if folder != root:
                _point_up(notebook)
            nbformat.validate(notebook)
            texts[folder / f"{source.name}.ipynb"] = nbformat.writes(notebook) + "\n"
    return texts


def _point_up(notebook: NotebookNode) -> None:
    """Let links to the glossary lead out of the folder of solutions."""
    for cell in notebook.cells:
        cell.source = TERM.sub(r"](../glossary.md#\1)", cell.source)


def unknown_terms(file: str, cells: Sequence[NotebookNode], glossary: str) -> list[str]:
    """Return one line for each link to a word that the glossary does not have."""
    known = {words.replace(" ", "-") for words in re.findall(r"(?m)^## (.+)$", glossary)}
    linked = [term for cell in cells for term in TERM.findall(cell.source)]
    return [
        f"{file}: the glossary has no '{term}'. Words: {', '.join(sorted(known))}."
        for term in linked
        if term not in known
    ]


def sources(root: Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the source files, or those of the names; ValueError names what there is."""
    found = {path.stem: path for path in sorted((root / "src").glob("*.py"))}
    unknown = sorted(set(names) - set(found))
    if unknown:
        raise ValueError(f"No source for {', '.join(unknown)}. Sources: {', '.join(found) or 'none'}.")
    return [found[name] for name in names or found]


def write(root: Path, names: Sequence[str] = ()) -> list[Path]:
    """Write the notebooks that differ, each atomically, and return their paths."""
    changed = [(path, text) for path, text in targets(root, names).items() if _old(path) != text]
    for path, text in changed:
        _replace(path, text)
    return [path for path, _ in changed]


def differences(root: Path, names: Sequence[str] = ()) -> list[str]:
    """Return what is out of step: a diff of each changed notebook, a line for a missing or left-over one."""
    wanted = targets(root, names)
    found = [_difference(path, text, _old(path)) for path, text in wanted.items() if _old(path) != text]
    if not names:
        folders = (root, root / "solutions")
        there = [path for folder in folders for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]
        found += [f"{path}: has no source in {root / 'src'}. Delete it." for path in there if path not in wanted]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("names", nargs="*", help="notebooks, for example 00_start_here; all without")
    what = ask.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing, fail on any difference or broken rule")
    what.add_argument("--execute", action="store_true", help="run the solutions, fail on errors, warnings, budgets")
    ask.add_argument("--root", type=Path, default=ROOT, help="the folder with src/ and solutions/")
    chosen = ask.parse_args(arguments)
    try:
        return _do(chosen)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1


def _do(chosen: argparse.Namespace) -> int:
    if chosen.execute:
        texts = targets(chosen.root, chosen.names).items()
        return run_solutions(
            {path.stem: text for path, text in texts if path.parent.name == "solutions"},
            chosen.root / "lessons",
        )
    if chosen.check:
        problems = differences(chosen.root, chosen.names)
        glossary = GLOSSARY.read_text(encoding="utf-8")
        for path in sources(chosen.root, chosen.names):
            cells = read_source(path).cells
            problems += broken_rules(path.name, cells) + unknown_terms(path.name, cells, glossary)
        print("\n".join(problems) or "All notebooks are in step with their sources and keep the rules.")
        return 1 if problems else 0
    for path in write(chosen.root, chosen.names):
        print(f"wrote {path}")
    return 0


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _pairing(before: NotebookNode | None, cell: NotebookNode | None) -> str:
    follows = [] if before is None else _tags(before)
    tags = [] if cell is None else _tags(cell)
    if "exercise" in follows and ("solution" not in tags or cell is None or cell.cell_type != "code"):
        return "an exercise is not followed by the code of its solution"
    if "solution" in tags and not {"exercise", "solution"} & set(follows):
        return "a solution does not follow an exercise"
    return ""


def _start(cell: NotebookNode | None) -> str:
    lines = "" if cell is None else cell.source.strip()
    return lines.split("\n")[0][:60]


def _clean(name: str, cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Return new cells with nothing but text, tags and a stable id; equal texts are counted."""
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    taken: set[str] = set()
    fresh = []
    for cell in cells:
        if cell.cell_type not in make:
            raise ValueError(f"{name}: a cell of type '{cell.cell_type}'. Use code or [markdown].")
        base = str(cell.metadata.get("id") or _digest(name, cell.cell_type, cell.source))
        cell_id = next(i for i in _numbered(base) if i not in taken)
        if cell_id != base and "id" in cell.metadata:
            raise ValueError(f"{name}: two cells have the id '{base}'. Give one another id.")
        taken.add(cell_id)
        metadata = {"tags": _tags(cell)} if _tags(cell) else {}
        fresh.append(make[cell.cell_type](cell.source, id=cell_id, metadata=metadata))
    return fresh


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _numbered(base: str) -> list[str]:
    return [base, *(f"{base}-{number}" for number in range(2, 1000))]


def _old(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", newline="\n") as part:
        part.write(text)
        part.flush()
        os.fsync(part.fileno())
    os.chmod(part.name, 0o644)
    os.replace(part.name, path)


def _difference(path: Path, wanted: str, found: str | None) -> str:
    if found is None:
        return f"{path}: is missing. Run tools/build_notebooks.py."
    old, new = found.splitlines(), wanted.splitlines()
    lines = difflib.unified_diff(old, new, f"{path}", "from its source", lineterm="", n=1)
    outputs = " It stores outputs." if _stores_outputs(found) else ""
    return f"{path}: differs from its source.{outputs} Edit the source, then run this.\n" + "\n".join(lines)


def _stores_outputs(text: str) -> bool:
    try:
        cells = nbformat.reads(text, as_version=4).cells
    except nbformat.reader.NotJSONError:
        return False
    return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


if __name__ == "__main__":
    sys.exit(main())
