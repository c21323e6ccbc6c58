"""One detector for each effect of the simulator: a number per cell, and the two groups it should tell apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from mlscope_nb import Cells
from mlscope_nb.datasets.simulator.plan import Plan
from mlscope_nb.features.shape import shape

Floats = np.ndarray
OFFSET = 200.0


@dataclass
class Seen:
    """What detectors look at: the cells, and which of them each fault would have struck (or did)."""

    cells: Cells
    struck: pd.Series

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
        return np.nanmean(self.cells.images * far, (2, 3)) - OFFSET

    @cached_property
    def light(self) -> Floats:
        """Grey values (N, C, Y, X) above the background."""
        return self.cells.images - OFFSET - self.background[:, :, None, None]

    def mean(self, channel: int, where: Floats) -> Floats:
        return (self.light[:, channel] * where).sum((1, 2)) / np.maximum(where.sum((1, 2)), 1)

    @cached_property
    def dna(self) -> Floats:
        """Light of the nucleus, the uneven illumination of each plate taken out with the help of the background."""
        return self.mean(0, self.nucleus) / self.lit

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
        return shape(self.own)

    @cached_property
    def nucleus_shape(self) -> dict[str, Floats]:
        return shape(self.nucleus)

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
    def likeness(self) -> tuple[Floats, Floats]:
        """Largest correlation of a cell with another one of its well, and of another well, over flips."""
        light = self.light.sum(1)
        fine = ndimage.gaussian_filter(light, (0, 1.2, 1.2)) - ndimage.gaussian_filter(light, (0, 3, 3))
        small = fine * ndimage.binary_erosion(self.own, np.ones((1, 5, 5)))
        views = [small, small[:, :, ::-1], small[:, ::-1]]
        flat = [v.reshape(len(v), -1) for v in views]
        flat = [(v - v.mean(1, keepdims=True)) / np.maximum(v.std(1, keepdims=True), 1e-9) for v in flat]
        alike = np.max([flat[0] @ other.T / flat[0].shape[1] for other in flat], 0)
        np.fill_diagonal(alike, -1)
        well = self.cells.units.to_numpy()
        same = well[:, None] == well[None, :]
        return np.where(same, alike, -1).max(1), np.where(same, -1, alike).max(1)


def auroc(score: Floats, positive: Floats, negative: Floats) -> float:
    """Area under the curve for two groups of rows; NaN scores are left out."""
    ok = np.isfinite(score)
    a, b = score[positive & ok], score[negative & ok]
    if not len(a) or not len(b):
        return float("nan")
    return float(roc_auc_score(np.r_[np.ones(len(a)), np.zeros(len(b))], np.r_[a, b]))


def folded(score: Floats, first: Floats, second: Floats) -> float:
    """As `auroc`, where either group may be the higher."""
    found = auroc(score, first, second)
    return max(found, 1 - found)


Detector = Callable[[Seen, Seen], float]


def plates(score: Callable[[Seen], Floats]) -> Detector:
    def detect(seen: Seen, _: Seen) -> float:
        first = (seen.obs["plate"] == "P1").to_numpy()
        return folded(score(seen), first, ~first)

    return detect


def labels(name: str, score: Callable[[Seen], Floats]) -> Detector:
    def detect(seen: Seen, _: Seen) -> float:
        given = seen.obs["label"].to_numpy()
        return auroc(score(seen), given == name, given == "DMSO")

    return detect


def fault(name: str, score: Callable[[Seen], Floats]) -> Detector:
    def detect(seen: Seen, _: Seen) -> float:
        return auroc(score(seen), (seen.struck == name).to_numpy(), (seen.struck == "none").to_numpy())

    return detect


def against_base(score: Callable[[Seen], Floats]) -> Detector:
    """The cells of the study against those of a study without any effect, of another seed."""

    def detect(seen: Seen, base: Seen) -> float:
        scores = np.r_[score(seen), score(base)]
        first = np.arange(len(scores)) < len(seen.obs)
        return auroc(scores, first, ~first)

    return detect


def _well(seen: Seen, _: Seen) -> float:
    """Wells of the inner rows and one column, two by two: no layout effect can tell them apart."""
    found = []
    for plate in seen.obs["plate"].unique():
        for column in (2, 3):
            here = (seen.obs["plate"] == plate) & (seen.obs["column"] == column)
            found.append(
                folded(
                    seen.haze,
                    (here & (seen.obs["row"] == "B")).to_numpy(),
                    (here & (seen.obs["row"] == "C")).to_numpy(),
                )
            )
    return float(np.mean(found))


def _edge_wells(seen: Seen, _: Seen) -> float:
    inner = seen.obs["column"].isin([2, 3])
    rim = seen.obs["row"].isin(["A", "D"])
    return auroc(seen.haze, (inner & rim).to_numpy(), (inner & ~rim).to_numpy())


def _layout_gradient(seen: Seen, _: Seen) -> float:
    column = seen.obs["column"].to_numpy()
    return auroc(seen.haze, column == 4, column == 1)


def _illumination(seen: Seen, _: Seen) -> float:
    far = np.hypot(seen.obs["y_px"] / 512 - 1, seen.obs["x_px"] / 512 - 1).to_numpy()
    level = pd.Series(seen.background[:, 1])
    level = (level / level.groupby(seen.obs["plate"].to_numpy()).transform("median")).to_numpy()
    return auroc(-level, far > 0.8, far < 0.45)


def _crowding(seen: Seen, _: Seen) -> float:
    around = np.asarray(seen.cells.masks).max((1, 2)) - 1
    return auroc(-seen.cell_shape["Area"], around >= 2, around == 0)


def _grain(seen: Seen) -> Floats:
    """Grain of the stain inside each cell, from one pixel to the next, relative to its brightness."""
    images = seen.light[:, 1]
    rough = np.abs(images - ndimage.uniform_filter(images, (0, 3, 3)))
    return (rough * seen.own).sum((1, 2)) / np.maximum((images * seen.own).sum((1, 2)), 1)


def _disagreement(seen: Seen) -> Floats:
    """How rare a cell's label is in its well."""
    counts = seen.obs.groupby(["plate", "well", "label"])["label"].transform("size")
    return -(counts / seen.obs.groupby(["plate", "well"])["label"].transform("size")).to_numpy()


