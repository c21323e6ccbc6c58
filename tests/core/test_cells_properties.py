"""Whatever is done to cells, in any order: rows stay together, nothing earlier changes, what does not fit is named."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import mlscope_nb as ms

IDS = ["cell 0", "b", "ü", "04", "4", "NA", "<b>", "p1 · A01"]
FEW = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEEDS = st.integers(0, 99)


def of(ids, number):
    """A table in another order than that of the cells, each cell with the number that belongs to it."""
    return pd.DataFrame({"x": [number[i] for i in ids], "y": [-number[i] for i in ids]}, index=list(ids), dtype=float)


def pixels(ids, number, dtype="float32"):
    return np.array([number[i] for i in ids], dtype)[:, None, None, None] * np.ones((1, 2, 3, 3), dtype)


def cells_of(number):
    ids = list(number)
    return ms.Cells(
        pd.DataFrame({"n": list(number.values()), "well": [f"W{v % 3}" for v in number.values()]}, index=ids),
        pixels(ids, number), masks=pixels(ids, number, "uint8")[:, 0], channels=["DNA", "RNA"], pixel_size_um=0.5,
        compartments={"nucleus": pixels(ids, number, "uint8")[:, 1]}, features=of(ids, number), unit="well",
        embeddings={"map": of(ids, number)}, control={"well": "W0"} if 0 in {v % 3 for v in number.values()} else None,
    )  # fmt: skip


def seen(cells):
    """Everything that cells say of themselves, as plain values."""
    arrays = [cells.images, cells.masks, *(cells.compartments[k] for k in sorted(cells.compartments))]
    return (
        cells.obs.to_dict("split"), None if cells.features is None else cells.features.to_dict("split"),
        {k: v.to_dict("split") for k, v in cells.embeddings.items()}, [np.asarray(a).tolist() for a in arrays],
        cells.channels, cells.pixel_size_um, cells.design.to_dict(), cells.history,
    )  # fmt: skip


class Anything(RuleBasedStateMachine):
    """Cells in which each row carries one number in every part, and steps that may lose, mix up or change it."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.before = []

    def teardown(self):
        self.folder.cleanup()

    @initialize(n=st.integers(1, len(IDS)))
    def some_cells(self, n):
        self.number = {i: k + 1 for k, i in enumerate(IDS[:n])}
        self.cells = cells_of(self.number)
        self.columns = {"n", "well"}

    def shuffled(self, seed):
        return list(np.random.default_rng(seed).permutation(list(self.number)))

    def now(self, cells):
        if len(self.before) < 3:
            self.before.append((self.cells, seen(self.cells)))
        self.cells = cells

    @rule(seed=SEEDS, part=st.floats(0.4, 1))
    def subset(self, seed, part):
        ids = self.shuffled(seed)[: max(1, round(part * len(self.number)))]
        self.now(self.cells.subset(ids))
        self.number = {i: self.number[i] for i in ids}

    @rule(seed=SEEDS, index=st.booleans())
    def subset_by_mask(self, seed, index):
        ids = self.shuffled(seed)
        mask = pd.Series([self.number[i] != 3 for i in ids], index=ids)
        self.now(self.cells.subset(mask if index else mask[list(self.number)].to_numpy()))
        self.number = {i: v for i, v in self.number.items() if v != 3}

    @rule(limit=st.integers(0, 3), column=st.sampled_from(["n", "x"]))
    def where(self, limit, column):
        self.now(self.cells.where(f"{column} > {limit} and not well == 'none'"))
        self.number = {i: v for i, v in self.number.items() if v > limit}

    @rule(seed=SEEDS)
    def with_obs(self, seed):
        ids = self.shuffled(seed)
        self.now(self.cells.with_obs(pd.Series([self.number[i] for i in ids], index=ids, name="n")))
        self.now(self.cells.with_obs(pd.DataFrame({"more": [self.number[i] for i in ids]}, index=ids)))
        self.columns.add("more")

    @rule(seed=SEEDS, add=st.booleans())
    def with_features(self, seed, add):
        self.now(self.cells.with_features(of(self.shuffled(seed), self.number), add=add))

    @rule(seed=SEEDS, name=st.sampled_from(["map", "other map"]))
    def with_embedding(self, seed, name):
        self.now(self.cells.with_embedding(name, of(self.shuffled(seed), self.number)))

    @rule()
    def with_pictures(self):
        ids = list(self.number)
        self.now(self.cells.with_images(pixels(ids, self.number)))
        masks = pixels(ids, self.number, "uint8")[:, 0]
        self.now(self.cells.with_masks(masks, {"nucleus": masks} if len(ids) % 2 else None))

    @rule(batch=st.sampled_from([None, "well"]))
    def with_design(self, batch):
        self.now(self.cells.with_design(batch=batch, label="n"))
        assert self.cells.design.batch == (() if batch is None else ("well",)) and self.cells.design.label == "n"

    @rule()
    def save_and_load(self):
        loaded = ms.load(self.cells.save(Path(self.folder.name) / "cells.mlscope"))
        assert seen(loaded) == seen(self.cells)
        assert loaded.fingerprint == self.cells.fingerprint
        # Kept in memory, because the next one is written to the same file.
        copied = self.cells.subset(list(self.number))
        self.now(copied)

    @rule()
    def to_anndata_and_back(self):
        again = ms.Cells.from_anndata(self.cells.to_anndata())
        assert seen(again)[:5] == seen(self.cells)[:5] and again.design == self.cells.design

    @invariant()
    def every_part_has_the_rows_of_the_others(self):
        ids, values = list(self.number), list(self.number.values())
        assert list(self.cells.ids) == list(self.cells.obs.index) == ids and len(self.cells) == len(ids)
        assert self.cells.obs["n"].tolist() == values and set(self.cells.obs.columns) == self.columns
        assert self.cells.obs["well"].tolist() == [f"W{v % 3}" for v in values] == self.cells.units.tolist()
        for frame in (self.cells.features, self.cells.table(), *self.cells.embeddings.values()):
            assert list(frame.index) == ids and frame["x"].tolist() == values and (frame["y"] == -frame["x"]).all()
        for array in (self.cells.images[:, 0], self.cells.masks, self.cells.compartments["nucleus"]):
            assert array.shape == (len(ids), 3, 3) and array[:, 1, 2].tolist() == values
        batches = list(self.cells.batches(3))
        assert [i for b in batches for i in b.ids] == ids
        assert (
            [v for b in batches for v in b.images[:, 1, 0, 0]]
            == [v for b in batches for v in b.masks[:, 0, 0]]
            == values
        )
        assert [v for b in batches for v in b.compartments["nucleus"][:, 0, 0]] == values

    @invariant()
    def nothing_earlier_has_changed(self):
        for cells, looked in self.before:
            assert seen(cells) == looked


