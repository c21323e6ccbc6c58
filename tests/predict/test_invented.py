"""What predicted pictures invent: counted against pictures in which it is known, and plain methods beside."""

import io
import json
from importlib import import_module
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tqdm.std import tqdm

from mlscope_nb.fields import Fields
from mlscope_nb.predict.images import Ensemble, Plain, compare, image_network, invented, plain, train, train_ensemble
from mlscope_nb.predict.images.disagreement import warnings_of
from mlscope_nb.predict.images.likeness import by_brightness, by_scale, likeness
from mlscope_nb.predict.images.matching import f1, matched
from mlscope_nb.predict.images.rates import factors
from tests.predict.image_fields import discs
from tests.reference.overlap import f1 as f1_of_studies

FEW = {"epochs": 1, "steps": 2, "patch": 32, "width": 4, "progress": False}
PLACES = [(16, 16), (16, 48), (48, 16), (48, 48)]


def spots(present, n_fields=4, obs=None, size=7):
    """Return fields (one channel) with a spot at some of four places, and their masks."""
    image, mask = np.full((64, 64), 10.0), np.zeros((64, 64), np.int32)
    for k in present:
        near = np.hypot(*(np.mgrid[:64, :64] - np.array(PLACES[k])[:, None, None])) < size
        image[near], mask[near] = 100.0, k + 1
    ids = [f"f{i}" for i in range(n_fields)]
    obs = pd.DataFrame(index=ids) if obs is None else obs
    return Fields(obs, [image[None]] * n_fields, [mask] * n_fields, channels=["DNA"])


def test_invented_and_missed_objects_are_counted():
    truth, said = spots([0, 1, 2]), spots([1, 2, 3])
    for masks in ("segment", "given", lambda f: f):
        found = invented(said, truth, masks=masks)
        assert (
            found.per_field[["n_found", "n_true", "n_invented", "n_missed", "from_nothing"]] == [3, 3, 1, 1, 1]
        ).all(axis=None)
        assert found.invented.estimate == found.missed.estimate == pytest.approx(1 / 3)
        assert found.invented.n_units == 4 and found.count_error.estimate == 0
    assert "4 of 12 found objects are invented" in str(found)


def test_what_all_intervals_share_is_said_once():
    four, two = (str(invented(spots([1], n_fields=n), spots([1, 2], n_fields=n))) for n in (4, 2))
    assert "Means over 4 fields, with 95 % intervals: share invented 0.00 (0.00 to 0.60), share missed 0.50" in four
    assert "PSNR (dB) 15 (15 to 15)" in four and four.count("95 %") == 1
    why = "(no interval: too few units to say, 2 fields found, at least 3 needed)."
    assert two.endswith(why) and two.count("no interval") == 1


def test_intervals_over_other_numbers_of_units_are_told_apart():
    truth = spots([1], n_fields=4)
    said = truth.with_images([*truth.images[:1], *spots([1, 2], n_fields=3).images])
    text = str(invented(said, truth))
    assert "PSNR (dB) 15 (95 % interval over 3 fields" in text and "(95 % interval over 4 fields" in text


def test_a_misshapen_object_is_invented_and_missed_but_not_from_nothing():
    found = invented(spots([0], size=4), spots([0], size=9), masks="given").per_field
    assert (found["n_invented"] == 1).all() and (found["n_missed"] == 1).all() and (found["from_nothing"] == 0).all()


def test_a_perfect_prediction_invents_nothing_and_likeness_has_no_end():
    found = invented(spots([0, 2]), spots([0, 2]))
    assert found.invented.estimate == found.missed.estimate == 0
    assert np.isnan(found.likeness["psnr"].estimate) and found.likeness["ssim"].estimate == pytest.approx(1)
    assert (found.by_scale["wrong"] == 0).all()


def test_fields_without_objects_are_named_and_no_share_is_made_up():
    found = invented(spots([0]), spots([]), masks="given")
    assert found.invented.estimate == 1 and np.isnan(found.missed.estimate)
    assert "without a true object" in str(found)
    found = invented(spots([]), spots([0]), masks="given")
    assert found.invented.estimate == 0 and found.missed.estimate == 1 and "Nothing at all" in str(found)


