"""Errors that say which file they are about, whatever part of a reader found them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the name of a file in front of what goes wrong while it is read, unless it is named already.

    Raises
    ------
    ValueError
        In place of another one without the name, or when there is not enough memory for what the file says it holds.

    Examples
    --------
    >>> with naming("cells.csv"):
    ...     raise ValueError("no rows")
    Traceback (most recent call last):
    ValueError: 'cells.csv': no rows
    """
    try:
        yield
    except (ValueError, OverflowError, MemoryError) as error:
        text = str(error) or type(error).__name__
        if isinstance(error, ValueError) and str(path) in text:
            raise
        raise ValueError(f"'{path}': {text}") from error
