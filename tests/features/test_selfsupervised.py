"""Self-supervised training: deterministic, resumed exactly, and blind to held-out units."""

import os

import numpy as np
import pandas as pd
import pytest
import torch

from mlscope_nb import Cells
from mlscope_nb.features import Encoder, random_encoder, train_selfsupervised
from mlscope_nb.features.augmentations import Augmentation
from mlscope_nb.features.selfsupervised import simclr, vicreg

FEW = {"epochs": 3, "width": 4, "batch_size": 16}


def make(n=48, channels=2, size=16, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(100, 4000, (n, channels, size, size)).astype(np.uint16)
    obs = pd.DataFrame({"well": [f"w{i % 6}" for i in range(n)]}, index=[f"c{i}" for i in range(n)])
    return Cells(obs, images, channels=["DNA", "actin", "ER"][:channels], unit="well")


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.network.parameters(), b.network.parameters(), strict=True))


@pytest.mark.parametrize("method", ["simclr", "vicreg"])
def test_the_same_seed_gives_the_same_network(method):
    cells = make()
    a, b = (train_selfsupervised(cells, method=method, **FEW) for _ in range(2))
    other = train_selfsupervised(cells, method=method, seed=1, **FEW)
    assert same(a, b) and a.losses == b.losses
    assert not same(a, other)
    assert len(a.losses) == 3 and not a.interrupted


def test_training_leaves_other_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    train_selfsupervised(make(), **FEW)
    assert torch.equal(torch.rand(3), expected)


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path):
    cells = make()
    whole = train_selfsupervised(cells, **FEW)

    def stop(epoch, loss):
        if epoch == 2:
            raise KeyboardInterrupt

    part = train_selfsupervised(cells, on_epoch=stop, **FEW)
    assert part.interrupted and part.epochs == 2
    assert "2 epochs of 3" in str(part)
    part.transform(cells)
    kept = Encoder.load(part.save(tmp_path / "part.pt"))
    assert kept.interrupted
    for begun in (part, kept):
        finished = train_selfsupervised(cells, resume=begun, **FEW)
        assert same(finished, whole) and finished.losses == whole.losses and not finished.interrupted


def test_an_interruption_within_an_epoch_keeps_the_epochs_before(monkeypatch):
    cells = make()
    calls = []

    class Stopping(Augmentation):
        def __call__(self, images, made):
            calls.append(1)
            if len(calls) == 8:
                raise KeyboardInterrupt
            return super().__call__(images, made)

    part = train_selfsupervised(cells, augmentation=Stopping(), **FEW)
    assert part.epochs == 1 and part.interrupted
    assert same(train_selfsupervised(cells, resume=part, **FEW), train_selfsupervised(cells, **FEW))


def test_held_out_units_are_never_seen():
    cells = make()
    train = cells.ids[cells.obs["well"].isin(["w0", "w1", "w2", "w3"])]
    a = train_selfsupervised(cells, train_ids=train, **FEW)
    images = np.array(cells.images)
    images[cells.obs["well"].isin(["w4", "w5"]).to_numpy()] = 60000
    changed = Cells(cells.obs, images, channels=cells.channels, unit="well")
    assert same(a, train_selfsupervised(changed, train_ids=train, **FEW))
    assert a.units == ("w0", "w1", "w2", "w3")
    assert a.unseen(cells).sum() == 16
    step = a.transform(cells.subset(cells.ids[:6])).attrs["history"][0]
    assert step["n_units_seen_in_training"] == 4
    with pytest.raises(ValueError, match="1 unit with some cells in training and some not: 'w3'"):
        train_selfsupervised(cells, train_ids=train[:-1], **FEW)


