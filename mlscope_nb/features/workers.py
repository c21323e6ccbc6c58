"""Batches of work in threads: few in memory at a time, answers in order, progress shown when it takes long."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tqdm.auto import tqdm

Item = TypeVar("Item")
Answer = TypeVar("Answer")
SECONDS_BEFORE_PROGRESS = 2


def in_order(
    work: Callable[[Item], Answer],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    total: int | None = None,
    progress: str | None = None,
) -> Iterator[Answer]:
    """Yield the answer to each item, in the order of the items, whatever the number of threads.

    Raises
    ------
    ValueError
        Fewer than one worker is asked for.
    """
    workers = min(cores(), 4) if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers is {workers}, expected at least 1.")
    answers = map(work, items) if workers == 1 else _threaded(work, items, workers)
    yield from tqdm(
        answers, total=total, desc=progress, delay=SECONDS_BEFORE_PROGRESS, disable=progress is None, leave=False
    )


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threaded(work: Callable[[Item], Answer], items: Iterable[Item], workers: int) -> Iterator[Answer]:
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
