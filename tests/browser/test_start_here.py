"""Notebook 00 as a learner meets it: a small screen, the sidebar open, everything run, then a lasso and a name."""

import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
OUTPUTS = """()=>{const found={stderr:[],errors:[]};
  for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells) {
    const outputs = cell.outputs; if (!outputs) continue;
    for (let i = 0; i < outputs.length; i++) { const o = outputs.get(i).toJSON();
      if (o.output_type === 'error') found.errors.push(o.evalue);
      if (o.output_type === 'stream' && o.name === 'stderr') found.stderr.push(o.text); } }
  return found}"""
WIDER_THAN_THE_PAGE = """()=>[...document.querySelectorAll('.jp-Cell')].filter(
  c=>c.scrollWidth > c.clientWidth + 1).map(c=>c.innerText.slice(0, 80))"""
TO_THE_MAP = """async ()=>{const notebook=window.jupyterapp.shell.currentWidget.content;
  const cells=[...notebook.model.cells];
  await notebook.scrollToItem(cells.findIndex(c=>c.sharedModel.getSource().includes('views.explore(')), 'start')}"""
FRAME = """()=>{const g=document.querySelector('.ms-map').geometry(); return [g.left, g.top, g.width, g.height]}"""


@pytest.fixture(scope="module")
def start(lab):
    # a folder of its own: labels are saved beside the notebook
    (lab.root / "start").mkdir()
    shutil.copy(NOTEBOOK, lab.root / "start" / NOTEBOOK.name)
    notebook = lab.show(f"start/{NOTEBOOK.name}", width=1366, height=768)
    yield notebook
    notebook.close()


def in_view(start):
    """Scroll to the map until the page stops moving (cells above it are drawn late); returns its frame."""
    before = None
    for _ in range(40):
        start.page.evaluate(TO_THE_MAP)
        start.page.locator(".ms-map").first.scroll_into_view_if_needed()
        start.page.wait_for_timeout(300)
        frame = start.page.evaluate(FRAME)
        if frame == before and frame[1] > 0 and frame[1] + frame[3] < 768:
            return frame
        before = frame
    raise AssertionError(f"The map does not come to rest in the window: {frame}")


def test_it_runs_from_top_to_bottom_and_stays_on_the_machine(start):
    start.page.locator(".jp-FileBrowser").wait_for()
    start.run_all(seconds=300)
    found = start.page.evaluate(OUTPUTS)
    assert found == {"stderr": [], "errors": []}
    assert not start.left and not start.problems


def test_umap_takes_the_place_of_pca(start):
    start.until("'umap' in map_view.embeddings", True, seconds=180)


def test_a_lasso_a_name_and_a_file(start):
    start.python("map_view.selection.clear()")
    start.page.wait_for_selector(".ms-map[data-drawn='umap'][data-chosen='0']")
    left, top, width, height = in_view(start)
    mouse, (x, y, r) = start.page.mouse, (left + width / 2, top + height / 2, height * 0.4)
    mouse.move(x - r, y - r)
    mouse.down()
    for dx, dy in ((1, -1), (1, 1), (-1, 1), (-1, -0.9)):
        mouse.move(x + dx * r, y + dy * r, steps=4)
        start.frames()
    mouse.up()

    def check():
        chosen = start.python("import json; print(json.dumps(list(map_view.selected)))")
        assert 20 < len(chosen) < 1880
        return chosen

    chosen = start.eventually(check)
    start.page.get_by_placeholder("name these cells").first.fill("seen")
    start.page.get_by_role("button", name="Label selection").first.click()
    named = "sorted(map_view.labels[map_view.labels == 'seen'].index)"
    start.until(named, sorted(chosen))
    assert any("seen" in f.read_text() for f in (start.lab.root / "start" / "mlscope_work").glob("*.jsonl"))


def test_nothing_is_wider_than_the_page(start):
    def check():
        assert start.page.evaluate(WIDER_THAN_THE_PAGE) == []

    start.eventually(check)
