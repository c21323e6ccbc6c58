"""What cp_measure, mahotas and scikit-image make of a few crops, for tests that need none of them.

In an environment of its own (pip install cp_measure mahotas scikit-image):
python tests/reference/peers_features.py
"""

import importlib.util
import sys
import warnings
from importlib import metadata
from pathlib import Path

import mahotas.features
import numpy as np
from cp_measure.bulk import get_core_measurements, get_correlation_measurements
from scipy import ndimage
from skimage.feature import graycomatrix
from skimage.util import img_as_ubyte

HERE = Path(__file__).parent
CELLS, SIDE, CHANNELS = 12, 40, ["DNA", "RNA"]
LEVELS = 16


def crops():
    """12 crops of two channels: round, long, lobed and ring-shaped masks with neighbours, one cut by the edge."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:SIDE, :SIDE]
    masks, images = np.zeros((CELLS, SIDE, SIDE), np.uint8), np.zeros((CELLS, 2, SIDE, SIDE), np.uint16)
    for i in range(CELLS):
        cy, cx = (rng.uniform(14, 26, 2), (3.0, 20.0))[i == 5]
        angle = np.arctan2(y - cy, x - cx)
        radius = rng.uniform(6, 12) * (1 + rng.uniform(0, 0.4) * np.cos(rng.integers(1, 5) * angle + rng.uniform(0, 6)))
        away = np.hypot(y - cy, (x - cx) / rng.uniform(0.6, 1.4))
        masks[i][away < radius + 6] = 2
        masks[i][(away >= radius) & (x > cx)] = 0
        masks[i][away < radius] = 1
        if i == 7:
            masks[i][away < 4] = 0
        for c in range(2):
            grain = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1 + c)
            images[i, c] = (
                900 + 9000 * np.exp(-((away / radius) ** 2)) * (1 + grain / grain.std() / 3) + 400 * (c == 0) * i
            )
    return images, masks


def cellprofiler(images, masks):
    """Columns of cp_measure, named as in `studies/_feature_peers.py`, whose code does it."""
    path = HERE.parents[1] / "studies" / "_feature_peers.py"
    spec = importlib.util.spec_from_file_location("feature_peers", path)
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    core, correlation = get_core_measurements(), get_correlation_measurements()
    rows = [
        peers.crop_values(image / 65535, mask, CHANNELS, core, correlation)
        for image, mask in zip(images, masks, strict=True)
    ]
    names = sorted(rows[0])
    return np.array(names), np.array([[row[name] for name in names] for row in rows])


def haralick(images, masks):
    """Mahotas' 13 features in 4 directions at distance 3: (N, C, 4, 13)."""
    levels = img_as_ubyte(images / 65535)
    return np.array(
        [
            [mahotas.features.haralick(np.where(m == 1, c, 0), distance=3, ignore_zeros=True) for c in image]
            for image, m in zip(levels, masks, strict=True)
        ]
    )


def zernike(masks):
    """Mahotas' Zernike moments up to degree 9 in given circles: row, column and radius of each, and the moments."""
    found, circles = [], []
    for mask in masks == 1:
        place = np.argwhere(mask).mean(0)
        radius = np.ceil(np.hypot(*(np.argwhere(mask) - place).T).max()) + 1
        found.append(mahotas.features.zernike_moments(mask.astype(float), radius, 9, tuple(place)))
        circles.append([*place, radius])
    return np.array(circles), np.array(found)


def cooccurrence(images):
    """scikit-image's counts of pairs 3 px apart in 16 levels: (N, 4, 16, 16), for whole crops without level 0."""
    levels = 1 + (images[:, 0] % (LEVELS - 1)).astype(np.uint8)
    # our directions as rows and columns: (0, 3), (3, 3), (3, 0), (3, -3)
    steps = [(3, 0.0), (3 * np.sqrt(2), np.pi / 4), (3, np.pi / 2), (3 * np.sqrt(2), 3 * np.pi / 4)]
    counts = [[graycomatrix(image, [d], [a], levels=LEVELS)[:, :, 0, 0] for d, a in steps] for image in levels]
    return levels, np.array(counts, np.uint16)


def main():
    images, masks = crops()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names, values = cellprofiler(images, masks)
    circles, moments = zernike(masks)
    levels, counts = cooccurrence(images)
    np.savez_compressed(
        HERE / "peers_features.npz", images=images, masks=masks, names=names, values=values,
        haralick=haralick(images, masks), circles=circles, zernike=moments, levels=levels, counts=counts,
        versions=np.array([f"{p} {metadata.version(p)}" for p in ("cp_measure", "mahotas", "scikit-image")]),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
