"""What the usual slips in an exercise come to, computed from the learner's own data, as the right answers are."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

from mlscope_nb.cells import Cells

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlscope_nb.explore import Trust
    from mlscope_nb.predict import Evaluation
    from mlscope_nb.predict.images import Invented
    from mlscope_nb.risks import Lesson
    from mlscope_nb.study import Interval


def how_many_in_all(data: Sized) -> int:
    """How many rows there are, whatever is asked about them."""
    return len(data)


def cells_inside(cells: Cells) -> int:
    """How many cells do not touch the edge of their field.

    Examples
    --------
    >>> import pandas as pd
    >>> cells_inside(Cells(pd.DataFrame({"at_edge": [True, False, False]})))
    2
    """
    return int((~cells.obs["at_edge"].astype(bool)).sum())


def unsaturated_pixels(image: np.ndarray) -> int:
    """How many pixels are below the largest value that the type of the image can hold.

    Examples
    --------
    >>> import numpy as np
    >>> unsaturated_pixels(np.array([255, 3, 9], "uint8"))
    2
    """
    import numpy as np

    return int((image != np.iinfo(image.dtype).max).sum())


def percent_of_the_second(pair: tuple[float, float]) -> float:
    """The change in percent of the wrong one of the two.

    Examples
    --------
    >>> percent_of_the_second((150.0, 120.0))
    25.0
    """
    before, after = pair
    return float(100 * (before / after - 1))


def percent_that_is_left(pair: tuple[float, float]) -> float:
    """The second in percent of the first, instead of the change.

    Examples
    --------
    >>> percent_that_is_left((200.0, 150.0))
    75.0
    """
    before, after = pair
    return float(100 * after / before)


def difference(pair: tuple[float, float]) -> float:
    """By how much the second differs, instead of by how many percent.

    Examples
    --------
    >>> difference((200.0, 150.0))
    -50.0
    """
    return float(pair[1] - pair[0])


def times_as_narrow(intervals: tuple[Interval, Interval]) -> float:
    """How many times as wide the first interval is as the second: the wrong way round.

    Examples
    --------
    >>> from mlscope_nb.study import Interval
    >>> one = Interval(1.0, 0.5, 1.5, 0.95, 9, "mean", "t")
    >>> two = Interval(1.0, 0.0, 4.0, 0.95, 3, "mean", "t")
    >>> times_as_narrow((one, two))
    0.25
    """
    first, second = intervals
    return (first.high - first.low) / (second.high - second.low)


def width_of_second(intervals: tuple[Interval, Interval]) -> float:
    """How wide the second interval is, compared with nothing."""
    return intervals[1].high - intervals[1].low


def precision(pair: tuple[pd.Series, pd.Series]) -> float:
    """Which part of the first is true in the second too: precision, where recall was asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> precision((pd.Series([True, True, False]), pd.Series([True, False, False])))
    0.5
    """
    found, wanted = pair
    return float((found & wanted).sum() / found.sum()) if found.any() else 0.0


def how_many_in_both(pair: tuple[pd.Series, pd.Series]) -> int:
    """How many are true in both: a number of cells, where a part was asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> how_many_in_both((pd.Series([True, True]), pd.Series([True, False])))
    1
    """
    return int((pair[0] & pair[1]).sum())


def the_other_part(pair: tuple[pd.Series, pd.Series]) -> float:
    """Which part of the second is not in the first.

    Examples
    --------
    >>> import pandas as pd
    >>> the_other_part((pd.Series([True, False, False, False]), pd.Series([True, True, True, True])))
    0.75
    """
    part, whole = pair
    return float(1 - part.sum() / whole.sum())


def part_of_everything(pair: tuple[pd.Series, pd.Series]) -> float:
    """Which part of all rows is true in the first, instead of the rows of the second.

    Examples
    --------
    >>> import pandas as pd
    >>> part_of_everything((pd.Series([True, False]), pd.Series([True, False])))
    0.5
    """
    return float(pair[0].mean())


def groups_of_copies(groups: pd.DataFrame) -> int:
    """How many cells stay, one of each group.

    Examples
    --------
    >>> import pandas as pd
    >>> groups_of_copies(pd.DataFrame({"group": [1, 1, 1], "keep": [True, False, False]}))
    1
    """
    return int(groups["group"].nunique())


def right_among_first(pair: tuple[pd.DataFrame, pd.Series]) -> int:
    """How many of the first 20 rows are right.

    Examples
    --------
    >>> import pandas as pd
    >>> right_among_first((pd.DataFrame(index=["b", "a", "c"]), pd.Series({"a": True, "b": False, "c": False})))
    2
    """
    ranked, wrong = pair
    return int((~wrong[ranked.index[:20]]).sum())


def share_among_first(pair: tuple[pd.DataFrame, pd.Series]) -> float:
    """Which part of the first 20 rows is wrong.

    Examples
    --------
    >>> import pandas as pd
    >>> share_among_first((pd.DataFrame(index=["b", "a"]), pd.Series({"a": True, "b": False})))
    0.5
    """
    ranked, wrong = pair
    return float(wrong[ranked.index[:20]].mean())


def wrong_in_all(pair: tuple[pd.DataFrame, pd.Series]) -> int:
    """How many of all rows are wrong."""
    return int(pair[1].sum())


def share_of_neighbours(found: Trust) -> float:
    """The share of neighbours that a map keeps, instead of their number."""
    return float(found.knn_recall)


def neighbours_lost(found: Trust) -> float:
    """How many of its nearest cells a cell loses on a map, on average.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> neighbours_lost(SimpleNamespace(knn_recall=0.6, k=15))
    6.0
    """
    return float((1 - found.knn_recall) * found.k)


def name_of_smallest(values: pd.Series) -> str:
    """Which row has the smallest value: the other end of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> name_of_smallest(pd.Series({"a": 1.0, "b": 3.0}))
    'a'
    """
    return str(values.idxmin())


def first_score(pair: tuple[Evaluation, Evaluation]) -> float:
    """The first balanced accuracy, compared with nothing."""
    return pair[0].balanced_accuracy


def most_units(curve: pd.DataFrame) -> int:
    """The largest number of units that was measured.

    Examples
    --------
    >>> import pandas as pd
    >>> most_units(pd.DataFrame({"n_units": [10, 20]}))
    20
    """
    return int(curve["n_units"].max())


def part_missed(found: Invented) -> float:
    """Which part of the true objects is missed, where the invented ones were asked for."""
    return float(found.per_field["n_missed"].sum() / found.per_field["n_true"].sum())


def number_invented(found: Invented) -> int:
    """How many objects are invented: a number, where a part was asked for."""
    return int(found.per_field["n_invented"].sum())


def mean_of_parts(found: Invented) -> float:
    """The mean over fields of the part that is invented: a field with few objects then counts as much as others.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace
    >>> mean_of_parts(SimpleNamespace(per_field=pd.DataFrame({"n_invented": [1, 0], "n_found": [2, 8]})))
    0.25
    """
    return float((found.per_field["n_invented"] / found.per_field["n_found"]).mean())


def times_as_little_invented(pair: tuple[Invented, Invented]) -> float:
    """The ratio of the two shares, the wrong way round."""
    first, second = pair
    return second.invented.estimate / first.invented.estimate


def more_invented(pair: tuple[Invented, Invented]) -> float:
    """By how much the share grows, instead of how many times."""
    first, second = pair
    return first.invented.estimate - second.invented.estimate


def features_below(correlations: pd.Series, least: float = 0.7) -> int:
    """How many features do not correlate by more than this.

    Examples
    --------
    >>> import pandas as pd
    >>> features_below(pd.Series([0.95, 0.5, 0.1]))
    2
    """
    return int((correlations <= least).sum())


def part_that_stays(effect: pd.DataFrame, least: float = 1.0) -> float:
    """Which part of cells keeps its score: the other part.

    Examples
    --------
    >>> import pandas as pd
    >>> part_that_stays(pd.DataFrame({"effect": [2.0, 0.1, 0.2, 0.3]}))
    0.75
    """
    return float((effect["effect"] < least).mean())


def number_that_falls(effect: pd.DataFrame, least: float = 1.0) -> int:
    """How many cells lose their score: a number, where a part was asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> number_that_falls(pd.DataFrame({"effect": [2.0, 0.1]}))
    1
    """
    return int((effect["effect"] >= least).sum())


def plain_accuracy(lesson: Lesson) -> float:
    """The share of right answers, which the common class decides."""
    return round(float(lesson.pictures["studies"]["accuracy said"].mean()), 2)


def without_the_remedy(lesson: Lesson) -> float:
    """What the model that favours the common class reaches on classes in equal numbers."""
    return round(float(lesson.pictures["studies"]["accuracy truth"].mean()), 2)
