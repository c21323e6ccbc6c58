"""Damaged and hostile image files: every one has to end in a result or in a ValueError or OSError that names it.

Good files of every kind are damaged at random (cut, bits turned, bytes of noise, numbers changed, pieces swapped,
grown, emptied) and read to the last pixel; files made to do harm are read as they are. Each kind runs in a process of
its own, of which the peak of memory is measured. Run: studies/io_fuzz.py [rounds, default 40].
"""

import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from studies._record import record
from studies._spoilt import hostile, outcome, spoil, whole

ROUNDS = 40


def in_a_process(task, *values):
    """Run in a new process and return its answer with its peak of memory in MB, or say that it died."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(send, task, values))
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        process.join()
        return {f"the process died with {process.exitcode}": 1}, 0, 0
    finally:
        process.join()


def _answer(send, task, values):
    found, slowest = task(*values)
    send.send((found, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def damaged(name, number, rounds):
    """Count what becomes of one kind of file."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "whole"
        folder.mkdir()
        path, reader = whole(folder)[name]
        counts, slowest = Counter(), 0.0
        for seed in range(rounds):
            place = Path(base) / "spoilt"
            place.mkdir()
            copy = place / path.name
            (shutil.copytree if path.is_dir() else shutil.copy)(path, copy)
            shutil.copy(folder / "b.tif", place)
            spoil(copy, 1000 * number + seed)
            start = time.monotonic()
            counts[outcome(copy, reader)] += 1
            slowest = max(slowest, time.monotonic() - start)
            shutil.rmtree(place)
        return dict(counts), slowest


def harmful(name):
    """Count what becomes of one hostile file, and whether anything was written beside it."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "a" / "b"
        folder.mkdir(parents=True)
        path, reader = hostile(folder)[name]
        before = sorted(Path(base).rglob("*"))
        start = time.monotonic()
        found = outcome(path, reader)
        seconds = time.monotonic() - start
        found += "" if sorted(Path(base).rglob("*")) == before else ", and wrote files"
        return {found: 1}, seconds


def names():
    """Return the names of all kinds, of good and of hostile files."""
    with tempfile.TemporaryDirectory() as base:
        bad = Path(base) / "bad"
        bad.mkdir()
        return list(whole(Path(base))), list(hostile(bad))


def summary(answers):
    """Add up the answers of several processes."""
    counts = Counter()
    for found, _, _ in answers.values():
        counts.update(found)
    fine = counts["read"] + counts["refused"]
    wrong = {
        f"{n}: {o}": k for n, (found, _, _) in answers.items() for o, k in found.items() if o not in ("read", "refused")
    }
    return {
        "files": sum(counts.values()),
        "read": counts["read"],
        "refused with the name of the file": counts["refused"],
        "anything else (must be 0)": sum(counts.values()) - fine,
        "what else": json.dumps(wrong) if wrong else "nothing",
        "slowest, seconds (limit 30)": round(max(s for _, s, _ in answers.values()), 2),
        "peak memory of a process, MB": round(max(m for _, _, m in answers.values())),
    }


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    good, bad = names()
    spoilt = {name: in_a_process(damaged, name, i, rounds) for i, name in enumerate(good)}
    attacks = {name: in_a_process(harmful, name) for name in bad}
    alone = in_a_process(damaged, good[0], 0, 0)
    figures = {
        "damaged files": summary(spoilt),
        "hostile files": summary(attacks),
        "peak memory before anything is read, MB": round(alone[2]),
        "kinds of files and readers": len(good),
    }
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    record("io_fuzz", figures)


if __name__ == "__main__":
    main()
