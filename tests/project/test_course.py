"""Notebooks for a folder of one's own, and the licences of what is installed."""

import pytest

from mlscope_nb import __main__ as command_line
from mlscope_nb._course import copy_notebooks, notebooks
from mlscope_nb._licences import Licence, licences


def test_all_notebooks_are_copied_and_a_second_time_nothing_is(tmp_path):
    first, again = copy_notebooks(tmp_path / "mine"), copy_notebooks(tmp_path / "mine")
    assert set(first.written) == set(notebooks()) == set(again.unchanged)
    assert (tmp_path / "mine" / "solutions" / "00_start_here.ipynb").is_file()
    assert "## well" in (tmp_path / "mine" / "glossary.md").read_text(encoding="utf-8")


def test_a_learner_s_own_notebook_is_never_overwritten(tmp_path):
    mine = tmp_path / "00_start_here.ipynb"
    mine.write_text("my work")
    found = copy_notebooks(tmp_path)
    assert found.kept == ("00_start_here.ipynb",) and mine.read_text() == "my work"
    assert "Left alone" in str(found)


def test_a_place_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command_line.main(["copy-notebooks", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err


def test_no_package_of_the_base_installation_is_under_the_gpl_alone(capsys):
    assert command_line.main(["licences"]) == 0
    assert "under the GPL alone: none" in capsys.readouterr().out
    found = licences()
    assert {"torch", "numpy", "zarr", "holoviews"} <= {licence.package for licence in found}
    assert [licence for licence in found if licence.licence == "not named"] == []


@pytest.mark.parametrize(
    ("name", "copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("GNU General Public License v2 (GPLv2)", True),
        ("AGPL-3.0", True),
        ("LGPL-2.1", False),
        ("MIT OR GPL-2.0", False),
        ("GPL-2.0; BSD License", False),
        ("BSD-3-Clause", False),
        ("not named", False),
    ],
)
def test_copyleft_is_told_from_its_name(name, copyleft):
    assert Licence("a", "1", name).copyleft is copyleft
