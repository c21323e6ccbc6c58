"""From sources to notebooks: versions, ids, differences, rules, runs."""

import importlib
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

TOOLS = Path(__file__).parents[2] / "tools"
EXAMPLE = Path(__file__).parent / "example"
NAME = "00_example"

GOOD = """
# %% [markdown]
# # A notebook
# ## What you will be able to do
# **Run-all:** under 1 minute. **Learning:** 20 minutes. **Memory:** 0.8 GB.
# ## What goes wrong here
# ## The same on your own data
# %%
import mlscope_nb as ms

ms.lessons.predict("00_example/larger")
# %%
ms.lessons.check("00_example/larger")
ms.lessons.check("00_example/mean", ...)
ms.lessons.hint("00_example/mean")
ms.lessons.checkpoint("00_example/picked")
ms.views.explore(cells)
# %% tags=["exercise"]
x = ...  # change me
# %% tags=["solution"]
x = 1
"""


def load(name):
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(TOOLS))


build, rules, runs = load("build_notebooks"), load("notebook_rules"), load("notebook_runs")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Give a course folder with the example's source and questions, and stand in it."""
    shutil.copytree(EXAMPLE, tmp_path / "course")
    monkeypatch.chdir(tmp_path / "course")
    return tmp_path / "course"


def run(root, *arguments):
    return build.main([*arguments, "--root", str(root)])


def edit(root, old, new):
    path = root / "src" / f"{NAME}.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def notebook(root, folder="."):
    return nbformat.read(root / folder / f"{NAME}.ipynb", as_version=4)


def texts(nb):
    return [cell.source for cell in nb.cells]


def test_two_versions_differ_only_in_the_exercise(root):
    assert run(root) == 0
    exercise, solution = notebook(root), notebook(root, "solutions")
    only_exercise = [text for text in texts(exercise) if text not in texts(solution)]
    only_solution = [text for text in texts(solution) if text not in texts(exercise)]
    assert only_exercise == ["mean = ...  # change me"]
    assert only_solution == ["mean = sum(areas) / len(areas)", "Each cell counts the same."]
    shared = {cell.source: cell.id for cell in exercise.cells}
    assert all(shared.get(cell.source, cell.id) == cell.id for cell in solution.cells)


def test_what_is_written_is_clean_and_valid(root):
    run(root)
    for folder in (".", "solutions"):
        nb = notebook(root, folder)
        nbformat.validate(nb)
        assert nb.metadata == build.METADATA
        for cell in nb.cells:
            assert set(cell.metadata) <= {"tags"}
            if cell.cell_type == "code":
                assert cell.outputs == []
                assert cell.execution_count is None
    assert [path.name for path in root.rglob("*") if path.name.startswith("tmp")] == []


def test_writing_twice_gives_the_same_bytes_and_touches_nothing(root, capsys):
    run(root)
    path = root / f"{NAME}.ipynb"
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    capsys.readouterr()
    assert run(root) == 0
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert capsys.readouterr().out == ""


def test_an_inserted_cell_changes_no_other_id(root):
    run(root)
    before = {cell.source: cell.id for cell in notebook(root).cells}
    edit(root, "# %% [markdown]\n# ## Exercise", "# %%\nlen(areas)\n\n# %% [markdown]\n# ## Exercise")
    run(root)
    after = {cell.source: cell.id for cell in notebook(root).cells}
    assert set(after) - set(before) == {"len(areas)"}
    assert all(after[text] == cell_id for text, cell_id in before.items())
    assert len(set(after.values())) == len(after)


def test_an_id_given_by_hand_stays_when_the_text_changes(root):
    edit(root, "picked = ms.lessons", "# A note.\npicked = ms.lessons")
    run(root)
    (cell,) = [cell for cell in notebook(root).cells if "A note." in cell.source]
    assert cell.id == "picked"


def test_equal_cells_get_different_ids_and_equal_ids_are_refused(root, capsys):
    edit(root, "sum(areas), max(areas)", "areas\n\n# %%\nareas")
    run(root)
    ids = [cell.id for cell in notebook(root).cells]
    assert len(set(ids)) == len(ids)
    edit(root, "areas\n\n# %%\nareas", 'areas\n\n# %% id="picked"\nareas')
    assert run(root) == 1
    assert "two cells have the id 'picked'" in capsys.readouterr().err


