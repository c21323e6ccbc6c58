"""From a folder to an evidence sheet in one call: for the next data set of a study, each week."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from mlscope_nb._files import made_folder, write_text
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.io import write_h5ad, write_profiles
from mlscope_nb.risks.attempts import Problems, Steps
from mlscope_nb.risks.folder_path import Choices, Walk, walk
from mlscope_nb.risks.reporting import files_of, report

STYLE = "font-family:var(--jp-ui-font-family,sans-serif);font-size:14px;border-left:4px solid #0072b2;padding:4px 12px"
SHEET, CELLS, PROFILES, STEPS, CODE = "evidence.html", "cells.h5ad", "profiles.parquet", "steps.json", "steps.py"


@dataclass(frozen=True)
class FolderReport:
    """What `report_folder` did.

    Parameters
    ----------
    out : Path
        The folder of the results.
    files : tuple of Path
        What was written, the sheet first.
    steps : Steps
        What was tried: ``.done``, ``.refused``, ``.problems``, ``.code``.
    cells : Cells or None
        The cells, where any were found.
    results : dict
        Results by the name of their step; a step that was refused has its reason there.
    """

    out: Path
    files: tuple[Path, ...]
    steps: Steps
    cells: Cells | None
    results: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for could be done."""
        return not self.steps.refused

    @property
    def problems(self) -> list[str]:
        """Every reason and every warning, with the step that said it."""
        return self.steps.problems

    def to_dict(self) -> dict[str, Any]:
        """Return files, steps and problems as plain values."""
        return {
            "complete": self.complete,
            "files": [file.name for file in self.files],
            "n_cells": None if self.cells is None else len(self.cells),
            "steps": [asdict(step) for step in self.steps.done],
        }

    def __str__(self) -> str:
        found = "No cells" if self.cells is None else count(len(self.cells), "cell")
        refusals = self.steps.refused
        others = [
            f"  note: {step.name}: {t}" for step in self.steps.done if step not in refusals for t in step.problems
        ]
        refused = [f"  not done: {step.name}: {step.problems[0]}" for step in refusals]
        files = [f"  {file}" for file in self.files]
        return "\n".join([f"{found} in '{self.out}':", *files, *refused, *others])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        first, *lines = str(self).splitlines()
        rows = "".join(f"<li>{escape(line.strip())}</li>" for line in lines)
        return f'<div style="{STYLE}"><b>{escape(first)}</b><ul style="margin:4px 0">{rows}</ul></div>'


def report_folder(
    data: str | Path,
    out: str | Path = "report",
    *,
    label: str | None = None,
    unit: str | Sequence[str] | None = None,
    batch: str | Sequence[str] | None = None,
    control: Any = None,
    treatment: str | None = None,
    nuclei: str | None = None,
    size: int = 64,
    drop: Sequence[str] = ("cut",),
    seed: int = 0,
    title: str | None = None,
    **reading: Any,
) -> FolderReport:
    """Go the whole path from a folder to an evidence sheet, as notebook 08 does it step by step.

    Recognise and read, find cells where there are no masks, flag and leave out, measure, audit, map, predict with whole
    batches held out (whole units where that cannot be), say what the model goes by, write the sheet and the exports. A
    step that the data or the design do not carry is left out, with its reason in the sheet; nothing is guessed in its
    place.

    Parameters
    ----------
    data : path
        A folder or file that `ms.io.recognise` knows.
    out : path
        The folder for results; made if it is not there, and files of an earlier report in it are replaced.
    label, unit, batch, control, treatment
        Columns of the layout, as in `ms.Cells`. Guessed units and batches (well, plate) hold where none is given.
    nuclei : str, optional
        The channel of the nuclei.
    size : int
        Width and height of a crop in pixels.
    drop : sequence of str
        Flags of `ms.curate.flag_quality` whose cells are left out; by default what is cut by the edge of its field.
    seed : int
    title : str, optional
        On top of the sheet; the name of the folder by default.
    **reading
        What the reader needs: pattern, channels, projection, frame, pixel_size_um, masks, metadata, on.

    Returns
    -------
    FolderReport
        ``.complete`` says whether all could be done. Files: ``evidence.html``, ``.md`` and ``.json``, ``cells.h5ad``,
        ``profiles.parquet``, ``steps.json`` with every step and problem, ``steps.py`` with the same as code.

    Raises
    ------
    NotADirectoryError
        `out` is a file.
    OSError
        The results cannot be written.

    Examples
    --------
    >>> import tempfile, mlscope_nb as ms
    >>> made = report_folder("no such folder", tempfile.mkdtemp())
    >>> made.complete, [file.name for file in made.files]
    (False, ['steps.json', 'steps.py'])
    """
    began = time.process_time()
    folder = made_folder(out)
    design = {"label": label, "unit": unit, "batch": batch, "control": control, "treatment": treatment}
    gone = walk(data, Choices({**reading, **design}, nuclei, size, tuple(drop), seed))
    files = []
    if gone.cells is not None and len(gone.cells):
        name = title or f"Evidence sheet: {Path(data).resolve().name}"
        files = _sheet(gone, folder / SHEET, name, time.process_time() - began)
        files += _exports(gone, folder)
    made = FolderReport(folder, (*files, folder / STEPS, folder / CODE), gone.steps, gone.cells, gone.results)
    write_text(folder / STEPS, json.dumps(made.to_dict(), ensure_ascii=False, indent=1) + "\n")
    write_text(folder / CODE, gone.steps.code)
    return made


def _sheet(gone: Walk, path: Path, title: str, seconds: float) -> list[Path]:
    line = f"ms.risks.report(cells, [{', '.join(_names(gone))}], {path.name!r})"
    results = {**gone.results, "steps": Problems(tuple(gone.steps.problems or ["none"]))}
    made = gone.steps.do("sheet", line, report, gone.cells, results, path, title=title, seconds=max(seconds, 0.01))
    return files_of(path) if isinstance(made, Path) else []


def _names(gone: Walk) -> list[str]:
    """Return the names that results have in the lines of code."""
    done = [step for step in gone.steps.done if step.done and step.name in gone.results]
    return [step.code.split(" = ")[0] for step in done]


def _exports(gone: Walk, folder: Path) -> list[Path]:
    """Write what scanpy and pycytominer open."""
    do, cells = gone.steps.do, gone.cells
    # Gaps stay gaps: a median of all cells would be a guess, and it would know the test.
    line = f"ms.io.write_h5ad(cells, {CELLS!r}, overwrite=True)"
    made = [do("h5ad", line, write_h5ad, cells, folder / CELLS, overwrite=True)]
    if cells is not None and cells.features is not None:
        line = f"ms.io.write_profiles(cells, {PROFILES!r}, overwrite=True)"
        made.append(do("profiles", line, write_profiles, cells, folder / PROFILES, overwrite=True))
    return [file for file in made if isinstance(file, Path)]
