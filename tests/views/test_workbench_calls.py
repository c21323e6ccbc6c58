"""Every public call and every message of the workbench, each against the plainest way to say what it should do."""

import ast
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

pytestmark = pytest.mark.usefixtures("apart")


def bits(n, rows):
    flags = np.zeros(n, bool)
    flags[rows] = True
    return np.packbits(flags, bitorder="little").tobytes()


def inside(point, line):
    """Crossing number, one point at a time."""
    odd = False
    for (x1, y1), (x2, y2) in zip(line, [*line[1:], line[0]], strict=True):
        if (y1 > point[1]) != (y2 > point[1]) and point[0] < x1 + (point[1] - y1) * (x2 - x1) / (y2 - y1):
            odd = not odd
    return odd


# --- the map ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [[], ["p1"], ["p1", "p2", "p10"]])
def test_a_region_holds_what_lies_inside_and_is_seen(some_cells, hidden):
    cells = some_cells(400)
    w = ms.views.explore(cells, colour="plate").show(hide=hidden)
    angles, rng = np.linspace(0, 2 * np.pi, 15)[:-1], np.random.default_rng(1)
    line = [(r * np.cos(a), r * np.sin(a)) for a, r in zip(angles, rng.uniform(0.4, 1.8, 14), strict=True)]
    w.select_region(line)
    at = w.coordinates
    expected = [i for i in cells.ids if inside(at.loc[i].tolist(), line) and cells.obs["plate"][i] not in hidden]
    assert w.selected.tolist() == expected and (len(expected) > 30) == (len(hidden) < 3)
    assert w.undo() == ("select" if expected else None)


@pytest.mark.parametrize("line", [[], [(0, 0), (1, 1)], [(0, 0, 0)] * 3, [(0, 0), (np.nan, 1), (1, 1)], [1, 2, 3]])
def test_a_line_that_is_no_region_is_refused(some_cells, line):
    w = ms.views.explore(some_cells()).select(["cell1"])
    with pytest.raises((ValueError, TypeError)):
        w.select_region(line)
    assert w.selected.tolist() == ["cell1"]


def test_cells_without_a_place_are_counted_and_in_no_region(some_cells):
    cells = some_cells()
    points = cells.table("umap").copy()
    points.loc[["cell3", "cell4"], "x"] = np.nan
    w = ms.views.explore(cells.with_embedding("umap", points))
    assert w._frame["nowhere"] == 2
    w.select_region([(-9, -9), (9, -9), (9, 9), (-9, 9)])
    assert len(w.selected) == 58 and "cell3" not in w.selected
    assert w.select(["cell3"]).selected.tolist() == ["cell3"] and w._saved()[1]


def test_hidden_categories_are_those_of_the_column_shown(some_cells):
    w = ms.views.explore(some_cells(), colour="plate").show(hide="p1")
    assert w._hidden == ["p1"]
    w.show(colour="odd")
    assert w._hidden == []
    with pytest.raises(KeyError, match=r"No category 'p1' to hide. There are: 'False', 'True'"):
        w.show(hide=["p1"])
    with pytest.raises(KeyError, match="none"):
        w.show(colour="area", hide=["p1"])


def test_what_is_refused_changes_nothing(some_cells):
    w = ms.views.explore(some_cells(), colour="plate")
    for wrong in ({"colour": "nothing"}, {"embedding": "nowhere"}):
        with pytest.raises(KeyError, match=r"No (column|map)"):
            w.show(**wrong)
    with pytest.raises(ValueError, match="tab='other'"):
        w.beside("other")
    with pytest.raises(KeyError, match="No column 'x'"):
        w.sort("x")
    with pytest.raises(KeyError, match="No channel 'x'"):
        w.channels("x")
    with pytest.raises(ValueError, match="the lower first"):
        w.channels(contrast={"DNA": (5, 5)})
    with pytest.raises(ValueError, match="mode='each'"):
        w.channels(mode="each")
    assert (w._colour, w._map, w._tab, w._sort) == ("plate", "umap", "distribution", "table")
    assert w._crops.shown == ("DNA", "ER")


