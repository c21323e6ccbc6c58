"""The workbench as one HTML file, opened from disk with the network off: everything in it is linked."""

import json

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views._beside import distribution

pytestmark = pytest.mark.browser
N = 5000
# Nothing here waits for a kernel: once two frames were drawn, all that follows from a click is on the page.
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
AT_REST = """async () => { let same = 0, last = '';
  for (const end = performance.now() + 15000; same < 6 && performance.now() < end;) {
    await new Promise(requestAnimationFrame);
    const b = document.querySelector('.ms-map').getBoundingClientRect();
    const now = [b.left, b.top, b.width, b.height].join();
    same = now === last ? same + 1 : 0;
    last = now;
  } }"""


def inside(x, y, polygon):
    """Which points lie in a polygon, by the crossing number."""
    result = np.zeros(len(x), bool)
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            result ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return result


@pytest.fixture(scope="module")
def cells():
    """Cells with smooth crops of two channels, as a microscope makes them, and a measure with one decimal."""
    rng = np.random.default_rng(0)
    ids = [f"cell-{i}" for i in rng.permutation(N)]
    y, x = np.mgrid[:64, :64] - 32
    radius, bend = rng.uniform(9, 20, N), rng.uniform(0.6, 1.6, N)
    images = np.empty((N, 2, 64, 64), np.uint16)
    for i in range(N):
        away = (x / bend[i]) ** 2 + (y * bend[i]) ** 2
        images[i, 0] = 200 + 3000 * np.exp(-away / radius[i] ** 2)
        images[i, 1] = 150 + 2000 * np.exp(-away / (2.2 * radius[i]) ** 2) * (1 + 0.4 * np.sin(x / 3 + i))
    images += rng.poisson(40, images.shape).astype(np.uint16)
    size = np.round(rng.normal(5, 2, N), 1)
    size[::50] = np.nan
    obs = pd.DataFrame({"plate": rng.choice(["p1", "p2", "p10"], N), "size": size}, index=ids)
    umap = pd.DataFrame(rng.normal(size=(N, 2)), ids, columns=["x", "y"])
    features = pd.DataFrame(rng.normal(size=(N, 20)), ids, columns=[f"f{i}" for i in range(20)])
    maps = {"umap": umap, "other": umap[::-1].set_axis(ids)}
    return ms.Cells(obs, images, channels=["DNA", "ER"], features=features, embeddings=maps, batch="plate")


