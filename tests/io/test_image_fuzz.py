"""Damaged and hostile images end in a result or in an error that names the file. The full count: studies/io_fuzz.py."""

import resource
import shutil

import pytest

from studies._spoilt import hostile, outcome, spoil, whole

ROUNDS = 3


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return whole(tmp_path_factory.mktemp("whole"))


def test_what_is_whole_is_read(good):
    assert {name: outcome(path, reader) for name, (path, reader) in good.items()} == dict.fromkeys(good, "read")


def test_damaged_files(good, tmp_path):
    wrong, kinds = {}, set()
    for number, (name, (path, reader)) in enumerate(good.items()):
        for seed in range(ROUNDS):
            place = tmp_path / f"{number}-{seed}"
            place.mkdir()
            copy = place / path.name
            (shutil.copytree if path.is_dir() else shutil.copy)(path, copy)
            for beside in path.parent.glob("b.tif"):
                shutil.copy(beside, place)
            done = spoil(copy, 1000 * number + seed)
            found = outcome(copy, reader, 10)
            kinds.add(found)
            if found not in ("read", "refused"):
                wrong[f"{name}, {done}, {1000 * number + seed}"] = found
    assert not wrong
    assert kinds == {"read", "refused"}


def test_hostile_files(tmp_path):
    inside = tmp_path / "a" / "b" / "c"
    inside.mkdir(parents=True)
    made = hostile(inside)
    before = sorted(tmp_path.rglob("*"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {name: outcome(path, reader, 10) for name, (path, reader) in made.items()}
    # a circle of pages has one page, and that is an image
    assert found == {**dict.fromkeys(made, "refused"), "tiff, pages in a circle": "read"}
    assert sorted(tmp_path.rglob("*")) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 400_000
