"""Make .venv-judges: other people's tools, whose word decides whether what mlscope writes is right.

    python tools/judges.py                 # used by `make judges`

scanpy, squidpy, pycytominer, ome-zarr-models and napari with its OME-Zarr reader, in the versions of
constraints-judges.txt; no CUDA, no window. Tests in tests/judges/ run them as programs of their own, so nothing of them
is ever imported by mlscope. A second run returns at once: what was installed is remembered in .venv-judges.

Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from install import ROOT, Refused, check_python, ensure_environment, environment_python, fingerprint, say, works

FOLDER = ROOT / ".venv-judges"
PINS = ROOT / "constraints-judges.txt"
WHAT = "scanpy, squidpy, pycytominer, ome-zarr-models, napari: some minutes, 1.7 GB"


def pip(python: Path, *arguments: str) -> bool:
    """Run pip in an environment; True where it succeeded."""
    quiet = [] if sys.stdout.isatty() else ["-qq"]
    command = [str(python), "-m", "pip", *arguments, "--disable-pip-version-check", *quiet]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PIP_USER": "0"}).returncode == 0


def install(folder: Path = FOLDER, pins: Path = PINS, *, who: str = "judges", what: str = WHAT) -> None:
    """Bring the environment to the versions of the pins."""
    stamp = folder / f".mlscope-{who}"
    wanted = fingerprint([pins, Path(__file__)])
    if stamp.exists() and stamp.read_text() == wanted and works(environment_python(folder)):
        say(f"The {who} are installed already.")
        return
    check_python(sys.version_info[:3], sys.executable)
    # What an older list left behind would be used too.
    shutil.rmtree(folder, ignore_errors=True)
    python = ensure_environment(folder)
    say(what)
    start = time.monotonic()
    # Every version is in the list, so nothing has to be resolved: half of the time otherwise.
    if not pip(python, "install", "--no-deps", "-r", str(pins)) or not pip(python, "check"):
        raise Refused(
            f"Installing the {who} failed; pip's message stands above. Is this machine online, and is there free disk "
            "space (2 GB)? Run the same command again."
        )
    stamp.write_text(wanted)
    say(f"The {who} are installed ({time.monotonic() - start:.0f} s).")


def main(folder: Path = FOLDER, pins: Path = PINS, **words: str) -> int:
    """Run the command line; 0 where all is installed."""
    try:
        install(folder, pins, **words)
    except Refused as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