def test_hovering_says_the_value_in_words(some_cells, answers, send):
    cells = some_cells(obs={"whole": pd.array([None, *range(100_000, 100_059)], dtype="Int64")})
    w = ms.views.explore(cells)
    sent = answers(w)
    said = {}
    for name in ("whole", "area", "plate", "odd", "a"):
        w.show(colour=name)
        for row in (0, 1):
            send(w, "hover", row=row)
            said[name, row] = sent[-1][0]["lines"][1]
    assert said["whole", 0] == "whole: (none)" and said["whole", 1] == "whole: 100000"
    assert said["a", 0] == f"a: {cells.features['a'].iloc[0]:.4g}"
    assert said["plate", 1] == f"plate: {cells.obs['plate'].iloc[1]}"


# --- the gallery ------------------------------------------------------------------------------------------------


def test_orders_of_numbers_and_what_is_missing_comes_last(some_cells):
    cells = some_cells()
    w = ms.views.explore(cells)
    w._room = 60
    area = cells.obs["area"]
    known, missing = area.dropna(), area[area.isna()].index.tolist()
    assert len(missing) >= 2
    assert w.sort("area").shown.tolist() == [*known.sort_values(kind="stable").index, *missing]
    assert w.sort("-area").shown.tolist() == [*known.sort_values(ascending=False, kind="stable").index, *missing]
    assert [o["value"] for o in w._sort_options if o["label"] in ("area ↑", "area ↓")] == ["area", "-area"]
    assert w.sort("odd").shown.tolist() == cells.obs.sort_values("odd", kind="stable").index.tolist()
    assert w.sort("a").shown.tolist() == cells.features["a"].sort_values(kind="stable").index.tolist()
    assert w.sort("table").shown.tolist() == cells.ids.tolist()


def test_texts_are_in_the_order_of_a_reader(some_cells):
    w = ms.views.explore(some_cells(obs={"when": pd.to_datetime(["2021-01-02", "2020-01-01", None] * 20)}))
    w._room = 60
    plates = w.cells.obs["plate"]
    assert plates[w.sort("plate").shown].unique().tolist() == ["p1", "p2", "p10"]
    assert plates[w.sort("-plate").shown].unique().tolist() == ["p10", "p2", "p1"]
    assert w.cells.obs["when"][w.sort("when").shown].dt.year.fillna(0).unique().tolist() == [2020, 2021, 0]


def test_categories_have_their_own_order_and_a_name_may_begin_with_a_minus(some_cells):
    size = pd.Categorical(["small", "large", None] * 20, ["small", "medium", "large"])
    cells = some_cells(obs={"size": size, "-change": np.arange(60)[::-1]})
    w = ms.views.explore(cells)
    w._room = 60
    assert cells.obs["size"][w.sort("size").shown].astype(object).fillna("").unique().tolist() == ["small", "large", ""]
    assert w.sort("-change").shown.tolist() == cells.ids[::-1].tolist()


def test_orders_by_distance(some_cells):
    cells = some_cells()
    w = ms.views.explore(cells)
    w._room = 60
    away = ms.explore.distance_to(cells, cells.ids)
    assert w.sort("typical").shown.tolist() == away.sort_values(kind="stable").index.tolist()
    assert w.sort("atypical").shown.tolist() == (-away).sort_values(kind="stable").index.tolist()
    w.sort("centre").select(cells.ids[:7])
    send_all = ms.explore.distance_to(cells, cells.ids[:7])
    assert w.shown.tolist() == send_all[:7].sort_values(kind="stable").index.tolist()
    mixed = w.select([]).sort("random").shown.tolist()
    assert mixed != cells.ids.tolist() and sorted(mixed) == sorted(cells.ids)
    assert w.sort("random").shown.tolist() == mixed


