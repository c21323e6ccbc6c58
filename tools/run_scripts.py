"""Run every script of a folder, one after another, each in a process of its own; go on when one fails.

python tools/run_scripts.py studies
python tools/run_scripts.py benchmarks memory lasso     # only those
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def scripts(folder: Path, only: list[str]) -> list[Path]:
    """The scripts of a folder; names that begin with _ are helpers."""
    found = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    unknown = set(only) - {file.stem for file in found}
    if unknown:
        names = ", ".join(file.stem for file in found) or "none"
        raise SystemExit(f"No script {', '.join(sorted(unknown))} in {folder.name}/. Scripts: {names}.")
    return [file for file in found if not only or file.stem in only]


def run_all(files: list[Path]) -> list[Path]:
    """Run scripts and say how long each took; return those that failed."""
    failed = []
    for file in files:
        print(f"== {file.parent.name}/{file.name}", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, str(file)], cwd=file.parent.parent).returncode
        print(
            f"== {'done' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if code:
            failed.append(file)
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 where a script failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("only", nargs="*", help="names without .py; default: all")
    options = parser.parse_args(arguments)
    chosen = scripts((ROOT / options.folder).resolve(), options.only)
    failed = run_all(chosen)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} scripts ran to their end")
    for file in failed:
        print(f"failed: {file.parent.name}/{file.name}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
