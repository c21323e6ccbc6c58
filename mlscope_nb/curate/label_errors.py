"""Label errors: cells and wells whose given label does not fit what they look like."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.curate.composition import log_shares_of_others
from mlscope_nb.curate.confident import ConfidentJoint, confident_errors, confident_joint
from mlscope_nb.curate.discriminant import posterior
from mlscope_nb.curate.given import checked_probabilities
from mlscope_nb.curate.held_out import Given, evidence, folds, given_labels, settings
from mlscope_nb.curate.label_error_words import in_words
from mlscope_nb.curate.measured import with_features
from mlscope_nb.curate.noise import Noise, estimate_noise, expected_precision
from mlscope_nb.curate.swaps import LEAST_RATE, recognised, unit_scores, unit_table
from mlscope_nb.features.normalization import Method
from mlscope_nb.study.splits import CELL
from mlscope_nb.study.units import noun

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Per = Literal["auto", "cell", "unit"]
FlagBy = Literal["probability", "confident_learning"]


class _Said(NamedTuple):
    """What a model says of the labelled cells: log likelihoods, log shares of the classes, and how it was made."""

    evidence: Floats
    log_shares: Floats
    notes: list[str]
    made: dict[str, Any]


class _Judged(NamedTuple):
    """Probability that each label is right, the class that fits best, atypical cells, the noise; do labels show?"""

    score: Floats
    suggested: Codes
    atypical: NDArray[np.bool_]
    noise: Noise
    joint: ConfidentJoint
    probabilities: Floats
    unlike: float
    recognised: bool


def find_label_errors(
    cells: Cells,
    probabilities: pd.DataFrame | None = None,
    *,
    given_per: Per = "auto",
    by: Columns = None,
    n_splits: int | None = None,
    normalize: Method | None = "robust",
    composition: bool = True,
    flag_by: FlagBy = "probability",
    seed: int = 0,
) -> pd.DataFrame:
    """Find labels that do not fit what the cells look like: of single cells, or of whole wells.

    A model judges cells of units that it was not trained on; imputation, scaling and normalisation are fitted inside
    each fold. Then it is trained again with suspects counting less. Where all cells of a unit have one label, the
    label was given to the unit: single cells that look different are *atypical* (cells that did not respond are no
    mistakes), and whole units are suspected (`suspected_swaps` lists them). Otherwise single cells are suspected.

    Parameters
    ----------
    cells : Cells
        With a declared label and unit, and with features; without features, images are measured first.
    probabilities : DataFrame (N, K), optional
        Of each class (columns) for each cell id, by a model that was not trained on the cell or its unit; used instead
        of the built-in model.
    given_per : {"auto", "cell", "unit"}
        Whom the labels were given to. "auto": the unit, where no label differs within one.
    by : str or several, optional
        What is held out; default: the unit. Coarser is allowed ("batch"), "cell" has to be asked for.
    n_splits : int, optional
        Parts; default 5, or as many as the rarest class has units.
    normalize : str, optional
        How features of batches are made comparable, as in `ms.features.Normalizer`; None leaves them as they are.
    composition : bool
        Let the labels of the other cells of a unit count, as far as units differ in them. Not used with
        `probabilities`, nor where labels were given per unit.
    flag_by : {"probability", "confident_learning"}
        What `flagged` means: more probably wrong than right; or surely of another class, as cleanlab's
        ``filter_by="confident_learning"`` has it, which flags more where classes overlap.
    seed : int
        Seed of the split.

    Returns
    -------
    DataFrame (N rows, in order)
        given, suggested, score (probability that the given label is right; 0 surely wrong), flagged, atypical, rank
        (1 the most suspect), expected_precision (share of wrong labels to expect down to this rank),
        self_confidence (what the model says of the given class by features alone). A cell without a label has NaN.
        In ``attrs``: "history", "words", "given_per", "noise_rate" (a rough figure: "noise_rate_reliable" is False),
        "expected_precision" at the flagged depth (None where nothing is flagged), "confident_joint", "classes",
        "units", "recognised" (False where units do not look like their labels more often than by guessing: then none
        is flagged).

    Raises
    ------
    ValueError, TypeError, KeyError
        No label, one class, no unit, a class in one unit only, nothing to judge by, or probabilities that do not fit.

    References
    ----------
    Northcutt, Jiang & Chuang 2021, Journal of Artificial Intelligence Research 70:1373 (confident learning).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame({"well": np.arange(200) // 20, "kind": np.tile(["a", "b"], 100)})
    >>> table = pd.DataFrame({"area": np.where(obs["kind"] == "a", 0, 6) + rng.normal(size=200)})
    >>> obs.loc[3, "kind"] = "a"  # it was "b"
    >>> errors = find_label_errors(Cells(obs, features=table, label="kind", unit="well"))
    >>> errors.loc[errors["flagged"], ["given", "suggested"]].to_dict("index")
    {'3': {'given': 'a', 'suggested': 'b'}}
    """
    if flag_by not in ("probability", "confident_learning"):
        raise ValueError(f"flag_by is {flag_by!r}, expected 'probability' or 'confident_learning'.")
    given = given_labels(cells)
    unit = _units(cells, probabilities is not None or by == CELL)
    per = _given_per(given, unit, given_per)
    options = {"by": by, "n_splits": n_splits, "normalize": normalize, "seed": seed}
    if probabilities is None:
        said, judged = _judged_twice(cells, given, unit, per, composition, options)
    else:
        table, given = checked_probabilities(probabilities, cells.ids, given)
        log = np.log(np.clip(table, 1e-12, 1))
        shares = np.log(np.bincount(given.codes[given.known], minlength=len(given.classes)) + 0.5)
        said = _Said(log - shares, np.broadcast_to(shares, log.shape), [], {"probabilities": "given"})
        judged = _judge(said, given, unit, per, False)
    found = _table(cells.ids, given, judged, per, flag_by)
    return _described(found, cells, given, unit, per, judged, said, flag_by)


def _judged_twice(
    cells: Cells, given: Given, unit: Codes, per: str, composition: bool, options: dict[str, Any]
) -> tuple[_Said, _Judged]:
    """Train, judge, and train once more with each label counting as far as it is believed."""
    cells, measured = with_features(cells)
    made, notes = folds(cells, given, **options)
    weights, n_classes = np.ones(len(cells)), len(given.classes)
    chosen = settings(made, given.codes, n_classes)
    for _ in range(2):
        found, shares = evidence(made, given.codes, n_classes, weights, chosen)
        said = _Said(found, shares, [*measured, *notes], {**options, "composition": composition})
        judged = _judge(said, given, unit, per, composition)
        weights = np.nan_to_num(judged.score, nan=0.0)
    return said, judged


def _judge(said: _Said, given: Given, unit: Codes, per: str, composition: bool) -> _Judged:
    """Judge the labelled cells; what is not labelled has NaN and -1."""
    known, codes = given.known, given.codes[given.known]
    seen, prior, units = said.evidence[known], said.log_shares[known], pd.factorize(unit[known])[0]
    plain, own = posterior(seen, prior), (np.arange(len(codes)), codes)
    noise, unlike = estimate_noise(codes, plain), float("inf")
    score = noise.of_label(plain[own])
    joint = confident_joint(codes, plain)
    best = plain.argmax(axis=1)
    atypical, shown = np.zeros(len(codes), bool), True
    if per == "unit":
        # The floor keeps a cell of debris from outvoting the others of its well.
        bounded = np.log(noise.floor + (1 - noise.floor * plain.shape[1]) * noise.of_class(plain)) - prior
        of_unit, best_of = unit_scores(bounded, codes, units)
        atypical = confident_errors(codes, plain, joint)
        score, best = of_unit[units], best_of[units]
        shown = recognised(best_of, codes[np.unique(units, return_index=True)[1]])
        if not shown:
            score, atypical = np.full(len(codes), 1 - LEAST_RATE / len(of_unit)), np.zeros(len(codes), bool)
    elif composition:
        shares, unlike = log_shares_of_others(codes, units, plain.shape[1])
        told = posterior(seen, shares)
        noise = estimate_noise(codes, told)
        score, best = noise.of_label(told[own]), told.argmax(axis=1)
    return _Judged(_spread(score, known), _spread(best, known, -1), _spread(atypical, known, False), noise, joint,
                   _spread(plain, known), unlike, shown)  # fmt: skip


def _table(ids: pd.Index, given: Given, judged: _Judged, per: str, flag_by: str) -> pd.DataFrame:
    known, score = given.known, judged.score
    names = pd.array([*given.classes, None], dtype=object)
    flagged = (score < 0.5) & (judged.suggested != given.codes)
    if flag_by == "confident_learning" and per == "cell":
        sure = confident_errors(given.codes[known], judged.probabilities[known], judged.joint)
        flagged = _spread(sure, known, False)
    own = np.where(known, judged.probabilities[np.arange(len(score)), given.codes], np.nan)
    return pd.DataFrame(
        {
            "given": np.asarray(names[given.codes], dtype=object),
            "suggested": np.asarray(names[judged.suggested], dtype=object),
            "score": score,
            "flagged": flagged,
            "atypical": judged.atypical & ~flagged,
            "rank": pd.Series(score).rank(method="min" if per == "unit" else "first").astype("Int64").to_numpy(),
            "expected_precision": expected_precision(score),
            "self_confidence": own,
        },
        index=ids,
    )


def _described(
    found: pd.DataFrame, cells: Cells, given: Given, unit: Codes, per: str, judged: _Judged, said: _Said, flag_by: str
) -> pd.DataFrame:
    """Add to the table what was done and what it means."""
    words = noun(cells.design.unit) if cells.design.unit else "unit"
    flagged = found["flagged"].to_numpy()
    units: list[dict[str, Any]] = []
    if per == "unit":
        known, design = given.known, cells.design
        batch = cells.batches_of if design.batch else pd.Series("all", index=cells.ids)
        table = unit_table(pd.Index(cells.units[known]), batch[known], found[known])
        units = [{str(k): v for k, v in row.items()} for row in table.reset_index().to_dict("records")]
    precision = float((1 - found["score"][flagged]).mean()) if flagged.any() else None
    classes = [str(c) for c in given.classes]
    found.attrs = {
        "history": [_align.step("find_label_errors", given_per=per, flag_by=flag_by, **said.made)],
        "given_per": per,
        "noise_rate": judged.noise.rate if per == "cell" else float(np.mean([1 - u["score"] for u in units])),
        "noise_rate_reliable": False,
        "expected_precision": precision,
        "recognised": judged.recognised,
        "confident_joint": {
            "counts": judged.joint.counts.tolist(),
            "calibrated": judged.joint.calibrated.tolist(),
            "thresholds": judged.joint.thresholds.tolist(),
        },
        "classes": classes,
        "units": units,
        "notes": said.notes,
    }
    found.attrs["words"] = in_words(found, per, words, units, judged.unlike)
    return found


def _units(cells: Cells, dispensable: bool) -> Codes:
    """Return the number of each cell's unit; each cell its own where none is declared and none is needed."""
    if not cells.design.unit and dispensable:
        return np.arange(len(cells))
    if not cells.design.unit:
        raise ValueError(
            "No unit is declared: the cells of one well resemble each other whatever their label, so whole units have "
            "to be held out. Name its column: cells.with_design(unit=…), or accept a random split with by='cell'."
        )
    return np.asarray(pd.factorize(cells.units, sort=True)[0], dtype=np.intp)


def _given_per(given: Given, unit: Codes, asked: Per) -> str:
    if asked not in ("auto", "cell", "unit"):
        raise ValueError(f"given_per is {asked!r}, expected 'auto', 'cell' or 'unit'.")
    table = pd.DataFrame({"unit": unit, "label": given.codes})[given.known]
    mixed = int((table.groupby("unit")["label"].nunique() > 1).sum())
    if asked == "unit" and mixed:
        raise ValueError(
            f"{count(mixed, 'unit')} hold cells with different labels, so labels were not given per unit. Use "
            "given_per='cell', or declare the unit that they were given to."
        )
    if asked != "auto":
        return asked
    # A cell that is a unit of its own has its own label.
    return "cell" if mixed or table["unit"].nunique() == len(table) else "unit"


def _spread(values: Any, known: NDArray[np.bool_], fill: Any = np.nan) -> Any:
    values = np.asarray(values)
    found = np.full((len(known), *values.shape[1:]), fill, dtype=values.dtype if fill is not np.nan else float)
    found[known] = values
    return found