def test_orders_that_need_features_say_so(some_cells):
    w = ms.views.explore(some_cells(features=False))
    assert {"typical", "centre"}.isdisjoint(o["value"] for o in w._sort_options)
    for by in ("typical", "atypical", "centre"):
        with pytest.raises(ValueError, match="Measure them"):
            w.sort(by)


def test_a_gallery_by_distance_to_the_selection_follows_it(some_cells):
    cells = some_cells()
    g = ms.views.gallery(cells, sort="centre")
    g.selection.select(["cell9"])
    assert g._page["ids"] == g.shown.tolist() and g.shown[0] == "cell9"


def test_cells_most_like_one(some_cells, send):
    cells = some_cells()
    w = ms.views.explore(cells)
    w._room = 60
    send(w, "similar")
    assert w._words["warning"] and "No cell to compare with" in w._words["note"]
    with pytest.raises(ValueError, match="No cell to compare"):
        w.similar()
    expected = ms.explore.distance_to(cells, ["cell7"]).sort_values(kind="stable").index.tolist()
    assert w.similar("cell7").shown.tolist() == expected and expected[0] == "cell7"
    w.find("cell8")
    send(w, "similar")
    assert w.shown[0] == "cell8" and w._page["show"] == "similar"
    w.selection.find(None)
    w.select(["cell3", "cell4"]).similar()
    assert (
        w.shown.tolist() == ms.explore.distance_to(cells, ["cell3", "cell4"]).sort_values(kind="stable").index.tolist()
    )
    send(w, "show", what="selected")
    assert w.shown.tolist() == ["cell3", "cell4"]


def test_a_selection_built_from_crops_ends_with_the_next_lasso(some_cells, send):
    w = ms.views.explore(some_cells())
    w._room = 10
    send(w, "page", by=2)
    for row in (21, 25):
        send(w, "toggle", row=row)
    assert w.selected.tolist() == ["cell21", "cell25"] and w._page["start"] == 20 and w._page["total"] == 60
    send(w, "selected", [bits(60, [3, 4, 5])])
    assert w._page["ids"] == ["cell3", "cell4", "cell5"]
    send(w, "show", what="all")
    send(w, "selected", [bits(60, [7])])
    assert w._page["total"] == 60  # asked for, so it stays


def test_channels_and_contrast(some_cells, send):
    cells = some_cells()
    w = ms.views.explore(cells)
    first = w._sheet
    assert "fixed over all cells" in w._page["contrast"]
    w.channels("DNA")
    assert w._sheet != first and [c["on"] for c in w._page["channels"]] == [True, False]
    send(w, "channel", name="ER", on=True)
    assert w._sheet == first
    send(w, "channel", name="DNA", on=False)
    send(w, "channel", name="ER", on=False)  # the last one stays: an empty picture helps nobody
    assert [c["on"] for c in w._page["channels"]] == [False, True]
    w.channels("DNA", "ER")
    send(w, "channel", name="DNA", low=100, high=300)
    assert w._crops.limits[0].tolist() == [100, 300] and "as given" in w._page["contrast"] and w._sheet != first
    send(w, "channel", name="DNA", low=300, high=100)
    assert w._crops.limits[0].tolist() == [100, 300]
    send(w, "channel", mode="crop")
    assert "cannot be compared" in w._page["contrast"]
    send(w, "channel", mode="set")
    assert w._sheet == first
    tables = ms.views.explore(some_cells(images=False))
    with pytest.raises(ValueError, match="only tables"):
        tables.channels("DNA")
    send(tables, "channel", name="DNA", on=True)


# --- beside the map ---------------------------------------------------------------------------------------------


