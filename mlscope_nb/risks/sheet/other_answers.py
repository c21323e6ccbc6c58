"""Answers about the result itself: the figure, what it has to beat, the audit, explanations, what was left out."""

from __future__ import annotations

from typing import Any

from mlscope_nb.risks.sheet.answers import Answer, Content, evaluations, headline, held_apart, of_kind, refused
from mlscope_nb.risks.sheet.given import EXPLANATIONS
from mlscope_nb.risks.sheet.levels import AMBER, GREEN, NOT_DONE, RED, UNTESTABLE, worst
from mlscope_nb.risks.sheet.numbers import interval, real, rounded, said
from mlscope_nb.risks.sheet.plate_answers import BY_BATCH, words_of
from mlscope_nb.risks.sheet.study import counted
from mlscope_nb.study.units import plural

TECHNICAL = ("background pixels", "metadata", "permuted labels")
"""Baselines that see no cell: a model that is no better than these has learned something else."""


def figure(content: Content) -> Answer:
    """Return the figure of the strictest evaluation, with its interval."""
    asked, found = "How good is it, over how many independent units?", headline(content)
    if found is None and refused(content, "cross_validate"):
        text = "There is no figure: the design does not allow a test (see the line above)."
        return Answer("figure", asked, UNTESTABLE, text, "no figure is possible")
    if found is None:
        return Answer("figure", asked, NOT_DONE, "No evaluation was handed over.", "no figure", BY_BATCH)
    values, (_, unit) = found["values"], words_of(content)
    chance, low = real(values["chance"]), real(values["interval"]["low"])
    text = f"Balanced accuracy {interval(values['interval'])}; guessing: {rounded(chance)}. Model: {values['model']}."
    n = len(evaluations(content))
    if n > 1:
        text += " Several evaluations were handed over: this is the first of those that held most apart."
    if held_apart(values) == "cells":
        text += f" It is about cells of {plural(unit)} that were trained on, and flatters."
        return Answer("figure", asked, AMBER, text, f"the figure is about known {plural(unit)}", BY_BATCH)
    if low != low:
        return Answer("figure", asked, AMBER, text, "no interval", "Repeat it on more units.")
    if low <= chance:
        return Answer(
            "figure", asked, RED, text, "the figure cannot be told from guessing", "ms.predict.power(cells, …)"
        )
    word = values["interval"]["unit"]
    return Answer("figure", asked, GREEN, text, f"the interval over {plural(word)} lies above guessing")


