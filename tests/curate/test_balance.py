"""Balance and plate layout: what is counted, what is warned of, and effects of the place tested over wells."""

import json

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.curate import balance, layout
from mlscope_nb.curate.positions import holm, position_effects
from mlscope_nb.curate.wells import parse_wells, plate_shape


def study(classes_on, cells_per_well=3):
    """Cells of plates given as {plate: {class: wells}}."""
    rows = [
        (plate, f"{label}{w}", label)
        for plate, classes in classes_on.items()
        for label, wells in classes.items()
        for w in range(wells)
        for _ in range(cells_per_well[label] if isinstance(cells_per_well, dict) else cells_per_well)
    ]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    return Cells(obs, unit=("plate", "well"), batch="plate", label="drug")


def plate(rows=8, columns=12, effect=lambda r, c: 0.0, seed=0, n_plates=1, cells=1, **columns_of_obs):
    """Cells on full plates: normal wells plus an effect of row and column (from 0)."""
    rng = np.random.default_rng(seed)
    made = []
    for p in range(n_plates):
        for r in range(rows):
            for c in range(columns):
                level = effect(r, c) + rng.normal() + 5 * p
                made += [(f"p{p}", f"{chr(65 + r)}{c + 1:02d}", level + 0.3 * rng.normal()) for _ in range(cells)]
    obs = pd.DataFrame(made, columns=["plate", "well", "value"]).assign(**columns_of_obs)
    obs.index = [f"c{i}" for i in range(len(obs))]
    return Cells(obs, unit=("plate", "well"), batch="plate")


def rim(r, c):
    return 1.5 * (r in (0, 7) or c in (0, 11))


def of(found, effect, where="p0"):
    table = found.effects[found.effects["plate"] == where].set_index("effect")
    return table.loc[effect]


def test_a_balanced_study_gets_no_warning():
    found = balance(study({"p1": {"a": 4, "b": 4}, "p2": {"a": 4, "b": 4}}))
    assert found.warnings == () and found.missing == []
    assert found.cells.loc["a", "p1"] == 12 and found.units.loc["a", "p1"] == 4
    assert "Nothing speaks against" in str(found)


def test_a_class_on_one_plate_only_is_named():
    found = balance(study({"p1": {"a": 4, "b": 4, "c": 4}, "p2": {"a": 4, "b": 4}}))
    assert found.missing == [("c", "p2")]
    assert any("In one batch only: 'c'" in w for w in found.warnings)


def test_nesting_and_few_units_come_from_the_study_room():
    found = balance(study({"p1": {"a": 2}, "p2": {"b": 2}}))
    assert set(found.replication.findings) <= set(found.warnings)
    said = " ".join(found.warnings)
    assert "one and the same" in said and "fewer than 3" in said
    assert "In one batch only" not in said, "said once is enough"


def test_unequal_counts_are_named():
    found = balance(study({"p1": {"a": 4, "b": 4}, "p2": {"a": 4, "b": 4}}, {"a": 30, "b": 5}))
    said = " ".join(found.warnings)
    assert "'a' has 240 cells and 'b' 40" in said and "Density alone" in said


def test_a_sparse_and_a_full_well_are_named():
    cells = study({"p1": {"a": 4, "b": 4}, "p2": {"a": 4, "b": 4}}, 12)
    ids = cells.ids[~((cells.obs["well"] == "a0") & (cells.obs["plate"] == "p1"))]
    few = cells.subset([*ids, *cells.ids.difference(ids)[:3]])
    assert any("with a third of" in w and "'p1 · a0'" in w for w in balance(few).warnings)


def test_cells_without_a_label_are_not_counted_for_a_class():
    cells = study({"p1": {"a": 3, "b": 3}})
    drug = cells.obs["drug"].where(cells.obs.index != "c0")
    found = balance(cells.with_obs(drug))
    assert found.cells.loc["a", "p1"] == 8 and any("1 cell without a label" in w for w in found.warnings)


def test_balance_without_label_batch_or_unit():
    cells = study({"p1": {"a": 3, "b": 3}})
    assert balance(cells.with_design(label=None, batch=None)).cells.to_numpy().tolist() == [[18]]
    with pytest.raises(ValueError, match="No unit is declared"):
        balance(cells.with_design(unit=None))


def test_balance_speaks_html_and_json_and_escapes():
    cells = study({"<b>p": {"<i>a": 3, "b": 30}})
    found = balance(cells)
    assert "<b>p" not in found._repr_html_() and "<i>a" not in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["cells"]["b"]["<b>p"] == 90