def test_what_is_missed_is_told_by_size_and_by_brightness():
    small, large = spots([0, 1], size=4), spots([2, 3], size=9)
    masks = [np.asarray(a) + np.asarray(b) for a, b in zip(small.masks, large.masks, strict=True)]
    light = [np.maximum(a, 2 * np.asarray(b)) for a, b in zip(small.images, large.images, strict=True)]
    truth = small.with_masks(masks).with_images(light)
    found = invented(truth.with_masks(list(large.masks)), truth, masks="given")
    for table in (found.by_size, found.by_brightness):
        assert table["n"].sum() == 16 and table["missed"].iloc[0] == 1 and table["missed"].iloc[-1] == 0
    dim = truth.with_images([20 + (i - 20) * 0.5 for i in light])
    assert invented(dim, truth, masks="given").by_brightness["brightness_error"].to_numpy() == pytest.approx(-0.5)


def test_intervals_are_over_units_not_over_fields():
    obs = pd.DataFrame({"well": list("aabb")}, index=[f"f{i}" for i in range(4)])
    truth = spots([0], obs=obs)
    assert invented(spots([0]), truth, by="well").invented.n_units == 2
    assert invented(spots([0]), truth).invented.n_units == 4


def test_domains_are_told_apart_and_the_factor_is_that_of_the_rates():
    obs = pd.DataFrame({"scope": ["A"] * 6 + ["B"] * 6}, index=[f"f{i}" for i in range(12)])
    truth = spots([0, 1], 12, obs)
    wrong = [*[(0, 1, 2), (0, 1)] * 3, *[(0, 1, 2, 3)] * 5, (0, 1)]
    masks = [np.asarray(spots(p, 1).masks[0]) for p in wrong]
    found = invented(truth.with_masks(masks), truth, masks="given", domain="scope")
    assert found.domains["invented_share"].tolist() == pytest.approx([1 / 6, 5 / 12])
    row = found.factors.loc["B"]
    assert row["factor"] == pytest.approx((10.5 / 23) / (3.5 / 16))
    assert 0.9 < row["low"] < row["factor"] < row["high"] < 6
    assert "times as much is invented" in str(found)


def test_the_interval_of_the_factor_holds_the_true_one():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(200):
        rows = pd.DataFrame({"domain": list("ab") * 8, "unit": range(16), "n_found": 60})
        rows["n_invented"] = rng.binomial(60, rng.beta(8, np.where(rows["domain"] == "a", 72, 24)))
        low, high = factors(rows, 0.95).loc["b", ["low", "high"]]
        inside += low <= 0.25 / 0.1 <= high
    assert 180 <= inside <= 199


def test_likeness_is_that_of_scikit_image():
    rng = np.random.default_rng(0)
    true = ndimage.gaussian_filter(rng.random((40, 50)), 2)
    said = true + 0.01 * rng.normal(size=true.shape)
    found = likeness(said, true, np.array([0.2, 0.7]))
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(true, said, data_range=0.5))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 0.5}
    assert found["ssim"] == pytest.approx(structural_similarity(true, said, **options))


def test_error_is_told_by_size_of_structure_and_by_brightness():
    rng = np.random.default_rng(0)
    true = rng.random((96, 96))
    blurred = {row["size_px"]: row["wrong"] for row in by_scale(ndimage.gaussian_filter(true, 2), true)}
    assert blurred[1] > 0.8 and blurred[16] < 0.3
    levels = by_brightness(np.minimum(true, 0.8), true, np.array([0.0, 1.0]))
    assert levels[0]["error"] == 0 and levels[-1]["bias"] < -0.1


def test_matching_agrees_with_the_study_s_and_refuses_less_than_half():
    a, b = (np.asarray(discs(n_fields=1, seed=k)[0].masks[0]) for k in (0, 1))
    assert f1(a, b) == f1_of_studies(a, b) and f1(a, a) == 1
    with pytest.raises(ValueError, match=r"iou is 0\.3"):
        matched(a, b, 0.3)


def test_disagreement_that_finds_the_error_is_told_from_one_that_does_not_in_each_domain():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"unit": np.repeat(list("abcdefgh"), 20), "domain": np.repeat(["in", "out"], 80)})
    rows["error"] = rng.random(160) + 10 * (rows["domain"] == "out")
    rows["brightness"] = rng.random(160)
    rows["disagreement"] = np.where(rows["domain"] == "in", rows["error"], rng.random(160))
    found = warnings_of(rows)
    assert found.loc["in", "disagreement"] == 1
    assert found.loc["out", "low"] < 0.5 < found.loc["out", "high"]