def test_what_lies_outside_the_mask_is_not_seen_unless_asked_for():
    cells = make()
    masks = np.zeros((48, 16, 16), np.uint8)
    masks[:, 4:12, 4:12] = 1
    images = np.array(cells.images)
    images[:, :, :, 13:] = 100
    own = Cells(cells.obs, images, masks=masks, channels=cells.channels, unit="well")
    neighbour = images.copy()
    neighbour[:, :, :3, :3] = 4000
    other = Cells(cells.obs, neighbour, masks=masks, channels=cells.channels, unit="well")
    masked, whole = (random_encoder(cells.channels, width=4, masked=m) for m in (True, False))
    np.testing.assert_array_equal(masked.transform(own), masked.transform(other))
    assert not np.allclose(whole.transform(own), whole.transform(other))
    empty = own.with_masks(np.zeros_like(masks))
    np.testing.assert_array_equal(masked.transform(empty), whole.transform(empty))


def test_saved_and_loaded_it_gives_the_same_numbers(tmp_path):
    cells = make()
    a = train_selfsupervised(cells, **FEW)
    b = Encoder.load(a.save(tmp_path / "encoder.pt"))
    pd.testing.assert_frame_equal(a.transform(cells), b.transform(cells))
    assert (b.units, b.losses, b.settings, b.channels) == (a.units, a.losses, a.settings, a.channels)
    np.testing.assert_allclose(a.transform(cells, batch_size=7), a.transform(cells), atol=1e-5)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("mlscope_was_run",)


