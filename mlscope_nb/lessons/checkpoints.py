"""Something to go on with when a learner is stuck."""

from __future__ import annotations

from typing import Any

from mlscope_nb.lessons.answers import describe
from mlscope_nb.lessons.cards import say
from mlscope_nb.lessons.lesson_file import find_prepared
from mlscope_nb.lessons.questions import Prepared, load_function
from mlscope_nb.lessons.rules import is_missing, not_a_number


def checkpoint(question_id: str, mine: Any = None, *, otherwise: Any = None, stuck: bool = False) -> Any:
    """Return the learner's own object if there is one, else the prepared one, and say which.

    Parameters
    ----------
    question_id : str
        Notebook and name of a checkpoint, as in ``texts/<notebook>.toml``.
    mine : object, optional
        What the learner made. None, ``...`` and empty collections count as not made.
    otherwise : object or callable, optional
        The prepared object, or a function without parameters that makes it; instead of the one in the file.
        Where it is a number, text or a list of the learner's is not taken, and the note says why.
    stuck : bool
        Take the prepared object even though there is one of the learner's.

    Returns
    -------
    object
        `mine`, or the prepared one.

    Raises
    ------
    ValueError, FileNotFoundError
        No such checkpoint, or nothing is prepared for it.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> ms.lessons.checkpoint("00_start_here/picked", ["c1", "c2"])  # doctest: +ELLIPSIS
    Checkpoint 'picked': your own is used...
    ['c1', 'c2']
    """
    prepared = find_prepared(question_id)
    name = question_id.split("/")[1]
    amiss = "" if is_missing(mine) or not_a_number(otherwise) else not_a_number(mine)
    if not stuck and not is_missing(mine) and not amiss:
        say(f"Checkpoint '{name}': your own is used", _named(mine))
        return mine
    value = _prepared(prepared, otherwise)
    say(f"Checkpoint '{name}': the prepared one is used", f"{amiss or prepared.text}\n\n{_named(value)}")
    return value


def _named(value: Any) -> str:
    text = f"That is {describe(value)}"
    return text if text.endswith("…") else f"{text}."


def _prepared(prepared: Prepared, otherwise: Any) -> Any:
    if otherwise is not None:
        return otherwise() if callable(otherwise) else otherwise
    if prepared.make is not None:
        return load_function(str(prepared.make), prepared.id)(**prepared.arguments)
    if prepared.value is None:
        raise ValueError(f"Nothing is prepared for '{prepared.id}'. Pass otherwise=…, or write its value or make.")
    return prepared.value
