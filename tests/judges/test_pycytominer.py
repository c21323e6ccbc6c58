"""pycytominer normalises, selects and aggregates what write_profiles writes, from the file itself."""

import numpy as np
import pytest

import mlscope_nb as ms


@pytest.fixture(scope="module")
def said(ask, cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pycytominer")
    files = {kind: ms.io.write_profiles(cells, folder / f"profiles{kind}") for kind in (".parquet", ".csv", ".csv.gz")}
    deep = cells.with_features(cells.features.iloc[:, :8].set_axis([f"net_{i}" for i in range(8)], axis=1))
    files["prefixed"] = ms.io.write_profiles(deep, folder / "deep.parquet", prefix="Cells")
    found = ask("pycytominer", *files.values())
    return {kind: found[str(file)] for kind, file in files.items()}


@pytest.mark.parametrize("kind", [".parquet", ".csv", ".csv.gz"])
def test_all_columns_are_features_or_metadata(said, cells, kind):
    found = said[kind]
    assert found["features"] == list(cells.features.columns)
    assert found["metadata"] == ["Metadata_cell_id", *(f"Metadata_{c}" for c in cells.obs.columns)]
    assert found["neither"] == []
    assert found["ids"] == list(cells.ids)


@pytest.mark.parametrize("kind", [".parquet", ".csv", ".csv.gz", "prefixed"])
def test_it_normalises_to_controls_and_selects(said, kind):
    assert said[kind]["controls_mean"] < 1e-9 and said[kind]["controls_sd"] < 1e-9
    assert 0 < len(said[kind]["selected"]) < len(said[kind]["features"])


def test_it_aggregates_wells_as_mlscope_does(said, cells):
    first = cells.features.columns[0]
    wanted = cells.features[first].groupby([cells.obs["plate"], cells.obs["well"]]).median()
    assert said[".parquet"]["wells"] == [f"{plate}/{well}" for plate, well in wanted.index]
    np.testing.assert_allclose(said[".parquet"]["medians"], wanted.to_numpy())


def test_names_that_it_does_not_know_get_a_prefix_where_asked_for(said):
    assert said["prefixed"]["features"] == [f"Cells_net_{i}" for i in range(8)]