def test_files_that_are_no_encoders_are_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Evil()}, "evil.pt")
    torch.save({"a": torch.ones(2)}, "other.pt")
    (tmp_path / "text.pt").write_text("hello")
    good = train_selfsupervised(make(), **FEW).save("good.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(good[: len(good) // 2])
    for name in ("evil", "other", "text", "cut"):
        with pytest.raises(ValueError, match="could not be read as an encoder"):
            Encoder.load(f"{name}.pt")
    assert not (tmp_path / "mlscope_was_run").exists()
    with pytest.raises(FileNotFoundError):
        Encoder.load("none.pt")


def test_the_random_twin_has_the_weights_that_training_starts_from():
    cells = make()
    twin = random_encoder(cells.channels, width=4, seed=0)
    table = twin.transform(cells)
    assert table.columns[[0, 16]].tolist() == ["Cells_RandomEncoder_DNA_0000", "Cells_RandomEncoder_actin_0000"]
    assert table.shape == (48, 32)
    assert same(twin, random_encoder(cells.channels, width=4, seed=0))
    assert not same(twin, random_encoder(cells.channels, width=4, seed=1))
    assert twin.epochs == 0


def test_views_can_be_switched_off_but_for_the_mirror():
    images = torch.rand(32, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    still = Augmentation(share=1, turn=0, zoom=0, shift_px=0, gain=0, offset=0, noise=0, blur=0)
    view = still(images, torch.Generator().manual_seed(1))
    same, mirrored = (torch.isclose(view, other, atol=1e-5).flatten(1).all(dim=1) for other in (images, images.flip(3)))
    # each stain stays in its own channel
    assert (same ^ mirrored).all() and 6 <= int(same.sum()) <= 26


def test_a_quarter_turn_moves_every_pixel_to_its_place():
    images = torch.rand(4, 2, 20, 20, generator=torch.Generator().manual_seed(0))
    turned = Augmentation(share=1, turn=90, zoom=0, shift_px=0, gain=0, offset=0, noise=0, blur=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", lambda *shape, generator: torch.ones(*shape))
        view = turned(images, torch.Generator())
    torch.testing.assert_close(view, images.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_views_are_squares_of_the_share_asked_for():
    images = torch.rand(32, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    full = Augmentation()(images, torch.Generator().manual_seed(1))
    assert full.shape == (32, 3, 25, 25) and torch.isfinite(full).all()
    bars = images[:, :, :, :18]
    assert Augmentation()(bars, torch.Generator().manual_seed(1)).shape == (32, 3, 16, 16)
    # in a crop that is not square nothing is stretched: a disc stays round
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(64.0), indexing="ij")
    disc = (((y - 19.5) ** 2 + (x - 31.5) ** 2) < 64).float().expand(1, 1, 40, 64)
    plain = Augmentation(share=1, turn=0, zoom=0, shift_px=0, gain=0, offset=0, noise=0, blur=0)
    view = plain(disc, torch.Generator().manual_seed(0))[0, 0] > 0.5
    assert view.shape == (40, 40) and view.any(0).sum() == view.any(1).sum() == 16


def test_losses_prefer_views_of_one_cell_that_are_alike():
    made = torch.Generator().manual_seed(0)
    a, noise = torch.randn(64, 16, generator=made), torch.randn(64, 16, generator=made)
    for loss in (simclr, vicreg):
        assert loss(torch.cat([a, a + 0.01 * noise])) < loss(torch.cat([a, noise]))
    assert vicreg(torch.cat([a, a])) < vicreg(torch.zeros(128, 16))
    expected = np.log(1 + 126 * np.exp(-1 / 0.2))
    orthogonal = torch.eye(64)
    assert abs(float(simclr(torch.cat([orthogonal, orthogonal]))) - expected) < 1e-5


def test_on_made_up_shapes_the_loss_falls():
    """Bars of two thicknesses at any angle and brightness: what turning and gain leave is the thickness."""
    rng = np.random.default_rng(0)
    n, size = 240, 24
    thick = np.arange(n) % 2
    y, x = np.mgrid[-12:12, -12:12]
    images = np.empty((n, 1, size, size), np.float32)
    for i in range(n):
        angle = rng.uniform(0, np.pi)
        across = np.abs(np.cos(angle) * y + np.sin(angle) * x - rng.uniform(-3, 3))
        images[i, 0] = rng.uniform(0.5, 2) * np.exp(-((across / (1.5 + 0.9 * thick[i])) ** 2)) + rng.normal(
            0, 0.1, (size, size)
        )
    obs = pd.DataFrame({"well": [f"w{i // 20}" for i in range(n)]}, index=[f"c{i}" for i in range(n)])
    cells = Cells(obs, images, channels=["DNA"], unit="well")
    trained = train_selfsupervised(cells, epochs=30, width=8, batch_size=24)
    assert trained.losses[-1] < trained.losses[0] - 0.3


def test_every_channel_is_described_by_itself():
    cells = make()
    images = np.array(cells.images)
    images[:, 1] = images[::-1, 1]
    other = Cells(cells.obs, images, channels=cells.channels, unit="well")
    encoder = train_selfsupervised(cells, **FEW)
    a, b = encoder.transform(cells), encoder.transform(other)
    names = a.columns.str.contains("_DNA_")
    pd.testing.assert_frame_equal(a.loc[:, names], b.loc[:, names])
    assert not np.allclose(a.loc[:, ~names], b.loc[:, ~names])


def test_few_cells_are_shown_more_often():
    def stop(epoch, loss):
        raise KeyboardInterrupt

    for n, epochs in ((48, 40), (2000, 15)):
        encoder = train_selfsupervised(make(n, channels=1), width=1, batch_size=100, on_epoch=stop)
        assert encoder.settings["epochs"] == epochs and encoder.epochs == 1


def test_what_is_wrong_is_said():
    cells = make()
    for options, words in [
        ({"method": "byol"}, "expected 'simclr' or 'vicreg'"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"train_ids": cells.ids[cells.obs["well"] == "w0"][:4]}, "some cells in training"),
    ]:
        with pytest.raises(ValueError, match=words):
            train_selfsupervised(cells, **options)
    with pytest.raises(ValueError, match="no images"):
        train_selfsupervised(Cells(cells.obs, unit="well"))
    with pytest.raises(ValueError, match="No unit is declared"):
        train_selfsupervised(cells.with_design(unit=None), **FEW)
    small = Cells(cells.obs, cells.images[:, :, :8, :8], unit="well")
    with pytest.raises(ValueError, match="at least 16 along each side"):
        train_selfsupervised(small)
    encoder = train_selfsupervised(cells, **FEW)
    with pytest.raises(ValueError, match="The channels are"):
        encoder.transform(make(channels=3))
    with pytest.raises(ValueError, match="other settings: seed=0"):
        train_selfsupervised(cells, resume=encoder, seed=3, **FEW)
    with pytest.raises(ValueError, match="not the same"):
        train_selfsupervised(cells.where("well != 'w5'"), resume=encoder, **FEW)
