"""A pitfall as a page, opened from disk with the network off: slider and buttons change picture and numbers."""

import pytest

import mlscope_nb as ms

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(browser, tmp_path):
    """Open pages of pitfalls; returns a function, and what went wrong in them."""
    context, problems = browser.new_context(offline=True, viewport={"width": 1100, "height": 900}), []

    def open_page(view):
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: problems.append(str(e)))
        page.goto(view.to_html(tmp_path / f"{view.lesson.name}.html").as_uri())
        return page

    yield open_page, problems
    context.close()


def test_the_slider_gives_the_dose_and_the_button_the_remedy(opened):
    open_page, problems = opened
    view = ms.views.pitfall("pseudo_replication")
    page = open_page(view)
    number = page.locator(".ms-pitfall-number").first
    assert number.inner_text() == f"Damage: {view.lessons[0].damage}"
    page.get_by_role("button", name="More").click()
    page.get_by_role("slider").press("End")
    last = view.lessons[-1]
    assert number.inner_text() == f"Damage: {last.damage}"
    drawn = page.locator(".ms-pitfall-body rect[fill='#0072b2']")
    assert drawn.count() == 0 and last.sentence not in page.inner_text("body")
    page.get_by_role("button", name="Apply the remedy").click()
    assert drawn.count() > 10 and last.sentence in page.inner_text("body")
    assert str(last.mitigated) in page.inner_text("body") and str(last.control) not in page.inner_text("body")
    page.get_by_role("button", name="Compare with a study").click()
    assert str(last.control) in page.inner_text("body")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert problems == []


@pytest.mark.parametrize("name", ["hallucination", "miscalibration", "saturation", "umap_over_reading"])
def test_every_kind_of_picture_is_drawn(opened, name):
    open_page, problems = opened
    page = open_page(ms.views.pitfall(name))
    page.get_by_role("slider").press("End")
    page.get_by_role("button", name="Apply the remedy").click()
    marks = page.locator(".ms-pitfall-body > div").first.locator("circle, rect, path, img")
    assert marks.count() >= 4 and problems == []


@pytest.mark.parametrize(("name", "words"), [("leakage", "dashed: guessing"), ("hallucination", "dashed: none")])
def test_the_dashed_line_of_scores_is_named(opened, name, words):
    open_page, problems = opened
    page = open_page(ms.views.pitfall(name))
    assert words in page.locator(".ms-pitfall-body > div").first.inner_text() and problems == []
