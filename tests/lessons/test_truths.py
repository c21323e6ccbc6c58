"""Truths computed from the learner's data, by the function that the question names."""

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


def test_without_data_the_message_says_what_to_pass():
    with pytest.raises(ValueError, match="check\\(…, of=…\\)"):
        ms.lessons.check("00_start_here/edge", 2)


def test_a_function_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'x/y' names 'mlscope_nb.lessons.truths:gone'"):
        load_function("mlscope_nb.lessons.truths:gone", "x/y")
