"""On designs drawn at random: what a copy, another order, another name and another scale may and may not change."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlscope_nb import study
from mlscope_nb.cells import Cells

FEW = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
ROLES = ("label", "unit", "batch", "control", "treatment")


@st.composite
def studies(draw):
    """Up to 4 plates of up to 6 wells: labels of wells, of plates or of cells, some missing; numbers, some missing."""
    level = draw(st.sampled_from(["well", "well", "plate", "cell"]))
    classes = draw(st.sampled_from([("a", "b"), ("a", "b", None), ("a", "b", "c"), ("a",)]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = []
    for plate in range(draw(st.integers(1, 4))):
        of_plate, light = rng.choice(len(classes)), rng.normal()
        for well in range(draw(st.integers(1, 6))):
            of_well, shine = rng.choice(len(classes)), light + rng.normal()
            for _ in range(int(rng.integers(1, 5))):
                code = {"plate": of_plate, "well": of_well, "cell": rng.choice(len(classes))}[level]
                size = np.nan if rng.random() < 0.1 else shine + rng.normal()
                rows.append((f"p{plate}", f"W{well}", classes[code], size))
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug", "size"])
    obs.index = [f"c{i}" for i in rng.permutation(len(obs))]
    batch = draw(st.sampled_from(["plate", "plate", None]))
    return Cells(obs.drop(columns="size"), features=obs[["size"]], unit=("plate", "well"), batch=batch, label="drug")


def again(cells, obs=None, features=None):
    """The same study with another table."""
    roles = {role: getattr(cells.design, role) for role in ROLES}
    return Cells(cells.obs if obs is None else obs, features=cells.features if features is None else features, **roles)


def doubled(cells):
    twin = [f"{i} again" for i in cells.ids]
    return again(cells, *(pd.concat([t, t.set_axis(twin)]) for t in (cells.obs, cells.features)))


def shuffled(cells):
    return cells.subset(np.random.default_rng(1).permutation(cells.ids))


def renamed(cells):
    """Plates and wells under other names that come in another order."""
    obs = cells.obs
    return again(
        cells, obs.assign(plate=obs["plate"].map(lambda p: f"z{9 - int(p[1:])}"), well="w" + obs["well"].str[::-1])
    )


def renamed_in_order(cells):
    return again(cells, cells.obs.assign(plate="x" + cells.obs["plate"]))


def told(result):
    """What it says in numbers; of designs that allow no answer that it was refused."""
    shown = result.to_dict()
    return {k: np.nan if v is None else v for k, v in shown.items() if v is None or isinstance(v, int | float)}


CERTAIN = {
    "t": lambda c: study.t_interval("size", c),
    "difference": lambda c: study.difference_interval("size", c, between=("a", "b")),
    "difference, no batch": lambda c: study.difference_interval("size", c, between=("a", "b"), within=None),
    "exact": lambda c: study.permutation_test("size", c, n=500) if study.blocks(c).n_possible <= 501 else None,
}
SEEDED = {
    "studentized": lambda c: study.bootstrap_interval("size", c, n_resamples=100),
    "median": lambda c: study.bootstrap_interval("size", c, "median", n_resamples=100),
    "bca": lambda c: study.bootstrap_interval("size", c, method="bca", n_resamples=100),
    "drawn": lambda c: study.permutation_test("size", c, n=19),
    "drawn, no batch": lambda c: study.permutation_test("size", c, n=19, within=None),
}


def answers(cells, which):
    found = {}
    for name, ask in which.items():
        try:
            result = ask(cells)
        except ValueError as error:
            found[name] = str(error)[:12]
        else:
            found[name] = None if result is None else told(result)
    return found


def assert_same(one, two):
    assert one.keys() == two.keys()
    for name, values in one.items():
        if isinstance(values, dict):
            assert values == pytest.approx(two[name], rel=1e-9, abs=1e-9, nan_ok=True), name
        else:
            assert values == two[name], name


@FEW
@given(studies())
def test_copies_and_order_and_names_in_order_change_no_answer(cells):
    expected = answers(cells, CERTAIN | SEEDED)
    for other in (doubled(cells), shuffled(cells), renamed_in_order(cells)):
        assert_same(expected, answers(other, CERTAIN | SEEDED))


@FEW
@given(studies())
def test_other_names_change_no_answer_that_is_not_drawn(cells):
    assert_same(answers(cells, CERTAIN), answers(renamed(cells), CERTAIN))
    one, two = study.describe(cells), study.describe(renamed(cells))
    assert (one.relation, one.units_per_class, one.same) == (two.relation, two.units_per_class, two.same)
    assert sorted(one.table.to_numpy().sum(axis=0)) == sorted(two.table.to_numpy().sum(axis=0))
    assert told(study.effective_n("size", cells)) == pytest.approx(
        told(study.effective_n("size", renamed(cells))), nan_ok=True
    )


@FEW
@given(studies(), st.floats(0.5, 20), st.floats(-50, 50))
def test_another_scale_changes_estimates_alike_and_no_p_value(cells, factor, offset):
    other = again(cells, features=cells.features * factor + offset)
    for name, ask in (CERTAIN | SEEDED).items():
        try:
            one = ask(cells)
        except ValueError:
            with pytest.raises(ValueError, match=r"\w"):
                ask(other)
            continue
        two = ask(other)
        if isinstance(one, study.Interval):
            shift = 0 if name.startswith("difference") else offset
            ends = [[i.estimate, i.low, i.high] for i in (one, two)]
            assert np.array(ends[0]) * factor + shift == pytest.approx(np.array(ends[1]), abs=1e-6, nan_ok=True), name
            assert (one.n_units, one.note == "") == (two.n_units, two.note == "")
        elif one is not None:
            assert (one.p_value, one.smallest_p, one.exact) == (two.p_value, two.smallest_p, two.exact), name


@FEW
@given(studies())
def test_intervals_hold_their_estimate_grow_with_the_level_and_turn_with_the_classes(cells):
    n_units = cells.units[cells.features["size"].notna()].nunique()
    for ask in (study.t_interval, study.bootstrap_interval):
        narrow, wide = (ask("size", cells, level=level) for level in (0.8, 0.99))
        assert narrow.n_units == wide.n_units == n_units and narrow.known == (n_units >= study.MIN_UNITS)
        if narrow.known:
            assert wide.low <= narrow.low <= narrow.estimate <= narrow.high <= wide.high
            assert not narrow.excludes(narrow.estimate) and narrow.excludes(narrow.high + 1)
    labelled = set(cells.labels[cells.features["size"].notna()].dropna())
    if labelled >= {"a", "b"}:
        one, two = (study.difference_interval("size", cells, between=pair) for pair in (("a", "b"), ("b", "a")))
        mirrored = [-two.estimate, -two.high, -two.low]
        assert [one.estimate, one.low, one.high] == pytest.approx(mirrored, nan_ok=True)
        assert one.known == (one.note == "" or "too few" not in one.note)
    else:
        with pytest.raises(ValueError, match="labelled"):
            study.difference_interval("size", cells, between=("a", "b"))


@FEW
@given(studies(), st.sampled_from(["design", None]))
def test_exchanged_labels_keep_units_whole_and_counts_in_each_stratum(cells, within):
    assume(cells.labels.notna().any())
    found = study.blocks(cells, within=within)
    labels, units = cells.labels, cells.units
    inside = {"units within batch": cells.obs["plate"], "classes within unit": units}.get(found.scheme)
    group = pd.Series("all", cells.ids) if inside is None else inside
    # What carries a label together: the class of a unit where labels vary in units, else the unit or the whole batch.
    carrier = {"classes within unit": units + " " + labels, "batches": cells.obs["plate"]}.get(found.scheme, units)

    def counted(now):
        firsts = pd.DataFrame({"g": group, "i": carrier, "l": now})[labels.notna()].drop_duplicates("i")
        return Counter(zip(firsts["g"], firsts["l"], strict=True))

    for now in study.permute_labels(cells, 5, within=within):
        assert now.index.equals(cells.ids) and (now.isna() == labels.isna()).all()
        assert (now[labels.notna()].groupby(carrier[labels.notna()]).nunique() == 1).all()
        assert counted(now) == counted(labels)
    if found.n_possible <= 500:
        every = found.all_codes()
        assert len({tuple(row) for row in every}) == len(every) == found.n_possible
        assert tuple(found.code) in {tuple(row) for row in every}
        drawn = {tuple(row) for row in found.codes(200, np.random.default_rng(0))}
        assert drawn <= {tuple(row) for row in every} and len(drawn) >= min(found.n_possible, 3)


@FEW
@given(studies())
def test_p_values_are_shares_of_exchanges(cells):
    assume(cells.labels[cells.features["size"].notna()].nunique() > 1)
    for n in (19, 500):
        test = study.permutation_test("size", cells, n=n)
        possible = study.blocks(cells, labels=cells.labels.where(cells.features["size"].notna())).n_possible
        assert test.n_possible == possible and test.exact == (possible <= n + 1)
        looked_at = possible if test.exact else n + 1
        assert test.n_permutations == looked_at - 1
        assert 1 / looked_at - 1e-12 <= test.smallest_p <= test.p_value + 1e-12 <= 1 + 2e-12
        assert round(test.p_value * looked_at, 6) == round(test.p_value * looked_at)
        assert test.testable == (test.smallest_p <= 0.05) and str(test).startswith(
            "p = " if test.testable else "untest"
        )


@FEW
@given(studies(), st.sampled_from([None, "batch", "plate"]))
def test_each_group_is_held_out_once_with_all_its_cells(cells, by):
    by = None if by == "batch" and not cells.design.batch else by
    groups = study.groups(cells, by)
    if groups.nunique() < 2:
        with pytest.raises(ValueError, match="cannot be both trained and tested on"):
            study.leave_one_out(cells, by)
        return
    parts = study.leave_one_out(cells, by)
    assert [part.held_out for part in parts] == [(g,) for g in sorted(groups.unique())]
    for part in parts:
        assert list(part.test_ids) == list(groups.index[groups == part.held_out[0]])
        assert sorted([*part.train_ids, *part.test_ids]) == sorted(cells.ids)
    study.check_split(cells, parts)
    n = min(3, groups.nunique())
    dealt = study.split(cells, by, n, stratify=False)
    held = [len(part.held_out) for part in dealt]
    assert sum(held) == groups.nunique() and max(held) - min(held) <= 1
    for part in dealt:
        assert set(part.held_out) == set(groups[part.test_ids])


@FEW
@given(studies(), st.integers(0, 3))
def test_each_class_is_spread_over_parts_as_evenly_as_whole_units_allow(cells, seed):
    labels = cells.labels
    per_unit = labels.dropna().groupby(cells.units).agg(["first", "nunique"])
    assume(len(per_unit) >= 3 and (per_unit["nunique"] == 1).all())
    parts = study.split(cells, n_splits=3, seed=seed)
    held = pd.DataFrame([per_unit["first"].reindex(part.held_out).value_counts() for part in parts]).fillna(0)
    assert (held.max() - held.min() <= 1).all()


@FEW
@given(studies())
def test_unit_means_and_effective_n_are_those_of_a_plain_loop(cells):
    means = study.unit_means("size", cells)
    size = cells.features["size"].to_numpy()
    for unit in set(cells.units):
        own = size[(cells.units == unit).to_numpy() & ~np.isnan(size)]
        assert means[unit] == pytest.approx(own.mean()) if len(own) else unit not in means.index
    assert means.index.is_monotonic_increasing and means.name == "mean"
    worth = study.effective_n("size", cells)
    assert worth.n_cells == (~np.isnan(size)).sum() and worth.n_units == len(means)
    if np.isfinite(worth.icc):
        assert worth.icc <= 1 + 1e-12 and 1 <= worth.n_effective <= worth.n_cells + 1e-9
        assert worth.design_effect == pytest.approx(worth.n_cells / worth.n_effective)
        assert study.effective_n("size", doubled(cells)).icc > worth.icc - 1e-12


@FEW
@given(studies())
def test_describe_counts_what_a_plain_loop_counts(cells):
    found = study.describe(cells)
    frame = pd.DataFrame({"u": cells.units, "l": cells.labels, "b": cells.obs["plate"]}).dropna()
    assert found.units_per_class == {k: len({u for u, m in zip(frame["u"], frame["l"], strict=True) if m == k})
                                     for k in sorted(set(frame["l"]))}  # fmt: skip
    assert (found.n_cells, found.n_units) == (len(cells), cells.units.nunique())
    per_batch = [set(frame["l"][frame["b"] == b]) for b in sorted(set(frame["b"]))]
    if not cells.design.batch:
        expected = "not declared"
    elif len(per_batch) < 2:
        expected = "one batch"
    elif all(held == set(frame["l"]) for held in per_batch):
        expected = "crossed"
    else:
        expected = "nested" if all(len(held) == 1 for held in per_batch) else "partly crossed"
    assert found.relation == expected
