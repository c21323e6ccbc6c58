"""Several views of the same cells in one notebook, run again, and killed while labels are given."""

import os
import signal

import pytest

pytestmark = pytest.mark.browser

AWAKE = "sum(not getattr(v.__self__, '_sleeps', True) for v in w.selection._observers)"
GONE = ".ms-workbench .ms-lost:has-text('run this cell again')"


@pytest.fixture(scope="module")
def linked(lab, cells_source):
    sources = [
        cells_source(1500),
        "w = ms.views.explore(cells)\nw",
        "g = ms.views.gallery(cells, cells.ids[:40], rows=2)\ng",
        "both = ms.views.compare(cells, embedding=['umap', 'other'])\nboth",
    ]
    notebook = lab.open("linked.ipynb", sources, height=2600)
    notebook.drawn()
    notebook.page.wait_for_selector(".ms-map[data-drawn='other']")
    yield notebook
    notebook.close()


def drawn_as_selected(nb, which, expected):
    nb.page.wait_for_function(
        "([i, n]) => Number(document.querySelectorAll('.ms-map')[i].dataset.chosen) === n", arg=[which, len(expected)]
    )
    assert sorted(nb.geometry(which)["selected"]) == sorted(expected)


def run_again(nb, cell):
    """Run one cell and wait for its new view."""
    before = nb.page.evaluate(
        """() => { const all = [...document.querySelectorAll('.ms-workbench')];
        for (const node of all) node.dataset.old = 'true';
        return all.length; }"""
    )
    nb.page.evaluate(
        """async (i) => { const app = window.jupyterapp, book = app.shell.currentWidget.content;
        book.activeCellIndex = i; await app.commands.execute('notebook:run-cell'); }""",
        cell,
    )
    nb.page.wait_for_selector(".ms-workbench:not([data-old]) .ms-map[data-drawn='umap']")
    nb.page.wait_for_selector(".ms-workbench:not([data-old]) .ms-crops[data-ready=true]")
    nb.page.wait_for_function("n => document.querySelectorAll('.ms-workbench').length === n", arg=before)


def test_a_lasso_on_the_left_is_exact_on_the_right_and_everywhere(linked):
    rows = linked.lasso(which=1, radius=0.2)
    assert 50 < len(rows) < 1400
    linked.until("list(both.selected)", linked.ids(rows))
    for which in (0, 1, 2):
        drawn_as_selected(linked, which, rows.tolist())
    linked.page.wait_for_selector(f".ms-side .ms-title:has-text('{len(rows):,} selected cells')")
    more = linked.lasso(which=2, radius=0.2, key="Shift")
    expected = sorted({*rows.tolist(), *more.tolist()})
    linked.until("list(w.selected)", linked.ids(expected))
    for which in (0, 1, 2):
        drawn_as_selected(linked, which, expected)


def test_a_crop_clicked_in_the_gallery_is_marked_on_the_maps(linked):
    linked.page.locator(".ms-alone .ms-crops").click(position={"x": 100, "y": 20})
    wanted = linked.gallery_ids(1)[1]
    linked.until(
        "[w.selection.found, w._found, both.left._found]", [wanted, *[linked.ids(range(1500)).index(wanted)] * 2]
    )


def test_old_views_of_a_cell_that_was_run_again_do_no_work(linked):
    for _ in range(3):
        run_again(linked, 1)
    linked.until(AWAKE, 4)  # the workbench, the gallery, two maps
    assert linked.python("print(len(w.selection._observers))") > 4
    rows = linked.lasso(radius=0.2)
    linked.until("list(w.selected)", linked.ids(rows))
    linked.turned(linked.ids(rows))
    drawn_as_selected(linked, 2, rows.tolist())


def test_a_kernel_that_is_killed_while_labelling_loses_nothing(linked):
    page = linked.page
    linked.python("w.select(cells.ids[:1]).assign('round').selection.clear(); import os;")
    page.wait_for_selector(".ms-key:has-text('round')")
    page.locator(".ms-crops").first.click(position={"x": 20, "y": 20})
    linked.until("w.selection.found", linked.ids([0])[0])
    for _ in range(8):
        page.keyboard.press("1")
    linked.until("w.selection.found", linked.ids([8])[0])
    os.kill(linked.python("print(os.getpid())"), signal.SIGKILL)
    page.wait_for_selector(GONE, timeout=40_000)
    # JupyterLab's own note may come at any moment from here on.
    page.add_locator_handler(page.locator(".jp-Dialog .jp-mod-accept"), lambda accept: accept.click())
    page.wait_for_function("()=>window.jupyterapp.shell.currentWidget.sessionContext.session.kernel?.status=='idle'")
    linked.run_all()
    linked.drawn()

    def works():
        assert page.locator(GONE).locator("visible=true").count() == 0

    linked.eventually(works)
    labels = "[w.labels.dropna().to_dict(), w._words['can_undo']]"
    linked.until(labels, [dict.fromkeys(linked.ids(range(8)), "round"), True])
    page.wait_for_selector(".ms-note:has-text('Restored 8 labels')")
    page.locator(".ms-foot").first.get_by_role("button", name="Undo").click()
    linked.until("w.labels.dropna().index.tolist()", linked.ids(range(7)))


def test_nothing_left_the_machine(linked):
    assert linked.left == []
