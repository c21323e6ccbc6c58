import json
import stat
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views import _autosave, _maps, selection
from mlscope_nb.views._autosave import FOLDER
from mlscope_nb.views.workbench import Workbench


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test has a notebook folder of its own, and no views of earlier tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selection, "_SHARED", weakref.WeakValueDictionary())
    monkeypatch.setattr(_autosave, "_OPEN", weakref.WeakValueDictionary())
    monkeypatch.setattr(_maps, "_RECENT", OrderedDict())
    return tmp_path


def make_cells(n=30, seed=0, *, images=True, features=True, umap=True, **more):
    rng = np.random.default_rng(seed)
    ids = [f"cell{i}" for i in range(n)]
    obs = pd.DataFrame({"plate": rng.choice(["p1", "p2"], n), "area": rng.normal(size=n)}, index=ids)
    pixels = rng.integers(0, 4000, (n, 2, 12, 12)).astype(np.uint16)
    table = pd.DataFrame(rng.normal(size=(n, 5)), ids, columns=list("abcde"))
    point = pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"])
    return ms.Cells(
        obs,
        pixels if images else None,
        features=table if features else None,
        embeddings={"umap": point} if umap else None,
        batch="plate",
        **more,
    )


def browser(view, kind, buffers=(), **content):
    """Send what the browser would send."""
    view._received(view, {"kind": kind, **content}, list(buffers))


def bits(n, rows):
    """The selection as the browser sends it: one bit for each cell."""
    flags = np.zeros(n, bool)
    flags[rows] = True
    return np.packbits(flags, bitorder="little").tobytes()


def categories_drawn(view):
    return [entry["name"] for entry in view._inks["entries"]]


def test_select_assign_undo_redo_in_python():
    cells = make_cells()
    w = ms.views.explore(cells)
    assert isinstance(w, Workbench)
    assert w.select(["cell3", "cell1"]).selected.tolist() == ["cell1", "cell3"]
    w.assign("round")
    assert w.labels.dropna().to_dict() == {"cell1": "round", "cell3": "round"}
    assert w.labels.index.equals(cells.ids) and w.labels.name == "label"
    w.select(["cell1"]).assign("long")
    assert w.labels["cell1"] == "long"
    assert [w.undo(), w.undo()] == ["label long", "select"]
    assert w.labels["cell1"] == "round" and w.selected.tolist() == ["cell1", "cell3"]
    assert [w.redo(), w.redo(), w.redo()] == ["select", "label long", None]
    assert w.labels["cell1"] == "long"
    w.assign(None)
    assert w.labels.dropna().to_dict() == {"cell3": "round"}


def test_labels_come_back_into_cells():
    cells = make_cells()
    w = ms.views.explore(cells, label="phenotype").select(["cell0"]).assign("x")
    assert cells.with_obs(w.labels).obs["phenotype"].isna().sum() == 29


def test_a_mask_selects():
    cells = make_cells()
    w = ms.views.explore(cells, select=cells.obs["plate"] == "p1")
    assert set(cells.obs.loc[w.selected, "plate"]) == {"p1"}


def test_nothing_selected_cannot_be_labelled():
    w = ms.views.explore(make_cells())
    with pytest.raises(ValueError, match="selection is empty"):
        w.assign("x")
    assert w.undo() is None and len(w.annotations) == 0


@pytest.mark.parametrize("bad", [[1], float("nan"), float("inf"), "half \ud83d", {"a": 1}])
def test_a_refused_label_leaves_nothing_to_take_back(bad):
    w = ms.views.explore(make_cells()).select(["cell1"]).assign("good")
    with pytest.raises(ValueError, match=r"expected|cannot be written"):
        w.assign(bad)
    assert len(w.annotations) == 1 and w.labels["cell1"] == "good"
    assert w.undo() == "label good" and w.labels.isna().all()
    assert [w.undo(), w.undo()] == ["select", None]


