"""Rebuild data/fly/*.png from the nine ExampleFly images inside the Python package cellprofiler 4.2.8.1.

Run it with any Python that has pillow, numpy and tifffile:

    python data/build_fly.py            # downloads the package with pip (21 MB), checks it, writes the PNGs
    python data/build_fly.py --check    # writes nothing, fails if the PNGs in data/ differ

Three grey 8-bit TIFFs (D, F, R) of one position become one lossless RGB PNG: red = D, green = F, blue = R.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

PACKAGE = "cellprofiler==4.2.8.1"
SHA256 = "f6b30546235afc14b4886d9f964b468041fe4443ca59c673bbd282d47012bb83"
FOLDER = "cellprofiler/data/examples/ExampleFly/images"
POSITIONS = ("002", "076", "218")
STAINS = ("D", "F", "R")
HERE = Path(__file__).parent


def download(folder: Path) -> Path:
    """Fetch the package with pip, without what it depends on, and check its sha256."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", PACKAGE, "-d", str(folder)]
    subprocess.run(command, check=True)
    wheel = next(folder.glob("cellprofiler-*.whl"))
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{wheel.name} has sha256 {found}, expected {SHA256}. Nothing was written.")
    return wheel


def field(archive: zipfile.ZipFile, position: str) -> np.ndarray:
    """Return one position as (Y, X, 3) uint8."""
    names = [f"{FOLDER}/01_POS{position}_{stain}.TIF" for stain in STAINS]
    return np.stack([tifffile.imread(io.BytesIO(archive.read(name))) for name in names], axis=-1)


def main() -> None:
    """Write the PNGs, or compare them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--check", action="store_true", help="compare with the files in data/ and write nothing")
    check = ask.parse_args().check
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(download(Path(scratch))) as archive:
        fields = {position: field(archive, position) for position in POSITIONS}
    for position, pixels in fields.items():
        path = HERE / "fly" / f"POS{position}.png"
        if check and not np.array_equal(np.asarray(Image.open(path)), pixels):
            raise SystemExit(f"{path} differs from the package's images. Run data/build_fly.py without --check.")
        if not check:
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path, optimize=True)
        print(f"{path.name}: {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
