"""Every feature that can be measured has a sentence; a misspelt one gets offers."""

import re

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


@pytest.fixture(scope="module")
def names():
    masks = np.zeros((2, 24, 24), np.uint8)
    masks[:, 6:18, 6:18], masks[:, 18:, :] = 1, 2
    obs = pd.DataFrame({"field_id": "f", "y_px": [1.0, 2], "x_px": 3.0}, index=["a", "b"])
    images = np.random.default_rng(0).integers(50, 250, (2, 2, 24, 24)).astype(np.uint8)
    cells = ms.Cells(
        obs, images, masks=masks, channels=["DNA", "far_red"], compartments={"nucleus": masks, "vacuole": masks}
    )
    return list(ms.features.measure(cells, "all", texture_scales=(1, 12)).columns)


def test_every_feature_has_one_plain_sentence_of_its_own(names):
    sentences = {name: ms.features.describe(name) for name in names}
    assert len(names) > 900
    for name, sentence in sentences.items():
        assert sentence[0].isupper() and sentence.endswith("."), name
        assert not re.search(r"[{}]|_(?!red)", re.sub(r"\(.*?\)|DNA_far_red|far_red_DNA", "", sentence)), sentence
    assert len(set(sentences.values())) == len(sentences)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Nuclei_Texture_Contrast_DNA_3_01_256", "DNA in the nucleus.* 3 px apart .down right"),
        ("Cells_Intensity_MeanIntensity_far_red", "Mean brightness of far_red in the cell"),
        ("Cytoplasm_RadialDistribution_FracAtD_DNA_2of4", "DNA in the cytoplasm .* ring 2 of 4"),
        ("Cells_Correlation_K_RNA_DNA", "How bright DNA is beside RNA"),
        ("Vacuole_AreaShape_Area", "the part 'Vacuole'"),
        ("Cells_Neighbors_NumberWithin_50", "within 50 px"),
    ],
)
def test_the_sentence_names_part_channel_and_scale(name, words):
    assert re.search(words, ms.features.describe(name))


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("Nuclei_AreaShape_Aera", "Nuclei_AreaShape_Area"),
        ("Cells_Texture_Contrst_DNA_3_01_256", "Cells_Texture_Contrast_DNA_3_00_256"),
        ("Cells_Intensity_MeanIntensty_DNA", "Cells_Intensity_MeanIntensity_DNA"),
    ],
)
def test_a_misspelt_name_gets_close_ones(name, close):
    with pytest.raises(ValueError, match=close):
        ms.features.describe(name)


@pytest.mark.parametrize(
    "name", ["", "x", "Cells", "Cells_AreaShape", "Cells_Nothing_At_All", "Cells_Intensity_MeanIntensity"]
)
def test_what_is_no_feature_is_refused(name):
    with pytest.raises(ValueError, match="No feature is called"):
        ms.features.describe(name)


def test_a_drawing_for_every_feature_and_nothing_from_the_data_is_markup(names):
    from xml.etree import ElementTree

    drawn = {name: ms.features.describe(name)._repr_html_() for name in names}
    for name, text in drawn.items():
        picture = text[text.index("<svg") : text.index("</svg>") + 6]
        ElementTree.fromstring(picture)
        assert len(list(ElementTree.fromstring(picture))) >= 3, name
    kinds = {drawn[n][: drawn[n].index("</svg>")] for n in names}
    assert len(kinds) > 60, "parts, scales, directions and rings are told apart"


def test_cells_are_shown_from_low_to_high():
    rng = np.random.default_rng(0)
    ids = [f"<b>{i}" for i in range(30)]
    images = rng.integers(0, 200, (30, 1, 8, 8)).astype(np.uint8)
    name = "Cells_AreaShape_Area"
    table = pd.DataFrame({name: rng.permutation(30).astype(float)}, index=ids)
    table.iloc[3] = np.nan
    cells = ms.Cells(pd.DataFrame(index=ids), images, features=table, channels=["DNA"])
    shown = ms.features.describe(name, cells, n=6)
    assert len(shown.ids) == 6 and table.loc[shown.ids, name].is_monotonic_increasing
    assert shown._repr_html_().count("<img") == 6 and "<b>" not in shown._repr_html_().replace(f"<b>{name}</b>", "")
    with pytest.raises(ValueError, match="no feature 'Nuclei_AreaShape_Area'"):
        ms.features.describe("Nuclei_AreaShape_Area", cells)
