"""The laboratory as a view: every pitfall has a picture, slider and Python agree, nothing needs a kernel."""

import json

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.risks.laboratory import picture_plan
from mlscope_nb.risks.lesson import Lesson, over_repeats
from mlscope_nb.views import pitfallview
from mlscope_nb.views._lessonpictures import scene

NAMES = list(ms.risks.scenarios().index)


@pytest.fixture(scope="module")
def view():
    return ms.views.pitfall("pseudo_replication")


def numbers(found):
    """All numbers inside of plain values."""
    if isinstance(found, dict):
        return [n for v in found.values() for n in numbers(v)]
    if isinstance(found, list):
        return [n for v in found for n in numbers(v)]
    return [found] if isinstance(found, int | float) and not isinstance(found, bool) else []


@pytest.mark.parametrize("name", NAMES)
def test_every_pitfall_has_a_picture_of_what_it_found(name):
    plan = picture_plan(name)
    lesson = ms.risks.run(name)
    table = lesson.pictures[plan["table"]]
    assert {column for column, _, _ in plan["parts"]} <= set(table.columns)
    assert {role for _, _, role in plan["parts"]} <= {"done", "truth", "remedy"}
    drawn = scene([lesson])
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn
    assert np.isfinite(numbers(drawn["pictures"])).all()
    assert drawn["runs"][0]["damage"][0] == pytest.approx(lesson.damage.value, abs=1e-5)


def test_strips_hold_the_values_of_the_studies_and_one_axis_serves_all_doses():
    lessons = [ms.risks.run("hallucination", dose) for dose in (0, 4)]
    drawn = scene(lessons)
    rows = drawn["pictures"][1]["rows"]
    assert rows[0]["values"] == pytest.approx(lessons[1].pictures["studies"]["restored"].tolist(), abs=1e-5)
    everything = [v for picture in drawn["pictures"] for row in picture["rows"] for v in row["values"]]
    assert drawn["span"][0] < min(everything) and max(everything) < drawn["span"][1]


def test_p_values_are_counted_as_shares():
    lesson = ms.risks.run("pseudo_replication")
    first = scene([lesson])["pictures"][0]["series"][0]
    values = lesson.pictures["p_values"]["cells as replicates"]
    assert first["shares"][0] == pytest.approx((values <= 0.05).mean(), abs=2e-3)
    assert sum(first["shares"]) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(
    ("unit", "dose", "words"),
    [("cells", 1, "1 cell"), ("cells", 20, "20 cells"), ("times", 1, "1 times"), ("", 0.25, "0.25"),
     ("standard deviations of plates", 1, "1 standard deviation of plates")],
)  # fmt: skip
def test_one_of_a_unit_is_singular(unit, dose, words):
    lesson = ms.risks.run("pseudo_replication")
    fields = {k: getattr(lesson, k) for k in Lesson.__dataclass_fields__}
    one = Lesson(**{**fields, "unit": unit, "dose": float(dose)})
    assert scene([one])["amounts"] == [words] and f"Dose: {words} (" in str(one)


def test_slider_buttons_and_python_agree(view):
    view.set(dose=20, remedy=True)
    assert (view.dose, view.lesson.dose, view._state["step"], view._state["remedy"]) == (20, 20, 2, True)
    view.set_state({"_state": {**view._state, "step": 4, "control": True}})
    assert view.dose == 100 and view.lesson is view.lessons[-1]
    assert [one.dose for one in view.lessons] == list(ms.risks.scenarios().loc["pseudo_replication", "doses"])


def test_a_late_message_of_the_page_does_not_take_back_what_python_set(view):
    late = {**view._state, "step": 0}
    view.set(dose=50)
    view.set_state({"_state": late})
    assert view.dose == 50


def test_another_pitfall_is_chosen_from_the_list_and_run_once(monkeypatch):
    asked = []
    real = pitfallview.run
    monkeypatch.setattr(pitfallview, "run", lambda name, dose, **k: asked.append((name, dose)) or real(name, dose, **k))
    view = ms.views.pitfall()
    assert [one["value"] for one in view._names] == NAMES
    view.set(name="double_dipping", dose=1)
    assert view._data["name"] == view.lesson.name == "double_dipping"
    view.set(name="pseudo_replication").set(name="double_dipping")
    assert view.dose == 0 and len(asked) == len(set(asked)) == 10


def test_what_is_not_there_is_refused_and_changes_nothing(view):
    before = dict(view._state)
    with pytest.raises(ValueError, match="dose=7 is not on the slider"):
        view.set(dose=7)
    with pytest.raises(ValueError, match="No pitfall 'moon'"):
        view.set(name="moon")
    assert view._state == before
    with pytest.raises(ValueError, match="No pitfall 'moon'"):
        ms.views.pitfall("moon")


def test_words_stay_words(view, monkeypatch, tmp_path):
    bad = "</script><img src=x onerror='window.hurt=1'>"
    lesson = view.lesson
    hostile = Lesson(**{**{k: getattr(lesson, k) for k in Lesson.__dataclass_fields__}, "danger": bad, "title": bad})
    monkeypatch.setattr(pitfallview, "run", lambda *a, **k: hostile)
    page = ms.views.pitfall("pseudo_replication").to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert bad not in page and "<img" not in page


def test_unknown_figures_are_left_out_of_the_page():
    lesson = ms.risks.run("pseudo_replication", 1)
    fields = {k: getattr(lesson, k) for k in Lesson.__dataclass_fields__}
    alone = Lesson(**{**fields, "damage": over_repeats([0.1])})
    assert scene([alone])["runs"][0]["damage"] == [0.1, None, None]
    empty = pd.DataFrame({"cells as replicates": [np.nan], "wells as replicates": [0.5]})
    drawn = scene([Lesson(**{**fields, "pictures": {"p_values": empty}})])
    json.dumps(drawn, allow_nan=False)
