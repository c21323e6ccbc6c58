"""Install mlscope into .venv: the versions of constraints.txt, PyTorch without CUDA unless asked for.

    python tools/install.py                # used by `make install`, `make lab` and `make test`
    python tools/install.py --torch gpu    # the GPU build, several GB

Needs nothing but the standard library, so that it runs before anything is installed, on every system.
A second run returns at once: what was installed is remembered in .venv/.mlscope-installed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# An index that does not answer should cost seconds; a slow line still gets its wheel.
IMPATIENT = ["--timeout", "10", "--retries", "1"]
CUDA_PACKAGE = re.compile(r"^(nvidia|cuda|triton|pytorch-triton)(-|$)")


class Refused(Exception):
    """Something the person at the keyboard has to decide or mend; the message says what."""


# ---------------------------------------------------------------- Python and the environment


def check_python(version: tuple[int, ...], executable: str) -> None:
    """Refuse a Python that is too old or cannot make environments."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        found = ".".join(str(part) for part in version[:3])
        raise Refused(
            f"mlscope needs Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer; "
            f"{executable} is Python {found}.\n"
            "Install a newer one and name it, for example: make install PYTHON=python3.11"
        )
    if importlib.util.find_spec("ensurepip") is None:
        raise Refused(
            f"{executable} cannot make virtual environments: its module 'ensurepip' is missing.\n"
            "On Debian and Ubuntu: apt-get install python3-venv"
        )


def environment_python(folder: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(python: Path) -> bool:
    """Whether an environment's interpreter starts, is new enough and has pip."""
    if not python.exists():
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info[:2] < {OLDEST_PYTHON})"
    try:
        return subprocess.run([str(python), "-c", probe], capture_output=True).returncode == 0
    except OSError:  # its Python was removed, or the folder comes from another machine
        return False


def ensure_environment(folder: Path) -> Path:
    """Make the environment, or make it anew where its interpreter no longer works; return the interpreter."""
    python = environment_python(folder)
    if not works(python):
        say(f"Making the environment {folder.name} with Python {platform.python_version()}")
        venv.EnvBuilder(with_pip=True, clear=folder.exists(), symlinks=os.name != "nt").create(folder)
    return python


# ---------------------------------------------------------------- what to install


def torch_pin(constraints: str) -> str:
    """The version of torch in the text of a constraints file."""
    found = re.search(r"^torch==([\w.]+)\s*$", constraints, flags=re.MULTILINE)
    if not found:
        raise Refused("constraints.txt has no line 'torch==VERSION'. Restore it from git.")
    return found.group(1)


def torch_plan(choice: str, *, pin: str, installed: str | None, system: str, machine: str) -> str:
    """What to do about torch before the rest is installed.

    'keep' what is there, install the 'cpu' build, leave it to the 'plain' pin, or install the 'cuda' build.
    """
    if system == "Darwin" and machine == "x86_64":
        raise Refused(
            f"There is no PyTorch {pin} for Macs with an Intel processor. Use the Binder link in the README, "
            "or a Linux machine."
        )
    if system == "Windows" and choice == "gpu":
        raise Refused(
            "On Windows the GPU build comes from an address that depends on your driver. Install without "
            "--torch, choose the address at pytorch.org (Get started), then run:\n"
            "    .venv\\Scripts\\python -m pip install --force-reinstall --no-deps "
            f"torch=={pin} --index-url ADDRESS"
        )
    version, _, build = (installed or "").partition("+")
    if version == pin and (choice == "auto" or system != "Linux" or (choice == "cpu") == (build == "cpu")):
        return "keep"
    if system != "Linux":
        return "plain"
    return "cuda" if choice == "gpu" else "cpu"


def cuda_packages(report: dict) -> list[str]:
    """The names of CUDA packages in a report of `pip install --dry-run --report`."""
    names = [item["metadata"]["name"].lower().replace("_", "-") for item in report["install"]]
    return sorted(name for name in names if CUDA_PACKAGE.match(name))


# ---------------------------------------------------------------- pip


