"""Help in two steps: a nudge, then nearly the answer."""

from __future__ import annotations

from dataclasses import dataclass

from mlscope_nb.lessons.cards import card, paragraphs, unfold
from mlscope_nb.lessons.lesson_file import find_asked


def hint(question_id: str) -> Hint:
    """Offer help in two steps, each behind a click or a key press: a nudge, then nearly the answer.

    Parameters
    ----------
    question_id : str
        Notebook and name, as in ``texts/<notebook>.toml``.

    Returns
    -------
    Hint
        ``.nudge`` and ``.nearly``; works in a saved notebook too, without a kernel.

    Raises
    ------
    ValueError, FileNotFoundError
        No such question, or it has no hints.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> print(ms.lessons.hint("00_start_here/edge"))  # doctest: +ELLIPSIS
    Two hints for 'edge': ...
    """
    question = find_asked(question_id)
    if not question.hints:
        raise ValueError(f"'{question_id}' has no hints. Add hints = [nudge, nearly the answer].")
    return Hint(question_id, *question.hints)


@dataclass(frozen=True, repr=False)
class Hint:
    """Two hints; the second is offered only when the first is open."""

    id: str
    nudge: str
    nearly: str

    def __str__(self) -> str:
        return f"Two hints for '{self.id.split('/')[1]}': print(….nudge) first, then print(….nearly)."

    __repr__ = __str__

    def _repr_html_(self) -> str:
        second = unfold("Still stuck? Show nearly the answer", paragraphs(self.nearly))
        return card("Hint", [unfold("Show a nudge", paragraphs(self.nudge) + second)])
