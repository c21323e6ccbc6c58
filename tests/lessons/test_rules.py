"""What counts as right, for every rule and for values as learners have them."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.lessons.rules import compare, is_missing, same

RIGHT = [
    ("equals", 12, np.int64(12), 0),
    ("equals", np.float64(0.5), 0.5, 0),
    ("equals", " dna ", "DNA", 0),
    ("equals", ("a", "b"), ["a", "b"], 0),
    ("equals", pd.Index(["a", "b"]), ["a", "b"], 0),
    ("equals", np.array([1, 2]), [1, 2], 0),
    ("equals", ["b", "a"], {"a", "b"}, 0),
    ("equals", True, True, 0),
    ("between", 10, [10, 20], 0),
    ("between", np.float32(19.5), (10, 20), 0),
    ("one_of", "plate", ["well", "Plate"], 0),
    ("is_close", 1.04, 1.0, 0.05),
    ("contains", pd.Series(["a", "b", "c"]), ["c", "a"], 0),
    ("contains", {"a", "b"}, ["a"], 0),
]
WRONG = [
    ("equals", 11, 12, 0, "too small"),
    ("equals", "13", 12, 0, "Text was found where a number was expected. Write it without quotation marks."),
    ("equals", "0,5", 0.5, 0, "a point for the comma"),
    ("equals", "many", 12, 0, "Text was found where a number was expected."),
    ("equals", [1].count, 12, 0, "Put () behind its name"),
    ("is_close", 4.5, 0.045, 0.001, "That is a percentage"),
    ("is_close", 45, 0.045, 0.001, "too large"),
    ("equals", 3, "plate", 0, "A number was found where one text"),
    ("equals", "cell", "plate", 0, ""),
    ("one_of", ["well"], ["well", "plate"], 0, "A list was found where one text"),
    ("equals", True, 1, 0, "True or False was found"),
    ("equals", "a", ["a", "b"], 0, "several values"),
    ("equals", ["b", "a"], ["a", "b"], 0, ""),
    ("equals", 1, True, 0, "A number was found where True or False"),
    ("equals", "True", True, 0, "True or False was expected. Write it without quotation marks."),
    ("equals", False, True, 0, ""),
    ("equals", ["a", "c"], {"a", "b"}, 0, "1 of 2 found, and 1 that do not belong there"),
    ("equals", (0, 5), 0.5, 0, "write a point"),
    ("is_close", 7.3, -7.3, 0.1, "but for its sign"),
    ("between", 21, [10, 20], 0, "too large"),
    ("between", float("nan"), [10, 20], 0, "NaN"),
    ("between", pd.DataFrame({"x": [1]}), [10, 20], 0, "type DataFrame"),
    ("one_of", "cell", ["well", "plate"], 0, ""),
    ("is_close", 1.06, 1.0, 0.05, "too large"),
    ("contains", ["a"], ["a", "b", "c"], 0, "2 of 3 are missing"),
    ("contains", "abc", ["a"], 0, "Text was found"),
]


@pytest.mark.parametrize(("rule", "value", "truth", "tolerance"), RIGHT)
def test_right(rule, value, truth, tolerance):
    assert compare(value, rule, truth, tolerance).right


@pytest.mark.parametrize(("rule", "value", "truth", "tolerance", "remark"), WRONG)
def test_wrong_with_a_remark_that_keeps_the_answer(rule, value, truth, tolerance, remark):
    verdict = compare(value, rule, truth, tolerance)
    assert not verdict.right
    assert remark in verdict.remark
    assert "12" not in verdict.remark


@pytest.mark.parametrize(
    ("rule", "truth"),
    [("between", [2, 1]), ("between", 3), ("is_close", "x"), ("one_of", 3), ("contains", [])],
)
def test_a_truth_that_does_not_fit_the_rule_is_refused(rule, truth):
    with pytest.raises(ValueError, match=f"rule '{rule}' needs"):
        compare(1, rule, truth)


def test_missing_is_none_dots_and_empty_but_not_zero():
    empty = [None, ..., [], "", {}, np.array([]), pd.Series([], dtype=float), pd.DataFrame()]
    assert all(is_missing(value) for value in empty)
    assert not any(is_missing(value) for value in [0, False, 0.0, [0], np.array(3), np.int64(0), "a"])


def test_same_is_quick_on_many_ids():
    ids = [f"cell_{number}" for number in range(100_000)]
    assert same(set(ids), ids[::-1])
    assert not same(set(ids), ids[1:])
