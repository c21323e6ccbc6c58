import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mlscope_nb import _pictures
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields


def cells_of(images, **more):
    return Cells(pd.DataFrame(index=[f"c{i}" for i in range(len(images))]), images, **more)


def test_composite_adds_colours_and_clips():
    images = np.zeros((1, 2, 1, 3), np.uint16)
    images[0, 0, 0] = [0, 50, 100]
    images[0, 1, 0] = [0, 0, 400]
    out = _pictures.composite(images, np.array([[0, 100], [0, 200]]), ["#ff00ff", "#00ff00"])
    assert out.dtype == np.uint8
    assert out[0, 0].tolist() == [[0, 0, 0], [128, 0, 128], [255, 255, 255]]


def test_black_leaves_a_channel_out():
    images = np.full((1, 2, 2, 2), 10.0)
    out = _pictures.composite(images, np.array([[0, 10], [0, 10]]), ["#00ffff", "#000000"])
    assert (out == [0, 255, 255]).all()


@pytest.mark.parametrize("limits, colours", [(np.zeros((1, 2)), ["#ffffff"] * 2), (np.zeros((2, 2)), ["#ffffff"])])
def test_composite_refuses_what_does_not_fit(limits, colours):
    with pytest.raises(ValueError, match="expected \\(n, C, Y, X\\)"):
        _pictures.composite(np.zeros((1, 2, 3, 3)), limits, colours)


def test_limits_are_percentiles_of_the_whole_set():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 1000, (50, 2, 16, 16)).astype(np.uint16)
    images[:, 1] += 5000
    limits = _pictures.contrast_limits(cells_of(images), low=1, high=99)
    exact = np.percentile(images.swapaxes(0, 1).reshape(2, -1), [1, 99], axis=1).T
    np.testing.assert_allclose(limits, exact, atol=1.5)


def test_limits_of_flat_and_sparse_channels_are_usable():
    images = np.zeros((4, 2, 50, 50), np.uint16)
    images[0, 1, 0, 0] = 900
    limits = _pictures.contrast_limits(cells_of(images))
    assert (limits[:, 1] > limits[:, 0]).all()
    assert limits[1].tolist() == [0, 900]


def test_limits_of_fields_of_different_sizes():
    fields = Fields(pd.DataFrame(index=["a", "b"]), [np.full((1, 5, 7), 3.0), np.full((1, 9, 4), 9.0)])
    low, high = _pictures.contrast_limits(fields)[0]
    assert low == 3 and high == 9


def test_photographs_keep_their_colours():
    images = np.random.default_rng(0).integers(90, 200, (3, 3, 4, 4)).astype(np.uint8)
    photograph = cells_of(images, channels=["Red", "Green", "Blue"])
    limits = _pictures.contrast_limits(photograph)
    out = _pictures.composite(images, limits, _pictures.channel_colours(photograph.channels))
    np.testing.assert_array_equal(out, np.moveaxis(images, 1, -1))


def test_refusals():
    table = Cells(pd.DataFrame(index=["a"]))
    with pytest.raises(ValueError, match="no images"):
        _pictures.contrast_limits(table)
    with pytest.raises(ValueError, match="low=99 and high=1"):
        _pictures.contrast_limits(cells_of(np.zeros((1, 1, 2, 2))), low=99, high=1)
    with pytest.raises(ValueError, match="#rrggbb"):
        _pictures.rgb("red")
    with pytest.raises(KeyError, match="zz"):
        _pictures.thumbnails(cells_of(np.zeros((1, 1, 2, 2))), ["zz"])


def test_thumbnails_follow_the_ids_and_keep_proportions():
    images = np.zeros((3, 1, 4, 8), np.uint8)
    images[2] = 200
    cells = cells_of(images)
    small = _pictures.thumbnails(cells, ["c2", "c0"], size=4)
    assert small.shape == (2, 4, 4, 3)
    assert small[1].max() == 0
    assert small[0, 0].max() == 0 and small[0, 1:3].min() == 255 and small[0, 3].max() == 0


def test_pictures_are_read_back():
    picture = np.random.default_rng(0).integers(0, 255, (6, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(_pictures.png(picture)))), picture)
    assert Image.open(io.BytesIO(_pictures.webp(picture))).size == (5, 6)
    assert _pictures.png_data_uri(picture).startswith("data:image/png;base64,")


def test_sheet_places_row_by_row():
    pictures = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8) + 1
    grid = _pictures.sheet(pictures, 2)[::2, ::2, 0]
    assert grid.tolist() == [[1, 2], [3, 0]]
