"""Make .venv-peers: other people's tools, which benchmarks and studies measure beside mlscope in the same run.

    python tools/peers.py                  # used by `make peers`

cp_measure, openTSNE, jupyter-scatter, imagehash, cleanlab, harmonypy and copairs in the versions of
constraints-peers.txt, made as the environment of the judges is. `studies/_peers.py` runs them; no test and nothing in
mlscope needs them.

Needs nothing but the standard library.
"""

from __future__ import annotations

import sys

from install import ROOT
from judges import main

FOLDER = ROOT / ".venv-peers"
PINS = ROOT / "constraints-peers.txt"
WHAT = "cp_measure, openTSNE, jupyter-scatter, imagehash, cleanlab, harmonypy, copairs: a minute or two, 1 GB"

if __name__ == "__main__":
    sys.exit(main(FOLDER, PINS, who="peers", what=WHAT))
