"""Conditions on columns, as in ``"plate == 'p1' and area > 50"``: comparisons only, nothing in them can run."""

from __future__ import annotations

import ast
import re
import unicodedata

import numpy as np
import pandas as pd

from mlscope_nb._words import meant, some

# Text in quotes is passed over, so that a backtick inside it names no column.
_PIECES = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?P<column>[^`]*)`""")
_PLACEHOLDER = "mlscope_column_{}"
_ALLOWED: tuple[type[ast.AST], ...] = (
    *(ast.Expression, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.BinOp, ast.Name, ast.Constant, ast.List, ast.Tuple),
    *(ast.Load, ast.boolop, ast.unaryop, ast.cmpop, ast.BitAnd, ast.BitOr),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
)
# All that pandas and numpy raise for a condition that parses but makes no sense for these columns.
_UNFIT = (NameError, SyntaxError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


def holds(frame: pd.DataFrame, query: str) -> np.ndarray:
    """Return, for each row, whether a condition on its columns holds (missing values: it does not).

    Parameters
    ----------
    frame : DataFrame
    query : str
        Column names, numbers and text compared with ``== != < <= > >= in``, joined with ``and``, ``or`` and ``not``.
        A name with spaces stands in backticks.

    Raises
    ------
    ValueError
        It calls something, names no column, or is not True or False for each row.

    Examples
    --------
    >>> holds(pd.DataFrame({"cell area": [40, 60]}), "`cell area` > 50").tolist()
    [False, True]
    """
    if not isinstance(query, str):
        raise TypeError(
            f'The condition is a {type(query).__name__}, expected text such as "area > 50". '
            "To choose by ids or by a mask of True and False use subset."
        )
    try:
        plain, quoted = _without_backticks(query.strip(), frame)
        _refuse_all_but_comparisons(plain)
        result = frame.assign(**_as_python_reads_them(frame), **quoted).eval(
            plain, engine="python", local_dict={}, global_dict={}
        )
        return _true_or_false(result, len(frame))
    # pandas raises NotImplementedError for grammar it does not read: part of the answer, not a gap of ours.
    except (*_UNFIT, NotImplementedError, RecursionError) as error:
        why = f"{error}.{_advice(query, error, frame)}"
        raise ValueError(f"Cannot use the condition {query!r}: {why} Columns: {some(frame.columns, 20)}.") from error


def _advice(query: str, error: Exception, frame: pd.DataFrame) -> str:
    """Say what a beginner probably meant, where that can be told."""
    unknown = re.search(r"name '(.+)' is not defined", str(error))
    if unknown:
        return meant(unknown[1], frame.columns) or f" Text stands in quotation marks: '{unknown[1]}'."
    return " Two things are compared with ==." if re.search(r"[^=<>!]=[^=]", query) else ""


def _without_backticks(query: str, frame: pd.DataFrame) -> tuple[str, dict[str, pd.Series]]:
    """Put plain names in place of names in backticks: what is checked is then exactly what pandas reads."""
    quoted: dict[str, pd.Series] = {}

    def plain(piece: re.Match[str]) -> str:
        column = piece["column"]
        if column is None:
            return piece[0]
        if column not in frame.columns:
            raise ValueError(f"there is no column `{column}`")
        name = _PLACEHOLDER.format(len(quoted))
        quoted[name] = frame[column]
        return name

    return _PIECES.sub(plain, query), quoted


def _as_python_reads_them(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns such as area_µm again, under the name that Python makes of it (another letter µ)."""
    names = {unicodedata.normalize("NFKC", c): c for c in frame.columns}
    return {name: frame[c] for name, c in names.items() if name not in frame.columns}


def _refuse_all_but_comparisons(query: str) -> None:
    for node in ast.walk(ast.parse(query, mode="eval")):
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__.lower()
            raise ValueError(
                f"it holds {ast.unparse(node) or 'an operator'} ({kind}), expected only columns, numbers and 'text' "
                "compared with == != < > in, and joined with and, or, not"
            )


def _true_or_false(result: object, n: int) -> np.ndarray:
    if not (isinstance(result, pd.Series | np.ndarray) and len(result) == n and pd.api.types.is_bool_dtype(result)):
        found = result.dtype if isinstance(result, pd.Series | np.ndarray) else f"one {type(result).__name__}"
        raise ValueError(
            f"it gives {found}, expected True or False for each row. Compare with a value, as in area > 50"
        )
    values: np.ndarray = pd.Series(result).fillna(False).to_numpy(dtype=bool)
    return values
