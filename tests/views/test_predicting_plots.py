"""Plots of predictions: a matrix of numbers, and a learning curve with what it foresees."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views._bokeh import figure_of


def test_each_number_stands_in_its_square_with_the_first_row_on_top():
    table = pd.DataFrame({"P1": [0.9, 0.6], "P2": [0.5, np.nan]}, index=["A", "B"])
    drawn = ms.views.matrix(table, label="accuracy")
    figure = figure_of(drawn)
    assert list(figure.y_range.factors)[-1] == "A" and list(figure.x_range.factors) == ["P1", "P2"]
    words = drawn.get(1).dframe().set_index(["row", "column"])["text"]
    assert words["A", "P1"] == "0.90" and words["B", "P2"] == ""


def test_rows_of_several_levels_and_equal_numbers_are_drawn():
    index = pd.MultiIndex.from_product([["none", "tvn"], ["P1", "P2"]], names=["normalize", "train"])
    table = pd.DataFrame(0.5, index, ["P1", "P2"])
    assert "tvn · P2" in list(figure_of(ms.views.matrix(table)).y_range.factors)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(TypeError, match="'b' hold no numbers"):
        ms.views.matrix(pd.DataFrame({"a": [1.0], "b": ["x"]}))
    with pytest.raises(ValueError, match="0 × 1"):
        ms.views.matrix(pd.DataFrame({"a": []}, dtype=float))


def test_a_learning_curve_keeps_measured_and_foreseen_apart():
    table = pd.DataFrame({"n_units": [16, 4, 8], "kind": ["foreseen", "measured", "measured"]})
    table["balanced_accuracy"] = table["curve"] = [0.65, 0.5, 0.6]
    table["low"], table["high"] = table["curve"] - 0.05, table["curve"] + 0.05
    drawn = ms.views.learning_curve(table)
    points = {part.label: part.dframe() for part in drawn if type(part).__name__ == "Scatter"}
    assert points["measured"]["n_units"].tolist() == [4, 8] and points["foreseen"]["score"].tolist() == [0.65]
    assert figure_of(drawn).xaxis[0].axis_label == "wells to train on"
    with pytest.raises(KeyError, match="'curve'"):
        ms.views.learning_curve(table.drop(columns="curve"))