def test_an_ensemble_of_seeds_predicts_the_mean_and_its_spread_is_held_against_the_error():
    noisy, clean = discs()
    both = train_ensemble(noisy, "denoise", seeds=(0, 1), **FEW)
    each = [np.asarray(n.predict(noisy, progress=False).images[0], float) for n in both.networks]
    assert np.allclose(np.asarray(both.predict(noisy, progress=False).images[0]), np.mean(each, axis=0), atol=1e-2)
    said = both.predict(noisy, progress=False)
    found = invented(said, clean, ensemble=both, inputs=noisy, window_px=32)
    assert len(found.crops) == 6 * 4 and found.warning.loc["all", "n_units"] == 3
    first = found.crops.iloc[0]
    true, guess = np.asarray(clean.images[0])[0], np.asarray(said.images[0])[0]
    span = np.diff(np.percentile(true, [1, 99.8]))[0]
    assert first["error"] == pytest.approx(np.sqrt((((guess - true) / span)[:32, :32] ** 2).mean()), rel=1e-4)
    with pytest.raises(ValueError, match="give what it reads"):
        invented(said, clean, ensemble=both)
    with pytest.raises(ValueError, match="at least 2"):
        Ensemble(both.networks[:1])
    with pytest.raises(ValueError, match="two different ones"):
        train_ensemble(noisy, "denoise", seeds=(1, 1), **FEW)


def test_features_and_calls_in_predicted_pictures_are_held_against_the_true_ones():
    _, clean = discs(n_fields=16, with_label=True)
    bright = clean.obs["drug"].map({"x": 1.0, "y": 1.6})
    truth = clean.with_images([np.asarray(i) * b for i, b in zip(clean.images, bright, strict=True)])
    flat = truth.with_images([np.asarray(i) / b for i, b in zip(truth.images, bright, strict=True)])
    right, wrong = (invented(said, truth, masks="given", downstream=True) for said in (truth, flat))
    assert right.phenotype["true"].estimate == right.phenotype["predicted"].estimate > 0.9
    assert right.phenotype["agreement"].estimate == 1 and (right.downstream["bias"].dropna() == 0).all()
    assert wrong.phenotype["predicted"].estimate < 0.7 and wrong.phenotype["agreement"].estimate < 0.7
    assert right.downstream["correlation"].dropna().min() == pytest.approx(1)


def test_without_label_nothing_is_called_and_without_masks_nothing_is_measured():
    noisy, clean = discs()
    assert invented(noisy, clean, downstream=True).phenotype is None
    bare = Fields(clean.obs, clean.images, channels=clean.channels)
    with pytest.raises(ValueError, match="no masks"):
        invented(noisy, bare, downstream=True)
    with pytest.raises(ValueError, match="both need masks"):
        invented(noisy, bare, masks="given")


def test_results_are_plain_values_and_escaped_words():
    truth = spots([0, 1, 2])
    found = invented(spots([1, 2, 3]), truth)
    assert json.loads(json.dumps(found.to_dict()))["channel"] == "DNA"
    assert found._repr_html_().startswith("<p>DNA: 4 of 12")


# --- plain methods --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian", "non-local means"])
def test_filters_are_chosen_for_each_channel_with_or_without_clean_pictures(name):
    noisy, clean = discs(noise=15.0)
    mixed = noisy.with_images(
        [np.stack([n[0], c[1]]) for n, c in zip(noisy.images, clean.images, strict=True)],
    )
    chosen = plain(mixed, "denoise", clean=clean)[name]
    assert chosen.settings["strength"][0] > chosen.settings["strength"][1]
    said = chosen.predict(mixed)
    wrong = [np.mean([(np.asarray(a)[0] - np.asarray(b)[0]) ** 2 for a, b in zip(x.images, clean.images, strict=True)])
             for x in (said, mixed)]  # fmt: skip
    assert wrong[0] < 0.5 * wrong[1]
    blind = plain(mixed, "denoise")[name].settings["strength"]
    assert len(blind) == 2 and blind[0] >= 0.6


def test_linear_regression_is_least_squares():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 3, 20, 20))
    fields = Fields(
        pd.DataFrame(index=list("xyz")), [np.stack([3 * p - q + 5, p, q]) for p, q in zip(a, b, strict=True)],
        channels=["DNA", "actin", "ER"],
    )  # fmt: skip
    line = plain(fields, "stain", target="DNA")["linear regression"]
    said = line.predict(fields)
    assert np.corrcoef(np.asarray(said.images[1])[0].ravel(), np.asarray(fields.images[1])[0].ravel())[0, 1] > 0.999


