"""What stands around the map, used with the mouse and the keyboard: tools, legend, order, contrast, bars."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.browser


def chosen(nb, rows):
    """Wait until exactly the cells at these positions are selected."""
    nb.until("list(w.selected)", nb.ids(rows))


def tool(nb, name):
    nb.page.locator(".ms-tools").get_by_role("button", name=name, exact=True).click()


def range_of(nb):
    return np.array(nb.geometry()["range"])


def whole(nb):
    tool(nb, "Whole map")
    nb.frames()


def test_a_box_takes_what_lies_in_it(nb):
    whole(nb)
    g = nb.geometry()
    tool(nb, "Box")
    low = (round(g["left"] + 0.3 * g["width"]), round(g["top"] + 0.35 * g["height"]))
    high = (low[0] + 120, low[1] + 90)
    nb.drag([low, (low[0] + 50, low[1] + 20), high])
    tool(nb, "Lasso")
    rows = np.flatnonzero((g["x"] > low[0]) & (g["x"] < high[0]) & (g["y"] > low[1]) & (g["y"] < high[1]))
    assert len(rows) > 30
    chosen(nb, rows)


def test_moving_the_map_selects_nothing_and_a_lasso_is_exact_after_it(nb):
    whole(nb)
    before, g = range_of(nb), nb.geometry()
    tool(nb, "Move")
    start = (g["left"] + 100, g["top"] + 100)
    nb.drag([start, (start[0] + 30, start[1]), (start[0] + 60, start[1] + 30)])
    tool(nb, "Lasso")
    after, moved = range_of(nb), nb.geometry()
    assert after[1] - after[0] == pytest.approx(before[1] - before[0]) and after[0] < before[0]
    np.testing.assert_allclose(moved["x"] - g["x"], 60, atol=1)
    np.testing.assert_allclose(moved["y"] - g["y"], 30, atol=1)
    assert nb.python("print(len(w.selected))") == 0
    chosen(nb, nb.lasso(radius=0.2))
    whole(nb)
    nb.eventually(lambda: np.testing.assert_allclose(range_of(nb), before))


def test_keys_zoom_move_and_clear(nb):
    whole(nb)
    first = range_of(nb)
    nb.lasso(radius=0.15)
    nb.until("len(w.selected) > 0", True)
    nb.page.keyboard.press("+")

    def nearer():
        near = range_of(nb)
        assert near[1] - near[0] == pytest.approx(0.8 * (first[1] - first[0]))

    def shifted():
        assert range_of(nb)[0] == pytest.approx(first[0] + 0.1 * (first[1] - first[0]))

    nb.eventually(nearer)
    nb.page.keyboard.press("-")
    nb.page.keyboard.press("ArrowRight")
    nb.eventually(shifted)
    nb.page.keyboard.press("0")
    nb.eventually(lambda: np.testing.assert_allclose(range_of(nb), first))
    nb.page.keyboard.press("Escape")
    nb.until("len(w.selected)", 0)


def test_a_class_switched_off_is_left_out_and_comes_back(nb):
    entry = nb.page.locator(".ms-entry:has-text('p2')")
    entry.click()
    nb.until("w._hidden", ["p2"])
    rows = nb.lasso()
    plates = nb.python("import json; print(json.dumps(list(cells.obs['plate'])))")
    seen = [r for r in rows if plates[r] != "p2"]
    assert 20 < len(seen) < len(rows)
    chosen(nb, seen)
    nb.page.get_by_role("button", name="show all").click()
    nb.until("w._hidden", [])
    chosen(nb, nb.lasso())


def test_alt_takes_away(nb):
    first = nb.lasso(radius=0.3)
    nb.until("len(w.selected)", len(first))
    second = nb.lasso(centre=(0.45, 0.5), radius=0.15, key="Alt")
    rest = np.setdiff1d(first, second)
    assert 0 < len(rest) < len(first)
    chosen(nb, rest)


def test_the_order_chosen_is_that_of_the_crops(nb):
    nb.page.get_by_label("Order of the cells").select_option("radius")
    nb.until("w._sort", "radius")
    nb.page.wait_for_function(
        "id => JSON.parse(document.querySelector('.ms-crops').dataset.ids)[0] === id",
        arg=nb.python("import json; print(json.dumps(cells.obs['radius'].idxmin()))"),
    )
    shown = nb.gallery_ids()
    expected = nb.python(
        "import json; print(json.dumps(list(cells.obs['radius'].sort_values(kind='stable').index[:60])))"
    )
    assert shown == expected[: len(shown)]


def pixels(nb):
    """Return the mean colour of the crops as they are drawn."""
    return np.array(
        nb.page.evaluate(
            """() => { const c = document.querySelector('.ms-crops');
            const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, sum = [0, 0, 0];
            for (let i = 0; i < p.length; i++) if (i % 4 < 3) sum[i % 4] += p[i];
            return sum.map((s) => s / (p.length / 4)); }"""
        )
    )


def test_contrast_sliders_and_switches_change_the_crops(nb):
    nb.page.locator(".ms-contrast-line").click()
    before = pixels(nb)
    nb.page.get_by_label("DNA: shown as full colour").evaluate(
        "node => { node.value = node.max; node.dispatchEvent(new Event('change')); }"
    )
    nb.until("bool(w._crops.limits[0][1] > w._crops._auto[0][1])", True)
    nb.page.wait_for_selector(".ms-contrast-line:has-text('contrast as given')")
    darker = pixels(nb)
    assert darker.sum() < 0.95 * before.sum()
    nb.page.locator(".ms-contrast-row:has-text('DNA') input[type=checkbox]").click()
    nb.until("list(w._crops.shown)", ["actin"])

    def check():
        assert pixels(nb).sum() < darker.sum()

    nb.eventually(check)
    nb.page.get_by_role("button", name="Auto, the same for all cells").click()
    nb.until("w._crops.limits.tolist() == w._crops._auto.tolist()", True)
    nb.page.locator(".ms-contrast-line").click()


def test_dragging_over_bars_selects_exactly_their_cells(nb):
    nb.page.get_by_label("Column of the distribution").select_option("radius")
    nb.until("w._panel['parts'][0]['column']", "radius")
    nb.page.wait_for_selector(".ms-bars[aria-label='Distribution of radius']")
    bars = nb.page.locator(".ms-bar-area")
    bars.first.scroll_into_view_if_needed()
    nb.at_rest(".ms-bars")
    first, last = 3, 6
    boxes = [bars.nth(i).bounding_box() for i in (first, last)]
    ends = [(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2) for b in boxes]
    nb.drag([ends[0], ((ends[0][0] + ends[1][0]) / 2, ends[0][1]), ends[1]])
    low, high = nb.python(
        f"import json; e = w._panel['parts'][0]['edges']; print(json.dumps([e[{first}], e[{last + 1}]]))"
    )
    nb.until(f"list(w.selected) == list(cells.where('{low} <= radius < {high}').ids) and len(w.selected) > 50", True)


def test_more_like_this_shows_the_neighbours_of_the_cell_clicked(nb):
    nb.page.locator(".ms-crops").click(position={"x": 100, "y": 20})
    clicked = nb.gallery_ids()[1]
    nb.until("w.selection.found", clicked)
    nb.page.get_by_role("button", name="More like this").click()
    nb.page.wait_for_function(
        "id => JSON.parse(document.querySelector('.ms-crops').dataset.ids)[0] === id", arg=clicked
    )
    shown = nb.turned()
    alike = f"ms.explore.distance_to(cells, ['{clicked}']).sort_values(kind='stable').index[:{len(shown)}]"
    assert shown == nb.python(f"import json; print(json.dumps(list({alike})))")


REPORT = """() => { const root = document.querySelector('.ms-workbench'), box = root.getBoundingClientRect(), bad = [];
const leaves = [];
for (const node of [root, ...root.querySelectorAll('*')]) {
  const b = node.getBoundingClientRect(), style = getComputedStyle(node);
  // What a closed <details> holds keeps its place in the layout, but is not seen.
  if (!b.width || !b.height || !node.checkVisibility() || /^OPT(ION|GROUP)$/.test(node.tagName)) continue;
  const name = (node.className.baseVal ?? node.className) || node.tagName;
  if (b.right > box.right + 1 || b.left < box.left - 1 || b.bottom > box.bottom + 1) bad.push('out ' + name);
  if (/auto|scroll/.test(style.overflowX + style.overflowY)) bad.push('scroll ' + name);
  const words = node.children.length === 0 && node.textContent.trim();
  if (words && parseFloat(style.fontSize) < 13 && node.tagName !== 'title') bad.push('small ' + name);
  const short = style.textOverflow === 'ellipsis' && node.closest('[title]');
  if (node.scrollWidth > node.clientWidth + 1 && style.overflowX === 'hidden' && !short) bad.push('cut ' + name);
  const used = words || /^(BUTTON|SELECT|INPUT)$/.test(node.tagName);
  if (used && !/rect|title/.test(node.tagName)) leaves.push([name, b, node]);
}
for (let i = 0; i < leaves.length; i++) for (let j = i + 1; j < leaves.length; j++) {
  const [one, a, x] = leaves[i], [two, b, y] = leaves[j];
  if (x.contains(y) || y.contains(x)) continue;
  const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (wide > 2 && high > 4) bad.push(`over ${one} ${x.textContent} / ${two} ${y.textContent}`);
}
return bad; }"""


@pytest.mark.parametrize("width", [1366, 900])
def test_nothing_is_clipped_or_overlaps_at_any_width(nb, width):
    nb.page.set_viewport_size({"width": width, "height": 768})
    try:
        nb.python("w.select(cells.ids[:700]);")
        nb.page.wait_for_selector(".ms-side .ms-title:has-text('700 selected cells')")
        nb.turned(nb.ids(range(700)))

        def check():
            assert nb.page.evaluate(REPORT) == [], (width, tab)

        for tab, part in {"distribution": "svg.ms-bars", "differences": ".ms-effects", "sources": ".ms-parts"}.items():
            nb.python(f"w.beside({tab!r});")
            nb.page.wait_for_selector(f".ms-beside {part}")
            nb.frames()
            nb.eventually(check)
    finally:
        nb.page.set_viewport_size({"width": 1366, "height": 768})


def test_the_crops_do_not_jump_when_another_number_of_cells_is_selected(nb):
    tops = []
    for n in (3, 1234, 2000, 0):
        nb.python(f"w.select(cells.ids[:{n}]);")
        nb.page.wait_for_function(
            "t => document.querySelector('.ms-side .ms-title').textContent === t",
            arg=f"{n:,} selected cells" if n else "All 2,000 cells",
        )
        tops.append(
            nb.page.evaluate(
                "() => document.querySelector('.ms-crops').offsetTop - document.querySelector('.ms-side').offsetTop"
            )
        )
    assert len(set(tops)) == 1, tops


def test_nothing_went_wrong(nb):
    assert nb.problems == [] and nb.left == []
    assert json.dumps(nb.sources()[2]) == '"# a cell that must stay as it is"'
