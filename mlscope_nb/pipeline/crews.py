"""Crews: who does the fields — threads, processes, or the workers of a Dask cluster. Outcomes come as they finish."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import reduction
from multiprocessing.connection import wait as wait_for
from typing import Any
from uuid import uuid4

from mlscope_nb.pipeline.parts import Part
from mlscope_nb.pipeline.sources import Source
from mlscope_nb.pipeline.work import Outcome, Work, limit_threads, one_thread

DEATHS = 2
"""A field that ended its worker this often, alone in it, is given up."""
SENT_AHEAD, FEWEST_SENT = 3, 32
GUARD = (
    "A worker process could not start. In a script the call has to stand under "
    "`if __name__ == '__main__':`, because each worker reads the script again; or use scheduler='threads'."
)

Outcomes = Generator[Outcome, None, None]


def nobody() -> Outcomes:
    """Do nothing: all fields are done."""
    yield from ()


def in_threads(work: Work, sources: Iterable[Source], workers: int) -> Outcomes:
    """Do the fields in threads of this process."""
    with one_thread(work.recipe), ThreadPoolExecutor(workers, "mlscope-field") as pool:
        for _, future in _rolling(pool, work, deque(sources), workers):
            yield future.result()


def in_processes(work: Work, sources: Iterable[Source], workers: int) -> Outcomes:
    """Do the fields in processes; where one is killed, others take its place and its fields are done again.

    Which of the fields that were being done ended the worker is not known, so each is then tried alone.

    Raises
    ------
    RuntimeError
        No worker can be started.
    ValueError
        What reads the fields cannot be sent to another process.
    """
    left, alone, deaths = deque(sources), deque[Source](), Counter[str]()
    _refuse_stuck(left[0])
    while left or alone:
        with _pool(work, workers) as pool:
            while alone:
                (suspect,) = batch = deque([alone.popleft()])
                lost = yield from _until_broken(pool, work, batch, 1)
                if lost:
                    deaths[suspect.field_id] += 1
                    if deaths[suspect.field_id] >= DEATHS:
                        yield _given_up(work, suspect)
                    else:
                        alone.append(suspect)
                    break
            else:
                alone.extend((yield from _until_broken(pool, work, left, workers)))


def on_client(work: Work, sources: Iterable[Source], client: Any) -> Outcomes:
    """Do the fields on the workers of a Dask cluster, a few per worker sent ahead.

    A field whose worker is lost is sent to another one by Dask itself; a field that ends several is given up. There
    need not be a worker yet: those of a queue come when it is their turn.
    """
    from distributed import KilledWorker
    from distributed import wait as wait_for_any

    left, waiting = deque(sources), dict[Any, Source]()
    try:
        while left or waiting:
            while left and len(waiting) < max(FEWEST_SENT, SENT_AHEAD * sum(client.nthreads().values())):
                source = left.popleft()
                waiting[client.submit(work, source, key=f"field-{uuid4().hex}", pure=False)] = source
            for future in wait_for_any(list(waiting), return_when="FIRST_COMPLETED").done:
                source = waiting.pop(future)
                error = future.exception()
                yield _given_up(work, source) if isinstance(error, KilledWorker) else future.result()
    finally:
        client.cancel(list(waiting))


def _until_broken(
    pool: Executor, work: Work, left: deque[Source], workers: int
) -> Generator[Outcome, None, list[Source]]:
    """Yield outcomes until all are done or a worker died; return the fields that were being done then."""
    lost: list[Source] = []
    for source, future in _rolling(pool, work, left, workers):
        if isinstance(future.exception(), BrokenProcessPool):
            lost.append(source)
        else:
            yield future.result()
    return lost


def _rolling(
    pool: Executor, work: Callable[[Source], Outcome], left: deque[Source], workers: int
) -> Iterator[tuple[Source, Future[Outcome]]]:
    """Keep each worker busy and no more: what waits in a pool cannot be told from what is being done."""
    waiting: dict[Future[Outcome], Source] = {}
    broken = False
    while waiting or (left and not broken):
        while left and len(waiting) < workers and not broken:
            source = left.popleft()
            try:
                waiting[pool.submit(work, source)] = source
            except BrokenProcessPool:
                left.appendleft(source)
                broken = True
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            broken = broken or isinstance(future.exception(), BrokenProcessPool)
            yield waiting.pop(future), future


def _pool(work: Work, workers: int) -> ProcessPoolExecutor:
    """Start processes that are no copies of this one (threads and locks would be copied too)."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(work,))
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise RuntimeError(GUARD) from error
    return pool


def _begin(work: Work) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(work.recipe)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _refuse_stuck(source: Source) -> None:
    """Refuse what a worker process could not be handed; nothing is read back here."""
    try:
        reduction.ForkingPickler.dumps(source)
    except (reduction.pickle.PicklingError, AttributeError, TypeError) as error:  # type: ignore[attr-defined]
        raise ValueError(
            f"What reads these fields cannot be sent to another process: {error}. Use scheduler='threads' or 'dask', "
            "or fields that ms.io reads."
        ) from error


def _given_up(work: Work, source: Source) -> Outcome:
    error = f"the worker process ended {DEATHS} times while it was doing this field; it may need more memory"
    Part(work.folder, source.field_id).fail("working", error)
    return Outcome(source.field_id, "failed")