def test_a_refused_label_does_not_end_what_can_be_redone():
    w = ms.views.explore(make_cells()).select(["cell1"]).assign("good")
    w.undo()
    with pytest.raises(ValueError, match="expected text"):
        w.assign([1])
    assert w.redo() == "label good" and w.labels["cell1"] == "good"


def test_numbers_of_numpy_are_labels():
    w = ms.views.explore(make_cells()).select(["cell1"]).assign(np.int64(3))
    assert w.labels["cell1"] == 3 and w.undo() == "label 3" and w.labels.isna().all()


def test_what_the_browser_sends():
    cells = make_cells()
    w = ms.views.explore(cells)
    browser(w, "selected", [bits(30, [4, 2])])
    assert w.selected.tolist() == ["cell2", "cell4"]
    browser(w, "assign", text="<script>alert(1)</script>")
    assert w.labels["cell2"] == "<script>alert(1)</script>"
    assert "2 cells labelled" in w._words["note"]
    browser(w, "undo")
    browser(w, "undo")
    assert len(w.selected) == 0 and w.labels.isna().all()
    browser(w, "redo")
    assert w.selected.tolist() == ["cell2", "cell4"]
    browser(w, "invert")
    assert len(w.selected) == 28
    browser(w, "clear")
    browser(w, "assign", text="nobody")
    assert w._words["warning"] and "selection is empty" in w._words["note"]
    browser(w, "unheard of")


def test_a_selection_of_another_length_changes_only_cells_that_exist():
    w = ms.views.explore(make_cells())
    browser(w, "selected", [bits(64, [1, 60])])
    assert w.selected.tolist() == ["cell1"]
    browser(w, "selected", [bits(8, [2])])
    assert w.selected.tolist() == ["cell2"]


def test_the_gallery_follows_the_selection():
    cells = make_cells(100)
    w = ms.views.explore(cells)
    w._room = 20
    assert w._page["title"] == "All 100 cells" and len(w.shown) == 20
    w.select(cells.ids[50:75])
    assert w._page["title"] == "25 selected cells" and w.shown.tolist() == cells.ids[50:70].tolist()
    browser(w, "page", by=1)
    assert w.shown.tolist() == cells.ids[70:75].tolist() and w._page["where"] == "21–25 of 25"
    w.page(5)
    assert w._start == 20
    w.page(-9)
    assert w._start == 0
    browser(w, "show", what="all")
    assert len(w._shown()) == 100 and sum(w._page["chosen"]) == 0 and w._page["rings"]
    assert len(w._sheet) > 100


def test_a_selection_built_from_crops_keeps_showing_all():
    w = ms.views.explore(make_cells())
    browser(w, "toggle", row=7)
    assert w.selected.tolist() == ["cell7"] and w._page["title"] == "All 30 cells" and w._page["chosen"][7]
    browser(w, "toggle", row=7)
    assert len(w.selected) == 0


def test_two_views_share_selection_labels_and_what_is_found():
    cells = make_cells()
    one, two = ms.views.explore(cells), ms.views.explore(cells)
    three = ms.views.gallery(cells, ["cell9", "cell3"])
    one.select(["cell3"]).assign("a")
    assert two.selected.tolist() == ["cell3"] and two.labels["cell3"] == "a"
    assert three._page["chosen"] == [False, True]
    browser(three, "find", row=9)
    assert one._found == two._found == 9
    two.undo()
    assert one.labels.isna().all()
    two.close()
    one.select(["cell1"])
    assert one.selection.selected.tolist() == ["cell1"]


def test_labels_are_on_disk_at_once_and_restored(folder):
    cells = make_cells()
    ms.views.explore(cells).select(["cell1", "cell2"]).assign("kept").close()
    (log,) = (folder / FOLDER).glob("*.jsonl")
    assert log.name == f"{cells.fingerprint}.jsonl"
    assert json.loads(log.read_text().splitlines()[-1])["cell_ids"] == ["cell1", "cell2"]
    again = ms.views.explore(make_cells())
    assert again.labels.dropna().to_dict() == {"cell1": "kept", "cell2": "kept"}
    assert "Restored 2 labels" in again._words["note"] and "2 kept" in again._words["note"]
    other = ms.views.explore(make_cells(seed=5))
    assert other.labels.isna().all() and "belong to other data" in other._words["note"]


