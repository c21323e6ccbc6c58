"""The evidence sheet: careless and careful runs are told apart, and no number stands there that is not in the JSON."""

import copy
import html
import json
import re

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms
from mlscope_nb.risks.reporting import content_of, pages_of
from mlscope_nb.risks.sheet import other_answers, sections
from mlscope_nb.risks.sheet.sections import levels_of

WELLS = [f"{row}{column:02d}" for row in "BCDE" for column in range(3, 7)]
DRUGS = ["DMSO"] * 6 + ["inert"] * 2 + ["drug"] * 8


def make(seed=1, n_plates=4, n_cells=6, effect=2.5):
    """Cells on plates whose wells are dealt at random; half of the wells got a drug that works.

    With other seeds a check or two may come out amber, as one in twenty intervals does.
    """
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", well, drug, "works" if drug == "drug" else "nothing")
        for p in range(n_plates)
        for well, drug in zip(WELLS, rng.permutation(DRUGS), strict=True)
        for _ in range(n_cells)
    ]
    obs = pd.DataFrame(rows, columns=["plate", "well", "drug", "effect"], index=[f"c{i}" for i in range(len(rows))])
    x = rng.normal(size=(len(obs), 4))
    x += 0.5 * np.repeat(rng.normal(size=(n_plates, 4)), len(WELLS) * n_cells, axis=0)
    x += 0.2 * np.repeat(rng.normal(size=(n_plates * len(WELLS), 4)), n_cells, axis=0)
    x[:, 0] += effect * (obs["effect"] == "works")
    table = pd.DataFrame(x, obs.index, [f"Texture_F{k}" for k in range(4)])
    design = {"label": "effect", "unit": ("plate", "well"), "batch": "plate", "treatment": "drug"}
    return ms.Cells(obs, features=table, control={"drug": "DMSO"}, **design)


@pytest.fixture(scope="module")
def cells():
    return make()


@pytest.fixture(scope="module")
def careless(cells):
    return [ms.predict.cross_validate(cells, by="cell", baselines=False, progress=False)]


@pytest.fixture(scope="module")
def careful(cells):
    return [
        ms.risks.audit(cells, n_permutations=199, progress=False),
        ms.predict.cross_validate(cells, by="batch", normalize="standardize", n_permutations=1, progress=False),
        ms.predict.transfer(cells, normalize="standardize", progress=False),
        ms.features.batch_report(cells, ms.features.Normalizer(), n_permutations=20),
        ms.explain.importance(cells, by="batch", progress=False),
        ms.curate.Decisions(cells, who="ada").drop(cells.ids[:2], "dust"),
        ms.predict.split(cells),
    ]


@pytest.fixture(scope="module")
def contents(cells, careless, careful):
    return {"careless": content_of(cells, careless), "careful": content_of(cells, careful, seconds=1234.5)}


def first_lines(content, n=8):
    return "\n".join(pages_of(content)[1].splitlines()[:n])


def test_a_careless_and_a_careful_run_of_one_study_are_told_apart_by_their_first_lines(contents):
    bad, good = contents["careless"], contents["careful"]
    assert (bad["levels"]["verdict"], good["levels"]["verdict"]) == ("red", "green")
    assert "✖ red" in first_lines(bad) and "cells of the same wells were trained and tested on" in first_lines(bad)
    for lacking in ("baselines", "a new plate", "controls", "an audit"):
        assert lacking in first_lines(bad)
    assert "● green" in first_lines(good) and "whole plates were held out" in first_lines(good)
    assert "not done" not in first_lines(good)


