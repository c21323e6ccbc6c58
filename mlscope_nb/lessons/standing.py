"""How far the learner is."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from mlscope_nb._words import count
from mlscope_nb.lessons import answers
from mlscope_nb.lessons.cards import card, paragraphs, table
from mlscope_nb.lessons.lesson_file import find_asked, lesson_names, lesson_path, read_lesson
from mlscope_nb.lessons.questions import Prepared, Question


def progress(notebook: str | None = None) -> Progress:
    """Count the questions that are answered, right and open.

    Parameters
    ----------
    notebook : str, optional
        One notebook, for example ``"00_start_here"``. Without it: all in which something is answered, or all.

    Returns
    -------
    Progress
        ``.answered``, ``.right``, ``.open``, ``.total`` and the state of each question.

    Raises
    ------
    FileNotFoundError
        There are no questions for that notebook.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> ms.lessons.progress("00_start_here").total > 0
    True
    """
    kept = answers.read()
    names = [notebook] if notebook is not None else _begun(kept) or lesson_names()
    questions = [question for name in names for question in read_lesson(lesson_path(name)).values()]
    states = ((q.id, _state(q, kept)) for q in questions if not isinstance(q, Prepared))
    return Progress(tuple(states), kept.notes)


@dataclass(frozen=True)
class Progress:
    """Each question and its state: open, predicted, right or not right yet."""

    states: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many questions there are."""
        return len(self.states)

    @property
    def open(self) -> int:
        """How many are not answered yet."""
        return sum(state == "open" for _, state in self.states)

    @property
    def answered(self) -> int:
        """How many are answered, right or wrong."""
        return self.total - self.open

    @property
    def right(self) -> int:
        """How many are checked and right."""
        return sum(state == "right" for _, state in self.states)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the state of each question."""
        counts = {name: getattr(self, name) for name in ("answered", "right", "open", "total")}
        return {**counts, "states": dict(self.states)}

    def __str__(self) -> str:
        asked = count(self.total, "question")
        return f"{self.answered} of {asked} answered, {self.right} right, {self.open} open"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = table(["Question", "State"], ((_asked(name), state) for name, state in self.states))
        return card("Your progress", [paragraphs(f"{self}."), rows], notes=self.notes)


def _asked(question_id: str) -> str:
    return textwrap.shorten(find_asked(question_id).text, 110, placeholder=" …")


def _begun(kept: answers.Answers) -> list[str]:
    answered = {entry.id.split("/")[0] for entry in kept.entries}
    return [name for name in lesson_names() if name in answered]


def _state(question: Question, kept: answers.Answers) -> str:
    entry = kept.last(question.id)
    if entry is None:
        return "open"
    if entry.right is None:
        return "predicted, not checked yet"
    return "right" if entry.right else "not right yet"
