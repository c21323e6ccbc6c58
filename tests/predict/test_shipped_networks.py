"""Networks that travel with mlscope: they are what was shipped, and do what the lesson says of them."""

import shutil
import tomllib

import pytest

import mlscope_nb as ms
from mlscope_nb.datasets import embedded
from mlscope_nb.datasets.embedded import folder
from mlscope_nb.predict import shipped_networks
from mlscope_nb.predict.images.shipped import RECIPES


def two_classes(seed, **doses):
    cells, _ = ms.datasets.simulate(2, 16, 4, seed=seed, **doses)
    return cells.subset(cells.labels.isin(["DMSO", "clustered"]).to_numpy())


def test_every_network_is_there_and_knows_what_it_learned_from():
    registry = tomllib.loads((folder() / "networks" / "registry.toml").read_text(encoding="utf-8"))
    for name, (_, classes, _) in shipped_networks.RECIPES.items():
        network = ms.predict.shipped(name)
        assert network.classes == classes or (not classes and len(network.classes) == 7)
        assert len({u.split(" ")[0] for u in network.units}) == 5 and all(u.startswith("TP") for u in network.units)
        # Plates of lessons are called P1, P2, …: their light must not be put on the scale of plates learned from.
        assert set(network.pixels.normalizer.to_dict()["scales"]) == {u.split(" ")[0] for u in network.units}
        assert not network.training and name in registry


def test_networks_of_images_are_there_too():
    images = ms.predict.images
    tasks = {name: images.shipped(name).task for name in ("stain", "stain 1", "denoise", "segment", "fly")}
    assert tasks == {"stain": "stain", "stain 1": "stain", "denoise": "denoise", "segment": "segment", "fly": "stain"}
    assert images.shipped("segment").settings["pretrained"]


@pytest.mark.parametrize("name", ["stain", "stain 1", "denoise", "segment", "fly"])
def test_a_network_of_images_is_trained_again_with_the_settings_of_its_file(name):
    _, task, options = RECIPES[name]
    kept = ms.predict.images.shipped(name).settings
    assert {"task": task, **{k: options[k] for k in ("seed", "steps")}}.items() <= kept.items()


def test_a_name_that_is_unknown_and_a_file_that_was_changed_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="No network 'best' travels with mlscope"):
        ms.predict.shipped("best")
    shutil.copytree(folder() / "networks", tmp_path / "networks")
    content = bytearray((tmp_path / "networks" / "trapped.pt").read_bytes())
    content[1000] ^= 1
    (tmp_path / "networks" / "trapped.pt").write_bytes(bytes(content))
    monkeypatch.setattr(embedded, "folder", lambda: tmp_path)
    with pytest.raises(ValueError, match="is not the file that was shipped"):
        ms.predict.shipped("trapped")
    assert ms.predict.shipped("untrapped").classes == ("DMSO", "clustered")


def test_half_of_the_digits_say_the_same(tmp_path):
    cells = two_classes(31)
    network = ms.predict.shipped("untrapped")
    network.save(tmp_path / "whole.pt")
    network.save(tmp_path / "small.pt", small=True)
    assert (tmp_path / "small.pt").stat().st_size < 0.6 * (tmp_path / "whole.pt").stat().st_size
    said = [ms.predict.Network.load(tmp_path / f"{k}.pt").predict_proba(cells) for k in ("whole", "small")]
    assert abs(said[0] - said[1]).to_numpy().max() < 1e-5  # these weights were saved with half of the digits before


def test_the_corner_turns_the_trapped_network_alone():
    cells = two_classes(31, shortcut=0.9, tied_to="clustered")
    asked = {"target": "clustered", "region": "lower left corner", "progress": False}
    rates = {}
    for name in ("trapped", "untrapped"):
        found = ms.explain.counterfactual(ms.predict.shipped(name), cells, **asked)
        rates[name] = found.table["increase"].iloc[0]
    assert rates["trapped"] > 0.4 and abs(rates["untrapped"]) < 0.1
