"""Audit: what could be wrong with a study, asked in one call before any result is looked at."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.features.measurements import measure
from mlscope_nb.risks.confounding import class_and_batch, effective_size, units_of_classes
from mlscope_nb.risks.findings import Audit, Finding, audit_of, cells_and_units
from mlscope_nb.risks.group_identity import batch_from_controls, unit_from_cells
from mlscope_nb.risks.label_swaps import label_swaps
from mlscope_nb.risks.layout_effects import layout_effects
from mlscope_nb.risks.leakage import duplicates_of, illegitimate, preprocessing, splits_of
from mlscope_nb.risks.shortcuts import shortcuts
from mlscope_nb.risks.simple_features import Read, read, simple_features
from mlscope_nb.risks.trial import is_replicated, trial
from mlscope_nb.study.splits import Split
from mlscope_nb.study.units import noun, plural

PER_UNIT, MEASURED = 20, 2_000
"""Cells of a unit, and in all, by whose features units are recognised, measured where there are no features yet."""
MOST = 10_000
"""Cells that are read; of more, as many of each unit."""
FEWEST_PERMUTATIONS = 199


def audit(
    cells: Cells,
    *,
    splits: Iterable[Split | tuple[Iterable[str], Iterable[str]]] | None = None,
    duplicates: pd.DataFrame | None = None,
    n_permutations: int = 1_999,
    seed: int = 0,
    progress: bool = True,
) -> Audit:
    """Audit a study: units, confounding, leakage, shortcuts, layout, swaps; each with its subject and a next step.

    Red: a result would rest on it. Amber: it may, or it is biology that a simple number shows. Untestable: no data of
    this design could have shown it. Nothing is changed or removed, and no model of the cells is needed.

    A label is read from small tables by a ridge regression with whole units held out, one class against the others,
    within batches; the null exchanges labels between units within batches, the p-value is that of the largest statistic
    over all classes, and for red corrected for the number of checks as well (Holm) and at most 0.01, where the design
    allows so small ones. Red also needs a lower limit of the AUROC of 0.65 where pixels are read, and of 0.55 where
    exact numbers are. Where there are masks, pixels have to say it as they are, and once brightness and size of the
    cell and of its neighbours have been allowed for.

    Without a unit each image has to stand for itself, which makes p-values too small where images share a slide or a
    day. A class is then red only if it is told with a lower limit of 0.95 and stands out from all other classes.

    Parameters
    ----------
    cells : Cells
        Crops with or without masks, or tables of profiles; with whatever design is declared.
    splits : iterable of Split or (train ids, test ids), optional
        Proposed splits, audited for shared units and copies.
    duplicates : DataFrame, optional
        From `ms.curate.find_duplicates`; otherwise searched for.
    n_permutations : int
        Exchanges of labels, at least 199 (fewer could not turn anything red).
    seed : int
        Of exchanges, folds and samples.
    progress : bool
        Show bars over what takes longer than two seconds.

    Returns
    -------
    Audit
        ``.findings`` (check, subject, level, figure, low, high, p_value, kind, reason, next_step), ``.details``.

    Raises
    ------
    TypeError, ValueError
        No cells, or too few permutations.

    References
    ----------
    Kapoor & Narayanan 2023, Patterns 4:100804 (kinds of leakage). Westfall & Young 1993, Resampling-Based Multiple
    Testing. DeGrave, Janizek & Lee 2021, Nat Mach Intell 3:610 (shortcuts). Lazic 2010, BMC Neurosci 11:5 (units).

    Examples
    --------
    >>> rows = [(f"p{p}", f"p{p}w{w}", "ab"[p % 2]) for p in range(4) for w in range(4)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(16)])
    >>> found = audit(Cells(obs, unit="well", batch="plate", label="drug"), progress=False)
    >>> found.findings.query("level == 'red'")[["check", "subject"]].values.tolist()
    [['class and batch', 'a'], ['class and batch', 'b']]
    """
    if not isinstance(cells, Cells):
        raise TypeError(f"Expected Cells, found {type(cells).__name__}: ms.risks.audit(cells).")
    if n_permutations < FEWEST_PERMUTATIONS:
        raise ValueError(f"n_permutations is {n_permutations}, expected at least {FEWEST_PERMUTATIONS}.")
    listed = None if splits is None else [(list(train), list(test)) for train, test in splits]
    found = [*units_of_classes(cells), *class_and_batch(cells), *splits_of(cells, listed)]
    copies, pairs = duplicates_of(cells, duplicates, listed)
    found += [*copies, *preprocessing(cells.history), *illegitimate(cells)]
    details = {} if pairs is None else {"duplicates": pairs}
    if len(cells):
        more, tables = _measured(cells, n_permutations, seed, progress)
        found, details = found + more, details | tables
    return audit_of(found, _head(cells), details)


def _measured(cells: Cells, n: int, seed: int, progress: bool) -> tuple[list[Finding], dict[str, pd.DataFrame]]:
    """Return the findings that need cells to be read, and their tables."""
    cells = _sample(cells, MOST / max(_groups(cells).nunique(), 1), seed)
    seen = read(cells, progress=progress)
    made = trial(cells, n, seed)
    found = shortcuts(made, simple_features(cells, seen), progress=progress)
    placed, layout = layout_effects(cells, seen)
    richer = _with_features(cells, seed, progress)
    swaps, units = label_swaps(richer, seed)
    table = _table(richer, seen)
    if table is None:
        nothing = "There are neither images nor features to read."
        found.append(Finding("batch from controls", "all", "untestable", nothing, ""))
    else:
        found += [*batch_from_controls(richer, table, n, seed), unit_from_cells(richer, table, seed)]
    found += [effective_size(cells, _few(seen)), *placed, *swaps]
    tables = {"layout": layout, "swapped units": units}
    return found, {name: t for name, t in tables.items() if t is not None}


def _groups(cells: Cells) -> pd.Series:
    """Return the unit of each cell; its label where there are no units."""
    if is_replicated(cells):
        return cells.units
    if cells.design.label is not None:
        return cells.labels.astype(str)
    return pd.Series("all", cells.ids)


def _sample(cells: Cells, most: float, seed: int) -> Cells:
    """Return at most so many cells of each unit, drawn at random."""
    drawn = pd.Series(np.random.default_rng(seed).random(len(cells)), cells.ids)
    kept = drawn.groupby(_groups(cells).to_numpy()).rank(method="first") <= max(most, 1)
    return cells if kept.all() else cells.subset(cells.ids[kept.to_numpy()])


def _with_features(cells: Cells, seed: int, progress: bool) -> Cells:
    """Return a few cells of each unit with features: their own, or measured where there are masks."""
    if not is_replicated(cells):
        return cells
    few = _sample(cells, max(PER_UNIT, MEASURED / cells.units.nunique()), seed)
    if cells.features is not None or cells.images is None or cells.masks is None:
        return few
    return few.with_features(measure(few, progress=progress))


def _table(cells: Cells, seen: Read) -> pd.DataFrame | None:
    """Return what is known of each cell to recognise its batch by: features, else brightness, size and background."""
    if cells.features is not None:
        return cells.table().replace([np.inf, -np.inf], np.nan)
    parts = [seen.known[name] for name in ("area", "intensity", "background pixels") if name in seen.known]
    return pd.concat(parts, axis=1).loc[cells.ids] if parts else None


def _few(seen: Read) -> pd.DataFrame | None:
    parts = [seen.known[name] for name in ("area", "intensity") if name in seen.known]
    return pd.concat(parts, axis=1) if parts else None


def _head(cells: Cells) -> str:
    if not cells.design.unit:
        return f"{count(len(cells), 'cell')} without a declared unit"
    word = noun(cells.design.unit)
    return cells_and_units(len(cells), cells.units.nunique(), word, plural(word))
