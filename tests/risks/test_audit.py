"""The audit on small studies with one thing planted, and on studies with nothing to test."""

import json

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.cells import Cells
from mlscope_nb.risks import audit
from mlscope_nb.risks.recognition import recognise
from mlscope_nb.risks.shortcuts import _Answer, _level, stands_out
from mlscope_nb.risks.simple_features import Simple
from mlscope_nb.risks.surroundings import allowed_for, reaching
from mlscope_nb.risks.trial import trial

CLASSES = ("a", "b", "c")


def wells(n_plates=3, n_wells=12, n_cells=6, seed=0, classes=CLASSES):
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(n_plates):
        drugs = rng.permutation(np.resize(classes, n_wells))
        rows += [(f"p{p}", f"{'ABC'[w // 4]}{w % 4 + 1:02d}", drugs[w]) for w in range(n_wells) for _ in range(n_cells)]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i:04d}" for i in range(len(rows))])
    return obs, rng


def study(obs, images=None, **more):
    roles = {"label": "drug", "unit": ("plate", "well"), "batch": "plate", **more}
    return Cells(obs, images, **roles)


def pictures(obs, rng, size=24):
    """Round cells of one kind on a grey background, with masks."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    radius = 6 * rng.lognormal(0, 0.08, len(obs))
    inside = np.hypot(y, x)[None] < radius[:, None, None]
    speckle = np.repeat(np.repeat(rng.random((len(obs), size // 4, size // 4)), 4, axis=1), 4, axis=2)
    images = 100 + inside * (200 + 150 * speckle) + rng.normal(0, 5, (len(obs), size, size))
    return images[:, None], inside.astype(np.uint8)


def levels(found, check):
    part = found.findings[found.findings["check"] == check]
    return dict(zip(part["subject"], part["level"], strict=True))


def test_place_in_the_field_is_red_for_its_class_and_no_other():
    obs, rng = wells()
    y, x = rng.random((2, len(obs))) * 1000
    y[obs["drug"] == "b"] = 1000 * np.sqrt(rng.random((obs["drug"] == "b").sum()))
    y[obs["drug"] == "b"] = np.maximum(y[obs["drug"] == "b"], 500)
    found = audit(study(obs.assign(y_px=y, x_px=x)), progress=False)
    assert levels(found, "position in the field") == {"a": "green", "b": "red", "c": "green"}
    assert found.findings["reason"].str.startswith("Its place (y_px and x_px) alone tells 'b'").any()


def test_clean_tables_have_no_red_and_say_what_they_are():
    obs, rng = wells(seed=1)
    table = pd.DataFrame(rng.normal(size=(len(obs), 6)), index=obs.index).add_prefix("f")
    found = audit(
        study(obs.assign(y_px=rng.random(len(obs)), x_px=rng.random(len(obs))), features=table), progress=False
    )
    assert found.count("red") == 0
    assert levels(found, "border pixels") == {"all": "untestable"}
    assert set(levels(found, "units").values()) == {"green"}


def test_a_mark_in_the_background_is_red_for_its_class_and_no_other():
    obs, rng = wells(n_cells=5, seed=2)
    images, masks = pictures(obs, rng, size=32)
    marked = (obs["drug"] == "c").to_numpy() & (rng.random(len(obs)) < 0.9)
    images[marked, 0, -5:-2, 2:6] += 40
    found = audit(study(obs, images, masks=masks), progress=False)
    assert levels(found, "background") == {"a": "green", "b": "green", "c": "red"}
    bare = audit(study(obs, images), progress=False)
    assert levels(bare, "background")["c"] == "red"
    assert levels(bare, "background")["a"] != "red"


def test_size_alone_is_amber_and_its_light_no_shortcut():
    obs, rng = wells(n_cells=5, seed=3)
    images, masks = pictures(obs, rng)
    y, x = np.indices(images.shape[2:]) - 11.5
    large = (obs["drug"] == "a").to_numpy()
    bigger = np.broadcast_to(np.hypot(y, x) < 8, (large.sum(), *images.shape[2:]))
    images[large, 0] = 100 + bigger * 270 + rng.normal(0, 5, bigger.shape)
    masks[large] = bigger
    found = audit(study(obs, images, masks=masks), progress=False)
    assert levels(found, "size")["a"] == "amber"
    assert "red" not in levels(found, "background").values()
    assert "red" not in levels(found, "border pixels").values()


def test_copies_across_wells_are_red_with_their_kind_and_wells():
    obs, rng = wells(n_plates=2, n_wells=6, n_cells=8, seed=4)
    images, masks = pictures(obs, rng, size=32)
    images += np.repeat(np.repeat(rng.random((len(obs), 1, 8, 8)) * 60, 4, axis=2), 4, axis=3)
    images[50:54] = images[:4, :, :, ::-1]
    found = audit(study(obs, images, masks=masks), progress=False)
    row = found.findings[found.findings["check"] == "duplicates"].iloc[0]
    assert (row["level"], row["kind"]) == ("red", "L1.4 duplicates")
    assert "4 pairs" in row["reason"] and "flipped" in row["reason"]
    across = found.details["duplicates"].query("other_unit")
    assert list(zip(across["cell_a"], across["cell_b"], strict=True)) == [
        (f"c{k:04d}", f"c{k + 50:04d}") for k in range(4)
    ]


@pytest.mark.parametrize(
    ("unexplained", "level"),
    [
        ([0.0, 0.001, 0.002], "red"),
        ([0.0, 0.001, 0.009], "amber"),
        ([0.008, 0.009, 0.009], "amber"),
        ([0.0], "amber"),
        ([0.009, 0.009], "green"),
    ],
)
def test_look_alikes_near_the_limit_do_not_count_for_red(unexplained, level):
    obs, _ = wells(n_plates=1, n_wells=6, n_cells=2)
    n = len(unexplained)
    pairs = pd.DataFrame({"cell_a": obs.index[:n], "cell_b": obs.index[6 : 6 + n], "unexplained": unexplained})
    pairs.attrs["limit"] = 0.01
    found = audit(study(obs), duplicates=pairs, progress=False)
    row = found.findings.query("check == 'duplicates'").iloc[0]
    assert row["level"] == level
    assert ("side by side" in row["next_step"]) == (max(unexplained) > 0.005)


def test_a_class_on_one_plate_is_not_identifiable():
    obs, _ = wells()
    alone = obs[(obs["drug"] != "c") | (obs["plate"] == "p1")]
    found = audit(study(alone), progress=False)
    assert levels(found, "class and batch") == {"a": "green", "b": "green", "c": "red"}
    nested = obs.assign(drug=obs["plate"].map({"p0": "a", "p1": "b", "p2": "c"}))
    row = audit(study(nested), progress=False).findings.query("check == 'class and batch'")
    assert set(row["level"]) == {"red"} and row["reason"].str.startswith("Not identifiable").all()


def test_a_batch_that_nobody_declared_is_found_and_a_field_is_none():
    obs, _ = wells(n_plates=1, n_cells=8)
    field = obs["well"] + "-" + (np.arange(len(obs)) % 2).astype(str)
    cells = study(obs.assign(field_id=field, site=np.arange(len(obs)) % 2), batch=None, unit="well")
    assert levels(audit(cells, progress=False), "class and batch") == {"all": "untestable"}
    days = obs.assign(
        day=obs["drug"].map({"a": "1", "b": "1", "c": "2"}), run=obs["drug"].map({"a": 1, "b": 2, "c": 1})
    )
    row = audit(study(days, batch=None, unit="well"), progress=False).findings.query("check == 'class and batch'")
    assert set(row["subject"]) == {"a", "b", "c"} and set(row["level"]) == {"red"}
    assert row["reason"].str.startswith("Not identifiable").all()


def test_splits_that_share_units_are_named():
    obs, _ = wells()
    cells = study(obs)
    found = audit(cells, splits=[(cells.ids[::2], cells.ids[1::2])], progress=False)
    row = found.findings.query("check == 'split'").iloc[0]
    assert row["level"] == "red" and row["kind"].startswith("L3.2")


def test_selection_on_all_data_is_named():
    obs, rng = wells()
    table = pd.DataFrame(rng.normal(size=(len(obs), 3)), index=obs.index, columns=["x", "y", "z"])
    table.attrs["history"] = [{"step": "select", "n_features": 3, "n_before": 9}]
    cells = study(obs).with_features(table)
    row = audit(cells, progress=False).findings.query("check == 'preprocessing'").iloc[0]
    assert row["level"] == "amber" and row["kind"].startswith("L1.3")


def test_a_gradient_along_the_plate_is_found():
    obs, rng = wells(n_plates=4, n_wells=12, seed=5)
    column = obs["well"].str[1:].astype(int).to_numpy()
    shine = 100 * (1 + 0.15 * column) * rng.lognormal(0, 0.05, len(obs))
    table = pd.DataFrame({"Cells_Intensity_MeanIntensity_DNA": shine}, index=obs.index)
    found = audit(study(obs, features=table), progress=False)
    assert levels(found, "layout") == {"all plates": "amber"}
    flat = pd.DataFrame({"Cells_Intensity_MeanIntensity_DNA": 100 * rng.lognormal(0, 0.05, len(obs))}, index=obs.index)
    assert levels(audit(study(obs, features=flat), progress=False), "layout") == {"all": "green"}


def test_exchanged_wells_are_named():
    obs, rng = wells(n_plates=4, seed=6)
    means = obs["drug"].map({"a": 0.0, "b": 5.0, "c": 10.0}).to_numpy()
    table = pd.DataFrame({f"f{k}": means * (k < 2) + rng.normal(size=len(obs)) for k in range(4)}, index=obs.index)
    given = obs.copy()
    a = obs.query("drug == 'a' and plate == 'p1'")["well"].iloc[0]
    b = obs.query("drug == 'c' and plate == 'p1'")["well"].iloc[0]
    for well, drug in ((a, "c"), (b, "a")):
        given.loc[(obs["plate"] == "p1") & (obs["well"] == well), "drug"] = drug
    found = levels(audit(study(given, features=table), progress=False), "swapped units")
    assert found == {f"p1 · {a}": "amber", f"p1 · {b}": "amber"}


@pytest.mark.parametrize(
    "design",
    [
        {},
        {"label": "drug"},
        {"unit": "well"},
        {"label": "one", "unit": ("plate", "well"), "batch": "plate"},
        {"label": "drug", "unit": ("plate", "well"), "batch": "same"},
        {"label": "holes", "unit": "plate", "batch": "plate"},
        {"label": "empty", "unit": ("plate", "well")},
        {"label": "drug", "unit": "id"},
    ],
)
@pytest.mark.parametrize("kind", ["bare", "features", "images"])
def test_nothing_breaks_where_nothing_can_be_tested(design, kind):
    obs, rng = wells(n_plates=2, n_wells=4, n_cells=3)
    holes = obs["drug"].where(rng.random(len(obs)) < 0.7)
    obs = obs.assign(one="x", same="p", holes=holes, empty=np.nan, id=obs.index)
    more = {}
    if kind == "features":
        table = pd.DataFrame(rng.normal(size=(len(obs), 3)), index=obs.index, columns=["u", "v", "w"])
        table.iloc[::3, 0], table["v"] = np.nan, np.nan
        more["features"] = table
    if kind == "images":
        more["images"] = rng.integers(0, 9, (len(obs), 1, 20, 20)).astype("uint8")
    found = audit(Cells(obs, **more, **design), progress=False)
    assert (found.findings["reason"].str.len() > 5).all()
    assert json.loads(json.dumps(found.to_dict()))["counts"]["untestable"] > 0


def test_no_cells_and_wrong_calls():
    empty = Cells(pd.DataFrame({"drug": [], "well": []}), label="drug", unit="well")
    assert audit(empty, progress=False).count("red") == 0
    with pytest.raises(TypeError, match="Expected Cells"):
        audit(pd.DataFrame())
    with pytest.raises(ValueError, match="at least 199"):
        audit(empty, n_permutations=20)


def test_text_of_others_is_escaped():
    obs, _ = wells()
    found = audit(study(obs.replace({"drug": {"c": "<script>x</script>"}})), progress=False)
    page = found._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<script>" not in page.replace("&lt;script&gt;", "")


def test_without_units_only_a_class_far_from_all_others_is_red():
    rng = np.random.default_rng(7)
    n, classes = 30, [f"k{i}" for i in range(6)]
    obs = pd.DataFrame({"drug": np.repeat(classes, n)}, index=[f"c{i:03d}" for i in range(6 * n)])
    images, _ = pictures(obs, rng)
    images += rng.normal(0, 4, (len(obs), 1, 1, 1)) + np.repeat(rng.normal(0, 3, 6), n)[:, None, None, None]
    images[(obs["drug"] == "k2").to_numpy()] += 60
    found = audit(Cells(obs, images, label="drug"), progress=False)
    border = levels(found, "border pixels")
    assert border["k2"] == "red" and list(border.values()).count("red") == 1
    row = found.findings.query("check == 'border pixels' and subject == 'k2'").iloc[0]
    assert "No unit is declared" in row["reason"]


def test_standing_out_needs_company():
    assert not stands_out({"a": 0.99, "b": 0.6}, "a")
    assert stands_out({"a": 0.999, "b": 0.6, "c": 0.7, "d": 0.65}, "a")


@pytest.mark.parametrize(
    ("smallest", "p_value", "level"), [(0.002, 0.02, "amber"), (0.002, 0.01, "red"), (0.02, 0.02, "red")]
)
def test_red_needs_a_smaller_p_where_the_design_allows_it(smallest, p_value, level):
    obs, _ = wells()
    place = Simple("position in the field", "red", None, "place")
    answer = _Answer(place, "place", "a", 0.8, 0.7, 0.9, p_value, smallest, 12)
    assert _level(answer, p_value, [answer], trial(study(obs), 199))[0] == level


@pytest.mark.parametrize(("auroc", "level"), [(0.69, "green"), (0.71, "amber")])
def test_one_number_suffices_from_an_acceptable_discrimination_on(auroc, level):
    obs, _ = wells()
    answer = _Answer(Simple("size", "amber", None, "area"), "area", "a", auroc, 0.65, 0.75, 0.002, 0.002, 12)
    assert _level(answer, 0.002, [answer], trial(study(obs), 199))[0] == level


def test_p_values_of_meaningless_tables_are_uniform_enough():
    obs, rng = wells(n_plates=3, n_wells=12, n_cells=2)
    made = trial(study(obs), 99)
    smallest = []
    for _ in range(60):
        unit = pd.Series(rng.normal(size=36), obs.drop_duplicates(["plate", "well"]).index)
        shared = unit.groupby(level=0).first().reindex(obs.index).ffill()
        table = pd.DataFrame({"x": shared + rng.normal(size=len(obs))}, index=obs.index)
        smallest.append(recognise(table, made).table["p_value"].min())
    # At most 5 % of 60 are expected at 0.05; 9 would be reached in fewer than 1 of 300 such tests.
    assert (np.array(smallest) <= 0.05).sum() <= 8


def test_the_trial_of_few_units_says_what_it_cannot_show():
    obs = pd.DataFrame({"well": list("AABBCCDD"), "drug": list("xxyyxxyy")}, index=list("abcdefgh"))
    made = trial(Cells(obs, unit="well", label="drug"), 199)
    assert made.exact and made.smallest_p(0) == pytest.approx(1 / 3)
    assert isinstance(trial(Cells(obs, unit="drug", label="drug"), 199), str)


def test_allowing_for_the_cell_leaves_what_sets_units_apart():
    rng = np.random.default_rng(0)
    unit = pd.Series(np.repeat(list("AB"), 200))
    light = pd.DataFrame({"light": rng.normal(size=400) + 2 * (unit == "B")})
    table = pd.DataFrame({"glow": 0.5 * light["light"] + 3 * (unit == "B") + rng.normal(0, 0.1, 400)})
    left = allowed_for(table, light, unit)["glow"]
    assert left[unit == "B"].mean() - left[unit == "A"].mean() == pytest.approx(3, abs=0.1)
    assert abs(np.corrcoef(left[unit == "A"], light["light"][unit == "A"])[0, 1]) < 0.2


def test_what_reaches_into_the_middle_is_the_cell_and_a_mark_is_not():
    image = np.random.default_rng(0).normal(50, 2, (1, 1, 32, 32)).astype(np.float32)
    image[0, 0, 10:22, :] += 100
    image[0, 0, 28:31, 1:4] += 100
    found = reaching(image)[0]
    assert found[11:21, :].all() and not found[28:31, 1:4].any()
