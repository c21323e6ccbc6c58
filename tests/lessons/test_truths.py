"""Truths computed from the learner's data, by the function that the question names."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.lessons.questions import load_function


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_truth_follows_the_data():
    cells = ms.Cells(pd.DataFrame({"at_edge": [True, False, True]}))
    assert ms.lessons.check("00_start_here/edge", 2, of=cells).right is True
    assert ms.lessons.check("00_start_here/edge", 1, of=cells).right is False
    assert ms.lessons.check("00_start_here/edge", ..., of=cells).right is None


def test_shares_and_the_known_mistake():
    positions = pd.Series(["a", "a", "b"])
    assert ms.lessons.check("00_start_here/share", 0.667, of=positions).right is True
    assert "only one row" in str(ms.lessons.check("00_start_here/share", 1, of=positions))


@pytest.mark.parametrize(
    ("question", "data", "right", "wrong"),
    [
        ("saturated", np.array([[255, 3], [255, 254]], "uint8"), 2, 255),
        ("saturated", np.array([[65535, 255]], "uint16"), 1, 0),
        ("percent", (200.0, 150.0), -25.04, 25.0),
        ("largest", pd.Series({"b": 1.0, "a": 3.0, "c": float("nan")}), "a", 3.0),
    ],
)
def test_pixels_outlines_and_names(question, data, right, wrong):
    name = f"01_from_pixels_to_numbers/{question}"
    assert ms.lessons.check(name, right, of=data).right is True
    assert ms.lessons.check(name, wrong, of=data).right is False
    assert ms.lessons.check(name, ..., of=data).right is None


def test_how_many_times_as_wide():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    narrow = ms.study.t_interval(values)
    wide = ms.study.t_interval(3 * values)
    assert ms.lessons.check("01_from_pixels_to_numbers/times", 3.05, of=(narrow, wide)).right is True
    assert ms.lessons.check("01_from_pixels_to_numbers/times", 0.33, of=(narrow, wide)).right is False


def test_without_data_the_message_says_what_to_pass():
    with pytest.raises(ValueError, match="check\\(…, of=…\\)"):
        ms.lessons.check("00_start_here/edge", 2)


def test_a_function_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'x/y' names 'mlscope_nb.lessons.truths:gone'"):
        load_function("mlscope_nb.lessons.truths:gone", "x/y")
