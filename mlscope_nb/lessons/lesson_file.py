"""The questions of a notebook, read from a TOML file and checked.

A table is a question. Its `kind` says which keys it has::

    [position]
    kind = "predict"                 # asked before the cells are run
    text = "Which plot would look the same if …?"
    answer = "position"              # key of the right choice; leave it out to pass truth=… to check
    hints = ["a nudge", "nearly the answer"]        # optional here
    [position.choices.position]
    text = "The map coloured by position"
    feedback = "Why this is right, or why it is tempting and wrong"

    [edge]
    kind = "exercise"                # computed by the learner
    text = "How many cells touch the edge?"
    rule = "equals"                  # equals, between, one_of, is_close (with tolerance) or contains
    truth = 212                      # between: [low, high]; or leave it out to pass truth=… to check; or
                                     # make_truth = "mlscope_nb.lessons.truths:function" of what check gets as of=…
    right = "What this teaches"
    wrong = "Where to look again"
    hints = ["a nudge", "nearly the answer"]
    [[edge.mistakes]]                # optional: values that a known mistake leads to
    value = 1612                     # or make = "mlscope_nb.lessons.slips:function" of what check gets as of=…
    feedback = "That is all cells."

    [labels]
    kind = "checkpoint"              # what a learner who is stuck goes on with
    text = "Labels of 40 cells, given by eye"
    value = ["a", "b"]               # or make = "mlscope_nb.module:function" with [labels.arguments];
                                     # or neither, and otherwise=… in the notebook

Text between backticks is shown as code; an empty line starts a paragraph.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from mlscope_nb._words import some
from mlscope_nb.lessons.questions import Asked, Choice, Exercise, Mistake, PredictQuestion, Prepared, Question
from mlscope_nb.lessons.rules import RULES

TEXTS = Path(__file__).parent / "texts"
_ID = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")
_MAKE = re.compile(r"mlscope_nb(\.\w+)*:\w+")


def find(question_id: str) -> Question:
    """Return the question of an id such as ``"00_start_here/position"``."""
    if not isinstance(question_id, str) or not _ID.fullmatch(question_id):
        raise ValueError(f"'{question_id}' is not a question id. Write it as 'notebook/question'.")
    notebook, name = question_id.split("/")
    questions = read_lesson(lesson_path(notebook))
    if name not in questions:
        raise ValueError(_no_question(name, notebook, questions))
    return questions[name]


def find_asked(question_id: str) -> Asked:
    """Return a question to predict or an exercise."""
    question = find(question_id)
    if isinstance(question, Prepared):
        raise ValueError(f"'{question_id}' is a checkpoint. Pass the id of a question to predict or an exercise.")
    return question


def find_prediction(question_id: str) -> PredictQuestion:
    """Return a question to predict."""
    question = find(question_id)
    if not isinstance(question, PredictQuestion):
        raise ValueError(f"'{question_id}' is not a question to predict. Write kind = 'predict' in its table.")
    return question


def find_prepared(question_id: str) -> Prepared:
    """Return a checkpoint."""
    question = find(question_id)
    if not isinstance(question, Prepared):
        raise ValueError(f"'{question_id}' is not a checkpoint. Write kind = 'checkpoint' in its table.")
    return question


def lesson_path(notebook: str) -> Path:
    """Return the file with a notebook's questions: the package's, else the one in ``lessons`` beside it."""
    for folder in _folders():
        path = folder / f"{notebook}.toml"
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"No questions for notebook '{notebook}'. There are: {some(lesson_names(), 20) or 'none'}. "
        f"Put your own into 'lessons/{notebook}.toml' beside the notebook."
    )


def lesson_names() -> list[str]:
    """Return the notebooks that have questions."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.toml")})


