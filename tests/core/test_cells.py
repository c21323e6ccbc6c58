"""Cells stay aligned, never change, and refuse what does not fit by name."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlscope_nb as ms
from mlscope_nb.cells import table


@pytest.fixture
def cells():
    obs = pd.DataFrame(
        {"plate": list("ppqq"), "well": ["A01", "A02", "A01", "A02"], "drug": ["DMSO", "x", "DMSO", "x"]},
        index=list("abcd"),
    )
    images = np.arange(4 * 2 * 8 * 8, dtype=np.uint16).reshape(4, 2, 8, 8)
    return ms.Cells(
        obs, images, masks=np.ones((4, 8, 8), np.uint8), unit=("plate", "well"), batch="plate", label="drug",
        control={"drug": "DMSO"}, channels=["DNA", "RNA"],
        features=pd.DataFrame({"area": [1.0, 2, 3, np.nan], "size": [1, 2, 3, 4]}, index=list("abcd")),
    )  # fmt: skip


def test_design_is_resolved(cells):
    assert cells.units.tolist() == ["p · A01", "p · A02", "q · A01", "q · A02"]
    assert cells.batches_of.tolist() == list("ppqq")
    assert cells.controls.tolist() == [True, False, True, False]
    assert cells.labels.tolist() == ["DMSO", "x", "DMSO", "x"]


def test_nothing_can_be_changed(cells):
    obs, features = cells.obs, cells.features
    with pytest.raises(AttributeError, match="cannot be changed"):
        cells.images = None
    with pytest.raises(ValueError, match="read-only"):
        cells.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        features.iloc[0, 0] = 5
    obs.loc["a", "drug"] = "changed"
    features["new"] = 1
    cells.embeddings["new"] = 1
    assert cells.obs.loc["a", "drug"] == "DMSO" and "new" not in cells.features and not cells.embeddings


def test_what_is_handed_out_changes_nothing(cells):
    cells = cells.with_masks(cells.masks, {"nucleus": cells.masks}).with_embedding("m", cells.table())
    with pytest.raises(TypeError, match="item assignment"):
        cells.compartments["evil"] = 1
    with pytest.raises(TypeError, match="item assignment"):
        cells.design.control["drug"] = "x"
    before = json.dumps(cells.history)
    cells.history[0]["step"] = "changed"
    cells.ids.name = "zz"
    for frame in (cells.features, cells.embeddings["m"], cells.table(), cells.table("m"), cells.obs):
        frame.index.name = frame.columns.name = "zz"
    assert json.dumps(cells.history) == before and cells.history[0] == {"step": "with_masks"}
    names = (cells.ids.name, cells.features.index.name, cells.features.columns.name, cells.table("m").index.name)
    assert names == ("cell_id", "cell_id", None, "cell_id")
    assert cells.controls.tolist() == [True, False, True, False]


def test_what_was_handed_in_can_be_changed_afterwards():
    history, control = [{"step": "made", "of": ["a"]}], {"drug": ["DMSO"]}
    cells = ms.Cells(pd.DataFrame({"drug": ["DMSO", "x"]}), history=history, control=control)
    history[0]["of"].append("b")
    control["drug"].append("x")
    cells.history[0]["of"].append("c")
    assert cells.history[0]["of"] == ["a"] and cells.controls.tolist() == [True, False]


def test_the_design_is_plain_where_it_is_written(cells):
    plain = cells.with_design(control={"drug": ["DMSO", "x"]}).design.to_dict()
    assert plain["control"] == {"drug": ["DMSO", "x"]} and type(plain["control"]) is dict
    assert json.loads(json.dumps(plain))["unit"] == ["plate", "well"]
    assert copy.deepcopy(cells.design) == cells.design and cells.design.control == {"drug": "DMSO"}


def test_copies_are_the_cells_themselves(cells):
    assert copy.copy(cells) is cells and copy.deepcopy([cells])[0] is cells


def test_the_callers_arrays_are_not_locked():
    images, features = np.zeros((2, 1, 4, 4)), pd.DataFrame({"a": [1.0, 2.0]})
    ms.Cells(pd.DataFrame({"p": [1, 2]}), images, features=features)
    images[0] = 1
    features.iloc[0, 0] = 9


@settings(deadline=None)
@given(st.permutations(list("abcd")), st.integers(0, 4))
def test_subset_keeps_rows_together_in_the_order_asked_for(order, n):
    ids = list("abcd")
    images = np.arange(4)[:, None, None, None] * np.ones((4, 1, 2, 2), np.uint8)
    cells = ms.Cells(
        pd.DataFrame({"n": range(4)}, index=ids), images, masks=images[:, 0],
        features=pd.DataFrame({"f": range(4)}, index=ids),
        embeddings={"m": pd.DataFrame({"x": range(4), "y": range(4)}, index=ids)},
    )  # fmt: skip
    part = cells.subset(order[:n])
    expected = [ids.index(i) for i in order[:n]]
    assert list(part.ids) == order[:n] and part.obs["n"].tolist() == expected
    assert part.images[:, 0, 0, 0].tolist() == part.masks[:, 0, 0].tolist() == expected
    assert part.features["f"].tolist() == part.embeddings["m"]["x"].tolist() == expected


def test_subset_by_mask_and_refusals(cells):
    assert list(cells.subset(cells.obs["drug"] == "x").ids) == ["b", "d"]
    with pytest.raises(KeyError, match="2 ids not found: 'y', 'z'"):
        cells.subset(["a", "y", "z"])
    with pytest.raises(ValueError, match="more than once: 'a'"):
        cells.subset(["a", "b", "a"])
    assert len(cells.subset([])) == 0


@pytest.mark.parametrize("kind", [np.array, list, tuple, pd.array, pd.Index])
def test_subset_by_true_and_false_in_order(cells, kind):
    assert list(cells.subset(kind([True, False, True, False])).ids) == ["a", "c"]
    with pytest.raises(ValueError, match="A mask of 3 True and False for 4 rows, expected one for each row"):
        cells.subset(kind([True, False, True]))


def test_subset_refuses_masks_it_cannot_read(cells):
    with pytest.raises(ValueError, match="A mask of 2 × 2 True and False"):
        cells.subset(np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="mask has missing values"):
        cells.subset(pd.array([True, None, True, False], dtype="boolean"))
    with pytest.raises(ValueError, match="the mask does not fit"):
        cells.subset(pd.Series([True] * 4, index=list("abcx")))
    with pytest.raises(KeyError, match="1 id not found: '5'"):
        cells.subset(5)


def test_a_subset_may_have_no_control_until_one_is_needed(cells):
    part = cells.where("drug == 'x'")
    with pytest.raises(ValueError, match="No row is a control"):
        _ = part.controls


def test_where_reads_obs_and_features(cells):
    assert list(cells.where("plate == 'q' and area > 1").ids) == ["c"]
    with pytest.raises(ValueError, match=r"Cannot use the condition .*Did you mean 'plate'\? Columns: 'plate'"):
        cells.where("plat == 'q'")
    with pytest.raises(ValueError, match="Cannot use the condition"):
        cells.where("plate ==")
    with pytest.raises(ValueError, match="Text stands in quotation marks: 'zebra'"):
        cells.where("plate == zebra")
    with pytest.raises(ValueError, match="compared with =="):
        cells.where("plate = 'q'")
    with pytest.raises(ValueError, match="Cannot use the condition"):
        cells.where("@pd.io == 1")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("area", "it gives float64, expected True or False for each row"),
        ("area + 1", "it gives float64"),
        ("1 == 1", "expected True or False for each row"),
        ("plate", "it gives object"),
        ("drug.foo()", "(call), expected only columns"),
        ("drug.str.len() == 1", "(call), expected only columns"),
        ("drug.values", "(attribute), expected only columns"),
        ("drug[0] == 'x'", "(subscript), expected only columns"),
        ("sin(area) > 0", "(call), expected only columns"),
        ("[d for d in drug]", "(listcomp), expected only columns"),
        ("(lambda: 1)", "(lambda), expected only columns"),
        ("f'{drug}' == 'x'", "(joinedstr), expected only columns"),
        ("`no such` > 1", "there is no column `no such`"),
        ("`area > 1", "invalid syntax"),
        ("drug > 1", "not supported between"),
        ("x = 5", "invalid syntax"),
        ("", "invalid syntax"),
    ],
)  # fmt: skip
def test_where_refuses_what_is_no_condition(cells, query, message):
    with pytest.raises(ValueError, match="Cannot use the condition") as caught:
        cells.where(query)
    assert message in str(caught.value) and "Columns: 'plate'" in str(caught.value)


def test_where_runs_nothing(cells, tmp_path):
    target = tmp_path / "x.csv"
    for query in (f"well.to_csv('{target}') == 1", f"`well`.to_csv('{target}') == 1", f"'`' == well.to_csv('{target}')",
                  f"drug == '`' or well.to_csv('{target}') == '`'"):  # fmt: skip
        with pytest.raises(ValueError, match="Cannot use the condition"):
            cells.where(query)
    assert not target.exists()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("plate == 'p' & area > 1 | size == 4", "bd"),
        ("not (plate == 'p' or drug == 'x')", "c"),
        ("~(area > 1)", "ad"),
        ("well in ['A01'] and plate not in ('p',)", "c"),
        ("1 < area <= 3", "bc"),
        ("-area * 2 + size / 2 < -2", "bc"),
        ("`odd name, (µm)` > 2 and area < 9", "c"),
        ("width_µm > 2", "cd"),
        ("drug == 'x' and remark != '`'", "d"),
        ("remark == '`a`.foo()'", "c"),
        ("cell_id == 'b'", "b"),
        ("is_ok", "a"),
        ("  area > 2", "c"),
    ],
)
def test_where_reads_conditions_as_pandas_does(cells, query, expected):
    extra = {"odd name, (µm)": [1, 2, 3, 4], "width_µm": [1, 2, 3, 4], "remark": ["", "`", "`a`.foo()", "é"]}
    extra["is_ok"] = pd.array([True, None, False, False], dtype="boolean")
    assert "".join(cells.with_obs(pd.DataFrame(extra, index=cells.ids)).where(query).ids) == expected


def test_where_wants_text(cells):
    with pytest.raises(TypeError, match="condition is a Series, expected text"):
        cells.where(cells.obs["plate"] == "p")


def test_columns_that_are_the_same_as_text_are_refused():
    twins = pd.DataFrame([[1, 2]], columns=[1, "1"], index=["a"])
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]), index=["a"])
    one = ms.Cells(pd.DataFrame({"1": [5]}, index=["a"]))
    for frame, message in ((twins, "same name .*: '1'"), (levels, "have 2 levels")):
        for build in (ms.Cells, one.with_obs, one.with_features, lambda t: ms.Cells(one.obs, features=t)):
            with pytest.raises(ValueError, match=message):
                build(frame)
    assert one.with_obs(pd.DataFrame({1: [7]}, index=["a"])).obs.to_dict("list") == {"1": [7]}


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", "a..b", "", " ", ".", "__x", "é|", "a\n", 5])
def test_names_that_are_no_names_are_refused(cells, name):
    with pytest.raises(ValueError, match=r"The compartment name .* cannot be stored"):
        cells.with_masks(cells.masks, {name: cells.masks})
    with pytest.raises(ValueError, match="The compartment name"):
        ms.Cells(cells.obs, masks=cells.masks, compartments={name: cells.masks})
    with pytest.raises(ValueError, match="The embedding name"):
        cells.with_embedding(name, cells.table())
    with pytest.raises(ValueError, match="The embedding name"):
        ms.Cells(cells.obs, embeddings={name: cells.table()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obs": pd.DataFrame({"a": [1, 2]}, index=["x", "x"])}, "appear more than once: 'x'"),
        ({"obs": pd.DataFrame({"a": [1, 2]}, index=["x", np.nan])}, "without a cell_id, at position '1'"),
        ({"obs": pd.DataFrame({"a": [1, 2]}, index=["x", " "])}, "without a cell_id"),
        ({"images": np.zeros((3, 1, 4, 4))}, "3 images for 2 rows"),
        ({"images": np.zeros((2, 4, 4))}, "expected 4 axes"),
        ({"images": np.zeros((2, 1, 4, 4)), "masks": np.zeros((2, 4, 5), int)}, "masks have shape"),
        ({"images": np.full((2, 1, 4, 4), np.nan)}, "2 images with NaN or infinite pixels: 'x', 'y'"),
        ({"images": np.array([[[[1.0]]], [[[np.inf]]]])}, "1 image with NaN or infinite pixels: 'y'"),
        ({"features": pd.DataFrame({"f": [1.0]}, index=["x"])}, r"1 ids are missing from it \('y'\)"),
        ({"features": pd.DataFrame({"f": [1.0, 2]}, index=["x", "z"])}, r"1 are not in obs \('z'\)"),
        ({"features": pd.DataFrame({"f": ["1", "2"]}, index=["x", "y"])}, "not numbers: 'f'"),
        ({"images": np.zeros((2, 2, 4, 4)), "channels": ["DNA"]}, "1 channel names"),
        ({"images": np.zeros((2, 2, 4, 4)), "channels": ["DNA", "DNA"]}, "must differ"),
        ({"pixel_size_um": -1}, "expected a positive number"),
        ({"unit": "wel"}, "No column 'wel' in obs. Did you mean 'well'"),
        ({"control": {"well": "C"}}, "No row is a control"),
        ({"control": "well"}, "expected True and False"),
        ({"unit": 5}, "unit is 5, expected the name of a column"),
        ({"batch": ["well", 5]}, "batch is .'well', 5., expected the name of a column"),
        ({"label": ["well", "w"]}, "label is .*, expected the name of one column"),
        ({"treatment": 5}, "treatment is 5, expected the name of one column"),
        ({"control": 5}, "control is 5, expected the name of a boolean column"),
        ({"control": {}}, "control is {}, expected"),
        ({"features": pd.DataFrame({"f": [1j, 2]}, index=["x", "y"])}, "not numbers: 'f'"),
    ],
)  # fmt: skip
def test_refusals(change, message):
    obs = pd.DataFrame({"well": ["A", "B"]}, index=["x", "y"])
    with pytest.raises((ValueError, KeyError, TypeError), match=message):
        ms.Cells(**{"obs": obs, **change})


def test_masks_of_floats_are_refused():
    with pytest.raises(TypeError, match="masks hold float64"):
        ms.Cells(pd.DataFrame({"a": [1]}), masks=np.zeros((1, 4, 4)))


def test_every_row_needs_its_unit():
    obs = pd.DataFrame({"well": ["A", None]}, index=["x", "y"])
    with pytest.raises(ValueError, match="1 row without a value in the unit column 'well': 'y'"):
        ms.Cells(obs, unit="well")


def test_numbers_as_ids_become_text():
    cells = ms.Cells(pd.DataFrame({"p": [1, 2]}), features=pd.DataFrame({"f": [3, 4]}))
    assert list(cells.ids) == ["0", "1"]


def test_a_column_cell_id_is_the_index():
    assert list(ms.Cells(pd.DataFrame({"cell_id": ["a", "b"], "p": [1, 2]})).ids) == ["a", "b"]


def test_with_obs_reorders_and_joins_the_history(cells):
    labels = pd.Series([4, 3, 2, 1], index=list("dcba"), name="mine")
    labels.attrs["history"] = [{"step": "by hand"}]
    new = cells.with_obs(labels)
    assert new.obs["mine"].tolist() == [1, 2, 3, 4]
    assert [h["step"] for h in new.history] == ["by hand", "with_obs"]
    with pytest.raises(ValueError, match="has no name"):
        cells.with_obs(pd.Series([1, 2, 3, 4], index=list("abcd")))


def test_with_features_replaces_or_adds(cells):
    new = pd.DataFrame({"area": [9.0] * 4, "round": [1.0] * 4}, index=list("abcd"))
    assert list(cells.with_features(new).features) == ["area", "round"]
    both = cells.with_features(new, add=True).features
    assert list(both) == ["size", "area", "round"] and both["area"].tolist() == [9.0] * 4


def test_table_is_one_seam(cells):
    assert list(cells.table()) == ["area", "size"] == list(table(cells))
    assert list(cells.table(["size"])) == ["size"]
    assert list(cells.with_embedding("m", cells.table(["area", "size"])).table("m")) == ["area", "size"]
    with pytest.raises(KeyError, match="'sise'"):
        cells.table(["sise"])
    with pytest.raises(ValueError, match="not numbers: 'drug'"):
        cells.table(["drug"])
    with pytest.raises(TypeError, match="found list"):
        table([1, 2])
    with pytest.raises(ValueError, match="no features yet"):
        ms.Cells(pd.DataFrame({"a": [1]})).table()


def test_batches_cover_everything_in_order(cells):
    parts = list(cells.batches(3))
    assert [len(p.ids) for p in parts] == [3, 1]
    np.testing.assert_array_equal(np.concatenate([p.images for p in parts]), cells.images)
    with pytest.raises(ValueError, match="no images"):
        next(ms.Cells(pd.DataFrame({"a": [1]})).batches())
    with pytest.raises(ValueError, match="at least 1"):
        next(cells.batches(0))


def test_lazy_images_with_nan_are_named_when_read():
    import zarr

    images = np.zeros((3, 1, 4, 4), np.float32)
    images[2, 0, 1, 1] = np.nan
    lazy = zarr.array(images, chunks=(1, 1, 4, 4))
    cells = ms.Cells(pd.DataFrame(index=["a", "b", "c"]), lazy)
    with pytest.raises(ValueError, match="NaN or infinite pixels: 'c'"):
        list(cells.batches(2))


def test_fingerprint_follows_the_data(cells):
    same = ms.Cells(cells.obs, cells.images, channels=["DNA", "RNA"])
    assert same.fingerprint == cells.fingerprint
    assert cells.subset(["a"]).fingerprint != cells.fingerprint
    other = cells.images.copy()
    other[2, 0, 0, 0] += 1
    assert ms.Cells(cells.obs, other, channels=["DNA", "RNA"]).fingerprint != cells.fingerprint


def test_what_it_says_of_itself(cells):
    text, page = repr(cells), cells._repr_html_()
    assert "4 cells" in text and "unit of independence: plate and well (4 of them)" in text
    assert page.count("<img") == 4 and "data:image/" in page
    nasty = cells.with_obs(pd.Series(["<script>alert(1)</script>"] * 4, index=cells.ids, name="drug"))
    assert "<script>" not in nasty._repr_html_()
    assert "http" not in page.replace("http-equiv", "")


def test_it_says_what_the_data_cannot_tell():
    cells = ms.Cells(pd.DataFrame({"a": [1]}), history=[{"step": "load", "note": "one field only"}])
    assert "one field only" in cells._repr_html_()


def test_unknown_names_of_the_package_are_explained():
    with pytest.raises(AttributeError, match="mlscope_nb has no 'Cell'"):
        _ = ms.Cell


def test_other_images_keep_all_else_and_must_fit(cells):
    cells = cells.with_masks(cells.masks, {"nucleus": cells.masks})
    before = np.array(cells.images)
    new = cells.with_images(before * 2)
    np.testing.assert_array_equal(new.images, before * 2)
    np.testing.assert_array_equal(cells.images, before)
    assert new.channels == cells.channels and new.design == cells.design and new.history[-1]["step"] == "with_images"
    pd.testing.assert_frame_equal(new.obs, cells.obs)
    one = cells.with_images(before[:, :1], channels=["only"])
    assert one.channels == ("only",) and set(one.compartments) == {"nucleus"}
    assert cells.with_images(before[:, :1]).channels == ("channel0",)
    with pytest.raises(ValueError, match="masks have shape"):
        cells.with_images(before[:, :, 1:])
    with pytest.raises(ValueError, match=f"{len(cells) - 1} images for {len(cells)} rows"):
        cells.with_images(before[1:])
    spoilt = before.astype(float)
    spoilt[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=str(cells.ids[0])):
        cells.with_images(spoilt)
    bare = cells.with_images(None)
    assert bare.images is None and bare.masks is None and not bare.compartments and len(bare) == len(cells)


def test_a_subset_without_controls_is_declared_anew_and_no_cells_at_all_go_to_anndata_and_back():
    obs = pd.DataFrame({"well": ["A", "B"], "n": [1, 2]}, index=["a", "b"])
    cells = ms.Cells(obs, np.zeros((2, 1, 4, 4), "float32"), unit="well", control={"well": "A"})
    rest = cells.subset(["b"]).with_design(label="n")
    assert rest.design.control == {"well": "A"} and rest.design.label == "n"
    with pytest.raises(ValueError, match="No row is a control"):
        rest.with_design(control={"well": "A"})
    none = cells.subset([])
    assert len(ms.Cells.from_anndata(none.to_anndata())) == 0