def test_brushing_bars_chooses_exactly_their_cells(some_cells, send):
    cells = some_cells(300)
    w = ms.views.explore(cells, colour="area")
    (part,) = w._panel["parts"]
    edges, area = part["edges"], cells.obs["area"]
    first, last = 6, 9
    send(w, "brush", column="area", first=last, last=first)  # dragged to the left
    expected = cells.ids[(area >= edges[first]) & (area < edges[last + 1])]
    assert w.selected.tolist() == expected.tolist() and 10 < len(expected) < 200
    call = w._words["note"].removeprefix("The same in Python: ")
    query = ast.literal_eval(ast.parse(call).body[0].value.args[0].value.args[0])
    assert call == f"w.select(cells.where({query!r}).ids)"
    assert cells.where(query).ids.tolist() == expected.tolist()
    send(w, "brush", column="area", first=0, last=0, add=True)
    assert set(w.selected) == set(expected) | set(cells.ids[area < edges[1]])
    assert [w.undo(), w.undo()] == ["select", "select"]
    shares = w.select(expected)._panel["parts"][0]["chosen"]
    assert shares[first : last + 1] == pytest.approx(
        np.array(part["all"][first : last + 1]) * area.notna().sum() / len(expected)
    )


def test_brushing_labels_given_here_names_no_condition_that_fails(some_cells, send):
    w = ms.views.explore(some_cells()).select(["cell1"]).assign("round")
    w.select([]).beside(column="label")
    send(w, "brush", column="label", first=0, last=0)
    assert w.selected.tolist() == ["cell1"] and "cells.where" not in w._words["note"]


def test_the_panel_shows_the_column_asked_for(some_cells, send):
    w = ms.views.explore(some_cells(), colour="plate")
    assert w._panel["parts"][0]["column"] == "plate"
    send(w, "column", name="a")
    assert w._panel["parts"][0]["column"] == "a" and w._colour == "plate"
    send(w, "colour", name="odd")
    assert w._panel["parts"][0]["column"] == "odd"
    w.select(w.cells.ids[:20]).beside("differences")
    assert {r["name"] for r in w._panel["rows"]} == set("abcde")
    w.beside("sources")
    assert w._panel["parts"][0]["column"] == "plate"
    w.beside("")
    assert w._panel == {"tab": ""}
    with pytest.raises(KeyError, match="No column"):
        w.beside(column="nothing")
    w._tab = "distribution"  # a click on the tab
    assert w._panel["parts"]


def test_a_selection_from_one_plate_is_warned_of_whatever_is_open(some_cells, send):
    cells = some_cells(120)
    w = ms.views.explore(cells)
    assert w._words["one_sided"] == ""
    for tab in ("distribution", "differences", "sources", ""):
        w.beside(tab).select(cells.obs["plate"] == "p2")
        assert w._words["one_sided"].startswith("100 % of the selected cells come from plate p2")
        w.select(cells.ids[::2])
        assert w._words["one_sided"] == ""
    w.select(cells.obs["plate"] == "p2").blind()
    assert w._words["one_sided"] == ""
    w.blind(False)
    assert "plate p2" in w._words["one_sided"]


def test_the_wells_of_a_plate_can_be_chosen_from_and_other_columns_once_they_are_named(some_cells, send):
    wells = [f"{row}{column:02}" for row in "ABCDEFGH" for column in range(1, 13)]
    cells = some_cells(960, obs={"well": wells * 10, "file": [f"f{i}.tif" for i in range(960)]})
    w = ms.views.explore(cells)
    offered = [o["value"] for o in w._colour_options]
    assert "well" in offered and "well" in [o["value"] for o in w._sort_options] and "file" not in offered
    w.show(colour="well")
    assert len(w._inks["entries"]) == 96 and w._panel["parts"][0]["column"] == "well"
    w.show(colour="file")
    assert {"value": "file", "label": "file", "group": "your columns"} in w._colour_options
    assert "file" in [o["value"] for o in w._panel["options"]]
    w.blind().blind(False)
    assert w._colour == "file" and "file" in [o["value"] for o in w._colour_options]