def test_words_are_linked_to_the_glossary_that_travels_along(root, capsys):
    edit(root, "# ## Exercise", "# A [well](glossary.md#well) is one unit.\n# ## Exercise")
    run(root)
    assert (root / "glossary.md").read_bytes() == build.GLOSSARY.read_bytes()
    assert any("[well](glossary.md#well)" in text for text in texts(notebook(root)))
    assert any("[well](../glossary.md#well)" in text for text in texts(notebook(root, "solutions")))
    edit(root, "glossary.md#well", "glossary.md#wall")
    run(root)
    capsys.readouterr()
    assert any("the glossary has no 'wall'" in line for line in checked(root, capsys))


def checked(root, capsys):
    """Return what --check says about differences; the example leaves out sections, which the rules report."""
    assert run(root, "--check") == 1
    return [line for line in capsys.readouterr().out.splitlines() if ".py: lacks" not in line]


def test_check_passes_on_what_was_written(root, capsys):
    run(root)
    capsys.readouterr()
    assert checked(root, capsys) == []
    (root / "src" / f"{NAME}.py").write_text(GOOD, encoding="utf-8")
    run(root)
    assert run(root, "--check") == 0
    assert "in step" in capsys.readouterr().out


def test_check_finds_an_edited_notebook_and_shows_the_difference(root, capsys):
    run(root)
    path = root / f"{NAME}.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("max(areas)", "min(areas)"), encoding="utf-8")
    capsys.readouterr()
    said = "\n".join(checked(root, capsys))
    assert f"{path}: differs from its source." in said
    assert "min(areas)" in said
    assert "max(areas)" in said
    assert "solutions" not in said
    assert "min(areas)" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["outputs", "execution_count"])
def test_check_finds_stored_outputs(root, capsys, what):
    run(root)
    nb = notebook(root, "solutions")
    value = [nbformat.v4.new_output("stream", text="hello")] if what == "outputs" else 3
    nb.cells[1][what] = value
    nbformat.write(nb, root / "solutions" / f"{NAME}.ipynb")
    capsys.readouterr()
    assert "It stores outputs." in "\n".join(checked(root, capsys))


def test_check_finds_missing_left_over_and_damaged_notebooks(root, capsys):
    run(root)
    (root / f"{NAME}.ipynb").unlink()
    (root / "solutions" / f"{NAME}.ipynb").write_text("{", encoding="utf-8")
    (root / "07_old.ipynb").write_text("{}", encoding="utf-8")
    capsys.readouterr()
    said = "\n".join(checked(root, capsys))
    assert f"{root / NAME}.ipynb: is missing" in said
    assert f"solutions/{NAME}.ipynb: differs" in said
    assert "07_old.ipynb: has no source" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('# %% tags=["exercise"]\nmean = ...  # change me\n\n', "", "a solution does not follow an exercise"),
        (
            '# %% tags=["solution"]\nmean = sum(areas) / len(areas)\n',
            "",
            "not followed by the code of its solution",
        ),
        ('# %% tags=["solution"]\nmean', "# %%\nmean", "not followed by the code of its solution"),
        ("# %%\nsum(areas), max(areas)", "# %% [raw]\n# sum", "type 'raw'"),
    ],
)
def test_a_source_whose_cells_do_not_fit_is_refused(root, capsys, old, new, said):
    edit(root, old, new)
    assert run(root) == 1
    assert said in capsys.readouterr().err


def test_unknown_names_and_misnamed_sources_are_refused(root, capsys):
    assert run(root, "05_none") == 1
    assert "No source for 05_none. Sources: 00_example" in capsys.readouterr().err
    (root / "src" / "notes.py").write_text("# %%\n1\n", encoding="utf-8")
    assert run(root) == 1
    assert "is not named like" in capsys.readouterr().err


BAD_CODE = {
    "nine lines": ("x = 1\n" * 9, "9 lines"),
    "a long line": ("x = '" + "a" * 80 + "'", "a line of 86 characters"),
    "def": ("def f():\n    pass", "def"),
    "async def": ("async def f():\n    pass", "def"),
    "class": ("class A:\n    pass", "class"),
    "lambda": ("f = lambda: 1", "lambda"),
    "for": ("for x in y:\n    x", "a loop"),
    "while": ("while x:\n    x", "a loop"),
    "list comprehension": ("[x for x in y]", "comprehension"),
    "dict comprehension": ("{x: x for x in y}", "comprehension"),
    "generator": ("sum(x for x in y)", "comprehension"),
    "magic": ("%matplotlib inline", "magic"),
    "shell": ("!ls", "magic"),
    "help": ("print?", "magic"),
    "no Python": ("x = (", "is not Python"),
}


