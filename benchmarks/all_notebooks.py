"""A whole course in one small server: every notebook in order, on one core, with 2 GB of memory and no swap.

    python benchmarks/all_notebooks.py [memory in GB]

JupyterLab, its kernels and all that they start are held to one core and, where this machine lets control groups be
made, to so much memory that the system ends a process that asks for more. (Else memory is only watched, and the run
fails where it was exceeded.) Notebooks are those of learners, with nothing answered: each is opened, all cells are run,
and it is shut down by the button in its last cell. Peaks are of resident memory: of the server, of the kernel, of what
the kernel started (UMAP), and of all together.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._browser import FLAGS, lab, open_notebook, run_all  # noqa: E402
from mlscope_nb.doctor import find_chromium  # noqa: E402
from studies._record import record  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
GROUPS = Path("/sys/fs/cgroup")
LIMITS = {
    "memory/mlscope": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "mlscope": ("memory.max", "memory.swap.max"),
}
BACKGROUND_S = 20
"""UMAP of a view goes on after the last cell; its memory counts."""


@contextmanager
def held(process: int, limit: int) -> Iterator[bool]:
    """Hold a process and all that it starts to so many bytes; says whether the system does it."""
    for name, (memory, swap) in LIMITS.items():
        group = GROUPS / f"{name}-{os.getpid()}"
        try:
            group.mkdir()
            # Where no control groups are mounted this is a folder like any other, and holds nothing to any limit.
            if not all((group / file).exists() for file in (memory, swap, "cgroup.procs")):
                raise FileNotFoundError(f"{group} is no control group")
            (group / memory).write_text(str(limit))
            (group / swap).write_text(str(limit if "memsw" in swap else 0))
            (group / "cgroup.procs").write_text(str(process))
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        try:
            yield True
        finally:
            for one in map(int, (group / "cgroup.procs").read_text().split()):
                (group.parent / "cgroup.procs").write_text(str(one))
            group.rmdir()
        return
    yield False


class Watch:
    """Peaks of resident memory in MB, since `begin`."""

    def __init__(self, server: int) -> None:
        self.server, self.peak = server, dict.fromkeys(("server", "kernel", "children", "all"), 0.0)
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self) -> None:
        """Forget earlier peaks."""
        self.peak = dict.fromkeys(self.peak, 0.0)

    def _run(self) -> None:
        while True:
            now = self._now()
            self.peak = {name: max(value, now[name]) for name, value in self.peak.items()}
            time.sleep(0.2)

    def _now(self) -> dict[str, float]:
        now = dict.fromkeys(self.peak, 0.0)
        try:
            top = psutil.Process(self.server)
            now["server"] = top.memory_info().rss / 1e6
            family = top.children(recursive=True)
        except psutil.Error:
            return now
        for one in family:
            try:
                kind = "kernel" if "ipykernel_launcher" in one.cmdline() else "children"
                now[kind] += one.memory_info().rss / 1e6
            except psutil.Error:
                continue  # it has just ended
        now["all"] = now["server"] + now["kernel"] + now["children"]
        return now


def lesson(page: Page, port: int, name: str, watch: Watch) -> dict[str, Any]:
    """Open a notebook, run it, shut it down; its figures."""
    watch.begin()
    began = time.monotonic()
    open_notebook(page, port, name)
    opened = time.monotonic()
    run_all(page)
    ran = time.monotonic()
    page.wait_for_timeout(BACKGROUND_S * 1000)
    shut_down(page)
    peaks = {f"peak of {kind}, MB": round(value) for kind, value in watch.peak.items()}
    return {"opened, s": round(opened - began, 1), "run-all, minutes": round((ran - opened) / 60, 2), **peaks}


def shut_down(page: Page) -> None:
    """Press the button in the last cell, and wait until the kernel is gone."""
    kernel = page.evaluate("()=>window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    last = "()=>{const n=window.jupyterapp.shell.currentWidget.content; return n.scrollToItem(n.widgets.length-1)}"
    page.evaluate(last)
    page.get_by_role("button", name="Shut this notebook down").click()
    gone = "async (id)=>!(await (await fetch('/api/kernels?token=t')).json()).some((k)=>k.id===id)"
    page.wait_for_function(gone, arg=kernel)


def course(limit_gb: float) -> dict[str, Any]:
    """Go through all notebooks; figures by notebook."""
    root = Path(tempfile.mkdtemp())
    for path in NOTEBOOKS:
        shutil.copy(path, root)
    os.environ["OMP_NUM_THREADS"] = "1"
    figures: dict[str, Any] = {}
    with (
        lab(root, cores=[0]) as (port, server),
        held(server, int(limit_gb * 1e9)) as enforced,
        sync_playwright() as playwright,
    ):
        figures["limit"] = f"{limit_gb:g} GB, no swap, {'held by the system' if enforced else 'watched'}"
        browser, watch = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS), Watch(server)
        for path in NOTEBOOKS:
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            figures[path.stem] = lesson(page, port, path.name, watch)
            print(path.stem, figures[path.stem], flush=True)
            page.close()
        browser.close()
    shutil.rmtree(root, ignore_errors=True)
    most = max(found["peak of all, MB"] for name, found in figures.items() if name != "limit")
    if not enforced and most > 1000 * limit_gb:
        raise SystemExit(f"{most} MB were in use, more than {limit_gb:g} GB.")
    return figures


if __name__ == "__main__":
    found = course(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
    record("all_notebooks", found)
