"""A real JupyterLab in a real Chromium, as a learner has it."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import numpy as np
import pytest

from mlscope_nb.doctor import find_chromium

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
IDLE = "()=>window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status=='idle'"
ASK = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "", error = "";
  future.onIOPub = (m) => {
    if (m.header.msg_type === "stream") text += m.content.text;
    if (m.header.msg_type === "error") error = m.content.ename + ": " + m.content.evalue;
  };
  await future.done;
  return { text, error };
}"""
# Two frames are drawn: what was moved before has been seen by the page.
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
# A part of the page keeps its place for six frames: cells above it are drawn late, and push it down.
AT_REST = """async ([at, i]) => { let same = 0, last = null;
  for (const end = performance.now() + 15000; same < 6 && performance.now() < end;) {
    await new Promise(requestAnimationFrame);
    const b = document.querySelectorAll(at)[i]?.getBoundingClientRect();
    const now = b ? [b.left, b.top, b.width, b.height].join() : null;
    same = now !== null && now === last ? same + 1 : 0;
    last = now;
  }
  return same; }"""

CELLS = """
import numpy as np, pandas as pd, json
import mlscope_nb as ms
rng = np.random.default_rng(3)
n = {n}
ids = [f"cell-{{i}}" for i in rng.permutation(n)]
radius = rng.uniform(5, 14, n)
y, x = np.mgrid[:32, :32] - 16
blob = np.exp(-(x**2 + y**2) / radius[:, None, None] ** 2)
images = np.stack([blob * 3000, (1 - blob) * 1500], axis=1) + 100
obs = pd.DataFrame({{"plate": rng.choice(["p1", "p2", "p3"], n), "radius": radius}}, index=ids)
umap = pd.DataFrame(rng.normal(size=(n, 2)), ids, columns=["x", "y"])
other = pd.DataFrame(rng.uniform(size=(n, 2)), ids, columns=["x", "y"])
maps = {{"umap": umap, "other": other}}
features = pd.DataFrame(rng.normal(size=(n, 3)), ids, columns=["size", "shape", "texture"])
images = images.astype("uint16")
cells = ms.Cells(obs, images, channels=["DNA", "actin"], features=features, embeddings=maps, batch="plate")
"""
OPEN = "w = ms.views.explore(cells)\nw"
RESET = """
w.blind(False)
w.selection.clear()
w.selection.find(None)
w._show = "selected"
w.show(embedding="umap", colour="plate", hide=[]).sort("table").beside("distribution", column="plate")
w.channels("DNA", "actin", mode="set");
"""
# What the page shows once all of that has reached it.
SHOWN = """() => { const at = (one) => document.querySelector(`.ms-workbench ${one}`), map = at('.ms-map').dataset;
  return [map.drawn, map.chosen, at('.ms-side .ms-title').textContent, at("select[aria-label='Colour by']").value,
    at('.ms-bars')?.getAttribute('aria-label'),
    [...document.querySelectorAll('.ms-workbench .ms-entry[aria-pressed]')].map((e) => e.ariaPressed)]; }"""
AFTER_RESET = ["umap", "0", "All 2,000 cells", "plate", "Distribution of plate", ["true"] * 3]


def eventually(check, seconds=40):
    """Try assertions again until they hold, for so long at most: a busy machine answers and draws late."""
    end = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


class Lab:
    """JupyterLab over a folder, and a browser that looks at it."""

    def __init__(self, root, port, browser):
        self.root, self.port, self.browser = root, port, browser

    def open(self, name, sources, *, width=1366, height=768, run=True, theme=None):
        """Write a notebook, open it and run its cells; returns a Notebook."""
        self.write(name, sources)
        notebook = self.show(name, width=width, height=height)
        if theme:
            notebook.page.evaluate("t=>window.jupyterapp.commands.execute('apputils:change-theme',{theme:t})", theme)
        if run:
            notebook.run_all()
        return notebook

    def show(self, name, *, width=1366, height=768):
        """Open a notebook that is in the folder already; returns a Notebook."""
        notebook = Notebook(self, name, width, height)
        notebook.load()
        return notebook

    def write(self, name, sources):
        cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), self.root / name)


