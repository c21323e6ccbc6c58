"""Penetrance: which fraction of the cells of each well responds to its treatment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._align import step
from mlscope_nb._words import no_column, some
from mlscope_nb.cells import Cells
from mlscope_nb.explore.copies import first_of_each
from mlscope_nb.explore.held_out_scores import Bools, Codes, Floats, batch_codes, held_out_scores
from mlscope_nb.explore.mixtures import controls_of, responders
from mlscope_nb.study.blocks import ordered
from mlscope_nb.study.intervals import check_level

FEWEST_CELLS = 5
FEWEST_CONTROLS = 30
WEAK = 0.8
"""Below this separation (AUC of the scores) responding cells can hardly be told one by one."""


def penetrance(
    cells: Cells,
    *,
    treatment: str | None = None,
    groups: Any = None,
    level: float = 0.95,
    draws: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate the fraction of responding cells in each treated well, with an interval.

    For each treatment a score is learned that tells its cells from the controls, each plate (or well) scored by a model
    that did not see it. The scores of a treated well are then a mixture of cells like the controls, whose distribution
    is known, and of responding ones; the shape of the latter is shared by the wells of a treatment, the fraction is
    each well's own. The interval is about the cells that are there: it holds what their scores, the well's own shift
    (as control wells have it) and the unknown shape leave open. It does not say what another well would show. A cell
    that stands in its unit twice counts once.

    Parameters
    ----------
    cells : Cells
        With features, a declared unit and controls. Weak phenotypes need the features that show them:
        ``ms.features.measure(cells, families="all")``.
    treatment : str, optional
        Column of obs; default: the declared treatment, or the label.
    groups : optional
        Treatments to look at; default: all that are not controls.
    level : float
        Level of the interval.
    draws : int
        Draws from what is known of each fraction.
    seed : int
        Seed.

    Returns
    -------
    DataFrame
        One row per unit: treatment, n_cells, fraction (mean of the draws), low, high, separation (AUC of held-out
        scores between all its treatment's cells and controls; 0.5 is none), note ("weak: …" where the fraction rests on
        the shape of scores more than on single cells).

    Raises
    ------
    ValueError
        No unit, controls or treatment are declared, fewer than 30 control cells, or nothing else than controls.
    KeyError
        There is no such column or treatment.

    References
    ----------
    Patra & Sen 2016, J R Statist Soc B 78:869; responders scored against control cells as in Slack et al. 2008, PNAS
    105:19306 (heterogeneity of drug response as mixtures).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(p, w, "none" if w < 4 else "x") for p in "123" for w in range(6) for _ in range(40)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"])
    >>> responds = (obs["drug"] == "x") & (rng.random(len(obs)) < 0.6)
    >>> table = pd.DataFrame(rng.normal(size=(len(obs), 4)) + 3 * responds.to_numpy()[:, None])
    >>> cells = Cells(obs, features=table, unit=("plate", "well"), batch="plate", treatment="drug",
    ...               control={"drug": "none"})
    >>> found = penetrance(cells)
    >>> truth = responds.groupby(cells.units.to_numpy()).mean()
    >>> bool((found["fraction"] - truth[found.index]).abs().max() < 0.1)
    True
    """
    check_level(level)
    name = treatment or cells.design.treatment or cells.design.label
    if name is None:
        raise ValueError("No treatment is declared. Name its column: cells.with_design(treatment=…).")
    if name not in cells.obs.columns:
        raise KeyError(no_column(name, cells.obs.columns, "Name the column of the treatments with treatment=…"))
    cells = _without_copies(cells)
    obs, control = cells.obs, cells.controls.to_numpy()
    if control.sum() < FEWEST_CONTROLS:
        raise ValueError(
            f"Only {int(control.sum())} control cells, expected {FEWEST_CONTROLS} or more to compare with."
        )
    units = cells.units
    have = ordered(obs[name][~control])
    wanted = have if groups is None else [groups] if pd.api.types.is_scalar(groups) else list(groups)
    unknown = [g for g in wanted if g not in have]
    if unknown or not wanted:
        raise KeyError(f"No treated cell of {some(unknown) or 'any treatment'}. There are: {some(have, 12) or 'none'}.")
    parts = []
    for group in wanted:
        treated = (obs[name] == group).fillna(False).to_numpy(bool) & ~control
        part = cells.subset(treated | control)
        keep = treated[treated | control]
        found = held_out_scores(part, ~keep, keep, seed=seed)
        scores = _in_deviations(found.values, found.fold, batch_codes(part), ~keep)
        table = _of_wells(scores, units[treated | control].to_numpy(), keep, level, draws, seed)
        parts.append(table.assign(treatment=group, note=_note(table["separation"].iloc[0], found.note)))
    columns = ["treatment", "n_cells", "fraction", "low", "high", "separation", "note"]
    result = pd.concat(parts)[columns].rename_axis("unit")
    result.attrs["history"] = [step("penetrance", treatment=name, level=level, draws=draws, seed=seed)]
    return result


def _without_copies(cells: Cells) -> Cells:
    """Return the cells without those that stand in their unit once more: each is evidence once."""
    first = first_of_each(cells.table(), cells.units)
    return cells if first.all() else cells.subset(first)


def _in_deviations(values: Floats, fold: Codes, batch: Codes, control: Bools) -> Floats:
    """Return scores in robust deviations of the controls, fold by fold (each is another model) and plate by plate."""
    result = values.copy()
    part = fold * (int(batch.max()) + 1) + batch
    for k in np.unique(part):
        rows = part == k
        # A fold of few control cells takes its scale from all those of the fold's model, or of all folds.
        near = [rows & control, (fold == fold[rows][0]) & control, control]
        usual = next((values[r] for r in near if r.sum() >= FEWEST_CONTROLS), values[control])
        middle = np.median(usual)
        spread = 1.4826 * float(np.median(np.abs(usual - middle))) or float(usual.std()) or 1.0
        result[rows] = (values[rows] - middle) / spread
    return result


def _of_wells(scores: Floats, units: np.ndarray, treated: Bools, level: float, draws: int, seed: int) -> pd.DataFrame:
    from scipy.stats import mannwhitneyu

    known = controls_of(scores[~treated], np.asarray(pd.factorize(units[~treated])[0]))
    well, names = pd.factorize(units[treated], sort=True)
    drawn = responders(scores[treated], np.asarray(well), known, draws=draws, seed=seed)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    n = np.bincount(well)
    pairs = int(treated.sum()) * int((~treated).sum())
    auc = float(mannwhitneyu(scores[treated], scores[~treated]).statistic) / pairs
    few = n < FEWEST_CELLS
    return pd.DataFrame(
        {
            "n_cells": n,
            "fraction": np.where(few, np.nan, drawn.mean(axis=0)),
            "low": np.where(few, np.nan, low),
            "high": np.where(few, np.nan, high),
            "separation": auc,
        },
        index=pd.Index(names),
    )


def _note(separation: float, note: str) -> str:
    weak = "weak: responding cells overlap with controls, so the fraction rests on the shape of the scores"
    return " ".join(n for n in (weak if separation < WEAK else "", note) if n)
