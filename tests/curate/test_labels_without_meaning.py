"""Labels that say nothing: where units do not look like their labels at all, no label can be said to be wrong."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.risks.label_swaps import label_swaps


def noise(seed, n_plates=4, n_wells=12, n_cells=10):
    """Three classes dealt out to wells whose features differ by plate and well alone."""
    rng = np.random.default_rng([seed, 5])
    rows, values = [], []
    for plate in range(n_plates):
        of_plate, labels = rng.normal(size=12), rng.permutation(np.resize(["a", "b", "c"], n_wells))
        for well, label in enumerate(labels):
            rows += [(f"p{plate}", f"p{plate}w{well}", label)] * n_cells
            values.append(of_plate + 0.7 * rng.normal(size=12) + rng.normal(size=(n_cells, 12)))
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    table = pd.DataFrame(np.concatenate(values), obs.index).add_prefix("feature_")
    return ms.Cells(obs, features=table, label="drug", unit="well", batch="plate")


@pytest.mark.parametrize("seed", [6100, 6101, 6102, 6103])
def test_no_well_is_suspected_where_labels_do_not_show(seed):
    # Half of all wells were called wrong where a model happened to guess worse than chance.
    found = ms.curate.find_label_errors(noise(seed))
    assert not found.attrs["recognised"] and not found["flagged"].any() and not found["atypical"].any()
    assert (found["score"] > 0.95).all() and "none of them can be said to be wrong" in found.attrs["words"]


def test_the_audit_cannot_say_that_wells_were_exchanged():
    findings, table = label_swaps(noise(6100))
    assert [f.level for f in findings] == ["untestable"] and len(table) == 48


def test_a_swap_is_still_found_where_labels_show():
    cells = noise(6100)
    table = cells.features + 2.5 * pd.get_dummies(cells.labels).to_numpy(float) @ np.eye(3, 12)
    obs = cells.obs
    a, b = (obs.loc[obs["drug"] == drug, "well"].iloc[0] for drug in "ab")
    obs.loc[obs["well"] == a, "drug"], obs.loc[obs["well"] == b, "drug"] = "b", "a"
    found = ms.curate.find_label_errors(ms.Cells(obs, features=table, label="drug", unit="well", batch="plate"))
    assert found.attrs["recognised"] and {a, b} == set(obs.loc[found["flagged"], "well"])
