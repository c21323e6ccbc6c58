"""Permutations: labels exchanged between units, as often as the design allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells
from mlscope_nb.study._result import Result, number
from mlscope_nb.study.blocks import Blocks, Within, blocks
from mlscope_nb.study.units import paired, plural

TIES = 1e-9


@dataclass(frozen=True)
class PermutationTest(Result):
    """How often exchanged labels give a statistic as large as the real ones do.

    Parameters
    ----------
    statistic : float
        With the labels as they are; larger is further from chance.
    p_value : float
        Share of exchanges, the real labels among them, with a statistic at least as large.
    n_permutations : int
        Exchanges looked at, besides the labels as they are.
    n_possible : int
        Different ways to give the labels to the units.
    smallest_p : float
        The smallest p-value that these data could have given.
    exact : bool
        True when every possible exchange was looked at.
    alpha : float
        The level below which a p-value would be called significant.
    scheme : str
        What was exchanged.
    note : str
        What else a reader has to know.

    Examples
    --------
    >>> print(PermutationTest(2.1, 0.1, 19, 20, 0.1, True, 0.05, "units"))
    untestable: 20 ways to exchange labels (units) allow no p-value below 0.10; more units of
    each class are needed
    """

    statistic: float
    p_value: float
    n_permutations: int
    n_possible: int
    smallest_p: float
    exact: bool
    alpha: float
    scheme: str
    note: str = ""

    @property
    def testable(self) -> bool:
        """False when no result could have reached `alpha`."""
        return self.smallest_p <= self.alpha

    def __str__(self) -> str:
        ways = f"{self.n_possible:,}" if self.n_possible <= 10**6 else "more than a million"
        if not self.testable:
            few_draws = not self.exact and self.smallest_p < 1
            need = "more permutations are needed: n=999" if few_draws else "more units of each class are needed"
            tried = f"{self.n_permutations:,}" if few_draws else ways
            return (
                f"untestable: {tried} ways to exchange labels ({self.scheme}) allow no p-value below "
                f"{number(self.smallest_p)}; {need}"
            )
        how = f"all {ways} ways" if self.exact else f"{self.n_permutations:,} of {ways} ways"
        return f"p = {number(self.p_value)} ({how} to exchange labels: {self.scheme})"


def permute_labels(cells: Cells, n: int, *, within: Within = "design", seed: int = 0) -> Iterator[pd.Series]:
    """Yield `n` Series of labels, exchanged between units and never between single cells.

    Cells of a unit that share a label share the new one; each unit stays in its batch where batches hold
    several classes; classes within a unit are exchanged as wholes where labels vary within units (see
    `blocks`). Cells without a label stay without.

    Parameters
    ----------
    cells : Cells
        Cells with a declared unit and label.
    n : int
        How many.
    within : "design", "batch" or None
        "design" follows the declared batch, "batch" insists on it, None ignores it.
    seed : int
        Seed; the order of rows does not matter.

    Raises
    ------
    ValueError
        No unit or label is declared, or units span batches while ``within="batch"``.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("AABB"), "drug": ["x", "x", "y", "y"]}, index=list("abcd"))
    >>> [list(labels) for labels in permute_labels(Cells(obs, unit="well", label="drug"), 2, seed=1)]
    [['x', 'x', 'y', 'y'], ['x', 'x', 'y', 'y']]
    """
    if n < 1:
        raise ValueError(f"n is {n}, expected at least 1 permutation.")
    found = blocks(cells, within=within)
    return map(found.series, found.codes(n, np.random.default_rng(seed)))


def permutation_test(
    statistic: str | pd.Series | np.ndarray | Callable[[pd.Series], float],
    cells: Cells,
    n: int = 999,
    *,
    within: Within = "design",
    alpha: float = 0.05,
    seed: int = 0,
) -> PermutationTest:
    """Test whether labels matter by exchanging them between units, as the design allows.

    Every different exchange is looked at when there are no more than `n` + 1, otherwise `n` random ones;
    p = (b + 1) / (m + 1), where b of m exchanges reach the real statistic.

    Parameters
    ----------
    statistic : str, Series or array (N,), or function
        A feature, obs column or one number per cell: how far the classes' means of unit means lie apart. Or
        a function that takes labels (a Series by cell id) and returns a number, larger when further from
        chance.
    cells : Cells
        Cells with a declared unit and label.
    n : int
        Random exchanges.
    within : "design", "batch" or None
        As in `permute_labels`.
    alpha : float
        Level used to say whether the test could succeed at all.
    seed : int
        Seed; the order of rows does not matter.

    Raises
    ------
    ValueError
        No unit or label is declared, or the statistic is not a number.

    References
    ----------
    Phipson & Smyth (2010) Permutation p-values should never be zero, Stat Appl Genet Mol Biol 9:39.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": list("ABCDEFGH"), "drug": list("xxxxyyyy")}, index=list("abcdefgh"))
    >>> cells = Cells(obs, unit="well", label="drug")
    >>> print(permutation_test(np.array([1.0, 2.0, 3.0, 4.0, 8.0, 6.0, 7.0, 9.0]), cells))
    p = 0.029 (all 70 ways to exchange labels: wells)
    """
    if n < 1:
        raise ValueError(f"n is {n}, expected at least 1 permutation.")
    if callable(statistic):
        found = blocks(cells, within=within)
        compute = _of_labels(found, statistic)
    else:
        numbers, _ = paired(statistic, cells)
        found = blocks(cells, labels=cells.labels.where(numbers.notna()), within=within)
        compute = _of_means(found, found.means(numbers))
    observed = float(compute(found.code[None])[0])
    exact = found.n_possible <= n + 1
    drawn = compute(found.all_codes() if exact else found.codes(n, np.random.default_rng(seed)))
    return _judge(found, observed, drawn, exact, alpha)


def _judge(found: Blocks, observed: float, drawn: np.ndarray, exact: bool, alpha: float) -> PermutationTest:
    if not (np.isfinite(observed) and np.isfinite(drawn).all()):
        raise ValueError("The statistic is not a number for some labels. Return a finite number for every exchange.")
    # Sums of the same numbers in another order differ in the last digits: ties are ties within a tolerance.
    tolerance = TIES * max(abs(observed), float(np.abs(drawn).max()))
    reached = int((drawn >= observed - tolerance).sum())
    if exact:
        p, smallest = reached / len(drawn), float(np.mean(drawn >= drawn.max() - tolerance))
    else:
        all_alike = max(float(np.ptp(drawn)), abs(observed - drawn[0])) <= tolerance
        p, smallest = (reached + 1) / (len(drawn) + 1), 1.0 if all_alike else 1 / (len(drawn) + 1)
    return PermutationTest(
        statistic=observed,
        p_value=p,
        n_permutations=len(drawn) - exact,
        n_possible=found.n_possible,
        smallest_p=smallest,
        exact=exact,
        alpha=alpha,
        scheme=_words(found),
        note=found.note,
    )


def _of_labels(found: Blocks, statistic: Callable[[pd.Series], float]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda codes: np.array([float(statistic(found.series(row))) for row in codes])


def _of_means(found: Blocks, means: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    strata = found.stratum
    sizes = np.bincount(strata)
    inside = means - (np.bincount(strata, means) / sizes)[strata]
    n_classes = len(found.classes)

    def compute(codes: np.ndarray) -> np.ndarray:
        in_class = [codes == k for k in range(n_classes)]
        averages = np.array([(c @ inside) / c.sum(axis=1) for c in in_class])
        if n_classes == 2:
            return np.abs(averages[1] - averages[0])
        weights = np.array([c.sum(axis=1) for c in in_class])
        return (weights * averages**2).sum(axis=0)

    return compute


def _words(found: Blocks) -> str:
    several = plural(found.item)
    return {
        "units": several,
        "units within batch": f"{several} within their batch",
        "batches": f"whole {several}",
        "classes within unit": f"classes within each {found.item}",
    }[found.scheme]
