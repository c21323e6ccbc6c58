"""Tables of features of other tools: what describes and what was measured, ids, and nothing unpickled."""

import gzip

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from studies._table_files import in_carta_table, profiles_table, write_deepprofiler


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz", ".tsv"])
def test_cytotable(tmp_path, ending):
    table, file = profiles_table(), tmp_path / f"cells ü{ending}"
    if ending == ".parquet":
        table.to_parquet(file)
    else:
        table.to_csv(file, index=False, sep="\t" if ending == ".tsv" else ",")
    cells = ms.io.read_profiles(file, unit="Well", batch="Plate")
    assert list(cells.features) == ["Cells_AreaShape_Area", "Nuclei_Intensity_MeanIntensity_DNA"]
    np.testing.assert_array_equal(cells.features["Cells_AreaShape_Area"], table["Cells_AreaShape_Area"])
    np.testing.assert_array_equal(cells.obs["x_px"], table["Metadata_Nuclei_Location_Center_X"])
    assert list(cells.ids[:2]) == ["1/1", "1/2"] and list(cells.obs["field_id"].unique()) == ["1", "2"]
    assert set(cells.units) == {"A01", "A02"} and "Cytoplasm_Parent_Cells" in cells.obs
    kept = ms.io.read_profiles(file, positions=True).features
    assert "Cells_Location_CenterMassIntensity_X_DNA" in kept and kept.shape[1] == 3


def test_a_folder_of_parts(tmp_path):
    table = profiles_table()
    for i in (0, 1):
        table.iloc[6 * i : 6 * i + 6].to_parquet(tmp_path / f"part{i}.parquet")
    (tmp_path / "part2.parquet").write_bytes(b"PAR1 no")
    with pytest.warns(UserWarning, match=r"part2\.parquet"):
        cells = ms.io.read_profiles(tmp_path)
    assert len(cells) == 12 and cells.history[0]["left_out"][0]["file"].endswith("part2.parquet")
    with pytest.raises(ValueError, match=r"part2\.parquet"):
        ms.io.read_profiles(tmp_path, errors="raise")
    table.rename(columns={"Cells_AreaShape_Area": "Cells_Area"}).to_parquet(tmp_path / "part2.parquet")
    with pytest.warns(UserWarning, match="other columns than 'part0.parquet': 'Cells_Area'"):
        ms.io.read_profiles(tmp_path)


def test_profiles_of_wells(tmp_path):
    wells = pd.DataFrame(
        {
            "Metadata_Plate": ["p1", "p1"],
            "Metadata_Well": ["A01", "A02"],
            "Metadata_Site_Count": [9, 8],
            "DP_0": [1.5, 2],
        }
    )
    wells.to_csv(tmp_path / "w.csv")
    cells = ms.io.read_profiles(tmp_path / "w.csv")
    assert list(cells.ids) == ["p1/A01", "p1/A02"] and list(cells.features) == ["DP_0"]
    assert cells.obs["Site_Count"].tolist() == [9, 8]


def test_names_that_look_like_numbers_stay_names(tmp_path):
    (tmp_path / "t.csv").write_text("Metadata_Plate,Metadata_Well,Cells_A\n0071,A01,1\n0072,A02,2\n")
    assert ms.io.read_profiles(tmp_path / "t.csv").obs["Plate"].tolist() == ["0071", "0072"]


def test_in_carta(tmp_path):
    in_carta_table().to_csv(tmp_path / "t.csv", index=False)
    cells = ms.io.read_profiles(tmp_path / "t.csv", unit="Well")
    obs = cells.obs
    assert obs["Well"].unique() == ["C03"] and obs["Plate"].iloc[0] == "2023-05-06 DAY3" and "Class_Name" not in obs
    assert obs[["y_px", "x_px"]].iloc[0].tolist() == [23, 12] and list(obs["field_id"]) == [
        f"2023-05-06 DAY3/C03/{fov}" for fov in (1, 2, 3)
    ]
    assert cells.ids.is_unique and cells.features["Nuclei Area wv1"].tolist() == [68.5] * 3
    assert not {"Row", "FOV", "OBJECT ID"} & set(cells.features)


def test_deepprofiler(tmp_path):
    write_deepprofiler(tmp_path)
    with pytest.warns(UserWarning, match="'metadata' of the npz files are Python objects and were not loaded"):
        cells = ms.io.read_profiles(tmp_path / "outputs" / "run" / "features", unit="Well")
    assert cells.features.shape == (6, 4) and next(iter(cells.features)) == "DP_0"
    assert cells.features.dtypes.unique() == [np.float32]
    assert cells.obs["x_px"].tolist() == [10, 11, 12] * 2 and set(cells.obs["Treatment"]) == {"DMSO"}
    assert list(cells.obs["field_id"].unique()) == ["SQ1/A01/1", "SQ1/A01/2"]
    one = tmp_path / "outputs" / "run" / "features" / "SQ1" / "A01" / "1.npz"
    with pytest.warns(UserWarning):
        assert len(ms.io.read_profiles(one)) == 3


