"""Names and data as they come: markup, quotes, scripts, very long ones, none at all. Text stays text."""

import html.parser
import json
import re

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views._widget import saved_html

pytestmark = pytest.mark.usefixtures("apart")

NASTY = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    'it\'s "quoted" \\ & `ticked` ${1}',
    "Ωmega 細胞 \u2028line\u2029end\u202eright",
    "a\nb\tc\x00d",
    "__proto__",
    "(none)",
    "",
    "l" * 10_000,
]


def hostile(n=36):
    ids = [f"{name}{i}" for i, name in zip(range(n), NASTY * n, strict=False)]
    rng = np.random.default_rng(0)
    obs = {name or "unnamed": rng.choice(NASTY, n) for name in NASTY}
    obs["plate"] = [NASTY[i % len(NASTY)] for i in range(n)]
    obs["number"] = rng.normal(size=n)
    umap = pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"])
    features = pd.DataFrame(rng.normal(size=(n, 3)), ids, columns=["<b>f</b>", "l" * 10_000 + "f", "f\u2028"])
    return ms.Cells(
        pd.DataFrame(obs, index=ids),
        rng.integers(0, 99, (n, 2, 8, 8)).astype("uint8"),
        channels=["<i>DNA</i>", "é" * 300],
        features=features,
        embeddings={"umap": umap},
        batch="plate",
    )


class Reader(html.parser.HTMLParser):
    """Collects elements, and what stands in scripts."""

    def __init__(self):
        super().__init__()
        self.tags, self.scripts, self.within = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.within = tag == "script"
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag):
        self.within = False

    def handle_data(self, data):
        if self.within:
            self.scripts.append(data)


@pytest.mark.parametrize("label", NASTY[:5] + NASTY[-1:])
def test_the_page_holds_hostile_text_as_data_only(apart, label):
    cells = hostile()
    w = ms.views.explore(cells, colour="plate").select(cells.ids[:5]).assign(label)
    text = w.to_html(apart / "page.html", title=label).read_text(encoding="utf-8")
    page = Reader()
    page.feed(text)
    assert page.tags == [
        "html",
        "head",
        "meta",
        "meta",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "noscript",
        "script",
        "script",
    ]
    assert not re.search("[\u2028\u2029]", "".join(page.scripts))
    data = json.loads(page.scripts[0])
    assert data["ids"] == cells.ids.tolist() and data["title"] == label
    given = {c["name"]: c["legend"] for c in data["columns"]}
    assert given["label"]["entries"][0]["name"] == label
    assert {e["name"] for e in given["plate"]["entries"]} == set(NASTY)
    assert "umap" in data["maps"]


@pytest.mark.parametrize("label", NASTY[:5] + NASTY[-1:])
def test_labels_of_any_text_are_kept_and_sentences_stay_short(send, restart, label):
    cells = hostile()
    w = ms.views.explore(cells, colour="plate")
    w.select(cells.ids[:5])
    send(w, "assign", text=label)
    assert w.labels.dropna().tolist() == [label] * 5 and not w._words["warning"]
    for name in [*cells.obs.columns, *cells.features.columns, "label"]:
        w.show(colour=name)
        w.beside(column=name)
        send(w, "brush", column=name, first=0, last=1)
        send(w, "hover", row=3)
        assert max(len(line) for line in w._about(3)) <= 200
    for text in (w._words["note"], w._words["summary"], w._words["title"], w._frame["name"]):
        assert len(text) < 1_000
    restart()
    again = ms.views.explore(cells)
    assert again.labels.dropna().tolist() == [label] * 5 and again.label_keys == [label]
    assert len(again._words["note"]) < 1_000
    shown = saved_html(*again._saved())
    assert "<script" not in shown and len(shown) < 100_000


def test_an_empty_column_of_everything(some_cells):
    """No features and no images: still a map, labels, bars and a page."""
    cells = some_cells(images=False, features=False)
    w = ms.views.explore(cells).select(["cell1"]).assign("x")
    for tab in ("distribution", "differences", "sources", ""):
        w.beside(tab)
    assert "ms.features.measure" in w.beside("differences")._panel["note"]
    assert w.sort("plate").page(1)._page["title"] == "These cells have no images"
    page = w.to_html("p.html").read_text(encoding="utf-8")
    assert '"thumbnails":[]' in page
    with pytest.raises(ValueError, match="no features"):
        w.similar("cell1")


def test_one_cell(apart):
    cells = ms.Cells(
        pd.DataFrame({"plate": ["p1"], "x": [1.0], "y": [2.0]}, index=["only"]),
        np.ones((1, 1, 8, 8), "uint8"),
        features=pd.DataFrame({"f": [1.0]}, index=["only"]),
        batch="plate",
    )
    w = ms.views.explore(cells, ("x", "y"), colour="f").select(["only"]).assign("x")
    for tab in ("distribution", "differences", "sources"):
        w.beside(tab)
    w.page(1).blind().blind(False)
    assert w.shown.tolist() == ["only"] and w.to_html("one.html").stat().st_size > 10_000
    w.select_region([(0, 0), (2, 0), (2, 3), (0, 3)])
    assert w.selected.tolist() == ["only"]


def test_columns_that_cannot_be_compared_are_not_offered(some_cells):
    boxes = pd.Series([[i, i + 1] for i in range(60)], [f"cell{i}" for i in range(60)], name="box")
    w = ms.views.explore(some_cells().with_obs(boxes))
    assert "box" not in [o["value"] for o in w._colour_options] and "plate" in [o["value"] for o in w._colour_options]


def test_a_cell_without_any_place_on_every_map(some_cells):
    cells = some_cells()
    nowhere = pd.DataFrame({"x": np.nan, "y": np.nan}, cells.ids)
    w = ms.views.explore(cells.with_embedding("empty", nowhere), "empty").select(["cell1"]).assign("x")
    assert w._frame["nowhere"] == 60 and w.select_region([(0, 0), (1, 0), (1, 1)]).selected.empty
    assert w.to_html("p.html").exists()


def test_a_selection_of_all_and_of_none_many_times(some_cells, send):
    n = 20_000
    rng = np.random.default_rng(0)
    ids = [f"c{i}" for i in range(n)]
    cells = ms.Cells(pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"]))
    w = ms.views.explore(cells, ("x", "y"), autosave=False)
    every = np.packbits(np.ones(n, bool), bitorder="little").tobytes()
    for _ in range(5):
        send(w, "selected", [every])
        assert len(w.selected) == n
        send(w, "clear")
    for left in range(10, 0, -1):
        assert w._words["can_undo"] and len(w.selected) == (0 if left % 2 == 0 else n)
        w.undo()
    assert not w._words["can_undo"]


def test_a_page_of_some_columns(some_cells, apart):
    w = ms.views.explore(some_cells())
    text = w.to_html(apart / "p.html", columns="area").read_text(encoding="utf-8")
    assert "1 of 9 columns are in this page" in text
    with pytest.raises(KeyError, match="No column 'nothing'"):
        w.to_html(apart / "q.html", columns=["nothing"])
    for size in (7, 97):
        with pytest.raises(ValueError, match="expected 8 to 96"):
            w.to_html(apart / "q.html", thumbnail_px=size)
    assert not (apart / "q.html").exists()
    with pytest.raises(OSError):
        w.to_html(apart / "no folder" / "q.html")
