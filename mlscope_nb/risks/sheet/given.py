"""Results as records: what kind each is, where it belongs, and all that it says as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.risks.sheet.evaluated import split_facts, tested
from mlscope_nb.risks.sheet.values import clean, described, fields_of, jsonable
from mlscope_nb.study.splits import Split

DATA, OPTIMIZATION, MODEL, EVALUATION, OTHER = "Data", "Optimization", "Model", "Evaluation", "Other results"
_PLACES: dict[str, tuple[str, ...]] = {
    DATA: (
        "Audit", "BatchReport", "Balance", "Layout", "FilterBias", "Flatfield", "Decisions", "AnnotationLog",
        "Replication", "EffectiveN", "Agreement", "splits", "Cells", "flag_quality", "score_quality",
        "find_label_errors", "find_duplicates", "find_outliers", "filter_effect",
    ),
    OPTIMIZATION: (
        "Network", "ImageNetwork", "Ensemble", "Encoder", "FeatureClassifier", "Normalizer", "Round", "LabelRounds",
        "active_learning",
    ),
    MODEL: (
        "Importance", "Counterfactual", "Traversal", "Concepts", "sanity_check", "grade", "prototypes", "shapley",
        "about", "causal_effect",
    ),
    EVALUATION: (
        "Evaluation", "Calibration", "Conformal", "Recommendation", "Invented", "Clustering", "Trust", "Stability",
        "Structure", "PartitionStability", "Verdict", "Trend", "Variances", "PermutationTest", "Interval",
        "learning_curve", "transfer", "power", "content", "coverage", "reliability", "abstention", "novelty",
        "penetrance", "structure", "trust", "cluster",
    ),
}  # fmt: skip
SECTION_OF = {kind: section for section, kinds in _PLACES.items() for kind in kinds}
LEFT_OUT = ("model", "training", "calibrator", "space", "recognition", "centres", "pictures", "pixels", "cells")
EXPLANATIONS = _PLACES[MODEL]


def records(results: Any, cells: Cells) -> list[dict[str, Any]]:
    """Return one record for each result: kind, section, name, and its values.

    Parameters
    ----------
    results : sequence or mapping
        Results of any kind; in a mapping each has a name of its own. Lists inside are opened, but one of splits.
    cells : Cells
        What they are results of.

    Examples
    --------
    >>> cells = Cells(pd.DataFrame(index=["a", "b"]))
    >>> found = records({"mine": pd.DataFrame({"area": [1.0, 2.0]}, ["a", "b"])}, cells)
    >>> found[0]["name"], found[0]["section"], found[0]["values"]["table"]["n_rows"]
    ('mine', 'Other results', 2)
    """
    made: list[dict[str, Any]] = []
    times: dict[str, int] = {}
    for name, one in _flat(results):
        record = _record(one, cells)
        kind = str(record["kind"])
        times[kind] = times.get(kind, 0) + 1
        own = name or (kind if times[kind] == 1 else f"{kind} {times[kind]}")
        made.append({"name": clean(own), **record})
    return made


def _flat(results: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(results, Mapping) and depth < 3:
        for key, one in results.items():
            yield from _flat(one, str(key), depth + 1)
    elif _is_splits(results) or not isinstance(results, list | tuple) or hasattr(results, "_fields") or depth >= 3:
        yield name, results
    else:
        for one in results:
            yield from _flat(one, name, depth + 1)


def _is_splits(found: Any) -> bool:
    if isinstance(found, Split):
        return True
    return isinstance(found, list | tuple) and len(found) > 0 and all(isinstance(one, Split) for one in found)


def _record(one: Any, cells: Cells) -> dict[str, Any]:
    if _is_splits(one):
        return _made("splits", split_facts([one] if isinstance(one, Split) else list(one), cells))
    if isinstance(one, pd.DataFrame | pd.Series):
        return _of_table(one.to_frame() if isinstance(one, pd.Series) else one, cells)
    kind = type(one).__name__
    if not type(one).__module__.startswith("mlscope_nb.") or isinstance(one, type):
        return {**_made(kind, _unknown(one, cells.ids)), "section": OTHER}
    reader = READERS.get(kind)
    if reader is not None:
        return _made(kind, reader(one, cells))
    if dataclasses.is_dataclass(one):
        # A model by its name is kept, a model itself is not.
        left_out = [name for name in LEFT_OUT if not isinstance(getattr(one, name, None), str)]
        return _made(kind, {**fields_of(one, cells.ids, left_out), **_steps(one)})
    return _made(kind, _unknown(one, cells.ids))


def _made(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"kind": clean(kind), "section": SECTION_OF.get(kind, OTHER), "values": values}


def _of_table(frame: pd.DataFrame, cells: Cells) -> dict[str, Any]:
    steps = frame.attrs.get("history", ())
    steps = [s for s in steps if isinstance(s, Mapping)] if isinstance(steps, list | tuple) else []
    kind = str(steps[-1].get("step", "table")) if steps else "table"
    values = {"table": jsonable(frame, cells.ids), **_noted(frame.attrs, cells.ids), "history": jsonable(steps)}
    if kind == "sanity_check" and {"should", "verdict"} <= set(frame.columns):
        values["n_by_verdict"] = _counted(frame["should"].astype(str) + ": " + frame["verdict"].astype(str))
    if kind == "find_duplicates":
        values["n_pairs"] = len(frame)
    return _made(kind, values)


def _noted(attrs: Mapping[Any, Any], ids: pd.Index) -> dict[str, Any]:
    return {clean(k): jsonable(v, ids) for k, v in attrs.items() if k != "history"}


def _counted(values: pd.Series) -> dict[str, int]:
    return {clean(k): int(n) for k, n in values.value_counts(sort=False).items()}


def _unknown(one: Any, ids: pd.Index) -> dict[str, Any]:
    """Return what an object of another making says of itself: `to_dict` where it has one, else its text."""
    if one is None:
        return {"says": "nothing (None)"}
    try:
        says = described(one)
        found = one.to_dict() if callable(getattr(one, "to_dict", None)) and not isinstance(one, type) else None
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError, OSError) as error:
        return {"says": f"could not be read: {clean(error)}"}
    return {"says": says} if found is None else {"says": says, "values": jsonable(found, ids)}


def _steps(one: Any) -> dict[str, Any]:
    """Return what was done, where only a table inside of a result knows it."""
    if getattr(one, "history", None):
        return {}
    tables = (getattr(one, f.name) for f in dataclasses.fields(one))
    found = next((t.attrs["history"] for t in tables if isinstance(t, pd.DataFrame) and t.attrs.get("history")), None)
    return {} if found is None else {"history": jsonable(found)}


def _evaluation(one: Any, cells: Cells) -> dict[str, Any]:
    values = fields_of(one, cells.ids, ("predictions", "probabilities"))
    return {**values, "tested": tested(one.predictions, one.history, cells)}


def _recommendation(one: Any, cells: Cells) -> dict[str, Any]:
    values = fields_of(one, cells.ids, ("evaluations",))
    return {**values, "evaluations": {clean(k): _evaluation(v, cells) for k, v in one.evaluations.items()}}


def _audit(one: Any, cells: Cells) -> dict[str, Any]:
    found = one.findings
    by_check = pd.crosstab(found["check"], found["level"]) if len(found) else pd.DataFrame()
    return {
        **fields_of(one, cells.ids),
        "n_findings": len(found),
        "counts": _counted(found["level"]),
        "by_check": {clean(k): {clean(c): int(n) for c, n in row.items() if n} for k, row in by_check.iterrows()},
    }


def _network(one: Any, cells: Cells) -> dict[str, Any]:
    values = fields_of(one, cells.ids, (*LEFT_OUT, "units", "held_out"))
    parameters: Iterable[Any] = one.model.parameters()
    shared = None
    if cells.design.unit:
        shared = int(cells.units[cells.units.isin({*one.units, *one.held_out})].nunique())
    return {
        **values,
        "n_weights": sum(int(p.numel()) for p in parameters),
        "n_epochs": len(one.records),
        "n_units_learned_from": len(one.units),
        "n_units_that_decided_when_to_stop": len(one.held_out),
        "n_units_of_these_cells_seen": shared,
    }


def _counterfactual(one: Any, cells: Cells) -> dict[str, Any]:
    return {**fields_of(one, cells.ids, ("per_cell",)), "n_shortcuts": len(one.shortcuts), **_steps(one)}


def _log(one: Any, cells: Cells) -> dict[str, Any]:
    entries = one.entries
    standing = [
        {"column": e.column, "value": e.value, "n_cells": len(e.cell_ids), "reason": e.reason, "who": e.who,
         "time": e.time}
        for e in one.standing
    ]  # fmt: skip
    return {
        "n_entries": len(entries),
        "n_standing": len(standing),
        "n_damaged_lines": len(one.damaged),
        "n_people": int(entries["who"].nunique()),
        "standing": jsonable(standing),
    }


def _decisions(one: Any, cells: Cells) -> dict[str, Any]:
    counts = {"n_cells_before": len(one.cells), "n_dropped": len(one.dropped), "n_fixed": len(one.fixed)}
    return {**counts, "reasons": jsonable(one.reasons), **_log(one.log, cells)}


def _cells(one: Any, cells: Cells) -> dict[str, Any]:
    return {"n_cells": len(one), "fingerprint": one.fingerprint, "history": jsonable(list(one.history))}


READERS = {
    "Evaluation": _evaluation, "Recommendation": _recommendation, "Audit": _audit, "Network": _network,
    "ImageNetwork": _network, "Counterfactual": _counterfactual, "AnnotationLog": _log, "Decisions": _decisions,
    "Cells": _cells,
}  # fmt: skip
