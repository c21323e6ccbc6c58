"""From the mouse button's release to the gallery of the cells drawn around, in a real JupyterLab, at growing sizes.

    .venv/bin/python benchmarks/lasso.py [runs] [n_cells …]          (needs `make peers`)

The same lasso is drawn on jupyter-scatter, with our gallery as its callback, in the same run.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402
from playwright.sync_api import TimeoutError as TookTooLong  # noqa: E402

from benchmarks._browser import FLAGS, SlowLine, ask, lab, open_notebook, run_all  # noqa: E402
from mlscope_nb.doctor import find_chromium  # noqa: E402
from studies import _peers  # noqa: E402
from studies._record import record  # noqa: E402

SIZES = (5_000, 20_000, 100_000, 1_000_000)
MAKE = """
import numpy as np, pandas as pd, json, os, sys, time
import mlscope_nb as ms
rng = np.random.default_rng(1)
n, side = {n}, {side}
ids = np.char.add("c", np.arange(n).astype(str))
y, x = np.mgrid[:side, :side] - side / 2
few = np.exp(-(x**2 + y**2) / rng.uniform(4, 9, 512)[:, None, None] ** 2)
images = (few * 200).astype(np.uint8)[np.arange(n) % 512, None]
centre = rng.normal(scale=4, size=(12, 2))[rng.integers(0, 12, n)]
place = pd.DataFrame(centre + rng.normal(size=(n, 2)), ids, columns=["x", "y"])
obs = pd.DataFrame({{"plate": rng.choice(["p1", "p2", "p3"], n), "well": rng.integers(0, 60, n).astype(str)}}, ids)
cells = ms.Cells(obs, images, channels=["DNA"], embeddings={{"umap": place}}, unit=["plate", "well"], batch="plate")
"""
OPEN = "began = time.time()\nw = ms.views.explore(cells, autosave=False)\nw"
PEER = """
sys.path.append({peers!r})
import jscatter
scatter = jscatter.Scatter(data=cells.embeddings["umap"].assign(plate=cells.obs["plate"].astype("category")),
                           x="x", y="y", color_by="plate", height=400)
scatter.mouse("lasso")
g = ms.views.gallery(cells)
def follow(change):
    g._rows = np.asarray(scatter.selection())
    g.page(-10**6)
scatter.widget.observe(follow, names="selection")
display(scatter.widget); display(g)
"""
WATCH = """() => { const crops = [...document.querySelectorAll('.ms-crops')].at(-1);
  window.released = null; window.shown = null;
  document.addEventListener('pointerup', () => { window.released = performance.now(); }, { capture: true, once: true });
  document.addEventListener('mouseup', () => { window.released ??= performance.now(); }, { capture: true, once: true });
  const eye = new MutationObserver(() => { if (window.released === null) return;
    eye.disconnect(); requestAnimationFrame(() => { window.shown = performance.now(); }); });
  eye.observe(crops, { attributes: true, attributeFilter: ['data-ids'] }); }"""
BOTH_DRAWN = """() => { window.drawnAt = 0; const look = () => {
    if (document.querySelector('.ms-map[data-drawn]') && document.querySelector('.ms-crops[data-ready=true]')) {
      window.drawnAt = Date.now(); return; }
    requestAnimationFrame(look); }; look(); }"""
CHOSEN = "import hashlib; print(json.dumps(hashlib.sha256(w.selection.rows.tobytes()).hexdigest()))"
SLOW = {"delay": 0.075, "rate": 5e6 / 8}
FRAME = "() => [...document.querySelectorAll('.ms-map')].at(-1).geometry()"


def star(frame: dict[str, float], turn: int, radius: float = 0.3) -> list[tuple[int, int]]:
    """Corners of a star on the map, another one at each turn."""
    x = frame["left"] + frame["width"] * (0.4 + 0.02 * turn)
    y = frame["top"] + frame["height"] * (0.6 - 0.02 * turn)
    reach = radius * frame["height"]
    spokes = [(k * math.pi / 8, reach * (1 if k % 2 else 0.5)) for k in range(16)]
    return [(round(x + r * math.cos(a)), round(y + r * math.sin(a))) for a, r in spokes]


def drag(page: Page, line: list[tuple[int, int]]) -> float:
    """Draw a line with the mouse; milliseconds from its release until the gallery has changed and is painted."""
    page.evaluate(WATCH)
    page.mouse.move(*line[0])
    page.mouse.down()
    for corner in [*line[1:], line[0]]:
        page.mouse.move(*corner)
        page.wait_for_timeout(20)
    page.mouse.up()
    page.wait_for_function("() => window.shown !== null", timeout=60_000)
    return float(page.evaluate("() => window.shown - window.released"))


def inside(x: np.ndarray, y: np.ndarray, line: list[tuple[int, int]]) -> np.ndarray:
    """Which points lie in a polygon, by the crossing number."""
    result = np.zeros(len(x), bool)
    for (x1, y1), (x2, y2) in zip(line, [*line[1:], line[0]], strict=True):
        if y1 != y2:
            result ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return result


def ours(page: Page, root: Path, line: SlowLine, n: int, runs: int) -> dict[str, Any]:
    """Draw `runs` lassos on the workbench; milliseconds, bytes, and whether each was exact."""
    write(root, n, [OPEN])
    open_notebook(page, line.port, "lasso.ipynb")
    before = line.down
    page.evaluate(BOTH_DRAWN)
    run_all(page)
    page.wait_for_function("() => window.drawnAt", timeout=120_000)
    first = page.evaluate("() => window.drawnAt / 1000") - ask(page, "print(json.dumps(began))")
    received = (line.down - before) / 1e6
    page.evaluate("() => document.querySelector('.ms-map').scrollIntoView({block: 'center'})")
    page.wait_for_timeout(1500)
    x, y = points(np.random.default_rng(1), n)  # the same draws as in the notebook give the same places
    times, sizes, wrong = [], [], 0
    for turn in range(runs):
        frame, passed = page.evaluate(FRAME), line.down + line.up
        corners = star(frame, turn)
        times.append(drag(page, corners))
        page.wait_for_timeout(800)
        sizes.append((line.down + line.up - passed) / 1e3)
        expected = np.flatnonzero(inside(frame["ax"] * x + frame["bx"], frame["ay"] * y + frame["by"], corners))
        wrong += ask(page, CHOSEN) != hashlib.sha256(expected.tobytes()).hexdigest()
    return {
        **summary(times),
        "lassos not exact": wrong,
        "kB a selection, both ways, median": round(statistics.median(sizes)),
        "first draw with images, s": round(first, 2),
        "first draw, MB received": round(received, 2),
    }


def points(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The places that the notebook draws."""
    rng.uniform(4, 9, 512)
    centre = rng.normal(scale=4, size=(12, 2))[rng.integers(0, 12, n)]
    return tuple((centre + rng.normal(size=(n, 2))).T)  # type: ignore[return-value]


