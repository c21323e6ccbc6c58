"""The usual slips are named as what they are, in the learner's own data; each question's functions load and compute."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.lessons.lesson_file import TEXTS, read_lesson
from mlscope_nb.lessons.questions import Exercise, load_function

IDS = [f"c{number}" for number in range(8)]
FOUND = pd.Series([True] * 4 + [False] * 4, IDS)
WANTED = pd.Series([True] * 2 + [False] * 3 + [True] * 3, IDS)
COUNTS = pd.DataFrame({"n_true": [4, 6], "n_found": [2, 8], "n_invented": [1, 2], "n_missed": [2, 3]})
RARE = pd.DataFrame({"accuracy said": [0.9, 0.96], "accuracy truth": [0.5, 0.6], "remedy truth": [0.62, 0.66]})
SLIPS = [
    ("00_start_here/edge", ms.Cells(pd.DataFrame({"at_edge": FOUND & WANTED})), 6, "not at the edge"),
    ("01_from_pixels_to_numbers/saturated", np.array([[255, 3, 9]], "uint8"), 2, "not saturated"),
    ("01_from_pixels_to_numbers/percent", (200.0, 150.0), 75.0, "what is left"),
    ("01_from_pixels_to_numbers/percent", (200.0, 150.0), 25.0, "but for its sign"),
    ("02_curate/recall", (FOUND, WANTED), 0.5, "the precision"),
    ("02_curate/recall", (FOUND, WANTED), 2, "not which part"),
    ("02_curate/recall", (FOUND, WANTED), 0.3, "Divide how many"),
    ("03_explore/hardest", pd.Series({"a": -0.9, "b": -0.2}), "a", "easiest"),
    ("05_predict_images/made_up", SimpleNamespace(per_field=COUNTS), 3, "how many are invented"),
    ("05_predict_images/made_up", SimpleNamespace(per_field=COUNTS), 0.5, "that was missed"),
    ("05_predict_images/allowed", pd.Series([0.9, 0.5, 0.1]), 2, "not allowed"),
    ("06_explain/used", pd.DataFrame({"effect": [2.0, 0.1, 3.0, 4.0]}), 0.25, "the others"),
    ("06_explain/used", pd.DataFrame({"effect": [2.0, 0.1, 3.0, 4.0]}), 3, "how many cells"),
    ("06_explain/in_block", pd.DataFrame({"features": [("a", "b", "c"), ("d",)]}), 2, "how many blocks"),
    ("07_pitfalls/honest", SimpleNamespace(pictures={"studies": RARE}), 0.55, "without the remedy"),
    ("07_pitfalls/honest", SimpleNamespace(pictures={"studies": RARE}), 0.93, "share of right answers"),
    ("04_predict/worth_it", pd.DataFrame({"gain_low": [0.0, 0.1]}), False, "Read `gain_low`"),
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("question", "data", "value", "said"), SLIPS)
def test_a_slip_is_named(question, data, value, said):
    told = ms.lessons.check(question, value, of=data)
    assert told.right is False
    assert said in told.text


def test_without_its_data_a_slip_is_only_wrong():
    assert "Count the cells" in ms.lessons.check("00_start_here/edge", 6, truth=2).text


def test_every_function_of_a_slip_is_there():
    questions = [q for path in sorted(TEXTS.glob("*.toml")) for q in read_lesson(path).values()]
    made = [m.make for q in questions if isinstance(q, Exercise) for m in q.mistakes if m.make]
    assert len(made) > 20
    assert all(callable(load_function(make, "x/y")) for make in made)
