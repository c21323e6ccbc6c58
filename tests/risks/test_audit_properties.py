"""On studies drawn at random an audit answers, with figures in their intervals; copies, order, names change nothing."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from mlscope_nb.cells import Cells
from mlscope_nb.risks import audit
from mlscope_nb.risks.confounding import class_and_batch, effective_size, units_of_classes
from mlscope_nb.risks.findings import LEVELS
from mlscope_nb.risks.label_swaps import label_swaps
from mlscope_nb.risks.leakage import duplicates_of, splits_of
from mlscope_nb.risks.recognition import area, recognise
from mlscope_nb.risks.trial import Trial, trial

SHAPES = [(65, (3, 7, 3), 5, 0.0), (119, (2, 7, 4), 1, 3.0)]
"""Seed; plates, wells, cells; features; shift of a class: small studies in which copies once changed what was said."""
FEW = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # not made smaller: an audit takes a fraction of a second, and there may be hundreds
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
MANY = settings(FEW, max_examples=40)
LABELS = {"label": st.sampled_from([None, "drug", "holes", "one", "empty", "dose", "per_cell", "of_plate"])}
OTHERS = {
    "unit": st.sampled_from([None, "plate", ("plate", "well"), "well", "id"]),
    "batch": st.sampled_from([None, "plate", "same", ("plate", "well")]),
    "control": st.sampled_from([None, {"drug": "a"}, "is_control"]),
    "treatment": st.sampled_from([None, "drug"]),
}
DESIGNS = st.fixed_dictionaries(LABELS | OTHERS)
KINDS = st.sampled_from(
    ["bare", "features", "NaN", "constant", "places", "images", "tiny images", "masks", "empty masks"]
)


def table(seed, n_plates, n_wells, n_cells, classes=("a", "b", "c")):
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"{'AB'[w % 2]}{w // 2 + 1:02d}", classes[(w + p) % len(classes)])
        for p in range(n_plates) for w in range(n_wells) for _ in range(n_cells)
    ]  # fmt: skip
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i:03d}" for i in range(len(rows))])
    n = len(obs)
    return obs.assign(
        holes=obs["drug"].where(rng.random(n) < 0.6), one="x", empty=np.nan, same="s", id=obs.index,
        dose=rng.normal(size=n), per_cell=rng.choice(["a", "b"], n), of_plate="k" + obs["plate"],
        is_control=obs["drug"] == "a", exposure=rng.choice([1, 2], n), cell_count=rng.integers(0, 9, n),
    ), rng  # fmt: skip


def parts(kind, obs, rng):
    """What there is of cells beside obs."""
    n = len(obs)
    if kind in ("features", "NaN", "constant"):
        values = rng.normal(size=(n, 3))
        values[:, 1:] = {"NaN": np.nan, "constant": 7.0}.get(kind, values[:, 1:])
        return {"features": pd.DataFrame(values, obs.index, ["Cells_AreaShape_Area", "Cells_Location_Center_X", "f"])}
    if "images" in kind or "masks" in kind:
        side = 3 if kind == "tiny images" else 16
        images = rng.integers(0, 200, (n, 2, side, side)).astype("uint16")
        masks = np.zeros((n, side, side), "uint8")
        if kind == "masks":
            masks[:, 5:11, 4:10], masks[::2, :3, :3] = 1, 2
        return {"images": images} | ({"masks": masks} if "masks" in kind else {})
    return {}


def assert_sound(found, cells):
    rows = found.findings
    assert set(rows["level"]) <= set(LEVELS) and (rows["reason"].str.len() > 5).all()
    assert (rows["reason"].str[0] == rows["reason"].str[0].str.upper()).all() and not rows["reason"].str.contains(
        "  "
    ).any()
    known = rows["low"].notna() & rows["high"].notna() & rows["figure"].notna()
    assert (rows["low"][known] <= rows["figure"][known]).all() and (rows["figure"][known] <= rows["high"][known]).all()
    assert rows["p_value"].dropna().between(0, 1).all() and np.isfinite(rows["figure"].dropna()).all()
    assert (rows.loc[rows["level"].isin(["red", "amber"]), "next_step"] != "").all()
    assert not rows.duplicated(["check", "subject"]).any()
    assert list(rows["level"]) == sorted(rows["level"], key=["red", "amber", "untestable", "green"].index)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["counts"] == {level: int((rows["level"] == level).sum()) for level in LEVELS}
    assert sum(plain["counts"].values()) == len(rows) == len(plain["findings"])
    assert f"{len(cells):,} cell" in str(found) and found._repr_html_().count("<tr>") == len(rows) + 1


@MANY
@given(DESIGNS, KINDS, st.integers(0, 99), st.integers(1, 3), st.integers(1, 6), st.integers(1, 3), st.booleans())
def test_any_study_gets_an_answer(design, kind, seed, n_plates, n_wells, n_cells, placed):
    obs, rng = table(seed, n_plates, n_wells, n_cells)
    if placed or kind == "places":
        obs = obs.assign(y_px=rng.random(len(obs)), x_px=np.where(rng.random(len(obs)) < 0.3, np.nan, 5.0))
    cells = Cells(obs, **parts(kind, obs, rng), **design)
    assert_sound(audit(cells, n_permutations=199, progress=False), cells)


ROLES = ("label", "unit", "batch", "control")


def answers(cells):
    rows = audit(cells, n_permutations=199, progress=False).findings
    # Halves of the cells of a unit are drawn cell by cell; what units are worth has no end below independence.
    rows.loc[rows["check"].isin(["unit from cells", "effective sample size"]), ["figure", "low", "high"]] = np.nan
    rows["subject"] = rows["subject"].str.replace("north ", "")
    return rows.set_index(["check", "subject"]).sort_index()


def again(cells, obs, **more):
    return Cells(obs, **more, **{role: getattr(cells.design, role) for role in ROLES})


def assert_same(one, two, tolerance):
    pd.testing.assert_series_equal(one["level"], two["level"])
    numbers = ["figure", "low", "high", "p_value"]
    pd.testing.assert_frame_equal(one[numbers], two[numbers], check_dtype=False, rtol=tolerance, atol=tolerance)


@st.composite
def studies(draw, kinds=("features", "places"), fewest=2):
    """Studies with two cells or more in each well, in which one class may stand out."""
    obs, rng = table(
        draw(st.integers(0, 99)), draw(st.integers(1, 3)), draw(st.integers(2, 8)), draw(st.integers(fewest, 4))
    )
    obs = obs.drop(columns=["exposure", "cell_count"])
    kind, shift = draw(st.sampled_from(kinds)), draw(st.sampled_from([0.0, 0.0, 5.0]))
    own = (obs["drug"] == "b") * shift
    more = parts(kind, obs, rng)
    if kind == "places":
        obs = obs.assign(y_px=rng.random(len(obs)) + own, x_px=rng.random(len(obs)))
    if "features" in more:
        more["features"] = more["features"].add(own, axis=0)
    if "images" in more:
        more["images"] = (more["images"] + 30 * own.to_numpy()[:, None, None, None]).astype("uint16")
    control = draw(st.sampled_from([None, {"drug": "a"}]))
    batch = draw(st.sampled_from([None, "plate"]))
    return Cells(obs, **more, label="drug", unit=("plate", "well"), batch=batch, control=control)


@FEW
@given(studies())
def test_copies_of_all_cells_change_no_level(cells):
    twin = [f"{i} again" for i in cells.ids]
    twice = [None if t is None else pd.concat([t, t.set_axis(twin)]) for t in (cells.obs, cells.features)]
    found = [answers(cells), answers(again(cells, twice[0], features=twice[1]))]
    assert_same(*found, 1e-6)


@pytest.mark.parametrize(("seed", "shape", "n_features", "shift"), SHAPES)
def test_a_copied_cell_is_no_further_witness_that_a_unit_was_swapped(seed, shape, n_features, shift):
    obs, rng = table(seed, *shape)
    values = rng.normal(size=(len(obs), n_features)) + shift * (obs["drug"] == "b").to_numpy()[:, None]
    features = pd.DataFrame(values, obs.index, [f"AreaShape_{k}" for k in range(n_features)])
    cells = Cells(obs.drop(columns=["exposure", "cell_count"]), features=features, label="drug",
                  unit=("plate", "well"), batch="plate")  # fmt: skip
    twin = [f"{i} again" for i in cells.ids]
    twice = [pd.concat([t, t.set_axis(twin)]) for t in (cells.obs, features)]
    once, both = label_swaps(cells), label_swaps(again(cells, twice[0], features=twice[1]))
    assert [(one.subject, one.level) for one in once[0]] == [(one.subject, one.level) for one in both[0]]
    pd.testing.assert_frame_equal(once[1], both[1])


@FEW
@given(studies(kinds=("features", "places", "images", "masks")))
def test_order_of_cells_and_names_of_plates_change_no_level(cells):
    expected = answers(cells)
    rows = np.random.default_rng(1).permutation(len(cells))
    arrays = {name: None if a is None else a[rows] for name, a in (("images", cells.images), ("masks", cells.masks))}
    features = None if cells.features is None else cells.features.iloc[rows]
    assert_same(expected, answers(again(cells, cells.obs.iloc[rows], features=features, **arrays)), 1e-3)
    north = cells.obs.assign(plate="north " + cells.obs["plate"])
    arrays = {"images": cells.images, "masks": cells.masks}
    assert_same(expected, answers(again(cells, north, features=cells.features, **arrays)), 1e-6)


@MANY
@given(DESIGNS, st.integers(0, 99), st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.floats(0.3, 1))
def test_units_and_batches_of_classes_are_those_of_a_plain_loop(design, seed, n_plates, n_wells, n_cells, share):
    obs, rng = table(seed, n_plates, n_wells, n_cells)
    obs = obs[rng.random(len(obs)) < share]
    assume(len(obs))
    cells = Cells(obs.drop(columns="exposure"), **{**design, "control": None})
    labels = None if cells.design.label is None else cells.labels.dropna()
    found = {f.subject: f for f in units_of_classes(cells)}
    if labels is None or not len(labels) or not cells.design.unit:
        assert {f.level for f in found.values()} == {"untestable"}
    else:
        for name, own in labels.groupby(labels):
            n = cells.units[own.index].nunique()
            assert found[str(name)].level == ("red" if n == 1 else "amber" if n < 3 else "green")
            assert found[str(name)].figure == n and f"{n} " in found[str(name)].reason
    crossed = {f.subject: f for f in class_and_batch(cells)}
    if labels is None or labels.nunique() < 2 or not cells.design.batch or cells.batches_of[labels.index].nunique() < 2:
        assert not cells.design.batch or {f.level for f in crossed.values()} == {"untestable"}
        return
    held = labels.astype(str).groupby(cells.batches_of[labels.index]).agg(set)
    for name in set(labels.astype(str)):
        own = [held[b] for b in held.index if name in held[b]]
        mixed = sum(len(h) > 1 for h in own)
        most = max(sum(other in h for h in held) for other in set(labels.astype(str)))
        red = not mixed or (len(own) == 1 and most > 1)
        assert crossed[name].level == ("red" if red else "amber" if mixed / len(own) < 0.5 else "green")
        assert crossed[name].figure == pytest.approx(mixed / len(own))


@MANY
@given(st.integers(0, 99), st.data())
def test_a_split_is_red_exactly_where_a_unit_or_a_cell_stands_on_both_sides(seed, data):
    obs, _ = table(seed, 2, 3, 2)
    cells = Cells(obs, unit=("plate", "well"))
    sides = [
        data.draw(st.lists(st.sampled_from(list(cells.ids)), min_size=1, unique=True, max_size=4)) for _ in range(2)
    ]
    (found,) = splits_of(cells, [tuple(sides)])
    shared = set(cells.units[sides[0]]) & set(cells.units[sides[1]])
    assert found.level == ("red" if shared else "green")
    if set(sides[0]) & set(sides[1]):
        assert found.kind.startswith("L1.1") and found.figure == len(set(sides[0]) & set(sides[1]))
    elif shared:
        assert found.kind.startswith("L3.2") and found.figure == pytest.approx(len(shared) / 6)
    assert splits_of(cells, [(sides[0], [])])[0].level == "red" and splits_of(cells, [])[0].level == "red"
    with pytest.raises(ValueError, match="not there: 'stranger'"):
        splits_of(cells, [([cells.ids[0], "stranger"], [cells.ids[-1]])])


@MANY
@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=6, unique=True), st.booleans(), st.booleans()
)
def test_copies_count_where_a_split_may_part_them(pairs, declared, proposed):
    obs, _ = table(0, 2, 3, 2)
    cells = Cells(obs, unit=("plate", "well") if declared else None)
    ids = cells.ids
    listed = pd.DataFrame([(ids[a], ids[b]) for a, b in pairs if a != b], columns=["cell_a", "cell_b"])
    splits = [(ids[:6], ids[6:])] if proposed else None
    (found,), back = duplicates_of(cells, listed, splits)
    place = {i: k for k, i in enumerate(ids)}
    apart = [
        (place[a] < 6) != (place[b] < 6) if proposed else not declared or cells.units[a] != cells.units[b]
        for a, b in zip(listed["cell_a"], listed["cell_b"], strict=True)
    ]
    n = sum(apart)
    assert back is listed and found.level == ("red" if n >= 3 else "amber" if n else "green")
    counted = listed[apart] if n else listed
    assert found.figure == pytest.approx(len({*counted["cell_a"], *counted["cell_b"]}) / 12)
    assert found.kind == ("L1.4 duplicates" if n else "")


def test_pairs_of_other_cells_are_refused_by_name():
    obs, _ = table(0, 2, 3, 2)
    cells = Cells(obs, unit=("plate", "well"))
    for column in ("cell_a", "cell_b"):
        pairs = pd.DataFrame({"cell_a": ["c000"], "cell_b": ["c001"]}).assign(**{column: "stranger"})
        with pytest.raises(ValueError, match=r"1 cell not here: 'stranger'.*find_duplicates"):
            audit(cells, duplicates=pairs, progress=False)
    with pytest.raises(ValueError, match="cell_a and cell_b"):
        audit(cells, duplicates=pd.DataFrame({"a": [1]}), progress=False)


@MANY
@given(studies(), st.integers(0, 99))
def test_the_area_is_that_of_all_pairs_within_a_stratum(cells, seed):
    made = trial(cells, 19)
    assume(isinstance(made, Trial))
    score = np.random.default_rng(seed).integers(0, 5, len(made.cells)).astype(float)
    item, code = made.items, made.found.code
    for k in range(len(made.names)):
        placed = {i: [] for i in range(len(code)) if code[i] == k}
        for row in np.flatnonzero(code[item] == k):
            same = made.stratum[item] == made.stratum[item[row]]
            rest = score[same & (code[item] != k)]
            if len(rest):
                placed[item[row]].append(((rest < score[row]).sum() + (rest == score[row]).sum() / 2) / len(rest))
        means = [np.mean(values) for values in placed.values() if values]
        found = area(score, made, k)
        assert found["n_items"] == len(means)
        assert found["auroc"] == pytest.approx(np.mean(means) if means else math.nan, nan_ok=True)
        if np.isfinite(found["low"]):
            assert 0 <= found["low"] <= found["auroc"] <= found["high"] <= 1


@MANY
@given(studies(kinds=("features",)), st.integers(20, 200))
def test_p_values_are_shares_of_exchanges_and_no_smaller_than_can_be(cells, n):
    made = trial(cells, n)
    assume(isinstance(made, Trial))
    assert len(made.codes) - 1 == (made.found.n_possible if made.exact else n)
    assert (made.codes[0] == made.found.code).all() and made.exact == (made.found.n_possible <= n + 1)
    for stratum in set(made.stratum):
        here = made.codes[:, made.stratum == stratum]
        assert (np.sort(here, axis=1) == np.sort(here[0])).all()
    counts = np.bincount(made.fold)
    assert (counts[counts > 0] >= 1).all() and len(counts) <= 5 and np.ptp(counts) <= max(2, len(made.fold) // 5)
    table = recognise(cells.features.loc[made.cells.ids], made).table
    looked_at = len(made.codes) - made.exact
    for k, name in enumerate(made.names):
        row = table.loc[name]
        assert row["smallest_p"] == made.smallest_p(k) and 0 < row["smallest_p"] <= 1
        assert row["p_value"] * looked_at == pytest.approx(round(row["p_value"] * looked_at))
        assert row["p_value"] >= 1 / looked_at - 1e-12


@MANY
@given(studies(kinds=("features",)))
def test_the_worth_of_cells_lies_between_units_and_cells(cells):
    found = effective_size(cells, cells.features)
    assert found.level == "green"
    if cells.units.nunique() > 1:
        assert 1 <= found.low <= found.figure <= found.high <= len(cells) + 1e-9
    assert effective_size(cells.with_design(unit="id"), cells.features).figure == len(cells)
    assert effective_size(cells.with_design(unit=None), cells.features).level == "untestable"