Anything.TestCase.settings = settings(FEW, max_examples=25, stateful_step_count=8)
test_any_steps_in_any_order = Anything.TestCase


@settings(FEW, max_examples=30)
@given(st.permutations(IDS), st.integers(0, 3), st.lists(st.sampled_from(["x", "y", "NaN"]), max_size=2, unique=True))
def test_a_table_that_does_not_fit_is_refused_with_all_ids_and_one_that_fits_is_not(order, n_missing, unknown):
    cells = cells_of({i: k for k, i in enumerate(IDS)})
    ids = order[n_missing:] + unknown
    table = pd.DataFrame({"x": range(len(ids)), "y": 0.0}, index=ids)
    takes = [cells.with_obs, cells.with_features, lambda t: cells.with_embedding("m", t), cells.table,
             lambda t: ms.Cells(cells.obs, features=t), lambda t: ms.Cells(cells.obs, embeddings={"m": t})]  # fmt: skip
    for take in takes:
        if not (n_missing or unknown):
            take(table)
            continue
        with pytest.raises(ValueError, match="does not fit these 8 rows") as caught:
            take(table)
        assert all(f"'{i}'" in str(caught.value) for i in (*order[:n_missing], *unknown))
        assert f"{n_missing} ids are missing" in str(caught.value) and f"{len(unknown)} are not in" in str(caught.value)
    twice = pd.concat([table, table.iloc[:1]])
    for take in takes:
        with pytest.raises(ValueError, match="more than once") as caught:
            take(twice)
        assert f"'{ids[0]}'" in str(caught.value)


@settings(FEW, max_examples=40)
@given(st.lists(st.sampled_from([*IDS, "no such"]), max_size=10))
def test_a_subset_names_every_id_that_is_not_there_or_stands_twice(ids):
    cells = cells_of({i: k for k, i in enumerate(IDS)})
    twice = {i for i in ids if ids.count(i) > 1}
    if twice:
        with pytest.raises(ValueError, match="more than once") as caught:
            cells.subset(ids)
        assert all(f"'{i}'" in str(caught.value) for i in twice)
    elif "no such" in ids:
        with pytest.raises(KeyError, match="1 id not found: 'no such'"):
            cells.subset(ids)
    else:
        assert list(cells.subset(ids).ids) == list(cells.subset(pd.Index(ids, dtype=object)).ids) == ids
