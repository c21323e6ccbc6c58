"""predict, check, hint, checkpoint, progress: what the learner sees."""

import os
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from IPython.core import formatters
from IPython.core.interactiveshell import InteractiveShell

from mlscope_nb.lessons import check, checkpoint, hint, predict, progress
from mlscope_nb.lessons.lesson_file import TEXTS


@pytest.fixture
def shown(monkeypatch):
    """Return what is displayed, one bundle for each output."""
    bundles = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda *things, raw=False: bundles.extend(
            thing if raw else {"text/html": thing._repr_html_(), "text/plain": repr(thing)} for thing in things
        ),
    )
    return bundles


def test_lessons_load_no_widgets_until_one_is_shown():
    code = "import sys, mlscope_nb.lessons; print({'ipywidgets', 'IPython', 'torch', 'bokeh'} & set(sys.modules))"
    env = dict(os.environ, PYTHONPATH=str(TEXTS.parents[2]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == "set()"


def children(widget):
    found = [widget]
    for child in getattr(widget, "children", ()):
        found += children(child)
    return found


def widgets_of(prediction):
    import ipywidgets

    box = prediction._buttons()
    all_of = children(box)
    (radio,) = [w for w in all_of if isinstance(w, ipywidgets.RadioButtons)]
    (button,) = [w for w in all_of if isinstance(w, ipywidgets.Button)]
    status = [w for w in all_of if isinstance(w, ipywidgets.HTML)][-1]
    return radio, button, status


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)

    def handle_data(self, data):
        self.text += data


def test_the_widget_records_only_on_the_button_and_is_restored():
    radio, button, status = widgets_of(predict("99_test/which"))
    assert radio.value is None
    assert button.disabled
    assert "Not answered yet" in status.value
    radio.value = "a"
    assert not button.disabled
    assert predict("99_test/which").choice is None
    button.click()
    assert "You predicted: The map &amp; the table" in status.value
    again, _, _ = widgets_of(predict("99_test/which"))
    assert again.value == "a"


def test_a_prediction_can_be_changed():
    predict("99_test/which").record("a")
    predict("99_test/which").record("b")
    assert check("99_test/which").right
    with pytest.raises(ValueError, match="Choices: 'a', 'b', 'c'"):
        predict("99_test/which").record("z")


@pytest.mark.parametrize("value", [None, ..., [], ""])
@pytest.mark.parametrize("name", ["which", "cells"])
def test_unanswered_says_so_and_raises_nothing(name, value):
    outcome = check(f"99_test/{name}", value)
    assert not outcome.answered
    assert outcome.right is None
    assert str(outcome).startswith("Not answered yet")
    html = outcome._repr_html_()
    assert "Not answered yet" in html
    assert "#D55E00" not in html
    assert "12" not in Tags(html).text
    assert "The table has the numbers" not in html


def test_a_wrong_prediction_shows_mine_the_right_one_and_why_each_is_tempting():
    predict("99_test/which").record("a")
    outcome = check("99_test/which")
    assert outcome.right is False
    said = Tags(outcome._repr_html_()).text
    assert "Your prediction: The map & the table" in said
    assert "Right: Only the table" in said
    for why in ("because the map is large", "has the numbers", "because nothing moved"):
        assert why in said
        assert why in str(outcome)


def test_a_right_prediction():
    predict("99_test/which").record("b")
    outcome = check("99_test/which")
    assert outcome.right
    assert "Right, and your prediction: Only the table" in str(outcome)


def test_the_choice_can_be_given_to_check():
    assert check("99_test/which", "b").right
    assert predict("99_test/which").choice.key == "b"
    with pytest.raises(ValueError, match="not a choice"):
        check("99_test/which", "z")


def test_the_truth_can_come_from_the_notebook():
    assert check("99_test/live", "left", truth="left").right
    assert check("99_test/live", truth="right").right is False
    assert check("99_test/free", 3.4, truth=3).right
    assert check("99_test/free", 3.6, truth=3).right is False
    for name, value in (("live", "left"), ("free", 3)):
        with pytest.raises(ValueError, match="truth=…"):
            check(f"99_test/{name}", value)
    with pytest.raises(ValueError, match="not a choice"):
        check("99_test/live", truth="up")


def test_a_wrong_value_is_explained_and_the_answer_kept():
    outcome = check("99_test/cells", 11)
    assert outcome.right is False
    assert "too small" in str(outcome)
    assert "Count the rows." in str(outcome)
    assert 'ms.lessons.hint("99_test/cells")' in str(outcome)
    assert "12" not in str(outcome)
    assert "That counts every channel." in str(check("99_test/cells", 36))
    right = check("99_test/cells", 12)
    assert "Twelve it is" in str(right)
    assert right.to_dict()["right"] is True


def test_hints_come_in_two_steps():
    html = hint("99_test/cells")._repr_html_()
    tags = Tags(html).found
    assert tags.count("details") == 2
    assert "open" not in html
    outer = html.index("<details>")
    assert outer < html.index("Each cell is a row.") < html.index("<details>", outer + 1) < html.index("len(cells)")
    assert "len(cells)" not in str(hint("99_test/cells"))
    assert hint("99_test/cells").nearly == "Write `len(cells)`."
    with pytest.raises(ValueError, match="no hints"):
        hint("99_test/which")


def test_a_checkpoint_keeps_mine_and_says_so(shown):
    mine = ["c9"]
    assert checkpoint("99_test/picked", mine) is mine
    assert "your own is used" in shown[0]["text/plain"]
    assert "your own is used" in shown[0]["text/html"]


@pytest.mark.parametrize("mine", [None, ..., []])
def test_a_checkpoint_gives_the_prepared_one_and_says_so(shown, mine):
    assert checkpoint("99_test/picked", mine) == ["c1", "c2"]
    assert "the prepared one is used" in shown[0]["text/plain"]
    assert "Picked beforehand." in shown[0]["text/html"]


def test_a_checkpoint_can_be_asked_for_made_or_passed(shown):
    assert checkpoint("99_test/picked", ["c9"], stuck=True) == ["c1", "c2"]
    assert checkpoint("99_test/made") == 7
    assert checkpoint("99_test/passed", otherwise=3) == 3
    assert checkpoint("99_test/passed", otherwise=dict) == {}
    with pytest.raises(ValueError, match="Nothing is prepared"):
        checkpoint("99_test/passed")


@pytest.mark.parametrize(
    ("mine", "said"), [("4.5", "without quotation marks"), ((4, 5), "write a point"), (max, "Put ()")]
)
def test_a_checkpoint_for_a_number_takes_numbers_only(shown, mine, said):
    assert checkpoint("99_test/passed", mine, otherwise=4.5) == 4.5
    assert said in shown[0]["text/plain"] and "That is 4.5." in shown[0]["text/plain"]
    assert checkpoint("99_test/passed", 3, otherwise=4.5) == 3


def test_kinds_are_not_mixed_up():
    with pytest.raises(ValueError, match="not a question to predict"):
        predict("99_test/cells")
    with pytest.raises(ValueError, match="is a checkpoint"):
        check("99_test/picked")
    with pytest.raises(ValueError, match="not a checkpoint"):
        checkpoint("99_test/cells")


def test_progress_counts_answered_right_and_open():
    start = progress("99_test")
    assert (start.total, start.open, start.answered, start.right) == (4, 4, 0, 0)
    predict("99_test/which").record("a")
    check("99_test/cells", 12)
    check("99_test/free", 9, truth=3)
    now = progress("99_test")
    assert (now.total, now.open, now.answered, now.right) == (4, 1, 3, 1)
    states = now.to_dict()["states"]
    assert states["99_test/which"] == "predicted, not checked yet"
    assert states["99_test/free"] == "not right yet"
    assert str(now) == "3 of 4 questions answered, 1 right, 1 open"
    check("99_test/cells", 13)
    assert progress().right == 0


def test_nothing_a_file_or_a_learner_writes_becomes_html(shown):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    predict("99_test/which")._ipython_display_()
    pages = [bundle["text/html"] for bundle in shown]
    _, _, status = widgets_of(predict("99_test/which"))
    pages += [
        status.value,
        predict("99_test/which")._repr_html_(),
        check("99_test/cells", evil)._repr_html_(),
    ]
    checkpoint("99_test/picked", [evil])
    pages.append(shown[-1]["text/html"])
    for page in pages:
        assert not {"script", "img"} & set(Tags(page).found)
    assert "<script>alert(1)</script>" in Tags(pages[0]).text


def test_what_is_displayed_has_a_static_text_and_html(shown):
    predict("99_test/which")._ipython_display_()
    question, buttons = shown
    assert "Which plot" in question["text/plain"]
    assert "Which plot" in question["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in buttons
    assert "Only the table" in buttons["text/html"]
    assert "Not answered yet" in buttons["text/plain"]
    show = formatters.DisplayFormatter(parent=InteractiveShell.instance()).format
    for thing in (check("99_test/cells", 11), hint("99_test/cells"), progress("99_test")):
        bundle, _ = show(thing)
        assert {"text/plain", "text/html"} <= set(bundle)
        assert bundle["text/plain"] == str(thing)