def baselines(content: Content) -> Answer:
    """Return what is reached without looking at the cell properly."""
    batch, _ = words_of(content)
    asked = f"What does a model get that knows only the {batch}, the background or a simple feature?"
    found, alone = headline(content), content["study"]["batch_alone"]
    known = [] if found is None else _rows(found["values"]["baselines"])
    if found is None or not known:
        text = "Not asked." if alone is None else f"The {batch} alone: {rounded(alone)}. Others were not asked."
        return Answer("baselines", asked, NOT_DONE, text, "baselines", BY_BATCH)
    values = found["values"]
    chance = real(values["chance"])
    first = [] if alone is None else [f"{batch} {rounded(alone)}"]
    listed = ", ".join([*first, *(f"{row['name']} {rounded(real(row['balanced_accuracy']))}" for row in known)])
    text = f"Beside {rounded(real(values['balanced_accuracy']))}: {listed} (balanced accuracy)."
    rivals = [row for row in known if _is_rival(row, chance)]
    blind = [row["name"] for row in rivals if row["name"] in TECHNICAL]
    if blind:
        return Answer("baselines", asked, RED, text, f"{' and '.join(blind)} alone do as well", "ms.risks.audit(cells)")
    telling = [row["name"] for row in known if row["name"] in TECHNICAL[:2] and real(row["low"]) > chance]
    if rivals or telling:
        equals = [f"{' and '.join(row['name'] for row in rivals)} alone may do as well"] if rivals else []
        clues = [f"{' and '.join(telling)} alone do better than guessing"] if telling else []
        return Answer("baselines", asked, AMBER, text, "; ".join([*equals, *clues]), "ms.risks.audit(cells)")
    return Answer("baselines", asked, GREEN, text, "it beats all that know less")


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    if not table.get("rows"):
        return []
    names = ["name", *table["columns"][1:]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"] if row[1] is not None]


def _is_rival(row: dict[str, Any], chance: float) -> bool:
    """Whether a baseline that is better than guessing is not clearly worse than the model."""
    gain = real(row.get("gain_low"))
    gain = gain if gain == gain else real(row.get("gain"))
    return gain <= 0 and real(row["balanced_accuracy"]) > chance


def scale(content: Content) -> Answer:
    """Return whether batches were put on one scale, and where that was learned."""
    batch, _ = words_of(content)
    asked = f"Were {plural(batch)} put on one scale, without a look at the test?"
    found, study = headline(content), content["study"]
    inside = None if found is None else found["values"]["tested"]["normalize"]
    if inside:
        name = inside.get("method", "a normaliser") if isinstance(inside, dict) else inside
        text = f"Yes: '{name}', learned from the training cells of each fold."
        return Answer("scale", asked, GREEN, text, "normalised inside the folds", core=False)
    steps = [s for s in study["history"] if s.get("step") == "normalize"]
    leaks = [c for c in study["checks"] if c["kind"].startswith("L1.") and c["level"] in (RED, AMBER)]
    if steps:
        text = f"Before the split: '{steps[-1].get('method', 'not recorded')}'."
        level = AMBER if leaks else GREEN
        brief = "normalised on all cells" if leaks else "normalised before the split"
        return Answer("scale", asked, level, text, brief, BY_BATCH if leaks else "", core=False)
    text = f"No normalisation is recorded: what differs between {plural(batch)} goes into the model."
    return Answer("scale", asked, NOT_DONE, text, "normalisation", BY_BATCH, core=False)


def audit(content: Content) -> Answer:
    """Return what the audit of the design found."""
    asked, found = "Was the design audited?", of_kind(content, "Audit")
    if not found:
        return Answer("audit", asked, NOT_DONE, "No.", "an audit", "ms.risks.audit(cells)")
    counts, by_check = found[-1]["values"]["counts"], found[-1]["values"]["by_check"]
    text = ", ".join(f"{said(counts[k])} {k}" for k in (RED, AMBER, GREEN, UNTESTABLE) if counts.get(k)) + "."
    level = worst(k for k in counts if k != UNTESTABLE)
    bad = [name for name, levels in by_check.items() if level in levels and level in (RED, AMBER)]
    if bad:
        text += f" {level[0].upper()}{level[1:]}: {', '.join(bad)}."
        return Answer("audit", asked, level, text, f"the audit is {level} on {', '.join(bad)}", "ms.risks.audit(cells)")
    blind = f" ({said(counts[UNTESTABLE])} untestable)" if counts.get(UNTESTABLE) else ""
    return Answer("audit", asked, level, text, f"the audit found nothing red or amber{blind}")


def explained(content: Content) -> Answer:
    """Return whether it was asked what the model looks at, and whether the answer was checked."""
    asked = "Were explanations checked?"
    call = "ms.explain.importance(cells), or ms.explain.sanity_check(network, cells) for maps"
    found = of_kind(content, *EXPLANATIONS)
    if not found:
        return Answer("explained", asked, NOT_DONE, "There is none.", "explanations", call, core=False)
    outside = [r for r in found if r["kind"] == "Counterfactual" and r["values"]["n_shortcuts"]]
    if outside:
        text = f"A place without a part of the cell decides for {said(outside[0]['values']['n_shortcuts'])} classes."
        return Answer("explained", asked, RED, text, "a place outside of the cell decides", "ms.risks.audit(cells)")
    counts = {k: n for r in found for k, n in (r["values"].get("n_by_verdict") or {}).items()}
    if counts:
        text = "Sanity checks: " + "; ".join(f"{said(n)} × {k}" for k, n in counts.items()) + "."
        bad = [k for k in counts if k.startswith("change: stays") or "though nothing has" in k]
        unsure = [k for k in counts if "undecided" in k or "no interval" in k]
        level = RED if bad else AMBER if unsure else GREEN
        brief = "maps are drawn without what was learned" if bad else "sanity checks are undecided"
        return Answer("explained", asked, level, text, brief if level != GREEN else "maps passed", call, core=False)
    kinds = ", ".join(dict.fromkeys(str(r["name"]) for r in found))
    if of_kind(content, "Importance"):
        text = f"{kinds}: importance is measured on held-out cells."
        return Answer("explained", asked, GREEN, text, "importance was measured on held-out cells", core=False)
    return Answer("explained", asked, AMBER, f"{kinds}, without a sanity check.", "no sanity check", call, core=False)


def curated(content: Content) -> Answer:
    """Return whether it is written down which cells were left out, and why."""
    asked = "Is it written down which cells were left out, and why?"
    logs = of_kind(content, "Decisions")
    if logs:
        values = logs[-1]["values"]
        text = f"{said(values['n_dropped'])} of {said(values['n_cells_before'])} cells left out, "
        text += f"{counted(values['n_standing'], 'decision')} in the log."
        return Answer("curated", asked, GREEN, text, "decisions are logged", core=False)
    history = content["study"]["history"]
    if any(step.get("step") == "curate" for step in history):
        return Answer("curated", asked, GREEN, "Yes, in the history of the cells.", "decisions are logged", core=False)
    call = "ms.curate.Decisions(cells).drop(ids, reason)"
    fewer = [s for s in history if s.get("step") == "subset"]
    if fewer:
        text = (
            f"Cells were left out ({said(fewer[0].get('n_before'))} → {said(fewer[-1].get('n'))}), no reason recorded."
        )
        return Answer("curated", asked, AMBER, text, "cells were left out without a reason", call, core=False)
    if of_kind(content, "AnnotationLog", "flag_quality", "find_outliers", "find_label_errors"):
        text = "Cells were looked at; no decision to leave any out was handed over."
        return Answer("curated", asked, GREEN, text, "quality was looked at", core=False)
    text = "No decision and no check of quality was handed over."
    return Answer("curated", asked, NOT_DONE, text, "curation", "ms.curate.flag_quality(cells)", core=False)