def test_deepprofiler_without_an_index_goes_by_names(tmp_path):
    np.savez(tmp_path / "SQ_1_B02_4.npz", features=np.ones((2, 3)))
    obs = ms.io.read_profiles(tmp_path).obs
    assert obs[["Plate", "Well", "Site"]].iloc[0].tolist() == ["SQ_1", "B02", "4"]


def test_deepprofiler_with_infinite_features_and_other_widths(tmp_path):
    np.savez(tmp_path / "p_A01_1.npz", features=np.float32([[1, np.inf], [2, 3]]))
    np.savez(tmp_path / "p_A01_2.npz", features=np.ones((2, 3), np.float32))
    with pytest.warns(UserWarning) as caught:
        cells = ms.io.read_profiles(tmp_path)
    said = " ".join(str(w.message) for w in caught)
    assert "p_A01_2.npz: has 3 features, the first has 2" in said and "1 infinite number in 'DP_1'" in said
    assert len(cells) == 2 and np.isnan(cells.features.iloc[0, 1])


def test_features_that_are_objects_are_refused(tmp_path):
    write_deepprofiler(tmp_path, objects="features")
    with (
        pytest.warns(UserWarning, match="never loaded"),
        pytest.raises(ValueError, match=r"1.npz.*Python objects.*numpy.savez"),
    ):
        ms.io.read_profiles(tmp_path / "outputs" / "run" / "features")


class Pwned:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickles_are_never_opened(tmp_path):
    bad = tmp_path / "run"
    array = np.array([Pwned(bad)], dtype=object)
    np.savez(tmp_path / "p_A01_1.npz", features=array, metadata=array, locations=array)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"p_A01_1\.npz"):
        ms.io.read_profiles(tmp_path)
    assert not bad.exists()


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.csv", b"Metadata_Well\nA01\n", "no column of the table is a measurement"),
        ("a.csv", b"Metadata_Well,Cells_A\n", "has no rows"),
        ("a.csv", b"Metadata_Well,Cells_A\nA01,1\nA02", "cut short"),
        ("a.csv.gz", gzip.compress(b"Metadata_Well,Cells_A\nA01,1\n" * 99, mtime=0)[:60], "cut short"),
        ("a.parquet", b"PAR1" * 9, "cannot be read as Parquet"),
        ("a.npz", b"PK", "cannot be read as npz"),
        ("a.xlsx", b"PK", "of a kind that is not known"),
        ("a.csv", b"", "is empty"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=match) as caught:
        ms.io.read_profiles(tmp_path / name, errors="raise")
    assert name in str(caught.value)


def test_ids_that_stand_twice_are_refused_or_numbered(tmp_path):
    table = profiles_table().assign(Metadata_cell_id=[f"c{i}" for i in range(12)])
    table.to_parquet(tmp_path / "a.parquet")
    assert ms.io.read_profiles(tmp_path / "a.parquet").ids[11] == "c11"
    table.assign(Metadata_ObjectNumber=1).drop(columns="Metadata_cell_id").to_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match="12 rows share their ImageNumber, ObjectNumber with another"):
        assert ms.io.read_profiles(tmp_path / "a.parquet").ids[11] == "row0000011"
    table.assign(Metadata_cell_id="c").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet.*'cell_id' names 12 rows more than once"):
        ms.io.read_profiles(tmp_path / "a.parquet")


def test_lists_and_infinity_are_said(tmp_path):
    table = profiles_table().assign(Cells_Thumb=[[1]] * 12)
    table.loc[0, "Cells_AreaShape_Area"] = np.inf
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match=r"lists or structures left out: 'Cells_Thumb'; 1 infinite number"):
        cells = ms.io.read_profiles(tmp_path / "a.parquet")
    assert np.isnan(cells.features.iloc[0, 0])


def test_what_mlscope_wrote_comes_back(tmp_path):
    obs = pd.DataFrame({"plate": pd.Categorical(["1", "2"]), "n": [1, 2]}, index=["a", "b"])
    table = pd.DataFrame({"Cells_Location_Center_X": np.float32([1, 2])}, index=["a", "b"])
    cells = ms.Cells(obs, features=table, batch="plate", pixel_size_um=0.5)
    back = ms.io.read_profiles(ms.io.write_profiles(cells, tmp_path / "c.parquet"))
    pd.testing.assert_frame_equal(back.obs, cells.obs)
    pd.testing.assert_frame_equal(back.features, cells.features)
    assert back.design == cells.design and back.pixel_size_um == 0.5
