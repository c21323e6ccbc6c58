"""The right answers of exercises, computed from the learner's own data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlscope_nb.datasets import Truth
    from mlscope_nb.explain import Counterfactual
    from mlscope_nb.explore import Trust
    from mlscope_nb.predict import Evaluation
    from mlscope_nb.predict.images import Invented
    from mlscope_nb.risks import Lesson
    from mlscope_nb.study import Interval


def cells_at_edge(cells: Cells) -> int:
    """How many cells touch the edge of their field.

    Examples
    --------
    >>> import pandas as pd
    >>> cells_at_edge(Cells(pd.DataFrame({"at_edge": [True, False, True]})))
    2
    """
    return int(cells.obs["at_edge"].sum())


def fewest_units(data: Cells | Fields) -> int:
    """How many units has the class with the fewest: what repeats it.

    Examples
    --------
    >>> import pandas as pd
    >>> obs = pd.DataFrame({"drug": list("aab"), "well": ["w1", "w2", "w3"]})
    >>> fewest_units(Cells(obs, label="drug", unit="well"))
    1
    """
    label, unit = data.design.label, list(data.design.unit)
    if label is None or not unit:
        return 0
    return int(data.obs.drop_duplicates([label, *unit])[label].value_counts().min())


def largest_share(values: Sequence[object]) -> float:
    """Which part of the values is equal to the most frequent one, 0 to 1.

    Examples
    --------
    >>> largest_share(["a", "a", "b", "a"])
    0.75
    """
    import pandas as pd

    return float(pd.Series(list(values)).value_counts(normalize=True).max())


def saturated_pixels(image: np.ndarray) -> int:
    """How many pixels have the largest value that the type of the image can hold.

    Examples
    --------
    >>> import numpy as np
    >>> saturated_pixels(np.array([[255, 3], [255, 254]], "uint8"))
    2
    """
    import numpy as np

    return int((image == np.iinfo(image.dtype).max).sum())


def percent_change(pair: tuple[float, float]) -> float:
    """By how many percent the second value differs from the first.

    Examples
    --------
    >>> percent_change((200.0, 150.0))
    -25.0
    """
    before, after = pair
    return float(100 * (after - before) / before)


def name_of_largest(values: pd.Series) -> str:
    """Which row has the largest value: its name.

    Examples
    --------
    >>> import pandas as pd
    >>> name_of_largest(pd.Series({"a": 1.0, "b": 3.0}))
    'b'
    """
    return str(values.idxmax())


def times_as_wide(intervals: tuple[Interval, Interval]) -> float:
    """How many times as wide the second interval is as the first.

    Examples
    --------
    >>> from mlscope_nb.study import Interval
    >>> one = Interval(1.0, 0.5, 1.5, 0.95, 9, "mean", "t")
    >>> two = Interval(1.0, 0.0, 4.0, 0.95, 3, "mean", "t")
    >>> times_as_wide((one, two))
    4.0
    """
    first, second = intervals
    return (second.high - second.low) / (first.high - first.low)


def part_found(pair: tuple[pd.Series, pd.Series]) -> float:
    """Which part of what is true in the second is true in the first too.

    Examples
    --------
    >>> import pandas as pd
    >>> part_found((pd.Series([True, False, True]), pd.Series([True, True, False])))
    0.5
    """
    found, wanted = pair
    return float((found & wanted).sum() / wanted.sum())


def part_of(pair: tuple[pd.Series, pd.Series]) -> float:
    """How many times as often the first is true as the second.

    Examples
    --------
    >>> import pandas as pd
    >>> part_of((pd.Series([True, False]), pd.Series([True, True])))
    0.5
    """
    part, whole = pair
    return float(part.sum() / whole.sum())


def surplus_copies(groups: pd.DataFrame) -> int:
    """How many cells are not the one of their group that stays.

    Examples
    --------
    >>> import pandas as pd
    >>> surplus_copies(pd.DataFrame({"group": [1, 1, 1], "keep": [True, False, False]}))
    2
    """
    return int(len(groups) - groups["group"].nunique())


def swapped_wells(pair: tuple[Cells, Truth]) -> set[str]:
    """Which units carry the label of another one: their names.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace
    >>> cells = Cells(pd.DataFrame({"well": ["A", "A", "B"]}, index=["1", "2", "3"]), unit="well")
    >>> truth = SimpleNamespace(obs=pd.DataFrame({"swapped_well": [True, True, False]}, index=cells.ids))
    >>> swapped_wells((cells, truth))
    {'A'}
    """
    cells, truth = pair
    return set(cells.units[truth.obs["swapped_well"].reindex(cells.ids)])


def wrong_among_first(pair: tuple[pd.DataFrame, pd.Series]) -> int:
    """How many of the first 20 rows are wrong.

    Examples
    --------
    >>> import pandas as pd
    >>> wrong_among_first((pd.DataFrame(index=["b", "a"]), pd.Series({"a": True, "b": False})))
    1
    """
    ranked, wrong = pair
    return int(wrong[ranked.index[:20]].sum())


def neighbours_kept(found: Trust) -> float:
    """How many of its nearest cells a cell keeps on a map, on average.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> neighbours_kept(SimpleNamespace(knn_recall=0.5, k=15))
    7.5
    """
    return float(found.knn_recall * found.k)


def score_difference(pair: tuple[Evaluation, Evaluation]) -> float:
    """How much higher the first balanced accuracy is than the second."""
    first, second = pair
    return first.balanced_accuracy - second.balanced_accuracy


def units_for_score(curve: pd.DataFrame, score: float = 0.5) -> int:
    """With how many units a learning curve first reaches a score; of what was measured.

    Examples
    --------
    >>> import pandas as pd
    >>> units_for_score(pd.DataFrame({"n_units": [10, 20], "balanced_accuracy": [0.4, 0.62]}))
    20
    """
    return int(curve.loc[curve["balanced_accuracy"] >= score, "n_units"].min())


def surely_better(options: pd.DataFrame) -> bool:
    """Whether the interval of the gain of the last model lies above zero.

    Examples
    --------
    >>> import pandas as pd
    >>> surely_better(pd.DataFrame({"gain_low": [0.0, -0.01]}))
    False
    """
    return bool(options["gain_low"].iloc[-1] > 0)


def invented_part(found: Invented) -> float:
    """Which part of all objects that were found in predicted pictures is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace
    >>> invented_part(SimpleNamespace(per_field=pd.DataFrame({"n_invented": [1, 2], "n_found": [4, 2]})))
    0.5
    """
    return float(found.per_field["n_invented"].sum() / found.per_field["n_found"].sum())


def times_as_much_invented(pair: tuple[Invented, Invented]) -> float:
    """How many times as large the share of invented objects is in the first as in the second."""
    first, second = pair
    return first.invented.estimate / second.invented.estimate


def features_above(correlations: pd.Series, least: float = 0.7) -> int:
    """How many features correlate by more than this.

    Examples
    --------
    >>> import pandas as pd
    >>> features_above(pd.Series([0.95, 0.5]))
    1
    """
    return int((correlations > least).sum())


def part_that_falls(effect: pd.DataFrame, least: float = 1.0) -> float:
    """Which part of cells loses at least so much of its score without the cue.

    Examples
    --------
    >>> import pandas as pd
    >>> part_that_falls(pd.DataFrame({"effect": [2.0, 0.1]}))
    0.5
    """
    return float((effect["effect"] >= least).mean())


def region_that_turns(pasted: Counterfactual) -> str:
    """The region that decides for the class that was asked about."""
    return str(pasted.deciding["region"].iloc[0])


def features_in_first_block(blocks: pd.DataFrame) -> int:
    """How many features the most important block has.

    Examples
    --------
    >>> import pandas as pd
    >>> features_in_first_block(pd.DataFrame({"features": [("area", "size"), ("depth",)]}))
    2
    """
    return len(blocks["features"].iloc[0])


def balanced_on_equal_numbers(lesson: Lesson) -> float:
    """What balanced accuracy says of classes in equal numbers, in the pitfall of the rare class.

    Examples
    --------
    >>> from mlscope_nb.risks import run
    >>> 0.5 < balanced_on_equal_numbers(run("imbalance")) < 0.8
    True
    """
    return round(float(lesson.pictures["studies"]["remedy truth"].mean()), 2)
