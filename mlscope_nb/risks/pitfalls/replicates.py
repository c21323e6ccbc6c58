"""Counting cells as replicates: wells differ although nobody treated them, and more cells make the difference surer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind

from mlscope_nb._words import percent
from mlscope_nb.risks.lesson import Found, rate
from mlscope_nb.risks.pitfalls.drawn import statistics

STUDIES = 1000
WELLS = 4
ALPHA = 0.05
FEATURE = "Cells_AreaShape_Area"


def pseudo_replication(dose: float, seed: int) -> Found:
    """Test a treatment that does nothing, in 4 wells against 4, with `dose` cells of each well."""
    n, spread = round(dose), _well_spread()
    rng = np.random.default_rng([seed, 1])
    differing, alike = _areas(n, spread, rng), _areas(n, 0.0, rng)
    of_cells, of_wells = _by_cell(differing), _by_well(differing)
    naive, wells, control = ((p < ALPHA).sum() for p in (of_cells, of_wells, _by_cell(alike)))
    sentence = (
        f"A treatment that does nothing was tested {STUDIES:,} times with {n} cells of each of {2 * WELLS} wells: "
        f"{percent(naive / STUDIES)} of the tests of cells found an effect, and {percent(wells / STUDIES)} of the "
        "tests of wells."
    )
    pictures = {
        "p_values": pd.DataFrame({"cells as replicates": of_cells, "wells as replicates": of_wells}),
        "one_study": _one_study(differing),
    }
    damage, mitigated = rate(int(naive), STUDIES), rate(int(wells), STUDIES)
    return Found(damage, mitigated, rate(int(control), STUDIES), sentence, pictures)


def _well_spread() -> float:
    """How far the areas of wells lie apart, in standard deviations of the cells of one."""
    known = statistics()
    return float(np.linalg.norm(known["well"][:, known["features"].index(FEATURE)]))


def _areas(n_cells: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Areas of the cells (studies, two groups, wells, cells)."""
    wells = spread * rng.normal(size=(STUDIES, 2, WELLS, 1))
    return wells + rng.normal(size=(STUDIES, 2, WELLS, n_cells))


def _by_cell(areas: np.ndarray) -> np.ndarray:
    pooled = areas.reshape(STUDIES, 2, -1)
    return np.asarray(ttest_ind(pooled[:, 0], pooled[:, 1], axis=1).pvalue)


def _by_well(areas: np.ndarray) -> np.ndarray:
    """Welch's test of the means of wells: as ``ms.study.difference_interval`` counts."""
    means = areas.mean(axis=3)
    return np.asarray(ttest_ind(means[:, 0], means[:, 1], axis=1, equal_var=False).pvalue)


def _one_study(areas: np.ndarray) -> pd.DataFrame:
    """The cells of the first study in which cells find an effect and wells do not; of the first where there is none."""
    fooled = np.flatnonzero((_by_cell(areas) < ALPHA) & (_by_well(areas) >= ALPHA))
    one = areas[fooled[0] if fooled.size else 0]
    group, well, _ = np.indices(one.shape)
    names = np.array(["untreated", "treated (with nothing)"])[group.ravel()]
    wells = [f"W{g * WELLS + w + 1}" for g, w in zip(group.ravel(), well.ravel(), strict=True)]
    return pd.DataFrame({"group": names, "well": wells, "area (SD of cells)": one.ravel()})
