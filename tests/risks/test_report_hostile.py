"""The evidence sheet from anything: names that are markup, nothing at all, paths that cannot be written."""

import errno
import json
import os
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlscope_nb as ms
from mlscope_nb.annotations import AnnotationLog
from mlscope_nb.explain import Concepts
from mlscope_nb.predict import Recommendation
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.risks.reporting import content_of, pages_of
from mlscope_nb.risks.sheet.given import records
from mlscope_nb.risks.sheet.values import clean
from mlscope_nb.study.intervals import Interval

EVIL = "<script>alert('1')</script>| `x` [a](javascript:b) \ud800\x00 *\n# b"
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "section", "p", "b", "ul", "li", "span",
    "div", "table", "caption", "tr", "th", "td", "code", "main",
}  # fmt: skip


class Tags(HTMLParser):
    """Collects the tags and the names of the attributes of a page."""

    def __init__(self):
        super().__init__()
        self.seen, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def small(names=("x", "y"), **design):
    obs = pd.DataFrame(
        {"plate": list("pppqqq"), "well": list("ABCDEF"), "drug": [names[k % 2] for k in range(6)]}, list("abcdef")
    )
    return ms.Cells(obs, **design)


@cache
def bare():
    return small(), content_of(small(), [])


@pytest.fixture
def evil():
    rows = [EVIL, f"{EVIL}2"]
    features = pd.DataFrame({EVIL: np.arange(6.0)}, list("abcdef"))
    history = [{"step": EVIL, "value": EVIL}]
    obs = small(rows).obs.rename(columns={"drug": EVIL})
    return ms.Cells(obs, features=features, label=EVIL, unit="well", batch="plate", history=history)


class Strange:
    def __str__(self):
        return EVIL

    def to_dict(self):
        return {EVIL: [1, {EVIL: EVIL}], "at": {1, 2}, "picture": np.zeros((3, 4, 5)), "wide": float("inf")}


class Broken:
    def to_dict(self):
        raise RuntimeError("gone")


def test_names_are_text_and_never_markup(evil, tmp_path):
    log = AnnotationLog(who="ada")
    log.add(["a"], "phase", clean(EVIL), clean(EVIL))
    table = pd.DataFrame({"level": [EVIL], "do it with": [EVIL]}, index=[EVIL])
    made = ms.risks.report(evil, {EVIL: Strange(), "t": table, "log": log}, tmp_path / "s.html", title=EVIL)
    page = made.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.seen <= TAGS
    assert tags.attributes <= {"lang", "charset", "name", "content", "http-equiv", "class", "style", "scope"}
    assert "http://" not in page and "https://" not in page and "default-src 'none'" in page
    assert "alert(" in page and "<script" not in page
    text = made.with_suffix(".md").read_text(encoding="utf-8")
    assert "<script" not in text and "](javascript" not in text.replace("\\]", "")
    assert len([line for line in text.splitlines() if line.startswith("# ")]) == 1


def test_nothing_at_all():
    content = content_of(small(), [])
    assert content["levels"]["verdict"] == "amber"
    assert content["levels"]["answers"]["design"] == "not done"
    assert "No label is declared" in pages_of(content)[1]
    empty = content_of(ms.Cells(pd.DataFrame(index=pd.Index([], dtype=object))), ())
    assert "0 cells" in pages_of(empty)[0]


@pytest.mark.parametrize(
    ("design", "level"),
    [
        ({"label": "drug"}, "not done"), ({"label": "drug", "batch": "plate"}, "green"),
        ({"label": "plate", "batch": "plate", "unit": "well"}, "red"), ({"batch": "plate"}, "not done"),
        ({"label": "drug", "unit": "well"}, "not done"),
    ],
)  # fmt: skip
def test_cells_with_a_part_of_a_design(design, level):
    cells = small(**design)
    cells = cells.with_obs(cells.obs.assign(drug=list("xyyxyx")))
    assert content_of(cells, [])["levels"]["answers"]["design"] == level


