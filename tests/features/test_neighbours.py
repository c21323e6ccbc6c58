"""Distances in a field whose geometry is known."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


@pytest.fixture
def table():
    # a right angle at the origin with legs 3 and 4, one cell far away, and one alone in its field
    place = pd.DataFrame(
        {"field_id": ["f"] * 4 + ["g"], "y_px": [0.0, 0, 4, 100, 0], "x_px": [0.0, 3, 0, 0, 0]}, index=list("abcde")
    )
    masks = np.zeros((5, 9, 9), np.uint8)
    masks[:, 3:6, 3:6] = 1
    masks[0, 3:6, 6:] = 2
    masks[0, 6:, 3:6] = 3
    masks[1, 6:, 6:] = 2
    cells = ms.Cells(place, np.ones((5, 1, 9, 9), np.uint8), masks=masks, channels=["DNA"])
    found = ms.features.measure(cells, ["neighbours"], near_px=5)
    found.columns = found.columns.str.removeprefix("Cells_Neighbors_")
    return found


def test_distances_and_angle(table):
    assert table.loc["a", ["FirstClosestDistance", "SecondClosestDistance"]].tolist() == [3, 4]
    assert table.loc["a", "AngleBetweenNeighbors"] == pytest.approx(90)
    assert table["NumberWithin_5"].tolist() == [2, 2, 2, 0, 0]
    assert table.loc["e", ["FirstClosestDistance", "AngleBetweenNeighbors"]].isna().all()


def test_density_needs_five_neighbours(table):
    assert table["LocalDensity_5"].isna().all()
    ring = np.linspace(0, 2 * np.pi, 6)[:5]
    place = pd.DataFrame(
        {"field_id": "f", "y_px": [0, *np.sin(ring)], "x_px": [0, *np.cos(ring)]}, index=list("abcdef")
    )
    place[["y_px", "x_px"]] *= 100
    masks = np.ones((6, 4, 4), np.uint8)
    cells = ms.Cells(place, np.ones((6, 1, 4, 4), np.uint8), masks=masks, channels=["DNA"])
    found = ms.features.measure(cells, ["neighbours"])["Cells_Neighbors_LocalDensity_5"]
    assert found["a"] == pytest.approx(5 / (np.pi * 100**2) * 1e4)


def test_touching(table):
    assert table["NumberOfNeighbors_Adjacent"].tolist() == [2, 0, 0, 0, 0]
    # the outline has 8 pixels: 3 on the right, 3 below with one shared, and across corners two more of the other sides
    assert table.loc["a", "PercentTouching_Adjacent"] == pytest.approx(100 * 5 / 8)
    assert table.loc["b", "PercentTouching_Adjacent"] == pytest.approx(100 * 1 / 8)


def test_masks_of_one_cell_alone_say_nothing_about_touching():
    place = pd.DataFrame({"field_id": "f", "y_px": [0.0, 9], "x_px": 0.0}, index=["a", "b"])
    cells = ms.Cells(place, np.ones((2, 1, 4, 4), np.uint8), masks=np.ones((2, 4, 4), np.uint8), channels=["DNA"])
    assert not ms.features.measure(cells, ["neighbours"]).columns.str.contains("Adjacent").any()
