"""The folder reader in a real browser: by keyboard, 900 pixels wide, with names that are meant to do harm."""

import pytest

pytestmark = pytest.mark.browser

READER = """
import json, numpy as np, pandas as pd, pathlib, tifffile
import mlscope_nb as ms
folder = pathlib.Path("plates <b>1<")
folder.mkdir(exist_ok=True)
hostile = "<img src=x onerror=document.title='hit'>"
for p in (1, 2):
    for w in ("A01", "A02"):
        for c in (1, 2):
            pixels = np.random.default_rng(c).integers(0, 999, (60, 80)).astype("uint16")
            tifffile.imwrite(folder / f"P{p}_{w}_s1_w{c}.tif", pixels, metadata=None)
(folder / f"{hostile}_A03_s1_w1.tif").write_bytes(b"x")
rows = [(f"P{p}", w, d) for p in (1, 2) for w, d in (("A01", hostile), ("A02", "drug"))]
pd.DataFrame(rows, columns=["plate", "well", "treatment"]).to_csv(folder / "layout.csv", index=False)
look = ms.views.read_folder(folder)
look
"""
READY = ".ms-folder[data-busy='false']"


@pytest.fixture(scope="module")
def nb(lab):
    notebook = lab.open("folder.ipynb", [READER, "# stays"], width=900)
    notebook.page.wait_for_selector(READY)
    yield notebook
    notebook.close()


def test_corrected_read_and_copied_by_keyboard(nb):
    page = nb.page
    channel = page.get_by_role("textbox", name="2", exact=True)
    channel.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("actin")
    page.keyboard.press("Enter")
    nb.until("look.found.options.get('channels')", {"1": "1", "actin": "2"})
    # The form was made anew, and whoever came by the keyboard is where they were.
    nb.eventually(lambda: _focus(page, "channel 1"))
    label = page.get_by_role("combobox", name="Label")
    label.focus()
    page.keyboard.type("treat")
    page.keyboard.press("Enter")
    nb.until("look.found.options.get('label')", "treatment")
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Read", exact=True).focus()
    page.keyboard.press("Enter")
    nb.eventually(lambda: _says(page, "Read: 4 fields, 2 channels."))
    assert page.locator(".ms-code").inner_text() == nb.python("print(json.dumps(look.code))")
    assert page.locator(".ms-wells").count() == 2
    # The keys were the view's: JupyterLab has deleted, cut or run nothing.
    assert len(nb.sources()) == 2


def test_nothing_from_names_is_markup_and_nothing_sticks_out(nb):
    page = nb.page
    text = page.locator(".ms-folder").inner_text()
    assert "plates <b>1<" in text and "onerror" in text
    assert page.locator(".ms-folder img").count() == len(nb.python("print(json.dumps(look._data['pictures']))"))
    assert page.title() != "hit"
    wide = "() => { const r = document.querySelector('.ms-folder'); return r.scrollWidth - r.clientWidth; }"
    assert page.evaluate(wide) <= 0
    out = """() => { const r = document.querySelector('.ms-folder').getBoundingClientRect();
      return [...document.querySelectorAll('.ms-folder *')].filter((n) => {
        const b = n.getBoundingClientRect(); return b.width && b.right > r.right + 1; }).length; }"""
    assert page.evaluate(out) == 0


def test_a_wrong_answer_is_said(nb):
    page = nb.page
    size = page.get_by_role("textbox", name="Pixel size (µm)")
    size.fill("much")
    size.press("Enter")
    nb.eventually(lambda: _alert(page, "expected a number"))
    assert nb.problems == [] and nb.left == []


def _focus(page, name):
    assert page.evaluate("document.activeElement.dataset.name") == name


def _says(page, words):
    assert words in page.locator(".ms-folder [role=status]").inner_text()


def _alert(page, words):
    assert words in page.locator(".ms-folder [role=alert]").last.inner_text()
