"""Importances and explanations: twins that share the credit, and explanations of a model that knows nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb._words import percent
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import draw, layout, statistics
from mlscope_nb.risks.pitfalls.scores import discriminant

STUDIES = 10
TWIN_TREATMENTS = ("granular", "clustered")
CAUSE, OTHER = "Nuclei_Texture_AngularSecondMoment_DNA_3_02_256", "Cells_Intensity_MaxIntensity_puncta"
DECISIVE, INDIFFERENT = 0, 2
"""Columns of which there are twins: of the feature that decides, and of one that no treatment changes."""
NEUTRAL = ("Cells_AreaShape_Area", "Cells_AreaShape_Eccentricity", "Nuclei_AreaShape_Solidity")
SHUFFLES = 5
TREATMENTS = ("granular", "bundled")
WELLS = 8
NULLS = 39
PLANTED = 0.5
"""A treatment changes a feature where it moves it by half a standard deviation of cells or more."""


def correlated_importances(dose: float, seed: int) -> Found:
    """Add a twin of the decisive feature that correlates with it by `dose`, and ask how important the feature is."""
    rows = []
    for study in range(STUDIES):
        drops = {}
        for arm, (likeness, of) in {
            "twin": (dose, DECISIVE), "no twin": (0.0, DECISIVE), "twin of another": (dose, INDIFFERENT)
        }.items():  # fmt: skip
            rng = np.random.default_rng([seed, 15, study])
            drops[arm] = _drops(_with_twin(likeness, rng, of), _with_twin(likeness, rng, of), rng)
        rows.append({f"{what}, {arm}": value for arm, found in drops.items() for what, value in found.items()})
    table = pd.DataFrame(rows)
    alone = table["feature, no twin"].mean()
    sentence = (
        f"Shuffled alone the feature costs {table['feature, twin'].mean():.2f} of the accuracy beside its twin and "
        f"{alone:.2f} without one; shuffled together with its twin it costs {table['both, twin'].mean():.2f}."
    )
    lost = [
        over_repeats((table[f"{what}, no twin"] - table[f"{what}, {arm}"]) / alone)
        for what, arm in (("feature", "twin"), ("both", "twin"), ("feature", "twin of another"))
    ]
    return Found(lost[0], lost[1], lost[2], sentence, {"studies": table})


def explanations_of_nothing(dose: float, seed: int) -> Found:
    """Exchange the labels of the share `dose` of the wells, train, and draw the explanation all the same."""
    rows, picture = [], pd.DataFrame()
    effects = statistics()["effects"]
    wrong = np.abs(effects[TREATMENTS[0]] - effects[TREATMENTS[1]]) < PLANTED
    for study in range(STUDIES):
        rng = np.random.default_rng([seed, 16, study])
        cells = draw(layout(1, TREATMENTS, WELLS), 8, rng)
        values, well = cells.table().to_numpy(), np.repeat(np.arange(2 * WELLS), 8)
        true = np.arange(2 * WELLS) % 2 == 1
        labels = _exchanged(true, dose, rng)
        shares = _shares(values, labels[well])
        nulls = [_shares(values, rng.permutation(true)[well], relative=False) for _ in range(NULLS)]
        size = _shares(values, labels[well], relative=False)
        passed = size > np.max(nulls, axis=0)
        fresh = np.random.default_rng([seed, 16, study, round(1000 * dose)])
        sound = draw(layout(1, TREATMENTS, WELLS), 8, fresh).table().to_numpy()
        rows.append(
            {
                "as drawn": shares[wrong].sum(),
                "checked": shares[wrong & passed].sum(),
                "true labels": _shares(sound, true[well])[wrong].sum(),
            }
        )
        names = statistics()["features"]
        picture = picture if study else pd.DataFrame(
            {"feature": names, "share": shares, "passes the check": passed, "planted": ~wrong}
        )  # fmt: skip
    table = pd.DataFrame(rows)
    sentence = (
        f"With the labels of {percent(dose)} of the wells exchanged, {percent(table['as drawn'].mean())} of the "
        "explanation stood on features that no treatment changes; of what models of shuffled labels do not reach, "
        f"{percent(table['checked'].mean())}."
    )
    figures = [over_repeats(table[c]) for c in table]
    return Found(figures[0], figures[1], figures[2], sentence, {"studies": table, "explanation": picture})


def _with_twin(likeness: float, rng: np.random.Generator, of: int) -> tuple[np.ndarray, np.ndarray]:
    """Five features of cells and a twin of one of them, and which cells are of the second treatment."""
    cells = draw(layout(1, TWIN_TREATMENTS, 8), 15, rng, plate=0.0, well=0.5)
    values = cells.table()[[CAUSE, OTHER, *NEUTRAL]].to_numpy()
    own = rng.normal(size=len(values))
    twin = likeness * values[:, of] + np.sqrt(1 - likeness**2) * own
    return np.column_stack([values, twin]), (cells.labels == TWIN_TREATMENTS[1]).to_numpy()


def _drops(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> dict[str, float]:
    """How much of the accuracy on new cells is lost when columns are shuffled, together or alone."""
    slope, middle = discriminant(*train)
    values, second = test

    def right(columns: list[int]) -> float:
        mixed = values.copy()
        mixed[:, columns] = values[rng.permutation(len(values))][:, columns]
        return float(((mixed @ slope > middle) == second).mean())

    whole = float(((values @ slope > middle) == second).mean())
    blocks = {"feature": [0], "both": [0, 5]}
    return {name: whole - float(np.mean([right(c) for _ in range(SHUFFLES)])) for name, c in blocks.items()}


def _exchanged(true: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Labels of wells, of which this share was dealt out again."""
    chosen = rng.permutation(len(true))[: round(share * len(true))]
    labels = true.copy()
    labels[chosen] = rng.permutation(true[chosen])
    return labels


def _shares(values: np.ndarray, second: np.ndarray, *, relative: bool = True) -> np.ndarray:
    """The weight of each feature in the model, per standard deviation; as shares of the whole explanation."""
    weight = np.abs(discriminant(values, second)[0]) * values.std(axis=0)
    return weight / weight.sum() if relative else weight
