import numpy as np
import pandas as pd
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from mlscope_nb.views.colours import (
    MISSING,
    PALETTE,
    CategoryColours,
    as_text,
    category_colours,
    is_continuous,
)


def test_a_category_keeps_its_colour_when_others_come_and_go():
    colours = CategoryColours()
    first = colours.of(["b", "c"])
    assert colours.of(["a", "b", "c"])["b"] == first["b"]
    assert colours.of(["c"]) == {"c": first["c"]}


def test_colours_differ_until_the_palette_is_used_up():
    names = [f"p{i}" for i in range(len(PALETTE))]
    assert len(set(category_colours(names).values())) == len(PALETTE)
    many = category_colours([f"p{i}" for i in range(2 * len(PALETTE))])
    assert sorted(many.values()) == sorted(PALETTE * 2)


def test_order_is_natural_or_that_of_the_categorical():
    assert list(category_colours(["p10", "p2", "p1"])) == ["p1", "p2", "p10"]
    assert list(category_colours(["10", "9", "a9"])) == ["9", "10", "a9"]
    ordered = pd.Series(pd.Categorical(["low", "high"], ["low", "mid", "high"]))
    assert list(category_colours(ordered)) == ["low", "high"]


def test_missing_values_are_grey():
    assert category_colours(["a", None, np.nan])["(none)"] == MISSING
    assert as_text(pd.Series(["a", np.nan, None])).tolist() == ["a", "(none)", "(none)"]
    assert as_text(pd.Series(pd.Categorical(["a", None]))).tolist() == ["a", "(none)"]
    assert as_text(pd.Series([1, 2])).tolist() == ["1", "2"]


def test_a_given_colour_is_not_given_again():
    colours = category_colours(["a", "b"], given={"b": PALETTE[0]})
    assert colours == {"a": PALETTE[1], "b": PALETTE[0]}


def test_which_columns_are_continuous():
    assert is_continuous(pd.Series([0.5, 1.5]))
    assert is_continuous(pd.Series(range(40)))
    assert not is_continuous(pd.Series([1, 2, 3, 1]))
    assert not is_continuous(pd.Series([True, False]))
    assert not is_continuous(pd.Series(["a", "b"]))


# Machado, Oliveira & Fernandes 2009, severity 1.0, in linear RGB.
SEEN = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colours):
    """The colours as red, green and blue light (N, 3)."""
    values = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def nearest(colours, matrix):
    """The smallest CIEDE2000 between two of the colours as somebody sees them."""
    light = np.clip(linear(colours) @ np.array(matrix).T, 0, 1)
    lab = rgb2lab(np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055))
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    return apart[np.triu_indices(len(colours), 1)].min()


@pytest.mark.parametrize("vision", SEEN)
def test_colours_stay_apart_for_colour_blind_readers(vision):
    assert nearest(PALETTE[:8], SEEN[vision]) > 10
    assert nearest(PALETTE, SEEN[vision]) > 6


@pytest.mark.parametrize("ground", ["#ffffff", "#212121"])
def test_colours_stand_out_from_a_light_and_a_dark_page(ground):
    light, page = (linear(c) @ [0.2126, 0.7152, 0.0722] + 0.05 for c in (PALETTE, [ground]))
    assert (np.maximum(light, page) / np.minimum(light, page)).min() >= 3
