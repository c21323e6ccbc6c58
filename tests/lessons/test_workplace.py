"""Where a lesson's own files go: beside the notebook, or in the home folder of a learner whose course is read-only."""

import tempfile
from pathlib import Path

import pytest

from mlscope_nb.lessons import workplace


def read_only(monkeypatch, *places):
    """Refuse new files in these folders, as a course folder does that a room shares."""
    real = tempfile.TemporaryFile

    def refuse(*arguments, dir=None, **options):
        if Path(dir) in places:
            raise PermissionError(13, "Permission denied", str(dir))
        return real(*arguments, dir=dir, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)


def test_files_go_beside_the_notebook(folder, capsys):
    assert workplace() == Path()
    assert "goes beside it" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == ["lessons"]


def test_where_the_folder_cannot_be_written_they_go_home_and_it_is_said(folder, tmp_path, monkeypatch, capsys):
    read_only(monkeypatch, folder, folder / "mlscope_work")
    place = workplace()
    assert place == tmp_path / "home" / "mlscope_work" and place.is_dir()
    assert "cannot be written to" in (said := capsys.readouterr().out) and str(place) in said
    (place / "my_folder").mkdir()
    assert workplace() == place


def test_where_nothing_can_be_written_that_is_said_with_what_to_do(folder, tmp_path, monkeypatch):
    places = [folder, tmp_path / "home"]
    read_only(monkeypatch, *places, *(place / "mlscope_work" for place in places))
    with pytest.raises(OSError, match="Start JupyterLab in a folder of yours"):
        workplace()
