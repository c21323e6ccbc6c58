"""What a whole room answered: the files of all learners in one table, and what was misunderstood."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.lessons import answers
from mlscope_nb.lessons.cards import card, paragraphs, table
from mlscope_nb.lessons.lesson_file import lesson_names, lesson_path, read_lesson
from mlscope_nb.lessons.questions import Exercise, PredictQuestion, Question
from mlscope_nb.lessons.rules import same

FILE = "answers.jsonl"
MOST_BYTES = 20_000_000
MOST_FILES = 5_000
_COLUMNS = ["learner", "time", "question", "step", "value", "right"]


@dataclass(frozen=True)
class Room:
    """The answers of many learners.

    Parameters
    ----------
    answers : DataFrame
        One row for each answer, in the order given: learner, time, question, step, value, right.
    questions : DataFrame
        One row for each question that anybody answered: text, learners who answered, how many were right at first and
        in the end, and the wrong first answer that most gave.
    misconceptions : DataFrame
        One row for each wrong first answer: question, answer, learners, share of those who answered, and the
        explanation that they got.
    learners : DataFrame
        One row for each learner: answered, right in the end, and of how many questions.
    problems : DataFrame
        Files that could not be read, wholly or in part, and why.
    """

    answers: pd.DataFrame
    questions: pd.DataFrame
    misconceptions: pd.DataFrame
    learners: pd.DataFrame
    problems: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return all tables as lists of rows."""
        names = ("answers", "questions", "misconceptions", "learners", "problems")
        return {name: getattr(self, name).to_dict("records") for name in names}

    def __str__(self) -> str:
        told = f"{count(len(self.learners), 'learner')}, {count(len(self.questions), 'question')} answered."
        if len(self.misconceptions):
            most = self.misconceptions.iloc[0]
            of = self.questions.loc[most["question"], "learners"]
            told += (
                f" Most misunderstood: '{most['question']}': {most['learners']} of {of} said '{most['answer']}' first."
            )
        if len(self.problems):
            told += f" {count(len(self.problems), 'file')} with problems: see .problems."
        return told

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = ["Question", "Learners", "Right at first", "Right in the end", "Most common wrong answer"]
        rows = [
            [str(v) for v in (i, *row)] for i, row in zip(self.questions.index, _shown(self.questions), strict=True)
        ]
        return card("Your room", [paragraphs(str(self)), table(head, rows)])


def collect(folder: str | Path, notebook: str | None = None) -> Room:
    """Tabulate the answers of a room.

    Parameters
    ----------
    folder : path
        What learners handed in, in any depth: their ``answers.jsonl`` (from ``mlscope_work``), the folders that hold
        them, or the zip files of ``ms.views.save_work``. A learner is one such file and the name in it.
    notebook : str, optional
        One notebook only, for example ``"00_start_here"``.

    Returns
    -------
    Room
        ``.questions``, ``.misconceptions``, ``.learners``, ``.answers``, ``.problems``.

    Raises
    ------
    NotADirectoryError
        There is no such folder.
    FileNotFoundError
        It holds no answers; or there are no questions of that notebook.

    Examples
    --------
    >>> import json, tempfile
    >>> import mlscope_nb as ms
    >>> room = Path(tempfile.mkdtemp())
    >>> entry = {"time": "2026-01-01T10:00:00+00:00", "who": "ana", "id": "07_pitfalls/how_many",
    ...          "step": "check", "value": 400, "right": False}
    >>> _ = (room / "ana").mkdir(), (room / "ana" / "answers.jsonl").write_text(json.dumps(entry))
    >>> ms.lessons.collect(room).questions[["learners", "right_at_first"]].values.tolist()
    [[1, 0]]
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise NotADirectoryError(f"'{root}' is not a folder. Give the folder with what your learners handed in.")
    names = [notebook] if notebook is not None else lesson_names()
    known = {q.id: q for name in names for q in read_lesson(lesson_path(name)).values()}
    rows, problems = _gathered(root)
    if not rows and not problems:
        raise FileNotFoundError(f"There are no answers in '{root}': no file '{FILE}', and no zip file that holds one.")
    given = pd.DataFrame(rows, columns=_COLUMNS)
    given = given[given["question"].isin(known)].sort_values("time", kind="stable", ignore_index=True)
    firsts, lasts = (_ends(given, known, last=last) for last in (False, True))
    wrong = _misconceptions(firsts, known)
    return Room(
        given,
        _questions(firsts, lasts, wrong, known),
        wrong,
        _learners(lasts, sum(isinstance(q, PredictQuestion | Exercise) for q in known.values())),
        pd.DataFrame(problems, columns=["file", "reason"]),
    )


def _gathered(root: Path) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]]]:
    """Return all answers of all files, and the files with problems."""
    rows: list[tuple[Any, ...]] = []
    problems: list[tuple[str, str]] = []
    for name, data in _files(root):
        if isinstance(data, str):
            problems.append((name, data))
            continue
        entries, bad = answers.parse(data)
        if bad:
            problems.append((name, f"{count(bad, 'line')} could not be read"))
        several = len({entry.who for entry in entries}) > 1
        for e in entries:
            rows.append((f"{name} · {e.who}" if several else name, e.time, e.id, e.step, e.value, e.right))
    return rows, problems


def _files(root: Path) -> Iterator[tuple[str, bytes | str]]:
    """Yield the learner's name (from where the file lies) and its bytes, or the reason why there are none."""
    for n, path in enumerate(sorted(root.rglob("*"))):
        if n >= MOST_FILES:
            yield root.name, f"more than {MOST_FILES:,} files: the rest was left out"
            return
        if path.is_symlink() or not path.is_file():
            continue
        if path.name == FILE:
            yield _learner(path.relative_to(root)), _read(path)
        elif path.suffix.lower() == ".zip":
            yield _learner(path.relative_to(root).with_suffix("")), _unzipped(path)


