"""write_profiles: what comes back by read_profiles is what was written; other tools find features and Metadata_."""

import gzip

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


def test_parquet_brings_everything_back_but_images_and_maps(every_kind, tmp_path):
    back = ms.io.read_profiles(ms.io.write_profiles(every_kind, tmp_path / "a.parquet"))
    pd.testing.assert_frame_equal(back.obs, every_kind.obs)
    pd.testing.assert_frame_equal(back.features, every_kind.features)
    assert (back.channels, back.pixel_size_um, back.design) == (
        every_kind.channels,
        every_kind.pixel_size_um,
        every_kind.design,
    )
    assert back.history[0] == {"step": "made", "seed": 3, "note": "<script>"}
    assert back.images is None


def test_a_second_round_is_the_same(every_kind, tmp_path):
    once = ms.io.read_profiles(ms.io.write_profiles(every_kind, tmp_path / "a.parquet"))
    twice = ms.io.read_profiles(ms.io.write_profiles(once, tmp_path / "b.parquet"))
    pd.testing.assert_frame_equal(twice.obs, every_kind.obs)
    pd.testing.assert_frame_equal(twice.features, every_kind.features)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV"])
def test_csv_brings_ids_and_numbers_back_to_the_last_bit(every_kind, tmp_path, name):
    precise = every_kind.with_features(every_kind.features.astype(float) / 3)
    back = ms.io.read_profiles(ms.io.write_profiles(precise, tmp_path / name))
    assert list(back.ids) == list(precise.ids)
    pd.testing.assert_frame_equal(back.features, precise.features, check_exact=True)
    assert back.obs["well"].tolist() == precise.obs["well"].tolist()


def test_plain_tools_find_features_and_metadata(every_kind, tmp_path):
    table = pd.read_parquet(ms.io.write_profiles(every_kind, tmp_path / "a.parquet"))
    named = [c for c in table.columns if not c.startswith("Metadata_")]
    assert named == list(every_kind.features.columns)
    assert table["Metadata_cell_id"].tolist() == list(every_kind.ids)
    assert table["Metadata_plate"].tolist() == every_kind.obs["plate"].tolist()
    assert {str(table[c].dtype) for c in named} == {"float32"}


def test_columns_that_are_metadata_already_keep_their_names(every_kind, tmp_path):
    cells = every_kind.with_obs(pd.Series("p1", every_kind.ids, name="Metadata_Plate"))
    file = ms.io.write_profiles(cells, tmp_path / "a.parquet")
    assert "Metadata_Plate" in pd.read_parquet(file) and "Metadata_Metadata_Plate" not in pd.read_parquet(file)
    pd.testing.assert_frame_equal(ms.io.read_profiles(file).obs, cells.obs)


def test_features_that_pycytominer_would_not_find_are_named_and_may_get_a_prefix(every_kind, tmp_path):
    table = pd.DataFrame(every_kind.features).rename(columns={"Nuclei_Texture_x/y": "net_0"})
    cells = every_kind.with_features(table)
    with pytest.warns(UserWarning, match=r"1 feature of 3 .*'net_0'.*prefix='Cells'"):
        ms.io.write_profiles(cells, tmp_path / "a.parquet")
    file = ms.io.write_profiles(cells, tmp_path / "b.parquet", prefix="Cells")
    assert "Cells_net_0" in pd.read_parquet(file).columns
    pd.testing.assert_frame_equal(ms.io.read_profiles(file).features, cells.features)


def test_wells_are_written_too(tmp_path):
    cells, _ = ms.datasets.simulate(n_plates=2, wells_per_plate=4, cells_per_well=3, seed=5002)
    table = pd.DataFrame({"Cells_AreaShape_Area": np.arange(len(cells), dtype=float)}, index=cells.ids)
    wells = ms.features.aggregate(cells.with_features(table))
    back = ms.io.read_profiles(ms.io.write_profiles(wells, tmp_path / "wells.parquet"))
    pd.testing.assert_frame_equal(back.features, wells.features)
    pd.testing.assert_frame_equal(back.obs, wells.obs)
    assert back.design == wells.design


def test_cells_without_features_are_refused(every_kind, tmp_path):
    bare = ms.Cells(every_kind.obs)
    with pytest.raises(ValueError, match="no features to write"):
        ms.io.write_profiles(bare, tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.with_obs(pd.Series(1, c.ids, name="Metadata_plate")), "'Metadata_plate'"),
        (lambda c: c.with_obs(pd.Series(1, c.ids, name="Metadata_cell_id")), "'Metadata_cell_id'"),
        (lambda c: c.with_features(pd.DataFrame({"Metadata_x": 1.0}, index=c.ids)), "taken? for metadata|take them"),
    ],
)
def test_names_that_would_clash_are_refused(every_kind, tmp_path, change, said):
    with pytest.raises(ValueError, match=said):
        ms.io.write_profiles(change(every_kind), tmp_path / "a.parquet")


def test_a_file_changed_by_another_tool_is_told_from_ours(every_kind, tmp_path):
    """Columns taken away, notes left: pandas drops them, pyarrow keeps them."""
    from pyarrow import parquet

    file = ms.io.write_profiles(every_kind, tmp_path / "a.parquet")
    parquet.write_table(parquet.read_table(file).drop_columns(["Metadata_plate"]), file)
    with pytest.raises(ValueError, match=r"'Metadata_plate'\. Was the file changed"):
        ms.io.read_profiles(file)


def test_gz_is_gzip(every_kind, tmp_path):
    with gzip.open(ms.io.write_profiles(every_kind, tmp_path / "a.csv.gz"), "rt", encoding="utf-8") as file:
        assert file.readline().startswith("Metadata_cell_id,Metadata_plate,")
