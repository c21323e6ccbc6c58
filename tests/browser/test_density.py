"""Many points become density: the very functions of the map, run in a browser on points with a known answer."""

import pytest

from mlscope_nb.views._widget import script

pytestmark = pytest.mark.browser

# Two classes at four places of a map of 40 × 30 pixels: red, blue, half of each, and few of one.
SETUP = """() => {
  const x = [], y = [], code = [];
  const put = (n, px, py, c) => { for (let i = 0; i < n; i++) { x.push(px + 0.5); y.push(py + 0.5); code.push(c); } };
  put(12000, 5, 5, 0); put(12000, 15, 5, 1); put(3000, 25, 5, 0); put(3000, 25, 5, 1); put(30, 35, 5, 0);
  const order = mixedOrder(x.length), inks = [[255, 0, 0], [0, 0, 255]], grey = [176, 176, 176];
  window.place = { x: Float64Array.from(x), y: Float64Array.from(y), ax: 1, bx: 0, ay: 1, by: 0, order };
  window.look = { codes: Uint8Array.from(code), inks, grey, hidden: new Uint8Array(256), chosen: null,
    radius: 1, alpha: 0.7, wide: false };
  window.at = (image, px, py) => [...image.data.slice(4 * (py * image.width + px), 4 * (py * image.width + px) + 4)];
}"""
DRAW = "const image = rasterise({ width: 40, height: 30 }, place, { ...look, ...more });"
DRAW += "return [5, 15, 25, 35, 20].map((px) => at(image, px, 5)); }"


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=script("points.js", "raster.js"))
    page.evaluate(SETUP)
    yield page
    page.close()


def test_each_pixel_has_the_mean_colour_and_is_the_stronger_the_more_there_are(page):
    red, blue, both, few, none = page.evaluate("() => { const more = {};" + DRAW)
    assert red[:3] == [255, 0, 0] and blue[:3] == [0, 0, 255] and none[3] == 0
    assert both[:3] == [128, 0, 128] or both[:3] == [127, 0, 127]
    assert red[3] == blue[3] == 255 > both[3] > few[3] > 80  # a single cell among thousands is still seen


def test_a_class_that_is_switched_off_is_left_out(page):
    red, blue, both, _, _ = page.evaluate("() => { const more = { hidden: Uint8Array.of(0, 1) };" + DRAW)
    assert red[3] > 0 and blue[3] == 0 and both[:3] == [255, 0, 0]


def test_what_is_not_chosen_stays_as_grey_context(page):
    first = "const chosen = Bits.make(place.x.length), more = { chosen };"
    first += "for (let i = 0; i < 12000; i++) Bits.put(chosen, i);"
    red, blue, both, few, _ = page.evaluate("() => {" + first + DRAW)
    assert red == [255, 0, 0, 255]
    for grey in (blue, both, few):
        assert grey[0] == grey[1] == grey[2] == 176 and 0 < grey[3] < 255


def test_enlarged_so_far_that_few_are_in_view_they_are_discs_again(page):
    same = page.evaluate(
        """() => { const near = { ...place, ax: 20, bx: -35 * 20 }, size = { width: 40, height: 30 };
        const found = fewInView(40, 30, near), one = rasterise(size, near, look);
        const other = drawDiscs(40, 30, { ...near, order: found }, look);
        return [found.length, one.data.every((v, i) => v === other.data[i]), at(one, 9, 5)[3] > 0]; }"""
    )
    assert same == [30, True, True]
