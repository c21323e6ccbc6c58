"""Files and folders are either whole or as they were before."""

import os
from pathlib import Path

import pytest

from mlscope_nb._files import append_lines, made_folder, new_target, replacing_folder


def left_in(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_folder_appears_whole(tmp_path):
    with replacing_folder(tmp_path / "out") as part:
        (part / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "1"
    assert left_in(tmp_path) == ["out"]
    assert (tmp_path / "out").stat().st_mode & 0o700 == 0o700


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    (tmp_path / "out" / "inner").mkdir(parents=True)
    with replacing_folder(tmp_path / "out") as part:
        (part / "a").write_text("1")
    assert left_in(tmp_path / "out") == ["a"] and left_in(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()])
def test_what_fails_leaves_the_older_folder(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("0")
    with pytest.raises(type(error)), replacing_folder(tmp_path / "out") as part:
        (part / "a").write_text("1")
        raise error
    assert left_in(tmp_path / "out") == ["old"] and left_in(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [OSError("refused"), KeyboardInterrupt()])
def test_the_older_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("0")
    rename = os.rename

    def refusing(source, target):
        if str(source).endswith(".part"):
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    with pytest.raises(type(error)), replacing_folder(tmp_path / "out") as part:
        (part / "a").write_text("1")
    assert left_in(tmp_path / "out") == ["old"]
    assert [p for p in left_in(tmp_path) if p.endswith(".old")] == []


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("0")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with replacing_folder(tmp_path / "out") as part:
        (part / "a").write_text("1")
    assert left_in(tmp_path / "elsewhere") == ["mine"]
    assert left_in(tmp_path / "out") == ["a"] and not (tmp_path / "out").is_symlink()


def test_an_existing_target_is_refused_unless_it_may_go(tmp_path):
    (tmp_path / "there").write_text("0")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        new_target(tmp_path / "there", overwrite=False)
    assert new_target(tmp_path / "there", overwrite=True) == tmp_path / "there"
    assert new_target(tmp_path / "new", overwrite=False) == tmp_path / "new"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        new_target(tmp_path / "dangling", overwrite=False)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        new_target(tmp_path / "nowhere" / "a.csv", overwrite=False)


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OSError, match=r"Read-only file system\). Choose a folder") as made:
        made_folder(tmp_path / "report")
    with pytest.raises(OSError, match=r"Read-only file system\). Choose a folder") as added:
        append_lines(tmp_path / "labels.jsonl", ["{}"])
    assert all(str(tmp_path) in str(found.value) and found.value.errno == 30 for found in (made, added))
