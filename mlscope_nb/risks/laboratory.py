"""The laboratory: the pitfalls there are, and what a dose of each does."""

from __future__ import annotations

import importlib
import math
import tomllib
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.risks.lesson import Found, Lesson

TEXTS = Path(__file__).parent / "pitfalls" / "texts.toml"
PICTURES = TEXTS.with_name("pictures.toml")
SHOWN = ("title", "danger", "dose", "unit", "doses", "measures", "mitigation", "note", "source", "doi", "notebook")


def scenarios() -> pd.DataFrame:
    """Return the pitfalls of the laboratory, one row each.

    Returns
    -------
    DataFrame
        By name: title; danger (one sentence); dose (what is given), unit, doses (usual ones, the first is none);
        measures (what the damage counts; larger is worse); mitigation; note (what the remedy cannot do); source, doi;
        notebook (where it is lived); precomputed.

    Examples
    --------
    >>> scenarios().loc["pseudo_replication", "title"]
    'Counting cells as replicates'
    """
    rows = {name: {k: known.get(k, "") for k in SHOWN} for name, known in _texts().items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table["doses"] = [tuple(float(d) for d in doses) for doses in table["doses"]]
    table["precomputed"] = ["command" in known for known in _texts().values()]
    return table.rename_axis("name")


def run(name: str, dose: float | None = None, *, seed: int = 0) -> Lesson:
    """Give a dose of a pitfall: the damage, what the remedy gives back, and a study without the danger.

    Parameters
    ----------
    name : str
        One of ``scenarios().index``.
    dose : float, optional
        Between the first and the last of its usual doses; default: the last.
    seed : int
        Of everything random.

    Returns
    -------
    Lesson
        ``.damage``, ``.mitigated``, ``.control`` with intervals, ``.sentence``, ``.pictures``.

    Raises
    ------
    ValueError
        There is no such pitfall, or the dose lies outside of its range.

    Examples
    --------
    >>> lesson = run("pseudo_replication", dose=100)
    >>> lesson.damage.value > 0.3, lesson.mitigated.value < 0.1
    (True, True)
    """
    known = _known(name)
    doses = tuple(float(d) for d in known["doses"])
    given = _checked(name, doses[-1] if dose is None else dose, doses)
    found = _pitfall(name, known["module"])(given, seed)
    texts = {k: known.get(k, "") for k in SHOWN if k not in ("dose", "doses")}
    return Lesson(
        name=name, dose=given, dose_is=known["dose"], doses=doses, seed=seed,
        damage=found.damage, mitigated=found.mitigated, control=found.control,
        sentence=found.sentence, pictures=found.pictures,
        precomputed="command" in known, command=known.get("command", ""), **texts,
    )  # fmt: skip


def curve(
    name: str, doses: Iterable[float] | None = None, *, seeds: Iterable[int] = range(3), progress: bool = True
) -> pd.DataFrame:
    """Return the damage over doses, once for each seed.

    Parameters
    ----------
    name : str
        One of ``scenarios().index``.
    doses : sequence of float, optional
        Default: the usual ones.
    seeds : sequence of int
        One study (or set of studies) each.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    DataFrame
        dose, seed, damage, mitigated, control.

    Raises
    ------
    ValueError
        There is no such pitfall, or a dose lies outside of its range.

    Examples
    --------
    >>> curve("pseudo_replication", [2, 100], seeds=[0], progress=False)["dose"].tolist()
    [2.0, 100.0]
    """
    given = list(_known(name)["doses"] if doses is None else doses)
    pairs = [(dose, seed) for seed in seeds for dose in given]
    rows = []
    for dose, seed in tqdm(pairs, desc="Doses", delay=2, leave=False, disable=not progress):
        lesson = run(name, dose, seed=seed)
        figures = {k: getattr(lesson, k).value for k in ("damage", "mitigated", "control")}
        rows.append({"dose": lesson.dose, "seed": seed, **figures})
    return pd.DataFrame(rows)


def picture_plan(name: str) -> dict[str, Any]:
    """Return which of a lesson's pictures is drawn, and how: table, kind, axis, parts (see pictures.toml).

    Examples
    --------
    >>> picture_plan("leakage")["kind"]
    'strips'
    """
    _known(name)
    return _plans()[name]


@cache
def _plans() -> dict[str, dict[str, Any]]:
    return tomllib.loads(PICTURES.read_text(encoding="utf-8"))


@cache
def _texts() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))


def _known(name: str) -> dict[str, Any]:
    if name not in _texts():
        raise ValueError(f"No pitfall {name!r}. There are: {some(_texts(), 30)}.")
    return _texts()[name]


def _checked(name: str, dose: float, doses: tuple[float, ...]) -> float:
    low, high = min(doses), max(doses)
    if isinstance(dose, bool) or not isinstance(dose, int | float) or not math.isfinite(dose):
        raise ValueError(f"dose is {dose!r}, expected a number between {low:g} and {high:g}.")
    if not low <= dose <= high:
        raise ValueError(f"A dose of {dose:g} of '{name}' was not tried: choose one between {low:g} and {high:g}.")
    return float(dose)


def _pitfall(name: str, module: str) -> Callable[[float, int], Found]:
    """The function of a pitfall; warnings that its careless arm earns are part of the lesson, not of the notebook."""
    function: Callable[[float, int], Found] = getattr(
        importlib.import_module(f"mlscope_nb.risks.pitfalls.{module}"), name
    )

    def quiet(dose: float, seed: int) -> Found:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return function(dose, seed)

    return quiet
