"""Whether an answer is right, and why a wrong one is tempting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlscope_nb.lessons import answers
from mlscope_nb.lessons.cards import Tone, bullets, card, paragraphs
from mlscope_nb.lessons.lesson_file import find_asked
from mlscope_nb.lessons.predictions import predicted
from mlscope_nb.lessons.questions import Choice, Exercise, Mistake, PredictQuestion, load_function
from mlscope_nb.lessons.rules import compare, is_missing, same


def check(question_id: str, value: object = None, *, truth: object = None, of: object = None) -> Check:
    """Compare the learner's answer with the truth and explain it; an open question says "Not answered yet".

    Parameters
    ----------
    question_id : str
        Notebook and name, as in ``texts/<notebook>.toml``.
    value : object, optional
        What the learner computed, or the key of a choice. None, ``...`` and empty collections are
        "not answered yet"; a question to predict then takes the recorded prediction.
    truth : object, optional
        The truth, where the notebook computes it: instead of the one in the file.
    of : object, optional
        The data that the truth is computed from, where the file names a function for it (``make_truth``); the
        learner's cell then does not show the answer.

    Returns
    -------
    Check
        ``.answered``, ``.right`` (None while open); shows itself as the last line of a cell.

    Raises
    ------
    ValueError, FileNotFoundError
        No such question, no truth in the file nor here, or a truth that does not fit the rule.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> answer = ...  # change me
    >>> ms.lessons.check("00_start_here/edge", answer, truth=212).answered
    False
    """
    question = find_asked(question_id)
    if isinstance(question, PredictQuestion):
        return _check_prediction(question, value, truth)
    if truth is None and of is not None and question.make_truth is not None:
        truth = load_function(question.make_truth, question.id)(of)
    return _check_exercise(question, value, truth, of)


@dataclass(frozen=True)
class Check:
    """The outcome of a check."""

    id: str
    heading: str
    right: bool | None = None
    given: str = ""
    text: str = ""
    points: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether there was an answer to check."""
        return self.right is not None

    def to_dict(self) -> dict[str, Any]:
        """Return id, answered, right, what was given and the explanation."""
        told = {"given": self.given, "text": self.text, "points": list(self.points)}
        return {"id": self.id, "answered": self.answered, "right": self.right, **told}

    def __str__(self) -> str:
        points = [f"  - {what} {why}" for what, why in self.points]
        return "\n".join(line for line in [self.heading, self.text, *points, *self.notes] if line)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tones: dict[bool | None, Tone] = {None: "plain", True: "right", False: "wrong"}
        parts = [paragraphs(self.text), bullets(self.points) if self.points else ""]
        return card(self.heading, parts, tone=tones[self.right], notes=self.notes)


def _check_prediction(question: PredictQuestion, value: object, truth: object) -> Check:
    answer = question.choice(_truth(question.id, truth, question.answer))
    if not is_missing(value):
        answers.record(question.id, "predict", question.choice(value).key)
    given = predicted(question)
    if given is None:
        how = "Choose an answer above, press “Record my prediction”, then run this cell again."
        return _open(question.id, how)
    right = given.key == answer.key
    answers.record(question.id, "check", given.key, right)
    return Check(
        question.id,
        "✓ Right" if right else "✗ Not this one",
        right,
        given.text,
        f"You predicted: {given.text}.",
        tuple((_role(choice, given, answer), choice.feedback) for choice in question.choices),
        answers.read().notes,
    )


def _check_exercise(question: Exercise, value: object, truth: object, of: object) -> Check:
    truth = _truth(question.id, truth, question.truth)
    if is_missing(value):
        how = "Replace the … in the cell above, run that cell, then run this one again."
        return _open(question.id, how)
    verdict = compare(value, question.rule, truth, question.tolerance)
    answers.record(question.id, "check", value, verdict.right)
    given = answers.describe(value)
    notes = answers.read().notes
    if verdict.right:
        return Check(question.id, "✓ Right", True, given, f"You gave {given}. {question.right}", (), notes)
    why = next((m.feedback for m in question.mistakes if _made(m, question, value, of)), question.wrong)
    help_ = f'Stuck? Run `ms.lessons.hint("{question.id}")`.'
    said = f"You gave {given}. {verdict.remark}".strip()
    return Check(question.id, "✗ Not right yet", False, given, f"{said}\n\n{why}\n\n{help_}", (), notes)


def _made(mistake: Mistake, question: Exercise, value: object, of: object) -> bool:
    if mistake.make is None:
        return same(value, mistake.value)
    if of is None:
        return False
    slip = load_function(mistake.make, question.id)(of)
    return compare(value, question.rule, slip, question.tolerance).right


def _truth(question_id: str, passed: object, written: object) -> object:
    truth = written if passed is None else passed
    if truth is None:
        raise ValueError(
            f"'{question_id}' has no answer in its file. Pass it: check(…, truth=…), or its data: check(…, of=…)."
        )
    return truth


def _role(choice: Choice, given: Choice, answer: Choice) -> str:
    roles = {
        (True, True): "Right, and your prediction: ",
        (True, False): "Right: ",
        (False, True): "Your prediction: ",
    }
    return f"{roles.get((choice == answer, choice == given), '')}{choice.text}."


def _open(question_id: str, how: str) -> Check:
    return Check(question_id, "Not answered yet", text=how, notes=answers.read().notes)