def test_answers_of_the_careless_run(contents):
    assert contents["careless"]["levels"]["answers"] == {
        "design": "green", "held_out": "red", "figure": "amber", "baselines": "not done", "new_batch": "not done",
        "controls": "not done", "audit": "not done", "scale": "not done", "explained": "not done",
        "curated": "not done", "L1.1": "green", "L1.2": "untestable", "L1.3": "untestable", "L1.4": "not done",
        "L2": "green", "L3.1": "not done", "L3.2": "red", "L3.3": "green",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "brief"),
    [
        ([("area", 0.6, 0.5, -0.1), ("density", 0.6, 0.5, -0.2)], "area and density alone may do as well"),
        ([("background pixels", 0.6, 0.52, 0.1)], "background pixels alone do better than guessing"),
        ([("area", 0.4, 0.3, -0.1)], ""),
    ],
)
def test_what_knows_less_is_named_where_it_is_not_beaten(monkeypatch, rows, brief):
    table = {"columns": ["name", "balanced_accuracy", "low", "gain_low"], "rows": [list(row) for row in rows]}
    found = {"values": {"baselines": table, "chance": 0.5, "balanced_accuracy": 0.7}}
    monkeypatch.setattr(other_answers, "headline", lambda content: found)
    monkeypatch.setattr(other_answers, "words_of", lambda content: ("plate", "well"))
    answer = other_answers.baselines({"study": {"batch_alone": None}})
    assert (answer.level, answer.brief) == (("amber", brief) if brief else ("green", "it beats all that know less"))


def test_answers_of_the_careful_run(contents):
    answers = contents["careful"]["levels"]["answers"]
    assert {k for k, v in answers.items() if v == "not done"} == {"L3.1"}
    held = ("design", "held_out", "figure", "baselines", "new_batch", "controls", "audit", "scale", "explained", "L3.2")
    assert {answers[k] for k in held} == {"green"}


def test_what_was_not_done_is_named_with_the_call_that_does_it(contents):
    text = pages_of(contents["careless"])[1]
    part = text[text.index("**Not done**") : text.index("Levels: red")]
    for call in ("ms.risks.audit(cells)", "ms.predict.transfer(cells)", "ms.features.batch_report(before, after)"):
        assert f"`{call}`" in part
    named = re.findall(r"`ms\.([a-z]+)\.([a-z_A-Z]+)\(", text)
    assert len(named) > 5
    assert all(hasattr(getattr(ms, chapter), function) for chapter, function in named)


def test_what_was_held_out_is_counted_and_not_taken_from_a_name(cells):
    """Folds of random cells under the name of plates are seen through."""
    rng = np.random.default_rng(0)
    part = pd.Series(rng.integers(0, 3, len(cells)), cells.ids)
    splits = [ms.predict.Split(cells.ids[part != k], cells.ids[part == k], by="plate") for k in range(3)]
    assert content_of(cells, [splits])["levels"]["answers"]["held_out"] == "red"


def test_both_pages_are_made_from_the_json_file_alone(cells, careful, tmp_path):
    made = ms.risks.report(cells, careful, tmp_path / "sheet.html", seconds=10)
    content = json.loads((tmp_path / "sheet.json").read_text(encoding="utf-8"))
    page, text = pages_of(content)
    assert made == tmp_path / "sheet.html" and made.read_bytes() == page.encode()
    assert (tmp_path / "sheet.md").read_bytes() == text.encode()
    assert levels_of(content) == content["levels"]


# Numbers ------------------------------------------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
FIXED = (sections.HOW_TO_READ, sections.ENERGY, "balanced accuracy (0 to 1)", "mean F1 (0 to 1)", "(0 to 1)")


