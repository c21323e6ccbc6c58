"""What a design cannot tell apart is said in plain words."""

import json

import numpy as np
import pandas as pd

from mlscope_nb import study


def test_crossed_design_has_nothing_to_say(make):
    found = study.describe(make())
    assert found.relation == "crossed" and found.findings == [] and found.same == []
    assert found.units_per_class == {"a": 12, "b": 12}
    assert found.table.loc["a"].tolist() == [3, 3, 3, 3]
    assert str(found).endswith("in 24 units (units per class: a: 12, b: 12).")
    json.dumps(found.to_dict())


def test_fly_like_design_says_position_condition_and_batch_are_the_same(make):
    cells = make(n_batches=3, units=1, cells=50)
    obs = cells.obs.assign(
        condition=cells.obs["plate"].map({"p0": "x", "p1": "y", "p2": "z"}), position=cells.obs["plate"]
    )
    fly = cells.with_obs(obs).with_design(unit="position", batch="position", label="condition")
    found = study.describe(fly)
    assert found.same == [["unit", "batch", "label"]] and found.relation == "nested"
    assert "one and the same here" in found.findings[0] and "between positions" in found.findings[0]
    assert any("Too few positions for an interval" in words for words in found.findings)
    assert sum("one class" in words for words in found.findings) == 0


def test_nested_partly_crossed_and_single_batches(make):
    cells = make(n_batches=4, units=4)
    nested = pd.Series(np.where(cells.batches_of < "p2", "a", "b"), cells.ids, name="drug")
    found = study.describe(cells.with_obs(nested))
    assert found.relation == "nested" and "their 4 batches" in found.findings[-1]
    partly = cells.labels.where(cells.batches_of != "p0", "a")
    assert study.describe(cells.with_obs(partly)).relation == "partly crossed"
    assert study.describe(make(n_batches=1)).relation == "one batch"
    assert study.describe(cells.with_design(batch=None)).relation == "not declared"


def test_same_well_names_on_plates_are_noticed(make):
    found = study.describe(make(unit="well"))
    assert "6 wells in several batches ('w0', 'w1', 'w2' and 3 more)" in found.findings[0]
    assert "declare unit=(batch, well)" in found.findings[0]


def test_labels_missing_single_or_not_declared(make):
    cells = make()
    assert "No label is declared." in study.describe(cells.with_design(label=None)).findings
    some = cells.labels.where(cells.ids > cells.ids[9])
    assert "10 cells without a label." in study.describe(cells.with_obs(some)).findings
    none = pd.Series(np.nan, cells.ids, name="drug")
    assert "No cell has a label." in study.describe(cells.with_obs(none)).findings
    assert "Only one class: 'a'" in str(study.describe(make(classes=("a",))))


def test_profiles_and_treatment(make):
    cells = make(n_batches=1, units=4, cells=1, uneven=False, unit="well")
    profiles = cells.subset(cells.ids)
    found = study.describe(profiles.with_design(treatment="well", label=None))
    assert ["unit", "treatment"] in found.same
    assert any("Each row is a well of its own" in words for words in found.findings)
