"""The workbench in a real browser, driven with the mouse and the keyboard."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.browser


def test_a_lasso_reaches_python_exactly_and_shows_its_cells(nb):
    rows = nb.lasso()
    assert 100 < len(rows) < 1900
    expected = nb.ids(rows)
    nb.until("list(w.selected)", expected)
    nb.page.wait_for_function(
        "n => document.querySelector('.ms-side .ms-title').textContent.startsWith(n)", arg=f"{len(rows):,}"
    )
    assert len(nb.turned(expected)) >= 12
    colours = nb.page.evaluate(
        """() => { const c = document.querySelector('.ms-crops');
        const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return new Set(new Uint32Array(p.buffer)).size; }"""
    )
    assert colours > 100
    nb.page.wait_for_function(
        "t => document.querySelector('.ms-summary').innerText.startsWith(t)",
        arg=f"{len(rows):,} of 2,000 cells selected",
    )


def test_one_lasso_is_one_step_of_history(nb):
    rows = nb.lasso()
    nb.until("len(w.selected)", len(rows))
    nb.page.get_by_role("button", name="Undo").click()
    nb.until("len(w.selected)", 0)
    nb.page.get_by_role("button", name="Redo").click()
    nb.until("len(w.selected)", len(rows))
    drawn_as_selected(nb, rows.tolist())


def drawn_as_selected(nb, expected):
    """Wait until exactly these cells are those that the map shows as selected."""

    def check():
        assert sorted(nb.geometry()["selected"]) == expected

    nb.eventually(check)


def test_shift_adds(nb):
    first = nb.lasso(centre=(0.4, 0.5), radius=0.15)
    nb.until("len(w.selected)", len(first))
    second = nb.lasso(centre=(0.6, 0.5), radius=0.15, key="Shift")
    nb.until("list(w.selected)", nb.ids(np.union1d(first, second)))


def test_paging_and_clicking_crops(nb):
    rows = nb.lasso()
    nb.until("len(w.selected)", len(rows))
    every = nb.ids(rows)
    before = nb.turned(every)
    nb.page.get_by_role("button", name="Next").click()
    after = nb.turned(every[len(before) :])
    nb.page.locator(".ms-crops").click(position={"x": 100, "y": 20})
    nb.until("w.selection.found", after[1])
    nb.page.locator(".ms-crops").click(position={"x": 100, "y": 20}, modifiers=["Shift"])
    nb.until("len(w.selected)", len(rows) - 1)
    assert after[1] not in nb.python("print(json.dumps(list(w.selected)))")


def test_a_label_typed_reaches_python_and_the_disk(nb, lab):
    rows = nb.lasso()
    nb.until("len(w.selected)", len(rows))
    nb.page.get_by_label("Label for the selected cells").fill("rund <b>&</b> Ωmega")
    nb.page.get_by_role("button", name="Label selection").click()
    nb.until("int((w.labels == 'rund <b>&</b> Ωmega').sum())", len(rows))
    expected = nb.ids(rows)
    assert nb.python("print(json.dumps(list(cells.with_obs(w.labels).obs.query('label.notna()').index)))") == expected
    log = lab.root / "mlscope_work" / f"{nb.python('print(json.dumps(cells.fingerprint))')}.jsonl"
    last = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    assert last["cell_ids"] == expected and last["value"] == "rund <b>&</b> Ωmega"
    nb.page.wait_for_selector(".ms-note:has-text('rund <b>&</b> Ωmega')")


def test_the_selection_survives_zoom_colour_and_map(nb):
    rows = nb.lasso()
    nb.until("len(w.selected)", len(rows))
    before = nb.geometry()
    nb.page.mouse.move(before["left"] + 100, before["top"] + 100)
    nb.page.mouse.wheel(0, -300)

    def nearer():
        now = nb.geometry()
        assert now["range"][1] - now["range"][0] < 0.95 * (before["range"][1] - before["range"][0])
        return now

    zoomed = nb.eventually(nearer)
    nb.page.get_by_label("Colour by").select_option("radius")
    nb.until("w._colour", "radius")
    nb.page.wait_for_selector(".ms-scale-bar")
    np.testing.assert_allclose(nb.geometry()["range"], zoomed["range"])
    drawn_as_selected(nb, rows.tolist())
    nb.page.get_by_label("Map", exact=True).select_option("other")
    nb.drawn("other")
    drawn_as_selected(nb, rows.tolist())
    nb.until("len(w.selected)", len(rows))
    # A lasso on the zoomed, recoloured, other map is exact as well.
    g = nb.geometry()
    nb.page.mouse.move(g["left"] + 100, g["top"] + 100)
    nb.page.mouse.wheel(0, -200)

    def nearer_again():
        now = nb.geometry()["range"]
        assert now[1] - now[0] < 0.95 * (g["range"][1] - g["range"][0])

    nb.eventually(nearer_again)
    again = nb.lasso(radius=0.2)
    nb.until("list(w.selected)", nb.ids(again))


def test_python_selects_on_the_map(nb):
    nb.python("w.select(cells.ids[[5, 3, 1999]]);")
    drawn_as_selected(nb, [3, 5, 1999])
    nb.page.wait_for_function("JSON.parse(document.querySelector('.ms-crops').dataset.ids).length === 3")


def loneliest(g):
    """Return a point far from all others, so that resting on it has one answer."""
    near = np.hypot(g["x"][:, None] - g["x"], g["y"][:, None] - g["y"]) + 1e9 * np.eye(len(g["x"]))
    return int(np.argmax(near.min(axis=1)))


def test_resting_on_a_point_shows_its_picture(nb):
    g = nb.geometry()
    row = loneliest(g)
    assert nb.hover(g["x"][row], g["y"][row]).startswith(nb.ids([row])[0])
    nb.page.wait_for_selector(".ms-tip:visible img")


@pytest.mark.parametrize("where", ["map", "gallery", "button"])
def test_keys_in_the_view_leave_the_notebook_alone(nb, where):
    before = nb.sources()
    g = nb.geometry()
    if where == "map":
        nb.page.mouse.click(g["left"] + g["width"] / 2, g["top"] + g["height"] / 2)
    elif where == "gallery":
        nb.page.locator(".ms-crops").click(position={"x": 20, "y": 20})
    else:
        nb.page.get_by_role("button", name="Invert").click()
    for key in [
        *"123456789",
        "ArrowUp",
        "ArrowDown",
        "ArrowLeft",
        "ArrowRight",
        "x",
        "z",
        "d",
        "d",
        "a",
        "b",
        "m",
        "0",
        "0",
    ]:
        nb.page.keyboard.press(key)
    nb.page.wait_for_timeout(200)
    assert nb.sources() == before
    assert nb.page.locator(".jp-Dialog").count() == 0


def test_nothing_is_clipped_and_nothing_scrolls_inside(nb):
    nb.page.locator(".ms-workbench").scroll_into_view_if_needed()
    report = """() => {
        const bad = [], root = document.querySelector('.ms-workbench'), box = root.getBoundingClientRect();
        for (const node of [root, ...root.querySelectorAll('*')]) {
          if (node.closest('.ms-figure') && !node.matches('.ms-figure')) continue;
          const b = node.getBoundingClientRect(), style = getComputedStyle(node);
          if (!b.width || node.tagName === 'OPTION' || node.tagName === 'OPTGROUP') continue;
          const name = node.className || node.tagName;
          if (b.right > box.right + 1 || b.left < box.left - 1 || b.bottom > box.bottom + 1) bad.push('out ' + name);
          if (/auto|scroll/.test(style.overflowX + style.overflowY)) bad.push('scroll ' + name);
          const words = node.children.length === 0 && node.textContent.trim();
          if (words && parseFloat(style.fontSize) < 13) bad.push('small ' + name);
          // What is cut short on purpose ends in … and shows its whole text when the mouse rests on it.
          const short = style.textOverflow === 'ellipsis' && node.closest('[title]');
          const cut = node.scrollWidth > node.clientWidth + 1 && style.overflowX === "hidden";
          if (cut && !short) bad.push("cut " + name);
        }
        for (let up = root.parentElement; up && !up.classList.contains('jp-Notebook'); up = up.parentElement) {
          const s = getComputedStyle(up);
          const scrolls = /auto|scroll/.test(s.overflowY) && up.scrollHeight > up.clientHeight + 1;
          const sideways = /auto|scroll/.test(s.overflowX) && up.scrollWidth > up.clientWidth + 1;
          if ((scrolls || sideways) && up.closest('.jp-Cell')) bad.push('outer scroll ' + up.className);
        }
        return bad; }"""

    def check():
        assert nb.page.evaluate(report) == []

    nb.eventually(check)


def test_nothing_left_the_machine_and_nothing_went_wrong(nb):
    assert nb.left == []
    assert nb.problems == []


def test_five_thousand_cells_and_what_a_restart_brings_back(lab, cells_source):
    notebook = lab.open("five.ipynb", [cells_source(5000), "w = ms.views.explore(cells)\nw"])
    try:
        notebook.drawn()
        rows = notebook.lasso(radius=0.2)
        expected = notebook.ids(rows)
        notebook.until("list(w.selected)", expected)
        notebook.turned(expected)
        notebook.python("w.assign('kept');")
        page = notebook.page
        page.evaluate("()=>window.jupyterapp.commands.execute('docmanager:save').then(()=>1)")
        saved = json.loads((lab.root / "five.ipynb").read_text(encoding="utf-8"))
        outputs = json.dumps(saved["cells"][1]["outputs"])
        assert len(outputs) < 200_000 and "run this cell again" in outputs
        page.evaluate("async()=>{await window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()}")
        notebook.load()
        page.wait_for_selector(".mlscope-saved img", state="visible")
        assert "run this cell again" in page.locator(".mlscope-saved").inner_text()
        assert page.get_by_text("model not found").count() == 0 or not page.get_by_text("model not found").is_visible()
        notebook.run_all()
        notebook.drawn()
        page.locator(".mlscope-saved").wait_for(state="hidden")
        assert notebook.python("print(json.dumps(w.labels.dropna().to_dict()))") == dict.fromkeys(expected, "kept")
        page.wait_for_selector(f".ms-note:has-text('Restored {len(rows):,} labels')")
        assert notebook.left == []
    finally:
        notebook.close()
