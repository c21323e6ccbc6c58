"""A page loaded again, a line that breaks, work that is brought back: it works, or says what to do."""

import contextlib
import os
import socket
import threading
import zipfile

import pytest

pytestmark = pytest.mark.browser

STATUS = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.connectionStatus"
TITLE = ".ms-side .ms-title"


class Line:
    """The line between browser and server, which can be cut."""

    def __init__(self, target):
        self.target, self.whole, self.ends = target, True, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            if not self.whole:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        shut(source, sink)

    def cut(self):
        self.whole = False
        shut(*self.ends)
        self.ends = []

    def close(self):
        self.cut()
        self.server.close()


def shut(*sockets):
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def line(lab):
    line = Line(lab.port)
    yield line
    line.close()


@pytest.fixture(scope="module")
def nb(lab, line, cells_source):
    far = type(lab)(lab.root, line.port, lab.browser)
    notebook = far.open("line.ipynb", [cells_source(1200), "w = ms.views.explore(cells)\nw"])
    notebook.drawn()
    yield notebook
    notebook.close()


def mended(nb, line):
    """Join the line and wait until the view has noticed; JupyterLab's own note about it is closed."""
    line.whole = True
    nb.page.locator(".ms-lost").wait_for(state="hidden", timeout=60_000)
    assert nb.page.evaluate(STATUS) == "connected"
    while nb.page.locator(".jp-Dialog").count():
        nb.page.keyboard.press("Escape")
        nb.page.wait_for_timeout(200)


def says(nb, n):
    nb.page.wait_for_function(
        "([at, n]) => document.querySelector(at).textContent === `${n} selected cells`", arg=[TITLE, f"{n:,}"]
    )


def loaded_again(nb):
    """Load the page again. A kernel that takes over 4 s to answer makes JupyterLab draw views twice: then once more."""
    for _ in range(3):
        nb.page.goto(nb.page.url.split("?")[0] + "?token=t", wait_until="domcontentloaded")
        nb.page.wait_for_selector(".ms-workbench", state="attached", timeout=120_000)
        nb.page.wait_for_timeout(1000)
        if nb.page.locator(".ms-workbench").count() == 1:
            break
    nb.page.wait_for_selector(".ms-workbench")


def test_a_page_loaded_again_goes_on_where_it_was(nb):
    rows = nb.lasso()
    nb.until("list(w.selected)", nb.ids(rows))
    nb.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => 1)")
    loaded_again(nb)
    nb.drawn()
    says(nb, len(rows))

    def check():
        assert sorted(nb.geometry()["selected"]) == rows.tolist()
        assert nb.page.locator(".mlscope-saved").is_hidden() and nb.page.locator(".ms-lost").is_hidden()

    nb.eventually(check)
    more = nb.lasso(radius=0.15)
    nb.until("list(w.selected)", nb.ids(more))
    says(nb, len(more))


def test_a_line_that_breaks_is_said_and_the_view_goes_on_when_it_is_back(nb, line):
    rows = nb.lasso(radius=0.2)
    nb.until("len(w.selected)", len(rows))
    says(nb, len(rows))
    line.cut()
    nb.page.locator(".ms-lost:has-text('No connection to the kernel')").wait_for()
    g = nb.geometry()
    middle = (g["left"] + g["width"] / 2, g["top"] + g["height"] / 2)
    nb.drag([middle, (middle[0] + 90, middle[1]), (middle[0] + 90, middle[1] + 90)])  # what cannot count is not taken
    assert sorted(nb.geometry()["selected"]) == rows.tolist()
    assert nb.page.evaluate("() => document.querySelector('.ms-body').inert")
    mended(nb, line)
    assert not nb.page.evaluate("() => document.querySelector('.ms-body').inert")
    assert nb.python("print(len(w.selected))") == len(rows)
    more = nb.lasso(radius=0.15)
    nb.until("list(w.selected)", nb.ids(more))
    says(nb, len(more))


def test_what_did_not_reach_the_kernel_is_not_shown_as_chosen(nb, line):
    """A lasso drawn in the moment before the break is noticed."""
    before = nb.lasso(radius=0.2)
    nb.until("len(w.selected)", len(before))
    says(nb, len(before))
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    # The message is dropped on its way, as when a network goes away unnoticed.
    nb.page.evaluate(f"() => {{ const k = {kernel}; k.dropped = k._ws.send; k._ws.send = () => {{}}; }}")
    nb.lasso(radius=0.3)
    assert sorted(nb.geometry()["selected"]) != before.tolist()
    line.cut()
    nb.page.locator(".ms-lost:has-text('No connection')").wait_for()
    mended(nb, line)
    nb.page.wait_for_function("n => document.querySelector('.ms-map').dataset.chosen === String(n)", arg=len(before))
    assert sorted(nb.geometry()["selected"]) == before.tolist()
    assert nb.python("print(len(w.selected))") == len(before)


def test_work_of_any_size_is_brought_back_through_the_browser(nb, lab, tmp_path):
    """More than 10 MB in one message would break the line to the kernel."""
    path, written = tmp_path / "work.zip", os.urandom(13_000_000)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mlscope_work/large.csv", written)
        archive.writestr("mlscope_work/answers/mine.jsonl", '{"id": "q1"}\n')
    nb.page.locator(".ms-more-row input[type=file]").set_input_files(str(path))
    nb.page.wait_for_selector(".ms-note:has-text('Restored 2 files')", timeout=60_000)
    assert (lab.root / "mlscope_work" / "large.csv").read_bytes() == written
    (lab.root / "mlscope_work" / "large.csv").unlink()
    assert nb.page.evaluate(STATUS) == "connected"


def test_downloaded_work_comes_back_after_everything_is_gone(nb, lab, tmp_path):
    rows = nb.lasso(radius=0.2)
    nb.until("len(w.selected)", len(rows))
    nb.python("w.assign('kept');")
    with nb.page.expect_download() as waiting:
        nb.page.get_by_role("button", name="Download my work").click()
    waiting.value.save_as(tmp_path / "mine.zip")
    nb.python("w.annotations.path.unlink();")
    nb.page.locator(".ms-more-row input[type=file]").set_input_files(str(tmp_path / "mine.zip"))
    nb.page.wait_for_selector(".ms-note:has-text('Run this cell again to see the labels')")
    nb.run_all()
    nb.drawn()
    assert nb.python("print(json.dumps(w.labels.dropna().to_dict()))") == dict.fromkeys(nb.ids(rows), "kept")


def test_a_kernel_that_was_restarted_is_said(nb):
    nb.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel().then(() => 1)")
    nb.page.locator(".ms-lost:has-text('run this cell again')").wait_for(timeout=60_000)
    assert nb.page.evaluate("() => document.querySelector('.ms-body').inert")