def _same_on_plate(seen: Seen) -> Floats:
    """Share of the treated cells of the plate that got the treatment of this cell."""
    treated = seen.obs[seen.obs["treatment"] != "DMSO"]
    share = treated.groupby(["plate", "treatment"]).size() / treated.groupby("plate").size()
    return np.asarray(
        [share.get((p, t), np.nan) for p, t in zip(seen.obs["plate"], seen.obs["treatment"], strict=True)]
    )


def _corner(seen: Seen) -> Floats:
    """Light of the corner where the mark would be, where no cell is."""
    y, x = np.mgrid[:64, :64]
    ring = (np.abs(np.hypot(y - 57, x - 6) - 3) < 1.2)[None] & (seen.away > 3)
    return np.where(ring.sum((1, 2)) > 10, seen.mean(1, ring), np.nan)


def _off_centre(seen: Seen) -> Floats:
    centres = [ndimage.center_of_mass(m) if m.any() else (32.0, 32.0) for m in seen.own]
    return np.hypot(*(np.asarray(centres) - 31.5).T)


def _odd(seen: Seen) -> Floats:
    """Brightest place outside of all cells."""
    return np.where(seen.away > 4, seen.light.max(1), 0).max((1, 2))


DETECTORS: dict[str, dict[str, Detector]] = {
    "strength": {
        "strength (elongated)": labels("elongated", lambda s: s.cell_shape["Eccentricity"]),
        "strength (lobed)": labels("lobed", lambda s: -s.nucleus_shape["FormFactor"]),
        "strength (granular)": labels("granular", lambda s: s.waves(0, s.nucleus)),
        "strength (bundled)": labels("bundled", lambda s: s.waves(1, s.own)),
        "strength (micronucleus)": labels(
            "micronucleus", lambda s: s.peak(0, s.beside_nucleus, 1.5) / np.maximum(s.mean(0, s.nucleus), 1)
        ),
        "strength (clustered)": labels("clustered", lambda s: s.peak(2, s.own, 1.5) / np.maximum(s.mean(2, s.own), 1)),
    },
    "distractors": {
        "distractors": against_base(lambda s: s.peak(0, s.nucleus, 1.0) / np.maximum(s.mean(0, s.nucleus), 1))
    },
    "rare": {"rare": against_base(lambda s: -s.nucleus_shape["FormFactor"])},
    "crowding": {"crowding": _crowding},
    "plate_size": {"plate_size": plates(lambda s: s.cell_shape["Area"])},
    "plate_gain": {"plate_gain": plates(lambda s: s.dna)},
    "plate_background": {"plate_background": plates(lambda s: np.round(s.background[:, 1] / s.lit))},
    "plate_blur": {"plate_blur": plates(lambda s: -_grain(s))},
    "plate_illumination": {"plate_illumination": _illumination},
    "well": {"well": _well},
    "edge_wells": {"edge_wells": _edge_wells},
    "layout_gradient": {"layout_gradient": _layout_gradient},
    "blur": {"blur": against_base(lambda s: -_grain(s))},
    "noise": {"noise": against_base(_grain)},
    "defocus": {"defocus": fault("defocus", lambda s: -_grain(s))},
    "saturation": {"saturation": fault("saturation", lambda s: (s.cells.images == 65535).mean((1, 2, 3)))},
    "debris": {"debris": fault("debris", _odd)},
    "empty": {"empty": fault("empty", lambda s: -s.mean(0, s.nucleus))},
    "touching": {"touching": fault("touching", lambda s: s.cell_shape["Area"])},
    "cut": {"cut": fault("cut", _off_centre)},
    "duplicates": {"duplicates": against_base(lambda s: s.likeness[0])},
    "leaked": {"leaked": against_base(lambda s: s.likeness[1])},
    "mislabels": {"mislabels": against_base(_disagreement)},
    "confounding": {"confounding": against_base(_same_on_plate)},
    "shortcut": {"shortcut": labels("micronucleus", _corner)},
    "density": {"density": labels("micronucleus", lambda s: -s.obs["cell_count"].to_numpy(float))},
    "position": {"position": labels("micronucleus", lambda s: s.obs["y_px"].to_numpy())},
    "class_size": {"class_size": labels("micronucleus", lambda s: s.cell_shape["Area"])},
}


def would_be_struck(plan: Plan, ids: pd.Index) -> pd.Series:
    """Which fault each cell has in a plan where all faults have a dose."""
    return pd.Series([cell.fault for cell in plan.cells], index=ids)
