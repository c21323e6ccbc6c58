"""Keys pressed inside every view in Notebook 7: the notebook around them has to stay as it is.

    .venv/bin/python benchmarks/notebook7.py

Notebook 7 is in a folder of its own (``pip install --target FOLDER --no-deps notebook notebook-shim``), named in the
environment variable ``MLSCOPE_NOTEBOOK7``. The same is asserted for JupyterLab 4 in tests/browser/test_every_view.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._browser import FLAGS, run_all  # noqa: E402
from mlscope_nb.doctor import find_chromium  # noqa: E402
from studies._record import record  # noqa: E402

SOURCES = "()=>[...window.jupyterapp.shell.currentWidget.content.model.cells].map(c=>c.sharedModel.getSource())"


def every_view() -> ModuleType:
    """Return the browser test whose views and keys are used here."""
    place = ROOT / "tests" / "browser" / "test_every_view.py"
    spec = importlib.util.spec_from_file_location("test_every_view", place)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(folder: Path, root: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start Notebook 7 over a folder; returns the process and its port."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    # Only these two packages: a newer jupyterlab in that folder must not take the place of ours.
    alone = Path(tempfile.mkdtemp())
    for name in ("notebook", "notebook_shim"):
        (alone / name).symlink_to(folder / name)
    scratch = tempfile.mkdtemp()
    environment = dict(os.environ, PYTHONPATH=str(alone), JUPYTER_CONFIG_DIR=scratch, JUPYTER_DATA_DIR=scratch)
    environment |= {"JUPYTER_PATH": str(folder / "share/jupyter"), "JUPYTER_CONFIG_PATH": str(folder / "etc/jupyter")}
    command = [sys.executable, "-m", "notebook", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--IdentityProvider.token=t", f"--ServerApp.root_dir={root}"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t", timeout=2).close()
            break
        except OSError:
            time.sleep(0.2)
    return process, port


def press_all(page: Page, root: str, place: int, keys: list[str]) -> int:
    """Press all keys in up to six parts of a view that take the focus; returns how many parts."""
    find = (
        f"i => [({root})(i), ...({root})(i).querySelectorAll('canvas, select, summary, button, [tabindex=\"0\"]')]"
        ".filter((node) => node.checkVisibility() && !node.disabled).slice(0, 6)"
    )
    parts = page.evaluate_handle(find, place)
    n = int(page.evaluate("parts => parts.length", parts))
    for i in range(n):
        page.evaluate("([parts, i]) => parts[i].focus()", [parts, i])
        for key in keys:
            page.keyboard.press(key)
    page.wait_for_timeout(300)
    return n


def measure(folder: Path) -> dict[str, Any]:
    """Return for each view in how many parts keys were pressed, and whether the notebook stayed as it was."""
    views, root = every_view(), Path(tempfile.mkdtemp())
    sources = [views.DATA, *views.VIEWS.values(), "# stays"]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), root / "every.ipynb")
    process, port = start(folder, root)
    figures: dict[str, Any] = {}
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            page = browser.new_page(viewport={"width": 1366, "height": 4000})
            page.set_default_timeout(300_000)
            page.goto(f"http://127.0.0.1:{port}/notebooks/every.ipynb?token=t", wait_until="domcontentloaded")
            page.wait_for_function("()=>window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
            figures["application"] = page.evaluate("()=>`${window.jupyterapp.name} ${window.jupyterapp.version}`")
            run_all(page)
            page.wait_for_selector(".ms-threshold[data-busy=false]")
            page.wait_for_timeout(3000)
            for place, name in enumerate(views.VIEWS, start=1):
                n = press_all(page, views.ROOT, place, views.KEYS)
                same = page.evaluate(SOURCES) == sources and not page.locator(".jp-Dialog").count()
                figures[name] = f"{len(views.KEYS)} keys in {n} parts: {'unchanged' if same else 'CHANGED'}"
            browser.close()
    finally:
        process.terminate()
        process.wait(20)
    return figures


if __name__ == "__main__":
    given = os.environ.get("MLSCOPE_NOTEBOOK7")
    if not given:
        raise SystemExit("Name the folder that holds Notebook 7 in MLSCOPE_NOTEBOOK7 (see the top of this file).")
    found = measure(Path(given).resolve())
    print(json.dumps(found, indent=1))
    record("notebook7", found)
