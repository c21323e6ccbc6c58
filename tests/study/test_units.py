"""Keys, means and words of units; what importing the chapter loads."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mlscope_nb import study
from mlscope_nb.study.units import noun, plural


def test_several_columns_make_one_key(make):
    cells = make(n_batches=2, units=2)
    assert sorted(study.groups(cells).unique()) == ["p0 · w0", "p0 · w1", "p1 · w0", "p1 · w1"]
    assert study.groups(cells, "batch").equals(cells.batches_of)
    assert study.groups(cells, ("well", "plate")).iloc[0] == "w0 · p0"


def test_a_column_called_unit_is_that_column(make):
    cells = make(n_batches=2, units=2)
    named = cells.with_obs(pd.Series("x", cells.ids, name="unit"))
    assert set(study.groups(named, "unit")) == {"x"} and study.groups(cells, "unit").equals(cells.units)


def test_cells_without_a_group_are_named(make):
    cells = make()
    day = pd.Series("mon", cells.ids, name="day").where(cells.ids != cells.ids[2])
    with pytest.raises(ValueError, match=f"1 cell without a value in column 'day': '{cells.ids[2]}'"):
        study.groups(cells.with_obs(day), "day")


def test_unit_means_are_those_of_pandas(make, shuffled):
    cells = make()
    expected = cells.features["size"].groupby(cells.units).mean().sort_index()
    for found in (study.unit_means("size", cells), study.unit_means("size", shuffled(cells))):
        assert found.index.tolist() == expected.index.tolist()
        assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-12)
    with pytest.raises(ValueError, match="no cells to look it up in"):
        study.unit_means("size", cells.units)
    with pytest.raises(ValueError, match="expected one number per cell"):
        study.unit_means(cells.labels, cells)
    with pytest.raises(ValueError, match="1 cell without a unit"):
        study.unit_means(np.arange(2.0), np.array(["a", None], dtype=object))


def test_words_for_units():
    assert [noun((c,)) for c in ("Metadata_Well", "donor_id", "plate")] == ["well", "donor", "plate"]
    assert noun(("plate", "well")) == "unit"
    assert [plural(w) for w in ("well", "batch", "day", "biopsy")] == ["wells", "batches", "days", "biopsies"]


def test_import_loads_neither_scikit_learn_nor_scipy():
    code = "import sys, mlscope_nb.study; print([m for m in ('sklearn', 'scipy', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
