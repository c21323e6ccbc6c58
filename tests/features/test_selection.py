"""Selection and aggregation: what is left out and why; one row per unit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import Cells
from mlscope_nb.features import aggregate, normalize, select
from mlscope_nb.features.selection import constant_columns, duplicate_columns, missing_columns, outlier_columns
from tests.reference.peers_normalization import crowded
from tests.reference.peers_normalization import table as peer_table

PEERS = json.loads((Path(__file__).parents[1] / "reference" / "peers_normalization.json").read_text(encoding="utf-8"))


def cells_of(table, **roles):
    ids = [f"c{i}" for i in range(len(table))]
    return Cells(pd.DataFrame({"well": ["A"] * len(ids)}, index=ids), features=table.set_axis(ids), **roles)


def test_each_question_agrees_with_pycytominer():
    left = crowded(peer_table()[0])
    questions = {
        "drop_na_columns": lambda t: missing_columns(t, 0.05),
        "variance_threshold": lambda t: constant_columns(t, 1e-6),
        "drop_outliers": lambda t: outlier_columns(t, 500),
        "correlation_threshold": lambda t: duplicate_columns(t, 0.9),
    }
    for name, ask in questions.items():
        dropped = ask(left)
        assert sorted(dropped) == PEERS["selected"][name]
        left = left.drop(columns=dropped)


def test_all_questions_together_on_normalised_features():
    cells = cells_of(crowded(peer_table()[0]), unit="well")
    normalised = Cells(cells.obs, features=cells.features, history=[{"step": "normalize"}])
    kept = select(normalised)
    expected = {name for names in PEERS["selected"].values() for name in names}
    assert set(kept.features.attrs["dropped"]) == expected
    assert list(kept.features.columns) == [c for c in cells.features.columns if c not in expected]
    step = next(s for s in kept.history if s["step"] == "select")
    assert step["dropped"]["constant"] == ["Cells_Constant", "Cells_Almost"]
    assert step["n_before"] - step["n_features"] == len(expected)


def test_raw_features_are_not_judged_by_their_units():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"area": rng.normal(3000, 500, 50), "tiny": rng.normal(1e-5, 2e-6, 50)})
    kept = select(cells_of(table))
    assert list(kept.features.columns) == ["area", "tiny"]
    assert "outliers were not looked for" in kept.history[-2]["note"]


def test_opposite_features_count_when_asked_for():
    x = np.random.default_rng(0).normal(size=50)
    cells = cells_of(pd.DataFrame({"up": x + 5, "down": 5 - x + np.linspace(0, 0.1, 50)}))
    assert select(cells).features.shape[1] == 2
    assert select(cells, absolute=True).features.shape[1] == 1


def test_questions_can_be_skipped_and_wrong_limits_are_refused():
    cells = cells_of(pd.DataFrame({"flag": [1.0, 1.0, 1.0], "x": [1.0, 2.0, 4.0]}))
    assert select(cells, variance=None, correlation=None).features.shape[1] == 2
    with pytest.raises(ValueError, match="correlation is 90"):
        select(cells, correlation=90)
    with pytest.raises(ValueError, match="would be left"):
        select(cells.with_features(cells.features[["flag"]]))


def wells():
    ids = list("abcdef")
    obs = pd.DataFrame(
        {
            "plate": ["p1", "p1", "p1", "p2", "p2", "p2"],
            "well": ["A", "B", "A", "A", "A", "B"],
            "drug": ["x", "y", "x", "x", "x", "y"],
            "x_px": range(6),
        },
        index=ids,
    )
    table = pd.DataFrame({"area": [1.0, 5, 3, 10, 30, 7], "gap": [np.nan, 1, 2, np.nan, np.nan, 3]}, index=ids)
    return Cells(
        obs,
        features=table,
        unit=("plate", "well"),
        batch="plate",
        label="drug",
        control={"drug": "x"},
        treatment="drug",
    )


def test_units_get_the_median_of_their_cells_and_their_number():
    units = aggregate(wells())
    assert list(units.ids) == ["p1 · A", "p1 · B", "p2 · A", "p2 · B"]
    assert units.features["area"].tolist() == [2.0, 5.0, 20.0, 7.0]
    assert units.obs["n_cells"].tolist() == [2, 1, 2, 1]
    np.testing.assert_array_equal(units.features["gap"], [2.0, 1.0, np.nan, 3.0])
    assert "x_px" not in units.obs.columns
    assert units.labels.tolist() == ["x", "y", "x", "y"]
    assert (units.design.unit, units.design.batch) == (("plate", "well"), ("plate",))
    assert units.history[-1]["note"].endswith("'x_px'")
    assert units.controls.sum() == 2


def test_mean_differs_from_median_and_agrees_with_pandas():
    cells = wells().subset(list("acbdef"))
    units = aggregate(cells, method="mean")
    expected = cells.features.groupby(cells.units).mean()
    pd.testing.assert_frame_equal(units.features, expected.loc[units.ids], check_names=False)


def test_a_label_that_differs_within_a_unit_is_refused():
    with pytest.raises(ValueError, match="label 'drug' differs between cells of one unit"):
        aggregate(wells(), by="plate")
    plates = aggregate(wells().with_design(label=None), by="plate")
    assert plates.design.control is None
    assert len(plates) == 2


def test_lists_and_dictionaries_in_obs_are_compared_as_text():
    cells = wells().with_design(label=None)
    own = [{"cell": i} for i in range(len(cells))]
    units = aggregate(cells.with_obs(pd.DataFrame({"tags": [["a", "b"]] * len(cells), "own": own}, cells.ids)))
    assert units.obs["tags"].map(len).eq(2).all() and "own" not in units.obs


def test_aggregated_then_normalised_keeps_history():
    units = aggregate(wells().with_design(label=None))
    with pytest.warns(UserWarning, match="Few controls"), pytest.warns(UserWarning, match="do not vary"):
        after = normalize(units)
    assert [s["step"] for s in after.history][-3:] == ["aggregate", "normalize", "with_features"]


def test_without_a_unit_it_says_what_to_declare():
    with pytest.raises(ValueError, match="No unit is declared"):
        aggregate(cells_of(pd.DataFrame({"x": [1.0, 2.0]})))
