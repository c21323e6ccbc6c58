"""The peers' environment: other people's tools that studies and benchmarks measure beside mlscope, in the same run.

`make peers` makes it (.venv-peers); MLSCOPE_PEERS names the interpreter of another one. A script that needs it calls
`needed()` first: where it is absent the script ends with 77, and tools/run_scripts.py goes on and says so.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = 77
"""The exit status of a script that could not run here; 77 as in automake's tests."""


def interpreter() -> Path:
    """Return the Python of the peers, whether it is there or not."""
    named = os.environ.get("MLSCOPE_PEERS")
    inside = Path("Scripts/python.exe") if os.name == "nt" else Path("bin/python")
    return Path(named) if named else ROOT / ".venv-peers" / inside


def needed() -> Path:
    """Return the Python of the peers; end the script where there is none."""
    if not interpreter().is_file():
        print(
            "Left out: this compares with other tools. Run 'make peers' first, or name their Python in MLSCOPE_PEERS."
        )
        sys.exit(LEFT_OUT)
    return interpreter()


def ask(code: str, *arguments: str) -> Any:
    """Run Python code in the peers' environment; what it printed last, read as JSON."""
    # An interpreter named by a relative path is not searched for from the new folder.
    command = [str(needed().absolute()), "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The peers' Python ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


@functools.cache
def packages() -> Path:
    """Return the folder of the peers' packages."""
    return Path(ask("import json, sysconfig; print(json.dumps(sysconfig.get_paths()['purelib']))"))


def borrow(name: str) -> ModuleType:
    """Import a peer's package here: mlscope's own packages come first, what is missing comes from the peers."""
    if str(packages()) not in sys.path:
        sys.path.append(str(packages()))
    return importlib.import_module(name)


def versions(*names: str) -> dict[str, str]:
    """Return the versions of peers."""
    code = "import json, sys, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    found: dict[str, str] = ask(code, *names)
    return found
