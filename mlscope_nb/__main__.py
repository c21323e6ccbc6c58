"""The command line: `python -m mlscope_nb doctor`, `lab`, `report`, `copy-notebooks` and `licences`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from mlscope_nb import _reporting

FIRST_NOTEBOOK = Path("notebooks/00_start_here.ipynb")


def lab_command(notebook: Path, extra: list[str]) -> list[str]:
    """The command that opens JupyterLab on a notebook and lets it ask nobody for news or updates."""
    notebook = notebook.resolve()
    # The folder that one stands in is the one to browse; a notebook from elsewhere brings its own.
    root = Path.cwd() if notebook.is_relative_to(Path.cwd()) else notebook.parent
    address = quote(notebook.relative_to(root).as_posix())
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    # As the default address it is also the one that is printed when no browser opens.
    command += [f"--LabApp.default_url=/lab/tree/{address}"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        command.append("--allow-root")
    return command + extra


def lab(notebook: Path, extra: list[str]) -> int:
    """Open JupyterLab on a notebook and wait until it ends; other options go to JupyterLab."""
    if not notebook.is_file():
        print(f"There is no {notebook} in {Path.cwd()}.", file=sys.stderr)
        print(
            "Run this in the mlscope folder, or name a notebook: python -m mlscope_nb lab --notebook FILE",
            file=sys.stderr,
        )
        return 1
    try:
        return subprocess.run(lab_command(notebook, extra)).returncode
    except KeyboardInterrupt:
        return 0


def doctor() -> int:
    """Print what was found and what to do; 1 where something needed is missing."""
    # Imported late: the doctor's own packages may be what is missing.
    try:
        from mlscope_nb.doctor import examine, render
    except ModuleNotFoundError as error:
        print(f"problem packages      {error.name} is missing")
        print(f"{'':<22}-> Run `make install` in the mlscope folder.")
        return 1
    checks = examine()
    print(render(checks))
    return int(any(check.level == "problem" for check in checks))


def copy_notebooks(folder: Path) -> int:
    """Copy the notebooks to a folder and say what was copied; 1 where that is not possible."""
    from mlscope_nb._course import copy_notebooks as copied

    try:
        print(copied(folder))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Open them: python -m mlscope_nb lab --notebook {folder / FIRST_NOTEBOOK.name}")
    return 0


def licences() -> int:
    """Print the licence of every package of the base installation; 1 where one is GPL alone."""
    from mlscope_nb._licences import licences as found

    every = found()
    print("\n".join(str(licence) for licence in every))
    bad = [licence.package for licence in every if licence.copyleft]
    print(f"{len(every)} packages; under the GPL alone: {', '.join(bad) or 'none'}")
    return int(bool(bad))


def report(options: argparse.Namespace) -> int:
    """Go from a folder to an evidence sheet; 1 where something that was asked for could not be done."""
    from mlscope_nb.risks import report_folder

    out = options.out or Path(f"report_{options.data.resolve().stem}")
    try:
        made = report_folder(options.data, out, **_reporting.options_of(options))
    except OSError as error:
        print(f"Nothing could be written in '{out}': {error}", file=sys.stderr)
        return 1
    print(made, file=sys.stdout if made.complete else sys.stderr)
    return int(not made.complete)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run one command."""
    parser = argparse.ArgumentParser(prog="python -m mlscope_nb", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="check this machine and the installation, and say what to do")
    opener = commands.add_parser("lab", help="open JupyterLab on the first notebook; takes JupyterLab's options")
    opener.add_argument("--notebook", type=Path, default=FIRST_NOTEBOOK)
    copier = commands.add_parser("copy-notebooks", help="copy the notebooks to a folder of your own")
    copier.add_argument("folder", type=Path)
    commands.add_parser("licences", help="list the licences of all packages of the base installation")
    reporter = commands.add_parser("report", help="from a folder to an evidence sheet; 1 where that could not be done")
    _reporting.add_arguments(reporter)
    options, extra = parser.parse_known_args(arguments)
    if options.command == "lab":
        return lab(options.notebook, extra)
    if extra:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    if options.command == "report":
        return report(options)
    if options.command == "copy-notebooks":
        return copy_notebooks(options.folder)
    return licences() if options.command == "licences" else doctor()


if __name__ == "__main__":
    sys.exit(main())
