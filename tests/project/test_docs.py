"""What the pages say: names that exist, links that lead somewhere, a handout for each notebook."""

import functools
import re
from pathlib import Path

import pytest

import mlscope_nb as ms

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAME = re.compile(r"\bms((?:\.[A-Za-z_]\w*)+)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_name_of_the_package_exists(page):
    missing = [name for name in set(NAME.findall(page.read_text(encoding="utf-8"))) if not exists(name[1:].split("."))]
    assert missing == []


def exists(parts):
    try:
        functools.reduce(getattr, parts, ms)
    except AttributeError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    # pages of the site's own folder are moved to docs/ when it is built
    folder = page.parent.parent if page.parent.name == "site" else page.parent
    assert [link for link in links if not (folder / link).exists()] == []


def test_each_notebook_has_a_handout_of_one_page():
    numbers = {path.name[:2] for path in (ROOT / "notebooks" / "src").glob("*.py")}
    handouts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "handouts").glob("*.md")}
    assert set(handouts) == numbers
    assert {name for name, text in handouts.items() if len(text.splitlines()) > 45} == set()


def test_every_part_of_the_package_is_described():
    told = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    parts = {
        path.stem
        for path in (ROOT / "mlscope_nb").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert sorted(part for part in parts - {"__init__"} if not re.search(rf"`{part}(\.py|/)?`", told)) == []


def words_of_the_glossary():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"(?m)^## (.+)$", text)


def test_the_glossary_is_short_and_in_order():
    words = words_of_the_glossary()
    # Small letters and no signs: JupyterLab, GitHub and the site then make the same address of a heading.
    assert [word for word in words if not re.fullmatch("[a-z][a-z -]*", word)] == []
    assert words == sorted(set(words)) and 30 <= len(words) <= 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_words_lead_to_the_glossary(page):
    linked = re.findall(r"glossary\.md#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert set(linked) <= {word.replace(" ", "-") for word in words_of_the_glossary()}