class Page:
    """A page opened from disk, and what went wrong in it."""

    def __init__(self, browser, path, eventually):
        self.eventually = eventually
        self.context = browser.new_context(offline=True, viewport={"width": 1366, "height": 900}, has_touch=False)
        self.page, self.problems, self.asked = self.context.new_page(), [], []
        self.page.on("console", lambda m: self.problems.append(m.text[:300]) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(f"pageerror: {str(e)[:300]}"))
        local = ("blob:", "data:", path.as_uri())
        self.page.on("request", lambda r: None if r.url.startswith(local) else self.asked.append(r.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("body[data-ready=true] .ms-crops[data-ready=true]")

    def geometry(self):
        self.page.evaluate(AT_REST)
        g = self.page.evaluate("document.querySelector('.ms-map').geometry(true)")
        return g | {"x": np.array(g["x"], float), "y": np.array(g["y"], float)}

    def shown(self):
        return json.loads(self.page.locator(".ms-crops").get_attribute("data-ids"))

    def title(self):
        return self.page.locator(".ms-side .ms-title").inner_text()

    def bars(self):
        """Return name and share of the selection of each bar, from the words that the mouse shows."""
        return self.page.evaluate(
            "() => [...document.querySelectorAll('.ms-bar-area title')].map((t) => t.textContent)"
        )

    def drag(self, corners):
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for corner in corners[1:]:
            self.page.mouse.move(*corner)
            self.page.evaluate(FRAMES)
        self.page.mouse.up()
        self.page.evaluate(FRAMES)

    def hover(self, x, y):
        """Rest on a place of the map until words stand beside the mouse; returns them."""

        def check():
            self.page.mouse.move(x - 1, y)
            self.page.mouse.move(x, y)
            assert self.page.locator(".ms-tip").is_visible()
            return self.page.locator(".ms-tip").inner_text()

        return self.eventually(check)


@pytest.fixture(scope="module")
def file(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    w = ms.views.explore(cells, autosave=False)
    w.select(cells.ids[:10]).assign("<b>round</b>")
    return w.to_html(folder / "page.html")


@pytest.fixture(scope="module")
def opened(browser, file, eventually):
    page = Page(browser, file, eventually)
    yield page
    page.context.close()


@pytest.fixture
def page(opened):
    opened.page.get_by_role("button", name="Clear").click()
    opened.page.get_by_label("Colour by").select_option("plate")
    opened.page.evaluate(FRAMES)
    return opened


def test_five_thousand_cells_are_at_most_three_megabytes(file):
    assert file.stat().st_size <= 3_000_000


def test_a_lasso_changes_crops_sentence_and_bars_exactly(page, cells):
    g = page.geometry()
    cx, cy = g["left"] + 0.45 * g["width"], g["top"] + 0.5 * g["height"]
    line = [
        (round(cx + r * np.cos(a)), round(cy + r * np.sin(a)))
        for a, r in zip(np.arange(12) / 2, [90, 50] * 6, strict=True)
    ]
    page.drag(line)
    rows = np.flatnonzero(inside(g["x"], g["y"], line))
    assert 100 < len(rows) < N
    assert page.geometry()["selected"] == rows.tolist()
    shown = page.shown()
    assert shown == cells.ids[rows][: len(shown)].tolist() and len(shown) >= 12
    assert page.title() == f"{len(rows):,} selected cells"
    shares = cells.obs["plate"].iloc[rows].value_counts(normalize=True)
    said = " ".join(page.bars())
    assert all(
        f"{plate}: " in said and f"of the selection {100 * share:.1f} %" in said for plate, share in shares.items()
    )
    page.page.get_by_role("button", name="Undo").click()
    assert page.geometry()["selected"] == [] and page.title() == "All 5,000 cells"
    page.page.get_by_role("button", name="Redo").click()
    assert page.geometry()["selected"] == rows.tolist()


@pytest.mark.parametrize("column", ["size", "f3", "plate", "label"])
def test_dragging_over_bars_selects_exactly_their_cells_on_the_map(page, cells, column):
    page.page.get_by_label("Column of the distribution").select_option(column)
    page.page.wait_for_selector(f".ms-bars[aria-label='Distribution of {column}']")
    bars = page.page.locator(".ms-bar-area")
    bars.first.scroll_into_view_if_needed()
    page.page.evaluate(FRAMES)
    n = bars.count()
    first, last = (0, 0) if n < 4 else (n // 3, n // 2)
    boxes = [bars.nth(i).bounding_box() for i in (first, last)]
    page.drag([(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2) for b in (boxes[0], boxes[0], boxes[1])])
    if column == "label":
        expected = np.arange(10)
    else:
        values = cells.obs[column] if column in cells.obs else cells.features[column]
        made = distribution(values)
        if made.edges:
            expected = np.flatnonzero((values >= made.edges[first]) & (values < made.edges[last + 1]))
        else:
            expected = np.flatnonzero(values == made.names[first])
    assert page.geometry()["selected"] == expected.tolist() and len(expected) >= 10
    shown = page.shown()
    assert shown == cells.ids[expected][: len(shown)].tolist()


def test_another_map_and_colours_keep_the_selection(page, cells):
    g = page.geometry()
    corner = (round(g["left"] + 0.4 * g["width"]), round(g["top"] + 0.4 * g["height"]))
    page.drag([corner, (corner[0] + 90, corner[1]), (corner[0] + 90, corner[1] + 90), (corner[0], corner[1] + 90)])
    chosen = page.geometry()["selected"]
    assert chosen
    page.page.get_by_label("Map", exact=True).select_option("other")
    page.page.get_by_label("Colour by").select_option("size")
    page.page.wait_for_selector(".ms-map[data-drawn='other']")
    page.page.wait_for_selector(".ms-entry:has-text('no value: 100')")
    assert page.geometry()["selected"] == chosen
    page.page.get_by_label("Order of the cells").select_option("size")
    shown = page.shown()
    order = cells.obs["size"].iloc[chosen].sort_values(kind="stable")
    assert cells.obs["size"][shown].tolist() == pytest.approx(order.head(len(shown)).tolist(), nan_ok=True)
    page.page.get_by_label("Order of the cells").select_option("table")
    page.page.get_by_label("Map", exact=True).select_option("umap")
    page.page.wait_for_selector(".ms-map[data-drawn='umap']")


def test_resting_on_a_point_shows_its_picture(page, cells):
    g = page.geometry()
    near = np.full(N, np.inf)
    for start in range(0, N, 1000):
        away = np.hypot(g["x"][start : start + 1000, None] - g["x"], g["y"][start : start + 1000, None] - g["y"])
        away[np.arange(len(away)), np.arange(start, start + len(away))] = np.inf
        near[start : start + 1000] = away.min(axis=1)
    row = int(near.argmax())
    words = page.hover(g["x"][row], g["y"][row])
    assert cells.ids[row] in words and f"plate: {cells.obs['plate'].iloc[row]}" in words
    page.page.wait_for_selector(".ms-tip:visible img")
    page.page.wait_for_function("() => document.querySelector('.ms-tip img').naturalWidth === 32")


def test_crops_are_turned_page_by_page_and_can_be_found(page, cells):
    first = page.shown()
    page.page.get_by_role("button", name="Next").click()
    assert page.shown() == cells.ids[len(first) : 2 * len(first)].tolist()
    page.page.locator(".ms-crops").click(position={"x": 20, "y": 20}, modifiers=["Shift"])
    assert page.geometry()["selected"] == [len(first)]
    assert page.shown()[0] == cells.ids[len(first)]  # the page stays: more crops can be taken
    page.page.get_by_role("button", name="Back").click()
    assert page.shown() == first


def test_labels_with_markup_are_text(page):
    page.page.get_by_label("Colour by").select_option("label")
    assert page.page.locator(".ms-entry").first.inner_text() == "<b>round</b>"
    assert page.page.locator("b").count() == 0


@pytest.mark.parametrize("width", [1366, 900])
def test_nothing_is_wider_than_the_page(page, width):
    page.page.set_viewport_size({"width": width, "height": 900})
    page.page.evaluate(FRAMES)
    page.page.wait_for_function("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.page.set_viewport_size({"width": 1366, "height": 900})


def test_hostile_names_run_nothing(browser, tmp_path, eventually):
    names = [
        "</script><script>window.hurt=1</script>",
        "<img src=x onerror='window.hurt=1'>",
        "\u2028'\"`${1}\\",
        "l" * 10_000,
    ]
    n = 40
    ids = [f"{names[i % 4]}{i}" for i in range(n)]
    obs = {name: [names[i % 4] for i in range(n)] for name in names} | {"x": np.arange(n) % 7.0, "y": np.arange(n) / 7}
    cells = ms.Cells(pd.DataFrame(obs, index=ids), np.ones((n, 1, 8, 8), "uint8"), channels=[names[1]])
    w = ms.views.explore(cells, ("x", "y"), colour=names[0], autosave=False).select(ids[:3]).assign(names[0])
    opened = Page(browser, w.to_html(tmp_path / "hostile.html", title=names[0]), eventually)
    try:
        page = opened.page
        for name in [*names, "label"]:
            page.get_by_label("Colour by").select_option(name)
            page.evaluate(FRAMES)
        g = opened.geometry()
        opened.hover(g["x"][5], g["y"][5])
        assert page.evaluate("window.hurt") is None and page.locator("#page script, #page img[src=x]").count() == 0
        assert page.title() == names[0] and names[0] in page.locator(".ms-head").inner_text()
        assert opened.problems == [] and opened.asked == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    finally:
        opened.context.close()


def test_nothing_was_asked_for_and_nothing_went_wrong(page):
    assert page.asked == [] and page.problems == []
