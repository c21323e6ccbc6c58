"""Notebooks write where `lessons.workplace` says, so that they also run from a course folder that is read-only."""

import ast
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WRITERS = {"report", "report_folder", "save", "save_work", "to_html"}


def bare_places(code):
    """Return what a cell writes to by a name alone, which would lie beside the notebook."""
    calls = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    writing = [c for c in calls if c.func.attr in WRITERS or c.func.attr.startswith("write_")]
    given = [a for c in writing for a in [*c.args, *(k.value for k in c.keywords if k.arg in ("path", "out", "log"))]]
    return [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]


@pytest.mark.parametrize("folder", [".", "solutions"])
@pytest.mark.parametrize("name", sorted(path.stem for path in (NOTEBOOKS / "src").glob("*.py")))
def test_nothing_is_written_beside_the_notebook_by_name(name, folder):
    cells = nbformat.read(NOTEBOOKS / folder / f"{name}.ipynb", as_version=4).cells
    assert [place for cell in cells if cell.cell_type == "code" for place in bare_places(cell.source)] == []


def test_a_bare_name_is_found():
    assert bare_places('ms.io.write_fields(fly, "my_folder", overwrite=True)') == ["my_folder"]
    assert bare_places('ms.risks.report(cells, [audit], mine / "evidence.html")') == []
