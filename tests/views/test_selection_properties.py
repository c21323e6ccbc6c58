"""The one history of selections and labels, against a model so simple that it can be read: replay from the start."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import mlscope_nb as ms
from mlscope_nb.views import _autosave, selection
from mlscope_nb.views.selection import Selection

IDS = ["cell 0", "b", "ü", "04", "4", "NA", "<b>", "last"]
SOME = st.lists(st.sampled_from(IDS), max_size=12)  # in any order, and named twice
LABELS = st.sampled_from(["round", "long", "1", "None", "<script>", "größer", 3, 2.5, True, None])
FEW = settings(
    max_examples=50,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = settings(FEW, max_examples=200, stateful_step_count=25)


class Model:
    """What was done and can be taken back, what was taken back; the present is all that was done, replayed."""

    def __init__(self):
        self.done, self.undone = [], []

    @property
    def chosen(self):
        found = set()
        for step in self.done:
            found = step.get("chosen", found)
        return found

    @property
    def labels(self):
        found = {}
        for step in self.done:
            for ids, value in step.get("labels", []):
                found.update(dict.fromkeys(ids, value))
        return {i: value for i, value in found.items() if value is not None}

    def choose(self, name, chosen):
        if chosen != self.chosen:
            self.do({"name": name, "chosen": chosen})

    def do(self, step):
        self.done.append(step)
        self.undone.clear()

    def undo(self):
        if not self.done:
            return None
        self.undone.append(self.done.pop())
        return self.undone[-1]["name"]

    def redo(self):
        if not self.undone:
            return None
        self.done.append(self.undone.pop())
        return self.done[-1]["name"]

    def restart(self):
        """Labels are on disk, each a step of its own; what was selected or taken back is not."""
        groups = [group for step in self.done for group in step.get("labels", [])]
        self.done = [{"name": f"label {value}", "labels": [(ids, value)]} for ids, value in groups]
        self.undone = []


class SelectionMachine(RuleBasedStateMachine):
    """Every operation of `Selection`."""

    def __init__(self):
        super().__init__()
        self.model = Model()
        self.selection = Selection(IDS)
        self.seen = None
        self.watch()

    def watch(self):
        self.selection.observe(lambda s: setattr(self, "seen", set(s.selected)))

    @rule(ids=SOME)
    def select(self, ids):
        self.selection.select(ids)
        self.model.choose("select", set(ids))

    @rule(ids=SOME)
    def select_by_mask(self, ids):
        self.selection.select(pd.Series([i in ids for i in IDS], IDS))
        self.model.choose("select", set(ids))

    @rule(ids=SOME)
    def select_rows(self, ids):
        self.selection.select_rows(np.array([IDS.index(i) for i in ids], np.int32))
        self.model.choose("select", set(ids))

    @rule(ids=SOME)
    def add(self, ids):
        self.selection.add(ids)
        self.model.choose("add", self.model.chosen | set(ids))

    @rule(ids=SOME)
    def remove(self, ids):
        self.selection.remove(ids)
        self.model.choose("remove", self.model.chosen - set(ids))

    @rule(ids=SOME)
    def toggle(self, ids):
        self.selection.toggle(ids)
        self.model.choose("toggle", self.model.chosen ^ set(ids))

    @rule()
    def invert(self):
        self.selection.invert()
        self.model.choose("invert", set(IDS) - self.model.chosen)

    @rule()
    def clear(self):
        self.selection.clear()
        self.model.choose("clear", set())

    @rule(cell=st.sampled_from(IDS))
    def find(self, cell):
        self.selection.find(cell)  # no part of the history
        assert self.selection.found == cell

    @rule(ids=SOME)
    def choose_what_is_not_there(self, ids):
        for operation in (self.selection.select, self.selection.add, self.selection.remove, self.selection.toggle):
            with pytest.raises(KeyError, match="nobody"):
                operation([*ids, "nobody"])

    @rule()
    def undo(self):
        assert self.selection.undo() == self.model.undo()

    @rule()
    def redo(self):
        assert self.selection.redo() == self.model.redo()

    @invariant()
    def the_selection_is_that_of_the_model(self):
        chosen = [i for i in IDS if i in self.model.chosen]
        assert self.selection.selected.tolist() == chosen and len(self.selection) == len(chosen)
        assert self.selection.rows.tolist() == [IDS.index(i) for i in chosen]
        assert self.selection.mask.to_dict() == {i: i in chosen for i in IDS}
        assert [i for i in IDS if i in self.selection] == chosen
        assert self.selection.can_undo == bool(self.model.done)
        assert self.selection.can_redo == bool(self.model.undone)
        assert self.seen in (None, set(chosen))  # whoever watches knows


class WorkbenchMachine(SelectionMachine):
    """Two workbenches over the same cells: labels, files and restarts too."""

    @initialize()
    def open_the_first_time(self):
        self.folder = Path(tempfile.mkdtemp())
        self.cells = ms.Cells(pd.DataFrame({"x": np.arange(8.0), "y": np.arange(8.0) % 3}, index=IDS))
        self.open()

    def open(self):
        _autosave._OPEN.clear()
        selection._SHARED.clear()
        log = self.folder / "log.jsonl"
        self.views = [ms.views.explore(self.cells, ("x", "y"), autosave=log) for _ in range(2)]
        self.selection = self.views[0].selection
        self.seen = None
        self.watch()

    def teardown(self):
        shutil.rmtree(self.folder)

    @rule(label=LABELS, which=st.integers(0, 1))
    def assign(self, label, which):
        chosen = sorted(self.model.chosen)
        if chosen:
            self.views[which].assign(label)
            self.model.do({"name": f"label {label}", "labels": [(chosen, label)]})
        else:
            with pytest.raises(ValueError, match="empty"):
                self.views[which].assign(label)

    @rule(bad=st.sampled_from([float("nan"), float("inf"), ["a"], "\ud83d"]))
    def assign_what_cannot_be_written(self, bad):
        with pytest.raises(ValueError, match=r"expected|cannot be written|empty"):
            self.views[0].assign(bad)

    @rule(which=st.integers(0, 1), back=st.booleans())
    def undo_or_redo_in_a_view(self, which, back):
        view = self.views[which]
        assert (view.undo() if back else view.redo()) == (self.model.undo() if back else self.model.redo())

    @rule(given=st.dictionaries(st.sampled_from(IDS), st.sampled_from(["round", "new, and long", "NA"]), min_size=1))
    def load(self, given):
        path = self.folder / "given.csv"
        pd.Series(given, name="label").to_csv(path, index_label="cell_id")
        self.views[0].load(path)
        groups = {value: [i for i in given if given[i] == value] for value in given.values()}
        self.model.do({"name": "load", "labels": [(ids, value) for value, ids in groups.items()]})

    @rule()
    def restart(self):
        self.open()
        self.model.restart()

    @precondition(lambda self: self.model.labels)
    @rule()
    def save_and_read(self):
        path = self.views[0].save(self.folder / "saved.csv")
        found = ms.study.read_label_file(path)
        assert found.to_dict() == {i: str(v) for i, v in self.model.labels.items()}
        assert list(found.index) == [i for i in IDS if i in self.model.labels]

    @invariant()
    def every_view_shows_what_the_model_says(self):
        rows = [i for i, name in enumerate(IDS) if name in self.model.chosen]
        for view in self.views:
            assert view.selected.tolist() == [IDS[i] for i in rows]
            assert view.labels.dropna().to_dict() == self.model.labels
            assert list(view.labels.index) == IDS
            bits = np.unpackbits(np.frombuffer(view._selected, np.uint8), count=len(IDS), bitorder="little")
            assert np.flatnonzero(bits).tolist() == rows  # what the browser draws
            assert view._words["can_undo"] == bool(self.model.done)
            assert view._words["can_redo"] == bool(self.model.undone)
            assert view._words["n_selected"] == len(rows)


TestSelection = SelectionMachine.TestCase
TestSelection.settings = MANY
TestWorkbench = WorkbenchMachine.TestCase
TestWorkbench.settings = FEW
