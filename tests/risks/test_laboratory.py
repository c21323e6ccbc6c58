"""The laboratory: its list, its answers to bad input, what a lesson holds, and what each kind of pitfall does."""

import json
import tomllib

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.risks import laboratory
from mlscope_nb.risks.lesson import Figure, Lesson, over_repeats, rate

QUICK = ["pseudo_replication", "double_dipping"]
NOTEBOOKS = [
    "01_from_pixels_to_numbers", "02_curate", "03_explore", "04_predict", "05_predict_images", "06_explain",
    "08_your_own_data",
]  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return ms.risks.scenarios()


def test_every_scenario_says_what_a_reader_has_to_know(table):
    assert len(table) >= 20
    for name, row in table.iterrows():
        for column in ("title", "danger", "dose", "measures", "mitigation", "source", "doi"):
            assert row[column].strip(), f"{name} says nothing of its {column}"
        assert row["danger"].endswith(".")
        assert row["doi"].startswith("10.")
        assert row["notebook"] in NOTEBOOKS
        assert len(row["doses"]) >= 4
        assert list(row["doses"]) == sorted(set(row["doses"]))


def test_every_scenario_has_its_function(table):
    texts = tomllib.loads(laboratory.TEXTS.read_text(encoding="utf-8"))
    for name in table.index:
        assert callable(laboratory._pitfall(name, texts[name]["module"]))


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"No pitfall 'leak'.*'leakage'"):
        ms.risks.run("leak")


@pytest.mark.parametrize("dose", [-1, 101, float("nan"), "much", True])
def test_a_dose_outside_of_the_range_is_refused(dose):
    with pytest.raises(ValueError, match="between 1 and 100"):
        ms.risks.run("pseudo_replication", dose)


def test_without_a_dose_it_is_the_largest(table):
    assert ms.risks.run("pseudo_replication").dose == max(table.loc["pseudo_replication", "doses"])


@pytest.mark.parametrize("name", QUICK)
def test_tests_that_count_wrongly_find_effects_that_are_not_there(name):
    lesson = ms.risks.run(name, seed=3)
    assert lesson.damage.value >= 0.4
    assert lesson.mitigated.value <= 0.07
    assert lesson.control.low <= 0.05 <= lesson.control.high + 0.01
    assert lesson.restored >= 0.5


@pytest.mark.parametrize("name", QUICK)
def test_without_the_danger_there_is_no_damage(name, table):
    lesson = ms.risks.run(name, table.loc[name, "doses"][0], seed=3)
    assert lesson.damage.low <= 0.05 <= lesson.damage.high + 0.01


def test_a_lesson_is_json_and_words_and_escaped_markup():
    lesson = ms.risks.run("pseudo_replication", 20, seed=1)
    read = json.loads(json.dumps(lesson.to_dict(), allow_nan=False))
    assert read["damage"]["value"] == lesson.damage.value
    assert read["pictures"]["p_values"]["cells as replicates"] == lesson.pictures["p_values"].iloc[:, 0].tolist()
    assert lesson.sentence in str(lesson)
    evil = Lesson(**{**{k: getattr(lesson, k) for k in lesson.__dataclass_fields__}, "note": "<script>"})
    assert "<script>" not in evil._repr_html_()
    assert "&lt;script&gt;" in evil._repr_html_()


def test_the_same_seed_says_the_same_and_another_one_something_else():
    one, two, other = (ms.risks.run("double_dipping", 0.5, seed=s).damage.value for s in (1, 1, 2))
    assert one == two != other


def test_a_dose_between_the_usual_ones_is_taken():
    assert ms.risks.run("pseudo_replication", 33, seed=0).dose == 33


def test_the_curve_has_a_row_for_each_dose_and_seed():
    found = ms.risks.curve("pseudo_replication", [1, 100], seeds=[0, 1], progress=False)
    assert found[["dose", "seed"]].to_numpy().tolist() == [[1, 0], [100, 0], [1, 1], [100, 1]]
    assert (found.groupby("seed")["damage"].diff().dropna() > 0.3).all()


def test_restored_is_unknown_where_there_is_no_damage():
    nothing, some = Figure(0.01, -0.1, 0.12, "6 studies"), Figure(0.4, 0.3, 0.5, "6 studies")
    lesson = ms.risks.run("pseudo_replication", 1)
    values = {k: getattr(lesson, k) for k in lesson.__dataclass_fields__}
    assert np.isnan(Lesson(**{**values, "damage": nothing}).restored)
    assert Lesson(**{**values, "damage": some, "mitigated": Figure(0.1, 0, 0.2, "")}).restored == pytest.approx(0.75)
    assert "nothing back" in str(Lesson(**{**values, "damage": some, "mitigated": some}))


def test_intervals_of_figures_are_those_of_scipy():
    from scipy import stats

    values = np.array([0.2, 0.5, 0.1, 0.4])
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    found = over_repeats(values)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert rate(3, 10).low == pytest.approx(stats.binomtest(3, 10).proportion_ci(method="wilson").low)


def test_pictures_are_tables_without_gaps_in_their_keys():
    for name in QUICK:
        for picture in ms.risks.run(name, seed=0).pictures.values():
            assert isinstance(picture, pd.DataFrame)
            assert len(picture) > 0
            assert picture.columns.is_unique