def leaves(value):
    """All numbers and all texts with a digit in plain values, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif not isinstance(value, bool) and value is not None:
        yield value


def ways_to_write(x):
    if isinstance(x, int):
        return {f"{x:,}"}
    x = abs(x)
    fewest = 1 if x < 10 else 0
    exact = {f"{x:,.{digits}f}" for digits in range(fewest, 13)}
    return {*exact, f"{x:.2g}", f"{x:g}", f"{100 * x:g}"}


def unfounded(text, content):
    """Numbers in a page that neither are a number of its JSON, nor stand in a sentence that the JSON holds."""
    known = [x for x in leaves(content) if isinstance(x, int | float)]
    allowed = set().union(*map(ways_to_write, known))
    quotes = {" ".join(x.split())[:400] for x in leaves(content) if isinstance(x, str) and re.search(r"\d", x)}
    flat = " ".join(text.split())
    for quote in sorted({*quotes, *(" ".join(f.split()) for f in FIXED)}, key=len, reverse=True):
        flat = re.sub(rf"(?<!\w){re.escape(quote)}(?!\w)", " ", flat)
    flat = re.sub(r"\bL[123](\.\d)?\b|… and [\d,]+ more", " ", flat)
    return [n for n in NUMBER.findall(flat) if n.rstrip(",") not in allowed]


def words_of_page(page):
    body = page[page.index("<body>") :]
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


def words_of_markdown(text):
    return html.unescape(re.sub(r"\\(.)", r"\1", text))


@pytest.mark.parametrize("run", ["careless", "careful"])
def test_every_number_on_both_pages_is_one_of_the_json(contents, run):
    content = contents[run]
    page, text = pages_of(content)
    assert unfounded(words_of_page(page), content) == []
    assert unfounded(words_of_markdown(text), content) == []
    assert len(NUMBER.findall(words_of_page(page))) > 60


def test_a_number_from_elsewhere_is_seen(contents):
    content = contents["careless"]
    assert unfounded("It is 0.7341 of 9,871 cells.", content) == ["0.7341", "9,871"]


def at(content, path):
    for key in path[:-1]:
        content = content[key]
    return content, path[-1]


def evaluation_at(content):
    return next(i for i, r in enumerate(content["results"]) if r["kind"] == "Evaluation")


@pytest.mark.parametrize(
    "path",
    [
        ("study", "n_cells"), ("study", "n_units"), ("study", "batch_alone"), ("study", "chance"),
        ("study", "crossing", "rows", 0, 1), ("study", "classes", "rows", 1, 1), ("energy", "watts_per_core"),
        ("energy", "timed", 1, "watt_hours"), ("results", "E", "interval", "estimate"),
        ("results", "E", "interval", "low"), ("results", "E", "interval", "n_units"),
        ("results", "E", "confusion", "rows", 0, 1), ("results", "E", "baselines", "rows", 0, 1),
        ("results", "E", "tested", "n_folds"), ("results", "E", "per_class", "rows", 0, 1), ("seeds", 0, "seed"),
    ],
)  # fmt: skip
def test_another_number_in_the_json_is_another_text(contents, path):
    content = copy.deepcopy(contents["careful"])
    if path[0] == "results":
        path = ("results", evaluation_at(content), "values", *path[2:])
    inner, key = at(content, path)
    inner[key] = inner[key] + 7
    before, after = pages_of(contents["careful"]), pages_of(content)
    assert before[0] != after[0] and before[1] != after[1]


def test_another_number_is_another_verdict(contents):
    """Levels follow from the numbers, not from what was once written beside them."""
    content = copy.deepcopy(contents["careful"])
    content["results"][evaluation_at(content)]["values"]["interval"]["low"] = 0.2
    assert levels_of(content)["verdict"] == "red"
    content = copy.deepcopy(contents["careful"])
    content["results"][evaluation_at(content)]["values"]["tested"]["n_units_parted"] = 3
    assert levels_of(content)["answers"]["held_out"] == "red"


def test_derived_numbers_are_those_of_the_numbers_that_they_come_from(contents, cells):
    content = contents["careful"]
    values = content["results"][evaluation_at(content)]["values"]
    confusion = np.array([row[1:] for row in values["confusion"]["rows"]], float)
    assert values["balanced_accuracy"] == pytest.approx(np.mean(np.diag(confusion) / confusion.sum(1)))
    assert confusion.sum() == values["tested"]["n_tested"] == content["study"]["n_cells"] == len(cells)
    crossing = np.array([row[1:] for row in content["study"]["crossing"]["rows"]], float)
    alone = (crossing / crossing.sum(1, keepdims=True)).max(0).mean() * crossing.shape[1] / len(crossing)
    assert content["study"]["batch_alone"] == pytest.approx(alone)
    assert crossing.sum() == content["study"]["n_units"] == cells.units.nunique()
    audit = next(r for r in content["results"] if r["kind"] == "Audit")["values"]
    levels = [row[audit["findings"]["columns"].index("level")] for row in audit["findings"]["rows"]]
    assert audit["counts"] == {level: levels.count(level) for level in audit["counts"]}
    energy = content["energy"]
    stated = next(row for row in energy["timed"] if row["seconds"] == 1234.5)
    assert stated["watt_hours"] == pytest.approx(1234.5 / 3600 * energy["watts_per_core"] * energy["overhead"])


def test_what_is_quoted_is_marked_as_a_quotation(contents):
    page = pages_of(contents["careful"])[0]
    note = next(r for r in contents["careful"]["results"] if r["kind"] == "Evaluation")["values"]["notes"][0]
    assert f'<span class="quoted">{html.escape(note)}</span>' in page
