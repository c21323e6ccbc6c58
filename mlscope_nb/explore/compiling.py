"""Loops that numpy cannot do, compiled once on a machine and read from its disk after that."""

from __future__ import annotations

from collections.abc import Callable


def compiled(function: Callable[..., None], *, fastmath: bool = False) -> Callable[..., None]:
    """Compile a function with numba; the result is kept beside the package, or in the user's cache folder.

    Where neither can be written to, it is compiled again in each process. Threads may run it at the same time.
    """
    import numba

    try:
        return numba.njit(function, cache=True, nogil=True, fastmath=fastmath)
    except RuntimeError:  # numba's word for "no folder to keep it in"
        return numba.njit(function, nogil=True, fastmath=fastmath)
