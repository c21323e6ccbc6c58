"""write_labels: a CSV that the workbench and the label reader take back."""

import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.annotations import AnnotationLog
from mlscope_nb.study.label_files import read_label_file


@pytest.fixture
def log():
    log = AnnotationLog(who="ada")
    log.add(["c1", "c2", 'ü,"3"'], "phenotype", "round")
    log.add(["c2"], "phenotype", "long")
    log.add(["c1"], "phenotype", None)
    log.add(["c9"], "keep", False, reason="dirt")
    log.add(["c8"], "keep", True)
    log.undo()
    return log


def test_the_labels_that_stand_are_written_for_cells_that_have_any(log, tmp_path):
    file = ms.io.write_labels(log, tmp_path / "labels.csv")
    assert file.read_text(encoding="utf-8") == 'cell_id,phenotype,keep\nc2,long,\n"ü,""3""",round,\nc9,,False\n'
    assert read_label_file(file, "phenotype").to_dict() == {"c2": "long", 'ü,"3"': "round"}


def test_columns_may_be_chosen(log, tmp_path):
    file = ms.io.write_labels(log, tmp_path / "labels.csv", columns="keep")
    assert read_label_file(file).to_dict() == {"c9": "False"}
    with pytest.raises(KeyError, match=r"Not in the log: 'quality'\. It holds 'phenotype', 'keep'"):
        ms.io.write_labels(log, tmp_path / "other.csv", columns=["quality"])


def test_cells_give_their_declared_label_or_chosen_columns(every_kind, tmp_path):
    file = ms.io.write_labels(every_kind, tmp_path / "a.csv")
    assert read_label_file(file).to_dict() == every_kind.obs["treatment"].astype(str).to_dict()
    both = pd.read_csv(
        ms.io.write_labels(every_kind, tmp_path / "b.csv", columns=["well", "mg/l"]), index_col="cell_id"
    )
    assert both.columns.tolist() == ["well", "mg/l"] and both.index.tolist() == list(every_kind.ids)
    with pytest.raises(KeyError, match=r"No column 'wel' in obs\. Did you mean 'well'"):
        ms.io.write_labels(every_kind, tmp_path / "c.csv", columns="wel")


def test_nothing_to_write_is_said(every_kind, tmp_path):
    with pytest.raises(ValueError, match="holds no labels yet"):
        ms.io.write_labels(AnnotationLog(), tmp_path / "a.csv")
    with pytest.raises(ValueError, match="No label is declared"):
        ms.io.write_labels(ms.Cells(every_kind.obs), tmp_path / "a.csv")


def test_the_workbench_takes_the_labels_back(every_kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = ms.io.write_labels(every_kind, tmp_path / "a.csv")
    bench = ms.views.explore(every_kind, "umap", label="treatment")
    assert bench.load(file).labels.to_dict() == every_kind.obs["treatment"].astype(str).to_dict()
