"""Run every script of a folder, one after another, each in a process of its own; go on when one fails.

python tools/run_scripts.py studies
python tools/run_scripts.py benchmarks memory lasso     # only those
python tools/run_scripts.py benchmarks --table          # none: print what was measured, beside what

At the end the folder's part of docs/claims.md is printed. A script that ends with 77 needs what is not here
(`make peers`): it is left out, which is no failure, and its figures stay what they were.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from studies import _claims  # noqa: E402

LEFT_OUT = 77


def scripts(folder: Path, only: list[str]) -> list[Path]:
    """The scripts of a folder; names that begin with _ are helpers."""
    found = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    unknown = set(only) - {file.stem for file in found}
    if unknown:
        names = ", ".join(file.stem for file in found) or "none"
        raise SystemExit(f"No script {', '.join(sorted(unknown))} in {folder.name}/. Scripts: {names}.")
    return [file for file in found if not only or file.stem in only]


def run_all(files: list[Path]) -> dict[int, list[Path]]:
    """Run scripts and say how long each took; return them by how they ended: 0, 77 (left out), or 1."""
    ended: dict[int, list[Path]] = {0: [], LEFT_OUT: [], 1: []}
    for file in files:
        print(f"== {file.parent.name}/{file.name}", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, str(file)], cwd=file.parent.parent).returncode
        word = {0: "done", LEFT_OUT: "left out"}.get(code, f"FAILED ({code})")
        print(f"== {word} in {time.monotonic() - began:.0f} s", flush=True)
        ended[code if code in ended else 1].append(file)
    return ended


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 where a script failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("only", nargs="*", help="names without .py; default: all")
    parser.add_argument("--table", action="store_true", help="run nothing, print the table")
    options = parser.parse_args(arguments)
    folder = (ROOT / options.folder).resolve()
    ended = run_all([] if options.table else scripts(folder, options.only))
    if folder.parent == ROOT:
        print("\n".join(_claims.table(folder.name)))
    if not options.table:
        print(f"{len(ended[0])} of {sum(map(len, ended.values()))} scripts ran to their end")
    for word, code in (("left out", LEFT_OUT), ("failed", 1)):
        for file in ended[code]:
            print(f"{word}: {file.parent.name}/{file.name}")
    return int(bool(ended[1]))


if __name__ == "__main__":
    sys.exit(main())