def evaluation(**changes):
    """An evaluation of six cells whose every number is what the test says."""
    interval = Interval(**{"estimate": 0.9, "low": 0.8, "high": 1.0, "level": 0.95, "n_units": 2, "target": "t",
                           "method": "m", "unit": "plate", **changes.pop("interval", {})})  # fmt: skip
    fold = [0, 0, 0, 1, 1, 1]
    predictions = pd.DataFrame({"given": list("xyxyxy"), "predicted": list("xyxyxx"), "fold": fold}, list("abcdef"))
    table = pd.DataFrame([[3, 0], [1, 2]], ["x", "y"], ["x", "y"])
    values = {
        "model": "m", "by": "plate", "balanced_accuracy": 0.9, "interval": interval, "macro_f1": 0.9, "auprc": 0.9,
        "chance": 0.5, "predictions": predictions, "probabilities": pd.DataFrame(), "confusion": table,
        "per_class": table, "baselines": pd.DataFrame(), "unit": "plate", "n_units": 2,
        "history": ({"step": "cross_validate", "seed": 0},), **changes,
    }  # fmt: skip
    return Evaluation(**values)


def test_numbers_that_are_none(tmp_path):
    nothing = {"low": np.nan, "high": np.inf, "estimate": np.nan, "note": "too few"}
    cells = small(label="drug", unit="well", batch="plate")
    odd = evaluation(balanced_accuracy=np.nan, macro_f1=np.inf, interval=nothing)
    made = ms.risks.report(cells, [odd, pd.DataFrame({"x": [np.nan, 1e300, 1e-300]})], tmp_path / "a")
    content = json.loads(made.with_suffix(".json").read_text(encoding="utf-8"))
    assert content["results"][0]["values"]["balanced_accuracy"] is None
    assert "not known (no interval: too few)" in made.read_text(encoding="utf-8")
    assert "1e+300" in made.read_text(encoding="utf-8")
    assert content["levels"]["answers"]["figure"] == "amber"


def baselines_of(**gains):
    rows = {name: {"balanced_accuracy": b, "low": low, "gain_low": gain} for name, (b, low, gain) in gains.items()}
    return pd.DataFrame(rows).T


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ({"majority": (0.5, 0.5, 0.3), "area": (0.6, 0.5, 0.2)}, "green"),
        ({"area": (0.9, 0.8, -0.05)}, "amber"),
        ({"metadata": (0.6, 0.55, 0.2)}, "amber"),
        ({"metadata": (0.9, 0.8, -0.05)}, "red"),
    ],
)
def test_what_knows_less_and_does_as_well_is_named(found, level):
    cells = small(label="drug", unit="well", batch="plate")
    content = content_of(cells, [evaluation(baselines=baselines_of(**found))])
    assert content["levels"]["answers"]["baselines"] == level
    if level != "green":
        assert f"{next(iter(found))} alone" in pages_of(content)[1]


def test_the_strictest_evaluation_is_the_headline_and_not_the_best():
    cells = small(label="drug", unit="well", batch="plate")
    better = evaluation(by="cell", balanced_accuracy=0.99)
    content = content_of(cells, [better, evaluation()])
    assert content["levels"]["answers"]["held_out"] == "green"
    assert "Several evaluations were handed over" in pages_of(content)[1]


def test_many_classes_are_cut_on_the_page_and_whole_in_the_file():
    n = 700
    obs = pd.DataFrame({"well": np.arange(2 * n).astype(str), "drug": np.repeat(np.arange(n), 2).astype(str)})
    obs["plate"] = np.tile(["p", "q"], n)
    cells = ms.Cells(obs.set_index(obs["well"].rename("cell")), unit="well", batch="plate", label="drug")
    content = content_of(cells, [])
    assert len(content["study"]["classes"]["rows"]) == len(content["study"]["crossing"]["rows"]) == n
    page, text = pages_of(content)
    assert "… and 675 more rows" in page and "… and 675 more rows" in text
    assert len(page) < 60_000


