"""Fields in a real browser: what is mixed on the screen is what the data, the sliders and the zoom say."""

import numpy as np
import pytest

pytestmark = pytest.mark.browser

FIELDS = """
import json, numpy as np, pandas as pd
import mlscope_nb as ms
ramp = np.tile(np.linspace(0, 4000, 1000), (1000, 1)).astype("uint16")
mask = np.zeros((1000, 1000), int)
mask[300:700, 300:700] = 1
images = [np.stack([ramp, ramp.T]), np.stack([ramp.T, ramp])]
fields = ms.Fields(pd.DataFrame(index=["f1", "f2"]), images, [mask, mask], channels=["DNA", "ER"], pixel_size_um=0.5)
"""
OPEN = """view = ms.views.fields(fields, contrast={"DNA": (0, 4000), "ER": (0, 4000)}, outlines=False)
view"""
# The colour on the screen at a place of the field, in pixels of the field.
PIXEL = """([x, y]) => {
  const c = document.querySelector('.ms-field-canvas'), [top, left, scale] = c.dataset.view.split(' ').map(Number);
  const at = [(x + 0.5 - left) * scale, (y + 0.5 - top) * scale].map(Math.floor);
  return [...c.getContext('2d').getImageData(...at, 1, 1).data]; }"""
CANVAS = ".ms-field-canvas"


@pytest.fixture(scope="module")
def nb(lab):
    notebook = lab.open("fields.ipynb", [FIELDS, OPEN, "# stays"])
    notebook.page.wait_for_selector(".ms-field-canvas[data-drawn=f1]")
    yield notebook
    notebook.close()


def pixel(nb, x, y):
    return np.array(nb.page.evaluate(PIXEL, [x, y])[:3], int)


def shown(nb):
    """Return top, left and pixels of the screen for one of the field."""
    return [float(v) for v in nb.page.locator(CANVAS).get_attribute("data-view").split()]


def comes_to(nb, which, expected, **close):
    """Wait until a part of what is shown has a value: a busy machine draws late."""

    def check():
        assert shown(nb)[which] == pytest.approx(expected, **close)

    nb.eventually(check)


def on_page(nb, y, x):
    """Return where a place of the field is on the page."""
    top, left, scale = shown(nb)
    box = nb.page.locator(CANVAS).bounding_box()
    return box["x"] + (x - left) * scale, box["y"] + (y - top) * scale


def zoomed(nb, zoom, centre):
    """Zoom from Python and wait until the page shows it: a square field of 1,000 pixels."""
    nb.python(f"view.zoom({zoom}, centre={centre});")
    wide = nb.page.locator(CANVAS).evaluate("c => c.width") / 1000

    def check():
        corner = [c - 500 / zoom for c in centre]
        assert shown(nb) == pytest.approx([*corner, zoom * wide], abs=1e-3)

    nb.eventually(check)


def test_the_mixture_is_that_of_the_data(nb):
    # DNA rises to the right (magenta), ER downwards (green): 255 · grey / 4000, to within the loss of the picture.
    def check():
        for x, y in [(200, 800), (800, 200), (500, 500), (990, 990)]:
            expected = 255 * np.array([x, y, x]) / 1000
            np.testing.assert_allclose(pixel(nb, x, y), expected, atol=8)

    nb.eventually(check)


def test_a_slider_changes_the_picture_at_once_and_reaches_python(nb):
    before = pixel(nb, 400, 100)
    frames = nb.page.evaluate(
        """async () => {
        const c = document.querySelector('.ms-field-canvas'), s = document.querySelectorAll('.ms-slider')[1];
        const see = () => [...c.getContext('2d').getImageData(190, 50, 1, 1).data].join(), was = see();
        s.value = 632; s.dispatchEvent(new Event('input', { bubbles: true }));
        let frames = 0;
        for (; see() === was && frames < 300; frames++) await new Promise(requestAnimationFrame);
        return frames; }"""
    )
    # At once is the next frame, whatever the kernel does; how long a frame takes is a matter of the machine.
    assert frames <= 1
    assert pixel(nb, 400, 100)[0] > 1.5 * before[0]
    nb.until("round(view.contrast['DNA'][1] / 4000, 1)", 0.4)
    assert "the data are not" in nb.page.locator(".ms-channels .ms-hint").inner_text()
    nb.page.get_by_role("button", name="Auto contrast").click()
    nb.page.wait_for_selector(".ms-hint:has-text('compared')")
    nb.until("view._settings['limits'] == view._settings['auto']", True)
    nb.python("view.show(contrast={'DNA': (0, 4000), 'ER': (0, 4000)});")
    nb.page.wait_for_selector(".ms-hint:has-text('the data are not')")
    nb.eventually(lambda: np.testing.assert_allclose(pixel(nb, 400, 100), before, atol=3))


