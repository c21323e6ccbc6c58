"""Which notebooks are running, how much memory they take, and a button to shut each one down."""

from __future__ import annotations

from typing import Any

import traitlets

from mlscope_nb._kernels import kernel_memory, memory_used_gb, own_kernel
from mlscope_nb.doctor import memory_limit_gb
from mlscope_nb.views._widget import View, script

ENOUGH = 0.75
"""Above this share of the memory the view warns."""


class Running(View):
    """What `running` and `shut_down` return; the list is the Jupyter server's, asked for by the page itself."""

    _esm = script("common.js", "running.js")
    _data = traitlets.Dict().tag(sync=True)

    def __init__(self, *, ending: bool) -> None:
        self._ending = ending
        super().__init__(_data=self._measured())

    @property
    def used_gb(self) -> float:
        """Memory that is taken, in GB."""
        return float(self._data["used"])

    @property
    def limit_gb(self) -> float:
        """Memory that there is, in GB."""
        return float(self._data["limit"])

    def _measured(self) -> dict[str, Any]:
        limit = memory_limit_gb()
        used = memory_used_gb(limit)
        known = {"kernels": kernel_memory(), "own": own_kernel(), "ending": self._ending}
        return {"limit": limit, "used": used, "full": used > ENOUGH * limit, **known}

    def _on_measure(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._data = self._measured()

    def _saved(self) -> tuple[str, list[Any]]:
        if self._ending:
            return "Here is a button that shuts this notebook down.", []
        return f"Memory: {self.used_gb:.1f} of {self.limit_gb:.1f} GB in use.", []


def running() -> Running:
    """Show how much memory is in use, and the other notebooks that are running, each with a button to shut it down.

    A notebook that was closed goes on running, and keeps its memory, until its kernel is shut down.

    Returns
    -------
    Running
        ``.used_gb`` and ``.limit_gb``. Outside of JupyterLab and Notebook 7 only the memory is shown.

    Examples
    --------
    >>> 0 < running().used_gb < running().limit_gb
    True
    """
    return Running(ending=False)


def shut_down() -> Running:
    """Show a button that shuts this notebook down, so that the next one has its memory.

    Labels and answers are on disk and stay. Nothing happens before the button is pressed.

    Returns
    -------
    Running

    Examples
    --------
    >>> view = shut_down()
    """
    return Running(ending=True)
