"""Too little evidence: a handful of wells judged once, and a test set asked again and again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.risks.lesson import Found, over_repeats
from mlscope_nb.risks.pitfalls.drawn import draw, layout
from mlscope_nb.risks.pitfalls.scores import balanced_accuracy, held_out, tested
from mlscope_nb.study.intervals import t_interval
from mlscope_nb.study.splits import split

TWO = ("granular", "bundled")
WELLS = 24
SMALL_STUDIES = 20
CELLS = 6
SMALL_WEAK = 0.5
REUSE_STUDIES = 20
MASKED = 6
"""Features of one variant of a model."""


def too_little_data(dose: float, seed: int) -> Found:
    """Leave out the share `dose` of 24 wells of each of two treatments, and judge by one split with one seed."""
    rows = []
    for study in range(SMALL_STUDIES):
        rng = np.random.default_rng([seed, 13, study])
        both = draw(layout(1, TWO, WELLS + 48), CELLS, rng, strength=SMALL_WEAK)
        number = (both.obs["well"].str[1:].astype(int) - 1) // 2
        cells = both.subset((number < max(4, round((1 - dose) * WELLS))).to_numpy())
        new = both.subset((number >= WELLS).to_numpy())
        first, *_ = split(cells, n_splits=2, seed=study)
        elsewhere = tested(cells.subset(first.train_ids), new)
        truth = balanced_accuracy(elsewhere)
        said = held_out(cells, [first])
        interval = _over_wells(cells, said)
        rows.append(
            {
                "said": balanced_accuracy(said), "low": interval[0], "high": interval[1], "truth": truth,
                "many wells": balanced_accuracy(elsewhere[_half(new)]),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    off = (table["said"] - table["truth"]).abs()
    outside = np.maximum(np.maximum(table["low"] - table["truth"], table["truth"] - table["high"]), 0)
    worst = table.iloc[int(off.to_numpy().argmax())]
    sentence = (
        f"One study said {worst['said']:.2f} where {worst['truth']:.2f} is true; on average a single split is off by "
        f"{off.mean():.2f}. Its interval over wells ({worst['low']:.2f} to {worst['high']:.2f}) would have said how "
        "little it knows."
    )
    return Found(
        over_repeats(off), over_repeats(outside), over_repeats((table["many wells"] - table["truth"]).abs()),
        sentence, {"studies": table},
    )  # fmt: skip


def test_reuse(dose: float, seed: int) -> Found:
    """Try `dose` variants of a model on the same test wells, and report the best; the labels mean nothing."""
    tries = round(dose)
    rows, picture = [], pd.DataFrame()
    for study in range(REUSE_STUDIES):
        rng = np.random.default_rng([seed, 14, study])
        cells = draw(layout(1, TWO, 36), 2, rng, strength=0.0)
        train, second, test, new = _quarters(cells)
        variants = _variants(train, tries, rng)
        tested_on = {name: _scores(variants, part) for name, part in (("test", test), ("second", second), ("new", new))}
        best, chosen = int(tested_on["test"].argmax()), int(tested_on["second"].argmax())
        rows.append(
            {
                "best on the test": tested_on["test"][best], "chosen elsewhere": tested_on["test"][chosen],
                "the first": tested_on["test"][0], "truth": tested_on["new"][best],
                "chosen truth": tested_on["new"][chosen], "first truth": tested_on["new"][0],
            }
        )  # fmt: skip
        picture = (
            picture if study else pd.DataFrame({"on the test": tested_on["test"], "on new wells": tested_on["new"]})
        )
    table = pd.DataFrame(rows)
    sentence = (
        f"The best of {tries} variants said {table['best on the test'].mean():.2f}, and new wells say "
        f"{table['truth'].mean():.2f}; chosen on other wells and tested once, {table['chosen elsewhere'].mean():.2f} "
        "(balanced accuracy; these labels mean nothing)."
    )
    pairs = (("best on the test", "truth"), ("chosen elsewhere", "chosen truth"), ("the first", "first truth"))
    gaps = [over_repeats(table[said] - table[truth]) for said, truth in pairs]
    return Found(gaps[0], gaps[1], gaps[2], sentence, {"studies": table, "variants": picture})


def _over_wells(cells: Cells, said: pd.DataFrame) -> tuple[float, float]:
    """The interval of the share of right answers over the wells that were tested."""
    right = (said["given"] == said["predicted"]).astype(float)
    found = t_interval(right, cells.units.reindex(said.index))
    return max(found.low, 0.0), min(found.high, 1.0)


def _half(cells: Cells) -> np.ndarray:
    return (cells.obs["well"].str[1:].astype(int) // 2 % 2 == 0).to_numpy()


def _quarters(cells: Cells) -> list[tuple[np.ndarray, np.ndarray]]:
    """Values and classes of the cells of four sets of wells: six of each class, six, six, and the rest."""
    number, labels = (cells.obs["well"].str[1:].astype(int).to_numpy() - 1) // 2, cells.labels.to_numpy()
    values = cells.table().to_numpy()
    part = np.minimum(number // 6, 3)
    return [(values[part == k], labels[part == k] == TWO[0]) for k in range(4)]


def _variants(train: tuple[np.ndarray, np.ndarray], tries: int, rng: np.random.Generator) -> np.ndarray:
    """Linear models, each of other features: weights and threshold in one row."""
    values, first = train
    means = values[first].mean(axis=0), values[~first].mean(axis=0)
    slope = (means[0] - means[1]) / values.var(axis=0)
    used = np.argsort(rng.random((tries, values.shape[1])), axis=1) < MASKED
    weights = used * slope
    return np.column_stack([weights, -weights @ (means[0] + means[1]) / 2])


def _scores(variants: np.ndarray, part: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The balanced accuracy of each variant."""
    values, first = part
    says = values @ variants[:, :-1].T + variants[:, -1] > 0
    return np.asarray((says[first].mean(axis=0) + (~says[~first]).mean(axis=0)) / 2)