def test_channels_switch_off_and_outlines_on(nb):
    nb.page.get_by_label("DNA", exact=False).first.uncheck()

    def green():
        assert pixel(nb, 800, 200)[0] < 8 and pixel(nb, 800, 200)[1] > 30

    nb.eventually(green)
    nb.page.get_by_label("outlines").check()

    def outlined():
        column = nb.page.evaluate(
            """() => { const c = document.querySelector('.ms-field-canvas'), at = Math.floor(c.height / 2);
            const row = c.getContext('2d').getImageData(0, at, c.width, 1).data;
            return Array.from({ length: c.width }, (_, i) => row[4 * i] > 230); }"""
        )
        # One line of one screen pixel at each side of the object, though the field is shown at half its size.
        scale = shown(nb)[2]
        ends = np.flatnonzero(column)
        assert len(ends) == 2
        np.testing.assert_allclose(ends / scale, [300, 699], atol=1 / scale + 1)

    nb.eventually(outlined)
    nb.page.get_by_label("outlines").uncheck()
    nb.page.get_by_label("DNA", exact=False).first.check()
    nb.until("[view._settings['on'], view._settings['outlines']]", [[True, True], False])


def test_another_field_and_the_scale_bar(nb):
    nb.page.get_by_label("Field", exact=True).select_option("f2")
    nb.page.wait_for_selector(".ms-field-canvas[data-drawn=f2]")
    nb.until("view.field_id", "f2")

    def check():
        assert pixel(nb, 800, 100)[1] > pixel(nb, 800, 100)[0]
        bar = nb.page.locator(".ms-scale")
        assert bar.inner_text() == "100 µm"
        wide = nb.page.locator(CANVAS).bounding_box()["width"]
        assert bar.bounding_box()["width"] == pytest.approx(100 / 500 * wide, abs=1)

    nb.eventually(check)


def test_the_wheel_zooms_around_the_pointer(nb):
    x, y = on_page(nb, 250, 750)
    nb.page.mouse.move(x, y)
    for _ in range(4):
        nb.page.mouse.wheel(0, -150)
    height = 1000 / 2 ** (4 * 150 / 300)

    def check():
        top, bottom, *_ = nb.python("print(json.dumps(view.visible))")
        assert bottom - top == pytest.approx(height, rel=0.01)
        assert on_page(nb, 250, 750) == pytest.approx((x, y), abs=1)
        # The bar is a round length of what is seen now.
        assert nb.page.locator(".ms-scale").inner_text() == "20 µm"
        wide = nb.page.locator(CANVAS).bounding_box()["width"]
        assert nb.page.locator(".ms-scale").bounding_box()["width"] == pytest.approx(20 / (height / 2) * wide, abs=1)
        np.testing.assert_allclose(pixel(nb, 750, 250), 255 * np.array([250, 750, 250]) / 1000, atol=3)

    nb.eventually(check)


def test_a_drag_moves_the_field_with_the_pointer(nb):
    zoomed(nb, 4, (500, 500))
    nb.at_rest(CANVAS)
    box = nb.page.locator(CANVAS).bounding_box()
    start = (box["x"] + 200, box["y"] + 200)
    before = shown(nb)
    nb.page.mouse.move(*start)
    nb.page.mouse.down()
    nb.page.mouse.move(start[0] - 40, start[1] + 60, steps=4)
    nb.page.mouse.up()

    def check():
        after = shown(nb)
        assert after[1] - before[1] == pytest.approx(40 / before[2], abs=0.5)
        assert after[0] - before[0] == pytest.approx(-60 / before[2], abs=0.5)
        assert nb.python("print(json.dumps(view.visible[0]))") == pytest.approx(after[0], abs=0.01)

    nb.eventually(check)


