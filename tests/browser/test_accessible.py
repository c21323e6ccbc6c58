"""What readers without a mouse, or with weak eyes, need: keys, names of all parts, contrast, no forced motion."""

import re
from pathlib import Path

import numpy as np
import pytest

import mlscope_nb as ms

pytestmark = pytest.mark.browser
STATIC = Path(ms.__file__).parent / "views" / "static"
GROUNDS = {"light": "#ffffff", "dark": "#212121"}
# Texts with what is behind them: the first ground up the tree that is not transparent.
CONTRASTS = """() => { const parse = (c) => { const v = c.match(/[\\d.]+/g).map(Number); return c.startsWith('color(')
    ? v.slice(0, 3).map((x) => 255 * x).concat(v[3] ?? 1) : v.length < 4 ? [...v, 1] : v; };
  const even = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const bright = (c) => { const [r, g, b] = c.map((v) => even(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (node) => { const layers = [];
    for (let n = node; n && layers.at(-1)?.[3] !== 1; n = n.parentElement)
      layers.push(parse(getComputedStyle(n).backgroundColor));
    let at = [255, 255, 255];
    for (const c of layers.reverse()) at = at.map((v, i) => v * (1 - c[3]) + c[i] * c[3]);
    return at; };
  const bad = [], walker = document.createTreeWalker(document.querySelector('#page'), NodeFilter.SHOW_TEXT);
  let read = 0;
  while (walker.nextNode()) { const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    if (node.closest(':disabled, option, optgroup, title')) continue;
    read++;
    const style = getComputedStyle(node), ink = parse(node instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [bright(ink), bright(ground(node))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push([walker.currentNode.textContent.slice(0, 40), ratio]); }
  return { read, bad }; }"""
# Parts that can be used or seen, without a name that is read aloud.
NAMELESS = """() => [...document.querySelectorAll('button, input, select, canvas, svg, img')].filter((node) => {
    if (!node.checkVisibility() || node.ariaHidden === 'true' || node.closest('[aria-hidden=true]')) return false;
    if (node.matches('canvas, svg') && node.nextElementSibling?.matches('[role=application]')) return false;
    return !(node.ariaLabel || node.labels?.length || node.alt || node.textContent.trim()); })
  .map((node) => node.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A workbench, maps, a pitfall and an evidence sheet as pages."""
    folder = tmp_path_factory.mktemp("pages")
    cells, _ = ms.datasets.simulate(2, 4, 5, seed=3)
    cells = cells.with_features(ms.features.measure(cells))
    cells = cells.with_embedding("pca", ms.explore.pca(cells))
    bench = ms.views.explore(cells, embedding="pca", autosave=False).select(cells.ids[:9])
    some = cells.subset(cells.ids[:3])
    made = {"workbench": bench.to_html(folder / "workbench.html")}
    maps = {"a map": np.random.default_rng(0).normal(size=(3, *cells.images.shape[2:]))}
    made["maps"] = ms.views.maps(some, maps).to_html(folder / "maps.html")
    made["pitfall"] = ms.views.pitfall("double_dipping").to_html(folder / "pitfall.html")
    made["sheet"] = ms.risks.report(cells, [ms.risks.audit(cells)], folder / "sheet.html")
    return made


@pytest.fixture(params=["workbench", "maps", "pitfall", "sheet"])
def page(request, browser, pages):
    context = browser.new_context(offline=True, viewport={"width": 1366, "height": 900})
    page = context.new_page()
    page.goto(pages[request.param].as_uri())
    if request.param == "workbench":
        page.wait_for_selector("body[data-ready=true] .ms-crops[data-ready=true]")
    yield page
    context.close()


def test_a_page_says_its_language_its_title_and_its_main_part(page):
    assert page.evaluate("document.documentElement.lang") == "en" and page.title()
    assert page.locator("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1


def test_every_part_has_a_name(page):
    assert page.evaluate(NAMELESS) == []


def test_every_text_stands_out_from_its_ground(page):
    if not page.locator("#page").count():
        page.evaluate("() => { document.querySelector('main').id = 'page'; }")
    found = page.evaluate(CONTRASTS)
    assert found["bad"] == [] and found["read"] > 3


def test_points_in_view_are_selected_without_a_mouse(browser, pages):
    context = browser.new_context(offline=True, viewport={"width": 1366, "height": 900})
    page = context.new_page()
    page.goto(pages["workbench"].as_uri())
    page.wait_for_selector("body[data-ready=true] .ms-crops[data-ready=true]")
    for _ in range(40):  # the map is reached with Tab alone
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role') === 'application'"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key in ("+", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    g = page.evaluate("document.querySelector('.ms-map').geometry(true)")
    x, y = np.array(g["x"]), np.array(g["y"])
    across = (x >= g["left"]) & (x <= g["left"] + g["width"])
    down = (y >= g["top"]) & (y <= g["top"] + g["height"])
    assert g["selected"] == np.flatnonzero(across & down).tolist() and 0 < len(g["selected"]) < len(x)
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.ms-map').geometry(true).selected.length")
    context.close()


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_bars_lines_and_edges_stand_out_on_both_grounds(ground):
    plots = re.search(r"const PLOT = \{(.*?)\}", (STATIC / "threshold_plots.js").read_text(encoding="utf-8")).group(1)
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    inks = re.findall("#[0-9a-f]{6}", plots)
    inks += re.findall(r"(?:--ms-edge|--ms-accent|ms-bar-all \{ fill): (#[0-9a-f]{6})", style)
    pitfalls = re.search("const INKS = {(.*?)}", (STATIC / "pitfall_plots.js").read_text(encoding="utf-8")).group(1)
    inks += re.findall("#[0-9a-f]{6}", pitfalls)
    assert len(inks) >= 12
    assert {ink: contrast(ink, ground) for ink in inks if contrast(ink, ground) < 3} == {}


def test_printed_sentences_of_jupyterlab_break_between_words(browser):
    page = browser.new_page()
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    theirs = ".jp-OutputArea-output pre { word-break: break-all; white-space: pre-wrap; }"
    page.set_content(
        f"<style>{style}</style><style>{theirs}</style><div class='jp-OutputArea-output' style='width: 11ch; "
        "font: 16px monospace'><pre style='font: inherit'><span>held</span> <span>together</span></pre></div>"
    )
    assert page.locator("span").last.evaluate("node => node.getClientRects().length") == 1
    page.close()


def test_nothing_turns_for_those_who_asked_for_less_motion():
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    moving = set(re.findall(r"(?m)^([^{}@\n]+) \{[^}]*\banimation: (?!none)", style))
    moving |= {".ms-busy::before"} if "animation: ms-turn" in style else set()
    calmed = re.search(r"@media \(prefers-reduced-motion: reduce\) \{(.*?\}) \}", style).group(1)
    assert moving and all(f"{one} {{ animation: none" in calmed for one in moving)


@pytest.mark.parametrize("paper, ink", [("#ffffff", "#212121"), ("#111111", "#e0e0e0")], ids=GROUNDS)
def test_numbers_of_the_confusion_matrix_stand_out_however_dark(paper, ink):
    script = (STATIC / "confusion.js").read_text(encoding="utf-8")
    accent, most = re.search(r"color-mix\(in srgb, (#\w{6}) \$\{Math.round\(share \* (\d+)\)", script).groups()
    part = int(most) / 100
    mixed = [part * int(accent[i : i + 2], 16) + (1 - part) * int(paper[i : i + 2], 16) for i in (1, 3, 5)]
    assert contrast("#" + "".join(f"{round(value):02x}" for value in mixed), ink) >= 4.5