def test_plain_finders_give_masks_and_all_methods_stand_in_one_table():
    _, clean = discs(noise=0.0)
    found = {name: method.predict(clean) for name, method in plain(clean, "segment", inputs="actin").items()}
    assert set(found) == {"segment", "Otsu and watershed"}
    table = compare({**found, "nothing": clean.with_masks([np.zeros((64, 64), int)] * 6)}, clean, masks="given")
    assert table.index[-1] == "nothing" and table.loc["nothing", "f1"] == 0 and table["f1"].iloc[0] > 0.6
    assert set(table.attrs["results"]) == set(table.index)
    with pytest.raises(ValueError, match="nothing to compare"):
        compare({}, clean)


def test_flat_pictures_have_nothing_to_find_or_to_filter():
    flat = Fields(pd.DataFrame(index=["a"]), [np.full((1, 32, 32), 7)])
    for method in plain(flat, "segment").values():
        assert np.asarray(method.predict(flat).masks[0]).max() == 0
    said = Plain("non-local means", ("channel0",), ("channel0",), {"strength": [1.0]}).predict(flat)
    assert (np.asarray(said.images[0]) == 7).all()


def test_fields_that_do_not_belong_together_are_refused():
    truth = spots([0])
    with pytest.raises(ValueError, match="not the same fields"):
        invented(truth.subset(["f1", "f0"]), truth)
    with pytest.raises(KeyError, match="No column 'scope'"):
        invented(truth, truth, domain="scope")
    other = Fields(truth.obs, list(truth.images), channels=["RNA"])
    with pytest.raises(KeyError, match="no channel 'RNA'"):
        invented(other, truth)
    with pytest.raises(ValueError, match="masks is 'guess'"):
        invented(truth, truth, masks="guess")
    with pytest.raises(TypeError, match="predicted is a str"):
        invented("x", truth)


class Bar(tqdm):
    """A progress bar that shows itself at once, and keeps what it has shown."""

    shown: ClassVar[list] = []

    def __init__(self, *given, **options):
        super().__init__(*given, **options | {"delay": 0, "mininterval": 0, "file": io.StringIO()})

    def display(self, *_, **__):
        Bar.shown.append((self.desc, self.n, self.total))
        # Seconds of each field as they were, not those since the bar was last drawn.
        assert self.format_dict["rate"] is None or self.desc.startswith("Choosing")


def test_a_bar_appears_before_the_first_field_is_done_and_counts_every_field_once(monkeypatch):
    noisy, clean = discs(n_fields=3)
    network = train(noisy, "denoise", clean=clean, **FEW)
    before = network.predict(noisy, progress=False)
    monkeypatch.setattr(Bar, "shown", [])
    monkeypatch.setattr(image_network, "tqdm", Bar)
    after = network.predict(noisy)
    within = pd.Series([n for _, n, _ in Bar.shown]).value_counts()
    assert sorted(within.index) == [0, 1, 2, 3] and (within[:3] > 2).all()
    assert {(desc, total) for desc, _, total in Bar.shown} == {("Predicting", 3)}
    assert all(np.array_equal(a, b) for a, b in zip(before.images, after.images, strict=True))
    assert not network.model._forward_hooks


def test_choosing_a_filter_shows_how_far_it_is(monkeypatch):
    noisy, clean = discs(n_fields=1)
    monkeypatch.setattr(Bar, "shown", [])
    monkeypatch.setattr(import_module("mlscope_nb.predict.images.plain"), "tqdm", Bar)
    plain(noisy, "denoise", clean=clean)
    ends = {desc: (n, total) for desc, n, total in Bar.shown}
    assert ends == {"Choosing: gaussian": (20, 20), "Choosing: non-local means": (16, 16)}


def test_a_network_and_plain_methods_run_through_the_same_table():
    noisy, clean = discs(noise=12.0)
    methods = {"network": train(noisy, "denoise", clean=clean, **FEW), **plain(noisy, "denoise", clean=clean)}
    table = compare({name: m.predict(noisy, progress=False) for name, m in methods.items()}, clean)
    assert set(table.index) == {"network", "gaussian", "non-local means"}
    assert table["psnr"].notna().all() and (table["psnr_low"] <= table["psnr"]).all()
