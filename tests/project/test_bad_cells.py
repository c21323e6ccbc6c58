"""Cells that say nothing: every statistical function gives a result or says in plain words what is missing."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms

QUIET = {"progress": False}


def cells(features=None, rows=slice(None), **columns):
    """Three plates of six wells of six cells; `columns` replace those of obs, `features` makes the table another."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        [(f"p{p}", f"p{p}w{w}", "ab"[w % 2], w % 2 == 0) for p in range(3) for w in range(6) for _ in range(6)],
        columns=["plate", "well", "drug", "dmso"],
    ).rename(index=lambda k: f"c{k}")
    table = pd.DataFrame(rng.normal(size=(len(obs), 4)), obs.index, [f"AreaShape_F{k}" for k in range(4)])
    table["AreaShape_F0"] += 2 * (obs["drug"] == "b")
    whole = ms.Cells(
        obs.assign(**{k: v(obs) for k, v in columns.items()}),
        features=table if features is None else features(table),
        label="drug", unit="well", batch="plate", control="dmso", treatment="drug",
    )  # fmt: skip
    return whole.subset(whole.ids[rows])


def infinite(table):
    return table.mask(np.arange(table.size).reshape(table.shape) == 9, np.inf)


CASES = {
    "no cell": lambda: cells(rows=slice(0)),
    "two cells": lambda: cells(rows=[0, 7]),
    "one well": lambda: cells(rows=slice(6)),
    "one plate": lambda: cells(rows=slice(36)),
    "one class": lambda: cells(drug=lambda obs: "a"),
    "constant": lambda: cells(lambda table: 0 * table + 3),
    "gaps only": lambda: cells(lambda table: np.nan * table),
    "infinite": lambda: cells(infinite),
    "no column": lambda: cells(lambda table: table.iloc[:, :0]),
    "yes and no": lambda: cells(drug=lambda obs: obs["drug"] == "a"),
    "numbers with gaps": lambda: cells(drug=lambda obs: (obs["drug"] == "a").where(obs.index.str[-1] != "3") * 1.5),
    "categories": lambda: cells(drug=lambda obs: pd.Categorical(obs["drug"], ["other", "b", "a"])),
    "a measurement": lambda: cells(drug=lambda obs: np.arange(len(obs)) / 7),
}
FUNCTIONS = {
    "split": ms.study.split,
    "leave_one_out": ms.study.leave_one_out,
    "nested": ms.study.nested,
    "difference_interval": lambda c: ms.study.difference_interval("AreaShape_F0", c),
    "balance": ms.curate.balance,
    "find_label_errors": ms.curate.find_label_errors,
    "find_outliers": ms.curate.find_outliers,
    "train_model": ms.predict.train_model,
    "cross_validate": lambda c: ms.predict.cross_validate(c, n_permutations=1, **QUIET),
    "active_learning": lambda c: ms.predict.active_learning(
        c, ["margin"], rounds=1, n_repeats=2, per_round=3, start=4, **QUIET
    ),
    "transfer": lambda c: ms.predict.transfer(c, **QUIET),
    "power": lambda c: ms.predict.power(c, "AreaShape_F0", effect=1.0),
    "cluster": lambda c: ms.explore.cluster(c, n_clusters=2, n_null=19, n_bootstrap=2),
    "partition_stability": lambda c: ms.explore.partition_stability(c, c.labels.astype(str), n_draws=2),
    "stability": lambda c: ms.explore.stability(c, "pca", n_seeds=1, n_draws=2),
    "markers": lambda c: ms.explore.markers(c, "drug"),
    "naive markers": lambda c: ms.explore.markers(c, "drug", method="naive"),
    "penetrance": lambda c: ms.explore.penetrance(c, draws=20),
    "about": lambda c: ms.explain.about(c, list(c.ids[:5])),
}  # fmt: skip


def answer(function, given):
    """Return what a function gives, or what it refuses with; a warning of NumPy, SciPy or the like is an error."""
    with warnings.catch_warnings():
        for kind in (RuntimeWarning, FutureWarning):
            warnings.simplefilter("error", kind)
        warnings.filterwarnings("ignore", category=UserWarning, module="mlscope_nb")
        try:
            return function(given)
        except (ValueError, KeyError) as refused:
            last = refused.__traceback__
            while last.tb_next:
                last = last.tb_next
            assert Path(ms.__file__).parent in Path(last.tb_frame.f_code.co_filename).parents, "not of this package"
            assert len(str(refused)) > 25, "says nothing"
            return refused


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_answers_or_says_what_is_missing(name, case):
    found = answer(FUNCTIONS[name], CASES[case]())
    assert found is not None


@pytest.mark.parametrize(
    ("name", "case", "said"),
    [
        ("train_model", "no cell", "There are no cells here"),
        ("split", "no cell", "There are no cells to split"),
        ("train_model", "constant", "None of 4 features .* varies between these 108 cells"),
        ("train_model", "a measurement", "a measurement, not a class"),
        ("find_label_errors", "constant", "None of 4 features varies"),
        ("cluster", "no column", "None of 0 features varies"),
        ("difference_interval", "no cell", "No cell has a label in 'drug'"),
        ("stability", "no cell", "0 cells are too few for a map"),
    ],
)
def test_what_is_missing_is_named(name, case, said):
    found = answer(FUNCTIONS[name], CASES[case]())
    assert isinstance(found, ValueError)
    with pytest.raises(ValueError, match=said):
        raise found


def test_labels_of_yes_and_no_have_a_learning_curve():
    found = ms.predict.learning_curve(CASES["yes and no"](), n_draws=3, **QUIET)
    assert np.isfinite(found["balanced_accuracy"]).any()


def test_a_map_in_another_process_refuses_as_one_here_does():
    with pytest.raises(ValueError, match="2 cells are too few for UMAP"):
        ms.explore.umap_apart(cells(rows=[0, 7]))


def test_infinite_values_count_as_gaps_in_an_audit():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        one = findings(infinite)
    two = findings(lambda table: infinite(table).replace(np.inf, np.nan))
    assert "Infinite values in 'AreaShape_F1'" in one.loc["swapped units", "reason"]
    pd.testing.assert_frame_equal(one.drop("swapped units"), two.drop("swapped units"))


def findings(features):
    return ms.risks.audit(cells(features), n_permutations=199, **QUIET).findings.set_index("check")
