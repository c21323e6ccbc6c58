"""What cp_measure makes of crops, for `feature_agreement.py`; runs in an environment of its own.

python studies/_feature_peers.py crops.npz values.npz

crops.npz: images (N, C, Y, X) from 0 to 1, masks (N, Y, X) with 1 this cell and 2, 3, … others, channels.
values.npz: one array per column, under CellProfiler's names.
"""

import sys
import warnings
from importlib import metadata
from itertools import combinations

import numpy as np
from cp_measure.bulk import get_core_measurements, get_correlation_measurements
from cp_measure.core.measurecolocalization import get_correlation_overlap
from cp_measure.multimask.measureobjectneighbors import measureobjectneighbors

OF_THE_MASK = ("sizeshape", "zernike", "feret")


def crop_values(image, mask, channels, core, correlation):
    own = (mask == 1).astype(np.int32)
    found = {}
    for name, function in core.items():
        for c, channel in enumerate(channels):
            if name in OF_THE_MASK:
                found |= {f"AreaShape_{key}": value for key, value in function(own, None).items()} if c == 0 else {}
            else:
                found |= {named(name, key, channel): value for key, value in function(own, image[c]).items()}
    for (i, a), (j, b) in combinations(enumerate(channels), 2):
        for key, value in pair_values(image[i], image[j], own, correlation).items():
            order = (b, a) if key.endswith("_2") else (a, b)
            found[f"{key.removesuffix('_1').removesuffix('_2')}_{'_'.join(order)}"] = value
    found |= neighbour_values(mask)
    return {key: float(np.ravel(value)[0]) for key, value in found.items()}


def named(family, key, channel):
    if family == "texture":
        feature, scale, direction, levels = key.split("_")
        return f"Texture_{feature}_{channel}_{scale}_{direction}_{levels}"
    if family in ("radial_distribution", "radial_zernikes"):
        category, feature, rest = key.split("_", 2)
        return f"{category}_{feature}_{channel}_{rest}"
    return f"{key}_{channel}"


def pair_values(first, second, own, correlation):
    found = {}
    for name, function in correlation.items():
        if name != "costes":
            found |= function(first, second, own)
    found |= get_correlation_overlap(first, second, own)
    return {key.replace("Correlation_Pearson", "Correlation_Correlation"): value for key, value in found.items()}


def neighbour_values(mask):
    """Only what touches: the rest needs the whole field."""
    labels = np.unique(mask[mask > 0], return_inverse=True)[1] + 1
    whole = np.zeros(mask.shape, np.int32)
    whole[mask > 0] = labels
    if whole.max() < 2:
        return {"Neighbors_NumberOfNeighbors_Adjacent": 0.0, "Neighbors_PercentTouching_Adjacent": 0.0}
    found = measureobjectneighbors(whole, whole, distance_method="Adjacent")
    keep = ("NumberOfNeighbors", "PercentTouching")
    return {f"Neighbors_{key}_Adjacent": value for name, value in found.items() for key in keep if key in name}


def main(source, target):
    data = np.load(source)
    core, correlation = get_core_measurements(), get_correlation_measurements()
    channels = [str(c) for c in data["channels"]]
    rows = []
    for image, mask in zip(data["images"], data["masks"], strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(crop_values(image, mask, channels, core, correlation))
    values = {key: np.array([row.get(key, np.nan) for row in rows]) for key in rows[0]}
    np.savez_compressed(target, **values, version=metadata.version("cp_measure"))


if __name__ == "__main__":
    main(*sys.argv[1:])
