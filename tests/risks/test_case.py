"""A study with three problems in it: they are there, and naming them is scored."""

import pytest

import mlscope_nb as ms
from mlscope_nb.curate import find_duplicates


@pytest.fixture(scope="module")
def study():
    return ms.risks.case(3)


def test_what_is_planted_is_there(study):
    cells, planted = study.cells, study.planted
    plates = cells.obs.groupby(cells.labels)["plate"].nunique()
    assert plates[plates == 1].index.tolist() == [planted["nested"]]
    assert planted["marked"] != planted["nested"] and planted["marked"] in set(cells.labels)
    pairs = find_duplicates(cells)
    units = cells.units
    apart = units[pairs["cell_a"]].to_numpy() != units[pairs["cell_b"]].to_numpy()
    assert apart.sum() >= 20
    found = ms.risks.audit(cells, progress=False).findings
    assert planted["marked"] in set(found.loc[found["check"].eq("background") & found["level"].eq("red"), "subject"])


def test_other_seeds_have_other_problems():
    both = [ms.risks.case(seed).planted for seed in (4, 5)]
    assert both[0] != both[1]


def test_naming_is_scored(study):
    right = dict(study.planted)
    assert study.score(**right) == "You found 3 of 3."
    assert study.score() == study.score(..., ..., False)
    assert study.score() == (
        "You found 0 of 3. Still open: the treatment with a mark, the treatment on one plate alone, "
        "whether cells stand in two wells."
    )
    assert study.score(right["nested"], f" {right['nested'].upper()}") == (
        "You found 1 of 3. Still open: whether cells stand in two wells. Not right: the treatment with a mark."
    )


def test_functions_stay_functions_once_their_modules_were_loaded():
    import mlscope_nb.risks.auditing
    import mlscope_nb.risks.reporting  # noqa: F401

    assert all(callable(getattr(ms.risks, name)) for name in ("audit", "report", "case", "run", "curve", "scenarios"))
