import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlscope_nb.cells import Cells
from mlscope_nb.views.selection import Action, Selection, selection_of

IDS = [f"cell{i}" for i in range(8)]
subsets = st.lists(st.sampled_from(IDS), unique=True)


def test_selected_is_in_the_order_of_the_cells():
    assert Selection(IDS).select(["cell5", "cell1"]).selected.tolist() == ["cell1", "cell5"]


def test_set_operations():
    s = Selection(IDS).select(IDS[:3])
    assert s.add(IDS[2:5]).selected.tolist() == IDS[:5]
    assert s.remove(IDS[:2]).selected.tolist() == IDS[2:5]
    assert s.toggle([IDS[2], IDS[7]]).selected.tolist() == [IDS[3], IDS[4], IDS[7]]
    assert s.invert().selected.tolist() == [i for i in IDS if i not in (IDS[3], IDS[4], IDS[7])]
    assert s.clear().selected.tolist() == []
    assert s.select("cell3").selected.tolist() == ["cell3"]
    assert "cell3" in s and "cell4" not in s and "nobody" not in s
    assert len(s) == 1 and s.rows.tolist() == [3]


def test_a_boolean_series_and_a_series_of_ids():
    s = Selection(IDS)
    mask = pd.Series([i % 2 == 0 for i in range(8)], index=IDS)
    assert s.select(mask.iloc[::-1]).selected.tolist() == IDS[::2]
    assert s.select(pd.Series(["cell7", "cell7"])).selected.tolist() == ["cell7"]


def test_unknown_ids_change_nothing():
    s = Selection(IDS).select(IDS[:2])
    with pytest.raises(KeyError, match="nobody"):
        s.select(["cell5", "nobody"])
    assert s.selected.tolist() == IDS[:2]
    with pytest.raises(ValueError, match="more than once"):
        Selection(["a", "a"])


def test_the_mask_is_a_copy():
    s = Selection(IDS).select(IDS[:1])
    s.mask.array[:] = True
    assert len(s) == 1


def test_observers_hear_changes_only_and_can_stop():
    heard = []
    s = Selection(IDS)
    stop = s.observe(lambda x: heard.append(x.selected.tolist()))
    s.select(IDS[:1]).select(IDS[:1])
    assert heard == [IDS[:1]]
    s.undo()
    assert heard == [IDS[:1], []]
    stop()
    stop()
    s.select(IDS[:3])
    assert len(heard) == 2


def test_foreign_actions_share_the_history():
    done = []
    s = Selection(IDS).select(IDS[:2])
    s.record(Action("label", lambda: done.append("un"), lambda: done.append("re")))
    assert s.undo() == "label" and done == ["un"]
    assert s.selected.tolist() == IDS[:2]
    assert s.undo() == "select" and s.undo() is None
    assert s.redo() == "select" and s.redo() == "label" and s.redo() is None
    assert done == ["un", "re"]


def test_what_cannot_be_undone_stays():
    def refuse():
        raise OSError("disk full")

    s = Selection(IDS)
    s.record(Action("label", refuse, lambda: None))
    with pytest.raises(OSError, match="disk full"):
        s.undo()
    assert s.can_undo and not s.can_redo


class History(RuleBasedStateMachine):
    """The history must behave as a list of states with a pointer."""

    def __init__(self):
        super().__init__()
        self.s = Selection(IDS)
        self.states, self.at = [frozenset()], 0

    def _did(self, expected):
        if expected != self.states[self.at]:
            self.states = [*self.states[: self.at + 1], frozenset(expected)]
            self.at += 1

    @rule(ids=subsets)
    def select(self, ids):
        self.s.select(ids)
        self._did(frozenset(ids))

    @rule(ids=subsets)
    def add(self, ids):
        self.s.add(ids)
        self._did(self.states[self.at] | set(ids))

    @rule(ids=subsets)
    def remove(self, ids):
        self.s.remove(ids)
        self._did(self.states[self.at] - set(ids))

    @rule(ids=subsets)
    def toggle(self, ids):
        self.s.toggle(ids)
        self._did(self.states[self.at] ^ set(ids))

    @rule()
    def invert(self):
        self.s.invert()
        self._did(frozenset(IDS) - self.states[self.at])

    @rule()
    def clear(self):
        self.s.clear()
        self._did(frozenset())

    @rule()
    def undo(self):
        moved = self.s.undo()
        assert (moved is not None) == (self.at > 0)
        self.at = max(self.at - 1, 0)

    @rule()
    def redo(self):
        moved = self.s.redo()
        assert (moved is not None) == (self.at < len(self.states) - 1)
        self.at = min(self.at + 1, len(self.states) - 1)

    @invariant()
    def agrees(self):
        assert set(self.s.selected) == self.states[self.at]
        assert self.s.can_undo == (self.at > 0)
        assert self.s.can_redo == (self.at < len(self.states) - 1)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(subsets, min_size=1, max_size=6))
def test_undoing_all_then_redoing_all_comes_back(choices):
    s = Selection(IDS)
    for ids in choices:
        s.select(ids)
    last = s.selected.tolist()
    while s.undo():
        pass
    assert s.selected.tolist() == []
    while s.redo():
        pass
    assert s.selected.tolist() == last


def cells_of(n, value=0):
    return Cells(
        pd.DataFrame({"plate": ["p"] * n}, index=[f"c{i}" for i in range(n)]),
        np.full((n, 1, 4, 4), value, np.uint8),
    )


def test_views_of_the_same_cells_share_one_selection():
    cells = cells_of(5)
    first = selection_of(cells)
    assert selection_of(cells.with_obs(pd.Series(range(5), cells.ids, name="more"))) is first
    assert selection_of(cells_of(5, value=9)) is not first
    assert selection_of(cells.subset(["c1", "c2"])) is not first


def test_the_registry_keeps_nothing_alive():
    cells = cells_of(5)
    alive = weakref.ref(selection_of(cells))
    gc.collect()
    assert alive() is None
