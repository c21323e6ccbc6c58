"""Question files: what is refused, and that the message names file, question and key."""

import tomllib

import pytest

from mlscope_nb.lessons.lesson_file import TEXTS, find, lesson_names, read_lesson

GOOD = {
    "predict": """
[q]
kind = "predict"
text = "T?"
answer = "a"
hints = ["one", "two"]
[q.choices.a]
text = "A"
feedback = "fa"
[q.choices.b]
text = "B"
feedback = "fb"
""",
    "exercise": """
[q]
kind = "exercise"
text = "T?"
rule = "is_close"
truth = 1.5
tolerance = 0.1
right = "r"
wrong = "w"
hints = ["one", "two"]
[[q.mistakes]]
value = 3
feedback = "f"
""",
    "checkpoint": """
[q]
kind = "checkpoint"
text = "T"
make = "mlscope_nb.datasets:load"
[q.arguments]
name = "fly"
""",
}

BROKEN = [
    ("predict", 'kind = "predict"', 'kind = "quiz"', "kind = 'quiz'"),
    ("predict", 'kind = "predict"', "", "no 'kind'"),
    ("predict", 'text = "T?"', "", "no 'text'"),
    ("predict", 'text = "T?"', "text = 3", "text = 3"),
    ("predict", 'text = "T?"', 'text = "  "', "empty 'text'"),
    ("predict", 'answer = "a"', 'answer = "z"', "answer = 'z'"),
    ("predict", 'feedback = "fb"', "", "choice 'b' has no 'feedback'"),
    ("predict", '[q.choices.b]\ntext = "B"\nfeedback = "fb"', "", "has 1 of the two"),
    ("predict", '["one", "two"]', '["one"]', "two texts"),
    ("predict", 'hints = ["one", "two"]', "hint = 1", "'hint'"),
    ("exercise", '"is_close"', '"nearly"', "rule = 'nearly'"),
    ("exercise", "truth = 1.5", 'truth = "x"', "truth = 'x'"),
    ("exercise", "tolerance = 0.1", "", "tolerance"),
    ("exercise", "tolerance = 0.1", "tolerance = 0", "tolerance"),
    ("exercise", "tolerance = 0.1", "tolerance = true", "tolerance = True"),
    ("exercise", '"is_close"', '"equals"', "tolerance"),
    ("exercise", 'wrong = "w"', "", "no 'wrong'"),
    ("exercise", 'hints = ["one", "two"]', "", "no 'hints'"),
    ("exercise", 'feedback = "f"', "", "mistake 1 has no 'feedback'"),
    ("exercise", "value = 3", "", "mistake 1 needs a value, or make"),
    ("exercise", "value = 3", 'make = "os:system"', "mistake 1 needs a value, or make"),
    ("checkpoint", "mlscope_nb.datasets:load", "os:system", "make = 'os:system'"),
    ("checkpoint", 'make = "mlscope_nb.datasets:load"', "", "arguments"),
    ("checkpoint", "[q]", "[Q-1]\n[q]", "[Q-1] has a name"),
]


@pytest.mark.parametrize("kind", GOOD)
def test_good_files_are_read(kind, tmp_path):
    path = tmp_path / "05_x.toml"
    path.write_text(GOOD[kind], encoding="utf-8")
    assert read_lesson(path)["q"].id == "05_x/q"


@pytest.mark.parametrize(("kind", "old", "new", "said"), BROKEN)
def test_broken_files_are_refused_with_file_question_and_key(kind, old, new, said, tmp_path):
    assert old in GOOD[kind]
    path = tmp_path / "05_x.toml"
    path.write_text(GOOD[kind].replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        read_lesson(path)
    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert "[q]" in message or "[Q-1]" in message


def test_what_is_not_toml_is_refused(tmp_path):
    path = tmp_path / "05_x.toml"
    path.write_text("[q\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"05_x\.toml is not a TOML file"):
        read_lesson(path)


def test_a_value_in_the_place_of_a_question_is_refused(tmp_path):
    path = tmp_path / "05_x.toml"
    path.write_text("title = 'x'\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"\[title\] is 'x', not a table"):
        read_lesson(path)


def test_unknown_ids_are_answered_with_what_there_is():
    with pytest.raises(ValueError, match="Did you mean 'which'"):
        find("99_test/whch")
    with pytest.raises(FileNotFoundError, match="99_test"):
        find("98_none/which")
    for bad in ("which", "../etc/passwd", "a/b/c", None):
        with pytest.raises(ValueError, match="not a question id"):
            find(bad)


@pytest.mark.parametrize("path", sorted(TEXTS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_texts_are_valid(path):
    assert path.stem in lesson_names()
    assert len(read_lesson(path)) == len(tomllib.loads(path.read_text(encoding="utf-8")))