def test_results_of_every_kind_find_a_place():
    cells = small(label="drug", unit="well", batch="plate")
    per_cell = pd.DataFrame({"focus": [1.0, np.nan, 2, 3, 4, 5], "flagged": [True] + [False] * 5}, list("abcdef"))
    per_cell.attrs["history"] = [{"step": "flag_quality", "n_flagged": 1}]
    concepts = Concepts(pd.DataFrame({"concept": ["c"], "effect": [0.4]}), "layer 2", 20, 0.95)
    handed = [None, 3, "words", Strange(), Broken(), object(), per_cell, concepts, [evaluation()], cells]
    content = content_of(cells, handed)
    kinds = {r["kind"]: r for r in content["results"]}
    assert kinds["flag_quality"]["values"]["table"]["n_rows"] == 6
    assert kinds["flag_quality"]["section"] == "Data" and kinds["Concepts"]["section"] == "Model"
    assert kinds["Broken"]["values"]["says"] == "could not be read: gone"
    assert " at 0x" not in json.dumps(content)
    text = pages_of(content)[1]
    for line in ("## Other results", "### Broken", "### Concepts", "### flag\\_quality", "focus"):
        assert line.replace("\\", "") in text.replace("\\", "")


def test_evaluations_inside_of_a_recommendation_count():
    cells = small(label="drug", unit="well", batch="plate")
    reasons = pd.DataFrame({"answer": ["yes"], "value": [0.5]}, index=["enough units?"])
    advice = Recommendation("classical", "It is enough.", reasons, reasons, {"classical": evaluation()})
    content = content_of(cells, [advice])
    assert content["levels"]["answers"]["held_out"] == "green"
    assert "It is enough." in pages_of(content)[1]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Holder:
    def __init__(self, values):
        self.values = values

    def to_dict(self):
        return self.values


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), plain, max_size=5))
def test_any_values_at_all_become_pages_that_hold_only_text(values):
    cells, content = bare()
    content = {**content, "results": records([Holder(values)], cells)}
    page, text = pages_of(json.loads(json.dumps(content)))
    tags = Tags()
    tags.feed(page)
    assert tags.seen <= TAGS
    assert (page, text) == pages_of(content)
    page.encode(), text.encode()


def test_a_sanity_check_that_failed_speaks_against_the_result():
    cells = small(label="drug", unit="well", batch="plate")
    table = pd.DataFrame({"check": ["weights"], "should": ["change"], "verdict": ["stays: drawn from the picture"]})
    table.attrs["history"] = [{"step": "sanity_check", "seed": 0}]
    content = content_of(cells, [table])
    assert content["levels"]["answers"]["explained"] == content["levels"]["verdict"] == "red"


def test_a_folder_is_refused_and_says_what_to_do(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder. Name a file in it: .*evidence\.html"):
        ms.risks.report(small(), [], tmp_path)
    (tmp_path / "a.json").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.json' is a folder"):
        ms.risks.report(small(), [], tmp_path / "a.html")
    with pytest.raises(FileNotFoundError, match="Choose a folder that you may write to"):
        ms.risks.report(small(), [], tmp_path / "none" / "a.html")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_leaves_the_old_sheet_as_it_was(tmp_path, monkeypatch):
    made = ms.risks.report(small(), [], tmp_path / "a.html", title="old")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ms.risks.report(small(), [], made, title="new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_endings_and_names(tmp_path):
    for path, name in (("a.json", "a"), ("b", "b"), ("c.v2", "c.v2"), ("d.HTML", "d")):
        assert ms.risks.report(small(), [], tmp_path / path) == Path(tmp_path / f"{name}.html")


def test_what_is_no_study_or_no_number_is_refused(tmp_path):
    with pytest.raises(TypeError, match="Expected Cells, found DataFrame"):
        ms.risks.report(pd.DataFrame(), [], tmp_path / "a")
    for bad in (-1, float("nan"), True, "2"):
        with pytest.raises(ValueError, match="expected a number above 0"):
            ms.risks.report(small(), [], tmp_path / "a", seconds=bad)
