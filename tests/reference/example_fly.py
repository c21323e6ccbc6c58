"""CellProfiler's ExampleFly recipe for nuclei, written from the settings in ``ExampleFly.cppipe``.

The reference of the fly segmentation tests. It is written from the listed settings of IdentifyPrimaryObjects
(module version 14) with numpy, scipy and scikit-image, shares nothing with ``mlscope_nb.io`` and holds no CellProfiler
code. The settings, and how each is read here:

========================================  =================================================================
Typical diameter (Min,Max): 10,40         area between the discs of 10 and of 40 px diameter
Discard objects outside the range: Yes    done before holes are filled, as the order of the module says
Discard objects touching the border: Yes  any pixel in the first or last row or column
Method to distinguish clumps: Shape       one seed a local maximum of the distance to the background
Method to draw dividing lines: Shape      watershed of the negative distance
Minimum distance between maxima: auto     smallest diameter / 1.5
Fill holes: After declumping only         holes in each object are filled last
Threshold strategy: Global                one threshold a field
Thresholding method: Minimum Cross-E.     Li's; "three classes" is listed too, but rules Otsu alone, and Otsu is
                                          listed as the method of the adaptive strategy, which is not the chosen one
Threshold smoothing scale: 1.3488         Gaussian of sigma 1.3488 / 0.6744 / 2 = 1 before the threshold is applied
Correction factor 1, bounds 0,1           no change
========================================  =================================================================

The module's own note praises a three-class threshold, so ``threshold="otsu3"`` gives the recipe with the upper
threshold of a three-class Otsu ("middle class: background"): the study reports the agreement with both. The recipe
first crops 200 x 200 px; the reference uses the whole field.
"""

from typing import Literal

import numpy as np
from scipy import ndimage
from skimage import filters, measure, segmentation

SMALLEST_PX, LARGEST_PX = 10.0, 40.0


def fly_nuclei(dna: np.ndarray, *, threshold: Literal["li", "otsu3"] = "li", drop_border: bool = True) -> np.ndarray:
    """Label the nuclei of one DNA field (Y,X; 0-255) as the recipe's settings say."""
    image = dna.astype(float) / 255.0
    level = _li(image) if threshold == "li" else float(filters.threshold_multiotsu(image, classes=3, nbins=128)[1])
    foreground = ndimage.gaussian_filter(image, 1.0, mode="constant") >= level
    labels = _split_by_shape(foreground)
    if drop_border:
        labels = segmentation.clear_border(labels)
    return _fill_holes(_keep_sizes(labels))


def _li(image: np.ndarray) -> float:
    steps = np.diff(np.unique(image))
    return float(filters.threshold_li(image, tolerance=max(steps.min() / 2, 0.5 / 65536)))


def _split_by_shape(foreground: np.ndarray) -> np.ndarray:
    distance = ndimage.distance_transform_edt(foreground)
    # Ties on a plateau are broken by a shift far below the distance between two pixels.
    distance += np.random.default_rng(0).uniform(0, 0.001, distance.shape)
    radius = SMALLEST_PX / 1.5 - 0.5
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    highest = ndimage.maximum_filter(distance, footprint=y * y + x * x <= radius * radius)
    seeds, _ = ndimage.label((distance == highest) & foreground, np.ones((3, 3)))
    return segmentation.watershed(-distance, seeds, mask=foreground, connectivity=2)


def _keep_sizes(labels: np.ndarray) -> np.ndarray:
    area = np.bincount(labels.ravel())
    keep = (area >= np.pi * SMALLEST_PX**2 / 4) & (area <= np.pi * LARGEST_PX**2 / 4)
    keep[0] = False
    return np.where(keep[labels], labels, 0)


def _fill_holes(labels: np.ndarray) -> np.ndarray:
    filled = np.zeros(labels.shape, np.int32)
    for number, region in enumerate(measure.regionprops(labels), start=1):
        box = filled[region.slice]
        box[region.image_filled & ((labels[region.slice] == region.label) | (labels[region.slice] == 0))] = number
    return filled
