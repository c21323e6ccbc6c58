"""The learner's work as a zip file: all of it comes back, nothing is overwritten, nothing else gets in."""

import io
import json
import random
import stat
import weakref
import zipfile

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.views import _autosave, selection, work
from mlscope_nb.views._autosave import FOLDER


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A notebook folder with labels, answers, two notebooks, and what is not the learner's work."""
    here = tmp_path / "notes of Ana – ü"
    (here / FOLDER).mkdir(parents=True)
    (here / "solutions").mkdir()
    (here / ".ipynb_checkpoints").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(selection, "_SHARED", weakref.WeakValueDictionary())
    monkeypatch.setattr(_autosave, "_OPEN", weakref.WeakValueDictionary())
    (here / "00_start_here.ipynb").write_text('{"cells": []}')
    (here / "mine, größer: 12?.ipynb").write_text('{"cells": [1]}')
    (here / "solutions" / "00_start_here.ipynb").write_text("{}")
    (here / ".ipynb_checkpoints" / "00.ipynb").write_text("{}")
    (here / "images.tif").write_bytes(b"II*")
    (here / FOLDER / "answers.jsonl").write_text('{"id": "q1"}\n')
    (here / FOLDER / ".hidden.jsonl").write_text("")
    (here / FOLDER / "labels.CSV").write_text("cell_id,label\n")
    (here / FOLDER / "model.pkl").write_bytes(b"x")
    return here


SAVED = {
    "00_start_here.ipynb",
    "mine, größer_ 12_.ipynb",
    f"{FOLDER}/answers.jsonl",
    f"{FOLDER}/labels.CSV",
}


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def packed(files, **info):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = info.get("compress_type", zipfile.ZIP_DEFLATED)
            entry.external_attr = info.get("mode", 0) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def test_everything_that_is_work_comes_back(folder, tmp_path):
    path = ms.views.save_work(tmp_path / "work.zip")
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == SAVED
    other = tmp_path / "other"
    other.mkdir()
    found = ms.views.restore_work(path, other)
    assert set(found.restored) == SAVED == set(contents(other)) and not found.kept_aside
    assert contents(other)[f"{FOLDER}/answers.jsonl"] == b'{"id": "q1"}\n'
    assert "4 files" in str(found) and str(found).endswith(".")
    again = ms.views.restore_work(path, other)
    assert again.restored == () and set(again.unchanged) == SAVED == set(contents(other))
    assert json.loads(json.dumps(again.to_dict()))["unchanged"] == list(again.unchanged)


def test_labels_given_before_are_there_after_the_machine_is_gone(folder, tmp_path, monkeypatch):
    ids = [f"c{i}" for i in range(9)]
    cells = ms.Cells(pd.DataFrame({"x": np.arange(9.0), "y": 0.0}, index=ids))
    ms.views.explore(cells, ("x", "y")).select(["c3"]).assign("round")
    data = work.work_bytes()
    new = tmp_path / "new machine"
    new.mkdir()
    monkeypatch.chdir(new)
    blank = ms.views.explore(cells, ("x", "y"))  # opened before the work was uploaded
    assert blank.labels.isna().all()
    work.restore_bytes(data)
    w = ms.views.explore(cells, ("x", "y"))
    assert w.labels.dropna().to_dict() == {"c3": "round"} and "Restored 1 label" in w._words["note"]


def test_what_is_different_is_kept_aside(folder):
    data = work.work_bytes(folder)
    answers = folder / FOLDER / "answers.jsonl"
    answers.write_text("newer\n")
    first = work.restore_bytes(data, folder)
    # The notebook whose name not every system takes comes back under the name it was packed with.
    assert set(first.restored) == {"mine, größer_ 12_.ipynb", f"{FOLDER}/answers.jsonl"}
    assert len(first.unchanged) == 2 and list(first.kept_aside) == [f"{FOLDER}/answers.jsonl"]
    answers.write_text("newest\n")
    second = work.restore_bytes(data, folder)
    assert answers.read_text() == '{"id": "q1"}\n'
    kept = [folder / r.kept_aside[f"{FOLDER}/answers.jsonl"] for r in (first, second)]
    assert [file.read_text() for file in kept] == ["newer\n", "newest\n"]
    assert all(".jsonl.before-restore-2" in file.name for file in kept)
    assert kept[0].name in str(first)
    # What was kept aside is not part of the next download.
    with zipfile.ZipFile(io.BytesIO(work.work_bytes(folder))) as archive:
        assert not any("before-restore" in name for name in archive.namelist())


@pytest.mark.parametrize(
    "name",
    [
        "../out.ipynb",
        f"{FOLDER}/../../out.jsonl",
        f"{FOLDER}/..",
        "/etc/out.ipynb",
        "C:/out.ipynb",
        "C:out.ipynb",
        "..\\out.ipynb",
        f"{FOLDER}\\out.jsonl",
        f"{FOLDER}//out.jsonl",
        "solutions/out.ipynb",
        "sub/mlscope_work/out.jsonl",
        "out.jsonl",
        "run.py",
        f"{FOLDER}/run.py",
        f"{FOLDER}/out.jsonl.exe",
        ".ipython/profile.ipynb",
        f"{FOLDER}/.out.jsonl",
        "a\nb.ipynb",
        "~/out.ipynb",
        "out/",
    ],
)
def test_other_names_are_refused_and_nothing_is_written(folder, name):
    before = contents(folder.parent)
    with pytest.raises(ValueError, match=r"does not belong there|no files"):
        work.restore_bytes(packed({"00_start_here.ipynb": "new", name: "x"} if name != "out/" else {name: ""}), folder)
    assert contents(folder.parent) == before


