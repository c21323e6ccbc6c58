"""The model info sheet against leakage: one question for each type of Kapoor & Narayanan 2023, Patterns 4:100804."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlscope_nb.risks.sheet.answers import Answer, Content, headline, held_apart, of_kind
from mlscope_nb.risks.sheet.levels import AMBER, GREEN, NOT_DONE, RED, UNTESTABLE, worst
from mlscope_nb.risks.sheet.numbers import said
from mlscope_nb.risks.sheet.plate_answers import BY_BATCH, held_out, words_of
from mlscope_nb.risks.sheet.study import counted
from mlscope_nb.study.units import plural

AUDIT = "ms.risks.audit(cells)"


def info_sheet(content: Content) -> list[Answer]:
    """Return an answer for each type of leakage, L1.1 to L3.3."""
    asked: list[Callable[[Content], Answer]] = [
        no_test, _prepared, _selected, duplicates, illegitimate, later, independent, sampling,
    ]  # fmt: skip
    return [question(content) for question in asked]


def no_test(content: Content) -> Answer:
    """L1.1: is there a test set?"""
    asked, found = "L1.1 no test set: were other cells tested than trained on?", headline(content)
    if found is None:
        return Answer("L1.1", asked, NOT_DONE, "No evaluation was handed over.", call=BY_BATCH)
    return Answer("L1.1", asked, GREEN, f"Yes: {said(found['values']['tested']['n_tested'])} cells, held out in turn.")


def _prepared(content: Content) -> Answer:
    return _fitted(content, "L1.2", "L1.2 preprocessing on training and test set: was anything fitted on all cells?")


def _selected(content: Content) -> Answer:
    return _fitted(
        content, "L1.3", "L1.3 feature selection on training and test set: were features chosen on all cells?"
    )


def _fitted(content: Content, kind: str, asked: str) -> Answer:
    found = [c for c in _findings(content) if c["kind"].startswith(kind)]
    if found:
        text = " ".join(dict.fromkeys(c["reason"] for c in found))
        return Answer(kind, asked, worst(c["level"] for c in found), text, call=found[0]["next_step"])
    if content["study"]["history"]:
        return Answer(kind, asked, GREEN, "No such step stands in the history of the cells.")
    return Answer(kind, asked, UNTESTABLE, "The cells have no history: what was done before is not known.", call=AUDIT)


def duplicates(content: Content) -> Answer:
    """L1.4: are cells there twice?"""
    asked = "L1.4 duplicates: does the same cell stand in training and test?"
    found = [c for c in _findings(content) if c["check"] == "duplicates"]
    if found:
        return Answer("L1.4", asked, worst(c["level"] for c in found), found[0]["reason"], call=found[0]["next_step"])
    tables = of_kind(content, "find_duplicates")
    if tables:
        n = tables[-1]["values"]["n_pairs"]
        call = "ms.curate.group_duplicates(pairs)"
        return Answer("L1.4", asked, AMBER if n else GREEN, f"{counted(n, 'pair')} found.", call=call if n else "")
    return Answer("L1.4", asked, NOT_DONE, "Not asked.", call="ms.curate.find_duplicates(cells)")


def illegitimate(content: Content) -> Answer:
    """L2: do features say what a new cell would not?"""
    asked = "L2 illegitimate features: does a feature stand for the answer, the place or the file?"
    found = [c for c in _findings(content) if c["check"] == "features"]
    level = worst(c["level"] for c in found)
    return Answer(
        "L2", asked, level, found[0]["reason"], call=found[0]["next_step"] or (AUDIT if level != GREEN else "")
    )


def later(content: Content) -> Answer:
    """L3.1: is the past predicted from the future?"""
    batch, _ = words_of(content)
    asked = "L3.1 temporal leakage: are the tested cells later than those trained on?"
    text = f"Not asked, and needed only where the claim is about later {plural(batch)}: hold out the last of them."
    return Answer("L3.1", asked, NOT_DONE, text, call="ms.predict.cross_validate(cells, splits=[…])")


def independent(content: Content) -> Answer:
    """L3.2: do training and test share units?"""
    _, unit = words_of(content)
    asked = f"L3.2 training and test not independent: do they share {plural(unit)}?"
    found = headline(content)
    if found is None and not of_kind(content, "splits"):
        return Answer("L3.2", asked, NOT_DONE, "No evaluation was handed over.", call=BY_BATCH)
    given = held_out(content)
    if given.level == RED:
        return Answer("L3.2", asked, RED, given.text, call=given.call)
    apart = "unknown" if found is None else held_apart(found["values"])
    if apart in ("units", "batches"):
        return Answer("L3.2", asked, GREEN, f"No {unit} stands in both.")
    return Answer("L3.2", asked, AMBER, given.text, call=given.call)


def sampling(content: Content) -> Answer:
    """L3.3: are the tested cells like those that the claim is about?"""
    asked = "L3.3 sampling bias: are classes spread over batches and units as in the claim?"
    found = [c for c in _findings(content) if c["check"] in ("class and batch", "units")]
    if not found:
        return Answer("L3.3", asked, NOT_DONE, "Not asked.", call=AUDIT)
    level = worst(c["level"] for c in found)
    shown = [c for c in found if c["level"] == level]
    return Answer("L3.3", asked, level, " ".join(c["reason"] for c in shown[:3]), call=shown[0]["next_step"])


def _findings(content: Content) -> list[dict[str, Any]]:
    """Return what the audit found, and where there is none what the sheet has looked at itself."""
    audits = of_kind(content, "Audit")
    if not audits:
        return list(content["study"]["checks"])
    table = audits[-1]["values"]["findings"]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
