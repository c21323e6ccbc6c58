"""A column as colours, as bars and as a condition: no column may break a view or be drawn wrongly."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlscope_nb as ms
from mlscope_nb.views._beside import differences, distribution, sources
from mlscope_nb.views._inks import MOST, inks_of, viridis
from mlscope_nb.views._sentences import one_sided, origins_of
from mlscope_nb.views.colours import MISSING, category_colours, is_continuous


def column(values, **kind):
    return pd.Series(values, name="c", **kind)


COLUMNS = {
    "NaN": column([np.nan] * 4),
    "infinite": column([np.inf, -np.inf, 1.0, 2.0]),
    "one value": column([3.0] * 5),
    "whole numbers": column(range(40)),
    "few whole numbers": column([1, 2, 1]),
    "truth values": column([True, False, True]),
    "300 kinds": column([f"k{i}" for i in range(300)]),
    "no rows": column([], dtype=float),
    "no rows of text": column([], dtype=object),
    "huge": column([-1.7e308, 1.7e308, 0.0]),
    "differences of 1e-12": column(np.linspace(1, 1 + 1e-12, 50)),
    "the smallest difference": column([1.0, np.nextafter(1, 2)] * 20),
    "the smallest numbers": column(np.linspace(0, 1e-320, 50)),
    "large and constant": column([1e20] * 3),
    "nullable whole numbers": column([*range(39), None], dtype="Int64"),
    "nullable numbers": column([1.0, None], dtype="Float64"),
    "nullable truth": column([True, None], dtype="boolean"),
    "text with nothing": column(["a", None], dtype="string"),
    "dates": column(pd.to_datetime(["2020-01-01", None])),
    "nothing": column([None] * 3, dtype=object),
    "a mixture": column([1, "1", None, 2.5, True], dtype=object),
    "half precision": column(np.array([1, 2, 65_000], np.float16)),
    "categories": column(pd.Categorical(["a", None, "b"], ["b", "a", "unused"])),
    "categories alike": column(pd.Categorical([1, "1", 1, "1"], [1, "1"])),
}


def palette_of(values):
    return None if is_continuous(values) else category_colours(values)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_every_column_has_a_colour_for_each_cell_and_bars_that_add_up(values):
    codes, legend = inks_of(values, palette_of(values), len(values))
    json.dumps(legend, allow_nan=False)
    assert len(codes) == len(values)
    if legend["kind"] == "categories":
        counts = [e["count"] for e in legend["entries"]]
        assert np.bincount(np.frombuffer(codes, np.uint8), minlength=len(counts)).tolist() == counts
        names = [e["name"] for e in legend["entries"]]
        assert len(set(names)) == len(names)
    made = distribution(values, palette_of(values))
    json.dumps(made.to_dict(np.arange(len(values))[:2]), allow_nan=False)
    assert len(made.names) == len(made.colours) and len(set(made.names)) <= len(made.names) <= 35
    known = (made.code >= 0).sum()
    assert sum(made.shares()) == pytest.approx(1 if known else 0)
    if made.edges:
        assert (np.diff(made.edges) > 0).all() and len(made.edges) == len(made.names) + 1


def test_numbers_without_a_value_have_a_colour_of_their_own():
    codes, legend = inks_of(column([0.0, np.nan, 10.0, np.inf]), None, 4)
    assert list(codes) == [0, 255, 254, 255] and legend["n_missing"] == 2 and legend["missing"] == MISSING
    assert len(legend["palette"]) == 255 == len(viridis(255))


def test_more_kinds_than_codes_share_the_last_one():
    values = COLUMNS["300 kinds"]
    codes, legend = inks_of(values, category_colours(values), 300)
    assert len(legend["entries"]) == MOST + 1 and legend["entries"][-1] == {
        "name": "(others)",
        "colour": MISSING,
        "count": 300 - MOST,
    }
    shown = [legend["entries"][c]["name"] for c in codes]
    assert all(name in (given, "(others)") for name, given in zip(shown, values, strict=True))


def test_no_column_is_one_colour():
    codes, legend = inks_of(None, None, 3)
    assert codes == bytes(3) and legend["kind"] == "one" and legend["entries"][0]["count"] == 3


def test_categories_that_look_alike_are_one_entry():
    _, legend = inks_of(COLUMNS["categories alike"], category_colours(COLUMNS["categories alike"]), 4)
    assert [(e["name"], e["count"]) for e in legend["entries"]] == [("1", 4)]
    assert distribution(COLUMNS["categories alike"]).shares() == [1.0]


def test_unused_categories_are_not_drawn_and_the_own_order_holds():
    _, legend = inks_of(COLUMNS["categories"], category_colours(COLUMNS["categories"]), 3)
    assert [e["name"] for e in legend["entries"]] == ["b", "a", "(none)"]


def test_many_kinds_are_the_most_frequent_and_the_rest():
    values = column(np.repeat([f"k{i}" for i in range(40)], np.arange(1, 41)))
    made = distribution(values, category_colours(values))
    assert made.names == (*(f"k{i}" for i in range(29, 40)), "(others)")
    assert made.shares()[-1] == pytest.approx(sum(range(1, 30)) / 820)
    assert set(values[made.rows(11, 11)]) == {f"k{i}" for i in range(29)}


@pytest.mark.parametrize("step", [0.1, 0.01, 0.05, 1, 250])
def test_a_value_on_an_edge_lies_in_the_bin_that_begins_there(step):
    values = column(np.array([float(f"{k * step:.10g}") for k in range(400)]))
    made = distribution(values)
    for value, code in zip(values[10:-10], made.code[10:-10], strict=True):
        assert made.edges[code] <= value < made.edges[code + 1]
        assert float(made.names[code].split(" to ")[0]) <= value < float(made.names[code].split(" to ")[1])


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=60), st.data())
def test_bins_of_any_numbers(values, data):
    made = distribution(column(values))
    finite = np.isfinite(values)
    assert ((made.code >= 0) == finite).all() and made.code.max(initial=-1) < len(made.names)
    # Sorted values have sorted bins: a bar to the right never holds a smaller number.
    assert (np.diff(made.code[finite][np.argsort(np.array(values)[finite], kind="stable")]) >= 0).all()
    codes, legend = inks_of(column(values), None, len(values))
    json.dumps([legend, made.to_dict(np.arange(1))], allow_nan=False)
    assert ((np.frombuffer(codes, np.uint8) == 255) == ~finite).all()


def test_conditions_choose_the_same_cells_as_the_bars():
    rng = np.random.default_rng(0)
    n = 300
    obs = {
        "area": np.round(rng.normal(50, 10, n), 1),
        "tiny": rng.normal(size=n) * 1e-7,
        "large": 100_000 + np.round(rng.random(n), 2),
        "whole": rng.integers(0, 500, n),
        "plate": rng.choice(["it's", 'say "x"', "ü\\", "p1"], n),
        "count": rng.integers(0, 4, n),
        "odd": rng.random(n) < 0.5,
        "missing": rng.choice(["a", None], n),
        "class": rng.choice(["a", "b"], n),
        "two words": rng.choice(["a", "b"], n),
    }
    cells = ms.Cells(pd.DataFrame(obs, index=[f"c{i}" for i in range(n)]))
    said = 0
    for name in obs:
        made = distribution(cells.obs[name], palette_of(cells.obs[name]))
        last = len(made.names) - 1
        for first, end in ((0, 0), (last, last), (last // 2, last // 2 + 1), (0, last // 2), (1, last)):
            query = made.query(first, min(end, last))
            if query:
                said += 1
                expected = cells.ids[made.rows(first, min(end, last))]
                assert cells.where(query).ids.tolist() == expected.tolist(), query
    assert said >= 25
    assert distribution(cells.obs["class"]).query(0, 0) == distribution(cells.obs["two words"]).query(0, 0) == ""
    made = distribution(cells.obs["missing"])
    assert made.query(0, 0) == "missing == 'a'" and made.query(1, 1) == ""


def test_shares_of_a_choice_and_of_none():
    made = distribution(column(["a", "b", "a", None], dtype=object))
    assert made.shares(np.array([1, 3])) == [0.0, 0.5, 0.5] and made.to_dict(np.array([], int))["chosen"] == []


def test_a_choice_from_one_plate_is_warned_of_and_a_fair_one_is_not():
    plates = np.repeat(["p1", "p2", "p3", "p4"], 50)
    cells = ms.Cells(pd.DataFrame({"plate": plates}, index=[f"c{i}" for i in range(200)]), batch="plate")
    where = origins_of(cells)
    assert "80 % of the selected cells come from plate p2" in one_sided(where, np.r_[50:90, 150:160])
    assert one_sided(where, np.arange(0, 200, 3)) == ""
    assert one_sided(where, np.arange(9)) == ""  # too few to say
    assert one_sided(where, np.arange(200)) == ""


@pytest.mark.parametrize(("from_first", "warned"), [(20, True), (17, True), (16, True), (15, False), (10, False)])
def test_of_two_plates_four_fifths_from_one_are_warned_of(from_first, warned):
    obs = pd.DataFrame({"plate": ["p1"] * 50 + ["p2"] * 50}, [f"c{i}" for i in range(100)])
    rows = np.r_[:from_first, 50 : 70 - from_first]
    said = one_sided(origins_of(ms.Cells(obs, batch="plate")), rows)
    assert bool(said) == warned and (not warned or "plate p1, which holds 50 % of all cells" in said)


def test_a_plate_that_holds_most_cells_is_no_warning_and_wells_are_looked_at_too():
    obs = pd.DataFrame({"plate": ["p1"] * 80 + ["p2"] * 20, "well": ["A1"] * 10 + ["B1"] * 70 + ["A1"] * 20})
    cells = ms.Cells(obs.set_index(pd.Index([f"c{i}" for i in range(100)])), batch="plate", unit=["plate", "well"])
    where = origins_of(cells)
    assert [origin.name for origin in where] == ["plate", "well"]
    assert one_sided(where, np.r_[20:75, 80:90]) == ""  # 85 % of 80 %
    assert "well A1, which holds 30 %" in one_sided(where, np.r_[:10, 70:75, 80:87])


def test_a_batch_that_holds_all_cells_is_no_warning():
    cells = ms.Cells(pd.DataFrame({"plate": "p1"}, index=[f"c{i}" for i in range(40)]), batch="plate")
    assert origins_of(cells) == [] and one_sided([], np.arange(20)) == ""


def test_differences_without_intervals_features_or_choice(some_cells):
    cells = some_cells(batch=None)  # no unit: no intervals
    table = differences(cells, cells.ids[:20])
    assert table["rows"] and all(r["low"] is None and r["high"] is None for r in table["rows"])
    json.dumps(table, allow_nan=False)
    assert differences(cells, cells.ids)["rows"] == differences(cells, cells.ids[:0])["rows"] == []
    assert "ms.features.measure" in differences(some_cells(features=False), cells.ids[:3])["note"]


def test_differences_of_a_feature_without_overlap_can_be_sent(some_cells):
    cells = some_cells()
    split = pd.DataFrame({"f": (np.arange(60) < 20) * 1.0, "empty": np.nan}, cells.ids)
    json.dumps(differences(cells.with_features(split), cells.ids[:20]), allow_nan=False)


def test_sources_of_cells_without_a_design(some_cells):
    cells = some_cells(batch=None)
    assert sources(cells, np.arange(3), palette_of)["parts"] == []
    (part,) = sources(some_cells(), np.arange(3), palette_of)["parts"]
    assert part["column"] == "plate" and part["names"] == ["p1", "p2", "p10"]
