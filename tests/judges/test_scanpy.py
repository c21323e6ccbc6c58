"""scanpy opens what write_h5ad writes, draws it, and computes with it."""

import numpy as np
import pytest

import mlscope_nb as ms


@pytest.fixture(scope="module")
def said(ask, cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanpy")
    with pytest.warns(UserWarning, match="1 feature with NaN"):
        plain = ms.io.write_h5ad(cells, folder / "cells of Jürgen.h5ad")
    filled = ms.io.write_h5ad(cells, folder / "filled.h5ad", images=True, missing="median")
    found = ask("scanpy", plain, filled)
    return {"plain": found[str(plain)], "filled": found[str(filled)]}


@pytest.mark.parametrize("file", ["plain", "filled"])
def test_ids_groups_and_maps_arrive(said, cells, file):
    found = said[file]
    assert found["ids"] == list(cells.ids) and found["id_kinds"] == ["str"]
    for name in ("label", "plate", "well", "field_id", "treatment"):
        assert found["kinds"][name] == "category"
        assert found["categories"][name] == sorted(cells.obs[name].astype(str).unique())
    assert found["categories"]["plate"] == ["1", "2"]
    np.testing.assert_allclose(found["umap"], cells.embeddings["umap"].to_numpy(), rtol=0, atol=0)
    assert found["uns"] == ["mlscope"] and found["x"] == "float64"
    assert found["n_missing"] == 2


@pytest.mark.parametrize("file", ["plain", "filled"])
def test_every_cell_is_drawn_by_group_by_feature_and_in_place(said, cells, file):
    assert said[file]["by_group"] == [len(cells)] * 3
    # scanpy draws cells without a value as a layer of their own
    assert said[file]["by_feature"] == [len(cells)]
    assert said[file]["in_place"] == [len(cells)]


def test_missing_features_are_refused_by_scanpy_and_may_be_filled_in(said, cells):
    assert "NaN" in said["plain"]["computed"]
    done = said["filled"]["computed"]
    assert done["pca"] == [len(cells), 5] and done["neighbours"] > len(cells)
    assert done["groups"] == done["violins"] == sorted(cells.obs["label"].unique())


def test_images_go_along_only_where_asked_for_and_do_not_disturb(said, cells):
    assert set(said["plain"]["obsm"]) == {"X_umap", "spatial"}
    assert said["filled"]["obsm"]["images"] == list(cells.images.shape)
    assert said["filled"]["obsm"]["masks"] == list(cells.masks.shape)
    assert len(set(said["filled"]["subset"].values())) == 1
