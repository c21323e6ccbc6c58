"""Plate map: every well at its place, in one scale of colours."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views._bokeh import figure_of

NAMES = ["A01", "A02", "B03", "D06"]


@pytest.fixture(scope="module")
def made():
    rows = [(p, w, 10.0 * k + i) for k, p in enumerate(("P1", "P2")) for i, w in enumerate(NAMES)]
    obs = pd.DataFrame(rows, columns=["plate", "well", "area_um2"], index=[f"c{i}" for i in range(len(rows))])
    return ms.curate.layout(ms.Cells(obs, unit=("plate", "well"), batch="plate"), "area_um2")


def test_each_well_stands_at_its_place(made):
    element = ms.views.plate_map(made, "P2")
    table = element.dframe().set_index(["row", "column"])["value"]
    assert table["A", "2"] == 11 and table["D", "6"] == 13
    assert table.notna().sum() == 4 and len(table) == 24


def test_one_plate_is_one_heat_map_with_row_a_on_top(made):
    figure = figure_of(ms.views.plate_map(made, "P1"))
    assert list(figure.y_range.factors)[-1] == "A" and list(figure.x_range.factors) == list("123456")
    assert any(type(tool).__name__ == "HoverTool" for tool in figure.tools)


def test_plates_share_their_colours(made):
    plates = ms.views.plate_map(made)
    limits = [element.opts.get("plot").kwargs["clim"] for element in plates]
    assert limits == [(0.0, 13.0), (0.0, 13.0)]
    figure_of(plates)


def test_the_colours_say_what_they_mean(made):
    assert ms.views.plate_map(made, "P1").get_dimension("value").label == "area_um2 (mean of well)"


def test_one_value_everywhere_and_none_at_all(made):
    for value in (3.0, np.nan):
        same = ms.Cells(pd.DataFrame({"well": NAMES, "v": value}, index=list("abcd")), unit="well")
        figure_of(ms.views.plate_map(ms.curate.layout(same, "v")))


def test_an_unknown_plate_is_refused(made):
    with pytest.raises(KeyError, match="No plate 'P9'"):
        ms.views.plate_map(made, "P9")


def test_something_else_than_a_layout_is_refused(some_cells):
    with pytest.raises(TypeError, match=r"Expected a layout, found Cells\. Make one: ms\.curate\.layout"):
        ms.views.plate_map(some_cells())