def _learner(path: Path) -> str:
    parts = [part for part in PurePosixPath(path.as_posix()).parts if part not in (FILE, "mlscope_work")]
    return "/".join(parts) or "this folder"


def _read(path: Path) -> bytes | str:
    try:
        size = path.stat().st_size
        return (
            path.read_bytes()
            if size <= MOST_BYTES
            else f"{size / 1e6:,.0f} MB, expected {MOST_BYTES / 1e6:,.0f} at most"
        )
    except OSError as error:
        return f"could not be read ({error.strerror})"


def _unzipped(path: Path) -> bytes | str:
    """Return the answers in a zip file of `save_work`; nothing is unpacked to disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [e for e in archive.infolist() if PurePosixPath(e.filename).name == FILE]
            if not inside:
                return f"holds no '{FILE}'"
            with archive.open(inside[0]) as source:
                data = source.read(MOST_BYTES + 1)
    # zipfile's NotImplementedError is an unknown method of packing, its RuntimeError a password.
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        return f"cannot be read as a zip file ({error})"
    return data if len(data) <= MOST_BYTES else f"its answers are more than {MOST_BYTES / 1e6:,.0f} MB"


def _ends(given: pd.DataFrame, known: dict[str, Question], *, last: bool) -> pd.DataFrame:
    """Return the first or last answer of each learner to each question, and whether it is right."""
    told = [_is_right(row, known[str(row.question)]) for row in given.itertuples()]
    rows = given.assign(right=pd.Series(told, given.index, dtype=object))
    rows = rows[rows["right"].notna()]
    return rows.drop_duplicates(["learner", "question"], keep="last" if last else "first")


def _is_right(row: Any, question: Question) -> bool | None:
    if isinstance(row.right, bool):
        return row.right
    written = question.answer if isinstance(question, PredictQuestion) else None
    return None if written is None else bool(row.value == written)


def _misconceptions(firsts: pd.DataFrame, known: dict[str, Question]) -> pd.DataFrame:
    """Return how many learners gave each wrong answer first, and what they were told."""
    asked = firsts.groupby("question").size()
    wrong = firsts[~firsts["right"].astype(bool)].groupby(["question", "value"], sort=False).size()
    rows: list[tuple[str, object, int, float, str]] = []
    for key, n in wrong.items():
        question, value = cast("tuple[str, object]", key)
        rows.append((question, value, int(n), n / asked[question], _explained(known[question], value)))
    made = pd.DataFrame(rows, columns=["question", "answer", "learners", "share", "explanation"])
    return made.sort_values(["learners", "question"], ascending=[False, True], kind="stable", ignore_index=True)


def _explained(question: Question, value: object) -> str:
    if isinstance(question, PredictQuestion):
        return next((f"{c.text}. {c.feedback}" for c in question.choices if c.key == value), "")
    if isinstance(question, Exercise):
        return next((m.feedback for m in question.mistakes if same(value, m.value)), question.wrong)
    return ""


def _questions(
    firsts: pd.DataFrame, lasts: pd.DataFrame, wrong: pd.DataFrame, known: dict[str, Question]
) -> pd.DataFrame:
    """Return one row for each question, in the order of the notebooks."""
    most = wrong.drop_duplicates("question").set_index("question")["answer"]
    by_first, by_last = (rows.groupby("question")["right"] for rows in (firsts, lasts))
    asked = [name for name in known if name in set(firsts["question"])]
    made = pd.DataFrame(
        {
            "text": [known[name].text for name in asked],
            "learners": by_first.size().reindex(asked).astype(int),
            "right_at_first": by_first.sum().reindex(asked).astype(int),
            "right_in_the_end": by_last.sum().reindex(asked).astype(int),
            "common_wrong_answer": most.reindex(asked).astype(object).where(lambda v: v.notna(), ""),
        },
        index=pd.Index(asked, name="question"),
    )
    return made


def _learners(lasts: pd.DataFrame, total: int) -> pd.DataFrame:
    rows = lasts.groupby("learner")["right"].agg(["size", "sum"]).astype(int)
    return rows.set_axis(["answered", "right"], axis=1).assign(questions=total)


def _shown(questions: pd.DataFrame) -> list[list[object]]:
    return questions[["learners", "right_at_first", "right_in_the_end", "common_wrong_answer"]].to_numpy().tolist()
