"""BaSiCPy on the fields of curate_flatfield.py; runs in an environment of its own (pip install basicpy "scipy<1.13").

python studies/curate_flatfield.py --export FOLDER
PEER/bin/python studies/_peers_flatfield.py FOLDER      # writes studies/peers/flatfield_basicpy.json
"""

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
from basicpy import BaSiC

TARGET = Path(__file__).resolve().parent / "peers" / "flatfield_basicpy.json"


def main(folder):
    errors = {}
    for file in sorted(Path(folder).glob("*.npz")):
        held = np.load(file)
        for n in (96, 24):
            for dark in (True, False):
                basic = BaSiC(get_darkfield=dark, smoothness_flatfield=1)
                basic.fit(held["images"][:n].astype(np.float32))
                ratio = basic.flatfield / basic.flatfield.mean() / held["truth"]
                name = f"{n} fields, {'with' if dark else 'without'} its dark field"
                errors.setdefault(file.stem, {})[name] = round(float(np.sqrt(np.mean((ratio - 1) ** 2))), 4)
        print(file.stem, errors[file.stem], flush=True)
        write(errors)


def write(errors):
    """Write after each file, so that a run cut short leaves what it found."""
    figures = {"basicpy": metadata.version("basicpy"), "command": "python studies/_peers_flatfield.py FOLDER", **errors}
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
