"""Networks from picture to picture: what they learn, held-out units, resuming, seams, files, refusals."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import ndimage

import mlscope_nb as ms
from mlscope_nb import Cells
from mlscope_nb.features.lite0 import Lite0
from mlscope_nb.features.weight_files import installed_weights
from mlscope_nb.fields import Fields, Stack
from mlscope_nb.predict.halves import LEAST
from mlscope_nb.predict.images import ImageNetwork, Variation, plain, train
from mlscope_nb.predict.images.blind import N_PHASES, filled, hidden
from mlscope_nb.predict.images.borrowed import Borrowed
from mlscope_nb.predict.images.image_network import FORMAT
from mlscope_nb.predict.images.matching import f1
from mlscope_nb.predict.images.outlines import Cut, learned_from, objects
from mlscope_nb.predict.images.patches import examples_of, turned, ways_turned
from mlscope_nb.predict.images.unet import UNet, grid, reach
from tests.predict.image_fields import discs

FEW = {"epochs": 2, "steps": 3, "patch": 32, "width": 4, "progress": False}
LONGER = {"epochs": 4, "steps": 25, "patch": 32, "width": 8, "progress": False, "learning_rate": 0.01}


def error(found, true, k=0):
    return float(np.mean([(np.asarray(a)[k] - np.asarray(b)[k]) ** 2 for a, b in zip(found, true, strict=True)]))


def weights(network):
    return list(network.model.state_dict().values())


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


@pytest.fixture(scope="module")
def fields():
    return discs()


@pytest.fixture(scope="module")
def blind(fields):
    return train(fields[0], "denoise", **FEW)


class Stop:
    """Presses Ctrl-C after an epoch."""

    def __init__(self, after):
        self.after = after

    def __call__(self, epoch, record):
        if epoch == self.after:
            raise KeyboardInterrupt


# --- what is learned ------------------------------------------------------------------------------------------


def test_noise_is_taken_out_without_having_seen_clean_pictures():
    noisy, _ = discs(noise=12.0)
    new, true = discs(noise=12.0, seed=1)
    said = train(noisy, "denoise", **LONGER).predict(new, progress=False)
    assert said.channels == ("DNA", "actin") and said.masks is None
    for k in (0, 1):
        assert error(said.images, true.images, k) < 0.25 * error(new.images, true.images, k)


def test_with_clean_pictures_too_and_every_channel_gains_however_little_noise_it_has():
    noisy, clean = discs(noise=12.0)
    quiet = noisy.with_images(
        [np.stack([c[0] + (n[0] - c[0]) / 6, n[1]]) for n, c in zip(noisy.images, clean.images, strict=True)]
    )
    said = train(quiet, "denoise", clean=clean, **LONGER).predict(quiet, progress=False)
    for k in (0, 1):
        assert error(said.images, clean.images, k) < 0.6 * error(quiet.images, clean.images, k)


def test_a_stain_is_said_from_the_other_channel_better_than_by_linear_regression():
    learned, _ = discs(n_fields=8)
    new, _ = discs(n_fields=2, seed=1)
    said = train(learned, "stain", target="DNA", **LONGER).predict(new, progress=False)
    line = plain(learned, "stain", target="DNA")["linear regression"].predict(new)
    assert said.channels == line.channels == ("DNA",)
    assert error(said.images, new.images) < 0.8 * error(line.images, new.images)


def test_a_stain_comes_in_the_grey_values_that_are_usual_in_training(fields):
    brighter, _ = discs(gain=3.0)
    network = train(fields[0], "stain", target="DNA", **FEW)
    said = network.predict(brighter, progress=False)
    assert 0.3 * np.asarray(brighter.images[0])[0].max() > np.asarray(said.images[0]).max() / 2
    assert network.scale[0, 0] < network.scale[0, 1] < 2000


def test_objects_are_found_as_in_the_labelled_fields_bright_or_dark():
    learned, _ = discs(n_fields=6, noise=2.0)
    new, _ = discs(n_fields=2, seed=1, noise=2.0)
    some = [i if k % 2 else 3000 - np.asarray(i) for k, i in enumerate(learned.images)]
    network = train(learned.with_images(some), "segment", inputs="actin", **LONGER)
    for images in (new.images, [3000 - np.asarray(i) for i in new.images]):
        found = network.predict(new.with_images(images), progress=False)
        inside = [(np.asarray(f) > 0, np.asarray(t) > 0) for f, t in zip(found.masks, new.masks, strict=True)]
        assert min((a & b).sum() / (a | b).sum() for a, b in inside) > 0.7
        assert found.channels == new.channels and found.history[-1]["task"] == "segment"


def three_discs():
    mask = np.zeros((40, 60), np.int32)
    for k, (y, x) in enumerate([(20, 12), (20, 27), (20, 42)], start=1):
        mask[np.hypot(*(np.mgrid[:40, :60] - np.array([y, x])[:, None, None])) < 8] = k
    return mask


def test_touching_objects_are_cut_apart_where_their_ways_part():
    mask = three_discs()
    said = learned_from(mask)
    assert f1(objects(said, Cut()), mask, 0.95) == 1
    assert objects(said, Cut(least_area_px=1000)).max() == 0 and objects(np.zeros((3, 9, 9)), Cut()).max() == 0
    # Ways that are said with errors, the same over some pixels as those of networks are, lead there too.
    errors = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=said.shape), (0, 3, 3))
    wrong = said + 0.2 * errors / errors.std() * np.array([0, 1, 1])[:, None, None]
    assert f1(objects(wrong, Cut()), mask, 0.8) == 1


def test_objects_of_all_sizes_are_found_whole():
    for radius in (3, 10, 40):
        mask = (np.hypot(*(np.mgrid[:100, :100] - 50)) < radius).astype(np.int32)
        assert (objects(learned_from(mask), Cut()) == mask).all()
        assert np.hypot(*learned_from(mask)[1:]).max() == pytest.approx(1)


def test_pixels_that_stop_on_their_way_in_a_large_object_belong_to_it_and_small_ones_beside_stay_apart():
    mask = (np.hypot(*(np.mgrid[:100, :120] - 50)) < 40).astype(np.int32)
    mask[np.hypot(*(np.mgrid[:100, :120] - np.array([50, 97])[:, None, None])) < 6] = 2
    said = learned_from(mask)
    errors = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=said.shape), (0, 3, 3))
    wrong = said + 0.15 * errors / errors.std() * np.array([0, 1, 1])[:, None, None]
    assert f1(objects(wrong, Cut()), mask, 0.7) == 1
    assert objects(wrong, Cut(apart=0.0)).max() > 2  # without that, they would be objects of their own


def test_a_way_leads_to_the_middle_of_its_own_object():
    mask = np.zeros((20, 30), np.int32)
    mask[4:16, 2:8], mask[4:16, 8:28] = 1, 7
    inside, down, right = learned_from(mask)
    assert (inside == (mask > 0)).all() and (down[mask == 0] == 0).all() and (right[mask == 0] == 0).all()
    assert right[10, 7] < -0.3 and right[10, 8] > 0.7 and down[4, 17] > 0.4 > -0.4 > down[15, 17]
    middles = np.argwhere(inside * (down == 0) * (right == 0))
    assert [mask[tuple(m)] for m in middles] in ([1, 7], [7, 1])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_ways_are_turned_with_their_picture(turns, mirrored):
    mask = torch.from_numpy(three_discs()[:, :47])
    said = torch.from_numpy(learned_from(mask.numpy()))
    there = ways_turned(turned(said, turns, mirrored), turns, mirrored)
    learned = learned_from(turned(mask, turns, mirrored).numpy().copy())
    assert np.abs(there.numpy() - learned).mean() < 0.03  # the middle of an even number of pixels is either of two
    back = turns if mirrored else -turns
    assert torch.equal(ways_turned(turned(there, back, mirrored), back, mirrored), said)


# --- what is borrowed -------------------------------------------------------------------------------------------------


def test_what_is_borrowed_stays_as_it_is_and_is_not_saved(tmp_path):
    learned, _ = discs(n_fields=3)
    network = train(learned, "segment", **FEW)
    fresh = Borrowed(3)
    for ours, theirs in zip(network.model.borrowed.buffers(), fresh.buffers(), strict=True):
        assert torch.equal(ours, theirs)
    assert not [k for k in network.model.state_dict() if k.startswith("borrowed")]
    picture = np.random.default_rng(0).random((2, 48, 48), np.float32)
    again = ImageNetwork.load(network.save(tmp_path / "n.pt"))
    assert np.array_equal(again.answer(picture), network.answer(picture))
    assert not train(learned, "segment", pretrained=False, **FEW).model.norms
    assert not train(learned, "stain", target="DNA", **FEW).settings["pretrained"]


def test_what_is_borrowed_is_what_the_whole_network_sees():
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    whole = Lite0(installed_weights())
    x = (2 * picture - 1).flip(2, 3)
    for k, layer in enumerate(whole.layers[:13]):
        x = layer(x)
        if k == 12:
            assert torch.allclose(Borrowed(3)(picture)[3], x.flip(2, 3), atol=1e-5)
    one = Borrowed(0)(picture[:, :1])[0]
    assert torch.equal(one, Borrowed(0)(picture[:, [0, 0, 0]])[0])


# --- blind spots ----------------------------------------------------------------------------------------------


def test_what_a_blind_network_says_of_a_pixel_does_not_depend_on_it(blind):
    torch.nn.init.normal_(blind.model.last.weight, std=5)
    rng = np.random.default_rng(0)
    picture = rng.random((2, 40, 40), np.float32)
    before = blind.answer(picture)
    for y, x in ((0, 0), (10, 11), (17, 30), (39, 21)):
        changed = picture.copy()
        changed[:, y, x] += 5
        after = blind.answer(changed)
        assert np.allclose(after[:, y, x], before[:, y, x], atol=1e-5)
        assert not np.allclose(after[:, y, x + 2], before[:, y, x + 2], atol=1e-3)


def test_all_phases_together_hide_every_pixel_once_and_neighbours_stay():
    rows, columns = torch.arange(10), torch.arange(11)
    shown = sum(hidden(rows, columns, k).int() for k in range(N_PHASES))
    assert (shown == 1).all()
    pictures, where = torch.rand(1, 2, 9, 9), hidden(rows[:9], columns[:9], 4)
    seen = filled(pictures, where)
    assert torch.equal(seen[..., ~where], pictures[..., ~where])
    assert not torch.isclose(seen[..., where], pictures[..., where]).any()


# --- tiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["stain", "denoise", "segment"])
def test_tiles_leave_no_seams(task):
    fields, _ = discs(n_fields=3)
    options = {"stain": {"target": "DNA"}, "denoise": {}, "segment": {}}[task]
    network = train(fields, task, **options, **FEW)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.model.last.weight, std=10)
    # Wider than the halo, or every tile would see the whole picture.
    picture = np.random.default_rng(1).random((len(network.inputs), 45, 2 * network.model.reach + 131), np.float32)
    whole, tiled = network.answer(picture, tile=512), network.answer(picture, tile=64)
    assert whole.std() > 0.01
    assert np.abs(whole - tiled).max() < 1e-4


def test_the_halo_is_as_wide_as_what_is_borrowed_looks():
    net = UNet(1, 1, 4, 3, pretrained=True).eval()
    torch.nn.init.ones_(net.last.weight)
    side = 2 * net.reach + 64
    x = torch.rand(1, 1, side, 32, generator=torch.Generator().manual_seed(0))
    for row in (side // 2, side // 2 + 9):
        changed = x.clone()
        changed[..., row, 16] += 3
        with torch.no_grad():
            rows = torch.nonzero((net(changed) - net(x)).abs().amax(dim=(0, 1, 3)) > 1e-6).ravel() - row
        assert reach(3) < max(-int(rows.min()), int(rows.max())) < net.reach


def test_the_halo_is_as_wide_as_the_network_looks():
    torch.manual_seed(0)
    for depth in (1, 2):
        net, side = UNet(1, 1, 4, depth).eval(), 4 * reach(depth)
        torch.nn.init.ones_(net.last.weight)
        for weight in net.parameters():
            weight.data.abs_()  # no layer is silent
        middle = side // 2
        seen = set()
        for shift in range(grid(depth)):
            x = torch.rand(1, 1, side, side, requires_grad=True)
            net(x)[0, 0, middle + shift, middle].backward()
            rows = torch.nonzero(x.grad[0, 0].abs().sum(1)).ravel() - (middle + shift)
            seen |= {int(rows.min()), int(rows.max())}
        assert max(map(abs, seen)) < reach(depth)


def test_fields_of_any_size_are_predicted():
    fields, _ = discs(n_fields=3)
    network = train(fields, "denoise", **FEW)
    shapes = [(1, 1), (3, 70), (65, 9)]
    odd = Fields(pd.DataFrame(index=list("abc")), [np.full((2, *s), 7) for s in shapes], channels=["DNA", "actin"])
    assert [i.shape for i in network.predict(odd, progress=False).images] == [(2, *s) for s in shapes]


# --- seeds, units, stopping -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_network_whatever_was_drawn_before(fields):
    first = train(fields[0], "denoise", **FEW)
    torch.rand(7)
    assert same(first, train(fields[0], "denoise", **FEW))
    assert not same(first, train(fields[0], "denoise", seed=1, **FEW))
    assert first.history["loss"].notna().all() and list(first.history.columns) == ["loss", "held_out_loss"]


def test_one_core_learns_what_two_learn(fields):
    cores = torch.get_num_threads()
    found = []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            found.append(train(fields[0], "denoise", **FEW))
    finally:
        torch.set_num_threads(cores)
    assert found[0].settings["batch_size"] >= LEAST and same(*found)


def test_whole_units_are_put_aside_and_the_best_epoch_is_kept(fields):
    network = train(fields[0], "denoise", **FEW)
    assert len(network.held_out) == 1 and len(network.units) == 2
    assert not set(network.units) & set(network.held_out)
    assert network.best_epoch == network.history["held_out_loss"].idxmin()
    assert not network.unseen(fields[0]).any()
    few = train(fields[0].subset(["f0", "f1", "f2"]), "denoise", **FEW)
    assert few.held_out == () and "last epoch is kept" in str(few)


def test_by_names_other_groups_and_fields_without_a_unit_are_units_each(fields):
    network = train(
        fields[0].with_obs(pd.Series(list("aabbcc"), fields[0].ids, name="day")), "denoise", by="day", **FEW
    )
    assert {*network.units, *network.held_out} == {"a", "b", "c"}
    bare = Fields(fields[0].obs, fields[0].images, channels=["DNA", "actin"])
    assert len(train(bare, "denoise", **FEW).units) == 5
    with pytest.raises(KeyError, match="No column 'plate'"):
        train(fields[0], "denoise", by="plate", **FEW)


def test_training_that_was_stopped_goes_on_bit_by_bit(fields, tmp_path):
    options = {**FEW, "epochs": 4}
    whole = train(fields[0], "denoise", **options)
    with pytest.warns(UserWarning, match="Stopped by hand after 2 epochs of 4"):
        part = train(fields[0], "denoise", on_epoch=Stop(2), **options)
    assert part.interrupted and len(part.history) == 2
    part = ImageNetwork.load(part.save(tmp_path / "part.pt"))
    on = train(fields[0], "denoise", resume=part, **options)
    assert same(whole, on) and on.records == whole.records and not on.interrupted and not on.training


def test_a_checkpoint_holds_every_epoch_goes_on_and_is_not_repeated(fields, tmp_path):
    file, options = tmp_path / "net.pt", {**FEW, "epochs": 3}
    with pytest.warns(UserWarning, match="Stopped by hand"):
        train(fields[0], "denoise", checkpoint=file, on_epoch=Stop(1), **options)
    heard = []
    network = train(fields[0], "denoise", checkpoint=file, on_epoch=lambda n, r: heard.append(n), **options)
    assert heard == [2, 3] and same(network, train(fields[0], "denoise", **options))
    again = train(fields[0], "denoise", checkpoint=file, on_epoch=Stop(1), **options)
    assert same(again, network) and not again.interrupted


def test_a_file_of_other_fields_or_settings_is_refused(fields, tmp_path):
    file = tmp_path / "net.pt"
    train(fields[0], "denoise", checkpoint=file, **FEW)
    with pytest.raises(ValueError, match="other settings: seed=0"):
        train(fields[0], "denoise", checkpoint=file, seed=3, **FEW)
    with pytest.raises(ValueError, match="on other fields"):
        train(discs(seed=5)[0], "denoise", checkpoint=file, **FEW)
    with pytest.raises(ValueError, match="trained to its end"):
        train(fields[0], "denoise", resume=ImageNetwork.load(file), **FEW)


def test_stopping_before_the_first_epoch_is_over_keeps_nothing(fields, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlscope_nb.predict.images.learning.Learning.epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        train(fields[0], "denoise", **FEW)


# --- files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [False, True])
def test_a_saved_network_says_the_same(fields, tmp_path, small):
    network = train(fields[0], "stain", target="DNA", **FEW)
    read = ImageNetwork.load(network.save(tmp_path / "net.pt", small=small))
    a, b = (n.predict(fields[0], progress=False) for n in (network, read))
    assert np.allclose(np.asarray(a.images[0]), np.asarray(b.images[0]), atol=5.0 if small else 0)
    for name in ("task", "inputs", "outputs", "settings", "cut", "units", "held_out", "records", "notes"):
        assert getattr(read, name) == getattr(network, name)


def test_files_that_are_none_are_refused(tmp_path):
    file = tmp_path / "net.pt"
    with pytest.raises(FileNotFoundError, match="There is no file"):
        ImageNetwork.load(file)
    file.write_bytes(b"PK\x03\x04 no")
    with pytest.raises(ValueError, match="could not be read"):
        ImageNetwork.load(file)
    torch.save({"format": FORMAT, "task": "stain"}, file)
    with pytest.raises(ValueError, match="could not be read"):
        ImageNetwork.load(file)


# --- cells, patches, refusals ---------------------------------------------------------------------------------


def test_crops_of_cells_are_pictures_too(fields):
    cells = ms.io.crop(fields[0], size=32)
    said = train(cells, "stain", target="DNA", **FEW).predict(cells, progress=False)
    assert isinstance(said, Cells) and said.images.shape == (len(cells), 1, 32, 32) and said.masks is None
    with pytest.raises(ValueError, match="whole fields"):
        train(cells, "segment", **FEW)


def test_a_part_without_controls_is_predicted_too(fields):
    noisy, _ = fields
    known = {"channels": noisy.channels, "unit": "well", "control": {"drug": "x"}}
    network = train(Fields(noisy.obs, noisy.images, **known), "denoise", **FEW)
    part = Fields(noisy.obs, noisy.images, **known).subset(noisy.obs["drug"] == "y")
    said = network.predict(part, progress=False)
    assert said.design.unit == ("well",) and len(said) == 2


def test_patches_keep_picture_and_answer_together():
    picture = np.random.default_rng(0).random((1, 50, 40), np.float32)
    examples = examples_of([picture], [2 * picture], 16, 0)
    read, asked = examples.draw(20, torch.Generator().manual_seed(0), Variation(zoom=0.3))
    assert read.shape == asked.shape == (20, 1, 16, 16) and torch.allclose(2 * read, asked)
    varied, _ = examples.draw(20, torch.Generator().manual_seed(0), Variation(zoom=0.3, gain=0.3, noise=0.1, blur=0.5))
    assert not torch.allclose(varied, read)


def test_half_of_the_patches_hold_an_object_in_fields_that_are_nearly_empty():
    mask = np.zeros((400, 400), int)
    mask[3:9, 380:386], mask[200:230, 200:230] = 1, 2
    picture = (mask > 0).astype(np.float32)[None]
    anywhere, looked_for = (
        examples_of([picture], [learned_from(mask)], 32, 0, objects=objects_too).draw(
            200, torch.Generator().manual_seed(0), Variation()
        )
        for objects_too in (False, True)
    )
    held = [float((asked[:, 0].amax(dim=(1, 2)) > 0).float().mean()) for _, asked in (anywhere, looked_for)]
    small = ((looked_for[1][:, 0] > 0).sum(dim=(1, 2)) == 36).float().mean()
    assert held[0] < 0.1
    assert 0.45 < held[1] < 0.65
    assert small > 0.1  # the small one as often as the large one
    assert torch.equal(looked_for[0][:, 0], (looked_for[1][:, 0] > 0).float())


def test_of_very_large_fields_windows_are_kept(monkeypatch):
    monkeypatch.setattr("mlscope_nb.predict.images.patches.MOST_VALUES", 2 * 40 * 40)
    examples = examples_of([np.zeros((1, 100, 200), np.float32)], [np.zeros((1, 100, 200), np.float32)], 16, 0)
    assert examples.read[0].numel() <= 40 * 40 and min(examples.read[0].shape[1:]) >= 16


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"task": "stain"}, ValueError, "Name the channel"),
        ({"task": "stain", "target": "RNA"}, KeyError, "No channel 'RNA'"),
        ({"task": "stain", "target": "DNA", "inputs": "DNA"}, ValueError, "Give other channels"),
        ({"task": "denoise", "target": "DNA"}, ValueError, "belongs to task='stain'"),
        ({"task": "paint"}, ValueError, "expected 'stain'"),
        ({"task": "denoise", "epochs": 0}, ValueError, "epochs is 0"),
        ({"task": "denoise", "patch": 30}, ValueError, "multiple of 8"),
        ({"task": "denoise", "learning_rate": -1}, ValueError, "learning_rate"),
    ],
)
def test_what_does_not_fit_is_refused(fields, options, error, match):
    with pytest.raises(error, match=match):
        train(fields[0], **{**FEW, **options})


def test_pictures_that_do_not_belong_together_are_refused(fields):
    noisy, clean = fields
    with pytest.raises(ValueError, match="other ids"):
        train(noisy, "denoise", clean=clean.subset(clean.ids[::-1]), **FEW)
    with pytest.raises(ValueError, match="whole numbers"):
        train(noisy, "segment", masks=[np.zeros((3, 3), int)] * 6, **FEW)
    with pytest.raises(ValueError, match="No object is labelled"):
        train(noisy, "segment", masks=[np.zeros((64, 64), int)] * 6, **FEW)
    with pytest.raises(KeyError, match="No channel 'actin'"):
        network = train(noisy, "stain", target="DNA", **FEW)
        network.predict(Fields(noisy.obs, [i[:1] for i in noisy.images], channels=["DNA"]))


def test_pixels_that_are_no_numbers_are_refused_by_field(fields):
    bad = [np.asarray(i, float) for i in fields[0].images]
    bad[2] = np.where(np.arange(64) == 3, np.nan, bad[2])
    late = fields[0].with_images(Stack([lambda i=i: i for i in bad], [i.shape for i in bad]))
    with pytest.raises(ValueError, match="'f2' holds NaN"):
        train(late, "denoise", **FEW)
