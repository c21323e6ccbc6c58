"""What a worker does: read one field, take the steps, leave the results in the store."""

from __future__ import annotations

import os
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from mlscope_nb.pipeline.parts import Part, check_kind
from mlscope_nb.pipeline.recipe import Recipe
from mlscope_nb.pipeline.sources import Kind, Source

DETAIL_LINES = 12
_limited = False


@dataclass(frozen=True)
class Outcome:
    """What became of one field.

    Parameters
    ----------
    field_id : str
    state : "done", "empty" or "failed"
    n_cells : int
    seconds : float
        From opening the field to its last file.
    processor_seconds : float
        Of the thread that did it.
    """

    field_id: str
    state: Literal["done", "empty", "failed"]
    n_cells: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0


@dataclass(frozen=True)
class Work:
    """Everything that is the same for all fields; called with one field.

    Parameters
    ----------
    folder : Path
        The store.
    recipe : Recipe
    kind : Kind
    asked_by : tuple of str and int
        Host and process that wait for the results: their threads are not for a worker to limit.
    """

    folder: Path
    recipe: Recipe
    kind: Kind
    asked_by: tuple[str, int]

    def __call__(self, source: Source) -> Outcome:
        """Do one field; what goes wrong with it is written down, and is no reason to stop."""
        if self.asked_by != here():
            limit_threads(self.recipe)
        part, steps = Part(self.folder, source.field_id), ["reading"]
        began, used = time.perf_counter(), time.thread_time()
        try:
            field = source.read()
            check_kind(Kind.of(field), self.kind)
            made = self.recipe.apply(field, steps.append)
            steps.append("writing")
            n = part.write(made)
        except Exception as error:  # noqa: BLE001 - whatever it is, it stands in the table of problems
            last = "".join(traceback.format_exception(error)).strip().splitlines()[-DETAIL_LINES:]
            part.fail(steps[-1], f"{type(error).__name__}: {error}", "\n".join(last))
            return Outcome(source.field_id, "failed", 0, time.perf_counter() - began, time.thread_time() - used)
        spent = time.perf_counter() - began, time.thread_time() - used
        return Outcome(source.field_id, "done" if n else "empty", n, *spent)


def here() -> tuple[str, int]:
    """Return host and process."""
    return socket.gethostname(), os.getpid()


def limit_threads(recipe: Recipe) -> None:
    """Let this worker's libraries use one thread each, and show no bars of their own, for as long as it lives."""
    global _limited
    if _limited:
        return
    from threadpoolctl import threadpool_limits

    if recipe.embeds:
        import torch

        torch.set_num_threads(1)
    threadpool_limits(1)
    tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)  # type: ignore[method-assign, assignment]
    _limited = True


@contextmanager
def one_thread(recipe: Recipe) -> Iterator[None]:
    """Let the libraries of this process use one thread each, and as many as before afterwards."""
    from threadpoolctl import threadpool_limits

    before = None
    if recipe.embeds:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        if before is not None:
            torch.set_num_threads(before)
