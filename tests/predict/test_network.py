"""Networks trained on images: deterministic, resumed exactly, stopped by units they never learn from, saved safely."""

import os
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

import mlscope_nb as ms
from mlscope_nb import Cells
from mlscope_nb.predict import Network, train_network
from mlscope_nb.predict.arithmetic import mixed
from mlscope_nb.predict.network import probabilities
from mlscope_nb.predict.network_layers import middle, new_model, whitened
from mlscope_nb.predict.network_training import crops_of

FEW = {"epochs": 3, "width": 4, "batch_size": 16}
SIZE = 16


def make(n_plates=2, n_wells=8, n_cells=4, channels=2, seed=0, control=False, masks=False, gain=(1.0, 1.0, 1.0, 1.0)):
    """Discs that are filled (drug x) or hollow (drug y) in the first channel, plates of different brightness."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"A{w:02d}", "xy"[w % 2], w % 4 < 2) for p in range(n_plates) for w in range(n_wells)
        for _ in range(n_cells)
    ]  # fmt: skip
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug", "dmso"], index=[f"c{i:03d}" for i in range(len(rows))])
    away = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2))
    full, ring = away < 5, (away < 6) & (away > 3)
    images = rng.normal(100, 10, (len(rows), channels, SIZE, SIZE))
    images[:, 0] += 1000 * np.where((obs["drug"] == "x").to_numpy()[:, None, None], full, ring)
    images *= np.repeat(np.array(gain)[:n_plates], n_wells * n_cells)[:, None, None, None]
    extra = {"control": "dmso"} if control else {}
    return Cells(
        obs, images.clip(0).astype(np.uint16), masks=np.repeat((away < 7)[None], len(rows), 0).astype(np.uint8)
        if masks else None, channels=["DNA", "actin", "ER"][:channels], label="drug", unit=("plate", "well"),
        batch="plate", **extra,
    )  # fmt: skip


def same(a, b):
    return all(
        torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    )


def with_images(cells, images, **changes):
    roles = {k: getattr(cells.design, k) for k in ("label", "unit", "batch", "control")}
    return Cells(cells.obs, images, channels=cells.channels, masks=cells.masks, **{**roles, **changes})


def test_it_learns_what_can_be_seen_and_finds_it_on_a_new_plate_through_cross_validate():
    cells = make(n_plates=3, n_wells=6, n_cells=6, channels=1, control=True, gain=(1, 2, 0.5))
    learner = partial(train_network, epochs=8, width=4, batch_size=16)
    found = ms.predict.cross_validate(cells, model=learner, by="plate", baselines=False, progress=False)
    assert found.balanced_accuracy > 0.9
    assert found.model == "train_network" and found.unit == "plate"
    assert found.probabilities.columns.tolist() == ["x", "y"]


def test_the_same_seed_gives_the_same_network_whatever_the_order_of_rows():
    cells = make()
    a, b = train_network(cells, **FEW), train_network(cells.subset(cells.ids[::-1]), **FEW)
    assert same(a, b) and a.records == b.records and a.held_out == b.held_out
    assert not same(a, train_network(cells, seed=1, **FEW))
    assert list(a.curve.columns) == ["loss", "held_out_loss", "held_out_accuracy"] and a.curve.index.tolist() == [
        1,
        2,
        3,
    ]


def test_training_leaves_other_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    train_network(make(), **FEW)
    assert torch.equal(torch.rand(3), expected)


def test_predictions_are_by_id_and_depend_on_no_other_cell():
    cells = make()
    network = train_network(cells, **FEW)
    table = network.predict_proba(cells)
    assert table.index.equals(cells.ids) and table.columns.tolist() == ["x", "y"]
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)
    shuffled = cells.subset(np.random.default_rng(0).permutation(cells.ids)[:17])
    np.testing.assert_allclose(network.predict_proba(shuffled), table.loc[shuffled.ids], atol=1e-5)
    turned = with_images(cells, np.rot90(cells.images, axes=(2, 3)).copy())
    np.testing.assert_allclose(network.predict_proba(turned), table, atol=1e-5)
    assert network.predict(cells).equals(table.idxmax(axis=1).rename("predicted"))


def test_units_that_decide_when_to_stop_are_whole_and_never_learned_from():
    cells = make()
    a = train_network(cells, normalize="crop", **FEW)
    out = cells.units.isin(a.held_out).to_numpy()
    assert set(cells.labels[out]) == {"x", "y"} and not set(a.units) & set(a.held_out)
    assert set(a.units) | set(a.held_out) == set(cells.units)
    images = np.array(cells.images)
    images[out] = images[out][:, :, :, ::-1] // 2
    images[out, :, :8] = 60000
    b = train_network(with_images(cells, images), normalize="crop", **FEW)
    assert [r["loss"] for r in a.records] == [r["loss"] for r in b.records]
    assert [r["held_out_loss"] for r in a.records] != [r["held_out_loss"] for r in b.records]
    assert not a.unseen(cells).any() and a.unseen(make(n_plates=3)).iloc[-1]


def test_the_epoch_that_is_best_in_held_out_units_is_kept_and_waiting_ends():
    rng = np.random.default_rng(0)
    cells = make()
    noise = with_images(cells, rng.integers(0, 4000, cells.images.shape).astype(np.uint16))
    network = train_network(noise, epochs=40, width=4, batch_size=16, patience=3)
    losses = network.curve["held_out_loss"]
    assert network.best_epoch == losses.idxmin() and network.epochs < 40
    assert network.epochs == network.best_epoch + 3 and "no better since" in str(network)
    held = noise.subset(noise.units.isin(network.held_out).to_numpy())
    crops = next(iter(network.inputs(held)))[1]
    with torch.inference_mode(), mixed(network.settings["arithmetic"], "cpu"):
        scores = network.model(crops).float()
    codes = torch.tensor((held.labels == "y").to_numpy().astype(int))
    assert abs(float(torch.nn.functional.cross_entropy(scores, codes)) - losses.min()) < 1e-5


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path):
    cells = make()
    whole = train_network(cells, **FEW)

    def stop(epoch, record):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Stopped by hand after 2 epochs of 3"):
        part = train_network(cells, on_epoch=stop, **FEW)
    assert part.interrupted and part.epochs == 2 and part.predict_proba(cells).shape == (64, 2)
    kept = Network.load(part.save(tmp_path / "part.pt"))
    for begun in (part, kept):
        finished = train_network(cells, resume=begun, **FEW)
        assert same(finished, whole) and finished.records == whole.records and not finished.interrupted
    with pytest.raises(ValueError, match="nothing to go on"):
        train_network(cells, resume=whole)
    with pytest.raises(ValueError, match="other settings: seed=0"):
        train_network(cells, resume=part, seed=3, **FEW)
    with pytest.raises(ValueError, match="not the same"):
        train_network(cells.where("well != 'A07'"), resume=part, **FEW)


def test_an_interruption_before_the_first_epoch_is_over_stops_and_stops_an_evaluation(monkeypatch):
    cells = make()

    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlscope_nb.predict.network_training.Training.epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        train_network(cells, **FEW)
    monkeypatch.undo()
    stopped = partial(train_network, on_epoch=stop, **FEW)
    with pytest.warns(UserWarning, match="Stopped by hand"), pytest.raises(KeyboardInterrupt):
        ms.predict.cross_validate(cells, model=stopped, by="plate", baselines=False, progress=False)


def test_seconds_set_the_number_of_epochs_and_that_number_gives_the_same_network():
    cells = make()
    options = {k: v for k, v in FEW.items() if k != "epochs"}
    timed = train_network(cells, seconds=1e-3, **options)
    assert timed.epochs == timed.settings["epochs"] == 1
    assert same(timed, train_network(cells, epochs=1, **options))
    assert train_network(cells, seconds=1000, epochs=2, **options).epochs == 2


def test_saved_and_loaded_it_says_the_same(tmp_path):
    cells = make(control=True, masks=True)
    a = train_network(cells, **FEW)
    b = Network.load(a.save(tmp_path / "network.pt"))
    pd.testing.assert_frame_equal(a.predict_proba(cells), b.predict_proba(cells))
    assert (b.classes, b.channels, b.settings, b.records) == (a.classes, a.channels, a.settings, a.records)
    assert (b.units, b.held_out, b.notes, str(b)) == (a.units, a.held_out, a.notes, str(a))
    numbered = cells.with_obs((cells.obs["drug"] == "y").astype(int).rename("drug"))
    c = train_network(numbered, **FEW)
    assert Network.load(c.save(tmp_path / "c.pt")).classes == (0, 1)
    tuples = cells.with_obs(pd.Series([(d,) for d in cells.labels], index=cells.ids, name="drug"))
    with pytest.raises(ValueError, match="expected text or a number"):
        train_network(tuples, **FEW).save(tmp_path / "d.pt")
    assert not (tmp_path / "d.pt").exists()


class Evil:
    def __reduce__(self):
        return os.mkdir, ("mlscope_was_run",)


def test_files_that_are_no_networks_are_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Evil()}, "evil.pt")
    torch.save({"a": torch.ones(2)}, "other.pt")
    network = train_network(make(), **FEW)
    good = network.save("good.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(good[: len(good) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    for name, why in {"evil": "cut short", "other": "not written by", "cut": "cut short", "empty": "is empty"}.items():
        with pytest.raises(ValueError, match=f"could not be read as a network: .*{why}") as refused:
            Network.load(f"{name}.pt")
        # PyTorch's advice is to run what is in the file.
        assert "weights_only" not in str(refused.value)
    assert not (tmp_path / "mlscope_was_run").exists()
    with pytest.raises(FileNotFoundError):
        Network.load("none.pt")

    def fail(content, part):
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        network.save("good.pt")
    assert (tmp_path / "good.pt").read_bytes() == good and not list(tmp_path.glob(".*"))


def test_plates_are_put_on_the_scale_of_their_controls():
    cells = make(control=True, gain=(1.0, 3.0))
    network = train_network(cells, **FEW)
    assert network.pixels.normalize == "controls"
    dim, bright = (next(iter(network.inputs(cells.where(f"plate == '{p}'"))))[1] for p in ("p0", "p1"))
    assert abs(float(dim.amax((1, 2, 3)).mean() / bright.amax((1, 2, 3)).mean()) - 1) < 0.05
    new = make(n_plates=3, control=True, gain=(1.0, 3.0, 0.3), seed=1).where("plate == 'p2'")
    assert (
        abs(float(next(iter(network.inputs(new)))[1].amax((1, 2, 3)).mean() / bright.amax((1, 2, 3)).mean()) - 1) < 0.1
    )
    with pytest.raises(ValueError, match="ontrol"):
        network.predict_proba(new.where("not dmso"))
    plain = train_network(make(), **FEW)
    assert plain.pixels.normalize == "crop" and "no controls are declared" in str(plain)
    with pytest.raises(ValueError, match="defined by the label"):
        train_network(make().with_design(control={"drug": "x"}), normalize="controls", **FEW)


def test_what_lies_outside_the_mask_is_not_seen_unless_asked_for():
    cells = make(masks=True)
    images = np.where(np.asarray(cells.masks)[:, None] == 1, cells.images, 100).astype(np.uint16)
    cells = with_images(cells, images.copy())
    images[:, :, 0, :3] = 4000
    other = with_images(cells, images)
    masked, whole = (train_network(cells, masked=m, normalize="crop", **FEW) for m in (True, False))
    np.testing.assert_allclose(masked.predict_proba(cells), masked.predict_proba(other), atol=1e-6)
    assert not np.allclose(whole.predict_proba(cells), whole.predict_proba(other), atol=1e-6)
    with pytest.raises(ValueError, match="no masks"):
        masked.predict_proba(make())


def test_the_window_holds_the_cell_at_any_angle():
    size = 64
    away = np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2))
    obs = pd.DataFrame({"well": list("ABCDEF") * 2, "drug": list("xy") * 6}, index=[f"c{i}" for i in range(12)])
    masks = np.repeat((away < 15)[None], 12, 0).astype(np.uint8)
    images = np.random.default_rng(0).integers(0, 4000, (12, 1, size, size)).astype(np.uint16)
    cells = Cells(obs, images, masks=masks, channels=["DNA"], label="drug", unit="well")
    assert train_network(cells, **FEW).pixels.window == 32
    assert train_network(cells, masked=False, **FEW).pixels.window == 64


def test_a_class_with_few_cells_counts_as_much_as_the_others():
    cells = make(n_wells=8)
    rare = cells.where("drug == 'x' or well in ['A01', 'A03', 'A05'] or plate == 'p0'")
    network = train_network(rare, **FEW)
    codes = (rare.labels == "y").to_numpy().astype(int)
    crops = crops_of(rare, network.pixels, codes, 2)
    shares = [float(crops.weights[k] * (crops.codes == k).sum()) for k in (0, 1)]
    assert abs(shares[0] - shares[1]) < 1e-3 and codes.mean() != 0.5


def test_whitened_patches_have_variance_one_in_every_direction_that_holds_something():
    made = torch.Generator().manual_seed(0)
    images = torch.randn(200, 1, 20, 20, generator=made)
    images = torch.nn.functional.avg_pool2d(images, 3, 1)
    weights = whitened(images, 5)
    patches = torch.nn.functional.unfold(images, 5, stride=3).transpose(1, 2).flatten(0, 1)
    variances = torch.cov((patches @ weights.T).T)
    assert weights.shape == (25, 25)
    assert 0.9 < float(variances[0, 0]) <= 1.1 and 0.8 < float(variances.diagonal()[:12].min()) < 1.2
    off = variances - torch.diag(variances.diagonal())
    assert float(off.abs().max()) < 0.05


def test_probabilities_are_the_mean_over_all_eight_views():
    crops = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    corner = lambda x: torch.cat([x[:, :, 0, 0] * 9, torch.zeros(len(x), 1)], dim=1)  # noqa: E731
    corners = torch.stack([crops[:, 0, i, j] for i in (0, 3) for j in (0, 3)])
    expected = torch.sigmoid(9 * corners).mean(dim=0)
    torch.testing.assert_close(probabilities(corner, crops)[:, 0], expected)
    assert middle(torch.arange(36.0).view(1, 1, 6, 6), 2).flatten().tolist() == [14, 15, 20, 21]


def test_fine_tuning_moves_the_last_blocks_alone(tmp_path):
    cells = make(n_wells=6, n_cells=2, channels=2)
    network = train_network(cells, model="finetune", epochs=1, blocks=1, batch_size=8)
    start = new_model(network.settings, 2, 2, pretrained=True)
    now = network.model.state_dict()
    moved = {k.split(".")[0] for k, v in start.state_dict().items() if not torch.equal(v, now[k])}
    assert moved == {"free", "scale", "head"}
    again = Network.load(network.save(tmp_path / "fine.pt"))
    pd.testing.assert_frame_equal(again.predict_proba(cells), network.predict_proba(cells))


def test_too_few_units_are_said_and_all_epochs_trained():
    for few, words in [
        (make(n_plates=1, n_wells=4), "fewer than 3 units have 'x', 'y'"),
        (make().with_design(unit=None), "no unit of independence"),
    ]:
        with pytest.warns(UserWarning, match=words):
            network = train_network(few, **FEW)
        assert network.held_out == () and network.epochs == network.best_epoch == 3
        assert list(network.curve.columns) == ["loss"] and words in str(network)
    assert train_network(make(), stop_early=False, **FEW).held_out == ()


def test_what_is_wrong_is_said():
    cells = make()
    one = cells.with_obs(pd.Series("x", index=cells.ids, name="drug"))
    tables = Cells(cells.obs, label="drug", unit=("plate", "well"))
    for bad, options, words in [
        (one, {}, "1 class to learn from: 'x'"),
        (tables, {}, "no images"),
        (cells.with_design(label=None), {}, "No label is declared"),
        (cells.subset(cells.ids[:6]), {}, "6 cells to learn from|1 class"),
        (with_images(cells, cells.images[:, :, :8, :8]), {}, "at least 16 along each side"),
        (cells, {"model": "large"}, "expected 'small' or 'finetune'"),
        (cells, {"normalize": "robust"}, "expected 'auto', 'controls' or 'crop'"),
        (cells, {"epochs": 0}, "epochs is 0, expected a whole number, and more than 0"),
        (cells, {"epochs": 1.5}, "epochs is 1.5, expected a whole number"),
        (cells, {"epochs": "5"}, "epochs is '5', expected a whole number"),
        (cells, {"width": True}, "width is True, expected a whole number"),
        (cells, {"learning_rate": "0.1"}, "learning_rate is '0.1', expected more than 0"),
        (cells, {"seconds": -1}, "seconds is -1"),
        (cells, {"blocks": 17}, "blocks 0 to 16"),
        (cells.with_obs(pd.Series(np.linspace(0, 1, 64), index=cells.ids, name="drug")), {}, "a measurement"),
    ]:
        with pytest.raises(ValueError, match=words):
            train_network(bad, **options)
    spoilt = np.array(cells.images, np.float32)
    spoilt[3, 0, 2, 2] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite pixels: 'c003'"):
        train_network(with_images(cells, spoilt), **FEW)
    network = train_network(cells, **FEW)
    with pytest.raises(ValueError, match="The channels are"):
        network.predict_proba(make(channels=3))
    wide = np.pad(cells.images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    with pytest.raises(ValueError, match=r"expected \(16, 16\) as in training"):
        network.predict_proba(with_images(cells, wide))
    unlabelled = cells.with_obs(cells.labels.where(cells.obs["well"] != "A07"))
    assert "8 cells without a label took no part" in str(train_network(unlabelled, **FEW))
