"""Keep, drop and fix: nothing is lost, everything is listed, every decision can be taken back."""

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlscope_nb as ms
from mlscope_nb.annotations import AnnotationLog

IDS = [f"c{i}" for i in range(6)]


def cells(**columns):
    return ms.Cells(pd.DataFrame({"phase": list("ababab"), **columns}, index=IDS))


def test_a_later_decision_replaces_an_earlier_one_until_it_is_taken_back():
    decisions = ms.curate.Decisions(cells(), who="ada")
    decisions.drop(["c1", "c2"], "blurred").keep("c2", "sharp enough")
    assert list(decisions.dropped.index) == ["c1"] and list(decisions.apply().ids) == ["c0", "c2", "c3", "c4", "c5"]
    decisions.undo()
    assert list(decisions.dropped.index) == ["c1", "c2"]
    decisions.redo()
    assert decisions.table.loc["c2", ["decision", "reason", "who"]].tolist() == ["keep", "sharp enough", "ada"]


def test_one_reason_for_each_cell_becomes_one_entry_for_each_reason():
    flags = pd.DataFrame({"flagged": [True, True, False, True, False, False]}, index=IDS)
    flags["reason"] = ["blurred", "empty", "", "blurred", "", ""]
    decisions = ms.curate.Decisions(cells()).drop(flags["flagged"], flags["reason"])
    assert decisions.reasons["n_cells"].to_dict() == {"blurred": 2, "empty": 1}
    assert len(decisions) == 2 and "dropped 2 cells: blurred" in decisions.words()[0]
    with pytest.raises(ValueError, match="No reason for 1 cell, for example 'c2'"):
        decisions.drop(["c2"], flags["reason"].drop("c2"))


def test_decisions_survive_on_disk_and_belong_to_their_cells(tmp_path):
    path = tmp_path / "decisions.jsonl"
    ms.curate.Decisions(cells(), path).drop("c0", "empty").fix("c1", "phase", "b", "typing error")
    again = ms.curate.Decisions(cells(), path)
    assert list(again.dropped.index) == ["c0"]
    assert again.fixed[["cell_id", "before", "after", "reason"]].values.tolist() == [["c1", "b", "b", "typing error"]]
    with pytest.raises(ValueError, match="made for other data"):
        ms.curate.Decisions(cells().subset(IDS[:3]), path)


def test_apply_leaves_the_cells_alone_and_writes_what_was_done():
    source = cells(dose=[1, 2, 3, 4, 5, 6])
    decisions = ms.curate.Decisions(source).drop(["c5"], "debris").fix("c0", "dose", 10, "wrong dilution")
    done = decisions.apply()
    assert source.obs["dose"].tolist() == [1, 2, 3, 4, 5, 6] and len(source) == 6
    assert done.obs["dose"].tolist() == [10, 2, 3, 4, 5] and done.obs["dose"].dtype == "int64"
    (step,) = [s for s in done.history if s["step"] == "curate"]
    assert step["dropped"] == {"debris": 1} and step["n_fixed"] == 1
    everything = decisions.annotated()
    assert len(everything) == 6 and everything.obs.loc["c5", "decision_reason"] == "debris"


def test_cells_with_other_features_or_fewer_ids_take_the_same_decisions():
    decisions = ms.curate.Decisions(cells()).drop(["c0", "c1"], "empty")
    part = cells().subset(["c1", "c2"])
    assert list(decisions.apply(part).ids) == ["c2"]


def test_the_log_of_a_workbench_is_taken_as_it_is():
    log = AnnotationLog(who="eve")
    log.add(["c3"], "decision", "drop", "two nuclei")
    log.add(["c3"], "my_label", "odd")
    decisions = ms.curate.Decisions(cells(), log)
    assert decisions.dropped["reason"].to_dict() == {"c3": "two nuclei"} and len(decisions) == 1
    log.add(["c3"], "decision", None)
    assert decisions.dropped.empty and decisions.table.loc["c3"].tolist() == ["", "", "", ""]


def test_what_cannot_be_decided_is_refused_by_name():
    decisions = ms.curate.Decisions(cells())
    with pytest.raises(KeyError, match="1 id not found: 'nobody'"):
        decisions.drop(["nobody"], "x")
    with pytest.raises(KeyError, match="No column 'stage'"):
        decisions.fix("c0", "stage", "M")
    with pytest.raises(ValueError, match="is what drop and keep decide"):
        decisions.fix("c0", "decision", "drop")
    decisions.drop([], "nothing").drop(pd.Series(False, index=IDS), "nothing")
    assert len(decisions) == 0 and decisions.undo() is None


def test_reasons_are_escaped_where_they_become_html():
    decisions = ms.curate.Decisions(cells()).drop("c0", "<script>alert(1)</script>")
    assert "<script>" not in decisions._repr_html_() and "&lt;script&gt;" in decisions._repr_html_()


STEP = st.tuples(st.sampled_from(["drop", "keep", "undo", "redo"]), st.lists(st.sampled_from(IDS), unique=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=12))
def test_every_cell_is_either_there_or_listed(steps):
    decisions = ms.curate.Decisions(cells())
    for what, ids in steps:
        if what in ("drop", "keep"):
            getattr(decisions, what)(ids, "why")
        else:
            getattr(decisions, what)()
    kept, listed = set(decisions.apply().ids), set(decisions.dropped.index)
    assert kept | listed == set(IDS) and not kept & listed


def test_a_line_cut_short_loses_that_decision_alone(tmp_path):
    path = tmp_path / "decisions.jsonl"
    ms.curate.Decisions(cells(), path).drop("c0", "empty").drop("c1", "blurred")
    text = path.read_text(encoding="utf-8").rstrip("\n")
    path.write_text(text[:-20], encoding="utf-8")
    assert list(ms.curate.Decisions(cells(), path).dropped.index) == ["c0"]
    assert json.loads(text.splitlines()[-1])["reason"] == "blurred"
