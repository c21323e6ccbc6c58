"""A learner who answers nothing gets to the end: what an exercise leaves open goes to its check and nowhere else."""

import ast
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
EVERY = sorted(path.stem for path in (NOTEBOOKS / "src").glob("*.py"))
CARDS = {"check", "checkpoint", "score"}


def used_outside_cards(code, names):
    """Return which of the names a cell uses other than as an argument of check, checkpoint or score."""
    tree = ast.parse(code)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    allowed = {id(a) for c in calls if c.func.attr in CARDS for a in c.args}
    loads = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    return {n.id for n in loads if n.id in names and id(n) not in allowed}


@pytest.mark.parametrize("name", EVERY)
def test_open_answers_are_only_checked(name):
    open_names = set()
    for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type != "code":
            continue
        if "exercise" in cell.metadata.get("tags", []):
            made = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Assign)]
            assert [n for n in made if isinstance(n.value, ast.Constant) and n.value.value is ...], cell.source
            open_names |= {t.id for n in made for t in n.targets}
        assert used_outside_cards(cell.source, open_names) == set(), cell.source
    assert open_names


def test_a_use_elsewhere_is_found():
    assert used_outside_cards("y = x + 1", {"x"}) == {"x"}
    assert used_outside_cards("ms.lessons.check('a/b', x, of=y)", {"x"}) == set()
    assert used_outside_cards("ms.lessons.check('a/b', 1, of=x)", {"x"}) == {"x"}
