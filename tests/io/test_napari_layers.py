"""napari_layers: what napari's viewer is given; tests/judges asks napari itself."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


def by_name(layers):
    return {options["name"]: (data, options, kind) for data, options, kind in layers}


def test_fields_of_one_size_lie_on_one_axis(two_sizes):
    layers = ms.io.napari_layers(two_sizes, ["f4", "f1"])
    found = by_name(layers)
    assert list(found) == ["DNA", "RNA", "masks", "nucleus"]
    assert [kind for _, _, kind in layers] == ["image", "image", "labels", "labels"]
    np.testing.assert_array_equal(found["RNA"][0], np.stack([two_sizes.images[3][1], two_sizes.images[0][1]]))
    np.testing.assert_array_equal(found["nucleus"][0][1], two_sizes.compartments["nucleus"][0])
    assert found["DNA"][1]["scale"] == [1, 0.65, 0.65] == found["masks"][1]["scale"]
    assert found["DNA"][1]["metadata"]["ids"] == ["f4", "f1"]


def test_one_field_is_a_plain_picture(two_sizes):
    found = by_name(ms.io.napari_layers(two_sizes, ["ü/3"]))
    assert found["DNA"][0].shape == (33, 71) and found["DNA"][1]["scale"] == [0.65, 0.65]


def test_fields_of_several_sizes_are_refused(two_sizes):
    with pytest.raises(ValueError, match=r"2 sizes .*'\(33, 71\)', '\(40, 50\)'"):
        ms.io.napari_layers(two_sizes)
    with pytest.raises(KeyError, match="'f9'"):
        ms.io.napari_layers(two_sizes, ["f9"])


def test_colours_and_contrast_are_those_of_mlscope(two_sizes):
    from mlscope_nb._pictures import channel_colours, contrast_limits

    layers = ms.io.napari_layers(two_sizes, ["f1", "f4"])
    limits = contrast_limits(two_sizes.subset(["f1", "f4"]))
    assert [options["colormap"] for _, options, kind in layers if kind == "image"] == list(channel_colours(["a", "b"]))
    assert [options["contrast_limits"] for _, options, kind in layers if kind == "image"] == limits.tolist()


def test_cells_are_points_where_they_lie(two_sizes):
    ids = ["a", "b", "c"]
    obs = pd.DataFrame({"field_id": ["f4", "f1", "ü/3"], "y_px": [1.0, 2, 3], "x_px": [4.0, 5, 6]}, index=ids)
    cells = ms.Cells(obs)
    places, options, kind = ms.io.napari_layers(two_sizes, ["f1", "f4"], cells=cells)[-1]
    assert kind == "points" and places.tolist() == [[1, 1, 4], [0, 2, 5]]
    assert options["features"]["cell_id"].tolist() == ["a", "b"] and options["scale"] == [1, 0.65, 0.65]
    alone, _, _ = ms.io.napari_layers(two_sizes, ["ü/3"], cells=cells)[-1]
    assert alone.tolist() == [[3, 6]]
    with pytest.raises(KeyError, match="'y_px', 'x_px'"):
        ms.io.napari_layers(two_sizes, ["f1"], cells=ms.Cells(obs[["field_id"]]))


def test_crops_lie_on_one_axis_also_from_a_file(every_kind, tmp_path):
    for cells in (every_kind, ms.load(every_kind.save(tmp_path / "a.mlscope"))):
        found = by_name(ms.io.napari_layers(cells, every_kind.ids[[5, 2]]))
        np.testing.assert_array_equal(found["RNA µ"][0], every_kind.images[[5, 2], 1])
        np.testing.assert_array_equal(found["masks"][0], every_kind.masks[[5, 2]])
        assert found["nucleus"][2] == "labels"
        assert by_name(ms.io.napari_layers(cells))["DNA"][0].shape == (23, 8, 10)


def test_tables_and_nothing_are_refused(every_kind, two_sizes):
    with pytest.raises(ValueError, match="no images, only tables"):
        ms.io.napari_layers(every_kind.with_images(None))
    with pytest.raises(ValueError, match="no fields to show"):
        ms.io.napari_layers(two_sizes.subset([]))
