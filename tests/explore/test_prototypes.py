"""Typical and atypical members of groups, and the ways in which groups can be given."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.explore import prototypes
from mlscope_nb.explore.memberships import members, rows_of_group
from mlscope_nb.explore.neighbours import feature_space


def two_clouds():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) + np.repeat([0, 6], 100)[:, None]
    x[0], x[199] = 6, 0  # each a stranger in its group
    obs = pd.DataFrame(
        {"kind": np.repeat(["a", "b"], 100), "well": np.arange(200) % 8}, index=[f"c{i}" for i in range(200)]
    )
    return Cells(obs, features=pd.DataFrame(x, index=obs.index).add_prefix("F"), unit="well", label="kind")


def test_strangers_are_atypical_and_the_middle_is_typical():
    found = prototypes(two_clouds(), "kind", n=5)
    first = found[found["rank"] == 1].rename_axis("id").reset_index().set_index(["group", "kind"])
    assert first["id"]["a", "atypical"] == "c0" and first["id"]["b", "atypical"] == "c199"
    assert first.loc[("a", "typical"), "distance"] < first.loc[("a", "atypical"), "distance"] / 3
    assert found.groupby(["group", "kind"]).size().tolist() == [5, 5, 5, 5]
    assert found.index.is_unique


def test_small_groups_give_no_cell_twice():
    found = prototypes(two_clouds(), {"few": ["c1", "c2", "c3"], "one": ["c9"]}, n=5)
    assert found.index.is_unique
    assert found.groupby("group").size().to_dict() == {"few": 3, "one": 1}


def test_a_space_gives_the_same_as_cells():
    cells = two_clouds()
    space = feature_space(cells, decorrelate=True)
    pd.testing.assert_frame_equal(prototypes(space, cells.labels, 3), prototypes(cells, "kind", 3))


def test_groups_may_be_given_in_many_ways():
    cells = two_clouds()
    by_name = members(cells, "kind")
    for given in (
        "label",
        cells.labels,
        SimpleNamespace(labels=cells.labels),
        {"a": cells.ids[:100], "b": cells.ids[100:]},
    ):
        assert (members(cells, given) == by_name).all()
    picked = members(cells, cells.labels == "b")
    assert ((picked == "chosen") == (by_name == "b")).all()
    assert (members(cells, cells.ids[100:]) == picked).all()
    partly = members(cells, cells.labels.where(cells.labels == "a"))
    assert partly.isna().sum() == 100


def test_wrong_groups_are_refused_by_name():
    cells = two_clouds()
    with pytest.raises(KeyError, match=r"No column 'kindd' in obs\. Did you mean 'kind'"):
        members(cells, "kindd")
    with pytest.raises(ValueError, match="1 cell of 'y' stand in another group too: 'c5'"):
        members(cells, {"x": ["c4", "c5"], "y": ["c5"]})
    with pytest.raises(ValueError, match="None of 200 cells belongs to a group"):
        members(cells, pd.Series(np.nan, index=cells.ids))
    with pytest.raises(ValueError, match="ids are missing"):
        members(cells, cells.labels.iloc[:-3])
    with pytest.raises(ValueError, match="n is 0"):
        prototypes(cells, "kind", n=0)


def test_a_group_is_named_by_its_label_its_treatment_or_its_ids():
    cells = two_clouds()
    assert rows_of_group(cells, "b", "end").sum() == 100
    assert list(cells.ids[rows_of_group(cells, ["c7", "c3"], "start")]) == ["c3", "c7"]
    with pytest.raises(KeyError, match=r"No group and no cell is called 'q' \(start\)\. Groups: 'a', 'b'"):
        rows_of_group(cells, "q", "start")
