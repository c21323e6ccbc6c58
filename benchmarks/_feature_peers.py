"""Seconds that cp_measure and scikit-image need for the crops of `features.py`; runs in an environment of its own.

python benchmarks/_feature_peers.py crops.npz cp_measure|regionprops
"""

import json
import sys
import time
import warnings
from itertools import combinations

import numpy as np

REGIONPROPS = (
    "area", "area_bbox", "area_convex", "area_filled", "axis_major_length", "axis_minor_length", "eccentricity",
    "equivalent_diameter_area", "euler_number", "extent", "feret_diameter_max", "inertia_tensor",
    "inertia_tensor_eigvals", "intensity_max", "intensity_mean", "intensity_min", "intensity_std", "moments",
    "moments_central", "moments_hu", "moments_normalized", "orientation", "perimeter", "perimeter_crofton", "solidity",
)  # fmt: skip


def cp_measure():
    """All families of two channels; Costes, which mlscope does not measure, is left out."""
    from cp_measure.bulk import get_core_measurements, get_correlation_measurements
    from cp_measure.core.measurecolocalization import get_correlation_overlap

    core = get_core_measurements()
    pairs = [f for name, f in get_correlation_measurements().items() if name != "costes"] + [get_correlation_overlap]

    def work(image, mask):
        for name, function in core.items():
            for c in range(1 if name in ("sizeshape", "zernike", "feret") else len(image)):
                function(mask, image[c])
        for function in pairs:
            for i, j in combinations(range(len(image)), 2):
                function(image[i], image[j], mask)

    return work


def regionprops():
    """One regionprops_table a crop, with the properties that mlscope's shape, moments, intensity share."""
    from skimage.measure import regionprops_table

    return lambda image, mask: regionprops_table(mask, np.moveaxis(image, 0, -1), properties=REGIONPROPS)


def main(path, peer):
    with np.load(path) as file:
        images, masks = file["images"] / 65535, (file["masks"] == 1).astype(np.int32)
    work = {"cp_measure": cp_measure, "regionprops": regionprops}[peer]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work(images[0], masks[0])
        wall, busy = time.perf_counter(), time.process_time()
        for image, mask in zip(images, masks, strict=True):
            work(image, mask)
        seconds = time.perf_counter() - wall, time.process_time() - busy
    print(json.dumps([value / len(images) * 1000 for value in seconds]))


if __name__ == "__main__":
    main(*sys.argv[1:])
