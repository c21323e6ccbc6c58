"""Run: from fields to cells with numbers, on as many workers as there are, into a store that grows field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tqdm.auto import tqdm

from mlscope_nb.cells import Cells
from mlscope_nb.doctor import usable_cores
from mlscope_nb.fields import Fields
from mlscope_nb.io.crops import refuse_written
from mlscope_nb.io.listing import Paths
from mlscope_nb.pipeline import crews
from mlscope_nb.pipeline.opening import Features, load
from mlscope_nb.pipeline.recipe import Recipe, Step
from mlscope_nb.pipeline.sources import Source, listed
from mlscope_nb.pipeline.store import Store, status
from mlscope_nb.pipeline.work import Outcome, Work, here

if TYPE_CHECKING:
    from distributed import Client

Scheduler = Literal["processes", "threads", "dask"]
HOPELESS = 20
"""So many fields fail before the first one succeeds: then it is the settings, and the rest is not tried."""


def run(
    fields: Fields | Paths,
    store: str | Path,
    *,
    read: Mapping[str, Any] | None = None,
    segment: Step | None = None,
    segment_cells: Step = False,
    crop: Step = True,
    measure: Step = True,
    embed_pretrained: Step = False,
    workers: int | None = None,
    scheduler: Scheduler = "processes",
    client: Client | None = None,
    retry: bool = False,
    features: Features | None = None,
    progress: bool = True,
) -> Cells:
    """Segment, crop, measure and embed every field, a field at a time, and keep each result as it is made.

    Run it again after it was stopped, in whatever way, and it goes on: at most the fields in work are lost. A field
    that cannot be done is listed with its error in `problems`, and the others go on. Each worker has one thread, so
    the numbers do not depend on who computes them.

    Parameters
    ----------
    fields : Fields, or path, pattern or list of paths
        Fields that are read when they are needed (``ms.io.read_fields(…, keep_mb=0)``, a plate in OME-Zarr), or image
        files, which only the workers open.
    store : path
        A folder, made if it is not there; all workers have to see it under this path.
    read : dict, optional
        For image files: options of ``ms.io.read_fields`` (channels, masks, pixel_size_um, metadata, on, label, unit,
        batch, control, treatment).
    segment, segment_cells, crop, measure, embed_pretrained : bool or dict
        Whether the function of this name (``ms.io``, ``ms.features``) is called, and with which options. Default for
        `segment`: where the fields have no masks.
    workers : int, optional
        How many fields at a time; default: one for each core. With `client`, the cluster decides.
    scheduler : {"processes", "threads", "dask"}
        Who works: processes (a script needs ``if __name__ == "__main__":``); threads of this process, which share one
        interpreter and so gain less; or a Dask cluster on this computer, with its dashboard
        (``pip install "mlscope_nb[cluster]"``). One worker always works in this process.
    client : distributed.Client, optional
        Any Dask cluster (Slurm, Kubernetes, …: ``docs/howto/run_on_a_cluster.md``).
    retry : bool
        Try fields again that failed before.
    features : "all", "measured" or "embedded", optional
        As in `load`.
    progress : bool
        Show a bar, with the address of Dask's dashboard.

    Returns
    -------
    Cells
        Over the store: crops are read when they are needed. In the order of the fields, whoever finished first.

    Raises
    ------
    ValueError, KeyError, FileNotFoundError
        Options or tables do not fit, the store was made with other settings, no field has cells, or the first 20 all
        failed.
    ImportError
        Dask is asked for and not installed.
    RuntimeError
        No worker process can be started.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, pandas as pd
    >>> spot = np.zeros((64, 64)); spot[20:34, 20:34] = 9
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cells = run(Fields(pd.DataFrame(index=["f1"]), [spot]), f"{folder}/store", workers=1)
    ...     print(len(cells), cells.images[0].shape)
    1 (1, 64, 64)
    """
    found = listed(fields, read)
    refuse_written(found.obs)
    recipe = Recipe.of(
        found.reading,
        segment=not found.masks if segment is None else segment,
        segment_cells=segment_cells,
        crop=crop,
        measure=measure,
        embed_pretrained=embed_pretrained,
    )
    if client is None and scheduler == "dask":
        require_dask()
    opened = Store.prepare(Path(store), recipe, found)
    states = status(opened.folder)["state"]
    wanted = ("to do", "failed") if retry else ("to do",)
    todo = [s for s in found.sources if states[s.field_id] in wanted]
    work = Work(opened.folder, recipe, opened.kind, here())
    some_done = bool((states == "done").any())
    # Closed before its cluster is, and at once when this is interrupted: what was not begun is not begun any more.
    with _crew(work, todo, _number(workers), scheduler, client) as (outcomes, link), closing(outcomes):
        _follow(outcomes, len(states), len(states) - len(todo), link, progress, some_done)
    return load(store, features=features)


def require_dask() -> None:
    """Raise unless Dask's scheduler is installed.

    Raises
    ------
    ImportError
        With the command that installs it.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "scheduler='dask' needs two more packages: python -m pip install \"mlscope_nb[cluster]\""
        ) from error


@contextmanager
def _crew(
    work: Work, todo: Sequence[Source], workers: int, scheduler: Scheduler, client: Client | None
) -> Iterator[tuple[crews.Outcomes, str]]:
    """Give the outcomes as they come, and the address of a dashboard or ""."""
    if scheduler not in ("processes", "threads", "dask"):
        raise ValueError(f"scheduler is {scheduler!r}, expected 'processes', 'threads' or 'dask'.")
    if not todo:
        yield crews.nobody(), ""
    elif client is not None:
        yield crews.on_client(work, todo, client), str(client.dashboard_link)
    elif scheduler == "dask":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as local,
        ):
            yield crews.on_client(work, todo, local), str(local.dashboard_link)
    elif workers == 1 or scheduler == "threads":
        yield crews.in_threads(work, todo, workers), ""
    else:
        yield crews.in_processes(work, todo, workers), ""


def _follow(outcomes: Iterator[Outcome], total: int, before: int, link: str, progress: bool, some_done: bool) -> None:
    """Take outcomes until all fields are done, and show how many are."""
    failed = 0
    with tqdm(total=total, initial=before, desc="Fields", unit="field", disable=not progress) as bar:
        for outcome in outcomes:
            failed += outcome.state == "failed"
            some_done = some_done or outcome.state != "failed"
            bar.set_postfix_str(", ".join(filter(None, [f"{failed} failed" if failed else "", link])), refresh=False)
            bar.update()
            if failed >= HOPELESS and not some_done:
                raise ValueError(
                    f"The first {failed} fields all failed, the last one: {outcome.field_id}. See "
                    "ms.pipeline.problems(store), change the settings, and give another store."
                )


def _number(workers: int | None) -> int:
    if workers is None:
        return usable_cores()
    if workers < 1:
        raise ValueError(f"workers is {workers}, expected at least 1.")
    return workers
