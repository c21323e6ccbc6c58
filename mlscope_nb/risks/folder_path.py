"""One path from a folder to evidence: read, find cells, curate, measure, audit, map, predict, explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.curate import Decisions, flag_quality
from mlscope_nb.explain import importance
from mlscope_nb.explore import trust, umap
from mlscope_nb.features import measure, normalize, select
from mlscope_nb.fields import Fields
from mlscope_nb.io import crop, recognise, segment, segment_cells
from mlscope_nb.predict import cross_validate
from mlscope_nb.risks.attempts import NotDone, Problems, Steps
from mlscope_nb.risks.auditing import audit

DESIGN = ("label", "unit", "batch", "control", "treatment")


@dataclass(frozen=True)
class Choices:
    """What a person decides on the way.

    Parameters
    ----------
    reading : mapping
        Options of the reader, the design among them (label, unit, batch, control, treatment).
    nuclei : str, optional
        The channel of the nuclei; by name where it is not given.
    size : int
        Width and height of a crop in pixels.
    drop : sequence of str
        Flags of `flag_quality` whose cells are left out.
    seed : int
    """

    reading: Mapping[str, Any] = field(default_factory=dict)
    nuclei: str | None = None
    size: int = 64
    drop: Sequence[str] = ("cut",)
    seed: int = 0


@dataclass
class Walk:
    """What there is so far: the cells, results for the sheet, and the steps that led there."""

    steps: Steps = field(default_factory=Steps)
    results: dict[str, Any] = field(default_factory=dict)
    cells: Cells | None = None


def walk(data: str | Path, choices: Choices) -> Walk:
    """Go the path as far as the data carry it; nothing is raised for what they do not."""
    made = Walk()
    found = _read(made, data, choices)
    cells = _cells(made, found, choices) if isinstance(found, Fields) else found
    if not isinstance(cells, Cells):
        return made
    made.cells = cells
    if not len(cells):
        made.steps.do("look at cells", "len(cells)", _refuse_none, cells)
        return made
    _curate(made, choices)
    _measure(made)
    _keep(made, "audit", "audit = ms.risks.audit(cells)", audit, made.cells, progress=False, seed=choices.seed)
    _map(made, choices.seed)
    _predict(made, choices.seed)
    return made


def _read(made: Walk, data: str | Path, choices: Choices) -> Fields | Cells | NotDone:
    code = f"found = ms.io.recognise({str(data)!r})"
    found = made.steps.do("look at the folder", code, recognise, data)
    if isinstance(found, NotDone):
        return found
    _left_out(made, "left out when looking", found.problems)
    given = {k: v for k, v in choices.reading.items() if v is not None}
    if given:
        written = ", ".join(f"{k}={v!r}" for k, v in given.items())
        found = made.steps.do("declare", f"found = found.change({written})", found.change, **given)
        if isinstance(found, NotDone):
            return found
    name = "fields" if found.gives == "Fields" else "cells"
    result: Fields | Cells | NotDone = made.steps.do("read", f"{name} = found.read()", found.read)
    _left_out(made, "left out when reading", getattr(result, "problems", ()))
    return result


def _left_out(made: Walk, name: str, problems: Sequence[Mapping[str, str]]) -> None:
    """Keep the whole list of files that were left out: a warning names the first ten."""
    if problems:
        made.results[name] = Problems(tuple(f"{Path(p['file']).name}: {p['problem']}" for p in problems))


def _cells(made: Walk, fields: Fields, choices: Choices) -> Cells | NotDone:
    """Find cells where no masks were read, and cut them out."""
    do, found = made.steps.do, fields
    if fields.masks is None:
        channel = "" if choices.nuclei is None else f", {choices.nuclei!r}"
        nuclei = do("segment nuclei", f"fields = ms.io.segment(fields{channel})", segment, fields, choices.nuclei)
        if isinstance(nuclei, NotDone):
            return nuclei
        grown = do("grow cells", "fields = ms.io.segment_cells(fields)", segment_cells, nuclei)
        found = nuclei if isinstance(grown, NotDone) else grown
    line = f"cells = ms.io.crop(fields, size={choices.size})"
    result: Cells | NotDone = do("crop", line, crop, found, choices.size)
    return result


def _refuse_none(cells: Cells) -> None:
    raise ValueError("No cell was found. Look at the segmentation: ms.views.tune_segmentation(fields).")


def _curate(made: Walk, choices: Choices) -> None:
    """Flag what is unusual, and leave out what was decided to be left out, with the reason in the log."""
    if made.cells is None or made.cells.images is None:
        return
    flags = _keep(made, "quality", "flags = ms.curate.flag_quality(cells)", flag_quality, made.cells)
    if not isinstance(flags, pd.DataFrame) or not choices.drop:
        return
    line = (
        f"decisions = ms.curate.Decisions(cells).drop(cells.ids[flags[{list(choices.drop)!r}].any(axis=1)], 'flagged')"
    )
    decisions = _keep(made, "decisions", line, _decided, made.cells, flags, list(choices.drop))
    if isinstance(decisions, Decisions):
        made.cells = made.steps.do("leave out", "cells = decisions.apply()", decisions.apply)


def _decided(cells: Cells, flags: pd.DataFrame, drop: list[str]) -> Decisions:
    unknown = [name for name in drop if name not in flags]
    if unknown:
        raise ValueError(f"No flag {unknown}. Flags: {list(flags.columns[3:])}.")
    chosen = cells.ids[flags[drop].any(axis=1)]
    if len(chosen) == len(cells):
        raise ValueError(f"All {count(len(cells), 'cell')} are flagged by {drop}: none was left out.")
    return Decisions(cells, who="report").drop(chosen, "flagged: " + ", ".join(drop))


def _measure(made: Walk) -> None:
    cells = made.cells
    if cells is not None and cells.images is not None and cells.features is None:
        line = "cells = cells.with_features(ms.features.measure(cells))"
        measured = made.steps.do("measure", line, _measured, cells)
        made.cells = measured if isinstance(measured, Cells) else cells


def _measured(cells: Cells) -> Cells:
    return cells.with_features(measure(cells, progress=False))


def _map(made: Walk, seed: int) -> None:
    """Draw a map of normalised features where batches have controls, and say how far it can be trusted."""
    cells, do = made.cells, made.steps.do
    if cells is None or cells.features is None:
        return
    shown = cells
    if scale_of(cells):
        # Controls that are named by the label would tell it: the whole batch is what is compared with then.
        whole = _named_by_label(cells)
        line = f"scaled = ms.features.normalize(cells{', control=' + repr('all') if whole else ''})"
        scaled = do("normalise", line, normalize, cells, control="all" if whole else None, needed=False)
        shown = scaled if isinstance(scaled, Cells) else cells
    name = "cells" if shown is cells else "scaled"
    points = do("map", f"points = ms.explore.umap(ms.features.select({name}), seed={seed})", _umap, shown, seed)
    if isinstance(points, pd.DataFrame):
        made.cells = cells.with_embedding("umap", points)
        line = f"how_far = ms.explore.trust(ms.features.select({name}), points)"
        _keep(made, "trust", line, lambda: trust(select(shown), points), needed=False)


def _named_by_label(cells: Cells) -> bool:
    control = cells.design.control
    return cells.design.label in ([control] if isinstance(control, str) else list(control or ()))


def _umap(cells: Cells, seed: int) -> pd.DataFrame:
    return umap(select(cells), seed=seed)


def _predict(made: Walk, seed: int) -> None:
    """Hold out what is strictest first; where the design refuses, the next; explain what could be predicted."""
    cells = made.cells
    if cells is None or cells.features is None or cells.design.label is None:
        return
    scaled = scale_of(cells)
    for by in held_out(cells):
        options = {"by": by or None, "normalize": scaled, "seed": seed}
        written = ", ".join(f"{k}={v!r}" for k, v in options.items() if v is not None)
        line = f"score = ms.predict.cross_validate(cells, {written})"
        score = _keep(made, f"predict, {_named(by)} held out", line, cross_validate, cells, progress=False, **options)
        if not isinstance(score, NotDone):
            line = f"matters = ms.explain.importance(cells, {written})"
            _keep(made, "explain", line, importance, cells, progress=False, needed=False, **options)
            return


def held_out(cells: Cells) -> list[list[str]]:
    """Return what to hold out, from the strictest: whole batches, whole units; fields where no unit is declared.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": ["p1", "p2"], "well": ["A01", "A01"]})
    >>> held_out(Cells(obs, unit=["plate", "well"], batch="plate"))
    [['plate'], ['plate', 'well']]
    """
    design, several = cells.design, cells.design.batch and cells.batches_of.nunique() > 1
    ways = [list(design.batch)] if several else []
    ways += [list(design.unit)] if design.unit and design.unit != design.batch else []
    if not ways and not design.unit:
        ways = [["field_id"]] if "field_id" in cells.obs else [[]]
    return ways or [list(design.unit)]


def scale_of(cells: Cells) -> str | None:
    """Return how features of batches are put on one scale: by their controls, where there are both; else not at all."""
    return "standardize" if cells.design.batch and cells.design.control is not None else None


def _named(by: list[str]) -> str:
    return " and ".join(by) or "units"


def _keep(made: Walk, name: str, code: str, function: Any, *args: Any, **options: Any) -> Any:
    """Do a step whose result belongs in the sheet, its refusal too."""
    result = made.steps.do(name, code, function, *args, **options)
    made.results[name] = result
    return result
