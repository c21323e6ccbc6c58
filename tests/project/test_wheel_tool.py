"""`make wheel`: what it compares, refuses and leaves behind; the whole is run by .ci/run."""

import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    for name in ("install", "wheel"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import wheel

    yield wheel
    for name in ("install", "wheel"):
        sys.modules.pop(name, None)


def packed(file, **contents):
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return file


def test_wheels_are_the_same_where_every_file_is(tool, tmp_path):
    one = packed(tmp_path / "one.whl", a="1", b="2", c="3")
    assert tool.differences(one, packed(tmp_path / "same.whl", c="3", b="2", a="1")) == []
    assert tool.differences(one, packed(tmp_path / "other.whl", a="1", b="changed", d="3")) == ["b", "c", "d"]


def test_a_command_that_fails_is_named_with_what_it_wrote(tool, tmp_path):
    with pytest.raises(tool.Refused, match=r"(?s)smoke failed.*no such cell"):
        tool.run("smoke", [sys.executable, "-c", "print('no such cell'); raise SystemExit(3)"], tmp_path)


def test_nothing_of_the_checkout_is_on_the_path(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tool.run(
        "look", [sys.executable, "-c", "import os; print('ok ', os.environ.get('PYTHONPATH'), os.getcwd())"], tmp_path
    )
    assert f"ok  None {tmp_path}" in capsys.readouterr().out


@pytest.mark.parametrize("failing", ["pip check", "licences", "smoke test"])
def test_one_thing_that_fails_fails_the_whole_and_nothing_is_kept(tool, tmp_path, monkeypatch, capsys, failing):
    files = {"wheel": packed(tmp_path / "a.whl", a="1"), "sdist": tmp_path / "a.tar.gz"}
    monkeypatch.setattr(tool, "build", lambda *_: files)
    monkeypatch.setattr(tool, "check_sdist", lambda *_: None)
    monkeypatch.setattr(tool, "install", lambda *_: Path(sys.executable))

    def run(what, command, folder):
        if what == failing:
            raise tool.Refused(f"{what} failed")

    monkeypatch.setattr(tool, "run", run)
    assert tool.main(["--keep", str(tmp_path / "kept")]) == 1
    assert f"{failing} failed" in capsys.readouterr().err and not (tmp_path / "kept").exists()


def test_the_smoke_test_refuses_a_package_that_is_not_the_installed_one(tool):
    import smoke

    # Here it is the checkout, and other tests may have loaded what is heavy.
    with pytest.raises(smoke.Broken, match=r"also loads|not from"):
        smoke.try_import()
