"""The rules that every notebook keeps, so that a learner who has never coded can read it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

from mlscope_nb.lessons.lesson_file import find
from mlscope_nb.lessons.questions import Exercise

MOST_LINES, MOST_CHARACTERS = 8, 80
HEADINGS = ("What you will be able to do", "What goes wrong here", "The same on your own data")
AMOUNTS = {"Run-all": "second|minute", "Learning": "minute", "Memory": "MB|GB"}
CALLS = {
    "a question to predict before running (ms.lessons.predict)": r"\blessons\.predict\(",
    "a checkpoint to load when stuck (ms.lessons.checkpoint)": r"\blessons\.checkpoint\(",
    "a linked view (ms.views.…)": r"\bviews\.\w+\(",
}
CALL_WITH_ID = re.compile(r"\blessons\.(predict|check|hint|checkpoint)\(\s*[\"']([^\"']*)[\"']")
FORBIDDEN: dict[type[ast.AST] | tuple[type[ast.AST], ...], str] = {
    (ast.FunctionDef, ast.AsyncFunctionDef): "def",
    ast.ClassDef: "class",
    ast.Lambda: "lambda",
    (ast.For, ast.AsyncFor, ast.While): "a loop",
    (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp): "a comprehension (a loop in one line)",
}


def broken_rules(file: str, cells: Sequence[NotebookNode]) -> list[str]:
    """Return one line for each rule that a notebook breaks: where, what was found, what to do."""
    problems = [f"{file}: {problem}" for problem in _missing_parts(cells)]
    for number, cell in enumerate(cells, start=1):
        if cell.cell_type == "code":
            start = cell.source.strip().split("\n")[0][:40]
            problems += [f"{file}, cell {number} ({start}): {problem}" for problem in code_problems(cell.source)]
    return problems + [f"{file}: {problem}" for problem in _question_problems(cells)]


def code_problems(code: str) -> Iterator[str]:
    """Give what makes a code cell too hard for a first reader."""
    lines = code.strip().split("\n")
    if len(lines) > MOST_LINES:
        yield f"{len(lines)} lines. At most {MOST_LINES}: split the cell or move work into the package."
    long = [len(line) for line in lines if len(line) > MOST_CHARACTERS]
    if long:
        yield f"a line of {max(long)} characters. At most {MOST_CHARACTERS}."
    if any(re.match(r"\s*[%!?]|.*\?\s*$", line) and not line.lstrip().startswith("#") for line in lines):
        yield "a magic, shell or help line. Use plain Python."
        return
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        yield f"is not Python: {error.msg} in line {error.lineno}."
        return
    for kinds, name in FORBIDDEN.items():
        if any(isinstance(node, kinds) for node in ast.walk(tree)):
            yield f"has {name}. Move it into the package."


def _missing_parts(cells: Sequence[NotebookNode]) -> Iterator[str]:
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for heading in HEADINGS:
        if not re.search(rf"(?im)^#+ .*{heading}", text):
            yield f"lacks the heading '{heading}'."
    for label, units in AMOUNTS.items():
        before = rf"(?:(?!{'|'.join(AMOUNTS)})[^\n])*?"  # the number of the next label does not count
        if not re.search(rf"(?i)\b{label}\b{before}\d+\s*({units})", text):
            yield f"lacks a line '{label}: …' with a number and its unit ({units.replace('|', ', ')})."
    for part, call in CALLS.items():
        if not re.search(call, code):
            yield f"lacks {part}."


def _question_problems(cells: Sequence[NotebookNode]) -> Iterator[str]:
    """Find ids that no question has, exercises without a hint on offer, and predictions that are never answered."""
    used: dict[str, set[str]] = {"predict": set(), "check": set(), "hint": set(), "checkpoint": set()}
    for cell in cells:
        for name, found in CALL_WITH_ID.findall(cell.source if cell.cell_type == "code" else ""):
            used[name].add(found)
    for found in sorted(set().union(*used.values())):
        try:
            question = find(found)
        except (ValueError, FileNotFoundError) as error:
            yield str(error)
            continue
        if isinstance(question, Exercise) and found in used["check"] - used["hint"]:
            yield f"checks the exercise '{found}' without offering ms.lessons.hint('{found}')."
        if found in used["predict"] - used["check"]:
            yield f"asks '{found}' and never answers it: ms.lessons.check('{found}') where the result is."