def theirs(page: Page, root: Path, line: SlowLine, n: int, runs: int) -> dict[str, Any]:
    """Draw `runs` lassos on jupyter-scatter with our gallery as its callback."""
    write(root, n, [PEER.format(peers=str(_peers.packages()))])
    open_notebook(page, line.port, "lasso.ipynb")
    run_all(page)
    page.wait_for_selector(".ms-crops[data-ready=true]", timeout=120_000)
    canvas = page.locator("canvas:not(.ms-crops)").first
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(4000)
    box = canvas.bounding_box() or {"x": 0.0, "y": 0.0, "width": 0.0, "height": 0.0}
    frame = {"left": box["x"], "top": box["y"], "width": box["width"], "height": box["height"]}
    times = []
    for turn in range(runs):
        times.append(drag(page, star(frame, turn)))
        page.wait_for_timeout(800)
    return summary(times)


def write(root: Path, n: int, sources: list[str]) -> None:
    """Write the notebook that makes `n` cells and goes on with these sources."""
    sources = [MAKE.format(n=n, side=24 if n > 200_000 else 32), *sources]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), root / "lasso.ipynb")


def summary(times: list[float]) -> dict[str, Any]:
    return {
        "mouse-up to gallery, ms, median": round(statistics.median(times)),
        "least and most": f"{min(times):.0f}–{max(times):.0f}",
        "lassos": len(times),
    }


def measure(runs: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Return the figures at each size, of the peer too, and over a slow line."""
    _peers.needed()
    plans: list[tuple[str, Any, int, dict[str, float]]] = []
    for n in sizes:
        plans.append((f"{n:,} cells, mlscope", ours, n, {}))
        plans.append((f"{n:,} cells, jupyter-scatter", theirs, n, {}))
    plans.append((f"{sizes[0]:,} cells, mlscope, 150 ms round trip, 5 Mbit/s", ours, sizes[0], SLOW))
    figures: dict[str, Any] = {"peers": _peers.versions("jupyter-scatter")}
    root = Path(tempfile.mkdtemp())
    with lab(root) as (port, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for name, run, n, slow in plans:
            page = browser.new_page(viewport={"width": 1366, "height": 900})
            try:
                figures[name] = run(page, root, SlowLine(port, **slow), n, runs)
            except TookTooLong as error:
                if run is ours:
                    raise
                figures[name] = f"gave up: {str(error).splitlines()[0]}"
            print(name, figures[name], flush=True)
            page.evaluate("async()=>{await window.jupyterapp.shell.currentWidget.sessionContext.shutdown()}")
            page.close()
        browser.close()
    return figures


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:]]
    began = time.monotonic()
    found = measure(given[0] if given else 10, tuple(given[1:]) or SIZES)
    print(json.dumps(found, indent=1), f"{time.monotonic() - began:.0f} s")
    record("lasso", found)