@pytest.mark.parametrize("kind", BAD_CODE)
def test_code_that_is_too_hard_is_found(kind):
    code, said = BAD_CODE[kind]
    (problem,) = rules.code_problems(code)
    assert said in problem


def test_code_a_beginner_can_read_passes():
    code = "x = ...  # change me\nwith open('a') as f:\n    y = f.read()\n" + "z = 1\n" * 4 + "a" * 80
    assert list(rules.code_problems(code)) == []
    assert list(rules.code_problems("print('what is % of this?')  # 50 %\nx = 7 % 2")) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("What you will be able to do", "Aims", "heading 'What you will be able to do'"),
        ("What goes wrong here", "Errors", "heading 'What goes wrong here'"),
        ("The same on your own data", "Yours", "heading 'The same on your own data'"),
        ("under 1 minute", "soon", "'Run-all: …'"),
        ("20 minutes", "a while", "'Learning: …'"),
        ("0.8 GB", "little", "'Memory: …'"),
        ('ms.lessons.predict("00_example/larger")', "1", "a question to predict"),
        ('ms.lessons.checkpoint("00_example/picked")', "1", "a checkpoint"),
        ("ms.views.explore(cells)", "1", "a linked view"),
        ('ms.lessons.hint("00_example/mean")', "1", "without offering ms.lessons.hint('00_example/mean')"),
        ('ms.lessons.check("00_example/larger")', "1", "asks '00_example/larger' and never answers it"),
        ("00_example/larger", "00_example/large", "Did you mean 'larger'?"),
        ("00_example/larger", "03_none/larger", "No questions for notebook '03_none'"),
        ("x = 1", "x = [y for y in z]", "comprehension"),
    ],
)
def test_check_reports_each_broken_rule(root, capsys, old, new, said):
    assert old in GOOD
    (root / "src" / f"{NAME}.py").write_text(GOOD.replace(old, new), encoding="utf-8")
    run(root)
    capsys.readouterr()
    assert run(root, "--check") == 1
    (problem,) = capsys.readouterr().out.splitlines()
    assert said in problem
    assert f"{NAME}.py" in problem


def test_the_solution_runs_and_is_measured(root, capsys):
    assert run(root, "--execute", NAME) == 0
    said = capsys.readouterr().out
    assert said.startswith("00_example: ok, ")
    peak = float(said.split("kernel peak ")[1].split(" MB")[0])
    assert 30 < peak < 900
    assert not (root / "mlscope_work").exists()


def test_a_run_reports_warnings_and_errors(root, capsys):
    edit(root, "sum(areas), max(areas)", "import warnings\n\nwarnings.warn('careful')")
    edit(root, "mean = sum(areas) / len(areas)", "mean = areas / 0")
    assert run(root, "--execute") == 1
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert "cell 4 writes to stderr" in said
    assert "careful" in said
    assert "TypeError" in said


def test_a_run_over_its_budget_is_a_problem():
    done = runs.Run("03_explore", seconds=181, slowest_cell=46, peak_mb=1001, saved_mb=5.1)
    assert len(list(runs._over_budget(done))) == 4
    done = runs.Run("05_predict_images", seconds=239, slowest_cell=44, peak_mb=1199, saved_mb=4.9)
    assert list(runs._over_budget(done)) == []


def test_nobody_has_answered_anything_and_the_notebook_runs_on(root):
    """Run the exercise version as a learner does who presses Run All at once."""
    run(root)
    nb = notebook(root)
    NotebookClient(nb, timeout=60, resources={"metadata": {"path": str(root)}}).execute()
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"display_data", "execute_result"}
    plain = [output.data["text/plain"] for output in outputs]
    assert sum("Not answered yet" in text for text in plain) == 3  # below the question, and two checks
    assert any("the prepared one is used" in text for text in plain)
    assert any("0 of 2 questions answered" in text for text in plain)
    page, _ = HTMLExporter().from_notebook_node(nbformat.from_dict({**nb, "metadata": build.METADATA}))
    assert page.count("The largest area") == 1  # a saved page without a kernel still shows the choices
    static = [output.data for output in outputs if "Not answered yet" in output.data["text/plain"]]
    assert all("Not answered yet" in data["text/html"] for data in static)
    assert not (root / "mlscope_work").exists()
