"""Runs solution notebooks as a learner would, and says what it cost and what went wrong."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

# Run-all in seconds and kernel peak in MB, on one core, by the number a notebook's name starts with.
SECONDS = {"00": 60, "05": 240, "06": 240}
MEGABYTES = {"00": 900, "01": 1000, "02": 1000, "03": 1000}
OTHER_SECONDS, OTHER_MEGABYTES, CELL_SECONDS, SAVED_MEGABYTES = 180, 1200, 45, 5
# Keeps the kernel's own start-up messages out of the terminal; what a cell writes is not concerned.
QUIET = ["--IPKernelApp.log_level=40"]


@dataclass
class Run:
    """What one run took, and every problem it showed."""

    name: str
    seconds: float = 0.0
    slowest_cell: float = 0.0
    peak_mb: float = 0.0
    saved_mb: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = f"{self.seconds:.1f} s, slowest cell {self.slowest_cell:.1f} s, kernel peak {self.peak_mb:.0f} MB"
        state = "ok" if not self.problems else "FAILED"
        problems = "".join(f"\n    {problem}" for problem in self.problems)
        return f"{self.name}: {state}, {figures}, saved {self.saved_mb:.2f} MB{problems}"


def run_solutions(texts: Mapping[str, str], lessons: Path) -> int:
    """Run notebooks, name to text, print a line for each, and return 1 if any has a problem."""
    failed = False
    for name, text in texts.items():
        run = run_notebook(name, text, lessons)
        print(run, flush=True)
        failed = failed or bool(run.problems)
    return int(failed)


def run_notebook(name: str, text: str, lessons: Path, *, cell_timeout: int = 600) -> Run:
    """Run a notebook in a fresh kernel and a fresh folder, so that no earlier answers help it.

    The folder `lessons`, where there is one, holds questions that are not in the package.
    """
    run = Run(name)
    notebook = nbformat.reads(text, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        if lessons.is_dir():
            shutil.copytree(lessons, Path(folder) / "lessons")
        place = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=cell_timeout, resources=place, extra_arguments=QUIET)
        _time_cells(client, run)
        begun = time.perf_counter()
        try:
            _execute(client, run)
        except CellExecutionError:
            run.problems.append("stopped at an error")  # which one stands in that cell's output
        except (CellTimeoutError, DeadKernelError) as error:
            run.problems.append(str(error).strip())
        run.seconds = time.perf_counter() - begun
    run.saved_mb = len(nbformat.writes(notebook).encode()) / 2**20
    run.problems += [*_bad_outputs(notebook), *_over_budget(run)]
    return run


def _execute(client: NotebookClient, run: Run) -> None:
    with client.setup_kernel():
        manager: Any = client.km
        with _watch_memory(manager.provisioner.pid, run):
            for index, cell in enumerate(client.nb.cells):
                client.execute_cell(cell, index)
    client.set_widgets_metadata()


def _time_cells(client: NotebookClient, run: Run) -> None:
    started: dict[int, float] = {}

    def start(cell: NotebookNode, cell_index: int) -> None:
        started[cell_index] = time.perf_counter()

    def end(cell: NotebookNode, cell_index: int, execute_reply: object) -> None:
        run.slowest_cell = max(run.slowest_cell, time.perf_counter() - started[cell_index])

    client.on_cell_execute, client.on_cell_executed = start, end


@contextmanager
def _watch_memory(pid: int, run: Run) -> Iterator[None]:
    done = threading.Event()
    kernel = psutil.Process(pid)

    def watch() -> None:
        while not done.wait(0.05):
            run.peak_mb = max(run.peak_mb, _resident_mb(kernel))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        run.peak_mb = max(run.peak_mb, _high_water_mb(pid))


def _resident_mb(kernel: psutil.Process) -> float:
    """Return the memory of the kernel and the processes it started; those that just ended count nothing."""
    try:
        family = [kernel, *kernel.children(recursive=True)]
        return sum(process.memory_info().rss for process in family) / 2**20
    except psutil.Error:
        return 0.0


def _high_water_mb(pid: int) -> float:
    """Return the kernel's own peak as Linux counts it, which no sampling misses; 0 elsewhere."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _bad_outputs(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield f"cell {number}: {output.ename}: {output.evalue}"
            elif output.get("name") == "stderr":
                yield f"cell {number} writes to stderr: {output.text.strip()[:500]}"


def _over_budget(run: Run) -> Iterator[str]:
    number = run.name[:2]
    limits = {
        "seconds in all": (run.seconds, SECONDS.get(number, OTHER_SECONDS)),
        "seconds in one cell": (run.slowest_cell, CELL_SECONDS),
        "MB of kernel memory": (run.peak_mb, MEGABYTES.get(number, OTHER_MEGABYTES)),
        "MB saved": (run.saved_mb, SAVED_MEGABYTES),
    }
    for what, (found, limit) in limits.items():
        if found > limit:
            yield f"{found:.1f} {what}; the budget is {limit}"
