"""write_h5ad: what comes back by read_h5ad is what was written, and plain tools find what they look for."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


@pytest.fixture
def written(every_kind, tmp_path):
    with pytest.warns(UserWarning, match=r"1 feature with NaN: 'Cells_Intensity_MeanIntensity_DNA'.*missing='median'"):
        return ms.io.write_h5ad(every_kind, tmp_path / "a.h5ad", images=True)


def test_everything_comes_back(every_kind, written):
    back = ms.io.read_h5ad(written)
    pd.testing.assert_frame_equal(back.obs, every_kind.obs)
    pd.testing.assert_frame_equal(back.features, every_kind.features)
    pd.testing.assert_frame_equal(back.embeddings["umap"], every_kind.embeddings["umap"])
    for found, wanted in (
        (back.images, every_kind.images),
        (back.masks, every_kind.masks),
        (back.compartments["nucleus"], every_kind.compartments["nucleus"]),
    ):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    assert (back.channels, back.pixel_size_um, back.design) == (
        every_kind.channels,
        every_kind.pixel_size_um,
        every_kind.design,
    )
    assert back.history[0] == {"step": "made", "seed": 3, "note": "<script>"}


def test_a_second_round_is_the_same(every_kind, written, tmp_path):
    with pytest.warns(UserWarning, match="NaN"):
        again = ms.io.write_h5ad(ms.io.read_h5ad(written), tmp_path / "b.h5ad", images=True)
    pd.testing.assert_frame_equal(ms.io.read_h5ad(again).obs, every_kind.obs)


def test_groups_are_categories_of_text_and_the_rest_are_numbers(written):
    import anndata

    obs = anndata.read_h5ad(written).obs
    assert obs["plate"].cat.categories.tolist() == ["1", "2"]
    assert obs["treatment"].cat.categories.tolist() == ["drug µ <b>", "DMSO", "unused"]
    assert obs["dose"].cat.categories.tolist() == ["0", "5", "10"] and obs["dose"].cat.ordered
    assert obs["n"].dtype == np.uint8 and obs["at_edge"].dtype == bool
    assert "mg_l" in obs.columns


def test_places_are_x_then_y(every_kind, written):
    import anndata

    spatial = anndata.read_h5ad(written).obsm["spatial"]
    np.testing.assert_array_equal(spatial, every_kind.obs[["x_px", "y_px"]].to_numpy())


def test_what_is_noted_is_one_short_text(written):
    with h5py.File(written) as file:
        assert list(file["uns"]) == ["mlscope"]
        text = file["uns/mlscope"][()].decode()
    assert len(text) < 3000 and json.loads(text)["pixel_size_um"] == 0.325


def test_images_stay_out_unless_asked_for(every_kind, tmp_path):
    plain = every_kind.with_features(every_kind.features.fillna(0))
    file = ms.io.write_h5ad(plain, tmp_path / "a.h5ad")
    with h5py.File(file) as opened:
        assert sorted(opened["obsm"]) == ["X_umap", "spatial"]
    assert ms.io.read_h5ad(file).images is None


def test_missing_features_are_counted_and_may_be_filled(every_kind, tmp_path):
    import anndata

    file = ms.io.write_h5ad(every_kind, tmp_path / "a.h5ad", missing="median")
    adata = anndata.read_h5ad(file)
    assert adata.var["n_missing"].tolist() == [0, 1, 0]
    column = every_kind.features.iloc[:, 1]
    assert adata.X[2, 1] == np.float32(np.nanmedian(column)) and adata.X.dtype == np.float32
    assert ms.io.read_h5ad(file).history[1] == {"step": "write_h5ad", "missing": "median", "n": 1}
    with pytest.raises(ValueError, match="missing is 'mean'"):
        ms.io.write_h5ad(every_kind, tmp_path / "b.h5ad", missing="mean")


def test_a_feature_that_is_missing_everywhere_is_filled_without_a_word(every_kind, tmp_path):
    features = pd.DataFrame(every_kind.features).assign(gone=np.nan)
    file = ms.io.write_h5ad(every_kind.with_features(features), tmp_path / "a.h5ad", missing="median")
    assert (ms.io.read_h5ad(file).features["gone"] == 0).all()


def test_images_of_a_file_are_not_read_at_once(every_kind, tmp_path, monkeypatch):
    from mlscope_nb._lazy import read_rows
    from mlscope_nb.io import h5ad_export

    monkeypatch.setattr(h5ad_export, "CHUNK_BYTES", 5 * 2 * 8 * 10 * 2)
    lazy = ms.load(every_kind.save(tmp_path / "a.mlscope"))
    sizes = []

    def spy(array, rows):
        sizes.append(rows.stop - rows.start)
        return read_rows(array, rows)

    monkeypatch.setattr(h5ad_export, "read_rows", spy)
    with pytest.warns(UserWarning, match="NaN"):
        file = ms.io.write_h5ad(lazy, tmp_path / "a.h5ad", images=True)
    assert max(sizes) <= 10
    np.testing.assert_array_equal(ms.io.read_h5ad(file).images, every_kind.images)


def test_columns_that_would_have_one_name_are_refused(every_kind, tmp_path):
    twice = every_kind.with_obs(pd.Series(1.0, every_kind.ids, name="mg_l"))
    with pytest.raises(ValueError, match=r"'mg/l', 'mg_l' would have one name"):
        ms.io.write_h5ad(twice, tmp_path / "a.h5ad")


@pytest.mark.parametrize("name", ["", ".", "..", "_index", "a/b", "a\0b", "index", "__categories"])
def test_names_that_hdf5_does_not_know_come_back(tmp_path, name):
    cells = ms.Cells(pd.DataFrame({name: [1, 2], "other": ["a", "a"]}, index=["c1", "c2"]))
    pd.testing.assert_frame_equal(ms.io.read_h5ad(ms.io.write_h5ad(cells, tmp_path / "a.h5ad")).obs, cells.obs)


@pytest.mark.parametrize("values", [[1, None], [1.5, None], [True, None], [None, None], ["", None]])
@pytest.mark.parametrize("label", ["mixed", None])
def test_numbers_among_objects_come_back(tmp_path, values, label):
    cells = ms.Cells(pd.DataFrame({"mixed": pd.Series(values, ["c1", "c2"], dtype=object)}), label=label)
    pd.testing.assert_frame_equal(ms.io.read_h5ad(ms.io.write_h5ad(cells, tmp_path / "a.h5ad")).obs, cells.obs)


def test_notes_that_do_not_fit_are_refused_in_words(every_kind, written):
    with h5py.File(written, "r+") as file:
        about = json.loads(file["uns/mlscope"][()])
        about["columns"]["dtypes"]["well"] = "float64"
        file["uns/mlscope"][()] = json.dumps(about)
    with pytest.raises(ValueError, match="Column 'well' cannot be read as 'float64'"):
        ms.io.read_h5ad(written)
