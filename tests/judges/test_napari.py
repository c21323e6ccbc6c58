"""napari's reader of OME-Zarr and napari's layers take what mlscope writes and hands over, without a window."""

import hashlib

import numpy as np
import pytest

import mlscope_nb as ms


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def said(ask, fields, cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("napari")
    one = fields.subset(fields.ids[:1])
    files = {
        "image": ms.io.write_omezarr(one, folder / "image.zarr", layout="images"),
        "older": ms.io.write_omezarr(one, folder / "older.zarr", layout="images", version="0.4"),
        "plate": ms.io.write_omezarr(one, folder / "plate.zarr"),
        "series": ms.io.write_omezarr(fields, folder / "series.zarr", layout="images"),
        "layers": cells.save(folder / "cells.mlscope"),
    }
    found = ask("napari", *files.values())
    return {"window": found["window"], **{kind: found[str(file)] for kind, file in files.items()}}


def test_no_window_is_needed(said):
    assert said["window"] == []


@pytest.mark.parametrize("kind", ["image", "older", "plate"])
def test_channels_and_masks_become_layers_with_names_colours_and_scale(said, fields, kind):
    found = said[kind]
    assert found["reader"] == "napari-ome-zarr"
    layers = found["layers"]
    pictures = [layer for layer in layers if layer["kind"] == "Image"]
    assert [layer["name"].split(": ")[-1] for layer in pictures] == list(fields.channels)
    assert [layer["digest"] for layer in pictures] == [digest(channel) for channel in fields.images[0]]
    assert [layer["colour"] for layer in pictures] == [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1]]
    assert all(layer["limits"][0] < layer["limits"][1] for layer in pictures)
    labels = [layer["digest"] for layer in layers if layer["kind"] == "Labels"]
    assert labels == [digest(fields.masks[0]), *(digest(part[0]) for part in fields.compartments.values())]
    assert all(layer["scale"] == pytest.approx([fields.pixel_size_um] * 2) for layer in layers)


def test_all_images_of_a_series_are_found(said, fields):
    pictures = [layer for layer in said["series"]["layers"] if layer["kind"] == "Image"]
    assert [layer["digest"] for layer in pictures] == [digest(c) for image in fields.images for c in image]


def test_layers_handed_over_are_layers(said, cells, fields):
    layers = said["layers"]["layers"]
    assert [layer["kind"] for layer in layers] == ["Image"] * 3 + ["Labels"] * (1 + len(cells.compartments))
    assert [layer["name"] for layer in layers[:3]] == list(cells.channels)
    assert [layer["digest"] for layer in layers[:3]] == [digest(cells.images[:, i]) for i in range(3)]
    assert layers[3]["digest"] == digest(cells.masks)
    assert layers[0]["scale"] == pytest.approx([1, fields.pixel_size_um, fields.pixel_size_um])