class Pip:
    """pip of one environment, held to the constraints file."""

    def __init__(self, python: Path, constraints: Path, *, quiet: bool) -> None:
        self.python = python
        self.constraints = constraints
        self.quiet = ["-qq"] if quiet else []

    def run(self, *arguments: str) -> bool:
        """Run one `pip install` from the repository's root; True where it succeeded."""
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", *self.quiet]
        command += ["-c", str(self.constraints), *arguments]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "PIP_USER": "0"}).returncode == 0

    def must(self, what: str, *arguments: str) -> None:
        """Run one `pip install` and refuse to go on where it failed."""
        if not self.run(*arguments):
            raise Refused(
                f"Installing {what} failed; pip's message stands above. Is this machine online, and is there "
                "free disk space (4 GB)? Running the same command again continues where it stopped."
            )

    def foresee(self, *arguments: str) -> dict:
        """What a `pip install` would install, as pip's own report; nothing is installed."""
        with tempfile.TemporaryDirectory() as scratch:
            report = Path(scratch) / "report.json"
            self.must("PyTorch", "--dry-run", "--report", str(report), *arguments)
            return json.loads(report.read_text(encoding="utf-8"))

    def version(self, package: str) -> str | None:
        """The installed version of a package, with its local part; None where it is absent."""
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        done = subprocess.run([str(self.python), "-c", code], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None


def install_torch(pip: Pip, plan: str, pin: str) -> None:
    """Carry out a plan of `torch_plan`; CUDA comes only with the plan 'cuda'."""
    if plan == "cuda":
        say(f"PyTorch {pin} with CUDA: several GB")
        # '===' is the plain version to the letter: a CPU wheel (version+cpu) that lies nearer must not win.
        pip.must("the GPU build of PyTorch", f"torch==={pin}")
    elif plan == "cpu":
        say(f"PyTorch {pin}, CPU build (about 200 MB)")
        if not pip.run("--no-deps", "--index-url", CPU_INDEX, *IMPATIENT, f"torch=={pin}+cpu"):
            say(f"{CPU_INDEX} did not provide it; asking this machine's own package index")
            refuse_cuda(cuda_packages(pip.foresee(f"torch=={pin}")), pin)


def refuse_cuda(packages: list[str], pin: str) -> None:
    """Stop before several GB of CUDA that nobody asked for."""
    if packages:
        raise Refused(
            f"The CPU build of PyTorch {pin} could not be fetched from {CPU_INDEX}, and this machine's "
            f"package index offers only the GPU build, with {len(packages)} CUDA packages (several GB). "
            "PyTorch was not installed. Do one of these:\n"
            "  - run the same command again when that address can be reached\n"
            "    (behind a proxy: set https_proxy);\n"
            "  - put the CPU wheel of PyTorch into a folder and name it: PIP_FIND_LINKS=FOLDER make install\n"
            "  - take the GPU build: make install TORCH=gpu   (python tools/install.py --torch gpu)"
        )


# ---------------------------------------------------------------- the whole


def say(text: str) -> None:
    """Print one line at once."""
    print(f"[mlscope] {text}", flush=True)


def fingerprint(files: list[Path]) -> str:
    """One hash of everything that decides what is installed."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def install(folder: Path, choice: str, *, quiet: bool) -> None:
    """Bring the environment in `folder` to the state that pyproject.toml and constraints.txt describe."""
    constraints = ROOT / "constraints.txt"
    stamp = folder / ".mlscope-installed"
    wanted = fingerprint([ROOT / "pyproject.toml", constraints, Path(__file__)])
    known = stamp.exists() and stamp.read_text() == wanted
    if choice == "auto" and known and works(environment_python(folder)):
        stamp.touch()
        say("Everything is installed already.")
        return
    check_python(sys.version_info[:3], sys.executable)
    pin = torch_pin(constraints.read_text(encoding="utf-8"))
    pip = Pip(ensure_environment(folder), constraints, quiet=quiet)
    plan = torch_plan(
        choice, pin=pin, installed=pip.version("torch"), system=platform.system(), machine=platform.machine()
    )
    stamp.unlink(missing_ok=True)
    pip.must("the build tools", "pip", "hatchling", "editables")
    install_torch(pip, plan, pin)
    say("JupyterLab, mlscope and the other packages: a few minutes the first time")
    pip.must("the packages", "--no-build-isolation", "-e", ".[dev]")
    stamp.write_text(wanted)
    say("Installed.")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 where all is installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--torch",
        choices=["auto", "cpu", "gpu"],
        default="auto",
        help="build of PyTorch; auto (default) keeps the one that is there, else takes the CPU build",
    )
    options = parser.parse_args(arguments)
    try:
        # At a terminal pip shows its progress; in a log its two hundred lines would hide everything else.
        install(ROOT / ".venv", options.torch, quiet=not sys.stdout.isatty())
    except Refused as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
