"""How long a learner waits: from the first code cell of notebook 00 to a map that answers a lasso, on one core.

    python benchmarks/first_plot.py [runs]

JupyterLab and its kernel are held to one core (the browser runs on the others). Each run starts a fresh kernel, runs
the cells from the first up to the map, waits until the map is drawn and draws a lasso with the mouse until Python knows
the cells. Then all cells are run in another fresh kernel for the time and peak memory of "run all".
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._browser import FLAGS, lab, open_notebook, run_all  # noqa: E402
from mlscope_nb.doctor import find_chromium  # noqa: E402
from studies._record import record  # noqa: E402

NOTEBOOK = ROOT / "notebooks" / "00_start_here.ipynb"
UP_TO_THE_MAP = """async ()=>{const panel=window.jupyterapp.shell.currentWidget, notebook=panel.content;
  const last=[...notebook.model.cells].findIndex(c=>c.sharedModel.getSource().includes('views.explore('));
  notebook.activeCellIndex=last; await notebook.scrollToItem(last, 'start');
  await window.jupyterapp.commands.execute('notebook:run-all-above');
  await window.jupyterapp.commands.execute('notebook:run-cell');}"""
FRAME = """()=>{const map=document.querySelector('.ms-map'); if(!map?.dataset.drawn) return null;
  const g=map.geometry(); return [g.left, g.top, g.width, g.height]}"""
CHOSEN = """async ()=>{const kernel=window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future=kernel.requestExecute({code:"print(len(map_view.selected))",store_history:false}); let text='';
  future.onIOPub=m=>{if(m.header.msg_type==='stream')text+=m.content.text}; await future.done; return Number(text)}"""
SCROLL = """async ()=>{const n=window.jupyterapp.shell.currentWidget.content;
  const at=[...n.model.cells].findIndex(c=>c.sharedModel.getSource().includes('views.explore('));
  await n.scrollToItem(at, 'start'); document.querySelector('.ms-map')?.scrollIntoView({block: 'center'})}"""


def kernel_memory(server: int) -> float:
    """Resident MB of the kernels of a JupyterLab and of the processes they started (UMAP)."""
    total = 0
    for child in psutil.Process(server).children(recursive=True):
        try:
            if {"ipykernel_launcher", "mlscope_nb.explore.apart"} & set(child.cmdline()):
                total += child.memory_info().rss
        except psutil.Error:
            continue  # it has just ended
    return total / 2**20


def seconds_to_a_lasso(page: Page) -> float:
    """Run up to the map and draw on it until Python has the cells."""
    began = time.monotonic()
    page.evaluate(UP_TO_THE_MAP)
    while True:
        page.evaluate(SCROLL)
        frame = page.evaluate(FRAME)
        if frame and frame[1] > 0 and frame[1] + frame[3] < page.viewport_size["height"]:
            left, top, width, height = frame
            page.mouse.move(left + width * 0.1, top + height * 0.1)
            page.mouse.down()
            for x, y in ((0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.12)):
                page.mouse.move(left + width * x, top + height * y, steps=4)
            page.mouse.up()
            if page.evaluate(CHOSEN) > 0:
                return time.monotonic() - began
        page.wait_for_timeout(100)


def run_all_cells(page: Page, server: int) -> tuple[float, float]:
    """Run all cells; seconds until the kernel is idle, and its peak MB."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            peak[0] = max(peak[0], kernel_memory(server))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    began = time.monotonic()
    run_all(page)
    seconds = time.monotonic() - began
    page.wait_for_timeout(14_000)  # UMAP goes on in the background; its memory counts
    stop.set()
    watcher.join()
    return seconds, peak[0]


def measure(runs: int) -> dict[str, Any]:
    """Return the figures of `runs` fresh kernels."""
    root = Path(tempfile.mkdtemp())
    shutil.copy(NOTEBOOK, root)
    firsts, alls, peaks = [], [], []
    with lab(root, cores=[0]) as (port, server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for _ in range(runs):
            for first in (True, False):
                shutil.rmtree(root / "mlscope_work", ignore_errors=True)
                page = browser.new_page(viewport={"width": 1366, "height": 768})
                open_notebook(page, port, NOTEBOOK.name)
                if first:
                    firsts.append(seconds_to_a_lasso(page))
                else:
                    seconds, peak = run_all_cells(page, server)
                    alls.append(seconds)
                    peaks.append(peak)
                page.evaluate("async()=>{await window.jupyterapp.shell.currentWidget.sessionContext.shutdown()}")
                page.close()
        browser.close()
    named = {"first lasso, s": firsts, "run all, s": alls, "kernel peak, MB": peaks}
    return {
        name: {"median": round(statistics.median(v), 1), "min": round(min(v), 1), "max": round(max(v), 1), "runs": runs}
        for name, v in named.items()
    }


if __name__ == "__main__":
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    print(figures)
    record("first_plot", figures)
