"""The doctor: each check finds what it is there to find, and says what to do."""

import subprocess
import sys

import pytest

from mlscope_nb import __main__ as command_line
from mlscope_nb import doctor


def test_all_checks_run_here_and_nothing_is_wrong(tmp_path):
    checks = doctor.examine(tmp_path)
    assert [str(check) for check in checks if check.level == "problem"] == []
    assert len({check.name for check in checks}) == 9


def test_problems_always_say_what_to_do(tmp_path):
    problems = [
        doctor.check_python("3.10.4", ">=3.11"),
        doctor.check_packages(["numpy>=2"], {}),
        doctor.check_widgets([tmp_path]),
        doctor.check_memory(1.0),
        doctor.check_disk(0.1),
        doctor.check_writable(tmp_path / "missing"),
    ]
    assert {check.level for check in problems} == {"problem"}
    assert all(check.advice for check in problems)


def test_a_course_folder_may_be_read_only_where_the_home_folder_is_not(tmp_path, monkeypatch):
    course, home = tmp_path / "course", tmp_path / "home"
    course.mkdir()
    home.mkdir()
    monkeypatch.setattr(doctor.Path, "home", lambda: home)
    refused = {course}
    monkeypatch.setattr(doctor, "_refusal", lambda folder: "Read-only file system" if folder in refused else "")
    check = doctor.check_writable(course)
    assert check.level == "note" and "Read-only" in check.found and str(home / "mlscope_work") in check.advice
    refused.add(home)
    assert doctor.check_writable(course).level == "problem"


def test_an_old_python_is_named():
    assert doctor.check_python("3.10.4", ">=3.11").found == "3.10.4; needed: >=3.11"


def test_packages_missing_and_too_old_are_named():
    check = doctor.check_packages(["numpy>=2.0", "zarr>=3.0", "tqdm"], {"numpy": "1.26.4", "tqdm": "4.66"})
    assert check.found == "numpy is 1.26.4, needed: >=2.0; zarr is missing"


def test_packages_of_extras_and_of_other_systems_are_not_asked_for():
    check = doctor.check_packages(['pytest; extra == "dev"', 'x; python_version < "3"', "tqdm"], {"tqdm": "1"})
    assert check.level == "ok" and check.found.startswith("1 packages")


def test_a_local_build_fulfils_the_plain_requirement():
    assert doctor.check_packages(["torch==2.13.0"], {"torch": "2.13.0+cpu"}).level == "ok"


def test_a_package_that_is_not_installed_has_no_requirements_to_meet(monkeypatch):
    monkeypatch.setattr(doctor, "_declared", lambda field: [])
    assert "not installed" in doctor.check_packages().found


def test_widgets_of_a_partial_installation(tmp_path):
    for name in doctor.LAB_EXTENSIONS:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "package.json").write_text("{}")
    assert doctor.check_widgets([tmp_path]).level == "ok"
    (tmp_path / "anywidget" / "package.json").unlink()
    assert "anywidget" in doctor.check_widgets([tmp_path]).found


def test_memory_is_the_container_s_where_that_is_less(tmp_path):
    limit = tmp_path / "memory.max"
    limit.write_text("2000000000\n")
    assert doctor.memory_limit_gb([limit]) == 2.0
    limit.write_text("max\n")
    assert doctor.memory_limit_gb([limit]) == doctor.memory_limit_gb([])


def test_cores_are_the_container_s_where_that_is_less(tmp_path):
    quota = tmp_path / "cpu.max"
    quota.write_text("100000 100000\n")
    assert doctor.usable_cores(quota) == 1
    quota.write_text("max 100000\n")
    assert doctor.usable_cores(quota) == doctor.usable_cores(tmp_path / "none")


def test_a_gpu_is_asked_for_and_an_idle_one_is_pointed_out(tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100'\n")
    tool.chmod(0o755)
    gpus = doctor.nvidia_gpus(str(tool))
    assert gpus == ["NVIDIA H100"]
    assert doctor.check_gpu(gpus, "2.13.0").level == "ok"
    idle = doctor.check_gpu(gpus, "2.13.0+cpu")
    assert idle.level == "note" and "TORCH=gpu" in idle.advice


@pytest.mark.parametrize("body", ["exit 9", "echo broken; exit 1"])
def test_a_broken_gpu_driver_is_no_gpu(tmp_path, body):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    assert doctor.nvidia_gpus(str(tool)) == []
    assert doctor.nvidia_gpus("no-such-tool") == []


def test_chromium_can_be_chosen(tmp_path, monkeypatch):
    browser = tmp_path / "chrome"
    browser.touch()
    monkeypatch.setenv("MLSCOPE_CHROMIUM", str(browser))
    assert doctor.find_chromium() == str(browser)
    monkeypatch.setenv("MLSCOPE_CHROMIUM", str(tmp_path / "none"))
    assert doctor.find_chromium() is None
    assert doctor.check_chromium(None).level == "note"


def test_the_last_line_counts_the_problems():
    bad = doctor.Check("disk", "problem", "full", "Delete what you do not need.")
    assert doctor.render([bad]).splitlines()[-1] == "1 problem to solve, see above."
    assert doctor.render([bad, bad]).splitlines()[-1] == "2 problems to solve, see above."


def test_the_command_says_so_with_its_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "memory_limit_gb", lambda: 0.9)
    assert command_line.main(["doctor"]) == 1
    assert "0.9 GB; needed: 1.5 GB" in capsys.readouterr().out


def test_the_command_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "mlscope_nb", "doctor"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Everything needed is here.\n")


def test_lab_opens_the_notebook_quietly_and_passes_options_on(tmp_path, monkeypatch):
    asked = []

    def run(command):
        asked.extend(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(command_line.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    notebook = tmp_path / "my notes" / "a.ipynb"
    notebook.parent.mkdir()
    notebook.touch()
    assert command_line.main(["lab", f"--notebook={notebook}", "--port=9999", "--no-browser"]) == 0
    assert asked[1:3] == ["-m", "jupyterlab"]
    assert {f"--ServerApp.root_dir={tmp_path}", "--LabApp.default_url=/lab/tree/my%20notes/a.ipynb"} <= set(asked)
    assert {"--port=9999", "--no-browser", "--LabApp.news_url=None"} <= set(asked)
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in asked


def test_a_notebook_from_elsewhere_brings_its_own_folder(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    monkeypatch.chdir(here)
    command = command_line.lab_command(there / "a.ipynb", [])
    assert {f"--ServerApp.root_dir={there}", "--LabApp.default_url=/lab/tree/a.ipynb"} <= set(command)


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (1000, False)])
def test_only_root_is_let_in_as_root(monkeypatch, tmp_path, uid, allowed):
    monkeypatch.setattr(command_line.os, "geteuid", lambda: uid, raising=False)
    assert ("--allow-root" in command_line.lab_command(tmp_path, [])) is allowed


def test_lab_outside_the_checkout_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["lab"]) == 1
    assert "Run this in the mlscope folder" in capsys.readouterr().err
