"""Abstention: the surest predictions, counted by hand, with intervals over what was held out."""

import numpy as np
import pytest

import mlscope_nb as ms

abstention = ms.predict.abstention


@pytest.fixture(scope="module", name="judged")
def evaluation(study):
    return ms.predict.cross_validate(study(n_classes=3), by="plate", baselines=False, progress=False)


def test_accuracy_is_that_of_the_surest_cells(judged):
    found, given = abstention(judged), judged.predictions
    right = given["given"] == given["predicted"]
    assert found.loc[1.0, "accuracy"] == pytest.approx(right.mean())
    for share, row in found.iterrows():
        surest = given["probability"].sort_values(ascending=False).index[: int(np.ceil(share * len(given) - 1e-9))]
        assert row["n_cells"] == len(surest) and row["accuracy"] == pytest.approx(right[surest].mean())
        assert row["low"] <= row["accuracy"] <= row["high"]
    assert found.loc[0.2, "accuracy"] > found.loc[1.0, "accuracy"]


def test_copies_of_cells_change_nothing_and_few_groups_give_no_interval(judged, study, doubled):
    twice = ms.predict.cross_validate(doubled(study(n_classes=3)), by="plate", baselines=False, progress=False)
    ends = ["low", "high"]
    assert np.allclose(
        abstention(judged).loc[1.0, ends].astype(float), abstention(twice).loc[1.0, ends].astype(float), atol=0.02
    )
    few = ms.predict.cross_validate(study(n_plates=2), by="plate", baselines=False, progress=False)
    assert abstention(few)[ends].isna().all().all() and abstention(few)["accuracy"].notna().all()


@pytest.mark.parametrize("shares", [(), (0.0,), (1.2,)])
def test_shares_that_are_none(judged, shares):
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        abstention(judged, shares=shares)
