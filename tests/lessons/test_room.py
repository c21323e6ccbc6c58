"""A room's answers: who, what, and which mistakes were made first."""

import json
import zipfile

import pytest

from mlscope_nb.lessons import collect


def entry(value, right, step="check", who="jovyan", question="99_test/cells", minute=0):
    time = f"2026-01-01T10:{minute:02d}:00+00:00"
    return json.dumps({"time": time, "who": who, "id": question, "step": step, "value": value, "right": right})


def put(folder, *lines):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def room(tmp_path):
    handed_in = tmp_path / "handed in"
    put(handed_in / "ana" / "mlscope_work", entry(36, False), entry(12, True, minute=1))
    put(handed_in / "ben" / "mlscope_work", entry(36, False), entry("a", None, "predict", question="99_test/which"))
    put(handed_in / "both", entry(12, True, who="cy"), entry(7, False, who="di"))
    work = handed_in / "eve.zip"
    with zipfile.ZipFile(work, "w") as archive:
        archive.writestr("mlscope_work/answers.jsonl", entry("b", None, "predict", question="99_test/which"))
    return handed_in


def test_questions_count_learners_first_and_last(room):
    found = collect(room).questions
    assert found.loc["99_test/cells", ["learners", "right_at_first", "right_in_the_end"]].tolist() == [4, 1, 2]
    assert found.loc["99_test/which", ["learners", "right_at_first"]].tolist() == [2, 1]
    assert found.loc["99_test/cells", "common_wrong_answer"] == 36


def test_misconceptions_are_told_with_what_learners_read(room):
    first = collect(room).misconceptions.iloc[0]
    assert (first["question"], first["answer"], first["learners"], first["share"]) == ("99_test/cells", 36, 2, 0.5)
    assert first["explanation"] == "That counts every channel."
    said = collect(room).misconceptions.set_index("answer").loc["a", "explanation"]
    assert said == "The map & the table. Tempting, because the map is large."


def test_a_learner_is_a_file_and_a_name_where_it_has_several(room):
    found = collect(room).learners
    assert set(found.index) == {"ana", "ben", "both · cy", "both · di", "eve"}
    assert found.loc["ana", ["answered", "right"]].tolist() == [1, 1]


def test_answers_sent_twice_count_once(room):
    before = collect(room).questions
    put(room / "ana", entry(36, False), entry(36, False), entry(12, True, minute=1), entry(12, True, minute=2))
    (room / "ana" / "mlscope_work" / "answers.jsonl").unlink()
    assert collect(room).questions.equals(before)


def test_bad_files_are_named_and_the_rest_is_counted(room):
    put(room / "fay", "{", entry(12, True))
    (room / "gil.zip").write_bytes(b"PK\x03\x04 not a zip")
    (room / "hal.zip").write_bytes((room / "eve.zip").read_bytes()[:60])
    found = collect(room)
    assert set(found.problems["file"]) == {"fay", "gil", "hal"}
    assert found.questions.loc["99_test/cells", "learners"] == 5
    assert "3 files with problems" in str(found)


def test_one_notebook_alone(room):
    assert len(collect(room, "99_test").questions) == 2
    assert len(collect(room, "00_start_here").questions) == 0


def test_names_of_learners_and_answers_are_text(room):
    put(room / "<img src=x onerror=alert(1)>", entry("<script>alert(1)</script>", False))
    put(room / "x", entry("<script>alert(1)</script>", False))
    put(room / "y", entry("<script>alert(1)</script>", False))
    page = collect(room)._repr_html_()
    assert "<script" not in page and "<img" not in page and "&lt;script" in page


def test_no_folder_and_no_answers_are_said(tmp_path):
    with pytest.raises(NotADirectoryError, match="handed in"):
        collect(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"answers\.jsonl"):
        collect(tmp_path / "empty")
