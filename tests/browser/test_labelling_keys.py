"""Labelling single cells with number keys, blind mode, and the work taken home, in a real browser."""

import json
import zipfile

import pytest

pytestmark = pytest.mark.browser

KEYS = [*"123456789", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "x", "z", "d", "d", "a", "b", "m", "0", "0"]
TEXT = """() => { const root = document.querySelector('.ms-workbench'), found = [];
for (const node of [root, ...root.querySelectorAll('*')]) {
  found.push(node.title ?? '', node.getAttribute('aria-label') ?? '', node.value ?? '', node.placeholder ?? '');
  for (const child of node.childNodes) if (child.nodeType === 3) found.push(child.textContent);
}
return found.join(' | '); }"""


@pytest.fixture
def keyed(nb):
    """The workbench with two labels on the keys; labels given in the test are taken back after it."""
    nb.python("w.select(cells.ids[:1]).assign('round').assign('long').selection.clear(); before = len(w.annotations);")
    nb.page.wait_for_selector(".ms-key:has-text('long')")
    nb.turned(nb.ids(range(60)))
    yield nb
    nb.python("w.select(cells.ids).assign(None).selection.clear();")


def first_crop(nb):
    nb.page.locator(".ms-crops").click(position={"x": 20, "y": 20})
    nb.until("w.selection.found", nb.gallery_ids()[0])


def test_number_keys_label_one_cell_after_the_other_and_turn_the_page(keyed):
    nb = keyed
    shown = nb.gallery_ids()
    first_crop(nb)
    typed = ["1", "2"] * (len(shown) // 2 + 1)
    for key in typed:
        nb.page.keyboard.press(key)
    order = nb.ids(range(len(typed)))
    names = nb.python("import json; print(json.dumps(w.label_keys))")
    nb.until(f"w.labels[{order!r}].tolist()", [names[int(key) - 1] for key in typed])
    nb.until("w.selection.found", nb.ids([len(typed)])[0])
    nb.page.wait_for_function(
        "id => JSON.parse(document.querySelector('.ms-crops').dataset.ids).includes(id)", arg=nb.ids([len(typed)])[0]
    )
    assert set(nb.gallery_ids()).isdisjoint(shown)
    nb.page.keyboard.press("ArrowLeft")
    nb.page.keyboard.press("0")
    nb.until(f"w.labels.isna()[{order[-1]!r}].item()", True)
    nb.page.keyboard.press("Control+z")
    nb.until(f"w.labels[{order[-1]!r}]", names[int(typed[-1]) - 1])
    assert nb.python("print(len(w.selected))") == 0


def test_a_click_on_a_key_labels_the_marked_cell(keyed):
    first_crop(keyed)
    found = keyed.gallery_ids()[0]
    keyed.page.locator(".ms-key:has-text('long')").click()
    keyed.until(f"w.labels[{found!r}]", "long")


@pytest.mark.parametrize(
    "part",
    [
        ".ms-tool",
        ".ms-entry",
        ".ms-tab",
        ".ms-bars",
        ".ms-contrast-line",
        ".ms-key",
        ".ms-gallery-head select",
        ".ms-label",
    ],
)
def test_keys_inside_any_part_leave_the_notebook_alone(keyed, part):
    nb = keyed
    before = nb.sources()
    nb.page.locator(part).first.focus()
    for key in KEYS:
        nb.page.keyboard.press(key)
    nb.page.wait_for_timeout(150)
    assert nb.sources() == before and nb.page.locator(".jp-Dialog").count() == 0
    if part == ".ms-label":
        assert nb.page.locator(".ms-label").input_value() != ""
        nb.page.locator(".ms-label").fill("")


def test_blind_mode_shows_no_plate_and_comes_back(nb):
    nb.lasso()
    nb.until("len(w.selected) > 0", True)
    nb.page.wait_for_selector(".ms-summary:has-text('plate p1')")
    box = nb.page.get_by_text("blind: hide plates")
    box.click()
    nb.until("w._blind", True)

    def check():
        shown = nb.page.evaluate(TEXT).replace("blind: hide plates, classes and names", "")
        assert [word for word in ("p1", "p2", "p3", "plate", "radius", "cell-") if word in shown] == []

    nb.eventually(check)
    g = nb.geometry()
    tip = nb.hover(g["x"][5], g["y"][5])
    assert "p1" not in tip and "cell-" not in tip
    check()  # and so it stays
    box.click()
    nb.until("w._blind", False)
    nb.page.wait_for_selector(".ms-entry:has-text('p1')")


def test_the_work_can_be_taken_home(keyed, tmp_path):
    with keyed.page.expect_download() as waiting:
        keyed.page.get_by_role("button", name="Download my work").click()
    path = tmp_path / "work.zip"
    waiting.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        log = next(n for n in names if n.endswith(f"{keyed.python('print(json.dumps(cells.fingerprint))')}.jsonl"))
        values = [json.loads(line).get("value") for line in archive.read(log).decode().splitlines()]
    assert "workbench.ipynb" in names and "round" in values


def test_nothing_went_wrong(nb):
    assert nb.problems == [] and nb.left == []
