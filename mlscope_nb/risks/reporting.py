"""The evidence report: what was done to a study and what came out, as a sheet that a reviewer can judge."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlscope_nb._files import replacing
from mlscope_nb.cells import Cells
from mlscope_nb.risks.sheet.energy import WATTS_PER_CORE, energy_facts
from mlscope_nb.risks.sheet.given import records
from mlscope_nb.risks.sheet.markdown import markdown_of
from mlscope_nb.risks.sheet.sections import document_of, levels_of
from mlscope_nb.risks.sheet.software import different, seeds_in, software_facts
from mlscope_nb.risks.sheet.study import study_facts
from mlscope_nb.risks.sheet.values import clean
from mlscope_nb.risks.sheet.web import html_of

FORMAT = "mlscope evidence 1"
ENDINGS = (".html", ".md", ".json")
TITLE = "Evidence sheet"


def report(
    cells: Cells,
    results: Any = (),
    path: str | Path = "evidence.html",
    *,
    title: str = TITLE,
    seconds: float | None = None,
    watts_per_core: float = WATTS_PER_CORE,
) -> Path:
    """Write an evidence sheet: HTML that stands alone, Markdown and JSON beside each other.

    The first page answers "how do you know this is not the plate?" in one sentence and a table: how the label lies over
    batches, what was held out, the figure with its interval, what a model gets that knows less, what a new batch and
    the controls say. What was not done is listed with the call that does it. What was held out is counted from the
    predictions, not taken from names. Then come Data, Optimization, Model and Evaluation, and a question for each type
    of leakage. Both pages are made from the JSON file alone.

    Parameters
    ----------
    cells : Cells
        The study: its design, counts and history.
    results : sequence or mapping
        What mlscope's functions have returned, in any order: audits, evaluations, splits, learning curves, transfer,
        batch reports, networks, explanations, decisions. In a mapping each has a name of your own. A table with one row
        per cell is summarised; what is unknown stands under "Other results".
    path : str or Path
        Of the HTML file; the others have the same name and end with ``.md`` and ``.json``.
    title : str
        Stands on top.
    seconds : float, optional
        CPU time of the whole analysis in core seconds, where you have timed it.
    watts_per_core : float
        Power of one core for the estimate of energy.

    Returns
    -------
    Path
        Of the HTML file.

    Raises
    ------
    TypeError, ValueError
        No cells; seconds or watts that are no numbers above 0.
    OSError
        The path is a folder, or cannot be written; then nothing was changed.

    References
    ----------
    Walsh et al. 2021, Nature Methods 18:1122 (DOME). Kapoor & Narayanan 2023, Patterns 4:100804 (info sheet, types of
    leakage). Lannelongue et al. 2021, Adv. Sci. 8:2100707 (energy).

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> rows = [(f"p{p}", f"p{p}w{w}", "ab"[w % 2]) for p in range(3) for w in range(4)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(12)])
    >>> cells = Cells(obs, unit="well", batch="plate", label="drug")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = report(cells, path=f"{folder}/study.html")
    ...     names = sorted(file.name for file in made.parent.iterdir())
    ...     text = made.with_suffix(".md").read_text(encoding="utf-8")
    >>> names
    ['study.html', 'study.json', 'study.md']
    >>> "Every plate holds every class (3 plates)." in text
    True
    """
    if not isinstance(cells, Cells):
        raise TypeError(f"Expected Cells, found {type(cells).__name__}: ms.risks.report(cells, results=[…], path=…).")
    files = files_of(path)
    content = content_of(cells, results, title=title, seconds=seconds, watts_per_core=watts_per_core)
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    html, markdown = pages_of(json.loads(text))
    with ExitStack() as stack:
        # All three are written before the first takes its place: a full disk leaves the old sheet as it was.
        parts = [stack.enter_context(replacing(file)) for file in files]
        for part, whole in zip(parts, (html, markdown, text), strict=True):
            _write(part, whole)
    return files[0]


def content_of(
    cells: Cells,
    results: Any = (),
    *,
    title: str = TITLE,
    seconds: float | None = None,
    watts_per_core: float = WATTS_PER_CORE,
) -> dict[str, Any]:
    """Return all that the sheet is made of, as text, numbers, lists and dicts: what the JSON file holds.

    Parameters
    ----------
    cells, results, title, seconds, watts_per_core
        As in `report`.
    """
    _refuse_no_number("watts_per_core", watts_per_core)
    if seconds is not None:
        _refuse_no_number("seconds", seconds)
    given = records(results, cells)
    study = study_facts(cells)
    content: dict[str, Any] = {
        "format": FORMAT,
        "title": clean(title),
        "made": {"time": datetime.now(UTC).isoformat(timespec="seconds"), **software_facts()},
        "study": study,
        "results": given,
        "seeds": different(seeds_in([study["history"], *given])),
        "energy": energy_facts(given, time.process_time(), seconds, float(watts_per_core)),
    }
    # Once through JSON, so that levels and pages are those of the file.
    content = json.loads(json.dumps(content, allow_nan=False))
    return {**content, "levels": levels_of(content)}


def pages_of(content: Mapping[str, Any]) -> tuple[str, str]:
    """Return HTML and Markdown, made from the content of the JSON file and nothing else."""
    document = document_of(content)
    return html_of(document), markdown_of(document)


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def files_of(path: str | Path) -> list[Path]:
    """Return the three files of a sheet: HTML, Markdown, JSON.

    Raises
    ------
    IsADirectoryError
        One of them is a folder.

    Examples
    --------
    >>> [file.name for file in files_of("study.v2")]
    ['study.v2.html', 'study.v2.md', 'study.v2.json']
    """
    given = Path(path).expanduser()
    if given.is_dir():
        raise IsADirectoryError(f"'{given}' is a folder. Name a file in it: '{given / 'evidence.html'}'.")
    stem = given.name.removesuffix(given.suffix) if given.suffix.lower() in (*ENDINGS, ".htm") else given.name
    files = [given.with_name(f"{stem}{ending}") for ending in ENDINGS]
    folders = [file for file in files if file.is_dir()]
    if folders:
        raise IsADirectoryError(f"'{folders[0]}' is a folder, and the sheet needs a file of that name. Name another.")
    return files


def _refuse_no_number(name: str, value: Any) -> None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    if not known:
        raise ValueError(f"{name} is {value!r}, expected a number above 0.")
