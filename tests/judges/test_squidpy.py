"""squidpy draws cells in their fields where they are, and finds neighbours within fields only."""

import numpy as np
import pytest

import mlscope_nb as ms


@pytest.fixture(scope="module")
def said(ask, cells, tmp_path_factory):
    file = ms.io.write_h5ad(cells, tmp_path_factory.mktemp("squidpy") / "cells.h5ad", missing="median")
    return ask("squidpy", file)[str(file)]


def test_one_panel_for_each_field_with_its_cells_at_x_and_y(said, cells):
    obs = cells.obs
    fields = sorted(obs["field_id"].unique())
    assert len(said["points"]) == len(fields)
    for field, points in zip(fields, said["points"], strict=True):
        wanted = obs.loc[obs["field_id"] == field, ["x_px", "y_px"]].to_numpy()
        found = np.array(points)
        np.testing.assert_allclose(found[np.lexsort(found.T)], wanted[np.lexsort(wanted.T)])


def test_y_points_down_as_in_images(said):
    assert said["y_down"] == [True] * len(said["y_down"])


def test_neighbours_are_of_the_same_field(said, cells):
    assert said["links"] >= 3 * len(cells)
    assert said["links_between_fields"] == 0
