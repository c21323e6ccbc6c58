"""Zernike moments of masks and of the brightness inside them, in the smallest circle around each cell."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

from mlscope_nb.features.regions import Floats, Ints, Regions

DEGREE = 9
Complex = NDArray[np.complex128]
Circles = tuple[Floats, Floats, Floats]


def zernike(regions: Regions) -> dict[str, Floats]:
    """Measure the size of the Zernike moments of each mask up to degree 9, per area of the circle.

    As CellProfiler's (Boland et al. 1998, 10.1002/(SICI)1097-0320(19981101)33:3<366::AID-CYTO12>3.0.CO;2-R); cells of
    one pixel have no circle and give NaN.
    """
    circles = _circles(regions)
    size = np.abs(polynomial_sums(regions.mask.astype(np.float64), regions.pixels, circles))
    area = np.pi * circles[2] ** 2
    return {f"Zernike_{n}_{m}": size[:, k] / area for k, (n, m) in enumerate(indices())}


def radial_zernike(images: NDArray[np.generic], regions: Regions) -> Iterator[dict[str, Floats]]:
    """Measure size and phase of the Zernike moments of the brightness of each channel, per pixel of the mask.

    The phase is CellProfiler's: the angle whose tangent is real part over imaginary part.
    """
    circles = _circles(regions)
    known = np.where(np.isnan(circles[2]), np.nan, regions.known)
    for c in range(images.shape[1]):
        light = np.where(regions.mask, images[:, c], 0).astype(np.float64)
        score = polynomial_sums(light, regions.pixels, circles)
        size, phase = np.abs(score) / known[:, None], np.arctan2(score.real, score.imag)
        result = {f"ZernikeMagnitude|{n}_{m}": size[:, k] for k, (n, m) in enumerate(indices())}
        yield result | {f"ZernikePhase|{n}_{m}": phase[:, k] for k, (n, m) in enumerate(indices())}


def indices() -> list[tuple[int, int]]:
    """Return degree and repetition of each moment: (0, 0), (1, 1), (2, 0), … (9, 9)."""
    return [(n, m) for n in range(DEGREE + 1) for m in range(n % 2, n + 1, 2)]


def polynomial_sums(weight: Floats, pixels: tuple[Ints, Ints, Ints], circles: Circles) -> Complex:
    """Return the sums of weight (N, Y, X) times each Zernike polynomial within the circles (N, 30).

    Pixels are given as cell, row and column, circles as rows, columns and radii. A polynomial of x and y is a sum of
    products x^a y^b, so all moments follow from those of rows and columns.
    """
    centre_y, centre_x, radius = circles
    rows, columns = (np.arange(n, dtype=np.float64) for n in weight.shape[1:])
    y, x = (rows - centre_y[:, None]) / radius[:, None], (columns - centre_x[:, None]) / radius[:, None]
    weight = _within(weight, pixels, y, x)
    # columns first, then rows: (N, 10, 10), the first index the power of y
    products = _powers(y, axis=1) @ (weight @ _powers(x, axis=2))
    # one cell at a time, so that the last bit does not depend on how many cells are in the batch
    flat = products.reshape(len(products), 1, -1)
    real, imaginary = flat @ _table().real.copy(), flat @ _table().imag.copy()
    result: Complex = (real + 1j * imaginary)[:, 0]
    return result


def _circles(regions: Regions) -> Circles:
    """Return the smallest circle around each mask; NaN for the radius of one pixel."""
    y, x, radius = regions.hulls.circles
    return y, x, np.where(radius > 0, radius, np.nan)


def _within(weight: Floats, pixels: tuple[Ints, Ints, Ints], y: Floats, x: Floats) -> Floats:
    """Leave out pixels that lie outside the circle, be it by a rounding error, as CellProfiler does."""
    cell, row, column = pixels
    beyond = x[cell, column] ** 2 + y[cell, row] ** 2 > 1
    weight = weight.copy()
    weight[cell[beyond], row[beyond], column[beyond]] = 0
    return weight


def _powers(values: Floats, *, axis: int) -> Floats:
    found = [np.ones_like(values)]
    for _ in range(DEGREE):
        found.append(found[-1] * values)
    return np.stack(found, axis=axis)


@cache
def _table() -> Complex:
    """Return the coefficients (100, 30) of y^b x^a, at 10 b + a, in each polynomial with z = y + ix."""
    table = np.zeros((DEGREE + 1, DEGREE + 1, len(indices())), np.complex128)
    for k, (n, m) in enumerate(indices()):
        for s in range((n - m) // 2 + 1):
            below = factorial(s) * factorial((n + m) // 2 - s) * factorial((n - m) // 2 - s)
            factor = (-1) ** s * factorial(n - s) / below
            j = (n - m) // 2 - s
            # (x² + y²)^j (y + ix)^m
            for a in range(j + 1):
                for b in range(m + 1):
                    table[2 * (j - a) + m - b, 2 * a + b, k] += factor * comb(j, a) * comb(m, b) * 1j**b
    return table.reshape(-1, len(indices()))
