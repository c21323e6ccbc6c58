"""Baselines: what gives the label away without a look at the cell is found, and what does not is not."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


def with_images(cells, inside, outside, masks=True):
    """Crops with grey levels given for each cell and for what is around it."""
    disc = (np.hypot(*np.mgrid[-8:8, -8:8]) < 4).astype("uint8")
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2, (len(cells), 1, 16, 16))
    levels = np.where(disc[None] == 1, np.asarray(inside)[:, None, None], np.asarray(outside)[:, None, None])
    images = np.clip(levels[:, None] + noise, 0, 255).astype("uint8")
    design = {k: getattr(cells.design, k) for k in ("label", "unit", "batch")}
    extra = {"masks": np.repeat(disc[None], len(cells), 0)} if masks else {}
    return ms.Cells(cells.obs, images, features=cells.features, channels=["DNA"], **extra, **design)


def baselines(cells, **options):
    return ms.predict.cross_validate(cells, progress=False, n_permutations=1, **options).baselines


@pytest.mark.parametrize("masks", [True, False])
def test_light_around_the_cell_is_told_from_light_in_it(study, masks):
    cells = study(effect=0)
    label = (cells.labels == "b").to_numpy()
    table = baselines(with_images(cells, np.full(len(cells), 100), 30 + 20 * label, masks), by="plate")
    assert table.loc["background pixels", "balanced_accuracy"] > 0.95
    assert table.loc["background pixels", "gain_high"] < 0
    if masks:
        assert table.loc["intensity", "balanced_accuracy"] < 0.7
        assert "area" not in table.index, "all cells have the same area, which says nothing"


def test_position_on_the_plate_gives_the_label_away_and_the_words_say_so(study):
    found = ms.predict.cross_validate(study(effect=1), by="plate", progress=False)
    assert found.baselines.loc["metadata", "balanced_accuracy"] == 1
    assert "Not clearly better than 'metadata' alone" in str(found)


def test_number_of_cells_alone(study):
    cells = study(n_cells=12, effect=0)
    few = (cells.labels == "b") & (cells.obs.groupby(cells.units).cumcount() >= 5)
    table = baselines(cells.subset((~few).to_numpy()), by="plate")
    assert table.loc["cell count", "balanced_accuracy"] == 1
    assert table.loc["majority", "balanced_accuracy"] == 0.5


def test_measured_area_and_neighbours_are_found_by_their_names(study):
    cells = study(effect=0)
    label = (cells.labels == "b").to_numpy()
    noise = np.random.default_rng(1).normal(size=(len(cells), 2))
    names = ["Cells_AreaShape_Area", "Cells_Neighbors_NumberOfNeighbors_Adjacent"]
    table = pd.DataFrame(noise + 4 * label[:, None], cells.ids, names)
    found = baselines(cells.with_features(table), by="plate")
    assert (found.loc[["area", "density"], "balanced_accuracy"] > 0.9).all()


def test_permuted_labels_stay_at_chance_and_have_no_gain(study):
    found = ms.predict.cross_validate(study(n_plates=6, effect=3), progress=False, n_permutations=4)
    row = found.baselines.loc["permuted labels"]
    assert 0.3 < row["low"] <= row["balanced_accuracy"] <= row["high"] < 0.7
    assert np.isnan(row["gain"]) and found.balanced_accuracy > 0.9
    assert any("exchanged between whole units 4 times" in note for note in found.notes)


def test_another_annotator_is_the_ceiling(study):
    cells = study()
    second = cells.labels.copy()
    wrong = second.index[::10]
    second[wrong] = second[wrong].map({"a": "b", "b": "odd"})
    both = cells.with_obs(second.rename("second"))
    table = baselines(both, by="plate", annotator="second")
    share = pd.Series(cells.labels == second).groupby(cells.labels).mean().mean()
    assert table.loc["second annotator", "balanced_accuracy"] == pytest.approx(share)
    with pytest.raises(KeyError, match="annotator="):
        baselines(both, by="plate", annotator="third")


def test_gain_is_the_difference_of_the_scores(study):
    found = ms.predict.cross_validate(study(), by="plate", progress=False, n_permutations=0)
    table = found.baselines
    assert np.allclose(table["gain"], found.balanced_accuracy - table["balanced_accuracy"])
    assert (table["gain_low"] <= table["gain"]).all() and (table["gain"] <= table["gain_high"]).all()
