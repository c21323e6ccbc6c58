"""Fields in a real browser: what is mixed on the screen is what the data and the sliders say."""

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
PIXEL = """([x, y]) => [...document.querySelector('.ms-field-canvas').getContext('2d').getImageData(x, y, 1, 1).data]"""


@pytest.fixture(scope="module")
def nb(lab):
    notebook = lab.open("fields.ipynb", [FIELDS, OPEN, "# stays"])
    notebook.page.wait_for_selector(".ms-field-canvas[data-drawn=f1]")
    yield notebook
    notebook.close()


def pixel(nb, x, y):
    return np.array(nb.page.evaluate(PIXEL, [x, y])[:3], int)


def test_the_mixture_is_that_of_the_data(nb):
    # DNA rises to the right (magenta), ER downwards (green): 255 · grey / 4000, to within the loss of the picture.
    for x, y in [(200, 800), (800, 200), (500, 500), (990, 990)]:
        expected = 255 * np.array([x, y, x]) / 1000
        np.testing.assert_allclose(pixel(nb, x, y), expected, atol=8)


def test_a_slider_changes_the_picture_at_once_and_reaches_python(nb):
    before = pixel(nb, 400, 100)
    took = nb.page.evaluate(
        """async () => {
        const c = document.querySelector('.ms-field-canvas'), s = document.querySelectorAll('.ms-slider')[1];
        const see = () => [...c.getContext('2d').getImageData(400, 100, 1, 1).data].join();
        const was = see(), began = performance.now();
        s.value = 632; s.dispatchEvent(new Event('input', { bubbles: true }));
        while (see() === was && performance.now() - began < 5000) await new Promise(requestAnimationFrame);
        return performance.now() - began; }"""
    )
    # The budget is 0.3 s on an idle machine; shared ones are slower.
    assert took < 1500
    assert pixel(nb, 400, 100)[0] > 1.5 * before[0]
    nb.until("round(view.contrast['DNA'][1] / 4000, 1)", 0.4)
    assert "the data are not" in nb.page.locator(".ms-hint").inner_text()
    nb.page.get_by_role("button", name="Auto contrast").click()
    nb.page.wait_for_selector(".ms-hint:has-text('compared')")
    nb.until("view._settings['limits'] == view._settings['auto']", True)
    nb.python("view.show(contrast={'DNA': (0, 4000), 'ER': (0, 4000)});")
    nb.page.wait_for_selector(".ms-hint:has-text('the data are not')")
    np.testing.assert_allclose(pixel(nb, 400, 100), before, atol=3)


def test_channels_switch_off_and_outlines_on(nb):
    nb.page.get_by_label("DNA", exact=False).first.uncheck()
    nb.page.wait_for_timeout(400)
    assert pixel(nb, 800, 200)[0] < 8 and pixel(nb, 800, 200)[1] > 30
    nb.page.get_by_label("outlines").check()
    nb.page.wait_for_timeout(400)
    assert (pixel(nb, 300, 500) > 230).all()
    assert (pixel(nb, 298, 500) < 60).all()
    nb.page.get_by_label("outlines").uncheck()
    nb.page.get_by_label("DNA", exact=False).first.check()


def test_another_field_and_the_scale_bar(nb):
    nb.page.get_by_label("Field", exact=True).select_option("f2")
    nb.page.wait_for_selector(".ms-field-canvas[data-drawn=f2]")
    nb.until("view.field_id", "f2")
    assert pixel(nb, 800, 100)[1] > pixel(nb, 800, 100)[0]
    bar = nb.page.locator(".ms-scale")
    assert bar.inner_text() == "100 µm"
    shown = nb.page.locator(".ms-field-canvas").bounding_box()["width"]
    assert bar.bounding_box()["width"] == pytest.approx(100 / 500 * shown, abs=1)


def test_it_stays_on_the_machine_and_inside_its_box(nb):
    before = nb.sources()
    nb.page.locator(".ms-field-canvas").click()
    for key in "xdd12":
        nb.page.keyboard.press(key)
    assert nb.sources() == before
    wide = nb.page.evaluate("(n => [n.scrollWidth, n.clientWidth])(document.querySelector('.ms-field'))")
    assert wide[0] <= wide[1]
    assert nb.left == [] and nb.problems == []