def test_labels_given_here_are_among_the_columns_beside(some_cells):
    w = ms.views.explore(some_cells(), colour="label").select(["cell1"]).assign("round")
    assert w._panel["parts"][0]["names"] == ["round", "(none)"]
    values = [o["value"] for o in w._panel["options"]]
    assert values[0] == "label" and len(values) == len(set(values))


# --- labelling --------------------------------------------------------------------------------------------------


def test_number_keys_label_the_marked_cell_and_go_on(some_cells, send):
    w = ms.views.explore(some_cells(), keys=["round", "long"])
    w._room = 6
    send(w, "key", key="1")
    assert w._words["warning"] and "No cell is marked" in w._words["note"]
    send(w, "find", row=4)
    for key in "1210":
        send(w, "key", key=key)
    assert w.labels.dropna().to_dict() == {"cell4": "round", "cell5": "long", "cell6": "round"}
    assert w.selection.found == "cell8" and w._page["start"] == 6 and not len(w.selected)
    send(w, "key", key="3")
    assert "Key 3 has no label yet" in w._words["note"]
    send(w, "move", by=-4)
    send(w, "key", key="0")
    assert w.labels.dropna().to_dict() == {"cell5": "long", "cell6": "round"} and w._page["start"] == 0
    send(w, "undo")
    assert w.labels["cell4"] == "round"


def test_arrows_stop_at_the_ends_and_stay_in_what_is_shown(some_cells, send):
    cells = some_cells()
    w = ms.views.explore(cells).select(["cell3", "cell8", "cell40"])
    w._room = 2
    seen = []
    for by in (1, 1, 1, 1, -1, -9):
        send(w, "move", by=by)
        seen.append((w.selection.found, w._page["start"]))
    assert seen == [("cell3", 0), ("cell8", 0), ("cell40", 2), ("cell40", 2), ("cell8", 0), ("cell3", 0)]


def test_keys_are_at_most_nine_and_come_back(some_cells, restart):
    names = [f"kind {i}" for i in range(12)]
    w = ms.views.explore(some_cells())
    for i, name in enumerate(names):
        w.select([f"cell{i}"]).assign(name)
    assert w.label_keys == names[:9]
    restart()
    assert ms.views.explore(some_cells()).label_keys == names[:9]
    assert ms.views.explore(some_cells(), keys="first").label_keys == ["first", *names[:8]]


def test_undo_reaches_the_labels_of_an_earlier_session(some_cells, restart):
    w = ms.views.explore(some_cells()).select(["cell1", "cell2"]).assign("a").select(["cell2"]).assign("b")
    restart()
    w = ms.views.explore(some_cells())
    assert w.labels.dropna().to_dict() == {"cell1": "a", "cell2": "b"} and w._words["can_undo"]
    assert w.undo() == "label b" and w.labels["cell2"] == "a"
    restart()
    w = ms.views.explore(some_cells())
    assert w.labels.dropna().to_dict() == {"cell1": "a", "cell2": "a"}
    assert [w.undo(), w.undo()] == ["label a", None] and w.labels.isna().all()


def test_load_is_one_step(some_cells, apart):
    cells = some_cells()
    pd.Series({"cell1": "a", "cell2": "b"}, name="label").to_csv("given.csv", index_label="cell_id")
    w = ms.views.explore(cells).select(["cell2", "cell3"]).assign("old")
    assert "2 labels taken over from given.csv" in w.load("given.csv")._words["note"]
    assert w.labels.dropna().to_dict() == {"cell1": "a", "cell2": "b", "cell3": "old"}
    assert w.undo() == "load" and w.labels.dropna().to_dict() == {"cell2": "old", "cell3": "old"}
    assert w.redo() == "load" and w.labels["cell1"] == "a"
    assert ms.views.explore(cells).load(w.save("out.csv")).labels.equals(w.labels)
    with pytest.raises(FileNotFoundError):
        w.load("nowhere.csv")