@pytest.mark.parametrize(
    "info",
    [
        {"mode": stat.S_IFLNK | 0o777},
        {"mode": stat.S_IFIFO | 0o600},
        {"compress_type": zipfile.ZIP_LZMA},
        {"compress_type": zipfile.ZIP_BZIP2},
    ],
)
def test_links_devices_and_odd_packing_are_refused(folder, info):
    with pytest.raises(ValueError, match="does not belong"):
        work.restore_bytes(packed({f"{FOLDER}/answers.jsonl": "/etc/passwd"}, **info), folder)
    assert (folder / FOLDER / "answers.jsonl").read_text() == '{"id": "q1"}\n'


def test_links_and_folders_on_this_machine_lead_nowhere(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / FOLDER / "sub").symlink_to(outside)
    (folder / "linked.ipynb").symlink_to(outside / "target.ipynb")
    (folder / "real.ipynb").mkdir()
    for name in (f"{FOLDER}/sub/out.jsonl", "linked.ipynb", "real.ipynb"):
        with pytest.raises(ValueError, match="Nothing was restored"):
            work.restore_bytes(packed({"new.ipynb": "{}", name: "x"}), folder)
    assert list(outside.iterdir()) == [] and not (folder / "new.ipynb").exists()
    with zipfile.ZipFile(io.BytesIO(work.work_bytes(folder))) as archive:
        assert set(archive.namelist()) == SAVED


def test_bombs_are_refused_before_they_unpack(folder, monkeypatch):
    monkeypatch.setattr(work, "MOST_BYTES", 1_000_000)
    bomb = packed({f"{FOLDER}/{i}.jsonl": b"0" * 600_000 for i in range(2)})
    assert len(bomb) < 5_000
    with pytest.raises(ValueError, match="would unpack to 1 MB"):
        work.restore_bytes(bomb, folder)
    # One that lies about its size is found out by its checksum.
    honest = packed({f"{FOLDER}/x.jsonl": b"0" * 600_000})
    liar = honest.replace((600_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert liar != honest
    with pytest.raises(ValueError, match="damaged"):
        work.restore_bytes(liar, folder)
    monkeypatch.setattr(work, "MOST_FILES", 3)
    with pytest.raises(ValueError, match="4 files"):
        work.restore_bytes(packed({f"{i}.ipynb": "" for i in range(4)}), folder)
    with pytest.raises(OSError, match="more than can be saved"):
        work.work_bytes(folder)


def test_work_that_is_too_large_is_named_when_it_is_saved(folder, monkeypatch):
    monkeypatch.setattr(work, "MOST_BYTES", 1_000)
    (folder / "big.ipynb").write_text("0" * 2_000)
    with pytest.raises(OSError, match=r"largest is 'big\.ipynb'"):
        work.work_bytes(folder)


def test_two_files_of_one_name_are_refused(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.ipynb", "1")
        archive.writestr("a.ipynb", "2")
    with pytest.raises(ValueError, match=r"'a\.ipynb'"):
        work.restore_bytes(buffer.getvalue(), folder)


def test_damaged_files_are_refused_whole_or_restored_as_they_were(folder):
    """Bytes cut off or changed anywhere: an error in words and nothing written, or what was saved."""
    good = work.work_bytes(folder)
    saved = contents(folder)
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.choice([1, 1, 4])):
                data[rng.randrange(len(data))] = rng.randrange(256)
        target = folder.parent / f"try{_}-{rng.random()}"
        target.mkdir()
        try:
            found = work.restore_bytes(bytes(data), target)
        except ValueError:
            refused += 1
            assert contents(target) == {}
        else:
            assert set(contents(target)) == {*found.restored}
            assert set(contents(target).values()) <= set(saved.values())
    assert 50 < refused < 300


def test_a_zip_made_by_the_system_is_taken_too(folder):
    """Repacking adds entries for folders."""
    data = packed({f"{FOLDER}/": "", f"{FOLDER}/new.jsonl": "x"})
    assert work.restore_bytes(data, folder).restored == (f"{FOLDER}/new.jsonl",)


def test_where_the_folder_cannot_be_written_work_is_in_the_home_folder(folder, tmp_path, monkeypatch):
    home, locked = tmp_path / "home", tmp_path / "locked"
    (home / FOLDER).mkdir(parents=True)
    locked.mkdir()
    (locked / FOLDER).write_text("")  # refused for everyone, also for root
    monkeypatch.setenv("HOME", str(home))
    (home / FOLDER / "answers.jsonl").write_text("home\n")
    with zipfile.ZipFile(io.BytesIO(work.work_bytes(locked))) as archive:
        assert archive.namelist() == [f"{FOLDER}/answers.jsonl"]
    found = work.restore_bytes(work.work_bytes(folder), locked)
    assert found.folder == str(home) and (home / "00_start_here.ipynb").exists()


def test_other_folders_and_files(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="no work to save"):
        ms.views.save_work(tmp_path / "x.zip", empty)
    with pytest.raises(IsADirectoryError, match=r"my_work\.zip"):
        ms.views.save_work(tmp_path)
    with pytest.raises(FileNotFoundError, match="Upload it"):
        ms.views.restore_work(tmp_path / "gone.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(ValueError, match="cannot be read as a zip"):
        ms.views.restore_work(tmp_path / "text.zip")
    assert not (tmp_path / "x.zip").exists() and list(empty.iterdir()) == []


def test_names_are_shown_as_text():
    found = work.Restored("here", ("<script>.ipynb",), (), {})
    assert "<script>" not in found._repr_html_()
