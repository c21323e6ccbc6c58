"""Notebook 02 is completed with the keyboard alone: run, answer, slide, predict."""

import shutil
from pathlib import Path

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
RUNNING = "()=>window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status=='idle'"
# The empty cell that Shift+Enter adds at the end is not counted.
COUNTS = """()=>{const cells=window.jupyterapp.shell.currentWidget.content.model.cells;const n=[];
for(let i=0;i<cells.length;i++){const c=cells.get(i);
if(c.type=='code'&&c.sharedModel.getSource())n.push(c.executionCount)}return n}"""
ACTIVE = "()=>window.jupyterapp.shell.currentWidget.content.activeCellIndex"


def answers():
    """What the learner types: the solution's code in place of each open answer."""
    solution = nbformat.read(NOTEBOOKS / "solutions" / "02_curate.ipynb", as_version=4)
    return [c.source for c in solution.cells if "solution" in c.metadata.get("tags", [])]


def press_through(notebook):
    """Go through the notebook from the top with Shift+Enter, and type an answer where one is asked for."""
    page, typed = notebook.page, answers()
    page.evaluate("()=>{const c=window.jupyterapp.shell.currentWidget.content;c.activeCellIndex=0;c.activate()}")
    cells = nbformat.read(notebook.lab.root / notebook.name, as_version=4).cells
    for number, cell in enumerate(cells):
        page.wait_for_function(f"()=>({ACTIVE})()=={number}")
        if "exercise" in cell.metadata.get("tags", []):
            page.keyboard.press("Enter")
            page.wait_for_selector(".jp-Notebook.jp-mod-editMode .jp-Cell.jp-mod-active .cm-focused")
            page.keyboard.press("Control+a")
            page.keyboard.insert_text(typed.pop(0))
        page.keyboard.press("Shift+Enter")
    page.wait_for_function(f"()=>({COUNTS})().every(n=>n)", timeout=200_000)
    page.wait_for_function(RUNNING, timeout=60_000)
    assert not typed


def go_to(notebook, text):
    """Bring the cell with this text on the screen: cells far away are not drawn."""
    cells = nbformat.read(notebook.lab.root / notebook.name, as_version=4).cells
    number = next(i for i, cell in enumerate(cells) if text in cell.source and cell.cell_type == "code")
    move = (
        "async n=>{const c=window.jupyterapp.shell.currentWidget.content;c.activeCellIndex=n;await c.scrollToItem(n)}"
    )
    notebook.page.evaluate(move, number)


def test_the_notebook_needs_no_mouse(lab):
    shutil.copy(NOTEBOOKS / "02_curate.ipynb", lab.root / "02_curate.ipynb")
    notebook = lab.show("02_curate.ipynb")
    try:
        press_through(notebook)
        slide(notebook)
        predict(notebook)
        notebook.until("all(w in str(ms.lessons.progress('02_curate')) for w in ('6 of 8', '5 right'))", True)
        assert notebook.problems == [] and notebook.left == []
    finally:
        notebook.close()


def slide(notebook):
    """Lower the threshold with a key: more cells are left out, in Python too."""
    go_to(notebook, "tune_threshold")
    at, n = notebook.python("import json; print(json.dumps([tuner.threshold, len(tuner.selected)]))")
    slider = notebook.page.get_by_role("slider", name="Threshold of", exact=False).first
    slider.focus()
    for _ in range(4):  # between two cells there may be a gap as wide as one press
        slider.press("PageDown")
    notebook.until(f"tuner.threshold < {at} and len(tuner.selected) > {n}", True)


def predict(notebook):
    """Choose an answer and record it."""
    go_to(notebook, "02_curate/effect")
    radio = notebook.page.locator(".mlscope-predict input[type=radio]").first
    radio.focus()
    radio.press("Space")
    button = notebook.page.locator(".mlscope-predict button:enabled").first
    button.focus()
    button.press("Enter")
