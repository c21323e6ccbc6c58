"""Cross-validation: right numbers, nothing learned from what is tested, and refusals in plain words."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import mlscope_nb as ms

cross_validate = ms.predict.cross_validate


@pytest.fixture(scope="module")
def found(study):
    return cross_validate(study(n_classes=3), by="plate", progress=False)


def quick(cells, *args, **options):
    return cross_validate(cells, *args, **{"baselines": False, "progress": False, **options})


def test_scores_are_those_of_scikit_learn(found):
    given, said = found.predictions["given"], found.predictions["predicted"]
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(given, said))
    assert found.interval.estimate == pytest.approx(found.balanced_accuracy)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(given, said, average="macro"))
    expected = metrics.confusion_matrix(given, said)
    assert (found.confusion.to_numpy() == expected).all()
    areas = [metrics.average_precision_score(given == c, found.probabilities[c]) for c in found.probabilities]
    assert found.auprc == pytest.approx(np.mean(areas))
    assert found.per_class["recall"].mean() == pytest.approx(found.balanced_accuracy)


def test_every_cell_is_tested_once_by_a_model_that_never_saw_its_plate(found, study):
    cells = study(n_classes=3)
    assert found.predictions.index.equals(cells.ids)
    folds = found.predictions.groupby("fold")["group"].nunique()
    assert len(folds) == 4 and (folds == 1).all()
    assert (found.predictions["group"] == cells.obs["plate"]).all()
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_predictions_are_those_of_a_model_fitted_by_hand(study):
    cells = study(n_classes=3)
    found = quick(cells, LogisticRegression(), by="plate")
    for plate, rows in cells.obs.groupby("plate").groups.items():
        train = cells.ids.difference(rows)
        model = LogisticRegression().fit(cells.features.loc[train], cells.labels[train])
        assert (model.predict(cells.features.loc[rows]) == found.predictions.loc[rows, "predicted"]).all(), plate


@pytest.mark.parametrize("normalize", [None, "standardize"])
def test_what_is_tested_teaches_nothing(normalize, study):
    cells = study(control=True)
    (part,) = [s for s in ms.predict.split(cells, by="plate", n_splits=4) if s.held_out == ("p0",)]
    before = quick(cells, by="plate", splits=[part], normalize=normalize)
    labels = cells.obs["drug"].copy()
    labels[part.test_ids] = np.roll(labels[part.test_ids], 5)
    table = cells.features.copy()
    last = part.test_ids[-1]
    table.loc[last] = 1e6
    changed = cells.with_obs(labels).with_features(table)
    after = quick(changed, by="plate", splits=[part], normalize=normalize)
    pd.testing.assert_frame_equal(before.probabilities.drop(last), after.probabilities.drop(last))
    assert not np.allclose(before.probabilities.loc[last], after.probabilities.loc[last])


@pytest.mark.parametrize("by", ["plate", None])
def test_copies_of_all_cells_change_nothing(by, study, doubled):
    cells = study(n_classes=3, n_cells=5)
    one, two = quick(cells, by=by), quick(doubled(cells), by=by)
    assert two.balanced_accuracy == pytest.approx(one.balanced_accuracy, abs=1e-9)
    assert (two.interval.low, two.interval.high) == pytest.approx((one.interval.low, one.interval.high), abs=1e-9)
    assert two.n_units == one.n_units


def test_the_order_of_rows_does_not_matter(study):
    cells = study()
    shuffled = cells.subset(np.random.default_rng(1).permutation(cells.ids))
    one, two = quick(cells, by="plate"), quick(shuffled, by="plate")
    same = two.probabilities.loc[one.probabilities.index]
    assert np.allclose(one.probabilities, same, atol=1e-4)


def test_labels_that_say_nothing_fool_a_random_split_and_not_a_grouped_one(study):
    cells = study(n_plates=2, n_wells=16, n_cells=12, n_features=12, effect=0, well=1.0, seed=3)
    forest = RandomForestClassifier(15, random_state=0)
    scores = {"random": [], "grouped": []}
    for labels in ms.study.permute_labels(cells, 3, seed=1):
        null = cells.with_obs(labels)
        scores["random"].append(quick(null, forest, by="cell", n_splits=2).balanced_accuracy)
        scores["grouped"].append(quick(null, forest, n_splits=4).balanced_accuracy)
    assert min(scores["random"]) > 0.6
    assert 0.4 < np.mean(scores["grouped"]) < 0.6


def test_a_random_split_has_to_be_asked_for_and_says_so(study):
    cells = study()
    text = str(quick(cells, by="cell"))
    assert "new cells of the same wells" in text and "Random split over cells" in text
    free = cells.with_design(unit=None, batch=None)
    with pytest.raises(ValueError, match=r"No unit of independence is declared.*by='cell'"):
        quick(free)
    assert quick(free, by="cell").n_units == len(cells)


@pytest.mark.parametrize("model", ["svm", "forest", "boosting", KNeighborsClassifier(3)])
def test_other_models_learn_with_gaps_in_the_features(model, study):
    cells = study(n_plates=3, n_wells=4, effect=4)
    table = cells.features.copy()
    table.iloc[::7, 1] = np.nan
    table["empty"] = np.nan
    found = quick(cells.with_features(table), model, by="plate")
    assert found.balanced_accuracy > 0.85
    assert any("filled with the median" in note for note in found.notes)
    assert any("no cell has a value: 'empty'" in note for note in found.notes)


def test_tables_are_read_by_a_model_each_and_their_evidence_added(study):
    cells = study(n_classes=3)
    second = cells.features * 2 + np.random.default_rng(5).normal(size=cells.features.shape)
    tables, model = (cells.features, second), LogisticRegression()
    both = quick(cells, model, by="plate", features=list(tables))
    parts = [np.log(quick(cells, model, by="plate", features=t).probabilities) for t in tables]
    expected = np.exp(parts[0] + parts[1])
    expected = expected.div(expected.sum(axis=1), axis=0)
    assert np.allclose(both.probabilities, expected, atol=1e-6)
    assert both.tables == {"table 1": 4, "table 2": 4}


@pytest.mark.filterwarnings("ignore:Few controls")
def test_normalising_is_learned_in_the_fold_and_brings_a_shifted_plate_back(study):
    cells = study(n_plates=5, effect=2, plate=6, control=True, seed=2)
    before, after = (quick(cells, by="plate", normalize=n) for n in (None, "standardize"))
    assert after.against(before).estimate > 0.1
    assert any("normalised to controls" in note for note in after.notes)
    (part,) = [s for s in ms.predict.split(cells, by="plate", n_splits=5) if s.held_out == ("p1",)]
    scale = ms.features.Normalizer().fit(cells.subset(part.train_ids))
    train, test = (scale.transform(cells.subset(ids)) for ids in part)
    by_hand = ms.predict.train_model(train).predict_proba(test)
    assert np.allclose(by_hand, after.probabilities.loc[part.test_ids], atol=1e-6)


def test_controls_that_are_the_label_are_not_used(study):
    cells = study().with_design(control={"drug": "a"})
    notes = quick(cells, by="plate", normalize="standardize").notes
    assert any("all cells of each batch" in n and "controls are defined by the label" in n for n in notes)


def test_cells_without_a_label_take_no_part(study):
    cells = study()
    labels = cells.obs["drug"].where(np.arange(len(cells)) % 5 > 0)
    found = quick(cells.with_obs(labels), by="plate")
    assert found.predictions.index.equals(cells.ids[labels.notna()])
    assert any("cells without a label" in note for note in found.notes)


def test_too_few_plates_give_a_score_and_no_interval(study):
    found = quick(study(n_plates=2), by="plate")
    assert not found.interval.known and "too few units to say, 2 plates found" in str(found)


def test_a_perfect_score_says_what_so_few_plates_can_show(study):
    few, more = (str(quick(study(n_plates=n, effect=40.0), by="plate")) for n in (4, 6))
    assert "4 plates: 0.40 to 1.00" in few and "cannot be told" not in few
    assert "All 4 plates came out right: the interval is what so many plates can show" in few
    assert "better than guessing (0.50). All 6 plates came out right" in more


def test_what_cannot_be_told_apart_is_refused_or_said(study):
    cells = study()
    with pytest.raises(ValueError, match="Only one class: 'a'"):
        quick(cells.subset((cells.labels == "a").to_numpy()))
    with pytest.raises(ValueError, match="One plate cannot be both trained and tested on"):
        quick(cells.subset((cells.obs["plate"] == "p0").to_numpy()), by="plate")
    with pytest.raises(ValueError, match="No label is declared"):
        quick(cells.with_design(label=None))
    nested = cells.with_obs(cells.obs["plate"].map({"p0": "a", "p1": "a", "p2": "b", "p3": "b"}).rename("drug"))
    assert any("label nests in batch" in note for note in quick(nested).notes)
    alone = cells.with_obs(cells.obs["plate"].map({"p0": "a", "p1": "a", "p2": "a", "p3": "b"}).rename("drug"))
    with pytest.raises(ValueError, match="in one plate only: 'b'"):
        quick(alone, by="plate")
    table = cells.features.copy()
    table.iloc[0, 0] = np.inf
    with pytest.raises(ValueError, match="Infinite values in 'AreaShape_F0'"):
        quick(cells.with_features(table))
    with pytest.raises(ValueError, match="No model 'logistc'"):
        quick(cells, "logistc")
    with pytest.raises(TypeError, match="with its parameters"):
        quick(cells, LogisticRegression)


def test_a_class_of_one_well_counts_as_not_learned(study):
    cells = study()
    labels = cells.obs["drug"].where(cells.units != "p0 · A01", "rare")
    found = quick(cells.with_obs(labels))
    assert found.per_class.loc["rare", "recall"] == 0
    assert any("Only one well has 'rare'" in note for note in found.notes)


def test_a_function_that_trains_on_cells_sees_the_training_cells_alone(study):
    cells = study()
    seen = []

    class Share:
        def __init__(self, labels):
            self.shares = labels.value_counts(normalize=True)

        def predict_proba(self, others):
            return pd.DataFrame([self.shares] * len(others), index=others.ids)

    def learner(some):
        seen.append(set(some.obs["plate"]))
        return Share(some.labels)

    found = cross_validate(cells, learner, by="plate", progress=False)
    assert len(seen) == 4 and all(len(plates) == 3 for plates in seen)
    assert found.model == "learner" and "permuted labels" not in found.baselines.index
    with pytest.raises(ValueError, match="for models of features"):
        quick(cells, learner, normalize="robust")
    with pytest.raises(TypeError, match="expected a DataFrame"):
        quick(cells, lambda some: type("Bad", (), {"predict_proba": lambda self, c: np.zeros((len(c), 2))})())


def test_words_tables_and_files_of_the_result(found):
    text = str(found)
    assert "on new plates" in text and "over 4 plates" in text and "majority 0.33" in text
    html = found._repr_html_()
    assert "<script" not in html and "predicted class" in html
    assert json.loads(json.dumps(found.to_dict()))["unit"] == "plate"
    wrong = found.cells_of("a", "b")
    assert len(wrong) == found.confusion.loc["a", "b"] > 0
    with pytest.raises(KeyError, match="No class 'z'"):
        found.cells_of("a", "z")


def test_hostile_class_names_are_text_in_html(study):
    cells = study(n_plates=3)
    labels = cells.obs["drug"].map({"a": "<script>x</script>", "b": "b & c"}).rename("drug")
    html = quick(cells.with_obs(labels), by="plate")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_two_models_are_compared_on_the_same_plates(found, study):
    other = quick(study(n_classes=3), "svm", by="plate")
    gain = found.against(other)
    assert gain.estimate == pytest.approx(found.balanced_accuracy - other.balanced_accuracy)
    assert gain.n_units == 4 and gain.unit == "plate"
    with pytest.raises(ValueError, match="other cells, labels or groups"):
        found.against(quick(study(n_classes=3)))


@pytest.mark.parametrize("kind", ["int64", "bool", "category"])
def test_labels_keep_their_type(study, kind):
    cells = study(n_plates=3, effect=3)
    labels = (cells.labels == "b").astype(int) if kind != "category" else cells.labels
    found = quick(cells.with_obs(labels.astype(kind).rename("drug")), by=["plate", "well"], n_splits=4)
    assert found.unit == "well" and found.balanced_accuracy > 0.8
    assert list(found.confusion.index) == (["a", "b"] if kind == "category" else [0, 1])
    assert len(found.cells_of(*found.confusion.index[[0, 0]])) > 0


def test_splits_of_ones_own_hold_out_what_they_say(study):
    cells = study()
    over_wells = ms.predict.split(cells, n_splits=3)
    with pytest.raises(ValueError, match=r"in training and test: .?p0"):
        quick(cells, by="plate", splits=over_wells)
    leaking = [ms.predict.Split(cells.ids, cells.ids[::2])]
    for by, unit in (("cell", ("plate", "well")), ("plate", None)):
        with pytest.raises(ValueError, match="trains and tests on 96 same cell"):
            quick(cells.with_design(unit=unit), by=by, splits=leaking)
    with pytest.raises(ValueError, match="192 cells tested in more than one split"):
        quick(cells, splits=[*over_wells, *ms.predict.split(cells, n_splits=3, seed=1)])
    with pytest.raises(ValueError, match="splits is empty"):
        quick(cells, splits=[])
    at_random = ms.predict.split(cells, by="cell", n_splits=3)
    assert len(quick(cells, by="cell", splits=at_random).predictions) == len(cells)


def test_the_history_of_cells_with_images_is_kept(study):
    cells = study()
    shown = ms.Cells(cells.obs, np.zeros((len(cells), 1, 4, 4)), label="drug", unit=("plate", "well"), batch="plate")
    found = quick(shown.with_features(cells.features), n_splits=2)
    assert [s["step"] for s in found.history] == ["with_features", "cross_validate"]
