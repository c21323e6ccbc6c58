"""Invented: what `invented` has found, in tables and in words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.study._result import Result, number, plain
from mlscope_nb.study.intervals import Interval
from mlscope_nb.study.units import plural


@dataclass(frozen=True, eq=False, repr=False)
class Invented(Result):
    """What predicted pictures invent and miss.

    Parameters
    ----------
    channel : str
        The channel that was compared.
    invented, missed : Interval
        Share of the found objects that are not there, and of the true ones that were not found; mean over units.
    likeness : dict of Interval
        "psnr" (dB), "ssim", "correlation" of pixels.
    count_error : Interval
        Found over true objects of each field, less 1.
    per_field : DataFrame
        One row per field: unit, domain, counts, shares, f1, likeness; ``from_nothing`` counts invented objects that lie
        on hardly any true one, the others are misshapen.
    domains : DataFrame
        One row per domain, with intervals.
    factors : DataFrame
        By what factor more is invented than in the first domain, with the interval.
    by_size, by_brightness : DataFrame
        True objects in quarters: share missed with interval, and median relative error of their brightness.
    by_scale : DataFrame
        By size of structure: error over what there is (1: as wrong as nothing, more: structure that is not there).
    by_grey : DataFrame
        Bias and error of pixels by how bright they truly are (percentiles), in shares of the true range.
    crops, warning : DataFrame or None
        Error and disagreement of an ensemble in each crop; how well it finds the worst quarter in each domain.
    downstream : DataFrame or None
        For each feature: correlation, within units, and bias between predicted and true pictures.
    phenotype : dict of Interval, or None
        Balanced accuracy of the label called from features of true and of predicted pictures, and how often they agree.
    notes : tuple of str
        What a reader has to know.
    """

    channel: str
    invented: Interval
    missed: Interval
    likeness: dict[str, Interval]
    count_error: Interval
    per_field: pd.DataFrame
    domains: pd.DataFrame
    factors: pd.DataFrame
    by_size: pd.DataFrame
    by_brightness: pd.DataFrame
    by_scale: pd.DataFrame
    by_grey: pd.DataFrame
    crops: pd.DataFrame | None = None
    warning: pd.DataFrame | None = None
    downstream: pd.DataFrame | None = None
    phenotype: dict[str, Interval] | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all as plain numbers, text, lists and dicts (NaN as None), ready for JSON."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    def _means(self) -> str:
        """Name the means over units; what holds for all their intervals is said once."""
        share = {"share invented": self.invented, "share missed": self.missed}
        means = share | {"PSNR (dB)": self.likeness["psnr"], "SSIM": self.likeness["ssim"]}
        first, units = self.invented, plural(self.invented.unit)
        if len({(m.known, m.level, m.n_units, "" if m.known else m.note) for m in means.values()}) > 1:
            return f"Means over {units}: {'; '.join(f'{name} {mean}' for name, mean in means.items())}."
        said = ", ".join(f"{name} {_bare(mean)}" for name, mean in means.items())
        if not first.known:
            return f"Means over {units}: {said} (no interval: {first.note})."
        over = count(first.n_units, first.unit, units)
        return f"Means over {over}, with {100 * first.level:g} % intervals: {said}."

    def __str__(self) -> str:
        counts = self.per_field[["n_found", "n_true", "n_invented", "n_missed"]].sum().astype(int)
        lines = [
            f"{self.channel}: {counts['n_invented']:,} of {counts['n_found']:,} found objects are invented, "
            f"{counts['n_missed']:,} of {counts['n_true']:,} true ones are missed.",
            self._means(),
        ]
        for name, row in self.factors.iterrows():
            ends = f" ({number(row['low'])} to {number(row['high'])})" if row["low"] == row["low"] else ""
            lines.append(f"In '{name}' {number(row['factor'])}{ends} times as much is invented as in the first domain.")
        if self.warning is not None:
            for name, row in self.warning.iterrows():
                lines.append(
                    f"In '{name}' disagreement finds the worst quarter of the crops with an AUROC of "
                    f"{row['disagreement']:.2f} (brightness alone: {row['brightness']:.2f})."
                )
        if self.phenotype is not None:
            true, said, agree = (self.phenotype[k] for k in ("true", "predicted", "agreement"))
            lines.append(
                f"The label is called with a balanced accuracy of {true.estimate:.2f} from true pictures and of "
                f"{said.estimate:.2f} from predicted ones; {100 * agree.estimate:.0f} % of the calls agree."
            )
        return " ".join([*lines, *self.notes])


def _bare(mean: Interval) -> str:
    width = mean.high - mean.low
    ends = f" ({number(mean.low, width)} to {number(mean.high, width)})" if mean.known else ""
    return number(mean.estimate, width) + ends


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return value.to_dict()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return plain(value)
