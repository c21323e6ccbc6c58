"""New cells land among their like on a map that stays, and strangers are called strangers; t-SNE and PaCMAP."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.explore import pacmap, pca, project, tsne, umap


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(11)
    groups = rng.integers(0, 3, 330)
    values = rng.normal(size=(330, 8)) + 8 * np.eye(8)[groups]
    values[:, 3] = 100 + 50 * values[:, 3]
    return pd.DataFrame(values, index=[f"c{i}" for i in range(330)]).add_prefix("f"), groups


def landed(placed, made, groups, new_groups):
    """Share of new cells whose nearest group centre on the map is their own group's."""
    centres = made.groupby(groups)[["x", "y"]].median().to_numpy()
    away = np.linalg.norm(placed[["x", "y"]].to_numpy()[:, None] - centres, axis=2)
    return (away.argmin(axis=1) == new_groups).mean()


@pytest.mark.parametrize("make", [umap, tsne])
def test_new_cells_land_in_their_group(study, make):
    numbers, groups = study
    made = make(numbers[:300], **({"n_epochs": 100} if make is umap else {"max_iter": 300}))
    placed = project(numbers[300:], numbers[:300], made)
    assert landed(placed, made, groups[:300], groups[300:]) == 1
    assert placed.index.equals(numbers.index[300:])
    assert placed.attrs["history"][0]["method"] == ("umap" if make is umap else "neighbours")
    pd.testing.assert_frame_equal(placed, project(numbers[300:], numbers[:300], made))


def test_pca_is_projected_exactly(study):
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    numbers, _ = study
    scale = StandardScaler().fit(numbers[:300])
    model = PCA(2).fit(scale.transform(numbers[:300]))
    expected = model.transform(scale.transform(numbers[300:]))
    placed = project(numbers[300:], numbers[:300], pca(numbers[:300]))
    assert np.allclose(np.abs(placed[["x", "y"]]), np.abs(expected))
    with pytest.raises(ValueError, match="not the PCA map of these"):
        project(numbers[300:], numbers[:300], pca(numbers[:300]) + 1, method="linear")


def test_strangers_are_remote(study):
    numbers, _ = study
    made = pca(numbers[:300])
    known = project(numbers[300:], numbers[:300], made)["remoteness"]
    strange = project(numbers[300:] + 60, numbers[:300], made)["remoteness"]
    assert 0.7 < known.median() < 1.5 and (strange > 3).all()


def test_the_map_of_cells_says_itself_how_it_was_made(study):
    numbers, _ = study
    cells = ms.Cells(pd.DataFrame(index=numbers.index[:300]), features=numbers[:300])
    cells = cells.with_embedding("umap", umap(cells, n_epochs=60, n_neighbors=9)).with_embedding("lines", pca(cells))
    placed = project(numbers[300:], cells)
    assert placed.attrs["history"][0] == {
        "step": "project", "onto": "umap", "method": "umap", "n_neighbors": 9, "seed": 0,
    }  # fmt: skip
    assert project(numbers[300:], cells, "lines").attrs["history"][0]["method"] == "linear"
    with pytest.raises(KeyError, match="No map 'tsne'"):
        project(numbers[300:], cells, "tsne")


def test_columns_go_by_name_and_missing_ones_are_named(study):
    numbers, _ = study
    made = pca(numbers[:300])
    placed = project(numbers.iloc[300:, ::-1], numbers[:300], made)
    pd.testing.assert_frame_equal(placed, project(numbers[300:], numbers[:300], made))
    with pytest.raises(KeyError, match="1 feature of the reference cells missing from the new ones: 'f3'"):
        project(numbers[300:].drop(columns="f3"), numbers[:300], made)


def test_a_reference_cell_keeps_its_place(study):
    numbers, _ = study
    made = tsne(numbers[:300], max_iter=260)
    placed = project(numbers[:20], numbers[:300], made)
    assert np.allclose(placed[["x", "y"]], made[:20], atol=1e-6)


def test_tsne_repeats_itself_and_keeps_groups(study):
    from sklearn.metrics import silhouette_score

    numbers, groups = study
    first = tsne(numbers, seed=2, max_iter=300)
    pd.testing.assert_frame_equal(first, tsne(numbers, seed=2, max_iter=300), check_exact=True)
    assert silhouette_score(first, groups) > 0.5
    step = first.attrs["history"][0]
    assert (step["step"], step["seed"], step["perplexity"], step["method"]) == ("tsne", 2, 30.0, "exact")
    assert first.attrs["loss"] > 0 and first.index.equals(numbers.index)
    assert tsne(numbers[:20], max_iter=250).attrs["history"][0]["perplexity"] == pytest.approx(19 / 3)
    with pytest.raises(ValueError, match="too few for t-SNE"):
        tsne(numbers[:4])


def test_pacmap_says_how_to_install_it_and_is_asked_rightly(study, tmp_path, monkeypatch):
    import importlib.util
    import sys

    numbers, _ = study
    if importlib.util.find_spec("pacmap") is None:
        with pytest.raises(ImportError, match=r'pip install "mlscope_nb\[pacmap\]"'):
            pacmap(numbers)
    (tmp_path / "pacmap.py").write_text(
        "class PaCMAP:\n"
        "    def __init__(self, **options): self.options = options\n"
        "    def fit_transform(self, x, init):\n"
        "        assert init == 'pca' and self.options == {'n_components': 2, 'random_state': 5, 'n_neighbors': 10}\n"
        "        return x[:, :2]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pacmap", raising=False)
    found = pacmap(numbers, seed=5)
    assert found.attrs["history"][0]["step"] == "pacmap" and found.shape == (330, 2)
    monkeypatch.delitem(sys.modules, "pacmap")
