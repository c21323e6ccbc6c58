"""What is shown of predicted pictures is what they hold, at its place."""

import numpy as np
import pandas as pd
import pytest

from mlscope_nb.fields import Fields
from mlscope_nb.predict.images import overlaid, windows


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    ids = ["f1", "f2", "f3"]
    truth = Fields(pd.DataFrame(index=ids), list(rng.random((3, 2, 90, 100))), channels=["actin", "DNA"])
    said = Fields(pd.DataFrame(index=ids), list(rng.random((3, 1, 90, 100)) * 7), channels=["DNA"])
    return said, truth


def test_both_pictures_lie_on_each_other_each_on_its_scale(pair):
    said, truth = pair
    both = overlaid(said.subset(["f3", "f1"]), truth)
    assert both.channels == ("true DNA", "predicted DNA") and list(both.ids) == ["f3", "f1"]
    shown = np.asarray(both.images[0], float)
    for row, picture in ((0, truth.images[2][1]), (1, said.images[2][0])):
        assert np.corrcoef(shown[row].ravel(), np.asarray(picture).ravel())[0, 1] > 0.999
        assert 1900 < np.percentile(shown[row], 99.8) < 2100


def test_windows_are_cut_where_they_lie(pair):
    said, _ = pair
    places = pd.DataFrame({"field": ["f2", "f1"], "y_px": [10, 0], "x_px": [3, 60], "error": [0.1, 0.2]}, index=[7, 9])
    crops = windows(said, places, size=40)
    assert list(crops.ids) == ["7", "9"] and crops.obs["error"].tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(crops.images[0], said.images[1][:, 10:50, 3:43])
    with pytest.raises(ValueError, match="reaches beyond its field: '9'"):
        windows(said, places, size=41)
    with pytest.raises(KeyError, match="No field 'nowhere'"):
        windows(said, places.replace("f2", "nowhere"))
    with pytest.raises(KeyError, match="No column 'y_px'"):
        windows(said, places.drop(columns="y_px"))


def test_a_field_without_truth_is_refused(pair):
    said, truth = pair
    with pytest.raises(KeyError, match="The truth lacks 'f2'"):
        overlaid(said, truth.subset(["f1", "f3"]))
    with pytest.raises(KeyError, match="No channel 'RNA'"):
        overlaid(said, truth, channel="RNA")