def read_lesson(path: Path) -> dict[str, Question]:
    """Read and check all questions of a file.

    Raises ``ValueError`` that names the file, the question and the key when something is missing or wrong.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from error
    return {
        name: _question(_Table(f"{path}, [{name}]", table), f"{path.stem}/{name}") for name, table in tables.items()
    }


def _folders() -> tuple[Path, Path]:
    return TEXTS, Path.cwd() / "lessons"


def _no_question(name: str, notebook: str, questions: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(questions), n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    return f"No question '{name}' in {notebook}.toml.{guess} Questions: {some(questions, 20) or 'none'}."


class _Table:
    """One TOML table; takes values out of it and complains with file, question and key."""

    def __init__(self, where: str, table: object) -> None:
        self.where = where
        if not isinstance(table, dict):
            self.refuse(f"is {table!r}, not a table")
        self.rest: dict[str, Any] = dict(table)

    def refuse(self, problem: str) -> NoReturn:
        raise ValueError(f"{self.where} {problem}.")

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        if key not in self.rest:
            if default is ...:
                self.refuse(f"has no '{key}'. Add {key} = …")
            return default
        value = self.rest.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool and kind is not object):
            self.refuse(f"has {key} = {value!r}, which is of the wrong type")
        if isinstance(value, str) and not value.strip():
            self.refuse(f"has an empty '{key}'. Write the text")
        return value.strip() if isinstance(value, str) else value

    def text(self, key: str) -> str:
        return str(self.take(key, str))

    def hints(self, *, needed: bool) -> tuple[str, ...]:
        hints = self.take("hints", list, ... if needed else [])
        two = len(hints) == 2 and all(isinstance(hint, str) and hint.strip() for hint in hints)
        if not two and (needed or hints):
            self.refuse(f"has hints = {hints!r}. Write two texts: a nudge, then nearly the answer")
        return tuple(hint.strip() for hint in hints)

    def finish(self) -> None:
        if self.rest:
            self.refuse(f"has {some(self.rest, 20)}, which this kind of question does not know")


def _question(table: _Table, question_id: str) -> Question:
    if not _ID.fullmatch(question_id):
        table.refuse("has a name that is not of the letters a-z, digits and _")
    kinds = {"predict": _predict, "exercise": _exercise, "checkpoint": _prepared}
    kind = table.text("kind")
    if kind not in kinds:
        table.refuse(f"has kind = '{kind}'. Kinds: {some(kinds)}")
    question = kinds[kind](table, question_id)
    table.finish()
    return question


def _predict(table: _Table, question_id: str) -> Question:
    items = table.take("choices", dict).items()
    choices = tuple(_choice(_Table(f"{table.where}, choice '{key}'", value), key) for key, value in items)
    if len(choices) < 2:
        table.refuse(f"has {len(choices)} of the two or more choices that a question needs")
    answer = table.take("answer", str, None)
    keys = [choice.key for choice in choices]
    if answer is not None and answer not in keys:
        table.refuse(f"has answer = '{answer}', which is not among its choices {some(keys, 20)}")
    return PredictQuestion(question_id, table.text("text"), choices, answer, table.hints(needed=False))


def _choice(table: _Table, key: str) -> Choice:
    choice = Choice(key, table.text("text"), table.text("feedback"))
    table.finish()
    return choice


def _exercise(table: _Table, question_id: str) -> Question:
    rule = table.take("rule", str, "equals")
    if rule not in RULES:
        table.refuse(f"has rule = '{rule}'. Rules: {some(RULES, 20)}")
    truth, make_truth = table.take("truth", object, None), table.take("make_truth", str, None)
    if make_truth is not None and (truth is not None or not _MAKE.fullmatch(make_truth)):
        table.refuse(f"has make_truth = '{make_truth}'. Write 'mlscope_nb.module:function', and then no truth")
    problem = RULES[rule].problem_with(truth) if truth is not None else ""
    if problem:
        table.refuse(f"has truth = {truth!r}, but rule '{rule}' needs {problem}")
    tolerance = table.take("tolerance", (int, float), None)
    if (tolerance is not None) != (rule == "is_close") or (tolerance is not None and tolerance <= 0):
        table.refuse("needs a tolerance above 0 with rule = 'is_close', and none with another rule")
    return Exercise(
        question_id,
        table.text("text"),
        right=table.text("right"),
        wrong=table.text("wrong"),
        hints=table.hints(needed=True),
        rule=rule,
        truth=truth,
        make_truth=make_truth,
        tolerance=float(tolerance or 0),
        mistakes=_mistakes(table),
    )


def _mistakes(table: _Table) -> tuple[Mistake, ...]:
    items = enumerate(table.take("mistakes", list, []), start=1)
    return tuple(_mistake(_Table(f"{table.where}, mistake {number}", item)) for number, item in items)


def _mistake(table: _Table) -> Mistake:
    value, make = table.take("value", object, None), table.take("make", str, None)
    if (value is None) == (make is None) or (make is not None and not _MAKE.fullmatch(make)):
        table.refuse("needs a value, or make = 'mlscope_nb.module:function', which gets the data of the truth")
    mistake = Mistake(value, table.text("feedback"), make)
    table.finish()
    return mistake


def _prepared(table: _Table, question_id: str) -> Question:
    value, make = table.take("value", object, None), table.take("make", str, None)
    if make is not None and (value is not None or not _MAKE.fullmatch(make)):
        table.refuse(f"has make = '{make}'. Write make = 'mlscope_nb.module:function', and then no value")
    arguments = table.take("arguments", dict, {})
    if arguments and make is None:
        table.refuse("has arguments, but no make = 'mlscope_nb.module:function' that they are for")
    return Prepared(question_id, table.text("text"), value, make, arguments)
