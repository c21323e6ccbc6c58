"""Batch report: what a correction did to the batch, and what it did to the biology, side by side."""

from __future__ import annotations

import html
import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.features.batch_figures import PROBE, Figure, label_probe, mixing, plate_probe, replicates
from mlscope_nb.features.normalization import Normalizer
from mlscope_nb.features.reference import EVERY
from mlscope_nb.study._result import Result

FIT = "mlscope_fitted_on"
"""The column of obs that marks the control wells that took part in fitting."""
Kind = Literal["batch", "biology"]


@dataclass(frozen=True, eq=False)
class BatchReport(Result):
    """Batch and biology before and after a correction.

    Parameters
    ----------
    figures : tuple of Figure
        Each with its value before and after, the change, and an interval over units.
    warnings : tuple of str
        What speaks against the correction.
    notes : tuple of str
        How it was measured, and what could not be.
    """

    figures: tuple[Figure, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """One row per figure: side, before, after, change with its interval, and what chance gives."""
        return pd.DataFrame([f.row() for f in self.figures]).set_index("figure")

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain numbers and text."""
        return {
            "figures": {f.name: f.to_dict() for f in self.figures},
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"{f.side}: {f}" for f in self.figures]
        return "\n".join([*lines, *(f"Warning: {w}" for w in self.warnings), *(f"Note: {n}" for n in self.notes)])

    def _repr_html_(self) -> str:
        table = self.table.drop(columns=["note"]).to_html(float_format="{:.2f}".format, na_rep="–", border=0)
        words = [*(f"<b>{html.escape(w)}</b>" for w in self.warnings), *map(html.escape, self.notes)]
        return table + "".join(f"<p>{w}</p>" for w in words)


def batch_report(
    before: Cells,
    after: Cells | Normalizer,
    *,
    n_permutations: int = 100,
    cells_per_unit: int = 50,
    seed: int = 0,
) -> BatchReport:
    """Judge a normalisation: is the batch gone, and is the biology still there?

    Four figures, each before and after: can the batch be predicted from control cells that took no part in fitting
    (half of each batch's control wells fit, the others are probed, with whole wells held out); from how many batches
    are their neighbours (iLISI); do wells of one treatment find each other across batches (mAP); and is the label
    predicted in batches left out. For the first two and the last the normalisation is fitted anew, on the wells it
    may see.

    Parameters
    ----------
    before : Cells
        With features, and declared unit, batch and control; label and treatment for the biology.
    after : Cells or Normalizer
        The same cells normalised with ``ms.features.normalize``, or the normaliser itself.
    n_permutations : int
        Exchanges of batches between wells for the null.
    cells_per_unit : int
        Most cells of a unit that the probes look at.
    seed : int
        Seed of halves, exchanges and the choice of cells.

    Raises
    ------
    ValueError
        Not the same cells, or unit, batch or control are not declared.

    References
    ----------
    Luecken et al. 2022, Nature Methods 19:41 (batch and biology side by side); Kalinin et al. 2025 (mAP);
    Korsunsky et al. 2019 (LISI).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(p, w, "DMSO" if w < 4 else "x") for p in "123" for w in range(6) for _ in range(15)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> x = rng.normal(size=(len(obs), 4)) + obs["plate"].astype(int).to_numpy()[:, None]
    >>> features = pd.DataFrame(x, index=obs.index).add_prefix("F")
    >>> cells = Cells(obs, features=features, unit=("plate", "well"), batch="plate", control={"drug": "DMSO"})
    >>> report = batch_report(cells, Normalizer())
    >>> probe = report.table.loc["batch predicted from held-out controls"]
    >>> bool(probe["before"] - probe["null"] > 0.2), bool(probe["after"] - probe["null"] < 0.2)
    (True, True)
    """
    for role in (before.units, before.batches_of, before.controls):
        del role  # each says what to declare where it is missing
    done = _recipe(before, after)
    chosen = before.subset(_sample(before, cells_per_unit, seed))
    parts = _halves(before, seed)
    with warnings.catch_warnings():
        # Half of the wells are few, and that was warned of when the whole was normalised.
        warnings.simplefilter("ignore", UserWarning)
        fits = [(before, _refitted(before, done, half, probed), before.ids[probed]) for half, probed in parts]
        fits = [(b.subset(_common(p, chosen)), a.subset(_common(p, chosen)), p) for b, a, p in fits]
        figures = [
            plate_probe([(b, a) for b, a, _ in fits], n_permutations, seed),
            mixing([(b, a) for b, a, _ in fits], seed),
            replicates(before, done.after, seed),
            label_probe(chosen, done.after.subset(chosen.ids), done.normalizer, done.columns),
        ]
    notes = [*done.notes, *(f"{f.name}: {f.note}" for f in figures if f.note)]
    return BatchReport(tuple(figures), tuple(_warnings(figures)), tuple(notes))


class _Recipe(NamedTuple):
    """What was done to the features, and how to do it again on other wells."""

    after: Cells
    normalizer: Normalizer | None
    columns: list[str]
    notes: list[str]


def _recipe(before: Cells, after: Cells | Normalizer) -> _Recipe:
    if isinstance(after, Normalizer):
        normalizer = Normalizer(**after.to_dict())
        done = Normalizer(**after.to_dict()).fit(before).transform(before)
        return _Recipe(done, normalizer, list(before.table().columns), [])
    if not isinstance(after, Cells):
        raise TypeError(f"after is a {type(after).__name__}, expected normalised Cells or a Normalizer.")
    if set(after.ids) != set(before.ids):
        raise ValueError(
            f"before holds {count(len(before), 'cell')} and after {count(len(after), 'cell')}, expected the same cells "
            "in both, with other features."
        )
    done = after.subset(before.ids)
    columns = list(done.table().columns)
    known = [c for c in columns if c in before.table().columns]
    steps = [s for s in after.history[len(before.history) :] if s.get("step") == "normalize"]
    if len(steps) != 1 or len(known) < len(columns):
        why = "how these features came from the ones before is not recorded"
        note = f"{why}: they were taken as they are, so that probed controls may have taken part in fitting"
        return _Recipe(done, None, columns, [note])
    return _Recipe(done, _again(steps[0]), columns, [])


def _again(step: dict[str, Any]) -> Normalizer:
    extra = {"step", "n_reference", "n_fitted_on", "own_controls", "note"}
    return Normalizer(**{k: v for k, v in step.items() if k not in extra})


def _refitted(before: Cells, done: _Recipe, half: np.ndarray, probed: np.ndarray) -> Cells:
    """Return the cells normalised without the probed wells; as they are where the recipe is not known.

    What is fitted on controls sees their other half, what is fitted on all cells sees all but the probed ones.
    """
    if done.normalizer is None:
        return done.after
    seen = ~probed if done.normalizer.control == EVERY else half
    marked = before.with_obs(pd.Series(seen, index=before.ids, name=FIT))
    options = {**done.normalizer.to_dict(), "control": FIT}
    fitted = Normalizer(**options).fit(marked).transform(marked)
    return fitted.with_features(fitted.table()[done.columns])


def _halves(cells: Cells, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (rows to fit on, rows to probe): the control units of each batch in two halves, then exchanged.

    The probed part has at least two units in each batch, one to learn from and one to test on, or there is none.
    """
    controls = cells.controls.to_numpy()
    units = pd.DataFrame({"unit": cells.units, "batch": cells.batches_of})[controls].drop_duplicates("unit")
    rng = np.random.default_rng(seed)
    first: list[str] = []
    smaller = []
    for _, part in units.sort_values("unit").groupby("batch", sort=True):
        names = rng.permutation(part["unit"].to_numpy())
        first += list(names[: len(names) // 2])
        smaller.append(len(names) // 2)
    in_first = cells.units.isin(first).to_numpy() & controls
    in_second = controls & ~in_first
    enough = [len(part) for _, part in units.groupby("batch")]
    if not enough or min(enough) < 3:
        return []
    both = [(in_first, in_second), (in_second, in_first)]
    return both if min(smaller) >= 2 else both[:1]


def _sample(cells: Cells, most: int, seed: int) -> pd.Index:
    order = np.random.default_rng(seed).permutation(len(cells))
    rank = pd.Series(cells.units.to_numpy()[order]).groupby(cells.units.to_numpy()[order]).cumcount().to_numpy()
    return cells.ids[np.sort(order[rank < most])]


def _common(probed: pd.Index, chosen: Cells) -> pd.Index:
    return chosen.ids[chosen.ids.isin(probed)]


def _warnings(figures: list[Figure]) -> list[str]:
    worse = [f for f in figures if f.side == "biology" and f.change.known and f.change.high < 0]
    texts = []
    if worse:
        texts.append(
            f"Over-correction: {some(f.name for f in worse)} fell. What was removed with the batch was biology too; "
            "use a milder method, or fit on more controls."
        )
    probe = next((f for f in figures if f.name == PROBE), None)
    if probe is not None and probe.after.known and probe.after.low > probe.null + 0.1:
        texts.append(
            f"The batch is still there: controls that took no part in fitting give it away ({probe.after.estimate:.2f} "
            f"against {probe.null:.2f} by chance)."
        )
    return texts