@pytest.mark.parametrize(
    ("name", "place"),
    [("A01", (1, 1)), ("a1", (1, 1)), ("P24", (16, 24)), ("AF48", (32, 48)), ("B-03", (2, 3)), ("R02C010", (2, 10))],
)
def test_names_of_wells(name, place):
    assert tuple(parse_wells([name]).iloc[0]) == place


@pytest.mark.parametrize("name", ["DMSO", "A00", "A49", "AG01", "1A", "A1.5", "", "A001B", "nan"])
def test_names_of_no_well_are_refused(name):
    with pytest.raises(ValueError, match=f"1 name of no well: '{name}'.*from A01 to AF48"):
        parse_wells(["A01", name])


@pytest.mark.parametrize(("last", "shape"), [("B03", (2, 3)), ("D06", (4, 6)), ("G11", (8, 12)), ("P24", (16, 24))])
def test_the_smallest_plate_that_holds_all_wells(last, shape):
    assert plate_shape(parse_wells(["A01", last])) == shape


def test_an_edge_effect_is_found_with_its_size():
    found = layout(plate(effect=rim), "value")
    edge = of(found, "edge")
    assert edge["low"] < 1.5 < edge["high"] and edge["p_adjusted"] < 0.001
    assert any("wells at the rim differ" in f for f in found.findings)
    assert found.wells["edge"].sum() == 36


def test_a_gradient_is_no_edge_and_no_pattern():
    found = layout(plate(effect=lambda r, c: 3 * c / 11), "value")
    assert of(found, "column trend")["low"] < 3 < of(found, "column trend")["high"]
    significant = found.effects[found.effects["p_adjusted"] <= 0.05]
    assert significant["effect"].tolist() == ["column trend"]


def test_a_bad_nozzle_is_a_pattern():
    found = layout(plate(effect=lambda r, c: 3.0 * (r == 3)), "value")
    pattern = of(found, "row pattern")
    assert pattern["p_adjusted"] < 0.001 and 0 < pattern["low"] < pattern["estimate"] < pattern["high"] < 1
    assert any("rows differ beyond edge and trend" in f for f in found.findings)


def test_least_squares_agrees_with_a_plain_t_test_when_only_the_rim_is_asked():
    from scipy.stats import ttest_ind

    # rows and columns are symmetric here, so that trends say nothing of the rim but cost two degrees of freedom
    found = layout(plate(effect=rim, seed=3), "value")
    wells = found.wells
    plain = ttest_ind(wells.loc[wells["edge"], "value"], wells.loc[~wells["edge"], "value"])
    difference = wells.loc[wells["edge"], "value"].mean() - wells.loc[~wells["edge"], "value"].mean()
    assert of(found, "edge")["estimate"] == pytest.approx(difference)
    width = of(found, "edge")["high"] - of(found, "edge")["low"]
    interval = plain.confidence_interval()
    assert width == pytest.approx(interval.high - interval.low, rel=0.05)


def test_partial_r_squared_interval_agrees_with_the_noncentral_f():
    from scipy.stats import ncf

    found = layout(plate(effect=lambda r, c: 3.0 * (r == 3)), "value")
    row, n = of(found, "row pattern"), 96
    # mean, edge and two trends are in the model before; 8 rows bring 6 more, for they hold a mean and a trend
    more, freedom = 6, 96 - 10
    ratio = row["estimate"] / (1 - row["estimate"]) * freedom / more
    for end, share in (("low", 0.975), ("high", 0.025)):
        assert ncf.cdf(ratio, more, freedom, n * row[end] / (1 - row[end])) == pytest.approx(share, abs=1e-3)


def test_copies_of_all_cells_change_nothing():
    cells = plate(effect=rim, n_plates=2, cells=3)
    copies = cells.obs.set_axis([f"{i}-copy" for i in cells.ids])
    doubled = Cells(pd.concat([cells.obs, copies]), unit=("plate", "well"), batch="plate")
    for value in ("value", "n_cells"):
        pd.testing.assert_frame_equal(layout(cells, value).effects, layout(doubled, value).effects, rtol=1e-6)


def test_the_order_of_cells_changes_nothing():
    cells = plate(effect=rim, cells=2)
    shuffled = cells.subset(np.random.default_rng(0).permutation(cells.ids))
    pd.testing.assert_frame_equal(layout(cells, "value").effects, layout(shuffled, "value").effects, rtol=1e-6)


def test_plates_count_apart_and_together():
    found = layout(plate(effect=rim, n_plates=2), "value")
    assert list(found.effects["plate"].unique()) == ["all plates", "p0", "p1"]
    pooled, single = of(found, "edge", "all plates"), of(found, "edge")
    assert pooled["n_wells"] == 192 and pooled["high"] - pooled["low"] < single["high"] - single["low"]
    assert found.plates == ["p0", "p1"]


