"""Answers about the plate: how the label lies over batches, what was held out, what a new batch and controls say."""

from __future__ import annotations

from typing import Any

from mlscope_nb.features.batch_figures import PROBE
from mlscope_nb.risks.group_identity import BATCH as FROM_CONTROLS
from mlscope_nb.risks.sheet.answers import Answer, Content, headline, held_apart, of_kind, refused
from mlscope_nb.risks.sheet.levels import AMBER, GREEN, NOT_DONE, RED, UNTESTABLE, worst
from mlscope_nb.risks.sheet.numbers import interval, real, rounded, said
from mlscope_nb.risks.sheet.study import counted
from mlscope_nb.study.units import plural

BY_BATCH = 'ms.predict.cross_validate(cells, by="batch", normalize="standardize")'
HALF = 0.5


def words_of(content: Content) -> tuple[str, str]:
    """Return the words for a batch and a unit of this study."""
    study = content["study"]
    return study["batch"] or "plate", study["unit"] or "unit"


def design(content: Content) -> Answer:
    """Return how the label lies over the batches."""
    study, (batch, _) = content["study"], words_of(content)
    asked = f"How does the label lie over the {plural(batch)}?"
    if study["chance"] is None or study["crossing"] is None:
        lacking = "label" if study["chance"] is None else "batch"
        text = f"No {lacking} is declared, so it is not known."
        return Answer("design", asked, NOT_DONE, text, f"no {lacking} is declared", f'cells.with_design({lacking}="…")')
    alone = f"Who knows the {batch} alone is right in {rounded(study['batch_alone'])} (guessing: "
    alone += f"{rounded(study['chance'])}, balanced accuracy)."
    several = counted(study["n_batches"], batch)
    relation, step = study["relation"], f"Repeat the classes on the same {plural(batch)}."
    if study["n_classes"] < 2:
        return Answer("design", asked, UNTESTABLE, "There is one class only: nothing is compared.", "one class only")
    if relation == "one batch":
        text = f"There is one {batch} only: nothing is known of others. {alone}"
        return Answer("design", asked, AMBER, text, f"one {batch} only", f"Repeat it on another {batch}.")
    red = [c for c in study["checks"] if c["check"] == "class and batch" and c["level"] == RED]
    if relation == "nested" or red:
        brief = f"the label cannot be told from the {batch}"
        text = f"Classes and {plural(batch)} coincide, in whole or in part ({several}). {alone}"
        return Answer("design", asked, RED, text, brief, step)
    halfway = study["chance"] + HALF * (1 - study["chance"])
    if relation == "partly crossed" or study["batch_alone"] > halfway:
        brief = f"classes are spread unevenly over {plural(batch)}"
        text = f"Not every {batch} holds every class in the same share ({several}). {alone}"
        return Answer("design", asked, AMBER, text, brief, f"Compare within {plural(batch)} only.")
    text = f"Every {batch} holds every class ({several}). {alone}"
    return Answer("design", asked, GREEN, text, f"every {batch} holds every class")


def held_out(content: Content) -> Answer:
    """Return what the test had in common with the training."""
    batch, unit = words_of(content)
    asked = f"Was it tested on {plural(batch)} that the model had not seen?"
    sharing = [r for r in of_kind(content, "splits") if r["values"]["most_units_on_both_sides"]]
    if sharing:
        n = sharing[0]["values"]["most_units_on_both_sides"]
        text = f"No: a proposed split has {counted(n, unit)} in training and in test."
        return Answer("held_out", asked, RED, text, f"a split shares {plural(unit)}", "ms.predict.split(cells)")
    found = headline(content)
    if found is None and (reason := refused(content, "cross_validate")):
        return Answer(
            "held_out", asked, UNTESTABLE, f"It was asked for and cannot be done. {reason}", "no test is possible"
        )
    if found is None:
        text = "No evaluation was handed over."
        return Answer("held_out", asked, NOT_DONE, text, "no test", BY_BATCH)
    tested, apart = found["values"]["tested"], held_apart(found["values"])
    cells = f"{said(tested['n_tested'])} cells tested in {counted(tested['n_folds'], 'part')}"
    if apart == "cells":
        counts = f" ({said(tested['n_units_parted'])} of {said(tested['n_units'])})"
        shared = "" if tested["n_units"] is None else counts
        text = f"No: a random split over cells. Cells of the same {plural(unit)} stand in training and test{shared}; "
        text += f"{cells}."
        if reason := refused(content, "cross_validate"):
            text += f" Another test was asked for and cannot be done. {reason}"
        brief = f"cells of the same {plural(unit)} were trained and tested on"
        return Answer("held_out", asked, RED, text, brief, BY_BATCH)
    if apart == "batches":
        text = f"Yes: whole {plural(batch)} were held out, {counted(tested['n_batches'], batch)} in turn; {cells}."
        return Answer("held_out", asked, GREEN, text, f"whole {plural(batch)} were held out")
    if apart == "units":
        seen = "" if not tested["n_batches"] else f"; {said(tested['n_batches_parted'])} of their "
        seen += f"{counted(tested['n_batches'], batch)} were trained on too" if seen else ""
        text = f"No: whole {plural(unit)} were held out ({said(tested['n_units'])}){seen}; {cells}."
        brief = f"only {plural(unit)} of known {plural(batch)} were held out"
        return Answer("held_out", asked, AMBER, text, brief, BY_BATCH)
    text = f"Not known from what was handed over: a trained model was judged; {cells}."
    return Answer("held_out", asked, AMBER, text, "what the model had seen is not known", BY_BATCH)


