"""Label errors: as many are found as the true posterior allows, wells given a wrong label are, and nothing leaks."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from mlscope_nb import Cells
from mlscope_nb.curate import find_label_errors, suspected_swaps
from mlscope_nb.curate.composition import log_shares_of_others
from mlscope_nb.curate.confident import confident_errors, confident_joint
from mlscope_nb.curate.held_out import normalised
from mlscope_nb.curate.noise import estimate_noise, expected_precision

PEERS = json.loads((Path(__file__).parents[1] / "reference" / "peers_labels.json").read_text(encoding="utf-8"))


def gaussian(seed=0, n=1200, k=3, apart=3.0, noise=0.08, units=24, per_unit=False):
    """Cells of k Gaussian classes at the corners of a simplex; the true posterior of the given label; wrong labels."""
    rng = np.random.default_rng(seed)
    unit = np.arange(n) % units
    true = unit % k if per_unit else rng.integers(0, k, n)
    x = rng.normal(size=(n, k)) + apart / np.sqrt(2) * np.eye(k)[true]
    wrong = rng.random(n) < noise
    given = np.where(wrong, (true + rng.integers(1, k, n)) % k, true)
    obs = pd.DataFrame({"well": [f"w{u:02d}" for u in unit], "kind": [f"k{g}" for g in given]})
    obs = obs.set_axis([f"c{i}" for i in range(n)])
    features = pd.DataFrame(x, index=obs.index, columns=[f"f{i}" for i in range(k)])
    posterior = softmax(apart / np.sqrt(2) * x, axis=1)[np.arange(n), given]
    return Cells(obs, features=features, label="kind", unit="well"), posterior, wrong


def plates(seed=0, swapped=(("p0", 0, 1),), n_plates=3, wells=8, cells=25, effect=2.5, responders=0.8):
    """Plates whose wells hold DMSO or one of two drugs; pairs of wells changed places in the layout file."""
    rng = np.random.default_rng(seed)
    drugs = (["DMSO", "DMSO", "x", "y"] * wells)[:wells]
    rows = [(f"p{p}", w, drugs[w]) for p in range(n_plates) for w in range(wells)]
    obs = pd.DataFrame([row for row in rows for _ in range(cells)], columns=["plate", "well", "true"])
    obs.index = [f"c{i}" for i in range(len(obs))]
    responds = rng.random(len(obs)) < responders
    values = rng.normal(size=(len(obs), 6))
    for column, drug in enumerate(("x", "y")):
        values[(obs["true"] == drug) & responds, column] += effect
    for p in range(n_plates):
        values[obs["plate"] == f"p{p}"] += rng.normal(scale=3, size=6)
    stated = {(p, w): d for p, w, d in rows}
    for plate, a, b in swapped:
        stated[plate, a], stated[plate, b] = stated[plate, b], stated[plate, a]
    obs["drug"] = [stated[p, w] for p, w in zip(obs["plate"], obs["well"], strict=True)]
    features = pd.DataFrame(values, index=obs.index).add_prefix("f")
    return Cells(
        obs, features=features, label="drug", unit=("plate", "well"), batch="plate", treatment="drug",
        control={"drug": "DMSO"},
    )  # fmt: skip


def precision(scores, wrong):
    return wrong[np.argsort(scores, kind="stable")[: wrong.sum()]].mean()


@pytest.mark.parametrize("name", list(PEERS["cases"]))
def test_confident_joint_equals_cleanlab(name):
    case = PEERS["cases"][name]
    labels, probabilities = np.array(case["labels"]), np.array(case["probabilities"])
    joint = confident_joint(labels, probabilities)
    known = np.array(case["thresholds"]) < 1  # a class without labels has no threshold
    assert joint.thresholds[known] == pytest.approx(np.array(case["thresholds"])[known], abs=1e-15)
    assert joint.counts.tolist() == case["counts"]
    assert joint.calibrated.tolist() == case["calibrated"]
    assert np.flatnonzero(confident_errors(labels, probabilities, joint)).tolist() == case["issues"]


def test_as_good_as_the_true_posterior():
    ours, best = [], []
    for seed in range(3):
        cells, oracle, wrong = gaussian(seed)
        errors = find_label_errors(cells)
        assert list(errors.index) == list(cells.ids)
        ours.append(precision(errors["score"].to_numpy(), wrong))
        best.append(precision(oracle, wrong))
    assert np.mean(ours) >= 0.95 * np.mean(best)
    assert np.mean(best) < 0.95  # or else nothing would be tested


def test_scores_are_probabilities_that_the_label_is_right():
    tables = []
    for seed in range(3):
        cells, _, wrong = gaussian(seed, n=2400)
        tables.append(find_label_errors(cells).assign(wrong=wrong))
    table = pd.concat([t.set_axis([f"{i}{c}" for c in t.index]) for i, t in enumerate(tables)])
    for low, high in ((0, 0.3), (0.3, 0.8), (0.8, 1)):
        part = table[table["score"].between(low, high)]
        assert (1 - part["score"]).mean() == pytest.approx(part["wrong"].mean(), abs=0.12)
    flagged = table[table["flagged"]]
    assert flagged["wrong"].mean() > 0.7
    assert (flagged["suggested"] != flagged["given"]).all()


def test_clean_labels_are_left_alone():
    cells, _, _ = gaussian(1, noise=0.0, apart=2.0)
    errors = find_label_errors(cells)
    assert errors["flagged"].mean() <= 0.005
    assert errors["score"].nunique() > len(errors) / 2  # the order is still there
    assert errors.attrs["noise_rate_reliable"] is False and "rough" in errors.attrs["words"]


def test_labels_of_the_same_unit_count_where_units_differ():
    cells, _, wrong = gaussian(2, apart=1.5, per_unit=True)
    alone, told = (find_label_errors(cells, composition=c)["score"].to_numpy() for c in (False, True))
    assert precision(told, wrong) > precision(alone, wrong) + 0.3
    mixed, _, wrong = gaussian(2, apart=1.5)
    alone, told = (find_label_errors(mixed, composition=c)["score"].to_numpy() for c in (False, True))
    assert precision(told, wrong) == pytest.approx(precision(alone, wrong), abs=0.04)


def test_units_mixed_at_random_are_found_to_be_alike():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(30), 40)
    assert log_shares_of_others(rng.integers(0, 3, 1200), unit, 3)[1] > 100
    assert log_shares_of_others(unit % 3, unit, 3)[1] < 1


def test_swapped_wells_are_the_worst():
    cells = plates(swapped=(("p0", 0, 2), ("p1", 3, 6)), effect=4)
    errors = find_label_errors(cells)
    wells = suspected_swaps(errors)
    assert set(wells.index[:4]) == {"p0 · 0", "p0 · 2", "p1 · 3", "p1 · 6"}
    assert wells.loc[["p0 · 0", "p0 · 2"], "suggested"].tolist() == ["DMSO", "x"]
    assert wells["rank"].tolist() == list(range(1, 25))
    assert wells["flagged"].sum() == 4 and wells["flagged"].head(4).all()
    assert wells.loc["p1 · 3", "score"] == errors.loc[(cells.units == "p1 · 3").to_numpy(), "score"].iloc[0]
    batches = suspected_swaps(errors, of="batch")
    assert batches["n_flagged"].to_dict() == {"p0": 2, "p1": 2, "p2": 0}
    assert not batches["flagged"].any()


def test_wells_of_a_plate_whose_layout_is_wrong_are_the_worst_and_batches_say_so():
    pairs = [("p0", 0, 2), ("p0", 1, 3), ("p0", 4, 6), ("p0", 5, 7)]
    errors = find_label_errors(plates(swapped=pairs, n_plates=8, effect=5))
    assert (suspected_swaps(errors)["batch"].head(8) == "p0").all()
    batches = suspected_swaps(errors, of="batch")
    assert batches.index[0] == "p0" and batches["share_wrong"].iloc[0] > 5 * batches["share_wrong"].iloc[1]


def test_cells_that_did_not_respond_are_atypical_not_wrong():
    cells = plates(swapped=(), effect=5)
    errors = find_label_errors(cells)
    assert errors.attrs["given_per"] == "unit"
    assert not errors["flagged"].any()
    treated = (cells.obs["true"] != "DMSO").to_numpy()
    silent = (cells.features.to_numpy() - cells.features.groupby(cells.obs["plate"]).transform("median")).max(axis=1)
    assert errors.loc[treated, "atypical"].mean() == pytest.approx(0.2, abs=0.08)
    atypical = errors["atypical"].to_numpy()
    assert silent[treated & atypical].mean() < silent[treated & ~atypical].mean() - 2
    assert "atypical" in errors.attrs["words"] and "no mistake" in errors.attrs["words"]


def test_a_cell_with_its_own_wrong_label_is_flagged():
    cells = plates(swapped=(), effect=6, responders=1.0)
    label = cells.obs["drug"].where(cells.ids != "c60", "y")  # an x that responded
    errors = find_label_errors(cells.with_obs(label), normalize="robust")
    assert errors.attrs["given_per"] == "cell"
    assert errors.index[errors["flagged"]].tolist() == ["c60"]
    assert errors.loc["c60", ["given", "suggested", "rank"]].tolist() == ["y", "x", 1]


def test_held_out_cells_say_nothing_about_the_fit():
    cells = plates()
    train, test = cells.subset(cells.ids[:400]), cells.subset(cells.ids[400:])
    changed = test.with_features(test.features * 5 + 100)
    (before, _), _ = normalised(train, test, "robust")
    (after, _), _ = normalised(train, changed, "robust")
    assert (before == after).all()


def test_controls_that_the_label_defines_are_not_normalised_to():
    named = plates()
    assert "all cells" in normalised(named, named, "robust")[1]
    other = named.with_obs(named.obs["drug"].rename("state")).with_design(label="state")
    assert "controls" in normalised(other, other, "robust")[1]


def test_whole_plates_can_be_held_out():
    cells = plates(swapped=(("p0", 0, 2),))
    wells = suspected_swaps(find_label_errors(cells, by="plate"))
    assert set(wells.index[:2]) == {"p0 · 0", "p0 · 2"}


def test_missing_values_and_odd_cells_do_not_stop_it():
    cells, _, wrong = gaussian(3)
    table = cells.features.copy()
    table = table.mask(np.random.default_rng(0).random(table.shape) < 0.05)
    table.iloc[:5] = 1e9
    table["empty"] = np.nan
    errors = find_label_errors(cells.with_features(table))
    assert errors["score"].between(0, 1).all()
    assert precision(errors["score"].to_numpy(), wrong) > 0.5
    assert any("empty" in note for note in errors.attrs["notes"])


def test_cells_without_a_label_are_passed_over():
    cells, _, _ = gaussian(4)
    some = cells.with_obs(cells.obs["kind"].mask(np.arange(len(cells)) < 100))
    errors = find_label_errors(some)
    assert errors["score"].head(100).isna().all() and not errors["flagged"].head(100).any()
    kept = find_label_errors(cells.subset(cells.ids[100:]))
    assert np.allclose(errors["score"].iloc[100:], kept["score"])


def test_order_of_cells_does_not_matter_and_runs_repeat():
    cells, _, _ = gaussian(5, n=600)
    first = find_label_errors(cells)
    assert first.equals(find_label_errors(cells))
    mixed = find_label_errors(cells.subset(np.random.default_rng(0).permutation(cells.ids)))
    assert np.allclose(mixed["score"].reindex(cells.ids), first["score"], atol=1e-6)


def test_given_probabilities_are_believed_in_any_order():
    cells, _, _ = gaussian(6)
    p = pd.DataFrame(softmax(3 * cells.features.to_numpy() / np.sqrt(2), axis=1), cells.ids, ["k0", "k1", "k2"])
    bare = Cells(cells.obs, label="kind", unit="well")
    errors = find_label_errors(bare, p[["k2", "k0", "k1"]].sample(frac=1, random_state=0))
    own = p.to_numpy()[np.arange(len(p)), p.columns.get_indexer(cells.labels)]
    assert np.allclose(errors["self_confidence"], own)
    assert (errors["score"].rank(method="first") == pd.Series(own, cells.ids).rank(method="first")).mean() > 0.99
    strict = find_label_errors(bare, p, flag_by="confident_learning")
    codes = p.columns.get_indexer(cells.labels)
    joint = confident_joint(codes, p.to_numpy())
    assert strict["flagged"].to_numpy().tolist() == confident_errors(codes, p.to_numpy(), joint).tolist()
    assert strict.attrs["confident_joint"]["calibrated"] == joint.calibrated.tolist()


def test_expected_precision_passes_over_missing_scores():
    assert expected_precision(np.array([0.2, np.nan, 0.0])).tolist()[::2] == pytest.approx([0.9, 1.0])
    assert np.isnan(expected_precision(np.array([0.2, np.nan]))[1])


def test_noise_floor_is_the_rate_of_labels_that_the_model_excludes():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 4000)
    given = np.where(rng.random(4000) < 0.12, (true + rng.integers(1, 4, 4000)) % 4, true)
    sure = np.full((4000, 4), 0.01 / 3) + rng.random((4000, 4)) * 1e-4
    sure[np.arange(4000), true] = 0.99
    noise = estimate_noise(given, sure / sure.sum(axis=1, keepdims=True))
    assert noise.rate == pytest.approx(0.12, abs=0.03)


def fit_for_errors():
    cells, _, _ = gaussian(7, n=240, units=6)
    return cells


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.with_design(label=None), "No label is declared"),
        (lambda c: c.with_design(unit=None), "No unit is declared"),
        (lambda c: c.with_obs(pd.Series("k0", c.ids, name="kind")), "Only one class: 'k0'"),
        (lambda c: c.with_obs(pd.Series(None, c.ids, name="kind", dtype=object)), "No cell has a label"),
        (lambda c: c.with_obs(pd.Series(np.arange(240) / 7, c.ids, name="kind")), "a measurement, not a class"),
        (
            lambda c: c.with_obs(c.obs["kind"].where(c.obs["well"] != "w01", "typo")),
            "The label 'typo' stands in 1 well",
        ),
        (lambda c: Cells(c.obs, label="kind", unit="well"), "no features, and no images to measure them from"),
        (lambda c: c.with_features(c.features.replace(c.features.iloc[0, 0], np.inf)), "Infinite values in 'f0'"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        find_label_errors(change(fit_for_errors()))


def test_more_parts_than_units_of_a_class_are_refused():
    with pytest.raises(ValueError, match=r"stands in 6 wells only, 7 parts asked for\. Use n_splits=6"):
        find_label_errors(fit_for_errors(), n_splits=7)
    assert len(find_label_errors(fit_for_errors(), n_splits=2)) == 240


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.iloc[1:], "1 ids are missing from it ('c0')"),
        (lambda p: p.rename({"c0": "other"}), "are not in obs ('other')"),
        (lambda p: p.drop(columns="k1"), "No column in probabilities for 1 class: 'k1'"),
        (lambda p: p * 1.1, "240 cells whose probabilities do not sum to 1"),
        (lambda p: p.assign(k0=p["k0"] - 1, k1=p["k1"] + 1), "with negative probabilities"),
        (lambda p: p.drop("c3").reindex(p.index), "1 cell with missing or infinite probabilities: 'c3'"),
        (lambda p: p.assign(k0="a"), "columns that are not numbers: 'k0'"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(change, message):
    cells = fit_for_errors()
    table = pd.DataFrame(1 / 3, index=cells.ids, columns=["k0", "k1", "k2"])
    with pytest.raises(ValueError, match=re.escape(message)):
        find_label_errors(cells, change(table))


def test_an_array_of_probabilities_is_refused():
    with pytest.raises(TypeError, match="expected a DataFrame with a row for each cell id"):
        find_label_errors(fit_for_errors(), np.full((240, 3), 1 / 3))


def test_options_are_checked():
    cells = fit_for_errors()
    with pytest.raises(ValueError, match="hold cells with different labels"):
        find_label_errors(cells, given_per="unit")
    with pytest.raises(ValueError, match="expected 'auto', 'cell' or 'unit'"):
        find_label_errors(cells, given_per="well")
    with pytest.raises(ValueError, match="expected 'probability' or 'confident_learning'"):
        find_label_errors(cells, flag_by="score")
    with pytest.raises(ValueError, match="these labels differ within units"):
        suspected_swaps(find_label_errors(cells))
    with pytest.raises(ValueError, match="expected 'unit' or 'batch'"):
        suspected_swaps(pd.DataFrame(), of="plate")
