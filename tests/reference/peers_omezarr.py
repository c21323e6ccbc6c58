"""OME-Zarr images, labels and plates as ome-zarr writes them (0.4 on Zarr 2, 0.5 on Zarr 3): peers_omezarr.zip.

In an environment of its own: pip install ome-zarr==0.18.0 && python tests/reference/peers_omezarr.py
"""

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.format import FormatV04, FormatV05
from ome_zarr.writer import write_image, write_labels, write_plate_metadata, write_well_metadata

UNITS = {"y": "micrometer", "x": "micrometer"}
SCALE = {"y": 0.325, "x": 0.325}
CHANNELS = [{"label": name, "color": "FFFFFF", "window": {"start": 0, "end": 1, "min": 0, "max": 65535}}
            for name in ("DAPI", "GFP")]  # fmt: skip


def pixels(shape, dtype, seed):
    """What the test makes again."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def labels():
    """Two objects with a gap in their numbers."""
    mask = np.zeros((16, 20), np.int32)
    mask[2:6, 2:6], mask[8:14, 10:15] = 1, 7
    return mask


def write(folder, fmt, name):
    """One image with labels, one plate of two wells with two fields of three times and two planes."""
    group = zarr.open_group(str(folder / f"image{name}.zarr"), mode="w", zarr_format=fmt.zarr_format)
    more = {"fmt": fmt, "scale": SCALE, "axes_units": UNITS, "scale_factors": (2,)}
    write_image(pixels((2, 16, 20), np.uint16, 0), group, axes="cyx", omero={"channels": CHANNELS}, **more)
    write_labels(labels(), group, "nuclei", axes="yx", **more)
    plate = zarr.open_group(str(folder / f"plate{name}.zarr"), mode="w", zarr_format=fmt.zarr_format)
    write_plate_metadata(
        plate, ["A", "B"], ["1", "2", "3"], ["A/1", "B/3"], fmt=fmt, name="P7", acquisitions=[{"id": 0}]
    )
    for i, well in enumerate(("A/1", "B/3")):
        held = plate.require_group(well)
        write_well_metadata(held, [{"path": "0", "acquisition": 0}, {"path": "1", "acquisition": 0}], fmt=fmt)
        for j in range(2):
            image = pixels((3, 1, 2, 8, 10), np.uint8, 10 * i + j + 1)
            write_image(image, held.require_group(str(j)), axes="tczyx", fmt=fmt, scale_factors=())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for fmt, name in ((FormatV04(), "04"), (FormatV05(), "05")):
            write(Path(folder), fmt, name)
        files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
        target = Path(__file__).with_suffix(".zip")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (2026, 1, 1, 0, 0, 0))
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
        print(target, target.stat().st_size, "bytes")