def new_batch(content: Content) -> Answer:
    """Return what the model does on a batch that it has not seen."""
    study, (batch, _) = content["study"], words_of(content)
    asked = f"What does a new {batch} say?"
    found = headline(content)
    walks = [_transfer(record, study, batch) for record in of_kind(content, "transfer")]
    beside = " ".join(text for _, text in walks)
    if found is not None and held_apart(found["values"]) == "batches":
        level, text = _on_new(found["values"], batch)
        brief = f"on new {plural(batch)} it is {'no ' if level == RED else ''}better than guessing"
        brief = brief if level != AMBER else f"too few {plural(batch)} for an interval"
        return Answer("new_batch", asked, level, f"{text} {beside}".strip(), brief, "" if level == GREEN else BY_BATCH)
    if walks:
        level = worst(level for level, _ in walks)
        lost = "most is lost" if level == RED else "something may be lost" if level == AMBER else "little is lost"
        return Answer("new_batch", asked, level, beside, f"{lost} on another {batch}", BY_BATCH)
    if study["n_batches"] == 1:
        text = f"There is one {batch} only."
        return Answer("new_batch", asked, NOT_DONE, text, f"no other {batch}", f"Repeat it on another {batch}.")
    return Answer("new_batch", asked, NOT_DONE, "Not asked.", f"a new {batch}", "ms.predict.transfer(cells)")


def _on_new(values: dict[str, Any], batch: str) -> tuple[str, str]:
    found, chance = values["interval"], real(values["chance"])
    text = f"On {plural(batch)} never seen: {interval(found)}; guessing: {rounded(chance)}."
    low = real(found["low"])
    return (AMBER if low != low else GREEN if low > chance else RED), text


def _transfer(record: dict[str, Any], study: dict[str, Any], batch: str) -> tuple[str, str]:
    """Return level and words of the normalisation with the smallest gap between batches."""
    gaps = record["values"].get("gaps") or {}
    known = {name: g for name, g in gaps.items() if g.get("gap") is not None and g.get("new") is not None}
    if not known:
        return AMBER, "Transfer between batches could not be measured."
    name = min(known, key=lambda n: known[n]["gap"])
    gap = known[name]
    ends = {"estimate": gap["gap"], "low": gap.get("low"), "high": gap.get("high")}
    width = real(ends["high"]) - real(ends["low"])
    between = (
        f" ({rounded(real(ends['low']), width)} to {rounded(real(ends['high']), width)})" if width == width else ""
    )
    text = (
        f"Trained on one {batch} (normalisation: {name}): {rounded(gap['within'])} within it, {rounded(gap['new'])} on "
        f"another, a loss of {rounded(gap['gap'], width)}{between}."
    )
    chance = real(study["chance"])
    if gap["new"] - chance < HALF * (gap["within"] - chance):
        return RED, text
    return (AMBER if real(gap.get("low")) > 0 or width != width else GREEN), text


def controls(content: Content) -> Answer:
    """Return whether control cells tell their batch."""
    study, (batch, _) = content["study"], words_of(content)
    asked = f"Do the controls tell the {plural(batch)} apart?"
    reports = of_kind(content, "BatchReport")
    measured = None if not reports else _report(asked, reports[-1]["values"], batch)
    if measured is not None and measured.level != UNTESTABLE:
        return measured
    for audit in of_kind(content, "Audit")[-1:]:
        counts = audit["values"]["by_check"].get(FROM_CONTROLS)
        if counts:
            level = worst(counts)
            listed = ", ".join(f"{said(n)} {name}" for name, n in counts.items())
            text = f"Asked by the audit, for each {batch}: {listed}."
            briefs = {GREEN: f"a known {batch} gives no class away", UNTESTABLE: "controls are too few to tell"}
            brief = briefs.get(level, f"controls tell the {plural(batch)}, which hold uneven shares of the classes")
            return Answer("controls", asked, level, text, brief, "ms.features.batch_report(before, after)")
    if measured is not None:
        return measured
    lacking = "No control is declared." if study["n_controls"] is None else "Not asked."
    call = 'cells.with_design(control={"drug": "DMSO"})' if study["n_controls"] is None else ""
    return Answer("controls", asked, NOT_DONE, lacking, "controls", call or "ms.features.batch_report(before, after)")


def _report(asked: str, values: dict[str, Any], batch: str) -> Answer:
    figure = next((f for f in values["figures"] if f["name"] == PROBE), None)
    call = 'ms.features.normalize(cells, method="tvn")'
    if figure is None or not figure["after"]["n_units"] or figure["after"]["estimate"] is None:
        return Answer("controls", asked, UNTESTABLE, "It could not be measured.", "controls are too few to tell", call)
    before, after, null = (figure["before"]["estimate"], figure["after"], figure["null"])
    text = f"From control cells the {batch} is told with {rounded(real(before))} before normalising and "
    text += f"{interval(after)} after; chance: {rounded(real(null))} (balanced accuracy)."
    low = real(after["low"])
    if low != low or low > real(null):
        return Answer("controls", asked, AMBER, text, f"controls still tell the {batch} after normalising", call)
    return Answer("controls", asked, GREEN, text, f"controls no longer tell the {batch}")
