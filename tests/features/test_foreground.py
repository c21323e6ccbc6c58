"""The guessed masks lie on the objects, bright, dark, or both, and stay empty where there is nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import mlscope_nb as ms


def disc(side=48, radius=11, centre=(24, 24)):
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - centre[0], x - centre[1]) < radius


def cells_of(images, channels=None):
    images = np.asarray(images)
    images = images[:, None] if images.ndim == 3 else images
    return ms.Cells(pd.DataFrame(index=[f"c{i}" for i in range(len(images))]), images, channels=channels)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def noisy(clean, seed=0):
    rng = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(clean, 1) + rng.normal(0, 8, clean.shape)).clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("level, objects", [(900, "auto"), (900, "bright"), (50, "auto"), (50, "dark")])
def test_finds_a_disc(level, objects):
    mask = ms.features.foreground(cells_of([noisy(np.where(disc(), level, 300.0))]), objects=objects)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
    assert overlap(mask[0] == 1, disc()) > 0.9


def test_bright_field_with_a_halo_takes_both_sides():
    image = np.full((48, 48), 300.0)
    image[disc(radius=12)] = 420
    image[disc(radius=9)] = 190
    assert overlap(ms.features.foreground(cells_of([noisy(image)]))[0] == 1, disc(radius=12)) > 0.85


def test_takes_the_object_in_the_middle_and_parts_neighbours():
    image = np.where(disc() | disc(centre=(24, 44)), 900, 300.0)
    image[disc(radius=7, centre=(6, 6))] = 3000
    mask = ms.features.foreground(cells_of([noisy(image)]))[0] == 1
    assert overlap(mask, disc()) > 0.85


def test_nothing_but_noise_gives_an_empty_mask_and_measure_names_it():
    cells = cells_of(
        [noisy(np.full((48, 48), 300.0)), noisy(np.where(disc(), 900, 300.0)), np.full((48, 48), 7, np.uint16)]
    )
    masks = ms.features.foreground(cells)
    assert masks.sum((1, 2)).astype(bool).tolist() == [False, True, False]
    table = ms.features.measure(cells.with_masks(masks))
    assert table.attrs["problems"]["empty"] == ["c0", "c2"]


def test_channels_can_be_chosen_and_none_drowns_the_others():
    strong, weak = noisy(np.where(disc(radius=9), 30000, 300.0)), noisy(np.where(disc(), 600, 300.0))
    cells = cells_of(np.stack([strong, weak])[None], ["DNA", "actin"])
    assert overlap(ms.features.foreground(cells, "actin")[0] == 1, disc()) > 0.9
    assert overlap(ms.features.foreground(cells, "DNA")[0] == 1, disc(radius=9)) > 0.85
    assert overlap(ms.features.foreground(cells)[0] == 1, disc()) > 0.85


def test_does_not_depend_on_batches_or_workers():
    cells = cells_of([noisy(np.where(disc(radius=6 + i), 900, 300.0), i) for i in range(6)])
    expected = ms.features.foreground(cells)
    np.testing.assert_array_equal(ms.features.foreground(cells, batch_size=2, workers=2), expected)


def test_refusals():
    cells = cells_of([noisy(np.full((48, 48), 300.0))], ["DNA"])
    with pytest.raises(ValueError, match=r"No channel 'RNA'. There are: 'DNA'"):
        ms.features.foreground(cells, "RNA")
    with pytest.raises(ValueError, match="expected 'auto', 'bright' or 'dark'"):
        ms.features.foreground(cells, objects="red")
    with pytest.raises(ValueError, match="no images"):
        ms.features.foreground(ms.Cells(cells.obs))


def test_on_simulated_cells_it_finds_most_of_the_true_mask():
    cells, _ = ms.datasets.simulate(n_plates=1, wells_per_plate=2, cells_per_well=20)
    guessed, true = ms.features.foreground(cells) == 1, cells.masks == 1
    shares = [overlap(a, b) for a, b in zip(guessed, true, strict=True)]
    assert np.median(shares) > 0.85
