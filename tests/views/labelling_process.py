"""A program that labels cells for ever, one after the other, in processes that are killed: used by test_kill.py.

Arguments: a folder for each process, as ``folder=labels,seconds``: it is killed this long after so many labels were
given. Each process notes a label in ``returned.txt`` as soon as ``assign`` has returned.
"""

import os
import signal
import sys
import time
from pathlib import Path

import pandas as pd

import mlscope_nb as ms

N = 2_000


def make_cells():
    ids = [f"cell{i}" for i in range(N)]
    return ms.Cells(pd.DataFrame({"x": range(N), "y": range(N)}, index=ids).astype(float))


def label_for_ever(folder):
    os.chdir(folder)
    w = ms.views.explore(make_cells(), ("x", "y"))
    noted = os.open("returned.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    step = 0
    while True:
        cell, label = f"cell{step % N}", f"label {step} – {'long ' * (step % 50)}"
        w.select([cell]).assign(label)
        os.write(noted, f"{cell}\t{label}\n".encode())
        step += 1


def main():
    for job in sys.argv[1:]:
        folder, when = job.rsplit("=", 1)
        labels, seconds = when.split(",")
        child = os.fork()
        if child == 0:
            label_for_ever(folder)
        # Counted in labels, then in time: a busy machine is slow, and starting up is not what is tested.
        noted = Path(folder) / "returned.txt"
        while not noted.exists() or noted.read_bytes().count(b"\n") < int(labels):
            time.sleep(0.001)
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL


if __name__ == "__main__":
    main()
