"""Label, train, correct in a real browser: by number keys, letters and buttons."""

import pytest

pytestmark = pytest.mark.browser

OPEN = """
import json, numpy as np, pandas as pd
import mlscope_nb as ms
n, rng = 120, np.random.default_rng(0)
kind, well = np.where(np.arange(n) % 2, "round", "long"), np.arange(n) // 8
obs = pd.DataFrame({"kind": kind, "well": well}, [f"c{i}" for i in range(n)])
table = pd.DataFrame(rng.normal(size=(n, 3)), obs.index, columns=list("abc"))
table["a"] += 4.0 * (obs["kind"] == "round")
pixels = rng.integers(0, 900, (n, 1, 16, 16)).astype("uint16")
cells = ms.Cells(obs, pixels, features=table, unit="well", channels=["DNA"])
w = ms.views.label_train_correct(cells, truth="kind", autosave=False)
w
"""


@pytest.fixture(scope="module")
def nb(lab):
    notebook = lab.open("training.ipynb", [OPEN, "# stays"])
    notebook.drawn("pca")
    yield notebook
    notebook.close()


def test_ten_labels_by_keys_then_train_and_correct(nb):
    page, train = nb.page, nb.page.get_by_role("button", name="Train", exact=True)
    assert train.is_disabled() and page.get_by_role("button", name="Show uncertain").is_disabled()
    assert page.get_by_role("button", name="Show test cells").is_hidden()
    before = nb.sources()
    own = nb.python("print(json.dumps([cells.ids.get_loc(i) for i in cells.ids.drop(w.locked)[:10]]))")
    gallery = page.locator("canvas.ms-crops")
    for k, row in enumerate(own):
        nb.python(f"w.find(cells.ids[{row}])")
        gallery.press("2" if row % 2 else "1")
        nb.until("int(w.labels.notna().sum())", k + 1)
    page.wait_for_function("() => !document.querySelector('.ms-training button').disabled")
    # A letter trains, wherever in the view the focus is.
    gallery.press("t")
    rows = page.locator(".ms-rounds tbody tr")
    rows.first.wait_for()
    cells = rows.first.locator("td").all_inner_texts()
    assert cells[:3] == ["1", "10", "10"] and "units)" in cells[3]
    page.locator(".ms-training-said", has_text="Balanced accuracy on locked wells").wait_for()
    gallery.press("u")
    page.locator(".ms-gallery-head .ms-title", has_text="Uncertain first").wait_for()
    asked = nb.python("print(json.dumps(w.shown.isin(w.locked).any().item()))")
    assert asked is False
    gallery.press("1")
    nb.until("int(w.labels.notna().sum())", 11)
    assert page.locator(".ms-gallery-head .ms-title").first.inner_text().startswith("Uncertain first")
    train.click()
    page.wait_for_function("() => document.querySelectorAll('.ms-rounds tbody tr').length === 2")
    assert nb.python("print(json.dumps(w.history['n_labelled'].tolist()))") == [10, 11]
    assert nb.sources() == before and nb.problems == [] and nb.left == []
