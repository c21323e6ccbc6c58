"""Damaged and hostile image files: every one has to end in a result or in a ValueError or OSError that names it.

Good files of every kind are damaged at random (cut, bits turned, bytes of noise, numbers changed, pieces swapped,
grown, emptied) and read to the last pixel; files made to do harm are read as they are. All runs in new processes,
of which the peak of memory is measured. Run: studies/io_fuzz.py [rounds, default 40].
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

ROUNDS, AT_ONCE = 40, 4
FINE = ("read", "refused")


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


def damaged(names, rounds):
    """Count what becomes of some kinds of files; what must not be stands with the name of its kind and its seed."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "whole"
        folder.mkdir()
        good = whole(folder)
        counts, slowest = Counter(), 0.0
        for name in names:
            path, reader = good[name]
            for seed in range(rounds):
                place = Path(base) / "spoilt"
                place.mkdir()
                copy = place / path.name
                (shutil.copytree if path.is_dir() else shutil.copy)(path, copy)
                if not (place / "b.tif").exists():
                    shutil.copy(folder / "b.tif", place)
                spoil(copy, 1000 * list(good).index(name) + seed)
                start = time.monotonic()
                found = outcome(copy, reader)
                slowest = max(slowest, time.monotonic() - start)
                counts[found if found in FINE else f"{name}, seed {seed}: {found}"] += 1
                shutil.rmtree(place)
        return dict(counts), slowest


def harmful():
    """Count what becomes of hostile files, and whether anything was written beside them."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "a" / "b" / "c"
        folder.mkdir(parents=True)
        made = hostile(folder)
        before = sorted(Path(base).rglob("*"))
        counts, slowest = Counter(), 0.0
        for name, (path, reader) in made.items():
            start = time.monotonic()
            found = outcome(path, reader)
            slowest = max(slowest, time.monotonic() - start)
            counts[found if found in FINE else f"{name}: {found}"] += 1
        if sorted(Path(base).rglob("*")) != before:
            counts["something was written"] += 1
        return dict(counts), slowest


def kinds():
    """Return the names of all kinds of good files and their readers."""
    with tempfile.TemporaryDirectory() as base:
        return list(whole(Path(base)))


def summary(answers):
    """Add up the answers of several processes."""
    counts = Counter()
    for found, _, _ in answers:
        counts.update(found)
    wrong = {end: n for end, n in counts.items() if end not in FINE}
    return {
        "files": sum(counts.values()),
        "read": counts["read"],
        "refused with the name of the file": counts["refused"],
        "anything else (must be 0)": sum(wrong.values()),
        "what else": json.dumps(wrong) if wrong else "nothing",
        "slowest, seconds (limit 30)": round(max(seconds for _, seconds, _ in answers), 2),
        "peak memory of a process, MB": round(max(memory for _, _, memory in answers)),
    }


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    good = kinds()
    spoilt = [in_a_process(damaged, good[i : i + AT_ONCE], rounds) for i in range(0, len(good), AT_ONCE)]
    attacks = [in_a_process(harmful)]
    alone = in_a_process(damaged, good[:1], 0)
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
