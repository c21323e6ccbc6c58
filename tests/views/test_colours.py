import numpy as np
import pandas as pd

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


def distance(a, b):
    """Distance in CIE Lab."""
    from skimage.color import rgb2lab

    return float(np.linalg.norm(rgb2lab(a.reshape(1, 1, 3)) - rgb2lab(b.reshape(1, 1, 3))))


def test_the_first_colours_stay_apart_for_colour_blind_readers():
    # Machado, Oliveira & Fernandes 2009, severity 1.0: protanopia and deuteranopia, in linear RGB.
    matrices = {
        "protan": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deutan": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    }
    colours = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in PALETTE[:8]])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    for matrix in matrices.values():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        seen = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
        apart = [distance(seen[i], seen[j]) for i in range(8) for j in range(i)]
        assert min(apart) > 10
