"""The segmentation tuner in a real browser: a slider is moved, outlines, words and the line of code follow."""

import numpy as np
import pytest

pytestmark = pytest.mark.browser

TUNER = """
import json, numpy as np, pandas as pd
import mlscope_nb as ms
from scipy import ndimage
y, x = np.mgrid[:500, :500]
blobs = np.zeros((500, 500))
for k in range(64):
    radius = 9 + k % 8
    blobs[(y - 35 - 60 * (k // 8)) ** 2 + (x - 35 - 60 * (k % 8)) ** 2 <= radius ** 2] = 1
image = 400 + 3000 * ndimage.gaussian_filter(blobs, 2) + np.random.default_rng(0).normal(0, 40, blobs.shape)
images = [np.stack([image, image]).astype("uint16")] * 2
fields = ms.Fields(pd.DataFrame(index=["f1", "f2"]), images, channels=["DNA", "ER"])
tuner = ms.views.tune_segmentation(fields, "DNA")
tuner
"""
FIRST = ".ms-field-canvas[data-drawn=f1]"
WHITE = """() => { const c = document.querySelector('.ms-field-canvas');
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
  for (let k = 0; k < d.length; k += 4) if (d[k] + d[k + 1] + d[k + 2] > 750) n++;
  return n; }"""


@pytest.fixture(scope="module")
def nb(lab):
    notebook = lab.open("tuning.ipynb", [TUNER, "# stays"])
    notebook.page.wait_for_selector(FIRST)
    yield notebook
    notebook.close()


def code(nb):
    return nb.page.locator(".ms-code").inner_text()


def rested(nb):
    """Wait until what was asked for last is computed and drawn."""
    nb.page.wait_for_selector(".ms-field[data-busy='false']")

    def check():
        drawing = nb.python("print(json.dumps(f'{tuner.field_id} {tuner._field[\"drawing\"]}'))")
        assert nb.page.locator(".ms-field-canvas").get_attribute("data-drawing") == drawing

    nb.eventually(check)


def press(nb, name, key, times=1):
    """Move a slider by the keyboard, as a hand that cannot hold a mouse does."""
    rested(nb)
    slider = nb.page.get_by_role("slider", name=name, exact=True)
    for _ in range(times):
        slider.press(key)
    rested(nb)


def test_it_opens_with_the_automatic_outlines(nb):
    rested(nb)
    assert code(nb) == 'fields = ms.io.segment(fields, "DNA")'
    assert nb.page.locator(".ms-found").inner_text().startswith("64 objects found · median area")
    assert nb.page.evaluate(WHITE) > 1000
    assert nb.page.get_by_role("button", name="All automatic").is_disabled()


def test_a_slider_let_go_is_computed(nb):
    rested(nb)
    slider = nb.page.get_by_role("slider", name="Threshold", exact=True)
    nb.at_rest(".ms-field")
    before, box = nb.page.evaluate(WHITE), slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    # The knob stands at 1 of 0.2 to 1.9.
    nb.page.mouse.move(box["x"] + 8 + (box["width"] - 16) * 0.8 / 1.7, middle)
    nb.page.mouse.down()
    nb.page.mouse.move(box["x"] + box["width"] * 0.85, middle, steps=3)
    assert nb.python("print(json.dumps(tuner.settings))") == {"channel": "DNA"}
    nb.page.mouse.up()
    nb.page.wait_for_function(f"({WHITE})() !== {before}")
    rested(nb)
    threshold = nb.python("print(json.dumps(tuner.settings['threshold']))")
    assert 1.5 <= threshold <= 1.8 and code(nb) == f'fields = ms.io.segment(fields, "DNA", threshold={threshold})'
    assert nb.python("print(json.dumps(tuner.code))") == code(nb)
    # Higher thresholds draw smaller objects.
    assert nb.page.evaluate(WHITE) < before
    nb.page.get_by_role("button", name="All automatic").click()
    nb.until("tuner.settings", {"channel": "DNA"})
    nb.page.wait_for_function(f"({WHITE})() === {before}")


def test_sizes_are_automatic_at_the_end_of_their_sliders(nb):
    press(nb, "Largest area", "ArrowLeft", 3)
    assert "max_area_px=" in code(nb) and "min_area_px" not in code(nb)
    press(nb, "Largest area", "End")
    assert code(nb) == 'fields = ms.io.segment(fields, "DNA")'


def test_what_cannot_be_done_is_said_in_words(nb):
    rested(nb)
    before = nb.page.evaluate(WHITE)
    nb.python("tuner._tuning = {**tuner._tuning, 'min_area_px': 900, 'max_area_px': 40};")
    error = nb.page.locator(".ms-error")
    error.wait_for()
    assert error.inner_text().startswith("min_area_px=900 and max_area_px=40, expected areas in pixels")
    assert nb.page.evaluate(WHITE) == before
    nb.page.get_by_role("button", name="All automatic").click()
    error.wait_for(state="hidden")
    rested(nb)
    assert nb.page.evaluate(WHITE) == before


def test_the_line_is_copied_and_other_fields_are_tried(nb):
    press(nb, "Split", "ArrowRight", 2)
    nb.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # The button says so for a moment only.
    nb.page.evaluate(
        """() => { const line = document.querySelector('.ms-line'); window.said = [];
        new MutationObserver(() => window.said.push(line.querySelector('button').textContent))
          .observe(line, { childList: true, characterData: true, subtree: true }); }"""
    )
    nb.page.get_by_role("button", name="Copy", exact=True).click()
    nb.page.wait_for_function("() => window.said.includes('Copied')")
    copied = nb.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == code(nb) == 'fields = ms.io.segment(fields, "DNA", split=1.2)'
    nb.page.get_by_label("Field", exact=True).select_option("f2")
    nb.page.wait_for_selector(".ms-field-canvas[data-drawn=f2]")
    assert nb.python("print(json.dumps([tuner.field_id, tuner.code]))") == ["f2", copied]


def test_keys_stay_and_nothing_is_wider_than_its_place(nb):
    before = nb.sources()
    nb.page.get_by_role("slider", name="Split", exact=True).focus()
    for key in "xdd12z":
        nb.page.keyboard.press(key)
    assert nb.sources() == before
    for width in (1366, 900):
        nb.page.set_viewport_size({"width": width, "height": 768})
        nb.frames()

        def check():
            wide = nb.page.evaluate("(n => [n.scrollWidth, n.clientWidth])(document.querySelector('.ms-field'))")
            assert wide[0] <= wide[1]
            outside = nb.page.evaluate(
                """() => { const root = document.querySelector('.ms-field').getBoundingClientRect();
                return [...document.querySelectorAll('.ms-field *')].filter((n) => n.getClientRects().length
                  && n.getBoundingClientRect().right > root.right + 1).map((n) => n.className || n.tagName); }"""
            )
            assert outside == []

        nb.eventually(check)
    np.testing.assert_equal([nb.left, nb.problems], [[], []])