def test_a_zoom_from_python_stands_against_one_that_was_on_its_way(nb):
    zoomed(nb, 1, (500, 500))
    # While the kernel works, what the page sends has to wait until Python has set a zoom of its own.
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    nb.page.evaluate(
        f"""() => {{ window.worked = {kernel}.requestExecute({{ store_history: false,
        code: "import time; time.sleep(2); view.zoom(4, centre=(500, 500)); view.show(outlines=True);" }}).done; }}"""
    )
    nb.page.get_by_role("button", name="Zoom in").click()
    nb.page.get_by_label("DNA", exact=False).first.uncheck()
    nb.page.evaluate("() => window.worked.then(() => 1)")
    nb.page.wait_for_timeout(500)  # nothing else is to come
    comes_to(nb, 2, 4 * nb.page.locator(CANVAS).evaluate("c => c.width") / 1000, rel=1e-3)
    assert nb.python("print(json.dumps(view._camera['zoom']))") == 4
    nb.until("[view._settings['on'], view._settings['outlines']]", [[True, True], True])
    nb.page.wait_for_function("() => [...document.querySelectorAll('.ms-field .ms-check')].every((n) => n.checked)")
    nb.page.get_by_label("outlines").uncheck()
    nb.until("view._settings['outlines']", False)


def test_keys_buttons_and_a_double_click(nb):
    canvas = nb.page.locator(CANVAS)
    zoomed(nb, 1, (500, 500))
    canvas.focus()
    whole = shown(nb)[2]
    for key, expected in [("+", 1.5), ("+", 2.25), ("-", 1.5), ("0", 1)]:
        nb.page.keyboard.press(key)
        comes_to(nb, 2, expected * whole, rel=1e-3)
    assert nb.page.get_by_role("button", name="Whole field").is_disabled()
    for name, expected in [("Zoom in", 1.5), ("Zoom in", 2.25), ("Zoom out", 1.5), ("Whole field", 1)]:
        nb.page.get_by_role("button", name=name).click()
        comes_to(nb, 2, expected * whole, rel=1e-3)
    # Python hears of the last zoom late, and would take a zoom of its own back then: wait for one it has not had yet.
    for _ in range(3):
        nb.page.get_by_role("button", name="Zoom in").click()
    nb.until("round(view._camera['zoom'], 3)", 3.375)
    nb.python("view.zoom(4, centre=(500, 500));")
    comes_to(nb, 2, 4 * whole, rel=1e-3)
    canvas.focus()
    for key, where, by in [("ArrowRight", 1, 31.25), ("ArrowDown", 0, 31.25), ("ArrowLeft", 1, -31.25)]:
        before = shown(nb)[where]
        nb.page.keyboard.press(key)
        comes_to(nb, where, before + by, abs=0.01)
    canvas.dblclick()
    nb.until("view._camera['zoom']", 1)
    comes_to(nb, 2, whole, rel=1e-3)


def test_it_stays_on_the_machine_and_inside_its_box(nb):
    before = nb.sources()
    nb.page.locator(CANVAS).click()
    for key in "xdd12+z0":
        nb.page.keyboard.press(key)
    nb.page.keyboard.press("ArrowDown")
    assert nb.sources() == before
    nb.page.wait_for_function("() => (n => n.scrollWidth <= n.clientWidth)(document.querySelector('.ms-field'))")
    assert nb.left == [] and nb.problems == []


# --- large fields, in full ----------------------------------------------------------------------------------------

LARGE = """
import json, numpy as np, pandas as pd
import mlscope_nb as ms
rng = np.random.default_rng(0)
# Single pixels differ, so that a thinned or smoothed picture cannot pass for the real one.
image = rng.integers(0, 2, (1, 3000, 4000)).astype("uint8") * 200
mask = np.zeros((3000, 4000), int)
mask[1500:1520, 2000:2030] = 1
fields = ms.Fields(pd.DataFrame(index=["big"]), [image], [mask], channels=["DNA"])
view = ms.views.fields(fields, contrast={"DNA": (0, 200)})
sizes = []
send = view.send
view.send = lambda content, buffers=None: (sizes.append(sum(map(len, buffers))), send(content, buffers=buffers))
view
"""


