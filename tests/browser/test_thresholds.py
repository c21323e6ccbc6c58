"""The threshold view in a real browser: a slider by the keyboard changes crops, words and the Python selection."""

import pytest

pytestmark = pytest.mark.browser

TUNER = """
import json, numpy as np, pandas as pd
import mlscope_nb as ms
rng = np.random.default_rng(1)
n = 600
ids = [f"cell-{i}" for i in rng.permutation(n)]
bad = rng.random(n) < 0.1
kind = np.where(np.arange(n) % 2, '<img src=x onerror="window.broken=1">', "round")
focus = np.where(bad & (np.arange(n) % 2 == 1), rng.uniform(0.1, 0.3, n), rng.uniform(0.3, 0.8, n))
plate, well = np.repeat(["<b>1</b>", "2"], 300), np.repeat(np.arange(20), 30)
obs = pd.DataFrame({"kind": kind, "plate": plate, "well": well}, ids)
images = rng.integers(0, 4000, (n, 2, 16, 16)).astype("uint16")
cells = ms.Cells(obs, images, channels=["DNA", "ER"], label="kind", unit=["plate", "well"], batch="plate")
scores = pd.DataFrame({"focus": focus, "<i>own</i>": rng.normal(size=n)}, ids)
tuner = ms.views.tune_threshold(cells, scores, truth=pd.Series(bad, ids), threshold=0.25)
tuner
"""


@pytest.fixture(scope="module")
def nb(lab):
    notebook = lab.open("thresholds.ipynb", [TUNER, "# stays"])
    notebook.page.wait_for_selector(".ms-threshold[data-busy=false]")
    notebook.page.wait_for_selector(".ms-crops[data-ready=true]")
    yield notebook
    notebook.close()


def press(nb, key, times=1):
    """Move the slider by the keyboard and wait until the kernel has answered."""
    slider = nb.page.get_by_role("slider", name="Threshold of", exact=False).first
    for _ in range(times):
        slider.press(key)
    nb.page.wait_for_selector(".ms-threshold[data-busy=false]")
    return int(slider.input_value())


def check(nb):
    """Compare slider, words, crops, code and Python; returns the ids that would be left out."""
    return nb.eventually(lambda: compared(nb))


def compared(nb):
    state = nb.python(
        "print(json.dumps([tuner.threshold, list(tuner.selected), list(tuner.selection.selected), tuner.code, "
        "list(tuner.shown), tuner._cut['first'], list(cells.ids[scores[tuner.column] < tuner.threshold])]))"
    )
    threshold, gone, selected, code, shown, first, wanted = state
    assert gone == selected == wanted
    assert nb.page.locator(".ms-code").inner_text() == code
    assert nb.page.locator(".ms-cut-first").inner_text() == first
    assert float(nb.page.locator(".ms-threshold").get_attribute("data-threshold")) == threshold
    assert nb.gallery_ids() == shown
    assert set(shown) <= set(gone)
    return gone


def test_the_slider_by_keyboard_changes_crops_and_selection(nb):
    before = check(nb)
    at = press(nb, "ArrowRight", 40)
    more = check(nb)
    assert set(before) < set(more)
    assert press(nb, "PageUp") == at + 20
    assert set(more) < set(check(nb))
    assert press(nb, "PageDown") == at
    assert check(nb) == more
    assert press(nb, "End") == 400
    assert len(check(nb)) == 600
    assert press(nb, "Home") == 0
    assert nb.python("print(json.dumps(bool(tuner.threshold < scores['focus'].min())))")
    assert check(nb) == []
    assert nb.page.locator(".ms-cut-first").inner_text().startswith("0 of 600 cells")


def test_a_drag_with_the_mouse_ends_where_the_hand_does(nb):
    box = nb.page.get_by_role("slider", name="Threshold of focus").bounding_box()
    middle = box["y"] + box["height"] / 2
    nb.page.mouse.move(box["x"] + 8, middle)
    nb.page.mouse.down()
    nb.page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=25)
    nb.page.mouse.up()
    nb.page.wait_for_selector(".ms-threshold[data-busy=false]")

    def at_the_hand():
        value = int(nb.page.get_by_role("slider", name="Threshold of focus").input_value())
        assert 190 <= value <= 210 and nb.python(f"print(json.dumps(tuner.threshold == tuner._score['grid'][{value}]))")

    nb.eventually(at_the_hand)
    assert 0 < len(check(nb)) < 600


def test_odd_names_stay_text_and_a_biased_filter_is_warned_of(nb):
    nb.python("tuner.set(threshold=0.29);")
    warning = nb.page.locator(".ms-threshold .ms-warning:has-text('More is lost of class')")
    warning.wait_for()
    assert "<img src=x" in warning.inner_text()
    nb.page.wait_for_function("() => document.querySelector('.ms-cut-lines').innerText.includes('“<img src=x')")
    nb.page.get_by_label("Score", exact=True).select_option("<i>own</i>")
    nb.until("[tuner.column, tuner.side]", ["<i>own</i>", "above"])
    nb.page.wait_for_function("() => document.querySelector('.ms-code').textContent.includes('<i>own</i>')")
    nb.page.get_by_label("Leave out cells").select_option("below")
    nb.until("tuner.side", "below")
    assert nb.page.locator(".ms-threshold :is(img, b, i:not(:empty))").count() == 0
    assert nb.page.evaluate("() => window.broken === undefined")
    nb.python("tuner.set(column='focus');")
    nb.page.get_by_role("slider", name="Threshold of focus").wait_for()


def test_another_selection_is_said_and_taken_back(nb):
    nb.python("tuner.selection.select(cells.ids[:3]);")
    button = nb.page.get_by_role("button", name="Select the cells left out")
    button.click()
    button.wait_for(state="hidden")
    check(nb)


def test_keys_stay_and_nothing_is_wider_than_its_place(nb):
    before = nb.sources()
    nb.page.get_by_role("slider", name="Threshold of focus").focus()
    for key in "xdd12z":
        nb.page.keyboard.press(key)
    assert nb.sources() == before
    unmarked = """() => [...document.querySelectorAll('.ms-threshold :is(input, select, button, canvas, summary)')]
      .filter((n) => !n.dataset.lmSuppressShortcuts).length"""
    assert nb.page.evaluate(unmarked) == 0
    for width in (1366, 900):
        nb.page.set_viewport_size({"width": width, "height": 768})
        nb.frames()

        def check_width():
            outside = nb.page.evaluate(
                """() => { const root = document.querySelector('.ms-threshold').getBoundingClientRect();
                return [...document.querySelectorAll('.ms-threshold *')].filter((n) => n.getClientRects().length
                  && n.getBoundingClientRect().right > root.right + 1).map((n) => n.className || n.tagName); }"""
            )
            assert outside == []

        nb.eventually(check_width)
    assert [nb.left, nb.problems] == [[], []]
