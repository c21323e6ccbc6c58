"""A learner's folder with questions of its own, and a home folder that is not the tester's."""

from pathlib import Path

import pytest

from mlscope_nb.lessons import answers

QUESTIONS = """
[which]
kind = "predict"
text = "Which plot <script>alert(1)</script> changes?"
answer = "b"
[which.choices.a]
text = "The map & the table"
feedback = "Tempting, because the map is large."
[which.choices.b]
text = "Only the table"
feedback = "The table has the numbers."
[which.choices.c]
text = "Neither"
feedback = "Tempting, because nothing moved."

[live]
kind = "predict"
text = "Which group is larger?"
hints = ["Look.", "Count."]
[live.choices.left]
text = "Left"
feedback = "Left was wider."
[live.choices.right]
text = "Right"
feedback = "Right was denser."

[cells]
kind = "exercise"
text = "How many cells?"
rule = "equals"
truth = 12
right = "Twelve it is: `len(cells)`."
wrong = "Count the rows."
hints = ["Each cell is a row.", "Write `len(cells)`."]
[[cells.mistakes]]
value = 36
feedback = "That counts every channel."

[free]
kind = "exercise"
text = "What is the mean?"
rule = "is_close"
tolerance = 0.5
right = "Yes."
wrong = "No."
hints = ["Sum.", "Divide."]

[picked]
kind = "checkpoint"
text = "Picked beforehand."
value = ["c1", "c2"]

[made]
kind = "checkpoint"
text = "Made by the package."
make = "mlscope_nb.lessons.rules:plain"
arguments = { value = 7 }

[passed]
kind = "checkpoint"
text = "Passed by the notebook."
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    work, home = tmp_path / "course", tmp_path / "home"
    (work / "lessons").mkdir(parents=True)
    home.mkdir()
    (work / "lessons" / "99_test.toml").write_text(QUESTIONS, encoding="utf-8")
    monkeypatch.chdir(work)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(answers, "_unsaved", [])
    return work
