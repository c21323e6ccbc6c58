"""While a site is built from notebooks, a workbench is written whole; else only a picture and a note stay."""

import html
import re

import IPython.display
import pytest

import mlscope_nb as ms
from mlscope_nb.views import _bokeh
from mlscope_nb.views._widget import DOCS

pytestmark = pytest.mark.usefixtures("apart")


@pytest.fixture
def shown(monkeypatch):
    """Return a function that lists what a view hands to the notebook."""
    seen = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **_: seen.append(data))

    def show(view):
        seen.clear()
        view._ipython_display_()
        return list(seen)

    return show


def test_a_site_gets_the_living_page_and_a_notebook_a_picture(some_cells, monkeypatch, apart, shown):
    w = ms.views.explore(some_cells(obs={"kind": "</iframe><b>"}), colour="kind")
    usual = shown(w)
    assert len(usual) == 2 and "saved picture" in usual[0]["text/html"] and "srcdoc" not in usual[0]["text/html"]
    monkeypatch.setenv(DOCS, "1")
    (data,) = shown(w)
    assert set(data) == {"text/html", "text/plain"}
    (page,) = re.findall('srcdoc="([^"]*)"', data["text/html"])
    assert "<b>" not in page and data["text/html"].count("<iframe") == data["text/html"].count("</iframe>") == 1
    assert html.unescape(page) == w.to_html(apart / "p.html").read_text(encoding="utf-8")


def test_views_without_a_page_stay_as_they_are(some_cells, monkeypatch, shown):
    monkeypatch.setenv(DOCS, "1")
    assert "saved picture" in shown(ms.views.gallery(some_cells()))[0]["text/html"]


def test_a_map_that_is_still_computed_is_waited_for(some_cells, monkeypatch, shown):
    cells = some_cells()
    slow = cells.embeddings["umap"] * 2
    monkeypatch.setattr("mlscope_nb.explore.umap_apart", lambda cells, seed: slow)
    plain = ms.Cells(cells.obs, features=cells.features, batch="plate")
    monkeypatch.setenv(DOCS, "1")
    (data,) = shown(ms.views.explore(plain))
    assert "&quot;map&quot;:&quot;umap&quot;" in data["text/html"]


def test_plots_of_a_site_are_drawn_without_a_kernel_and_bring_bokeh_once(some_cells, monkeypatch):
    monkeypatch.setattr(_bokeh, "_written", [])
    plot = ms.views.scatter(some_cells(obs={"kind": "</script><b>"}), colour="kind")
    first, second = (_bokeh.on_a_page(_bokeh.figure_of(plot)) for _ in range(2))
    assert "</script><b>" not in first + second
    assert first.count("embed_item(") == second.count("embed_item(") == 1
    assert first.count("</script>") == 2 and second.count("</script>") == 1
    assert len(first) > 500_000 > len(second)