def test_a_half_written_line_is_left_out_and_named(folder):
    cells = make_cells()
    w = ms.views.explore(cells).select(["cell1"]).assign("kept")
    path = w.annotations.path
    path.write_bytes(path.read_bytes() + b'{"column": "label", "val')
    # As after a restart of the kernel: nothing is left in memory.
    _autosave._OPEN.clear()
    text = ms.views.explore(cells)._words["note"]
    assert "1 unreadable line" in text and "Restored 1 label" in text


def test_an_unreadable_log_is_kept_aside(folder):
    cells = make_cells(seed=11)
    path = folder / FOLDER / f"{cells.fingerprint}.jsonl"
    path.parent.mkdir()
    path.write_text("\x00\x00")
    w = ms.views.explore(cells)
    assert "could not be read" in w._words["note"] and w._words["warning"]
    assert [p.read_text() for p in path.parent.glob("*.damaged-*")] == ["\x00\x00"]
    w.select(["cell0"]).assign("new")
    assert json.loads(path.read_text().splitlines()[-1])["value"] == "new"


@pytest.mark.parametrize("given", [False, True])
def test_a_log_whose_first_line_was_cut_is_continued(folder, given):
    cells = make_cells(seed=12)
    path = folder / "mine.jsonl" if given else folder / FOLDER / f"{cells.fingerprint}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"mlsco')
    w = ms.views.explore(cells, autosave=path if given else None)
    assert "1 unreadable line" in w._words["note"] and not [*path.parent.glob("*.damaged-*")]
    w.select(["cell0"]).assign("new")
    first, *_, last = path.read_text().splitlines()
    assert first == '{"mlsco' and json.loads(last)["value"] == "new"


def test_a_given_log_of_other_data_is_refused(folder):
    ms.views.explore(make_cells(), autosave=folder / "mine.jsonl").select(["cell0"]).assign("x")
    with pytest.raises(ValueError, match="other data"):
        ms.views.explore(make_cells(seed=3), autosave=folder / "mine.jsonl")


def test_a_folder_that_cannot_be_written_moves_the_labels_home(folder, monkeypatch):
    home = folder / "home"
    home.mkdir()
    locked = folder / "locked"
    locked.mkdir()
    # A file where the folder should be: refused for everyone, also for root.
    (locked / FOLDER).write_text("")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(locked)
    w = ms.views.explore(make_cells(seed=21))
    assert "cannot be written to" in w._words["note"] and str(home) in w._words["note"]
    w.select(["cell0"]).assign("x")
    assert len(list((home / FOLDER).glob("*.jsonl"))) == 1


def test_where_nothing_can_be_written_labels_last_as_long_as_the_kernel(folder, monkeypatch):
    home = folder / "home"
    home.mkdir()
    (home / FOLDER).write_text("")
    (folder / FOLDER).write_text("")
    monkeypatch.setenv("HOME", str(home))
    w = ms.views.explore(make_cells(seed=21))
    assert "until the kernel stops" in w._words["note"]
    w.select(["cell0"]).assign("x")
    assert w.labels["cell0"] == "x" and w.annotations.path is None


def test_no_autosave_writes_nothing(folder):
    w = ms.views.explore(make_cells(), autosave=False).select(["cell0"]).assign("x")
    assert w.labels["cell0"] == "x" and list(folder.iterdir()) == []
    assert "not saved" in w._words["note"]


