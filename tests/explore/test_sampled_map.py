"""Maps of a sample, with the other cells placed on it."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(3)
    centres = rng.normal(scale=4, size=(4, 6))
    values = centres[rng.integers(0, 4, 900)] + rng.normal(size=(900, 6))
    return pd.DataFrame(values, index=[f"c{i}" for i in range(900)], columns=list("abcdef"))


def test_few_cells_are_all_mapped(numbers):
    few = numbers.iloc[:200]
    pd.testing.assert_frame_equal(ms.explore.sampled_map(few, "pca"), ms.explore.pca(few))


def test_the_sample_has_its_own_map_and_the_others_lie_among_it(numbers):
    placed = ms.explore.sampled_map(numbers, sample=300, n_epochs=50)
    drawn = np.sort(np.random.default_rng(0).choice(900, 300, replace=False))
    own = ms.explore.umap(numbers.iloc[drawn], n_epochs=50)
    np.testing.assert_array_equal(placed.iloc[drawn], own)
    assert list(placed.index) == list(numbers.index) and np.isfinite(placed.to_numpy()).all()
    assert [step["step"] for step in placed.attrs["history"]] == ["umap", "sampled_map"]
    trust = ms.explore.trust(numbers, placed, scale="standardize")
    assert trust.knn_recall > 10 * trust.chance
    pd.testing.assert_frame_equal(placed, ms.explore.sampled_map(numbers, sample=300, n_epochs=50))


def test_a_pca_map_is_placed_along_its_axes_in_pieces_of_any_size(numbers, monkeypatch):
    whole = ms.explore.sampled_map(numbers, "pca", sample=100)
    monkeypatch.setattr("mlscope_nb.explore.sample_maps.AT_ONCE", 420)
    np.testing.assert_allclose(ms.explore.sampled_map(numbers, "pca", sample=100), whole, atol=1e-9)


def test_in_a_process_of_its_own(numbers):
    apart = ms.explore.umap_apart(numbers, sample=100)
    assert apart.attrs["history"][-1]["n_sample"] == 100 and list(apart.index) == list(numbers.index)


@pytest.mark.parametrize(
    ("options", "message"), [({"method": "som"}, "method is 'som'"), ({"sample": 3}, "sample is 3")]
)
def test_what_makes_no_sense_is_refused(numbers, options, message):
    with pytest.raises(ValueError, match=message):
        ms.explore.sampled_map(numbers, **options)
