"""Whatever a mouse can choose can be chosen from Python, by the same names in each view."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

pytestmark = pytest.mark.usefixtures("apart")


def linked_fields():
    mask = np.zeros((40, 40), int)
    for i in range(6):
        mask[5 + 15 * (i % 2) :, 5 + 10 * (i // 2) :][:8, :6] = i + 1
    image = np.random.default_rng(0).integers(0, 999, (1, 40, 40)).astype("uint16")
    fields = ms.Fields(pd.DataFrame(index=["f1"]), [image], [mask], channels=["DNA"])
    cells = ms.io.crop(fields, size=16)
    return ms.views.fields(fields, cells=cells), cells.ids.tolist()


@pytest.fixture(params=["explore", "gallery", "compare", "tune_threshold", "fields"])
def view(request, some_cells):
    """A view and the ids of its cells."""
    cells = some_cells()
    made = {
        "explore": lambda: ms.views.explore(cells),
        "gallery": lambda: ms.views.gallery(cells),
        "compare": lambda: ms.views.compare(cells, embedding=["umap", "pca"]),
        "tune_threshold": lambda: ms.views.tune_threshold(cells, cells.features, "a", threshold=99.0),
    }
    if request.param == "fields":
        yield linked_fields()
    else:
        yield made[request.param](), cells.ids.tolist()


def test_every_view_chooses_adds_removes_inverts_and_takes_back(view):
    w, ids = view

    def chosen():
        return w.selection.selected.tolist()

    assert w.select(ids[:3]) is w and chosen() == ids[:3]
    assert w.add([ids[4], ids[2]]) is w and chosen() == [*ids[:3], ids[4]]
    assert w.remove(ids[1]) is w and chosen() == [ids[0], ids[2], ids[4]]
    assert w.toggle([ids[0], ids[5]]) is w and chosen() == [ids[2], ids[4], ids[5]]
    assert w.invert() is w and chosen() == [i for i in ids if i not in (ids[2], ids[4], ids[5])]
    assert w.clear() is w and chosen() == []
    names = ["clear", "invert", "toggle", "remove", "add", "select"]
    assert [w.undo() for _ in names] == names and chosen() == []
    assert [w.redo() for _ in names] == names[::-1] and chosen() == []
    assert w.undo() == "clear" and len(chosen()) == len(ids) - 3
    w.select(pd.Series([i == ids[1] for i in ids], ids))
    assert chosen() == [ids[1]]
    for call in (w.select, w.add, w.remove, w.toggle):
        with pytest.raises(KeyError, match="nobody"):
            call(["nobody"])
    assert chosen() == [ids[1]]


def test_selected_is_what_is_chosen(some_cells):
    cells = some_cells()
    views = [ms.views.explore(cells), ms.views.gallery(cells), ms.views.compare(cells, embedding=["umap", "pca"])]
    for w in views:
        w.select(["cell7"]).add("cell3")
        assert all(v.selected.tolist() == ["cell3", "cell7"] for v in views)
        w.clear()


def test_fields_without_cells_say_what_is_missing():
    fields = ms.Fields(pd.DataFrame(index=["f1"]), [np.zeros((1, 8, 8))], channels=["DNA"])
    view = ms.views.fields(fields)
    with pytest.raises(ValueError, match=r"ms.views.fields\(fields, cells=cells\)"):
        view.select(["c1"])
    with pytest.raises(ValueError, match="knows no cells"):
        view.undo()
