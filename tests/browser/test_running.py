"""Notebooks that are running: seen in another one, shut down by a button, and this one by its own."""

import pytest

pytestmark = pytest.mark.browser

IMPORT = "import mlscope_nb as ms"
ALIVE = "async () => (await (await fetch('/api/kernels?token=t')).json()).map((kernel) => kernel.id)"


def kernel_of(notebook):
    return notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")


@pytest.fixture
def two(lab):
    other = lab.open("other <b>.ipynb", ["big = bytearray(50_000_000)"])
    here = lab.open("here.ipynb", [IMPORT, "r = ms.views.running()\nr", "ms.views.shut_down()"])
    here.page.wait_for_function("() => document.querySelectorAll('.ms-running[data-ready=true]').length === 2")
    yield here, other
    for notebook in (here, other):
        notebook.page.close()


def test_another_notebook_is_listed_with_its_memory_and_shut_down(two, eventually):
    here, other = two
    kernel = kernel_of(other)
    row = here.page.locator(".ms-running-list tr", has_text="other <b>.ipynb")
    assert "GB" in row.inner_text() and here.page.locator(".ms-running-list b").count() == 0
    assert here.page.locator(".ms-running-list tr", has_text="here.ipynb").count() == 1  # only its own button
    row.get_by_role("button", name="Shut down").press("Enter")

    def check():
        assert kernel not in here.page.evaluate(ALIVE)
        assert row.count() == 0 and "is shut down" in here.page.locator(".ms-note").first.inner_text()

    eventually(check)
    assert here.problems == [] and here.left == []


def test_the_last_cell_shuts_its_own_notebook_down(two, eventually):
    here, _ = two
    kernel = kernel_of(here)
    here.page.get_by_role("button", name="Shut this notebook down").click()

    def check():
        assert kernel not in here.page.evaluate(ALIVE)

    eventually(check)
    assert here.page.locator(".jp-Dialog").count() == 0
