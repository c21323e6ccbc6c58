"""The sheet from its content: the reviewer's page, DOME's four parts, leakage, other results, how it was made.

DOME: Walsh et al. 2021, Nature Methods 18:1122 (Data, Optimization, Model, Evaluation). Everything here is a function
of the content and of nothing else.
"""

from __future__ import annotations

from typing import Any

from mlscope_nb.risks.sheet import other_answers, plate_answers
from mlscope_nb.risks.sheet.answers import Answer, Content, headline, of_kind, verdict
from mlscope_nb.risks.sheet.blocks import result_section, steps
from mlscope_nb.risks.sheet.document import Block, Document, Section, Words, table_of
from mlscope_nb.risks.sheet.given import DATA, EVALUATION, MODEL, OPTIMIZATION, OTHER
from mlscope_nb.risks.sheet.info_sheet import info_sheet
from mlscope_nb.risks.sheet.levels import GREEN, NOT_DONE
from mlscope_nb.risks.sheet.numbers import exact, said
from mlscope_nb.risks.sheet.study import counted
from mlscope_nb.study.units import plural

DOME = (
    "Sections follow DOME (Walsh et al. 2021, Nature Methods 18:1122) and the model info sheet against leakage "
    "(Kapoor & Narayanan 2023, Patterns 4:100804)."
)
HOW_TO_READ = (
    "Levels: red speaks against the result, amber is open, green holds. Every figure here stands in the JSON file of "
    "the same name. Sentences in quotation marks are the results' own. " + DOME
)
ENERGY = (
    "An estimate: CPU time × power of a core × overhead of the building (Lannelongue, Grealey & Inouye 2021, Green "
    "Algorithms, Adv. Sci. 8:2100707, with the figures that its calculator takes for an unknown processor and an "
    "average centre). Memory, screen and graphics card are not counted."
)


def answers_of(content: Content) -> list[Answer]:
    """Return the answers of the first page."""
    asked = (
        plate_answers.design, plate_answers.held_out, other_answers.figure, other_answers.baselines,
        plate_answers.new_batch, plate_answers.controls, other_answers.audit, other_answers.scale,
        other_answers.explained, other_answers.curated,
    )  # fmt: skip
    return [question(content) for question in asked]


def levels_of(content: Content) -> dict[str, Any]:
    """Return the level of every answer by its key, and that of the whole, for whoever reads the JSON file."""
    answers = answers_of(content)
    levels = {answer.key: answer.level for answer in (*answers, *info_sheet(content))}
    return {"verdict": verdict(answers)[0], "answers": levels}


def document_of(content: Content) -> Document:
    """Return the whole sheet."""
    parts = (_data, _optimization, _model, _evaluation)
    return Document(
        content["title"],
        (_first_page(content), *(part(content) for part in parts), _leakage(content), *_other(content), _made(content)),
    )


def _first_page(content: Content) -> Section:
    answers = answers_of(content)
    level, sentence = verdict(answers)
    study = content["study"]
    batch, unit = plate_answers.words_of(content)
    parts = [counted(study["n_cells"], "cell")]
    parts += [counted(study[n], word) for n, word in (("n_units", unit), ("n_batches", batch)) if study[n] is not None]
    label = study["design"].get("label")
    about = f"{', '.join(parts)}; label: {label or 'not declared'}."
    rows = [[a.asked, a.text, a.level] for a in answers]
    missing = _not_done([*answers, *info_sheet(content)])
    return Section(
        f"How do you know this is not the {batch}?",
        (Words(sentence, level=level), Words(about), table_of("", ("asked", "answer", "level"), rows), *missing,
         Words(HOW_TO_READ)),
    )  # fmt: skip


def _not_done(answers: list[Answer]) -> list[Block]:
    """Return what was not done, with the call that does it."""
    rows = [[a.asked, a.call] for a in answers if a.level == NOT_DONE]
    return (
        [table_of("Not done", ("asked", "do it with"), rows)]
        if rows
        else [Words("Nothing that is asked was left out.")]
    )


def _asked(rows: list[tuple[str, Any]]) -> Block:
    return table_of(
        "", ("asked", "answer"), [[asked, "not recorded" if v in (None, "", []) else v] for asked, v in rows]
    )


def _results(content: Content, name: str) -> tuple[Section, ...]:
    return tuple(result_section(r) for r in content["results"] if r["section"] == name)