@pytest.fixture(scope="module")
def large(lab):
    notebook = lab.open("large.ipynb", [LARGE, "# stays"])
    notebook.page.wait_for_selector(".ms-field-canvas[data-drawn=big]")
    yield notebook
    notebook.close()


def test_enlarged_fields_show_each_of_their_pixels(large):
    assert large.python("print(json.dumps(len(view._planes)))") < 2_000_000
    large.python("view.zoom(50, centre=(1510, 2015));")
    large.page.wait_for_selector(".ms-field-canvas[data-detail='1']")
    comes_to(large, 0, 1510 - 3000 / 50 / 2, abs=0.01)
    comes_to(large, 1, 2015 - 4000 / 50 / 2, abs=0.01)
    top, left, _ = shown(large)
    rows, columns = np.arange(int(top) + 1, int(top) + 50), np.arange(int(left) + 1, int(left) + 70)
    large.python("view.show(outlines=False);")
    true = large.python(
        f"print(json.dumps(image[0, {rows[0]}:{rows[-1] + 1}, {columns[0]}:{columns[-1] + 1}].tolist()))"
    )
    expected = np.repeat((np.array(true) * 255 / 200)[..., None], 3, axis=2)

    def check():
        # Three places in each square: a smoothed one would not be of one colour.
        got = large.page.evaluate(
            """([rows, columns]) => {
            const c = document.querySelector('.ms-field-canvas');
            const [top, left, scale] = c.dataset.view.split(' ').map(Number);
            const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            const at = (y, x) => all[4 * (Math.floor((y - top) * scale) * c.width + Math.floor((x - left) * scale))];
            return rows.map((y) => columns.map((x) => [0.2, 0.5, 0.8].map((d) => at(y + d, x + d)))); }""",
            [rows.tolist(), columns.tolist()],
        )
        np.testing.assert_allclose(np.array(got), expected, atol=1)

    large.eventually(check)
    assert max(large.python("print(json.dumps(sizes))")) < 2_000_000


def test_outlines_are_as_thin_at_every_zoom(large):
    large.python("view.show(outlines=True, contrast={'DNA': (10000, 20000)});")
    for zoom in (20, 60):
        large.python(f"view.zoom({zoom}, centre=(1510, 2015));")
        comes_to(large, 2, zoom * large.page.locator(CANVAS).evaluate("c => c.width") / 4000, rel=1e-3)

        def check():
            white = large.page.evaluate(
                """() => { const c = document.querySelector('.ms-field-canvas');
                const [top, left, scale] = c.dataset.view.split(' ').map(Number);
                const row = c.getContext('2d').getImageData(0, Math.floor((1510.5 - top) * scale), c.width, 1).data;
                const all = Array.from({ length: c.width }, (_, i) => i);
                return all.filter((i) => row[4 * i] > 230).map((i) => left + (i + 0.5) / scale); }"""
            )
            # One pixel of the screen at each side, inside the object.
            assert len(white) == 2
            half = 0.5 / shown(large)[2]
            np.testing.assert_allclose(white, [2000 + half, 2030 - half], atol=1.1 * half)

        large.eventually(check)
    assert large.left == [] and large.problems == []


# --- one selection for cells and fields -----------------------------------------------------------------------------

LINKED = """
import json, numpy as np, pandas as pd
import mlscope_nb as ms
masks = []
for shift in (0, 30):
    mask = np.zeros((400, 500), int)
    for k in range(12):
        y, x = 40 + 110 * (k // 4), 40 + shift + 110 * (k % 4)
        mask[y:y + 40, x:x + 40] = k + 1
    masks.append(mask)
images = [np.where(m > 0, 800, 100)[None].astype("uint16") for m in masks]
name = 'f<img src=x onerror="window.hacked=1">'
fields = ms.Fields(pd.DataFrame(index=["f1", name]), images, masks, channels=["DNA"])
cells = ms.io.crop(fields)
selection = ms.views.selection_of(cells)
view = ms.views.fields(fields, cells=cells, contrast={"DNA": (0, 4000)})
view
"""
ORANGE = """() => { const c = document.querySelector('.ms-field-canvas');
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
  for (let k = 0; k < d.length; k += 4) if (d[k] === 230 && d[k + 1] === 159 && d[k + 2] === 0) n++;
  return n; }"""