def test_labels_taken_into_the_cells_are_continued_under_their_name(some_cells, restart):
    cells = some_cells()
    w = ms.views.explore(cells).select(["cell1"]).assign("round")
    taken = cells.with_obs(w.labels)
    restart()
    again = ms.views.explore(taken)
    assert again.label == "label" and again.labels.dropna().to_dict() == {"cell1": "round"}
    again.select(["cell2"]).assign("long")
    assert taken.with_obs(again.labels).obs["label"].dropna().to_dict() == {"cell1": "round", "cell2": "long"}


def test_a_label_column_that_was_there_before_is_left_alone(some_cells):
    cells = some_cells(obs={"label": "given"})
    w = ms.views.explore(cells).select(["cell1"]).assign("mine")
    assert w.label == "my_label"
    taken = cells.with_obs(w.labels)
    assert (taken.obs["label"] == "given").all() and taken.obs["my_label"].dropna().to_dict() == {"cell1": "mine"}
    same = ms.views.explore(cells, label="label", colour="label", autosave=False).select(["cell1"]).assign("mine")
    assert [e["name"] for e in same._inks["entries"]] == ["mine", "(none)"]
    assert [o["label"] for o in same._colour_options if o["value"] == "label"] == ["label (given here)"]


def texts(view):
    """Every word that the browser shows, apart from ids."""
    names = [n for n, trait in view.traits(sync=True).items() if n.startswith("_") and n not in ("_esm", "_css")]
    values = {n: getattr(view, n) for n in names if not isinstance(getattr(view, n), bytes)}
    values["_page"] = {k: v for k, v in values["_page"].items() if k not in ("ids",)}
    return repr([values, [view._about(i) for i in range(len(view.cells))]])


def test_blind_mode_says_nothing_of_plates_and_comes_back(some_cells, send):
    cells = some_cells(obs={"plate": ["Zebra"] * 20 + ["Yak"] * 40, "phase": ["Xenon", "Walrus"] * 30}, label="phase")
    w = ms.views.explore(cells, colour="plate", sort="area", keys=["round"]).beside(column="phase")
    send(w, "brush", column="phase", first=0, last=0)
    words = ("Zebra", "Yak", "Xenon", "Walrus", "plate", "phase", "cell1")
    assert all(word in texts(w) for word in words)
    send(w, "blind", on=True)
    assert [word for word in words if word in texts(w)] == []
    for tab in ("sources", "differences", "distribution"):
        w.beside(tab).select(cells.ids[:30]).similar()
        assert [word for word in words if word in texts(w)] == []
    send(w, "find", row=2)
    send(w, "key", key="1")
    assert w.labels.dropna().tolist() == ["round"] and "Zebra" not in texts(w)
    send(w, "blind", on=False)
    assert (w._colour, w._sort, w._beside) == ("plate", "area", "phase") and w._panel["parts"]


def test_turning_blind_mode_on_and_off_leaves_no_observers(some_cells):
    w = ms.views.explore(some_cells())
    w.blind().blind(False).blind(False).blind()
    drawn = []
    w._draw_page = lambda: drawn.append(1)
    w._room = 7
    assert len(drawn) == 1


# --- the work, and what it is refused ---------------------------------------------------------------------------


def test_work_is_handed_over_and_brought_back(some_cells, answers, send, restart, apart):
    w = ms.views.explore(some_cells()).select(["cell1"]).assign("kept")
    sent = answers(w)
    send(w, "download")
    ((content, (data,)),) = sent
    assert (
        content["name"].endswith(".zip")
        and f"mlscope_work/{w.annotations.path.name}" in zipfile.ZipFile(io.BytesIO(data)).namelist()
    )
    w.annotations.path.unlink()
    restart()
    w = ms.views.explore(some_cells())
    assert w.labels.isna().all()
    for at in range(0, len(data), 100):
        send(w, "upload", [memoryview(data)[at : at + 100]], at=at, size=len(data))
    assert "Run this cell again" in w._words["note"] and not w._words["warning"]
    restart()
    assert ms.views.explore(some_cells()).labels["cell1"] == "kept"
    send(w, "upload", [b"no zip file"], at=0, size=11)
    assert w._words["warning"]