def _data(content: Content) -> Section:
    study = content["study"]
    batch, unit = plate_answers.words_of(content)
    pictures = None
    if study["images"]:
        pictures = (
            f"{said(study['height_px'])} × {said(study['width_px'])} px, {counted(study['n_channels'], 'channel')}, "
        )
        pictures += study["images"]
    rows = [
        ("cells", study["n_cells"]), (plural(unit), study["n_units"]), (plural(batch), study["n_batches"]),
        ("pictures", pictures), ("channels", study["channels"]), ("pixel size (µm)", study["pixel_size_um"]),
        ("masks", study["masks"]), ("features (number)", study["n_features"]),
        ("missing values in features (number)", study["n_missing_values"]),
        ("classes (number)", study["n_classes"]), ("cells without a label (number)", study["n_unlabelled"]),
        ("control cells (number)", study["n_controls"]),
        (f"{plural(batch)} with controls (number)", study["n_batches_with_controls"]),
        *((f"declared: {role}", exact(value)) for role, value in study["design"].items()),
        ("fingerprint of these data", study["fingerprint"]),
    ]  # fmt: skip
    blocks: list[Block] = [_asked(rows)]
    if study["classes"]:
        blocks.append(table_of("Classes", study["classes"]["columns"], study["classes"]["rows"]))
    if study["crossing"]:
        caption = f"{plural(study['counted']).capitalize()} by class and {batch}"
        blocks.append(table_of(caption, study["crossing"]["columns"], study["crossing"]["rows"]))
    if study["history"]:
        blocks.append(table_of("What was done, in order", ("step", "settings"), steps(study["history"])))
    return Section("Data", tuple(blocks), _results(content, DATA))


def _optimization(content: Content) -> Section:
    found = headline(content)
    last = found["values"]["history"][-1] if found and found["values"]["history"] else {}
    tables = found["values"].get("tables") if found else None
    rows = [
        ("algorithm", found["values"]["model"] if found else None),
        ("settings", exact(last["settings"]) if last.get("settings") else None),
        ("features by origin (number)", exact(tables) if tables else None),
        ("normalisation inside the folds", exact(last["normalize"]) if last.get("normalize") else None),
        ("seed", last.get("seed")),
        ("seeds that stand anywhere", "; ".join(f"{s['where']}: {said(s['seed'])}" for s in content["seeds"])),
        ("settings chosen without a look at the test", None),
    ]
    return Section("Optimization", (_asked(rows),), _results(content, OPTIMIZATION))


def _model(content: Content) -> Section:
    made, energy = content["made"], content["energy"]
    networks = of_kind(content, "Network", "ImageNetwork")
    rows = [
        ("what it looks at", other_answers.explained(content).text),
        ("weights (number)", networks[-1]["values"]["n_weights"] if networks else None),
        ("software", f"mlscope {made['mlscope']}, Python {made['python']}, {made['system']}"),
        ("cores (number)", made["n_cores"]),
        ("power of a core (W, assumed)", exact(energy["watts_per_core"])),
        ("overhead of the building (factor, assumed)", exact(energy["overhead"])),
        ("results that did not say how long they took (number)", energy["n_results_not_timed"]),
    ]
    names = ("what", "seconds", "watt_hours")
    timed = table_of("Time and energy", names, [[row[n] for n in names] for row in energy["timed"]])
    return Section("Model", (_asked(rows), timed, Words(ENERGY)), _results(content, MODEL))


def _evaluation(content: Content) -> Section:
    found = headline(content)
    rows: list[tuple[str, Any]] = [
        ("method", plate_answers.held_out(content).text),
        ("measure", "balanced accuracy: the mean share of each class that is told right" if found else None),
        ("against what", other_answers.baselines(content).text),
        ("figure", other_answers.figure(content).text),
    ]
    return Section("Evaluation", (_asked(rows),), _results(content, EVALUATION))


def _leakage(content: Content) -> Section:
    answers = info_sheet(content)
    rows = [[a.asked, a.text, a.level, a.call if a.level != GREEN else ""] for a in answers]
    return Section("Model info sheet: leakage", (table_of("", ("asked", "answer", "level", "do it with"), rows),))


def _other(content: Content) -> tuple[Section, ...]:
    found = _results(content, OTHER)
    return (Section("Other results", (), found),) if found else ()


def _made(content: Content) -> Section:
    made = content["made"]
    packages = [[name, version] for name, version in made["packages"].items()]
    line = f"Made {made['time']} with mlscope {made['mlscope']} from {counted(len(content['results']), 'result')}."
    return Section("How this sheet was made", (Words(line), table_of("Packages", ("package", "version"), packages)))
