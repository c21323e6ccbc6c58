"""Advice: from design, quantity, transferability and content to a model, or to the answer that none is due yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Columns
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.candidates import TRAINED, Candidate, Runner, checked
from mlscope_nb.predict.curves import FORESEEN, whole_batches
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.intervals import standard_error
from mlscope_nb.predict.recommendation import MORE_UNITS, NOT_IDENTIFIABLE, NOTHING, Recommendation
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.shown_better import WORTH, Reasons, Shown, missed, shown_best
from mlscope_nb.study.intervals import MIN_UNITS
from mlscope_nb.study.replication import Replication, describe
from mlscope_nb.study.units import plural

PERMUTATIONS = 19
"""One in twenty is the least p-value that this many exchanged labels can give."""


def recommend(
    cells: Cells,
    candidates: Sequence[Candidate] | None = None,
    *,
    by: Columns = None,
    normalize: Normalize | Literal["auto"] = "auto",
    n_permutations: int = PERMUTATIONS,
    epochs: int | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Recommendation:
    """Say which model suits these data, or why none does yet, and run the choice beside the next best.

    The questions, in this order: can the design tell the label from the batch? Are there units enough to say anything?
    Which model is best, where a costlier one has to be better by more than one standard error? Does it beat guessing,
    exchanged labels and everything that never looks at the cell? If not, does the one with the highest score? Would
    twice as many units bring 0.05 or more? Where nothing is shown, the largest gain that is not ruled out is named.

    Parameters
    ----------
    cells : Cells
        With a declared label and unit, and images or features.
    candidates : sequence of str, optional
        Models to run: "classical" (measured features, logistic regression), "pretrained", "classical and pretrained",
        "self-supervised", "small network", "fine-tuned". Default: classical, and with images or embeddings the next
        two; the last three take minutes for each fold, so they have to be asked for, and then all are compared on two
        folds. Without masks the foreground is guessed.
    by : str or several, optional
        What is held out. Default: whole batches where they hold several classes each, else units.
    normalize : str or Normalizer, optional
        For models of features; "auto": standardised to each batch where batches are declared.
    n_permutations : int
        How often labels are exchanged between whole units.
    epochs : int, optional
        How often models that are trained on images see each cell. Default: as they are made, minutes for each.
    level : float
        Confidence level.
    seed : int
        Seed.
    progress : bool
        Show bars when it takes longer than 2 seconds.

    Returns
    -------
    Recommendation
        ``.choice``, ``.text``, ``.reasons``, ``.options``, ``.evaluations``.

    Raises
    ------
    ValueError
        No label, no unit, one class, or a candidate that does not exist or cannot read these cells.

    Notes
    -----
    With three or four plates a model is shown to be worth something only where it is worth a lot: "nothing here beats
    the baseline" is an answer about these data, not about the cells. "self-supervised" is seldom the right choice: on
    default simulated studies its features are 0.18 of balanced accuracy behind measured ones
    (``studies/features_selfsupervised.py``). It is worth asking for where nothing that fits the question was measured
    and no pretrained network is at hand.

    References
    ----------
    Breiman et al. 1984, Classification and Regression Trees, on the rule of one standard error. What the advice is
    worth beside always giving the same is measured in ``studies/predict_recommend.py``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"p{p}", f"{p}{w}", "ab"[p % 2]) for p in range(4) for w in range(4) for _ in range(5)]
    >>> obs = pd.DataFrame(rows, columns=["plate", "well", "drug"], index=[f"c{i}" for i in range(len(rows))])
    >>> table = pd.DataFrame({"area": rng.normal(size=len(obs))}, index=obs.index)
    >>> recommend(Cells(obs, features=table, label="drug", unit="well", batch="plate")).choice
    'not identifiable'
    """
    if cells.design.label is None:
        raise ValueError("No label is declared, so there is nothing to predict. Name it: cells.with_design(label=…).")
    names = checked(cells, candidates)
    design = describe(cells)
    reasons = Reasons()
    step = _align.step(
        "recommend", candidates=names, n_permutations=n_permutations, epochs=epochs, level=level, seed=seed
    )
    if not _possible(design, reasons):
        choice = NOT_IDENTIFIABLE if design.relation == "nested" else MORE_UNITS
        return Recommendation(choice, reasons.last, reasons.table(), pd.DataFrame(), history=(*cells.history, step))
    held = by if by is not None else whole_batches(cells)
    auto: Normalize = "standardize" if cells.design.batch else None
    scale = auto if normalize == "auto" else normalize
    runner = Runner(cells, held, scale, n_permutations, level, seed, progress, epochs)
    same = runner.few if any(name in TRAINED for name in names) else runner
    # Exchanged labels are tried with the best model of features alone: most of the time would go there.
    found = {name: same.run(name, baselines=name in TRAINED) for name in names}
    simplest = _best(found, reasons)
    best, shown = shown_best(simplest, found, same, reasons)
    if shown == "no":
        missed(found[best], reasons)
    ahead = _ahead(runner, best, reasons) if shown == "yes" else math.nan
    choice, text = _decided(best, simplest, shown, ahead, design)
    options = _options(found)
    return Recommendation(
        choice, text, reasons.table(), options, {str(k): v for k, v in found.items()}, (*cells.history, step)
    )


def _possible(design: Replication, reasons: Reasons) -> bool:
    """Whether the design lets anything be learned and tested at all."""
    question = "Can the label be told from the batch?"
    if design.relation == "nested":
        no = "No: each batch holds one class, so a model of the batch would score as well. Plan plates that hold all."
        reasons.add(question, no)
        return False
    known = {
        "not declared": "No batch is declared.",
        "one batch": "There is one batch only: nothing is known about new ones.",
    }
    reasons.add(question, known.get(design.relation, f"Yes: label and batch are {design.relation}."))
    fewest = min(design.units_per_class.values(), default=0)
    few = [str(k) for k, n in design.units_per_class.items() if n < MIN_UNITS]
    word = plural(design.unit)
    said = f"{fewest} {word} in the smallest class"
    if few:
        said += (
            f"; at least {MIN_UNITS} are needed to train and test on different ones, better 6 (too few: {some(few)})"
        )
    reasons.add(f"Are there enough {word}?", f"{'No' if few else 'Yes'}: {said}.", f"{word} per class", float(fewest))
    return not few


def _best(found: dict[Candidate, Evaluation], reasons: Reasons) -> Candidate:
    """Return the best model; the simplest one where none is better by more than one standard error."""
    names = list(found)
    best = names[0]
    for name in names[1:]:
        gain = found[name].against(found[best])
        error = standard_error(gain)
        better = gain.estimate > (error if math.isfinite(error) else 0.0)
        answer = f"Yes: {gain}." if better else f"Not by more than one standard error: {gain}."
        ends = (gain.low, gain.high)
        reasons.add(f"Is '{name}' better than '{best}'?", answer, "gain in balanced accuracy", gain.estimate, ends)
        best = name if better else best
    return best


def _ahead(runner: Runner, best: Candidate, reasons: Reasons) -> float:
    """Return what twice as many units would bring, judged with the quickest model of features; 0 where unsure."""
    if best in TRAINED and runner.cells.features is None:
        return math.nan
    name: Candidate = "pretrained" if best == "pretrained" else "classical"
    question = "Would twice as many units help?"
    try:
        curve = runner.curve(name)
    except ValueError as error:
        reasons.add(question, f"Not known: {error}")
        return math.nan
    ahead = curve["kind"].eq(FORESEEN)
    now = float(curve.loc[~ahead, "curve"].to_numpy()[-1])
    then, least, most = curve.loc[ahead, ["curve", "low", "high"]].to_numpy(float)[0]
    gain, low, high = then - now, least - now, most - now
    judged = f"With '{name}': " if name != best else ""
    answer = f"{judged}{now:.2f} now, {then:.2f} foreseen ({least:.2f} to {most:.2f})."
    reasons.add(question, answer, "gain in balanced accuracy", gain, (low, high))
    return gain if low > 0 else 0.0


def _decided(best: Candidate, simplest: Candidate, shown: Shown, ahead: float, design: Replication) -> tuple[str, str]:
    word = plural(design.unit)
    if shown == "unsure":
        return MORE_UNITS, (
            f"'{best}' does better than with any exchanged labels, so there is something; whether it is more than can "
            f"be told without the cell is not known from so few {word} and plates."
        )
    if shown == "no":
        return NOTHING, (
            "No model is shown to do better than guessing, exchanged labels, or what can be told without the cell. Do "
            f"not train a larger one: ask for more {word}, another stain, or another question."
        )
    if math.isfinite(ahead) and ahead >= WORTH:
        return MORE_UNITS, (
            f"The score still grows with the number of {word}: twice as many are foreseen to bring {ahead:.2f} more. "
            f"Until then use '{best}'."
        )
    if best != simplest:
        return (
            best,
            f"Use '{best}': the simpler '{simplest}' is not shown to do more than what never looks at the cell.",
        )
    return best, f"Use '{best}': the simplest model that no other one beats by more than one standard error."


def _options(found: dict[Candidate, Evaluation]) -> pd.DataFrame:
    first = next(iter(found.values()))
    rows = {}
    for name, one in found.items():
        gain = one.against(first)
        rows[name] = {
            "balanced_accuracy": one.balanced_accuracy,
            "low": one.interval.low,
            "high": one.interval.high,
            "gain": gain.estimate,
            "gain_low": gain.low,
            "gain_high": gain.high,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