def test_an_upload_that_breaks_off_or_is_too_large_changes_nothing(some_cells, send, apart):
    w = ms.views.explore(some_cells())
    send(w, "upload", [b"half"], at=0, size=8)
    assert w._words["note"].startswith("Uploading")
    send(w, "upload", [b"late"], at=6, size=8)  # a piece is missing
    send(w, "upload", [b"new"], at=0, size=3)
    assert w._words["warning"] and "cannot be read as a zip file" in w._words["note"]
    send(w, "upload", [b"x" * 100], at=0, size=300_000_000)
    assert w._words["warning"] and "300 MB, expected 200 MB at most" in w._words["note"]
    send(w, "upload", [b"x" * 100], at=100, size=300_000_000)
    assert list(apart.iterdir()) in ([], [apart / "mlscope_work"]) and len(w._arrived) == 0


def test_nothing_to_download_is_said(some_cells, answers, send):
    w = ms.views.explore(some_cells())
    sent = answers(w)
    send(w, "download")
    assert sent == [] and "no work to save yet" in w._words["note"]


# --- comparison and histogram -----------------------------------------------------------------------------------


def test_two_maps_share_one_selection_with_every_other_view(some_cells, send):
    cells = some_cells()
    both = ms.views.compare(cells, embedding=["umap", "pca"], colour="plate")
    w = ms.views.explore(cells)
    send(both.left, "selected", [bits(60, [5, 6])])
    assert both.selected.tolist() == w.selected.tolist() == ["cell5", "cell6"]
    assert both.left._selected == both.right._selected == w._selected and "2 of 60" in both._summary
    both.right.select_region([(-99, -99), (99, -99), (99, 99), (-99, 99)])
    assert len(both.selected) == 60
    send(both, "invert")
    assert len(w.selected) == 0
    send(both, "undo")
    send(both, "clear")
    send(both, "undo")
    send(both, "redo")
    assert len(both.selected) == 0
    both.show(colour="area")
    assert both.left._inks["kind"] == both.right._inks["kind"] == "scale"
    both.close()
    w.select(["cell1"])
    assert both.left._selected != w._selected


def test_maps_of_other_cells_are_not_compared(some_cells):
    cells = some_cells()
    with pytest.raises(ValueError, match=r"not the same \(only in the first: 'cell59'; only in the second: none\)"):
        ms.views.compare(cells, cells.subset(cells.ids[:59]))
    with pytest.raises(ValueError, match="compared with itself"):
        ms.views.compare(cells)
    with pytest.raises(TypeError, match="Expected Cells"):
        ms.views.compare(cells, cells.obs)
    other = cells.with_features(cells.features * 2)
    assert (
        ms.views.compare(cells, other, embedding="pca").left._inks
        == ms.views.compare(cells, other, embedding="pca").right._inks
    )


def test_one_category_has_one_colour_on_both_maps(some_cells):
    both = ms.views.compare(some_cells(), embedding=["umap", "pca"], colour="plate", colours={"p2": "#123456"})
    assert both.left._inks == both.right._inks and "#123456" in str(both.left._inks)


def test_a_histogram_of_a_choice(some_cells):
    cells = some_cells()
    every, chosen = ms.views.histogram(cells, "plate", cells.obs["odd"])
    shares = cells.obs["plate"][cells.obs["odd"]].value_counts(normalize=True)
    assert dict(zip(chosen.dimension_values("kind"), chosen.dimension_values("share"), strict=True)) == pytest.approx(
        (shares * 100).to_dict()
    )
    assert every.dimension_values("share").sum() == pytest.approx(100)
    assert len(ms.views.histogram(cells, "area")) == 1
    with pytest.raises(KeyError, match="nothing"):
        ms.views.histogram(cells, "nothing")
    with pytest.raises(KeyError, match="nobody"):
        ms.views.histogram(cells, "plate", ["nobody"])
