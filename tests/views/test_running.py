"""Memory in use, told without a browser."""

import subprocess
import sys

from mlscope_nb import _kernels
from mlscope_nb.views import running, shut_down

ID = "12345678-1234-1234-1234-123456789abc"


def test_memory_is_measured_again_when_the_page_asks(monkeypatch):
    view = running()
    monkeypatch.setattr("mlscope_nb.views.runningview.memory_used_gb", lambda limit: limit * 0.9)
    view._on_measure({}, [])
    assert view._data["full"] and view.used_gb == 0.9 * view.limit_gb


def test_a_kernel_is_found_by_the_file_that_started_it():
    code = "import time; b = bytearray(30_000_000); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, f"kernel-{ID}.json"], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert _kernels.kernel_memory()[ID] > 30
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_a_container_keeps_of_files_is_not_in_use(tmp_path):
    (tmp_path / "memory.current").write_text("1500000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000000\nslab 3\n")
    assert _kernels.memory_used_gb(2.0, tmp_path) == 1.0


def test_outside_of_a_container_the_machine_is_asked(tmp_path):
    assert _kernels.memory_used_gb(1e6, tmp_path) > 0


def test_saved_notebooks_say_what_was_there():
    assert "GB in use" in running()._saved()[0]
    assert "shuts this notebook down" in shut_down()._saved()[0]