def test_treatments_are_allowed_for_and_confounding_is_said():
    drug = np.random.default_rng(1).permutation(np.arange(96) % 4)
    cells = plate(effect=rim)
    with_effect = cells.obs.assign(drug=[f"d{d}" for d in drug], value=cells.obs["value"] + 6 * drug)
    strong = Cells(with_effect, unit=("plate", "well"), batch="plate", label="drug")
    assert of(layout(strong, "value"), "edge")["p_value"] < 0.001
    assert of(layout(strong, "value", allow_for_treatment=False), "edge")["p_value"] > 0.001
    place = layout(cells, "value").wells["edge"].to_numpy()
    tied = Cells(cells.obs.assign(drug=np.where(place, "x", "y")), unit=("plate", "well"), batch="plate", label="drug")
    edge = of(layout(tied, "value"), "edge")
    assert np.isnan(edge["p_value"]) and "as treatments and plates do" in edge["note"]


def test_false_positives_are_as_rare_as_the_level_says():
    hits = np.zeros(5)
    places = parse_wells([f"{r}{c}" for r in "ABCD" for c in range(1, 7)])
    for seed in range(250):
        rng = np.random.default_rng(seed)
        wells = places.assign(plate="p", value=rng.normal(size=24))
        hits += (position_effects(wells, (4, 6))["p_value"] <= 0.05).to_numpy()
    # 250 studies: 5 % ± three standard errors
    assert (np.abs(hits / 250 - 0.05) < 0.042).all(), hits


def test_counts_of_cells_are_a_share_of_the_plates_mean():
    cells = plate(cells=2)
    fewer = cells.subset(cells.ids[~((cells.obs["well"] == "B02").to_numpy() & (np.arange(192) % 2 == 0))])
    found = layout(fewer)
    assert found.grid().loc["B", 2] == pytest.approx(0.5, abs=0.01)
    assert found.wells["n_cells"].sum() == 191


def test_wells_alike_and_too_few_wells_are_said():
    same = layout(plate(cells=2))
    assert same.effects["p_value"].isna().all() and "do not scatter" in of(same, "edge")["note"]
    few = layout(plate(rows=2, columns=2), "value")
    assert few.effects["p_value"].isna().all() and "Nothing could be tested" in str(few)


def test_where_wells_plates_and_shape_come_from():
    cells = plate(rows=4, columns=4)
    assert layout(cells, "value").shape == (4, 4)
    assert layout(cells, "value", shape=96).shape == (8, 12)
    assert layout(cells, "value", shape=(5, 7)).wells["edge"].sum() == 7
    renamed = Cells(cells.obs.rename(columns={"well": "position"}), unit=("plate", "position"), batch="plate")
    assert layout(renamed, "value").wells["well"].tolist()[:2] == ["A01", "A02"]


def test_bad_input_is_refused_with_what_to_do():
    cells = plate(rows=4, columns=6)
    with pytest.raises(ValueError, match="2 names of no well: 'x', 'y'"):
        layout(Cells(pd.DataFrame({"well": ["x", "y"], "v": [1.0, 2.0]}, index=["a", "b"]), unit="well"), "v")
    with pytest.raises(KeyError, match="No column 'wel'"):
        layout(cells, "value", well="wel")
    with pytest.raises(KeyError, match="No value 'area'"):
        layout(cells, "area")
    with pytest.raises(ValueError, match="outside of a plate of 2 × 3"):
        layout(cells, "value", shape=6)
    with pytest.raises(ValueError, match="shape is 7"):
        layout(cells, "value", shape=7)
    with pytest.raises(ValueError, match="No column holds wells"):
        layout(Cells(pd.DataFrame({"v": [1.0]}, index=["a"])), "v")
    with pytest.raises(KeyError, match="No plate 'p9'"):
        layout(cells, "value").grid("p9")
    with pytest.raises(ValueError, match="2 cells without a well"):
        table = cells.obs
        table.iloc[:2, table.columns.get_loc("well")] = None
        layout(Cells(table, batch="plate"), "value", well="well")


def test_layout_speaks_html_and_json():
    found = layout(plate(effect=rim, rows=4, columns=6), "value")
    assert "<table" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["shape"] == [4, 6]


def test_holm_agrees_with_the_definition():
    p = np.array([0.001, 0.01, 0.03, 0.04, 0.5])
    assert holm(p).tolist() == pytest.approx([0.005, 0.04, 0.09, 0.09, 0.5])
