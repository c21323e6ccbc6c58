"""What detectors look at: one simulated study, measured cell by cell without its answer key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.measure import regionprops

from mlscope_nb import Cells
from mlscope_nb.datasets.simulator.plan import Plan

Floats = np.ndarray
# The camera, whose data sheet everybody may know: grey values without light, grey values per photo-electron, electrons.
OFFSET, GREY_PER_ELECTRON, READ_NOISE = 200.0, 8.0, 3.0
WAIST = 0.15  # lobed nuclei stay below 0.1, those of two discs side by side come above 0.2
NEXT = ndimage.generate_binary_structure(2, 1)
LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float)  # its answer to white noise: 6 standard deviations


@dataclass
class Seen:
    """A study, and the plan of the same seed in which every effect has a dose: what each effect would do (or did)."""

    cells: Cells
    plan: Plan
    scores: dict[Callable[[Seen], Floats], Floats] = field(default_factory=dict)

    def score(self, of: Callable[[Seen], Floats]) -> Floats:
        """A number for each cell, computed once."""
        if of not in self.scores:
            self.scores[of] = of(self)
        return self.scores[of]

    @cached_property
    def struck(self) -> Floats:
        """Which fault strikes each cell in a plan where all faults have a dose."""
        return np.asarray([cell.fault for cell in self.plan.cells])

    @cached_property
    def obs(self) -> pd.DataFrame:
        return self.cells.obs

    @cached_property
    def own(self) -> Floats:
        return np.asarray(self.cells.masks) == 1

    @cached_property
    def nucleus(self) -> Floats:
        return np.asarray(self.cells.compartments["nucleus"]) == 1

    @cached_property
    def away(self) -> Floats:
        """Distance of each pixel to the nearest cell, in pixels."""
        return np.stack([ndimage.distance_transform_edt(m == 0) for m in np.asarray(self.cells.masks)])

    @cached_property
    def background(self) -> Floats:
        """Grey values (N, C) far from all cells, above the offset of the camera."""
        far = np.where(self.away > 7, 1.0, np.nan)[:, None]
        return (np.nanmean(self.cells.images * far, (2, 3)) - OFFSET).astype(np.float32)

    @cached_property
    def light(self) -> Floats:
        """Grey values (N, C, Y, X) above the background."""
        return self.cells.images.astype(np.float32) - np.float32(OFFSET) - self.background[:, :, None, None]

    def mean(self, channel: int, where: Floats) -> Floats:
        return (self.light[:, channel] * where).sum((1, 2)) / np.maximum(where.sum((1, 2)), 1)

    @cached_property
    def dna(self) -> Floats:
        """Light inside the nucleus, where the lens takes nothing away, the uneven illumination taken out."""
        core = np.stack([ndimage.binary_erosion(mask, iterations=3) for mask in self.nucleus])
        return np.where(core.any((1, 2)), self.mean(0, core), np.nan) / self.lit

    @cached_property
    def haze(self) -> Floats:
        """Diffuse light of the third channel, which no phenotype changes, the illumination taken out."""
        inside = np.where(self.own, self.light[:, 2], np.nan)
        return np.nanmedian(inside, (1, 2)) / self.lit

    @cached_property
    def lit(self) -> Floats:
        """Relative illumination at each cell: a parabola through the background of its plate, 1 in the middle."""
        y, x = (self.obs[k].to_numpy() / 512 - 1 for k in ("y_px", "x_px"))
        terms = np.stack([np.ones(len(y)), y, x, y * y, x * x], 1)
        fitted = np.ones(len(y))
        for plate in self.obs["plate"].unique():
            rows = (self.obs["plate"] == plate).to_numpy()
            level = self.background[rows, 1]
            away = np.abs(level - np.median(level))
            usual = away <= 5 * max(np.median(away), 1.0)  # a cell with a fault says nothing about the lamp
            found = np.linalg.lstsq(terms[rows][usual], level[usual], rcond=None)[0]
            fitted[rows] = terms[rows] @ found / found[0]
        return fitted

    @cached_property
    def cell_shape(self) -> dict[str, Floats]:
        return _shape(self.own)

    @cached_property
    def nucleus_shape(self) -> dict[str, Floats]:
        return _shape(self.nucleus)

    def waves(self, channel: int, inside: Floats) -> Floats:
        """Coarseness of a stain: what is left of its contrast when it is smoothed."""
        rows = []
        for image, where in zip(self.light[:, channel], inside, strict=True):
            core = ndimage.binary_erosion(where, iterations=3)
            if core.sum() < 30:
                rows.append(np.nan)
                continue
            flat = image - ndimage.gaussian_filter(image, 5)
            rows.append(ndimage.gaussian_filter(flat, 2)[core].std() / max(flat[core].std(), 1e-9))
        return np.asarray(rows)

    def peak(self, channel: int, inside: Floats, sigma: float) -> Floats:
        """Brightest small place of a channel, relative to the cell."""
        smooth = ndimage.gaussian_filter(self.light[:, channel], (0, sigma, sigma))
        return np.where(inside, smooth, 0).max((1, 2))

    @cached_property
    def beside_nucleus(self) -> Floats:
        """The part of the cytoplasm that is 3 to 7 pixels away from the nucleus."""
        away = np.stack([ndimage.distance_transform_edt(~n) for n in self.nucleus])
        return self.own & (away > 2.5) & (away < 7)

    @cached_property
    def softness(self) -> Floats:
        """Width of the vesicles, which are no larger than the lens can show, in units of nothing.

        Noise adds the same to the second differences of pixels 1, 2 and 4 apart, so their differences are free of it.
        """
        image, energy = self.cells.images[:, 2].astype(float), {}
        for step in (1, 2, 4):
            total, n = np.zeros(len(image)), np.zeros(len(image))
            for axis in (1, 2):
                before, after = (np.roll(image, way, axis) for way in (step, -step))
                inside = self.own & np.roll(self.own, step, axis) & np.roll(self.own, -step, axis)
                total += (np.square(2 * image - before - after) * inside).sum((1, 2))
                n += inside.sum((1, 2))
            energy[step] = total / np.maximum(n, 1)
        return np.arctan2(energy[4] - energy[2], energy[2] - energy[1])

    @cached_property
    def unrest(self) -> Floats:
        """Roughness of the background, where no cell is, in units of what photons and reading make of it.

        The roughest twentieth (dirt, marks) is left out.
        """
        found = np.full(len(self.away), np.nan)
        for k, (image, empty) in enumerate(zip(self.cells.images, self.away > 4, strict=True)):
            if empty.sum() < 60:
                continue
            parts = []
            for channel in image.astype(float):
                electrons = (channel[empty].mean() - OFFSET) / GREY_PER_ELECTRON
                usual = 6 * GREY_PER_ELECTRON * np.sqrt(max(electrons, 0) + READ_NOISE**2)
                parts.append(np.sort(np.abs(ndimage.convolve(channel, LAPLACE)[empty])) / usual)
            found[k] = np.mean([part[: int(0.95 * len(part))].mean() for part in parts])
        return found

    @cached_property
    def pinch(self) -> Floats:
        """How far the nucleus nearest to the middle is pinched into two parts, in units of its radius.

        Largest distance to the outline in the smaller part, above that in the waist (dynamics of the second maximum);
        0 where it is no more than pixels and the waves of an outline make.
        """
        found = np.zeros(len(self.nucleus))
        for k, mask in enumerate(self.nucleus):
            parts, n = ndimage.label(mask, NEXT)
            if not n:
                continue
            centres = np.asarray(ndimage.center_of_mass(mask, parts, range(1, n + 1))) - 31.5
            depth = ndimage.distance_transform_edt(parts == 1 + np.hypot(*centres.T).argmin())
            for level in np.arange(1, depth.max()):
                pieces, n = ndimage.label(depth > level, NEXT)
                if n > 1:
                    tops = np.sort(ndimage.maximum(depth, pieces, range(1, n + 1)))
                    found[k] = max(found[k], (tops[-2] - level) / depth.max())
        return np.where(found > WAIST, found, 0)

    @cached_property
    def chromocentre(self) -> Floats:
        """Brightest place inside the nucleus relative to the usual one, smoothed so that the lens hardly counts."""
        smooth = ndimage.gaussian_filter(self.light[:, 0], (0, 2, 2))
        core = np.stack([ndimage.binary_erosion(mask, iterations=2) for mask in self.nucleus])
        inside = np.where(core, smooth, np.nan)
        return np.nanmax(inside, (1, 2)) / np.maximum(np.nanmedian(inside, (1, 2)), 1)

    @cached_property
    def alike(self) -> Floats:
        """Correlation of each cell with each other one, the largest over mirror images, the least over the channels.

        A copy is alike in every channel; bright spots that happen to meet are so in one, and are capped besides.
        """
        inside = ndimage.binary_erosion(self.own, np.ones((1, 5, 5)))
        return np.min([_correlations(self.light[:, c], inside) for c in range(3)], 0).max(0)

    @cached_property
    def likeness(self) -> tuple[Floats, Floats]:
        """How much more alike than unrelated cells the best of the same well is, and the best of another well.

        In units of how much cells of other wells differ in likeness to the same cell, so that size, blur, brightness
        and noise, which make all cells more alike or less, cancel; within a well by the cells of its own plate, which
        share its size. Copies elsewhere stand out from the next but one.
        """
        well, plate = (np.asarray(k) for k in (self.cells.units, self.obs["plate"]))
        same, near = well[:, None] == well[None, :], plate[:, None] == plate[None, :]
        within = np.where(same & ~np.eye(len(same), dtype=bool), self.alike, -np.inf).max(1)
        middle, spread, _ = _usual(self.alike, near & ~same)
        _, far_spread, gap = _usual(self.alike, ~same)
        return (within - middle) / spread, gap / far_spread


def _usual(alike: Floats, among: Floats) -> tuple[Floats, Floats, Floats]:
    """Median of each row among some columns, its distance to the 84th percentile, and the lead of the largest."""
    ordered = np.sort(np.where(among, alike, -np.inf), 1)
    n = among.sum(1)

    def at(share: float) -> Floats:
        place = len(alike) - n + (share * (n - 1)).astype(int)
        return np.take_along_axis(ordered, place[:, None], 1)[:, 0]

    middle = at(0.5)
    return middle, np.maximum(at(0.84) - middle, 1e-9), ordered[:, -1] - ordered[:, -3]


def _correlations(light: Floats, inside: Floats) -> Floats:
    """Correlations (3, N, N) of the fine structure of each cell with all cells as they are and in two mirrors."""
    fine = ndimage.gaussian_filter(light, (0, 1.2, 1.2)) - ndimage.gaussian_filter(light, (0, 3, 3))
    usual = [np.median(np.abs(f[where])) if where.any() else 1.0 for f, where in zip(fine, inside, strict=True)]
    capped = np.clip(fine / np.maximum(usual, 1e-9)[:, None, None], -3, 3)
    mean = (capped * inside).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1)
    small = (capped - mean[:, None, None]) * inside
    flat = [view.reshape(len(view), -1) for view in (small, small[:, :, ::-1], small[:, ::-1])]
    flat = [view / np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-9) for view in flat]
    return np.stack([flat[0] @ view.T for view in flat])


def _shape(masks: Floats) -> dict[str, Floats]:
    """Area, eccentricity and form factor (1 for a disc) of each mask; NaN where it is empty."""
    found = {name: np.full(len(masks), np.nan) for name in ("Area", "Eccentricity", "FormFactor")}
    for k, mask in enumerate(masks.astype(np.uint8)):
        for region in regionprops(mask):
            found["Area"][k], found["Eccentricity"][k] = region.area, region.eccentricity
            found["FormFactor"][k] = 4 * np.pi * region.area / max(region.perimeter, 1.0) ** 2
    return found