def test_a_full_disk_loses_no_label(folder, monkeypatch):
    from mlscope_nb import annotations
    from mlscope_nb._files import append_lines

    w = ms.views.explore(make_cells(seed=31))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotations, "append_lines", full)
    browser(w, "selected", [bits(30, [1])])
    browser(w, "assign", text="kept")
    assert w._words["warning"] and "No space left" in w._words["note"]
    assert w.labels["cell1"] == "kept"
    with pytest.raises(OSError, match="No space"):
        w.assign("again")
    assert w.undo() == "label again" and w.labels["cell1"] == "kept"
    assert "Not saved yet" in w._words["note"]
    monkeypatch.setattr(annotations, "append_lines", append_lines)
    w.assign("third")
    written = [json.loads(line).get("value") for line in w.annotations.path.read_text().splitlines()]
    assert written == [None, "kept", "again", "again", "third"]


def test_save_writes_a_table(folder):
    w = ms.views.explore(make_cells()).select(["cell2", "cell5"]).assign("größe, 1")
    path = w.save(folder / "labels.csv")
    table = pd.read_csv(path)
    assert table.to_dict("list") == {"cell_id": ["cell2", "cell5"], "label": ["größe, 1"] * 2}
    assert stat.S_ISREG(path.stat().st_mode) and len(list(folder.glob(".labels*"))) == 0


def test_recolouring_keeps_selection_and_colours():
    cells = make_cells()
    w = ms.views.explore(cells).select(["cell1"])
    before, points = w._codes, w._points
    w.show(colour="area")
    assert w._codes != before and w._points == points and w.selected.tolist() == ["cell1"]
    assert w._inks["kind"] == "scale" and w._inks["name"] == "area"
    browser(w, "colour", name="")
    assert w._colour == "" and w._inks["kind"] == "one"
    w.show(colour="label").assign("new")
    assert categories_drawn(w) == ["new", "(none)"]
    w.undo()
    assert categories_drawn(w) == ["(none)"]
    with pytest.raises(KeyError, match="No column 'nothing'"):
        w.show(colour="nothing")


def test_label_colours_stay_when_other_labels_come():
    w = ms.views.explore(make_cells())
    w.select(["cell5"]).assign("m")
    first = w._palette(w.labels)["m"]
    w.select(["cell6"]).assign("a")
    assert w._palette(w.labels)["m"] == first != w._palette(w.labels)["a"]


def test_umap_replaces_pca_and_keeps_the_selection(monkeypatch):
    go, asked = threading.Event(), []

    def slow(cells, seed):
        asked.append(seed)
        assert go.wait(20)
        return pd.DataFrame(np.arange(60.0).reshape(30, 2), cells.ids, columns=["x", "y"])

    monkeypatch.setattr("mlscope_nb.explore.umap_apart", slow)
    w = ms.views.explore(make_cells(seed=41, umap=False), seed=7)
    assert w._map == "pca" and "Computing UMAP" in w._words["state"] and w._words["busy"]
    w.select(["cell4"])
    pca = w._points
    go.set()
    w.wait(20)
    assert w._map == "umap" and w._words["state"] == "" and w._points != pca
    assert w.selected.tolist() == ["cell4"] and asked == [7]
    assert set(w.embeddings) == {"umap", "pca"}
    w.show(embedding="pca")
    assert w._map == "pca"
    # A second view of the same cells does not compute it again.
    assert ms.views.explore(make_cells(seed=41, umap=False), seed=7)._map == "umap" and asked == [7]


def test_of_very_many_cells_some_are_mapped_and_that_is_said(monkeypatch):
    def drawn(cells, seed, sample):
        assert sample == 20_000
        return pd.DataFrame(np.arange(60.0).reshape(30, 2), cells.ids, columns=["x", "y"])

    monkeypatch.setattr("mlscope_nb.views._maps.MANY", 29)
    monkeypatch.setattr("mlscope_nb.explore.umap_apart", drawn)
    w = ms.views.explore(make_cells(seed=61, umap=False)).wait(20)
    assert w._map == "umap" and "20,000 cells drawn at random" in w._words["note"]


