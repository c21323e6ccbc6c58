"""From a folder to an evidence sheet: what the design carries is done, what it does not is said."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb import __main__ as command_line
from mlscope_nb import _reporting
from mlscope_nb.risks.attempts import Steps
from mlscope_nb.risks.folder_path import held_out

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def levels(made):
    return json.loads((made.out / "evidence.json").read_text(encoding="utf-8"))["levels"]["answers"]


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """Three small plates, three classes on each, controls among them."""
    study, _ = ms.datasets.simulate_fields(3, 8, 9, seed=41, field_size=200, faults=0)
    two = study.subset(study.obs["treatment"].isin(["DMSO", "elongated", "granular"]))
    return ms.io.write_fields(two, tmp_path_factory.mktemp("data") / "plates", masks=False)


@pytest.fixture(scope="module")
def made(plates, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    return ms.risks.report_folder(plates, out, label="treatment", control={"treatment": "DMSO"})


def test_everything_is_written_and_complete(made):
    assert made.complete, str(made)
    names = {file.name for file in made.files}
    assert names == {
        "evidence.html", "evidence.md", "evidence.json", "cells.h5ad", "profiles.parquet", "steps.json", "steps.py",
    }  # fmt: skip
    assert all(file.is_file() for file in made.files)
    steps = json.loads((made.out / "steps.json").read_text(encoding="utf-8"))
    assert steps["complete"] and steps["n_cells"] == len(made.cells)
    found = levels(made)
    assert found["held_out"] == "green" and found["audit"] != "not done" and found["explained"] == "green"


def test_the_guessed_unit_and_batch_hold(made):
    assert made.cells.design.unit == ("plate", "well") and made.cells.design.batch == ("plate",)
    assert made.results["predict, plate held out"].by == "plate"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_lines_of_code_do_the_same(made, tmp_path, monkeypatch):
    code = (made.out / "steps.py").read_text(encoding="utf-8")
    (tmp_path / "steps.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path("steps.py")
    assert names["score"].balanced_accuracy == made.results["predict, plate held out"].balanced_accuracy
    assert list(names["cells"].ids) == list(made.cells.ids)
    assert (tmp_path / "evidence.html").is_file()


def test_a_design_that_carries_nothing_is_said_and_not_worked_around(tmp_path):
    fly = ms.datasets.load_fields("fly").subset(["POS002", "POS218"])
    parts = fly.with_images([image[:, 300:640, 300:640] for image in fly.images])
    folder = ms.io.write_fields(parts, tmp_path / "fly")
    made = ms.risks.report_folder(
        folder, tmp_path / "out", label="position", unit="position", batch="position", size=32
    )
    assert not made.complete
    assert [step.name for step in made.steps.refused] == ["predict, position held out"]
    text = (made.out / "evidence.md").read_text(encoding="utf-8")
    assert "It was asked for and cannot be done. 2 classes stand in one position only" in text
    found = levels(made)
    assert found["design"] == "red" and found["held_out"] == found["figure"] == "untestable"
    # One field of one treatment, however many cells: nothing in the sheet may be green about the plate.
    assert "green" not in (found["design"], found["held_out"], found["figure"], found["new_batch"], found["controls"])


def test_other_fields_without_a_replicate(tmp_path):
    source = SHARED / "dsb2018_subset"
    if not source.is_dir():
        pytest.skip(f"The shared test data are not beside the checkout: {source}")
    table = pd.read_csv(source / "meta.csv")
    small = table[table["h"] <= 256].groupby("kind").head(3)
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for image, mask in zip(small["image"], small["mask"], strict=True):
        (tmp_path / "data" / image).write_bytes((source / image).read_bytes())
        (tmp_path / "data" / mask).write_bytes((source / mask).read_bytes())
    small.to_csv(tmp_path / "data" / "meta.csv", index=False)
    made = ms.risks.report_folder(tmp_path / "data", tmp_path / "out", label="kind")
    text = (made.out / "evidence.md").read_text(encoding="utf-8")
    # Grey and coloured fields lie in one folder: each that was left out is in the sheet by name.
    left = made.results["left out when reading"].problems
    assert left and all(line.split(":")[0] in text for line in left)
    assert "class and batch" in text and levels(made)["audit"] == "red"
    assert levels(made)["design"] == "not done" and levels(made)["controls"] in ("not done", "untestable")
    assert not any(step.name.startswith("segment") for step in made.steps.done)


def test_nothing_readable_is_a_report_too(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("nothing")
    made = ms.risks.report_folder(tmp_path / "empty", tmp_path / "out")
    assert not made.complete and made.cells is None
    assert "no images, tables or stores" in str(made)
    assert {file.name for file in made.files} == {"steps.json", "steps.py"}


def test_dark_fields_without_cells(tmp_path):
    dark = ms.Fields(pd.DataFrame(index=["a", "b"]), [np.zeros((1, 64, 64), "uint8")] * 2, channels=["DNA"])
    folder = ms.io.write_fields(dark, tmp_path / "dark")
    made = ms.risks.report_folder(folder, tmp_path / "out", label="field")
    assert not made.complete and "steps.json" in {file.name for file in made.files}
    assert made.steps.refused[0].problems


def test_a_column_that_is_not_there_is_refused_by_name(plates, tmp_path):
    made = ms.risks.report_folder(plates, tmp_path / "out", label="drug")
    assert not made.complete and "drug" in str(made)
    assert made.steps.refused[0].name == "read"


def test_a_table_without_pictures_goes_the_same_way(made, tmp_path):
    again = ms.risks.report_folder(made.out / "cells.h5ad", tmp_path / "out")
    score, before = again.results["predict, plate held out"], made.results["predict, plate held out"]
    assert score.balanced_accuracy == pytest.approx(before.balanced_accuracy, abs=0.02)
    assert not any(step.name in ("quality", "measure", "crop") for step in again.steps.done)


def test_the_strictest_is_held_out_first():
    obs = pd.DataFrame({"plate": list("ab"), "well": list("cd"), "field_id": list("ef")})
    assert held_out(ms.Cells(obs, unit="well", batch="plate")) == [["plate"], ["well"]]
    assert held_out(ms.Cells(obs, unit="well")) == [["well"]]
    assert held_out(ms.Cells(obs, unit="well", batch="well")) == [["well"]]
    assert held_out(ms.Cells(obs)) == [["field_id"]]
    one = obs.assign(plate="a")
    assert held_out(ms.Cells(one, unit="well", batch="plate")) == [["well"]]


def test_steps_keep_warnings_and_reasons():
    steps = Steps()
    ids = ms.Cells(pd.DataFrame({"at": [1.0]}))
    refused = steps.do("umap", "ms.explore.umap(cells)", ms.explore.umap, ids, needed=False)
    assert isinstance(refused, ms.risks.NotDone) and not refused and not steps.refused
    assert steps.problems[0].startswith("umap: ") and "# not done: ms.explore.umap(cells)" in steps.code


def test_what_is_no_refusal_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        ms.risks.attempt(lambda: 1 / 0)


def test_the_command(plates, tmp_path, capsys):
    out = tmp_path / "out"
    assert command_line.main(["report", str(tmp_path / "nowhere"), "--out", str(out)]) == 1
    assert "There is no file or folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert command_line.main(["report", str(plates), "--out", str(tmp_path / "file")]) == 1
    assert "Nothing could be written" in capsys.readouterr().err


def test_the_command_hands_everything_on(monkeypatch, plates, capsys):
    given = {}

    def note(data, out, **options):
        given.update(options, data=data, out=out)
        return ms.risks.FolderReport(out, (), Steps(), None, {})

    monkeypatch.setattr("mlscope_nb.risks.report_folder", note)
    words = ["--label", "drug", "--unit", "plate,well", "--batch", "plate", "--control", "drug=DMSO,water"]
    words += ["--channels", "DNA=w1,actin=w2", "--pixel-size", "0.65", "--frame", "3", "--drop", "cut,focus"]
    assert command_line.main(["report", str(plates), *words]) == 0
    assert given["unit"] == ["plate", "well"] and given["batch"] == "plate" and given["frame"] == 3
    assert given["control"] == {"drug": ["DMSO", "water"]} and given["channels"] == {"DNA": "w1", "actin": "w2"}
    assert given["out"] == Path("report_plates") and given["drop"] == ["cut", "focus"]
    assert "metadata" not in given and "masks" not in given


def test_make_names_every_option():
    makefile = (Path(ms.__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    line = next(line for line in makefile.splitlines() if line.startswith("REPORT_OPTIONS"))
    parser = _reporting.argparse.ArgumentParser()
    _reporting.add_arguments(parser)
    known = {flag for action in parser._actions for flag in action.option_strings}
    assert {f"--{name.lower()}" for name in line.split(":=")[1].split()} <= known
