"""A new microscope: what was learned on one does not hold on the next, and the model is as sure as before."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from mlscope_nb.cells import Cells
from mlscope_nb.features.normalization import normalize
from mlscope_nb.risks.lesson import Found, gaps, over_repeats
from mlscope_nb.risks.pitfalls.drawn import CONTROL, draw, layout, statistics
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, tested
from mlscope_nb.study.splits import split

STUDIES = 6
ARMS = (CONTROL, "granular", "bundled")
STRENGTH = 0.8
PLATES = 4


def distribution_shift(dose: float, seed: int) -> Found:
    """Read new plates on a microscope that is `dose` standard deviations of plates away from the old one."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        known, new, moved = _microscopes(dose, np.random.default_rng([seed, 8, study]))
        row = {}
        for arm, train, test in (
            ("other", known, new), ("remedy", normalize(known), normalize(new)), ("same", moved, new),
        ):  # fmt: skip
            row[f"{arm} said"] = balanced_accuracy(_plates_held_out(train, study))
            row[f"{arm} truth"] = balanced_accuracy(tested(train, test))
        rows.append(row)
        picture = picture if study else _projected(known, new)
    table = pd.DataFrame(rows)
    sentence = (
        f"Held-out plates of the old microscope said {table['other said'].mean():.2f}, plates of the new one say "
        f"{table['other truth'].mean():.2f}; with each plate compared with its own controls they say "
        f"{table['remedy truth'].mean():.2f} (balanced accuracy, guessing is 0.50)."
    )
    damage, mitigated, control = gaps(table, "other", "remedy", "same")
    return Found(damage, mitigated, control, sentence, {"studies": table, "cells": picture})


def miscalibration(dose: float, seed: int) -> Found:
    """Ask how sure the model is on plates of a microscope that is `dose` standard deviations of plates away."""
    rows, picture = [], pd.DataFrame()
    for study in range(STUDIES):
        known, new, moved = _microscopes(dose, np.random.default_rng([seed, 9, study]))
        other, same = tested(known, new), tested(moved, new)
        train = normalize(known)
        remedy = tempered(tested(train, normalize(new)), temperature(_plates_held_out(train, study)))
        rows.append({"other": _too_sure(other), "remedy": _too_sure(remedy), "same": _too_sure(same)})
        picture = picture if study else reliability(other, "as it is").merge(reliability(remedy, "with the remedy"))
    table = pd.DataFrame(rows)
    sentence = (
        f"On the new microscope the model was {table['other'].mean():.2f} too sure of itself (mean probability minus "
        "share of right answers); compared with controls and calibrated on held-out plates "
        f"{table['remedy'].mean():.2f}."
    )
    gaps = [over_repeats(table[arm]) for arm in ("other", "remedy", "same")]
    return Found(gaps[0], gaps[1], gaps[2], sentence, {"studies": table, "reliability": picture})


def temperature(table: pd.DataFrame) -> float:
    """Return what log odds have to be divided by for answers on held-out plates to be right as often as they say."""
    right, odds = (table["given"] == table["predicted"]).to_numpy(), _odds(table)

    def loss(log_heat: float) -> float:
        warm = odds / np.exp(log_heat)
        return float(np.logaddexp(0, np.where(right, -warm, warm)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 4), method="bounded").x))


def tempered(table: pd.DataFrame, heat: float) -> pd.DataFrame:
    """Return the table with probabilities after division of the log odds."""
    return table.assign(sure=1 / (1 + np.exp(-_odds(table) / heat)))


def reliability(table: pd.DataFrame, name: str, bins: int = 5) -> pd.DataFrame:
    """Return the share of right answers among those that are about as sure (0.5 to 1 in equal steps)."""
    step = np.clip(((table["sure"] - 0.5) * 2 * bins).astype(int), 0, bins - 1)
    right = (table["given"] == table["predicted"]).groupby(step).mean().reindex(range(bins))
    return pd.DataFrame({"sure": 0.5 + (np.arange(bins) + 0.5) / (2 * bins), name: right.to_numpy()})


def _microscopes(dose: float, rng: np.random.Generator) -> tuple[Cells, Cells, Cells]:
    """Return a study of the old microscope, new plates of the new one, and the study as the new one would show it."""
    known = draw(layout(PLATES, ARMS, 4), 6, rng, strength=STRENGTH)
    new = draw(layout(PLATES, ARMS, 4), 6, rng, strength=STRENGTH, prefix="new ")
    # The same for every plate of the microscope; which features it raises and which it lowers is left to chance.
    away = rng.choice([-1, 1], size=24) * dose * np.linalg.norm(statistics()["plate"], axis=0)
    return known, new.with_features(new.table() + away), known.with_features(known.table() + away)


def _plates_held_out(cells: Cells, seed: int) -> pd.DataFrame:
    return held_out(cells, split(cells, by="batch", n_splits=PLATES, seed=seed))


def _too_sure(table: pd.DataFrame) -> float:
    return float(table["sure"].mean() - (table["given"] == table["predicted"]).mean())


def _odds(table: pd.DataFrame) -> np.ndarray:
    sure = np.clip(table["sure"].to_numpy(), 1e-6, 1 - 1e-6)
    return np.log(sure / (1 - sure))


def _projected(known: Cells, new: Cells) -> pd.DataFrame:
    """Two features of the cells of both microscopes."""
    names = ["Nuclei_Intensity_MeanIntensity_DNA", "Cells_Texture_DifferenceVariance_actin_3_00_256"]
    parts = [c.table()[names].assign(microscope=m, treatment=c.obs["treatment"]) for m, c in
             (("old", known), ("new", new))]  # fmt: skip
    return pd.concat(parts, ignore_index=True)