def test_a_umap_that_fails_is_said(monkeypatch):
    def broken(cells, seed):
        raise ValueError("too few cells")

    monkeypatch.setattr("mlscope_nb.explore.umap_apart", broken)
    w = ms.views.explore(make_cells(seed=51, umap=False)).wait(20)
    assert w._map == "pca" and w._words["warning"] and "too few cells" in w._words["note"]


def test_background_work_ends_in_the_loop_of_the_kernel():
    import asyncio

    async def kernel():
        done = asyncio.Event()
        threads = []

        def ready(future):
            threads.append((future.result(), threading.current_thread()))
            done.set()

        _maps.in_background(lambda: 42, ready)
        await asyncio.wait_for(done.wait(), 10)
        return threads

    # In a thread of its own: the main thread can have a running loop already (Playwright leaves one in a full run).
    with ThreadPoolExecutor(1) as pool:
        own = pool.submit(threading.current_thread).result()
        assert pool.submit(lambda: asyncio.run(kernel())).result() == [(42, own)]


def test_any_two_columns_and_a_table_are_maps():
    cells = make_cells(features=False, umap=False)
    cells = cells.with_features(pd.DataFrame({"a": np.arange(30.0), "b": 1.0}, cells.ids))
    assert ms.views.explore(cells, ("a", "area"))._words["title"] == "a and area map of 30 cells"
    own = pd.DataFrame({"x": 1.0, "y": np.arange(30.0)}, cells.ids)
    w = ms.views.explore(cells, own)
    assert w.selected.empty and w._map == "chosen"


def test_tables_without_images_work():
    w = ms.views.explore(make_cells(images=False)).select(["cell1"])
    assert w.assign("x").labels["cell1"] == "x" and w._page["title"] == "These cells have no images"
    browser(w, "hover", row=3)


def test_what_cannot_be_shown_says_what_to_do():
    with pytest.raises(ValueError, match="no features yet"):
        ms.views.explore(make_cells(features=False, umap=False))
    with pytest.raises(KeyError, match="No map 'tsne'"):
        ms.views.explore(make_cells(), "tsne")
    with pytest.raises(TypeError, match=r"Expected Cells, found DataFrame.*ms\.Cells.*ms\.views\.scatter"):
        ms.views.explore(pd.DataFrame())
    fields = ms.Fields(pd.DataFrame(index=["f1"]), [np.zeros((1, 8, 8))])
    with pytest.raises(TypeError, match=r"Expected Cells, found Fields.*ms\.io\.crop\(.*ms\.views\.fields\(fields\)"):
        ms.views.explore(fields)
    with pytest.raises(ValueError, match="0 rows"):
        ms.views.explore(make_cells().subset([]))
    with pytest.raises(ValueError, match="no name"):
        ms.views.explore(make_cells(), label=" ")
    with pytest.raises(KeyError, match=r"No channel 'x' \(channels\)"):
        ms.views.explore(make_cells(), channels=["x"])


def test_the_sentence_about_the_selection():
    cells = make_cells()
    w = ms.views.explore(cells).select(cells.ids[:10])
    counts = cells.obs["plate"][:10].value_counts()
    assert w._words["summary"].startswith("10 of 30 cells selected: plate ")
    for plate, n in counts.items():
        assert f"{plate} {n}" in w._words["summary"]


def test_what_a_saved_notebook_shows_is_small_and_harmless():
    from mlscope_nb.views._widget import saved_html

    cells = make_cells(200)
    w = ms.views.explore(cells).select(cells.ids[:50])
    page = saved_html(*w._saved())
    assert len(page) < 200_000 and "run this cell again" in page and "50 selected" in page
    assert "<script>" not in saved_html("<script>x</script>", [])


def test_hover_answers_with_words_and_a_picture():
    cells = make_cells()
    w = ms.views.explore(cells, colour="area")
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    browser(w, "hover", row=3)
    ((content, buffers),) = sent
    assert content["lines"] == ["cell3", f"area: {cells.obs['area'].iloc[3]:.4g}"]
    assert bytes(buffers[0][8:12]) == b"WEBP"
