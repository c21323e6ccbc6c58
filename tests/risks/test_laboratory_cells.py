"""What the pitfalls are made of: drawn cells, splits, models and pictures with known answers."""

import json

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.risks.pitfalls import cameras, contamination, drawn, leaks, replicates, scores
from mlscope_nb.risks.pitfalls.confounding import wells
from mlscope_nb.risks.pitfalls.shifts import temperature


def test_drawn_cells_vary_as_they_were_measured():
    rng = np.random.default_rng(0)
    layout = drawn.layout(60, ("DMSO", "granular"), 2)
    cells = drawn.draw(layout, 40, rng, penetrance=1.0)
    read = json.loads(drawn.PATH.read_text(encoding="utf-8"))
    inside = cells.features - cells.features.groupby(cells.units).transform("mean")
    assert np.allclose(np.cov(inside.T) * 40 / 39, read["cell"], atol=0.08)
    means = cells.features.groupby([cells.obs["plate"], cells.obs["treatment"]]).mean()
    effect = (means.xs("granular", level=1) - means.xs("DMSO", level=1)).mean()
    assert np.allclose(effect, read["effects"]["granular"], atol=0.25)


def test_drawn_cells_declare_their_design_and_the_same_seed_draws_the_same():
    one, two = (drawn.draw(drawn.layout(2, ("DMSO", "lobed"), 2), 3, np.random.default_rng(4)) for _ in range(2))
    pd.testing.assert_frame_equal(one.features, two.features)
    assert one.design.unit == ("plate", "well")
    assert one.controls.sum() == 12
    assert one.labels.isna().sum() == 12


def test_statistics_that_were_tampered_with_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "cell_statistics.json"
    other.write_text(drawn.PATH.read_text(encoding="utf-8").replace("0.1", "0.2"), encoding="utf-8")
    monkeypatch.setattr(drawn, "PATH", other)
    drawn.statistics.cache_clear()
    with pytest.raises(ValueError, match="not the file that was shipped"):
        drawn.statistics()
    monkeypatch.undo()
    drawn.statistics.cache_clear()
    assert len(drawn.statistics()["features"]) == 24


def test_tests_of_wells_are_those_of_the_study_room():
    rng = np.random.default_rng(1)
    areas = replicates._areas(3, 0.5, rng)
    cells = pd.DataFrame({"area": areas[0].ravel()})
    group, well, _ = np.indices(areas[0].shape)
    obs = pd.DataFrame({"well": (group * 4 + well).ravel().astype(str), "drug": group.ravel().astype(str)})
    found = ms.study.difference_interval("area", ms.Cells(obs, features=cells, unit="well", label="drug"))
    from scipy.stats import ttest_ind

    means = areas[0].mean(axis=2)
    ends = ttest_ind(means[1], means[0], equal_var=False).confidence_interval(0.95)
    assert sorted(np.abs([found.low, found.high])) == pytest.approx(sorted(np.abs([ends.low, ends.high])))
    assert (replicates._by_well(areas)[0] < 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(("share", "cut"), [(0, 0), (0.5, 6), (1, 12)])
def test_splits_cut_the_share_of_wells_that_was_asked_for(share, cut):
    cells = drawn.draw(drawn.layout(1, leaks.TWO, 6), 12, np.random.default_rng(0))
    parts = leaks.cutting_splits(cells, share, np.random.default_rng(1))
    tested = pd.concat([pd.Series(n, index=p.test_ids) for n, p in enumerate(parts)])
    assert sorted(tested.index) == sorted(cells.ids)
    assert (tested.groupby(cells.units.reindex(tested.index)).nunique() > 1).sum() == cut
    for part in parts:
        assert not set(part.train_ids) & set(part.test_ids)


def test_the_layout_of_confounding_moves_wells_and_keeps_their_number():
    for dose, own in ((0, 4), (0.5, 6), (1, 8)):
        table = wells(dose)
        assert table.groupby("plate")["treatment"].apply(lambda t: t[t != "DMSO"].value_counts().max()).eq(own).all()
        assert table["treatment"].value_counts()["granular"] == table["treatment"].value_counts()["bundled"]


def test_the_discriminant_is_scikit_learns_without_the_sphere(monkeypatch):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    monkeypatch.setattr(scores, "SPHERE", 0.0)
    rng = np.random.default_rng(2)
    values, second = rng.normal(size=(80, 4)), np.arange(80) % 2 == 1
    values[second] += 0.7
    slope, middle = scores.discriminant(values, second)
    peer = LinearDiscriminantAnalysis(priors=[0.5, 0.5]).fit(values, second)
    assert np.allclose(values @ slope - middle, peer.decision_function(values) * 78 / 80, rtol=0.03, atol=0.05)


def test_copies_are_found_and_nothing_else():
    cells = drawn.draw(drawn.layout(1, contamination.TWO, 6), 12, np.random.default_rng(3))
    twice = contamination.again(cells, np.arange(0, 144, 3), np.random.default_rng(4))
    assert contamination.is_copy(twice).tolist() == [False] * 144 + [True] * 48
    assert not contamination.is_copy(cells).any()
    assert (twice.obs["well"].to_numpy()[144:] != cells.obs["well"].to_numpy()[::3]).all()
    assert (twice.obs["treatment"].to_numpy()[144:] == cells.obs["treatment"].to_numpy()[::3]).all()


def test_one_scale_keeps_the_order_of_brightness_and_own_scales_do_not():
    rng = np.random.default_rng(5)
    images = rng.uniform(100, 200, size=(12, 8, 8)) * np.linspace(1, 4, 12)[:, None, None]
    common, own = (cameras.converted(images, dose).max(axis=(1, 2)) for dose in (0.0, 1.0))
    assert np.all(np.diff(common) > 0)
    assert np.all(own == 255)
    assert cameras.converted(images, 0.5).max() <= 255


def test_a_model_that_is_too_sure_gets_a_temperature_above_one():
    rng = np.random.default_rng(6)
    sure = rng.uniform(0.5, 1.0, 4000)
    right = rng.random(4000) < sure
    table = pd.DataFrame({"given": "a", "predicted": np.where(right, "a", "b"), "sure": sure})
    assert temperature(table) == pytest.approx(1, abs=0.1)
    odds = 2 * np.log(sure / (1 - sure))
    assert temperature(table.assign(sure=1 / (1 + np.exp(-odds)))) == pytest.approx(2, abs=0.2)
