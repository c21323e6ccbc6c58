"""Train the networks that travel with mlscope again, and write them down with their sha256.

.venv/bin/python data/build_networks.py [name …]
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "networks"
sys.path.insert(0, str(FOLDER.parents[1]))

from mlscope_nb._files import write_text  # noqa: E402
from mlscope_nb.predict import shipped as tells  # noqa: E402
from mlscope_nb.predict.images import shipped as paints  # noqa: E402
from mlscope_nb.predict.images.shipped import RECIPES as PICTURES  # noqa: E402
from mlscope_nb.predict.shipped_networks import RECIPES as CLASSES  # noqa: E402

HEAD = """# Networks that travel with mlscope; what each learned from: mlscope_nb/predict/shipped_networks.py (classes),
# mlscope_nb/predict/images/shipped.py (pictures).
# Written by data/build_networks.py. Licence: that of mlscope; "fly" learned from the images in ../fly.
"""


def main(names: list[str]) -> None:
    """Train and write these networks; the others stay as they are."""
    registry = FOLDER / "registry.toml"
    for name in names:
        file = FOLDER / f"{name.replace(' ', '_')}.pt"
        network = (paints if name in PICTURES else tells)(name, retrain=True)
        network.save(file, small=True)
        # Read late: another network may have been written down while this one was trained.
        known = tomllib.loads(registry.read_text(encoding="utf-8")) if registry.is_file() else {}
        known[name] = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        tables = [f'["{k}"]\nfile = "{v["file"]}"\nsha256 = "{v["sha256"]}"\n' for k, v in sorted(known.items())]
        write_text(registry, "\n".join([HEAD, *tables]))
        print(network, network.records[-1], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or [*PICTURES, *CLASSES])
