"""Loops that numpy cannot do, compiled once on a machine and read from its disk after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., None], *, fastmath: bool = False) -> Callable[..., None]:
    """Compile a function with numba; the result is kept beside the package, or in the user's cache folder.

    Where neither can be written to, it is compiled again in each process. Threads may run it at the same time.
    """
    import numba

    options = {"nogil": True, "fastmath": fastmath}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # numba's word for "no folder to keep it in"
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
