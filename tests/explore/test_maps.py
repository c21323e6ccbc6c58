"""Maps are reproducible, keep the ids, and place alike cells together."""

import warnings

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], 60)
    values = rng.normal(size=(180, 20)) + 6 * np.eye(20)[groups]
    return pd.DataFrame(values, index=[f"c{i}" for i in range(180)]).add_prefix("f"), groups


def test_pca_equals_scikit_learn_up_to_sign(numbers):
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    table, _ = numbers
    expected = PCA(2).fit_transform(StandardScaler().fit_transform(table))
    found = ms.explore.pca(table)
    for ours, theirs in zip(found.to_numpy().T, expected.T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) == pytest.approx(1, abs=1e-9)
    assert found.index.equals(table.index)
    assert list(found.attrs["loadings"].index) == list(table.columns)


def test_umap_separates_groups_and_repeats_itself_without_warnings(numbers):
    from sklearn.metrics import silhouette_score

    table, groups = numbers
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = ms.explore.umap(table, seed=3)
    again = ms.explore.umap(table, seed=3)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert silhouette_score(first, groups) > 0.5
    shuffled = np.random.default_rng(0).permutation(groups)
    assert silhouette_score(first, shuffled) < 0.1


def test_gaps_are_filled_and_counted_and_constant_columns_left_out(numbers):
    table = numbers[0].copy()
    table.iloc[3, 0] = np.nan
    table.iloc[4, 1] = np.inf
    table["flat"] = 7.0
    table["gone"] = np.nan
    found = ms.explore.pca(table)
    assert np.isfinite(found.to_numpy()).all()
    assert found.attrs["history"][0]["n_filled"] == 2
    assert not {"flat", "gone"} & set(found.attrs["loadings"].index)


def test_few_cells_and_one_feature():
    two = pd.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(ValueError, match="too few"):
        ms.explore.pca(two)
    with pytest.raises(ValueError, match="too few for UMAP"):
        ms.explore.umap(pd.DataFrame({"a": [1.0, 2, 3]}))
    one = ms.explore.pca(pd.DataFrame({"a": [1.0, 2, 4]}))
    assert (one["y"] == 0).all()
    with pytest.raises(ValueError, match="varies"):
        ms.explore.pca(pd.DataFrame({"a": [1.0] * 5}))


def test_maps_join_the_history_of_cells(numbers):
    table, _ = numbers
    cells = ms.Cells(pd.DataFrame(index=table.index), features=table)
    cells = cells.with_embedding("pca", ms.explore.pca(cells))
    assert [h["step"] for h in cells.history] == ["pca", "with_embedding"]


def test_umap_in_a_process_of_its_own_is_the_same_map(numbers):
    table, _ = numbers
    pd.testing.assert_frame_equal(
        ms.explore.umap_apart(table, seed=3), ms.explore.umap(table, seed=3), check_exact=True
    )


def test_what_goes_wrong_in_the_other_process_is_said():
    with pytest.raises(ValueError, match="None of 1 features varies"):
        ms.explore.umap_apart(pd.DataFrame({"a": [1.0] * 9}))


def test_the_other_process_ends_with_its_parent(tmp_path):
    import subprocess
    import sys
    import time

    import psutil

    code = (
        "import numpy as np, pandas as pd; from mlscope_nb.explore import umap_apart;"
        "umap_apart(pd.DataFrame(np.random.default_rng(0).normal(size=(4000, 60))))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    children = []
    for _ in range(300):
        children = psutil.Process(parent.pid).children()
        if children:
            break
        time.sleep(0.1)
    assert children
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert gone and not alive