class Notebook:
    """One notebook in one page, with what went wrong in it."""

    def __init__(self, lab, name, width, height):
        self.lab, self.name = lab, name
        self.page = lab.browser.new_page(viewport={"width": width, "height": height})
        self.problems, self.left = [], []
        self.page.on("console", lambda m: self.problems.append(m.text[:300]) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(f"pageerror: {str(e)[:300]}"))
        self.page.on("request", lambda r: self.left.append(r.url[:200]) if not _stays(r.url) else None)

    def load(self):
        address = f"http://127.0.0.1:{self.lab.port}/lab/tree/{self.name}?reset&token=t"
        self.page.goto(address, wait_until="domcontentloaded")
        self.page.wait_for_function(IDLE, timeout=150_000)

    def run_all(self, seconds=150):
        self.page.set_default_timeout(seconds * 1000)
        self.page.evaluate("()=>window.jupyterapp.commands.execute('notebook:run-all-cells').then(()=>1)")
        self.page.wait_for_function(IDLE)
        errors = self.page.evaluate(
            """()=>{const m=window.jupyterapp.shell.currentWidget.content.model.cells;const e=[];
            for(let i=0;i<m.length;i++){const o=m.get(i).outputs;for(let j=0;o&&j<o.length;j++){
            if(o.get(j).type=='error')e.push(JSON.stringify(o.get(j).toJSON()).slice(0,900))}}return e}"""
        )
        assert not errors, errors
        self.page.set_default_timeout(40_000)

    def python(self, code):
        """Run code in the notebook's kernel and return what it printed as JSON."""
        answer = self.page.evaluate(ASK, code)
        assert not answer["error"], answer["error"]
        return json.loads(answer["text"]) if answer["text"] else None

    def until(self, code, expected, seconds=40):
        """Wait until an expression in the kernel has a value; returns it."""

        def check():
            value = self.python(f"import json; print(json.dumps({code}))")
            assert value == expected
            return value

        return eventually(check, seconds)

    eventually = staticmethod(eventually)

    def frames(self):
        """Wait until two frames were drawn."""
        self.page.evaluate(FRAMES)

    def at_rest(self, selector, which=0):
        """Wait until a part of the page has stopped moving."""
        assert self.page.evaluate(AT_REST, [selector, which]) >= 6, f"{selector} does not come to rest"

    def sources(self):
        """Return the text of all cells."""
        return self.page.evaluate(
            "()=>[...window.jupyterapp.shell.currentWidget.content.model.cells].map(c=>c.sharedModel.getSource())"
        )

    def drawn(self, name="umap"):
        """Wait until the map and the crops are drawn."""
        self.page.wait_for_selector(f".ms-map[data-drawn='{name}']")
        self.page.wait_for_selector(".ms-crops[data-ready=true]")

    def geometry(self, which=0):
        """Return where the points of a map are on the screen, and which of them are drawn as selected."""
        self.page.locator(".ms-map").nth(which).scroll_into_view_if_needed()
        self.at_rest(".ms-map", which)
        g = self.page.evaluate("i => document.querySelectorAll('.ms-map')[i].geometry(true)", which)
        return g | {"x": np.array(g["x"], float), "y": np.array(g["y"], float)}

    def drag(self, corners, key=None):
        """Draw a line with the mouse button down, a modifier key held."""
        if key:
            self.page.keyboard.down(key)
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for corner in corners[1:]:
            self.page.mouse.move(*corner)
            # Chromium joins moves that fall into one frame: each corner needs a frame of its own.
            self.frames()
        self.page.mouse.up()
        if key:
            self.page.keyboard.up(key)

    def lasso(self, *, centre=(0.5, 0.5), radius=0.25, key=None, which=0):
        """Draw a star with the mouse; returns row numbers of the points in it."""
        g = self.geometry(which)
        cx, cy = g["left"] + centre[0] * g["width"], g["top"] + centre[1] * g["height"]
        line = []
        for k in range(14):
            r = radius * g["height"] * (1 if k % 2 else 0.55)
            line.append((round(cx + r * math.cos(k * math.pi / 7)), round(cy + r * math.sin(k * math.pi / 7))))
        self.drag(line, key)
        return np.flatnonzero(inside(g["x"], g["y"], line))

    def hover(self, x, y):
        """Rest on a place of the map until words stand beside the mouse; returns them."""

        def check():
            self.page.mouse.move(x - 1, y)
            self.page.mouse.move(x, y)
            tip = self.page.locator(".ms-tip").first
            assert tip.is_visible()
            return tip.inner_text()

        return eventually(check)

    def ids(self, rows):
        """Return the ids of cells by position."""
        every = self.python("import json; print(json.dumps(list(cells.ids)))")
        return [every[r] for r in rows]

    def gallery_ids(self, which=0):
        """Return the ids of the crops that are shown."""
        return json.loads(self.page.locator(".ms-crops").nth(which).get_attribute("data-ids"))

    def turned(self, expected=None):
        """Wait until the crops shown are those that Python says, or the first of those expected; returns their ids."""

        def check():
            shown = self.gallery_ids()
            assert shown == self.python("import json; print(json.dumps(list(w.shown)))")
            assert expected is None or (shown and shown == expected[: len(shown)])
            return shown

        return eventually(check)

    def close(self):
        self.page.evaluate("async()=>{await window.jupyterapp.shell.currentWidget.sessionContext.shutdown()}")
        self.page.close()


def inside(x, y, polygon):
    """Which points lie in a polygon, by the crossing number."""
    result = np.zeros(len(x), bool)
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        result ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return result


@pytest.fixture(scope="session", name="eventually")
def waiting():
    """Return a function that tries assertions again until they hold."""
    return eventually


@pytest.fixture(scope="session")
def cells_source():
    """Return a function that writes the cell of a notebook that makes `n` cells."""
    return lambda n: CELLS.format(n=n)


@pytest.fixture(scope="session")
def bench(lab):
    """A notebook with one workbench, shared by all tests that leave it as they found it."""
    notebook = lab.open("workbench.ipynb", [CELLS.format(n=2000), OPEN, "# a cell that must stay as it is"])
    notebook.drawn()
    yield notebook
    notebook.close()


@pytest.fixture
def nb(bench):
    """The shared workbench with nothing selected, nothing hidden, in its first order."""
    bench.python(RESET)

    def check():
        assert bench.page.evaluate(SHOWN) == AFTER_RESET

    eventually(check)
    bench.turned()
    return bench


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("jupyter")
    root = tmp_path_factory.mktemp("notebooks")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = _start(root, scratch, port)
    yield Lab(root, port, browser)
    process.terminate()
    process.wait(20)


def _start(root, scratch, port):
    settings = scratch / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    environment = dict(os.environ, IPYTHONDIR=str(scratch / "ipython"), OMP_NUM_THREADS="1")
    environment |= {f"JUPYTER_{k}_DIR": str(scratch / k) for k in ("CONFIG", "DATA", "RUNTIME")}
    environment |= {
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"]
    command += [f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    with open(scratch / "lab.log", "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    end = time.monotonic() + 200
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t", timeout=2).close()
            return process
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError("JupyterLab did not start: " + (scratch / "lab.log").read_text()[-2000:])


def _stays(address):
    return any(part in address for part in ("//127.0.0.1", "//localhost", "data:", "blob:", "about:"))
