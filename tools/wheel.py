"""Build the wheel and the source archive, and try the wheel in an empty environment, far from the checkout.

    python tools/wheel.py                 # used by `make wheel`, with .venv's Python, because hatchling builds
    python tools/wheel.py --keep dist     # and keep both files

In a temporary folder: both are built, the source archive builds the same wheel, an empty environment gets that wheel
with the versions of constraints.txt and PyTorch without CUDA, and there everything of `tools/smoke.py` and the
commands of `python -m mlscope_nb` are run. Nothing of it stays. Needs nothing but the standard library and hatchling.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from install import ROOT, Pip, Refused, ensure_environment, install_torch, say, torch_pin, torch_plan

SMOKE = ROOT / "tools" / "smoke.py"
CONSTRAINTS = ROOT / "constraints.txt"


def run(what: str, command: list[str], folder: Path) -> None:
    """Run one command in a folder and refuse to go on where it failed; nothing of the checkout is on its path."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise Refused(f"{what} failed in {folder}; this is what it wrote:\n{done.stdout}")
    said = [line for line in done.stdout.splitlines() if line.startswith("ok  ")] or done.stdout.splitlines()[-1:]
    say(f"{what}: {time.monotonic() - begun:.0f} s")
    print("".join(f"    {line}\n" for line in said), end="", flush=True)


def build(source: Path, folder: Path, *targets: str) -> dict[str, Path]:
    """Build a wheel or a source archive, or both, from a folder with a pyproject.toml; the files by their target."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    run(
        f"Building the {' and the '.join(targets)}",
        command + [part for name in targets for part in ("-t", name)],
        source,
    )
    endings = {"wheel": "*.whl", "sdist": "*.tar.gz"}
    return {name: next(folder.glob(endings[name])) for name in targets}


def differences(one: Path, other: Path) -> list[str]:
    """Names of files that two wheels do not share, or that are not the same in both."""
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        inside = [{(entry.filename, entry.CRC) for entry in archive.infolist()} for archive in (first, second)]
    return sorted({name for name, _ in inside[0] ^ inside[1]})


def check_sdist(sdist: Path, wheel: Path, scratch: Path) -> None:
    """Build a wheel from the source archive alone; refuse one that differs."""
    with tarfile.open(sdist) as archive:
        archive.extractall(scratch / "source", filter="data")
    (source,) = (scratch / "source").iterdir()
    again = build(source, scratch / "again", "wheel")["wheel"]
    different = differences(wheel, again)
    if different:
        raise Refused(f"The source archive builds another wheel; different in {len(different)} files: {different[:10]}")
    say(f"{wheel.name} {wheel.stat().st_size / 1e6:.1f} MB, {sdist.name} {sdist.stat().st_size / 1e6:.1f} MB: the same")


def install(wheel: Path, folder: Path) -> Path:
    """Make an empty environment and install the wheel into it as its users do; the interpreter."""
    python = ensure_environment(folder)
    pip = Pip(python, CONSTRAINTS, quiet=not sys.stdout.isatty())
    pin = torch_pin(CONSTRAINTS.read_text(encoding="utf-8"))
    system = {"system": platform.system(), "machine": platform.machine()}
    install_torch(pip, torch_plan("auto", pin=pin, installed=None, **system), pin)
    begun = time.monotonic()
    pip.must("the wheel", str(wheel))
    say(f"The wheel and what it needs are installed: {time.monotonic() - begun:.0f} s")
    return python


def try_out(python: Path, scratch: Path) -> None:
    """Run the checks of pip, every command a user has, and the smoke test, in an empty folder."""
    outside, notebooks = scratch / "elsewhere", scratch / "elsewhere" / "notebooks"
    outside.mkdir()
    shutil.copy(SMOKE, scratch)
    mlscope = [str(python), "-m", "mlscope_nb"]
    run("pip check", [str(python), "-m", "pip", "check"], outside)
    run("doctor", [*mlscope, "doctor"], outside)
    run("licences", [*mlscope, "licences"], outside)
    run("copy-notebooks", [*mlscope, "copy-notebooks", str(notebooks)], outside)
    run("smoke test", [str(python), str(scratch / SMOKE.name), str(outside), str(notebooks)], outside)


def whole(keep: Path | None) -> None:
    """Do all of it in a temporary folder; keep the two files where that was asked for."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mlscope-wheel-") as name:
        scratch = Path(name)
        built = build(ROOT, scratch / "dist", "wheel", "sdist")
        check_sdist(built["sdist"], built["wheel"], scratch)
        try_out(install(built["wheel"], scratch / "env"), scratch)
        for file in built.values() if keep else ():
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, keep)
    say(f"The wheel works by itself ({time.monotonic() - begun:.0f} s).")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 where everything works."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the wheel and the source archive there")
    try:
        whole(parser.parse_args(arguments).keep)
    except Refused as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
