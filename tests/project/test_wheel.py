"""What an installed wheel holds: the package, its assets and the embedded data, the notebooks."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def tracked(folder):
    """Files of a folder that git knows, named from the root; others are still being worked on."""
    done = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the package cannot be listed")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_package_is_whole(names):
    package = set(tracked("mlscope_nb"))
    assert "mlscope_nb/py.typed" in package
    assert package - names == set()


def test_the_embedded_data_are_inside_but_not_the_scripts_that_made_them(names):
    data = {name for name in tracked("data") if not name.endswith(".py")}
    assert any(name.startswith("data/fly/") for name in data)
    assert {name.replace("data/", "mlscope_nb/_data/", 1) for name in data} - names == set()
    assert [name for name in names if name.startswith("mlscope_nb/_data/") and name.endswith(".py")] == []


def test_the_notebooks_are_inside_but_not_what_they_are_made_from(names):
    inside = {name for name in names if name.startswith("mlscope_nb/_notebooks/")}
    expected = {name for name in tracked("notebooks") if name.endswith((".ipynb", "/glossary.md"))}
    assert inside == {name.replace("notebooks/", "mlscope_nb/_notebooks/", 1) for name in expected}


def test_notebooks_are_copied_from_the_wheel_alone(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-m", "mlscope_nb", "copy-notebooks", str(tmp_path / "mine")]
    (tmp_path / "elsewhere").mkdir()
    env = dict(os.environ, PYTHONPATH=str(tmp_path / "site"))
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "mine").glob("*.ipynb")} == {
        Path(name).name for name in tracked("notebooks") if Path(name).parent.name == "notebooks" and name.endswith("b")
    }


def test_nothing_else_is_inside(names):
    tops = {name.split("/")[0] for name in names}
    assert tops == {"mlscope_nb", "mlscope_nb-0.1.0.dist-info"}
    assert [name for name in names if "test" in Path(name).name.lower() or "__pycache__" in name] == []


def test_licences_travel_along(names):
    licences = {name.split("/licenses/")[1] for name in names if ".dist-info/licenses/" in name}
    assert {"LICENSE", *tracked("data/LICENSES")} <= licences


def test_embedded_data_load_from_the_wheel_alone(wheel, tmp_path):
    """Unpacked elsewhere, with no checkout around it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import mlscope_nb as ms; "
        "assert ms.__file__.startswith(sys.path[0]), ms.__file__; print(len(ms.datasets.load_fields('fly')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3"