@pytest.fixture(scope="module")
def linked(lab):
    notebook = lab.open("linked.ipynb", [LINKED, "ms.views.gallery(cells, rows=2)"])
    notebook.page.wait_for_selector(".ms-field-canvas[data-drawn=f1]")
    notebook.page.wait_for_selector(".ms-crops[data-ready=true]")
    notebook.at_rest(CANVAS)
    yield notebook
    notebook.close()


def test_a_click_finds_and_shift_selects(linked):
    linked.page.mouse.click(*on_page(linked, 60, 60))
    linked.until("selection.found", "f1-0001")
    linked.page.wait_for_selector(".ms-field-canvas[data-found='0']")
    # Two rings around it, in the one colour that nothing else has yet.
    assert linked.page.evaluate(ORANGE) > 200
    linked.page.mouse.click(*on_page(linked, 20, 20))
    linked.until("selection.found", None)
    linked.page.wait_for_selector(".ms-field-canvas[data-found='-1']")
    assert linked.page.evaluate(ORANGE) == 0
    linked.page.keyboard.down("Shift")
    linked.page.mouse.click(*on_page(linked, 60, 170))
    linked.page.mouse.click(*on_page(linked, 170, 60))
    linked.page.keyboard.up("Shift")
    linked.until("selection.selected.tolist()", ["f1-0002", "f1-0005"])
    linked.page.wait_for_function(f"({ORANGE})() > 200")
    linked.page.wait_for_selector(".ms-link:has-text('2 cells selected, 2 of them in this field')")

    def check():
        # The outline of a selected cell is seen where that cell is, and not around others.
        scale = shown(linked)[2]
        ring = pixel(linked, 150 + 0.5 / scale, 60)
        assert ring.tolist() == [230, 159, 0] and pixel(linked, 260 + 0.5 / scale, 60).tolist() != [230, 159, 0]

    linked.eventually(check)


def test_a_selection_from_python_is_outlined_and_counted_by_field(linked):
    linked.python("selection.select([c for c in cells.ids if c.endswith(('-0001', '-0002', '-0003'))][1:]);")
    linked.page.wait_for_selector(".ms-link:has-text('5 cells selected')")

    def check():
        labels = linked.page.locator("select[aria-label=Field] option").all_inner_texts()
        assert labels == ["f1 (2 selected)", 'f<img src=x onerror="window.hacked=1"> (3 selected)']

    linked.eventually(check)
    linked.python("selection.clear();")
    linked.page.wait_for_function(f"({ORANGE})() === 0")


def test_a_cell_of_another_field_is_named_and_a_click_jumps_there(linked):
    linked.python("selection.find(cells.ids[-1]);")
    note = linked.page.locator(".ms-away")
    note.wait_for()
    assert note.locator("span").inner_text() == (
        'Cell f<img src=x onerror="window.hacked=1">-0012 is in field f<img src=x onerror="window.hacked=1">.'
    )
    assert linked.python("print(json.dumps(view.field_id))") == "f1"
    note.get_by_role("button", name="Show it").click()
    linked.until("view.field_id", 'f<img src=x onerror="window.hacked=1">')
    note.wait_for(state="hidden")
    linked.page.wait_for_selector(".ms-field-canvas[data-found='11']")
    linked.at_rest(".ms-crops")
    crops = linked.page.locator(".ms-crops").first
    crops.scroll_into_view_if_needed()
    crops.click(position={"x": 20, "y": 20})
    linked.until("view.field_id", "f1")
    assert linked.python("print(json.dumps(selection.found))") == "f1-0001"
    assert linked.page.evaluate("() => window.hacked") is None
    assert linked.left == [] and [p for p in linked.problems if "ms-" in p or "Error" in p] == []
