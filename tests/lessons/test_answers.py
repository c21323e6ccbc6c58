"""The answers file: kept, restored, never fatal."""

import json
import os
import subprocess
import sys

import pytest

from mlscope_nb import annotations
from mlscope_nb.lessons import answers, check, lesson_file, predict, progress


def lines(folder):
    return (folder / "mlscope_work" / "answers.jsonl").read_text(encoding="utf-8").splitlines()


def test_an_answer_is_one_json_line_with_time_who_id_value_right(folder):
    check("99_test/cells", 12)
    (line,) = lines(folder)
    entry = json.loads(line)
    assert entry.pop("time").startswith("20")
    who = annotations.user_name()
    assert entry == {"who": who, "id": "99_test/cells", "step": "check", "value": 12, "right": True}


def test_reading_creates_nothing(folder):
    check("99_test/cells", ...)
    progress("99_test")
    str(predict("99_test/which"))
    assert not (folder / "mlscope_work").exists()


def test_answers_are_back_in_a_new_kernel(folder):
    predict("99_test/which").record("a")
    code = "import mlscope_nb as ms; print(ms.lessons.predict('99_test/which').choice.key)"
    root = str(lesson_file.TEXTS.parents[2])
    env = dict(os.environ, PYTHONPATH=root)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == "a"
    assert done.stderr == ""


def test_the_same_answer_again_adds_no_line_and_another_does(folder):
    for value in (1, 1, 12, 12, 1):
        check("99_test/cells", value)
    assert [json.loads(line)["value"] for line in lines(folder)] == [1, 12, 1]


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[1]",
        b'{"id": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"time":1,"who":2,"id":3,"step":4,"value":[],"right":5}',
    ],
)
def test_a_corrupted_line_is_skipped_and_reported(folder, bad):
    check("99_test/cells", 12)
    path = folder / "mlscope_work" / "answers.jsonl"
    path.write_bytes(bad + b"\n" + path.read_bytes())
    shown = progress("99_test")
    assert shown.right == 1
    assert "Skipped 1 line" in shown.notes[0]
    assert "Skipped 1 line" in shown._repr_html_()


def test_a_half_written_last_line_does_not_swallow_the_next(folder):
    check("99_test/cells", 1)
    path = folder / "mlscope_work" / "answers.jsonl"
    path.write_bytes(path.read_bytes() + b'{"time": "20')
    check("99_test/cells", 12)
    assert progress("99_test").right == 1
    assert len(lines(folder)) == 3


def test_where_the_folder_cannot_be_written_the_home_folder_takes_the_answers(folder, tmp_path):
    (folder / "mlscope_work").write_text("a file in the way")
    shown = check("99_test/cells", 12)
    assert shown.right
    assert "cannot be written" in shown.notes[0]
    assert str(tmp_path / "home") in str(shown)
    assert (tmp_path / "home" / "mlscope_work" / "answers.jsonl").is_file()
    assert progress("99_test").right == 1


def test_a_read_only_folder_that_is_empty_takes_the_home_folder(folder, tmp_path, monkeypatch):
    real = os.mkdir

    def refuse(path, *rest, **options):
        if str(path).startswith(str(folder)):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(str(folder)))
    predict("99_test/which").record("b")
    assert predict("99_test/which").choice.key == "b"
    assert "home" in check("99_test/which").notes[0]


def test_where_nothing_can_be_written_answers_last_as_long_as_the_kernel(folder, tmp_path):
    (folder / "mlscope_work").write_text("a file in the way")
    (tmp_path / "home" / "mlscope_work").write_text("another")
    shown = check("99_test/cells", 12)
    assert shown.right
    assert "lost when the kernel stops" in shown.notes[-1]
    assert progress("99_test").right == 1


def test_a_file_that_cannot_be_opened_is_reported(folder):
    (folder / "mlscope_work" / "answers.jsonl").mkdir(parents=True)
    shown = check("99_test/cells", 12)
    assert shown.right
    assert "could not be written" in shown.notes[-1]


def test_answers_of_another_person_are_not_mine(folder, monkeypatch):
    predict("99_test/which").record("a")
    monkeypatch.setattr(answers, "user_name", lambda: "someone else")
    assert predict("99_test/which").choice is None


@pytest.mark.parametrize(
    ("value", "said"), [(0.041666667, "0.04167"), (5.0400912, "5.04"), (1234.56, "1234.56"), (0.75, "0.75")]
)
def test_a_card_shows_no_more_digits_than_anybody_reads(value, said):
    assert answers.describe(value) == said


def test_values_are_kept_short_and_plain(folder):
    check("99_test/cells", list(range(100_000)))
    check("99_test/cells", float("nan"))
    check("99_test/cells", object())
    assert all(len(line) < 400 for line in lines(folder))
    values = [json.loads(line)["value"] for line in lines(folder)]
    assert values == ["100,000 values: 0, 1, 2 …", "nan", "an object of type object"]
