"""kill -9: what was done stays, and what comes of it in the end is the same to the last bit."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import mlscope_nb as ms

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
import mlscope_nb as ms
if __name__ == "__main__":
    read = {"channels": ["DNA", "actin", "mito"], "pixel_size_um": 0.5}
    ms.pipeline.run(sys.argv[1], sys.argv[2], read=read, workers=2, progress=False)
"""


def done(store):
    return {file.name: file.stat().st_mtime_ns for file in (store / "tables").glob("*.parquet")}


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def worker_of(process):
    """One of the processes that do fields (spawn starts another one that watches resources)."""
    return next(c for c in process.children() if "spawn_main" in " ".join(c.cmdline()))


def test_a_worker_is_killed(files, direct, tmp_path, same, read):
    store = tmp_path / "store"
    killed = []

    def kill():
        wait_for(lambda: len(done(store)) >= 3)
        victim = worker_of(psutil.Process())
        os.kill(victim.pid, signal.SIGKILL)
        killed.append(len(done(store)))

    thread = threading.Thread(target=kill)
    thread.start()
    cells = ms.pipeline.run(files, store, read=read, workers=2, progress=False)
    thread.join()
    assert killed and killed[0] < 12
    assert same(cells, direct)
    assert not len(ms.pipeline.problems(store))


def test_the_main_process_is_killed(files, direct, tmp_path, same, read):
    store, script = tmp_path / "store", tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    main = subprocess.Popen([sys.executable, script, files, store], env=environment)
    try:
        wait_for(lambda: len(done(store)) >= 3)
        workers = [c for c in psutil.Process(main.pid).children() if "spawn_main" in " ".join(c.cmdline())]
    finally:
        main.kill()
        main.wait()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "workers outlived their main process"
    before = done(store)
    assert 3 <= len(before) < 12
    cells = ms.pipeline.run(files, store, read=read, workers=1, progress=False)
    assert same(cells, direct)
    assert {name: at for name, at in done(store).items() if name in before} == before


@pytest.mark.slow
def test_a_worker_of_a_local_cluster_is_killed(files, direct, tmp_path, same, read):
    from distributed import Client, LocalCluster

    store = tmp_path / "store"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        pids = [worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()]

        def kill():
            wait_for(lambda: len(done(store)) >= 3)
            os.kill(pids[0], signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        cells = ms.pipeline.run(files, store, read=read, client=client, progress=False)
        thread.join()
    assert same(cells, direct)
